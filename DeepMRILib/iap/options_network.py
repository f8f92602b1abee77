"""Settings of IAPPredict that need PyTorch: training and scoring networks; and of the simulator that feeds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib.device import Device
from DeepMRILib.iap.options import LEVEL, SEQUENCE
from DeepMRILib.options import option


@dataclass(frozen=True)
class SimulateOptions:
    """Which slices are simulated."""

    subjects: int = option(40, "Number of simulated subjects", range=(1, 100_000))
    series: int = option(6, "Series of each subject, each with parameters of its own", range=(1, 1000))
    slices: int = option(4, "Slices of each series", range=(1, 1000))
    families: tuple[Literal["SE", "GRE", "IR"], ...] = option(
        ("SE", "GRE", "IR"), "Sequences: spin echo, spoiled gradient echo, inversion recovery"
    )
    size: int = option(96, "Rows and columns of the slices", unit="px", range=(32, 512))
    correlated: bool = option(
        False, "Parameters go with the vendor, as in one hospital: shows what networks then learn instead"
    )
    held_out: bool = option(
        False,
        "Only combinations of field strength, TR and a third parameter (flip angle, TE or TI) that are else left out",
    )
    variation: float = option(
        0.02, "How much T1, T2 and T2* vary between subjects, as a fraction; proton density less", range=(0, 0.5)
    )
    headers: Literal["full", "gaps", "wrong"] = option(
        "full", "Whether the written headers say all, lack some entries, or some are wrong"
    )
    form: Literal["dicom", "bids"] = option("dicom", "What is written: DICOM files, or NIfTI with BIDS sidecars")
    seed: int = option(0, "Seed of all random numbers", range=(0, 2**31 - 1))


@dataclass(frozen=True)
class TrainOptions:
    """How a network is trained on one's own series."""

    name: str = option("iap_network", "Name of the network in lists of models")
    parameters: str = option(
        "", "JSON file that lists the parameters to tell, and of which kind; empty takes all that vary in the data"
    )
    size: int = option(96, "Rows and columns that slices are resized to", unit="px", range=(32, 512))
    channels: tuple[int, ...] = option(
        (16, 32, 64, 128), "Features of the network's four stages", range=(4, 1024), advanced=True
    )
    epochs: int = option(20, "The most epochs to train", range=(1, 100_000))
    batch: int = option(32, "Slices per step", range=(1, 4096), advanced=True)
    learning_rate: float = option(2e-3, "Step size of AdamW", range=(1e-8, 1), advanced=True)
    slices: int = option(8, "Slices of each series that are learned from; 0 takes all", range=(0, 100_000))
    mirror: bool = option(
        False, "Also show mirrored slices: orientation is a cue for position and vendor, and is lost by it"
    )
    shift: float = option(0.05, "Largest random shift, as a fraction of the image", range=(0, 0.5), advanced=True)
    gain: float = option(0.1, "Largest random change of brightness", range=(0, 1), advanced=True)
    held_out: float = option(0.15, "Fraction of the patients that decides which epoch was best", range=(0.02, 0.5))
    calibration: float = option(
        0.2, "Fraction of the patients on which probabilities and intervals are calibrated", range=(0.02, 0.5)
    )
    seed: int = option(0, "Seed of all random numbers", range=(0, 2**31 - 1))
    device: Device = option("auto", "Where to compute", advanced=True)
    checkpoint: str = option(
        "", "File from which a stopped training goes on; empty keeps none", advanced=True, label="Checkpoint file"
    )


@dataclass(frozen=True)
class EvaluateOptions:
    """How a network is scored."""

    level: float = option(0.9, LEVEL, range=(0.5, 0.99))
    slices: int = option(8, "Slices of each series that are looked at; 0 takes all", range=(0, 100_000))
    sequence: Literal["image", "header"] = option(
        "image",
        SEQUENCE,
    )
    batch: int = option(16, "Slices that the network sees at once", range=(1, 1024), advanced=True)
    device: Device = option("auto", "Where to compute", advanced=True)
