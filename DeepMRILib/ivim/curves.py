"""Decay curves of regions as reports and Slicer's plots draw them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.plots import Curve
from DeepMRILib.tables import Table


def region_curves(result: IVIMResult) -> list[Curve]:
    """Measured and fitted decay of each region, relative to its fitted S0."""
    curves = []
    for name in dict.fromkeys(result.decay.columns["region"]):
        points, line = _rows(result.decay, name), _rows(result.decay_fit, name)
        start = line["signal"][0]  # the curve begins at b = 0
        curves.append(
            Curve(name, points["b"], points["signal"] / start, points["sd"] / start, line["b"], line["signal"] / start)
        )
    return curves


def _rows(table: Table, region: str) -> dict[str, NDArray]:
    chosen = np.array(table.columns["region"]) == region
    return {name: np.array(values)[chosen] for name, values in table.columns.items()}
