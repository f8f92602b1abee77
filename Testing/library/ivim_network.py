"""What the tests of IVIM networks share: small studies and trainings of a moment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from DeepMRILib.ivim import TrainedModel, TrainOptions, train
from DeepMRILib.ivim.example import B_VALUES, fit_inputs
from DeepMRILib.ivim.models import biexp
from DeepMRILib.volume import DiffusionVolume

BRIEF = {"preset": "optim", "members": 1, "epochs": 2, "device": "cpu"}


def a_series(seed: int = 0, b_values: Any = B_VALUES, shape: tuple[int, int, int] = (8, 8, 6)) -> DiffusionVolume:
    """Tissue with noise at SNR 40; a direction for each image, zero at b = 0."""
    random = np.random.default_rng(seed)
    b = np.array(b_values, dtype=float)
    D, f, D_star = (random.uniform(*span, shape) for span in ((0.0008, 0.0022), (0.05, 0.35), (0.02, 0.1)))
    signal = 800 * biexp(b, D, f, D_star) + random.normal(0, 20, (*shape, b.size))
    directions = random.normal(size=(b.size, 3))
    directions *= (b > 0)[:, None] / np.linalg.norm(directions, axis=1, keepdims=True)
    return DiffusionVolume(signal.astype(np.float32), fit_inputs()["volume"].affine, b, directions)


def a_network(volumes: Any = None, **changes: Any) -> TrainedModel:
    """A network that was trained for a moment."""
    masks, progress = changes.pop("masks", None), changes.pop("progress", None)
    options = TrainOptions(**{**BRIEF, **changes})
    return train([a_series(0), a_series(1)] if volumes is None else volumes, options, masks=masks, progress=progress)


def same_weights(one: TrainedModel, other: TrainedModel) -> bool:
    """Whether two networks are the same, bit by bit."""
    return one.weights.keys() == other.weights.keys() and all(
        np.array_equal(one.weights[name], other.weights[name]) for name in one.weights
    )


@pytest.fixture(autouse=True)
def few_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard deviations come from simulated voxels: their precision is not what is tested here."""
    monkeypatch.setattr("DeepMRILib.ivim.network_error.SIMULATED", 2000)
