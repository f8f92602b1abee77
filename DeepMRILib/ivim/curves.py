"""Decay curves of regions and loss curves of networks, as reports and Slicer's plots draw them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.plots import Curve, LossCurve
from DeepMRILib.tables import Table


def region_curves(result: IVIMResult) -> list[Curve]:
    """Measured and fitted decay of each region, relative to its fitted S0."""
    points, lines = _by_region(result.decay), _by_region(result.decay_fit)
    curves = []
    for name, measured in points.items():
        line = lines[name]
        start = line["signal"][0]  # the curve begins at b = 0
        signal, spread = measured["signal"] / start, measured["sd"] / start
        curves.append(Curve(name, measured["b"], signal, spread, line["b"], line["signal"] / start))
    return curves


def _by_region(table: Table) -> dict[str, dict[str, NDArray]]:
    """The columns of each region; a region's rows stand together."""
    if not table.columns:
        return {}
    names = np.array(table.columns["region"])
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    columns = {key: np.array(values) for key, values in table.columns.items() if key != "region"}
    ends = [*starts[1:], len(names)]
    return {
        str(names[start]): {key: values[start:end] for key, values in columns.items()}
        for start, end in zip(starts, ends, strict=True)
    }


def loss_curves(history: Table) -> list[LossCurve]:
    """How a training went, the mean of its members: from ``TrainedModel.history`` or ``IVIMResult.training``."""
    epochs, training, validation = (
        np.array(history.columns[name], dtype=float) for name in ("epoch", "loss", "validation_loss")
    )
    return [LossCurve("network", epochs, training, validation)]
