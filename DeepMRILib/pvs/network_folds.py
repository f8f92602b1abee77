"""The networks of a model one after the other: read, run and let go, so that only one is in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib.errors import DeepMRIError, InputError, WeightsError
from DeepMRILib.network_threads import FEW_VOXELS, suited_threads
from DeepMRILib.progress import Progress, part
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.network_graph import GraphNetwork
from DeepMRILib.pvs.network_memory import ADVICE, Forecast, Watched, check_memory, forecast
from DeepMRILib.pvs.network_unet import build_network
from DeepMRILib.pvs.opened import UNET, OpenedNetworks

LEAST = 0.001
"""Probabilities below count as 0, in each fold, as SHiVAi does."""
_SLACK = 5e-3  # of probabilities outside 0 to 1, by rounding to 16 bits
_AGAIN = "Get or import the model again."


@dataclass(frozen=True)
class Running:
    """How networks are run.

    Attributes:
        device: a resolved one.
        half: in 16 bits.
        flips: networks of ours also look at the mirrored image.
    """

    device: str = "cpu"
    half: bool = False
    flips: bool = False


def mean_of_folds(
    networks: OpenedNetworks, images: NDArray, running: Running, progress: Progress
) -> tuple[NDArray, tuple[str, ...]]:
    """The mean probability of all folds, and what is to be said of them.

    Args:
        networks: the model.
        images: (c, x, y, z) float32, as the networks expect them.
        running: where and how.
        progress: runs from 0 to 1; told after each layer.

    Returns:
        (x, y, z) float32 from 0 to 1.

    Raises:
        WeightsError: a fold is damaged, or returns what is no probability; says which.
        DeviceMemoryError: it does not fit.
        Cancelled: by ``progress``.
    """
    total = np.zeros(images.shape[1:], np.float64)
    notes: list[str] = []
    count = len(networks.folds)
    with suited_threads(total.size, few=FEW_VOXELS):
        for number, fold in enumerate(networks.folds):
            told = part(progress, number / count, (number + 1) / count)
            asked = _Fold(networks, fold, f"Fold {number + 1} of {count}")
            found = asked.probability(images, running, told)
            if found is None and running.half:
                notes.append(f"{asked.label} gave no finite numbers in 16 bits and was computed in 32.")
                found = asked.probability(images, replace(running, half=False), told)
            if found is None:
                raise WeightsError(f"{asked.label} of {networks.card.name} gives no finite numbers. {_AGAIN}")
            total += np.where(found < LEAST, 0, found)
    return (total / count).astype(np.float32), tuple(notes)


@dataclass(frozen=True)
class _Fold:
    """One network of a model; ``label`` names it in sentences."""

    networks: OpenedNetworks
    number: int
    label: str

    def probability(self, images: NDArray, running: Running, progress: Progress) -> NDArray | None:
        """(x, y, z) float32; None where numbers are not finite."""
        what = f"{self.label} of {self.networks.card.name}"
        progress(0.0, self.label)
        try:
            with devices.out_of_memory_as_error(running.device, what, ADVICE):
                found = self._found(images, running, progress, what)
        except DeepMRIError:
            raise
        except (RuntimeError, ValueError, TypeError, IndexError) as error:  # PyTorch's, of layers that do not fit
            reason = str(error).strip().partition("\n")[0]
            raise WeightsError(f"{what} cannot be run: {reason}. {_AGAIN}") from error
        if not np.isfinite(found).all():
            return None
        if found.min() < -_SLACK or found.max() > 1 + _SLACK:
            raise WeightsError(
                f"{what} gives values from {found.min():.3g} to {found.max():.3g}, which are no probabilities. Take "
                "another network."
            )
        return np.clip(found, 0, 1)

    def _found(self, images: NDArray, running: Running, progress: Progress, what: str) -> NDArray:
        network, inputs = self._built(images)
        ahead = forecast(network, tuple(inputs.shape))
        check_memory(running.device, ahead.peak(running.device, half=running.half), what)
        return self._run(network, inputs, running, ahead, progress)

    def _built(self, images: NDArray) -> tuple[torch.nn.Module, torch.Tensor]:
        """The network, and its input."""
        weights = read_fold(self.networks.weights, self.number)
        inputs = torch.from_numpy(images)[None]
        if self.networks.kind == UNET:
            return unet_of(self.networks, weights), inputs
        graph = graph_of(self.networks, self.number, weights)
        if graph.layout == "last":
            inputs = inputs.movedim(1, -1)
        _check_input(self.networks.card.name, graph, tuple(inputs.shape))
        return GraphNetwork(graph), inputs

    def _run(
        self, network: torch.nn.Module, inputs: torch.Tensor, running: Running, ahead: Forecast, progress: Progress
    ) -> NDArray:
        flips = (False, True) if running.flips and self.networks.kind == UNET else (False,)
        dtype = torch.float16 if running.half else torch.float32
        network = network.to(running.device, dtype)
        inputs = inputs.to(running.device, dtype)
        total: NDArray | float = 0.0
        for number, flipped in enumerate(flips):
            told = part(progress, number / len(flips), (number + 1) / len(flips))
            # TF32 would round the convolutions of 32 bits to 10 bits
            exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=False, allow_tf32=False)
            with torch.inference_mode(), exact, Watched(told, ahead.made, self.label):
                found = network(inputs.flip(2) if flipped else inputs)
                found = found.flip(2) if flipped else found
            total = total + self._one_map(found)
        return total / len(flips)

    def _one_map(self, found: torch.Tensor) -> NDArray:
        """(x, y, z) of a network's output: its one channel, or the sum of all classes but the background."""
        values = found.float().cpu().numpy()[0]
        if self.networks.kind == UNET:
            return values[0]
        if values.ndim == 3:
            return values
        structure = _structure(self.networks, self.number)
        values = values if structure.get("layout") == "first" else np.moveaxis(values, -1, 0)
        return values[0] if len(values) == 1 else values[1:].sum(axis=0)


def read_fold(path: Path, fold: int) -> dict[str, NDArray]:
    """The weights of one fold by their names; the rest of the file stays on the disk.

    Raises:
        WeightsError: there is no such fold, or the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    prefix = f"fold{fold}."
    try:
        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - it is no dictionary
            weights = {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"Fold {fold} in {path} cannot be read ({error}). {_AGAIN}") from error
    if not weights:
        raise WeightsError(f"There is no fold {fold} in {path}. {_AGAIN}")
    return weights


def graph_of(networks: OpenedNetworks, fold: int, weights: Mapping[str, NDArray]) -> Graph:
    """The network of a fold as plain data.

    Raises:
        WeightsError: the model's description does not hold it.
    """
    return Graph.from_structure(_structure(networks, fold), weights)


def _structure(networks: OpenedNetworks, fold: int) -> dict[str, Any]:
    extra = networks.card.extra
    try:
        number = extra["structure_of"][networks.folds.index(fold)]
        structure = json.loads(extra["structures"][number])
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"The model.json of {networks.card.name} does not say how fold {fold} is built ({error}). {_AGAIN}"
        ) from error
    if not isinstance(structure, dict):
        raise WeightsError(f"The model.json of {networks.card.name} does not say how fold {fold} is built. {_AGAIN}")
    return structure


def unet_of(networks: OpenedNetworks, weights: Mapping[str, NDArray]) -> torch.nn.Module:
    """A network of ours with its weights.

    Raises:
        WeightsError: they do not belong to its design.
    """
    card = networks.card
    design = card.extra.get("design")
    if not isinstance(design, Mapping):
        raise WeightsError(f"The model.json of {card.name} has no design. {_AGAIN}")
    try:
        network = build_network(design)
        network.load_state_dict({name: torch.from_numpy(array).float() for name, array in weights.items()})
    except (InputError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise WeightsError(f"The weights of {card.name} do not fit its design: {reason} {_AGAIN}") from error
    return network.eval()


def _check_input(name: str, graph: Graph, shape: tuple[int, ...]) -> None:
    wanted = graph.inputs[0].shape
    if len(wanted) != len(shape) or any(size not in (None, n) for size, n in zip(wanted, shape, strict=True)):
        raise WeightsError(
            f"The network {name} takes an input of shape {wanted}, and {shape} is what it is given here. Take another "
            "network."
        )
