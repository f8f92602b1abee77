"""The published breast-MRI network as a model: its weights checked, its preprocessing and what must be said of it.

Konz and Mazurowski, Reverse Engineering Breast MRIs: Predicting Acquisition Parameters Directly from Images, MIDL 2023
(PMLR 227). No weights come with DeepMRI: users point at the checkpoint that they have downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError, WeightsError, require
from DeepMRILib.iap.calibration import Calibration
from DeepMRILib.iap.layout import Layout

if TYPE_CHECKING:
    import torch

KIND = "iap-duke"
CITATION = "Konz and Mazurowski, MIDL 2023 (PMLR 227:829-845)"
SOURCE = f"github.com/mazurowski-lab/MRI-parameter-prediction; {CITATION}"
LICENCE = "Apache-2.0, as their repository says; their training data are under CC BY-NC 4.0"
TRAINING_DATA = (
    "Duke-Breast-Cancer-MRI: 14,000 axial slices of 917 women lying prone, 3D gradient echo with fat saturation before "
    "contrast agent, scanners of GE and Siemens of one hospital"
)
NOTES = (
    "The published network knows breast MRI of one hospital alone: axial, prone, 3D gradient echo with fat saturation, "
    "GE and Siemens. Of other images its answers mean nothing.",
    "It was trained without flips: how the image lies is one of its cues, and it knows DICOM pixels as stored.",
)
OTHER_LABELS = "What its outputs stand for was given by the user, not published with it."
BATCH = 16
"""Slices at once: about 100 MB."""
_COUNTER = "num_batches_tracked"
_PREFIX = "module."
_WAY_OUT = (
    "Give the checkpoint of github.com/mazurowski-lab/MRI-parameter-prediction, or a network that you trained with "
    "deepmri iap train."
)


class PublishedModel:
    """The published network at work: see ``model.Model`` for what it offers.

    Args:
        weights: by name, as ``checked_weights`` gives them.
        layout: what its outputs stand for.
        name: for people.
        weights_sha256: of its file.
        notes: what else is to be said of it.
        device: where it computes.

    Raises:
        DependencyError: PyTorch is not installed.
    """

    calibration: Calibration | None = None
    training_data = TRAINING_DATA

    def __init__(
        self,
        weights: Mapping[str, torch.Tensor],
        layout: Layout,
        *,
        name: str,
        weights_sha256: str,
        notes: Sequence[str] = (),
        device: devices.Device = "auto",
    ) -> None:
        require("torch", "Telling parameters from images")
        from DeepMRILib.iap.network_published import built

        self.name, self.layout, self.weights_sha256 = name, layout, weights_sha256
        self.notes = (*NOTES, *notes)
        self.device = devices.resolve(device)
        self._network = built(weights, self.device)

    def logits(self, slices: Sequence[NDArray]) -> NDArray:
        """(n, outputs) float32."""
        return self.logits_and_features(slices)[0]

    def features(self, slices: Sequence[NDArray]) -> NDArray:
        """(n, 512) float32: the mean of each feature of the last stage."""
        return self.logits_and_features(slices)[1]

    def logits_and_features(self, slices: Sequence[NDArray]) -> tuple[NDArray, NDArray]:
        """Both at once.

        Raises:
            InputError: no slices, or one that is not 2D.
            DeviceMemoryError: the device's memory does not suffice.
        """
        from DeepMRILib.iap.network_published import as_images

        if not len(slices):
            raise InputError("There are no slices to look at. Give at least one image.")
        logits, features = [], []
        with devices.out_of_memory_as_error(self.device, f"Looking at {BATCH} slices at once", "Compute on the cpu."):
            for start in range(0, len(slices), BATCH):
                outputs, seen = self._network(as_images(slices[start : start + BATCH]))
                logits.append(outputs.cpu().numpy())
                features.append(seen.cpu().numpy())
        return np.concatenate(logits), np.concatenate(features)


def outputs_of(weights: Mapping[str, torch.Tensor], file: str) -> int:
    """How many numbers a checkpoint's network puts out: the rows of its last layer.

    Raises:
        WeightsError: it has no such layer.
    """
    last = without_prefix(weights).get("fc.weight")
    if last is None or last.ndim != 2:
        raise WeightsError(f"{file} is no checkpoint of the published network: it has no last layer fc. {_WAY_OUT}")
    return int(last.shape[0])


def checked_weights(weights: Mapping[str, torch.Tensor], file: str) -> dict[str, torch.Tensor]:
    """A checkpoint's weights by their plain names, float32, in any order, proven to be of the published network.

    Args:
        weights: by name, with or without the prefix of DataParallel.
        file: for sentences.

    Raises:
        WeightsError: another network, or numbers that cannot be.
    """
    from DeepMRILib.iap.network_published import shapes

    found, wanted = without_prefix(weights), shapes(outputs_of(weights, file))
    lacking = [name for name in wanted if name not in found]
    more = [name for name in found if name not in wanted and not name.endswith(_COUNTER)]
    if lacking or more:
        fault = f"lacks {lacking[0]}" if lacking else f"also has {more[0]}"
        raise WeightsError(f"{file} is no checkpoint of the published network, a ResNet-18: it {fault}. {_WAY_OUT}")
    for name, shape in wanted.items():
        _check_array(name, found[name], shape, file)
    return {name: found[name].float() for name in wanted}


def without_prefix(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights without what DataParallel puts before their names.

    Example:
        >>> without_prefix({"module.fc.bias": 1, "fc.weight": 2})
        {'fc.bias': 1, 'fc.weight': 2}
    """
    return dict(_plain_names(weights))


def _plain_names(weights: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in weights.items():
        while name.startswith(_PREFIX):
            name = name[len(_PREFIX) :]  # noqa: PLW2901 - also of networks that were wrapped twice
        yield name, value


def _check_array(name: str, array: torch.Tensor, shape: tuple[int, ...], file: str) -> None:
    if tuple(array.shape) != shape:
        raise WeightsError(
            f"{file} is no checkpoint of the published network, a ResNet-18 for slices of one channel: its {name} has "
            f"the shape {tuple(array.shape)}; expected {shape}. {_WAY_OUT}"
        )
    if not array.is_floating_point() or not _is_finite(array):
        raise WeightsError(f"{file} is damaged: its {name} holds values that are no finite numbers. Get it again.")
    if name.endswith("running_var") and bool((array < 0).any()):
        raise WeightsError(f"{file} is damaged: its {name} holds negative variances. Get it again.")


def _is_finite(array: torch.Tensor) -> bool:
    """Whether all numbers are: a sum shows it at once, unless it is too large itself."""
    return bool(array.sum().isfinite()) or bool(array.isfinite().all())
