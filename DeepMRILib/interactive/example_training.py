"""Small inputs on which training, testing, predicting and importing run in a moment: for tests and the docs."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from typing import Any

from DeepMRILib.interactive.example_pipeline import example_dataset

TRAIN_QUICK = (("epochs", 1), ("folds", 2), ("accumulate", 2), ("device", "cpu"))
"""Settings with which the example trains in about a second."""
_UPSTREAM_PLANS = {
    "Fingerprint": {
        "In mask": True, "Anisotropic": False, "CT": False, "Clipping": [], "Intensity_mean": 0, "Intensity_std": 0,
        "Resampling": "Median", "Target spacing": [1.0, 1.0, 1.0],
    },
    "Plans": {
        "kernels": [[3, 3, 3]] * 4, "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]], "deep supervision": 1,
        "deep supervision weights": [0.667, 0.333], "padding": 0.1, "divisible by": [8, 8, 8], "number of folds": 2,
    },
}  # fmt: skip


def train_inputs() -> dict[str, Any]:
    """A dataset of five cases to train on, and one for the test."""
    return {"dataset": example_dataset()}


def model_inputs() -> dict[str, Any]:
    """A network that was trained for a moment, in a folder that goes with the process; and the dataset."""
    return {"model": Path(_model_folder().name) / "example", "dataset": example_dataset()}


def import_inputs() -> dict[str, Any]:
    """Untrained networks as InteractiveNet's are: ``_model.`` before the names of their weights; and plans.json."""
    return {"folder": Path(_upstream_folder().name)}


@functools.cache
def _model_folder() -> tempfile.TemporaryDirectory:
    from DeepMRILib.interactive.options_training import TrainOptions
    from DeepMRILib.interactive.training import train

    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    options = TrainOptions(**dict(TRAIN_QUICK), name="example")
    train(example_dataset(), options).save(Path(folder.name) / "example")
    return folder


@functools.cache
def _upstream_folder() -> tempfile.TemporaryDirectory:
    import torch

    from DeepMRILib.device import seed_everything
    from DeepMRILib.interactive.network import build
    from DeepMRILib.interactive.planning_upstream import plan_from_upstream

    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    place = Path(folder.name)
    (place / "plans.json").write_text(json.dumps(_UPSTREAM_PLANS), encoding="utf-8")
    (place / "postprocessing.json").write_text(json.dumps({"using_checkpoint": False, "postprocessing": False}))
    for fold in range(2):
        seed_everything(fold)
        state = build(plan_from_upstream(_UPSTREAM_PLANS)).state_dict()
        torch.save({f"_model.{name}": value for name, value in state.items()}, place / f"fold{fold}.pt")
    return folder
