"""Networks of a trained model at work: the probability of each label, mean of folds and flips."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib.interactive.network import build
from DeepMRILib.interactive.network_memory import check_prediction
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.network_half import channels_last, computing, half_type
from DeepMRILib.network_threads import FEW_VOXELS, suited_threads
from DeepMRILib.progress import Progress, silent

FLIPS: tuple[tuple[int, ...], ...] = tuple(
    axes for count in range(4) for axes in itertools.combinations((2, 3, 4), count)
)
"""The eight ways of turning an input (n, c, a, b, c) round, none first."""
WHAT, WAY_OUT = "Segmenting with the network", "Take a smaller margin around the points, or segment on the CPU."


class Ensemble:
    """Networks of one plan on a device.

    Args:
        plan: of all of them.
        networks: at least one.
        device: resolved; they are moved there.
        half: compute in 16 bits where the device is fast with them; outputs differ in the third digit.
    """

    def __init__(
        self, plan: NetworkPlan, networks: Sequence[torch.nn.Module], device: str, *, half: bool = True
    ) -> None:
        self.plan, self.device = plan, device
        self.dtype = half_type(device) if half else None
        self.networks = [channels_last(network.to(device).eval(), self.dtype) for network in networks]

    @classmethod
    def of(cls, model: TrainedModel, device: str, folds: Sequence[int] | None = None, *, half: bool = True) -> Ensemble:
        """The networks of a trained model, or those of some of its folds."""
        chosen = model.folds if folds is None else folds
        return cls(model.plan, [network_of(model, fold) for fold in chosen], device, half=half)

    @torch.no_grad()
    def probability(
        self,
        values: NDArray,
        *,
        flips: bool = True,
        first_only: bool = False,
        softmax: bool = True,
        progress: Progress = silent,
    ) -> NDArray:
        """The probability of background and labels.

        The mean of the softmax over all networks and, with ``flips``, over the eight ways of turning the input round,
        one at a time so that memory is that of one.

        Args:
            values: (inputs, a, b, c) float32, as ``prepare`` makes it.
            flips: also look at the input turned round.
            first_only: ask only the first network.
            softmax: otherwise the mean of what the networks give before it, as InteractiveNet has it.
            progress: told of each pass; may raise ``Cancelled``.

        Returns:
            (outputs, a, b, c) float32; with ``softmax`` from 0 to 1, and they add up to 1.

        Raises:
            DeviceMemoryError: it does not fit.
        """
        voxels = int(np.prod(values.shape[1:]))
        check_prediction(self.plan, voxels, self.device, WAY_OUT)
        networks = self.networks[:1] if first_only else self.networks
        ways = FLIPS if flips else FLIPS[:1]
        threads = suited_threads(voxels, few=FEW_VOXELS)
        with threads, devices.out_of_memory_as_error(self.device, WHAT, WAY_OUT):
            given = torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))[None].to(self.device)
            total = torch.zeros((self.plan.outputs, *values.shape[1:]), device=self.device)
            for done, (network, axes) in enumerate(itertools.product(networks, ways)):
                progress(done / (len(networks) * len(ways)), "Segmenting")
                outputs = self._once(network, given, axes)
                total += torch.softmax(outputs, dim=0) if softmax else outputs
            return (total / (len(networks) * len(ways))).cpu().numpy()

    def _once(self, network: torch.nn.Module, given: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        turned = given.flip(axes).contiguous(memory_format=torch.channels_last_3d)
        with computing(self.device, self.dtype):
            outputs = network(turned if self.dtype is not None else given.flip(axes))
        return outputs.float().flip(axes)[0]


def network_of(model: TrainedModel, fold: int) -> torch.nn.Module:
    """A fold's network with its weights, on the CPU."""
    network = build(model.plan)
    load_weights(network, model.weights_of(fold))
    return network.eval()


def load_weights(network: torch.nn.Module, weights: dict[str, NDArray]) -> None:
    """Give a DynUNet its weights; the names that it lists a second time (``skip_layers``) are the same tensors."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(weights[name]))


def weights_of(network: torch.nn.Module) -> dict[str, NDArray]:
    """A DynUNet's weights by name, each once."""
    return {name: value.detach().cpu().numpy().copy() for name, value in network.named_parameters()}


def once(state: dict[str, torch.Tensor]) -> dict[str, NDArray]:
    """A DynUNet's state dictionary as arrays, without what it lists a second time."""
    return {name: value.cpu().numpy() for name, value in state.items() if not name.startswith("skip_layers.")}
