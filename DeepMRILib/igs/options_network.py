"""Settings of KSpaceIGS that need PyTorch: training, finetuning, testing and applying networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib.device import Device
from DeepMRILib.igs.options import DataOptions, Part
from DeepMRILib.igs.pattern import Kind
from DeepMRILib.options import option

PART = "Which part of the cases is used: half is to train, a quarter to select patterns, a quarter to test"
KIND = "Which pattern: that of the search, the best block, the centre, or the one that won on the selection set"
TRUST = "Run a TorchScript file of another program: only one whose author you trust"


@dataclass(frozen=True)
class TrainOptions(DataOptions):
    """How a task network is trained."""

    part: Part = option("train", PART)
    name: str = option("kspace_network", "Name of the network in lists of models")
    network: Literal["auto", "unet", "attention_unet", "resnet"] = option(
        "auto", "Kind of network; auto takes a U-Net, and a ResNet for classes"
    )
    channels: tuple[int, ...] = option(
        (8, 16, 32, 64), "Features of the U-Net's levels, the finest first", range=(1, 1024), advanced=True
    )
    loss: Literal["auto", "dice", "dice_ce", "ce", "l1"] = option("auto", "Training loss; auto goes by the task")
    epochs: int = option(0, "Epochs to train; 0 takes as many as make about 800 steps, at least 10", range=(0, 100_000))
    batch: int = option(8, "Slices per step", range=(1, 4096), advanced=True)
    learning_rate: float = option(3e-3, "Step size of AdamW", range=(1e-8, 1), advanced=True)
    masks: Literal["random", "none"] = option(
        "random", "Show the network undersampled images as well, under random masks, or full ones only"
    )
    full: float = option(0.3, "Of random masks, the fraction of images left full", range=(0, 1), advanced=True)
    highest_acceleration: float = option(20.0, "Of random masks, the highest acceleration", range=(1, 1000))
    axis: int = option(-1, "Phase-encoded axis: -1 is across columns, -2 across rows", range=(-3, -1))
    second_axis: int = option(0, "A second phase-encoded axis, for points; 0 for none", range=(-3, 0), advanced=True)
    held_out: float = option(
        0.15, "Fraction of the cases that decides which epoch was best", range=(0.05, 0.9), advanced=True
    )
    device: Device = option("auto", "Where to compute", advanced=True)
    checkpoint: str = option(
        "", "File from which a stopped training goes on; empty keeps none", advanced=True, label="Checkpoint file"
    )


@dataclass(frozen=True)
class FinetuneOptions(DataOptions):
    """How a network is adapted to one pattern."""

    part: Part = option("train", PART)
    name: str = option("kspace_network_tuned", "Name of the network in lists of models")
    lines: int = option(0, "Lines that are acquired; 0 takes all of the pattern", range=(0, 1_000_000))
    kind: Kind = option("recommended", KIND)
    epochs: int = option(5, "Epochs to train", range=(1, 100_000))
    batch: int = option(16, "Slices per step", range=(1, 4096), advanced=True)
    learning_rate: float = option(1e-3, "Step size of AdamW", range=(1e-8, 1), advanced=True)
    held_out: float = option(
        0.15, "Fraction of the cases that decides which epoch was best", range=(0.05, 0.9), advanced=True
    )
    device: Device = option("auto", "Where to compute", advanced=True)
    trust: bool = option(False, TRUST)


@dataclass(frozen=True)
class TestOptions(DataOptions):
    """How patterns are compared."""

    part: Part = option("test", PART)
    lines: tuple[int, ...] = option(
        (),
        "Numbers of lines to compare at; empty takes all of the pattern, a half, a quarter and so on",
        range=(1, 10**6),
    )
    baselines: tuple[
        Literal["centre", "block", "equispaced", "random", "variable_density", "poisson", "probabilistic"], ...
    ] = option(
        ("centre", "block", "equispaced", "random", "variable_density"), "Patterns to compare with, of as many lines"
    )
    draws: int = option(5, "Draws of the random baselines, of which the mean counts", range=(1, 1000))
    finetune_epochs: int = option(
        0, "Epochs for which the network is first adapted to each pattern, on the training part; 0 leaves it frozen",
        range=(0, 10_000),
    )  # fmt: skip
    interval: float = option(0.95, "Level of the intervals", range=(0.5, 0.999), advanced=True)
    batch: int = option(16, "Slices that a network sees at once", range=(1, 4096), advanced=True)
    device: Device = option("auto", "Where to compute", advanced=True)
    trust: bool = option(False, TRUST)


@dataclass(frozen=True)
class ApplyOptions(DataOptions):
    """How a pattern is applied to an image."""

    lines: int = option(0, "Lines that are acquired; 0 takes all of the pattern", range=(0, 1_000_000))
    acceleration: float = option(
        0.0, "Acceleration instead of a number of lines, such as 8; 0 lets lines decide", range=(0, 10_000)
    )
    kind: Kind = option("recommended", KIND)
    batch: int = option(16, "Slices that a network sees at once", range=(1, 4096), advanced=True)
    device: Device = option("auto", "Where to compute", advanced=True)
    trust: bool = option(False, TRUST)
