"""The plane sweeps of ``geodesic_sweep`` with PyTorch, for a graphics card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib.errors import require
from DeepMRILib.interactive.geodesic_sweep import DIFFERENCE_FLOOR, Report, step_lengths

if TYPE_CHECKING:
    from torch import Tensor

ADVICE = "Compute them on the CPU, or of a smaller part of the image."


def swept_by_torch(
    start: NDArray,
    image: NDArray,
    spacing: tuple[float, float, float],
    weight: float,
    *,
    device: str,
    rounds: int,
    tolerance: float = 0.0,
    report: Report | None = None,
) -> NDArray:
    """What ``geodesic_sweep.swept`` finds from ``start`` (n, i, j, k) in an image (i, j, k, c), on a device.

    Raises:
        DependencyError: PyTorch is not installed.
        DeviceMemoryError: the device's memory does not suffice.
    """
    torch = require("torch", "Geodesic distances on a graphics card")
    with devices.out_of_memory_as_error(device, "Geodesic distances", ADVICE), torch.no_grad():
        values = torch.from_numpy(np.ascontiguousarray(image)).to(device)
        padded = torch.full((len(start), *(n + 2 for n in start.shape[1:])), torch.inf, device=device)
        inside = padded[:, 1:-1, 1:-1, 1:-1]
        inside.copy_(torch.from_numpy(start))
        for number in range(rounds):
            before = inside.clone()
            for axis in range(3):
                if report is not None:
                    report((number + axis / 3) / rounds)
                lengths = torch.from_numpy(step_lengths(spacing, axis)).to(device)
                _to_and_fro(padded.movedim(axis + 1, 0), values.movedim(axis, 0), lengths, weight)
            if not bool((inside < before * (1 - tolerance)).any()):
                break
        return inside.cpu().numpy().copy()


def _to_and_fro(planes: Tensor, values: Tensor, lengths: Tensor, weight: float) -> None:
    """Two sweeps, in place; ``planes`` (planes, n, rows, columns) is padded by one on three sides, ``values`` not."""
    count = len(values)
    for target, source in [(n, n - 1) for n in range(1, count)] + [(n, n + 1) for n in range(count - 2, -1, -1)]:
        seen = planes[source + 1].unfold(1, 3, 1).unfold(2, 3, 1)
        reached = (seen + _costs(values[target], values[source], lengths, weight)).amin(dim=(3, 4))
        now = planes[target + 1][:, 1:-1, 1:-1]
        now.copy_(now.minimum(reached))


def _costs(target: Tensor, source: Tensor, lengths: Tensor, weight: float) -> Tensor:
    """The costs (rows, columns, 3, 3) of the edges from the neighbours in one plane to each voxel of the next."""
    # beyond the border any value will do: nothing is reached from there
    around = source.new_zeros((source.shape[0] + 2, source.shape[1] + 2, source.shape[2]))
    around[1:-1, 1:-1] = source
    difference = around.unfold(0, 3, 1).unfold(1, 3, 1) - target[..., None, None]
    difference = difference[:, :, 0].abs() if difference.shape[2] == 1 else difference.square().sum(dim=2).sqrt()
    difference = difference + float(DIFFERENCE_FLOOR)
    return lengths * difference / ((1.0 - weight) * difference + weight)
