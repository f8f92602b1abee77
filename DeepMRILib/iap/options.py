"""Settings of IAPPredict: telling parameters from images, and everything on headers alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib.device import Device
from DeepMRILib.options import option

SEQUENCE = "Whose sequence times are told for, where the network learned them apart: the one it sees, or the header's"
LEVEL = "Level of sets and intervals: this fraction of them holds the truth, on images like those of the training"


@dataclass(frozen=True)
class PredictOptions:
    """How the parameters of a series are told."""

    level: float = option(0.9, LEVEL, range=(0.5, 0.99))
    slices: int = option(24, "Slices that are looked at, spread over the middle; 0 takes all", range=(0, 100_000))
    slice_axis: Literal["i", "j", "k"] = option(
        "k", "Axis across which slices are stacked, of images that are not DICOM", advanced=True
    )
    abstain: float = option(
        0.0, "Say nothing about a word or class below this probability; 0 always answers", range=(0, 1), advanced=True
    )
    outside: Literal["warn", "refuse"] = option(
        "warn", "What is done with images unlike those of the training: say so, or give no predictions", advanced=True
    )
    sequence: Literal["image", "header"] = option(
        "image",
        SEQUENCE,
        advanced=True,
    )
    saliency: str = option(
        "", "Parameter for which the image is searched for what decides (occlusion); empty for none", advanced=True
    )
    batch: int = option(16, "Slices that the network sees at once", range=(1, 1024), advanced=True)
    device: Device = option("auto", "Where to compute", advanced=True)


@dataclass(frozen=True)
class AuditOptions:
    """How the headers of a folder are looked through."""

    group_by: tuple[str, ...] = option(
        ("manufacturer", "model", "field_strength", "sequence"), "Parameters that series of one protocol share"
    )
    rare: float = option(0.05, "Values in less than this fraction of a group are called odd", range=(0, 0.5))


@dataclass(frozen=True)
class CohortOptions(PredictOptions):
    """How a folder of series is looked at."""

    slices: int = option(8, "Slices of each series that are looked at; 0 takes all", range=(0, 100_000))


@dataclass(frozen=True)
class SortOptions(CohortOptions):
    """How a folder of series is sorted into domains."""

    by: tuple[str, ...] = option(("manufacturer",), "Parameters whose values make the domains")
    source: Literal["predicted", "header", "filled"] = option(
        "predicted", "Where the values come from: the image, the header, or the image where the header does not say"
    )
    files: Literal["list", "copy", "link"] = option(
        "list", "Whether files are only listed, or copied or linked into a folder for each domain"
    )


@dataclass(frozen=True)
class CompleteOptions(CohortOptions):
    """How sidecars are completed."""

    parameters: tuple[str, ...] = option((), "Parameters that may be filled in; empty takes all that the model tells")
    probability: float = option(0.9, "Words and classes are filled in only above this probability", range=(0, 1))


@dataclass(frozen=True)
class AnalyseOptions:
    """How a folder's parameters are described."""

    split: str = option("", "Column of the table that says which split (train, test) a series is of; empty for none")
    combination: tuple[str, ...] = option(
        (), "Parameters whose combinations are counted; empty takes those that vary", advanced=True
    )
