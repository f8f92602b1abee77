"""The settings of a segmentation from points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib import device as devices
from DeepMRILib.options import option

EngineName = Literal["geodesic", "graphcut", "network"]


@dataclass(frozen=True)
class SegmentOptions:
    """How a lesion is segmented from the points inside its margin."""

    engine: EngineName = option(
        "geodesic", "Two-sided geodesic distances, a graph cut with a geodesic term, or a trained network"
    )
    depth: float = option(5.0, "How far inside the margin the points were placed", unit="mm", range=(0.0, 30.0))
    resolution: Literal["full", "preview"] = option(
        "full", "The image's own resolution, or a coarse one that is faster", advanced=True
    )
    margin: float = option(
        8.0, "Look at least this far around the points", unit="mm", range=(1.0, 100.0), advanced=True
    )
    margin_fraction: float = option(
        0.25, "Look this far around the points, as a fraction of their extent", range=(0.0, 2.0), advanced=True
    )
    edge_weight: float = option(
        0.9, "Weight of the image in geodesic distances; 0 is the way in mm alone, 1 the image alone",
        range=(0.0, 1.0), advanced=True, label="Image weight",
    )  # fmt: skip
    denoise: float = option(
        0.7, "Standard deviation of the Gaussian that the image is smoothed with", unit="mm", range=(0.0, 5.0),
        advanced=True,
    )  # fmt: skip
    smooth: float = option(
        1.0, "Standard deviation of the Gaussian that the margin is smoothed with", unit="mm", range=(0.0, 10.0),
        advanced=True,
    )  # fmt: skip
    fill_holes: bool = option(True, "Fill holes", advanced=True)
    flips: bool = option(
        False, "The network also looks at the image turned round, eight times as often: slower, a little better",
        advanced=True,
    )  # fmt: skip
    device: devices.Device = option("auto", "Where a network computes", advanced=True)
