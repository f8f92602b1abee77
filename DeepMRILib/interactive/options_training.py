"""The settings of training, testing and applying segmentation networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib import device as devices
from DeepMRILib.options import option

ChosenPostprocessing = Literal["model", "none", "fill", "largest", "fill+largest"]
Resampling = Literal["probability", "weights", "label"]


@dataclass(frozen=True)
class TrainOptions:
    """How networks are trained on a dataset, one for each fold of a cross-validation."""

    name: str = option("", "Name of the model in lists; empty takes the dataset's name")
    epochs: int = option(500, "Epochs of each fold; in one, every case is seen once", range=(1, 1_000_000))
    folds: int = option(
        5, "Parts that take turns as the held-out one; 1 trains a single network on all cases, without scores",
        range=(1, 100),
    )  # fmt: skip
    only_folds: tuple[int, ...] = option(
        (), "Train these folds only, counted from 0; empty trains all", range=(0, 99), advanced=True
    )
    workspace: str = option(
        "", "Folder of prepared cases and checkpoints: with it a stopped training goes on when the same is started "
        "again; empty keeps none",
    )  # fmt: skip
    augment: bool = option(True, "Show the cases turned, enlarged, noisy, blurred, brighter and mirrored")
    accumulate: int = option(4, "Cases whose gradients make one step", range=(1, 1000), advanced=True)
    learning_rate: float = option(0.01, "Step size at the start; falls with epochs", range=(1e-8, 10.0), advanced=True)
    momentum: float = option(0.99, "Nesterov momentum", range=(0.0, 0.9999), advanced=True)
    weight_decay: float = option(3e-5, "Weight decay", range=(0.0, 1.0), advanced=True)
    mixed_precision: bool = option(
        True,
        "Numbers of 16 bits where the device is fast with them: CUDA, and processors with bfloat16",
        advanced=True,
    )
    save_memory: bool = option(
        False, "Compute parts of the network twice instead of keeping them: up to a third less memory, more time",
        advanced=True,
    )  # fmt: skip
    memory_limit: float = option(
        0.0, "Cases that would take more memory are looked at more coarsely; 0 refuses what does not fit",
        unit="GiB", range=(0.0, 10_000.0), advanced=True,
    )  # fmt: skip
    baselines: bool = option(True, "Score the geodesic engine and an ellipsoid on the same points", advanced=True)
    synthetic: bool = option(
        True, "Cases without points get synthetic ones, made from their label map with the seed", advanced=True
    )
    half_weights: bool = option(False, "Store the weights in 16 bits: half the file", advanced=True)
    mlflow: str = option(
        "", "Folder or address of an MLflow tracking store that the training is also logged to; empty logs to none",
        advanced=True,
    )  # fmt: skip
    threads: int = option(
        0, "Processor threads; 0 takes one for small cases, else PyTorch's number. On a busy computer one is faster",
        range=(0, 1024), advanced=True,
    )  # fmt: skip
    seed: int = option(0, "Seed of all random numbers", range=(0, 2**32 - 1))
    device: devices.Device = option("auto", "Where to compute")


@dataclass(frozen=True)
class TestOptions:
    """How a trained network is tested on cases whose truth is known."""

    __test__ = False  # no test of pytest's

    cases: Literal["test", "training"] = option("test", "The dataset's test cases, or those meant for training")
    flips: bool = option(True, "Mean of the image turned round in eight ways: eight times as slow, a little better")
    postprocessing: ChosenPostprocessing = option(
        "model", "Fill holes, keep the piece with the points, both or none; model takes what cross-validation chose"
    )
    resampling: Resampling = option(
        "probability", "What is interpolated onto the image: the probability, what the network gives before it "
        "(weights, as InteractiveNet does), or the finished label", advanced=True,
    )  # fmt: skip
    baselines: bool = option(True, "Score the geodesic engine and an ellipsoid on the same points")
    memory_limit: float = option(
        0.0, "Cases that would take more memory are looked at more coarsely; 0 refuses what does not fit",
        unit="GiB", range=(0.0, 10_000.0), advanced=True,
    )  # fmt: skip
    synthetic: bool = option(
        True, "Cases without points get synthetic ones, made from their label map with the seed", advanced=True
    )
    seed: int = option(0, "Seed of synthetic points", range=(0, 2**32 - 1), advanced=True)
    device: devices.Device = option("auto", "Where to compute")


@dataclass(frozen=True)
class PredictOptions:
    """How a trained network segments the cases of a dataset."""

    cases: Literal["test", "training", "all"] = option(
        "all", "The dataset's test cases, those meant for training, or both"
    )
    flips: bool = option(True, "Mean of the image turned round in eight ways: eight times as slow, a little better")
    postprocessing: ChosenPostprocessing = option(
        "model", "Fill holes, keep the piece with the points, both or none; model takes what cross-validation chose"
    )
    resampling: Resampling = option(
        "probability", "What is interpolated onto the image: the probability, what the network gives before it "
        "(weights, as InteractiveNet does), or the finished label", advanced=True,
    )  # fmt: skip
    memory_limit: float = option(
        0.0, "Cases that would take more memory are looked at more coarsely; 0 refuses what does not fit",
        unit="GiB", range=(0.0, 10_000.0), advanced=True,
    )  # fmt: skip
    device: devices.Device = option("auto", "Where to compute")


@dataclass(frozen=True)
class ImportOptions:
    """How networks of InteractiveNet become a model."""

    name: str = option("", "Name of the model in lists; empty takes the folder's name")
    channels: tuple[str, ...] = option((), "What the images are, e.g. MR or CT; empty takes it from plans.json")
    label: str = option("lesion", "What the network segments")
    licence: str = option("", "Licence of the weights, as their makers state it")
    source: str = option("", "Who made them, and where they come from")
