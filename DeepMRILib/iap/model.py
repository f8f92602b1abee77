"""A network that tells acquisition parameters, whatever it was made by: what the rest of the package asks of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from DeepMRILib.iap.calibration import Calibration
from DeepMRILib.iap.layout import Layout


class Model(Protocol):
    """A network with its preprocessing.

    Attributes:
        name: for people.
        layout: what its outputs stand for.
        calibration: None of networks that bring none, such as the published one; then probabilities are as the network
            gives them, and there are no sets and intervals.
        weights_sha256: of its file.
        notes: what a reader of its answers must know, one sentence each.
        training_data: in words.
    """

    name: str
    layout: Layout
    calibration: Calibration | None
    weights_sha256: str
    notes: tuple[str, ...]
    training_data: str

    def logits(self, slices: Sequence[NDArray]) -> NDArray:
        """(n, outputs) float32, of n arrays (rows, columns) of raw pixels, prepared as in the training."""

    def features(self, slices: Sequence[NDArray]) -> NDArray:
        """(n, f) float32: what the last layer looks at."""


def load_model(place: Path | str | Any, *, labels: Path | str | None = None, device: str = "auto") -> Model:
    """Open a network.

    Args:
        place: a model's folder or name; or the published checkpoint, an ordinary file of PyTorch under any name.
        labels: of a checkpoint whose outputs are neither 96 nor 47, the JSON file that says what they stand for.
        device: where it computes.

    Raises:
        WeightsError: no such model, damaged, a pickle of more than weights, or of another layout without labels.
        InputError: labels that do not fit.
        DependencyError: PyTorch is not installed.
    """
    from DeepMRILib.iap.model_opening import open_model_or_checkpoint

    return open_model_or_checkpoint(place, labels=labels, device=device)
