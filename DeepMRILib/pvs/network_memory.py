"""How much memory a network takes, how far it is, and where it computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from DeepMRILib import device as devices
from DeepMRILib.progress import Progress

ADVICE = "Close other programs, choose another device, or take a network with fewer filters."


@dataclass(frozen=True)
class Forecast:
    """What a pass takes.

    Attributes:
        activations: bytes of the largest set of values that are needed at one time, without weights.
        largest: bytes of the largest single value.
        weights: bytes.
        made: numbers that all steps make together: a measure of how long it takes.
    """

    activations: int
    largest: int
    weights: int
    made: int

    def peak(self, device: str, *, half: bool = False) -> int:
        """Bytes that a pass needs at its peak, beyond the weights where these are in main memory already.

        A convolution may lay its input and output out anew. Measured on a processor, the resident memory grew by 0.69
        to 0.86 of what is told here (a network of SHIVA v1's size, ours on the whole box and on a part).
        """
        if device == "cpu":
            return self.activations + self.largest
        total = self.activations + 2 * self.largest + self.weights
        return total // 2 if half else total


def forecast(network: torch.nn.Module, shape: tuple[int, ...]) -> Forecast:
    """What a pass on an input of that shape takes, found without computing: on PyTorch's device for shapes alone."""
    values = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    shapes = {name: torch.empty_like(value, device="meta") for name, value in values.items()}
    with torch.inference_mode(), _Live() as live:
        torch.func.functional_call(network, shapes, (torch.empty(shape, device="meta"),))
    weights = sum(value.numel() * value.element_size() for value in values.values())
    return Forecast(live.peak, live.largest, weights, max(1, live.made))


def check_memory(device: str, needed: int, what: str) -> None:
    """Say before a pass that it does not fit.

    Raises:
        DeviceMemoryError: with what is needed and free.
    """
    devices.needs(device, needed, what, ADVICE)


class _Live(TorchDispatchMode):
    """Counts the bytes of all values that are alive at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self.largest = self.made = 0
        self._alive: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in _tensors(made):
            storage = value.untyped_storage()
            self._alive[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
            self.largest = max(self.largest, storage.nbytes())
            self.made += value.numel()
        self._alive = {key: entry for key, entry in self._alive.items() if not entry[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        return made


class Watched(TorchDispatchMode):
    """Tells how far a pass is after each of its steps, so that it can also be stopped in between.

    Args:
        progress: may raise ``Cancelled``.
        made: numbers that all steps make together (``Forecast.made``).
        message: what is being done.
    """

    def __init__(self, progress: Progress, made: int, message: str) -> None:
        super().__init__()
        self._progress, self._total, self._message = progress, made, message
        self._made = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        self._made += sum(value.numel() for value in _tensors(made))
        self._progress(min(1.0, self._made / self._total), self._message)
        return made


def _tensors(made: Any) -> list[torch.Tensor]:
    return [value for value in tree_leaves(made) if isinstance(value, torch.Tensor)]


def network_device(choice: devices.Device) -> str:
    """The device that a choice stands for; ``"auto"`` leaves Apple's graphics processor out.

    PyTorch lacks some of the three-dimensional layers there, depending on its version; who asks for it gets it.

    Raises:
        InputError: that device is not there.

    Example:
        >>> network_device("cpu")
        'cpu'
    """
    device = devices.resolve(choice)
    return "cpu" if choice == "auto" and device == "mps" else device
