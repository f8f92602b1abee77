"""The settings of an IVIM fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from DeepMRILib.options import option

BodyPart = Literal["abdomen", "brain", "liver", "pancreas", "kidney", "prostate", "breast", "muscle", "custom"]


def _bounds(name: str, unit: str, highest: float) -> Any:
    text = f"Lowest and highest {name}; empty takes those of the body part"
    label = f"{name.partition(' ')[0]} from, to"
    return option((), text, unit=unit, range=(0.0, highest), advanced=True, label=label)


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
        0.05, "Without a mask, voxels darker than this fraction of the bright ones (99th percentile) are left out",
        range=(0.0, 0.9), advanced=True,
    )  # fmt: skip
    b_max: float = option(
        0.0, "Leave out images above this b-value; 0 keeps all", unit="s/mm2", range=(0.0, 1e5), advanced=True,
        label="Highest b-value",
    )  # fmt: skip
    D_bounds: tuple[float, ...] = _bounds("D", "mm2/s", 0.1)
    f_bounds: tuple[float, ...] = _bounds("f", "", 1.0)
    D_star_bounds: tuple[float, ...] = _bounds("D*", "mm2/s", 10.0)
    S0_bounds: tuple[float, ...] = _bounds("S0 over the mean signal at the lowest b", "", 100.0)
