"""What was measured in a voxel or a region, beside the curves of the fits to it: for a plot that follows a point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.quantities import QUANTITIES, scale_of
from DeepMRILib.ivim.regions import CURVE_POINTS, mean_curve
from DeepMRILib.plots import Curve

MEASURED = "measured"


@dataclass(frozen=True)
class FitHere:
    """One fit in the voxels looked at.

    Attributes:
        model: as in ``FitOptions.model``.
        values: each parameter; of several voxels their mean.
        spreads: the standard deviation that the fit gives for a voxel, or that of the values of several voxels; what is
            not known is left out.
        curve: (m,) the fitted signal at ``Inspection.dense``; of several voxels their mean.
    """

    model: str
    values: dict[str, float]
    spreads: dict[str, float]
    curve: NDArray

    @property
    def text(self) -> str:
        """The values for people, rates in 10⁻³ mm²/s; S0 is seen where the curve begins.

        Example:
            >>> FitHere("adc", {"ADC": 0.0011, "S0": 812.0}, {"ADC": 0.000038}, np.zeros(2)).text
            'ADC 1.100 ± 0.038'
        """
        return ", ".join(self._one(name) for name in MODELS[self.model].parameters if name != "S0")

    def _one(self, name: str) -> str:
        scale = scale_of(name)
        value, spread = self.values[name] * scale, self.spreads.get(name, 0.0) * scale
        if not spread > 0:
            return f"{QUANTITIES[name].label} {value:.3g}"
        decimals = max(0, 1 - math.floor(math.log10(spread)))
        return f"{QUANTITIES[name].label} {value:.{decimals}f} ± {spread:.{decimals}f}"


@dataclass(frozen=True)
class Inspection:
    """Signals and fits in the voxels looked at.

    Attributes:
        b_values: (n,) in s/mm2, ascending.
        signal: (n,) as measured; of several voxels their mean.
        dense: (m,) b-values of the curves, from 0 on.
        fits: by the names that legends show; only those that were fitted here.
        voxels: how many were looked at.
    """

    b_values: NDArray
    signal: NDArray
    dense: NDArray
    fits: dict[str, FitHere]
    voxels: int

    @property
    def curves(self) -> list[Curve]:
        """The measured points, and one line for each fit."""
        lines = [Curve(name, [], [], line_x=self.dense, line_y=fit.curve) for name, fit in self.fits.items()]
        return [Curve(MEASURED, self.b_values, self.signal), *lines]


def inspect_voxels(
    signals: NDArray, b_values: NDArray, fits: Mapping[str, tuple[str, Mapping[str, NDArray]]]
) -> Inspection:
    """The measured signal of some voxels, and the curves of all fits to them.

    Args:
        signals: (voxels, n) in the image's units.
        b_values: (n,) in s/mm2, in any order.
        fits: name to model and maps: of each map its values (voxels,). The model's parameters must be there, their
            "<name>_sd" may. A fit whose S0 is 0 in all voxels was not made here and is left out.

    Example:
        >>> maps = {"ADC": np.array([0.001]), "S0": np.array([100.0])}
        >>> seen = inspect_voxels(np.array([[100.0, 36.8]]), np.array([0, 1000]), {"lsq": ("adc", maps)})
        >>> seen.fits["lsq"].curve[[0, -1]].round(1)
        array([100. ,  36.8])
    """
    order = np.argsort(b_values, kind="stable")
    dense = np.linspace(0, float(np.max(b_values)), CURVE_POINTS)
    found = {name: _fit_here(model, maps, dense) for name, (model, maps) in fits.items() if np.any(maps["S0"])}
    signal = np.asarray(signals, dtype=float).mean(axis=0)[order]
    return Inspection(np.asarray(b_values, dtype=float)[order], signal, dense, found, len(signals))


def _fit_here(model: str, maps: Mapping[str, NDArray], dense: NDArray) -> FitHere:
    fitted = np.asarray(maps["S0"]) != 0
    names = MODELS[model].parameters
    values = {name: np.asarray(maps[name], dtype=float)[fitted] for name in names}
    if fitted.sum() > 1:
        spreads = {name: float(values[name].std()) for name in names}
    else:
        spreads = {name: float(maps[f"{name}_sd"][fitted][0]) for name in names if f"{name}_sd" in maps}
    means = {name: float(values[name].mean()) for name in names}
    return FitHere(model, means, spreads, mean_curve(MODELS[model], values, dense))
