"""The settings of an IVIM fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib.options import option

BodyPart = Literal["abdomen", "brain", "liver", "pancreas", "kidney", "prostate", "breast", "muscle", "custom"]


@dataclass(frozen=True)
class FitOptions:
    """How an IVIM model is fitted to a diffusion series."""

    method: Literal["lsq"] = option("lsq", "How the curve is fitted; lsq is bounded least squares in each voxel")
    model: Literal["biexp"] = option("biexp", "Signal equation; biexp is S0 (f exp(-b D*) + (1 - f) exp(-b D))")
    body_part: BodyPart = option("abdomen", "Bounds of the parameters, as usual for this part of the body")
    average: Literal["none", "arithmetic", "geometric"] = option(
        "none", "Images of one b-value (repeats, directions) are kept apart, or averaged before the fit"
    )
    fit_s0: bool = option(
        True, "Fit the signal without diffusion weighting too; otherwise it is the mean at the lowest b", label="Fit S0"
    )
    background: float = option(
        0.05, "Voxels darker than this fraction of the bright ones (99th percentile, mean up to b = 100) are left out",
        range=(0.0, 0.9), advanced=True,
    )  # fmt: skip
    b_max: float = option(
        0.0, "Leave out images above this b-value; 0 keeps all", unit="s/mm2", range=(0.0, 1e5), advanced=True,
        label="Highest b-value",
    )  # fmt: skip
    D_bounds: tuple[float, float] = option(
        (0.0, 0.005),
        "Lowest and highest D, for the body part custom",
        unit="mm2/s",
        range=(0.0, 0.1),
        advanced=True,
        label="D from, to",
    )
    f_bounds: tuple[float, float] = option(
        (0.0, 0.7),
        "Lowest and highest f, for the body part custom",
        range=(0.0, 1.0),
        advanced=True,
        label="f from, to",
    )
    D_star_bounds: tuple[float, float] = option(
        (0.005, 0.2),
        "Lowest and highest D*, for the body part custom",
        unit="mm2/s",
        range=(0.0, 10.0),
        advanced=True,
        label="D* from, to",
    )
    S0_bounds: tuple[float, float] = option(
        (0.5, 2.5), "Lowest and highest S0 over the mean signal at the lowest b, for the body part custom",
        range=(0.0, 100.0), advanced=True, label="S0 from, to",
    )  # fmt: skip
