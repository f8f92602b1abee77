"""What a task network gives for images, a few at a time."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError
from DeepMRILib.igs.network_parallel import mapped, step_of
from DeepMRILib.progress import Progress, silent


def predict(
    module: torch.nn.Module,
    magnitudes: NDArray,
    mean: NDArray,
    std: NDArray,
    *,
    batch: int = 16,
    device: str = "cpu",
    progress: Progress | None = None,
) -> NDArray:
    """Logits (n, classes, h, w) or (n, classes), or normalised images (n, c, h, w), float32.

    Args:
        module: a task network; it is in evaluation mode meanwhile, and left as it was.
        magnitudes: (n, c, h, w), or (n, c, d, h, w): full or undersampled images.
        mean, std: (n, c) of the full images (``dataset.normalisation()``).
        batch: images at once; memory beyond that of the result grows with it.
        device: auto, cuda, mps or cpu.
        progress: told after each batch; may raise ``Cancelled``.

    Raises:
        InputError: the device is not there, or the network gives NaN or infinite values.
        DeviceMemoryError: a batch does not fit.
        Cancelled: by ``progress``.
    """
    device = devices.resolve(device)
    home, was_training = device_of(module), module.training
    report = progress or silent
    found: NDArray | None = None

    def asked(images: torch.Tensor) -> NDArray:
        with torch.no_grad():  # of each thread by itself
            return module(images).float().numpy(force=True)

    what = f"The network on {batch} images at once"
    with devices.out_of_memory_as_error(device, what, "Use smaller batches, or the device cpu."):
        try:
            module.to(device).eval()
            for start in range(0, len(magnitudes), batch):
                rows = slice(start, start + batch)
                given = torch.from_numpy(normalised(magnitudes[rows], mean[rows], std[rows])).to(device)
                given = np.concatenate(mapped(asked, given.split(step_of(len(given), batch, device)), device))
                if found is None:
                    found = np.empty((len(magnitudes), *given.shape[1:]), np.float32)
                found[rows] = given
                if not np.isfinite(given).all():
                    raise InputError(
                        "The network gives NaN or infinite values for these images. Train it again, with a smaller "
                        "learning rate, or choose another."
                    )
                report(min(1.0, (start + batch) / len(magnitudes)), "Asking the network")
        finally:
            module.to(home).train(was_training)
    return np.empty((0,), np.float32) if found is None else found


def normalised(magnitudes: NDArray, mean: NDArray, std: NDArray) -> NDArray:
    """(magnitude - mean) / std float32, of images (n, c, ...) with mean and std (n, c)."""
    shape = (*mean.shape, *[1] * (magnitudes.ndim - 2))
    return ((magnitudes - mean.reshape(shape)) / std.reshape(shape)).astype(np.float32, copy=False)


def magnitudes_of(found: NDArray, mean: NDArray, std: NDArray) -> NDArray:
    """Magnitudes of the normalised images that a network gives: found * std + mean, and 0 where that is below it."""
    shape = (*mean.shape, *[1] * (found.ndim - 2))
    return np.maximum(found * std.reshape(shape) + mean.reshape(shape), 0)


def device_of(module: torch.nn.Module) -> torch.device:
    """Where a module's weights lie; the CPU where it has none."""
    first = next(module.parameters(), None)
    return torch.device("cpu") if first is None else first.device
