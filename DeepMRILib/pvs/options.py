"""The settings of a segmentation of perivascular spaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib import device as devices
from DeepMRILib.options import option

EngineName = Literal["vesselness", "network"]
IntensityRule = Literal["shivai_1.3", "p99_to_1"]
FilterName = Literal["frangi", "jerman"]


@dataclass(frozen=True)
class SegmentOptions:
    """How perivascular spaces are found in one brain."""

    engine: EngineName = option("vesselness", "Filters for thin tubes, which need no training, or a trained network")
    threshold: float = option(0.5, "A voxel belongs to a space where its value is above this", range=(0.0, 1.0))
    min_size: float = option(
        5.0, "Leave out clusters smaller than this", unit="mm3", range=(0.0, 1000.0), label="Smallest size"
    )
    max_outside: float = option(
        0.25, "Leave out clusters of which more than this fraction lies outside the brain", range=(0.0, 1.0),
        advanced=True, label="Part outside the brain",
    )  # fmt: skip
    register_flair: bool = option(
        True,
        "Register the FLAIR to the T1; otherwise their positions in space are taken as they are",
        label="Register FLAIR",
    )
    intensity: Literal["model", "shivai_1.3", "p99_to_1"] = option(
        "model", "Brightness for a network: as it was trained, the 99th percentile of the brain at 1/1.3, or at 1",
        advanced=True, label="Brightness",
    )  # fmt: skip
    filter: FilterName = option("frangi", "How tubes are told from other shapes: Frangi or Jerman", label="Tube filter")
    scales: tuple[float, ...] = option(
        (0.6, 0.8, 1.0), "Standard deviations of the Gaussians; the radius of a tube is about 1.4 times as large",
        unit="mm", range=(0.3, 5.0), advanced=True, label="Filter widths",
    )  # fmt: skip
    low: float = option(
        0.5, "Spaces go on down to this fraction of the threshold from where they are above it", range=(0.0, 1.0),
        advanced=True, label="Hysteresis",
    )  # fmt: skip
    cortex_distance: float = option(
        1.0, "Vesselness looks for nothing closer to the cortex or the brain's surface than this", unit="mm",
        range=(0.0, 20.0), advanced=True, label="Distance to cortex",
    )  # fmt: skip
    ventricle_distance: float = option(
        2.0, "Vesselness looks for nothing closer to the ventricles than this", unit="mm",
        range=(0.0, 20.0), advanced=True, label="Distance to ventricles",
    )  # fmt: skip
    max_size: float = option(
        500.0, "Vesselness leaves out clusters larger than this", unit="mm3", range=(1.0, 1e5), advanced=True,
        label="Largest size",
    )  # fmt: skip
    max_width: float = option(
        4.0, "Vesselness leaves out clusters thicker than this", unit="mm", range=(1.0, 20.0), advanced=True,
        label="Largest width",
    )  # fmt: skip
    min_elongation: float = option(
        1.3, "Vesselness leaves out clusters of 10 voxels and more that are less long than this many times their width",
        range=(1.0, 10.0), advanced=True, label="Least elongation",
    )  # fmt: skip
    flips: bool = option(
        False, "A network that DeepMRI trained also looks at the mirrored image: twice as long, a little better",
        advanced=True, label="Mirrored image too",
    )  # fmt: skip
    half: bool = option(
        True, "On a GPU networks compute with 16 bits: half the memory", advanced=True, label="16 bits on a GPU"
    )
    device: devices.Device = option("auto", "Where a network computes", advanced=True)


@dataclass(frozen=True)
class RelabelOptions:
    """What can be changed in a segmentation without finding it anew."""

    threshold: float = option(0.5, "A voxel belongs to a space where its value is above this", range=(0.0, 1.0))
    min_size: float = option(
        5.0, "Leave out clusters smaller than this", unit="mm3", range=(0.0, 1000.0), label="Smallest size"
    )
    max_outside: float = option(
        0.25, "Leave out clusters of which more than this fraction lies outside the brain", range=(0.0, 1.0),
        label="Part outside the brain",
    )  # fmt: skip


@dataclass(frozen=True)
class ImportOptions:
    """What is said of a network of another program."""

    name: str = option("", "Name of the model; by default that of the published set, or of the file")
    accept_licence: bool = option(
        False, "You have read the licence of the weights and agree to it", label="I accept the licence"
    )
    licence: str = option("", "Licence of the weights, where the set is not a published one")
    source: str = option("", "Who made the network and where it comes from, where the set is not a published one")
    images: tuple[Literal["t1", "flair", "t2"], ...] = option(
        (), "Images that the network takes, in their order; by default those of the published set, or t1, or t1 flair"
    )
    intensity: Literal["known", "shivai_1.3", "p99_to_1"] = option(
        "known", "Brightness that the network expects; by default that of the published set, or shivai_1.3",
        label="Brightness",
    )  # fmt: skip
