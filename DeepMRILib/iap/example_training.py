"""Small inputs on which networks for acquisition parameters are trained and scored in a moment: for tests, the docs."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from DeepMRILib.iap.options_network import SimulateOptions, TrainOptions

SMALL = SimulateOptions(subjects=8, series=2, slices=2, size=32, form="bids", seed=4)
QUICK = TrainOptions(name="example", epochs=1, size=32, channels=(4, 8, 8, 8), device="cpu")


def train_inputs() -> dict[str, Any]:
    """A folder with sixteen simulated series of eight subjects, as NIfTI images with sidecars."""
    return {"folder": _series()}


def evaluate_inputs() -> dict[str, Any]:
    """Such a folder, and a network that was trained on it for a moment: it has learned next to nothing."""
    return {"model": _model(), "folder": _series()}


def complete_inputs() -> dict[str, Any]:
    """The same two, in another order."""
    return {"folder": _series(), "model": _model()}


def _series() -> Path:
    return Path(_simulated().name) / "data" / "series"


def _model() -> Path:
    return Path(_trained().name) / "example"


@functools.cache
def _simulated() -> tempfile.TemporaryDirectory:
    from DeepMRILib.iap.simulating import simulation

    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    simulation(SMALL).save(Path(folder.name) / "data")
    return folder


@functools.cache
def _trained() -> tempfile.TemporaryDirectory:
    from DeepMRILib.iap.training import train

    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    train(_series(), QUICK).save(Path(folder.name) / "example")
    return folder
