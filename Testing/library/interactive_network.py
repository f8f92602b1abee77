"""What the tests of segmentation networks share: small plans, models without training, one that has learned."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from DeepMRILib import network_threads
from DeepMRILib.device import seed_everything
from DeepMRILib.interactive.example_pipeline import example_dataset
from DeepMRILib.interactive.network import build
from DeepMRILib.interactive.network_forward import weights_of
from DeepMRILib.interactive.network_plan import NetworkPlan, Normalisation
from DeepMRILib.interactive.options_training import TrainOptions
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.interactive.training import train
from DeepMRILib.interactive.weight_shapes import fold_key
from DeepMRILib.results import Provenance

QUICK = {"epochs": 1, "folds": 2, "augment": False, "accumulate": 2, "device": "cpu", "baselines": False}
LEARNING = {"epochs": 12, "folds": 1, "augment": False, "accumulate": 1, "momentum": 0.9, "learning_rate": 0.1}

PLAN = NetworkPlan(
    channels=("MR",),
    labels=("lesion",),
    spacing=(1.0, 1.0, 1.0),
    normalisation=(Normalisation(),),
    kernels=((3, 3, 3),) * 3,
    strides=((1, 1, 1), (2, 2, 2), (2, 2, 2)),
    filters=(2, 3, 4),
    heads=0,
    divisible_by=(4, 4, 4),
    least_margin=(4, 4, 4),
)


def a_plan(images: int = 1, labels: int = 1, **changes: object) -> NetworkPlan:
    """A plan of the smallest network for so many images and labels."""
    names = tuple(f"label {n}" for n in range(1, labels + 1)) if labels > 1 else ("lesion",)
    channels = tuple(f"MR {n}" for n in range(1, images + 1))
    return replace(PLAN, channels=channels, labels=names, normalisation=(Normalisation(),) * images, **changes)


def a_model(plan: NetworkPlan = PLAN, folds: int = 2, **changes: object) -> TrainedModel:
    """A model that has learned nothing; its weights follow from the number of each fold."""
    weights = {}
    for fold in range(folds):
        seed_everything(fold)
        weights |= {fold_key(fold, name): value for name, value in weights_of(build(plan)).items()}
    made = Provenance("interactive.train", "no training", {"workspace": "/home/somebody", "mlflow": "elsewhere"})
    return TrainedModel(made, "untrained", plan, weights, tuple(range(folds)), **changes)


def a_training(**changes: Any) -> TrainedModel:
    """A training of a moment on the example's five cases."""
    progress, plan = changes.pop("progress", None), changes.pop("plan", None)
    return train(example_dataset(), TrainOptions(**{**QUICK, **changes}), plan=plan, progress=progress)


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    """Two folds of three epochs, with augmentation."""
    torch.set_num_threads(1)
    return a_training(epochs=3, augment=True, baselines=True, name="net-1")


@pytest.fixture(scope="session")
def learned() -> Iterator[Path]:
    """The folder of a model that has learned the example's lesions."""
    with network_threads.one_thread(), tempfile.TemporaryDirectory() as folder:
        model = train(example_dataset(), TrainOptions(**{**QUICK, **LEARNING}, name="learned"))
        yield model.save(Path(folder) / "learned")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bits are compared, and a small network is slower on several threads."""
    with network_threads.one_thread():
        yield


def same_weights(one: TrainedModel, other: TrainedModel) -> bool:
    """Whether two models are the same, bit by bit."""
    return one.weights.keys() == other.weights.keys() and all(
        np.array_equal(one.weights[name], other.weights[name]) for name in one.weights
    )
