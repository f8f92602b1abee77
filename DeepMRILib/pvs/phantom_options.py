"""The settings of generated perivascular spaces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib.options import option

PhantomContrast = Literal["t1", "t2", "t1_flair"]


@dataclass(frozen=True)
class PhantomOptions:
    """How many tubes there are, what they are like, and how a generated head is scanned."""

    contrast: PhantomContrast = option("t1", "T1, T2, or T1 with a FLAIR on a grid of its own")
    tubes: int = option(150, "Number of tubes that stand for perivascular spaces", range=(1, 2000))
    seed: int = option(0, "Which head and which tubes: the same seed gives the same images", range=(0, 2**31 - 1))
    diameter: float = option(1.0, "Median of the tubes' diameters, which are spread log-normally", unit="mm",
                             range=(0.3, 4.0))  # fmt: skip
    diameter_spread: float = option(
        0.4, "Standard deviation of the diameters' logarithm", range=(0.0, 1.0), advanced=True
    )
    diameters: tuple[float, float] = option(
        (0.4, 3.0), "Smallest and largest diameter", unit="mm", range=(0.2, 6.0), advanced=True
    )
    lengths: tuple[float, float] = option(
        (2.0, 30.0), "Shortest and longest tube", unit="mm", range=(1.0, 60.0), advanced=True
    )
    basal_ganglia: float = option(
        0.25, "Fraction of the tubes that lie in the basal ganglia, where these are known", range=(0.0, 1.0),
        advanced=True,
    )  # fmt: skip
    truth: float = option(0.25, "A voxel is a tube's where tubes fill at least this fraction of it", range=(0.01, 1.0))
    snr: float = option(30.0, "Of a generated head: signal of white matter over the noise's standard deviation",
                        range=(1.0, 10000.0), label="SNR")  # fmt: skip
    bias: float = option(0.2, "Of a generated head: how much brighter or darker the coils' shading makes it",
                         range=(0.0, 0.9), advanced=True)  # fmt: skip
    motion: float = option(0.0, "Of a generated head: how far it moves while it is scanned", unit="mm",
                           range=(0.0, 10.0), advanced=True)  # fmt: skip
    blur: tuple[float, float, float] = option(
        (0.8, 0.9, 1.0), "Width at half height of the scanner's point spread in voxels, along i, j and k",
        range=(0.0, 5.0), advanced=True,
    )  # fmt: skip
    lacunes: int = option(0, "Number of lacunes: holes of 3 to 9 mm that are no perivascular spaces", range=(0, 50))
    wmh: int = option(
        0, "Number of white matter hyperintensities, which are no perivascular spaces", range=(0, 200), label="WMH"
    )
    spacing: tuple[float, float, float] = option(
        (1.0, 1.0, 1.0), "Of a generated head: voxel edges", unit="mm", range=(0.4, 10.0)
    )
    size: tuple[int, int, int] = option(
        (0, 0, 0), "Of a generated head: number of voxels along i, j and k; 0 takes the whole head", range=(0, 600),
        advanced=True,
    )  # fmt: skip
    oblique: bool = option(False, "Of a generated head: its axes lie askew in the scanner", advanced=True)
