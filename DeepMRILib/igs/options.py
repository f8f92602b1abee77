"""Settings of KSpaceIGS: how data are read, and how a pattern is searched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib.device import Device
from DeepMRILib.options import option

Loss = Literal["auto", "dice", "dice_ce", "ce", "l1", "ssim", "psnr"]
Part = Literal["train", "select", "test", "all"]


@dataclass(frozen=True)
class DataOptions:
    """How images become slices with k-space."""

    slice_axis: Literal["i", "j", "k", "volume"] = option(
        "k", "Axis of the image across which slices are stacked; volume keeps whole volumes, for 3D networks"
    )
    slices: int = option(
        0, "The most slices to take, spread evenly over all; 0 takes all", range=(0, 1_000_000), advanced=True
    )
    size: tuple[int, int] = option(
        (0, 0), "Rows and columns that slices are padded or cut to; 0 0 leaves them", range=(0, 4096), advanced=True
    )
    part: Part = option(
        "all", "Which part of the cases is used: half is to train, a quarter to select patterns, a quarter to test"
    )
    smooth_phase: float = option(
        0.0,
        "Largest smooth phase that is added to magnitude images, so that k-space has no mirror symmetry",
        unit="rad",
        range=(0, 100),
    )
    noise: float = option(
        0.0,
        "Standard deviation of noise added to k-space, as a fraction of the images' mean signal",
        range=(0, 10),
    )
    coils: Literal["rss", "sense"] = option(
        "rss", "How coils are combined: root of the sum of squares, or with their sensitivities", advanced=True
    )
    seed: int = option(0, "Seed of all random numbers", range=(0, 2**31 - 1))


@dataclass(frozen=True)
class PatternOptions:
    """How a sampling pattern is searched."""

    lines: int = option(16, "Lines (or points) to acquire in all, DC included", range=(1, 1_000_000))
    acceleration: float = option(
        0.0, "Acceleration instead of a number of lines, such as 8; 0 lets lines decide", range=(0, 10_000)
    )
    axis: int = option(-1, "Phase-encoded axis of the slices: -1 is across columns, -2 across rows", range=(-3, -1))
    second_axis: int = option(
        0, "A second phase-encoded axis, for points (ky-kz) instead of lines; 0 for none", range=(-3, 0), advanced=True
    )
    loss: Loss = option("dice", "What the lines are to serve; auto goes by the task")
    per_contrast: bool = option(False, "A pattern of its own for each contrast", advanced=True)
    lines_per_step: int = option(1, "Lines taken in each step of the search", range=(1, 10_000), advanced=True)
    rerank: int = option(
        0,
        "Candidates of each step whose true loss is computed, 3 being enough; 0 trusts the gradient",
        range=(0, 1000),
        advanced=True,
    )
    swaps: int = option(
        0, "Rounds in which lines are exchanged for better ones after the search", range=(0, 100), advanced=True
    )
    stop: bool = option(
        False, "Stop before all lines are taken when the loss of the slices held out no longer falls", advanced=True
    )
    held_out: float = option(
        0.25, "Fraction of the cases held out for stop", range=(0.05, 0.9), advanced=True
    )  # fmt: skip
    calibration: int = option(
        0, "Lines around DC that are always acquired (ACS)", range=(0, 4096), label="Calibration lines"
    )
    forced: tuple[int, ...] = option((), "Further lines that are always acquired, counted from 0", advanced=True)
    forbidden: tuple[int, ...] = option((), "Lines that are never acquired, counted from 0", advanced=True)
    partial_fourier: float = option(
        1.0, "Fraction of k-space that may be acquired, from one end: 0.625 is 5/8", range=(0.5, 1.0), advanced=True
    )
    mirror: bool = option(False, "Take lines in pairs, mirrored at DC", advanced=True)
    gap: int = option(
        0, "Fewest lines between two that are acquired, outside the calibration lines", range=(0, 1000), advanced=True
    )
    echo_train: int = option(
        1, "Lines in one echo train: their number is a multiple of it", range=(1, 1024), advanced=True
    )
    rivals: bool = option(
        True, "Also compare with the centre and the best shifted block, and say which wins", label="Compare rivals"
    )
    batch: int = option(16, "Slices that a network sees at once", range=(1, 4096), advanced=True)
    device: Device = option("auto", "Where to compute", advanced=True)


@dataclass(frozen=True)
class FindOptions(PatternOptions, DataOptions):
    """Settings of ``igs.find``: of the data and of the search."""

    loss: Loss = option("auto", "What the lines are to serve; auto goes by the task")
    part: Part = option(
        "select", "Which part of the cases is used: half is to train, a quarter to select patterns, a quarter to test"
    )
    trust: bool = option(False, "Run a TorchScript file of another program: only one whose author you trust")
