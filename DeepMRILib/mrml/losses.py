"""The loss curve of a training as a chart."""

from __future__ import annotations

import numpy as np
import slicer

from DeepMRILib.mrml.plots import chartFromCurves
from DeepMRILib.plots import Curve
from DeepMRILib.tables import Table

LINES = {"loss": "training", "validation_loss": "validation"}
"""Column of the history to what the legend says."""


def chartFromLosses(
    history: Table, name: str, existing: slicer.vtkMRMLPlotChartNode | None = None
) -> slicer.vtkMRMLPlotChartNode:
    """A chart of the loss at each epoch, the mean of the networks that were trained side by side.

    Args:
        history: columns ``epoch``, ``loss`` and, where there was a validation, ``validation_loss``; one row for each
            epoch of each network.
        name: of a new chart, and its title.
        existing: a chart to update.

    Raises:
        InputError: the history is empty.
    """
    curves = []
    for column, legend in LINES.items():
        epochs, losses = _means(history, column)
        if epochs.size:
            curves.append(Curve(legend, [], [], line_x=epochs, line_y=losses))
    return chartFromCurves(curves, name, xTitle="Epoch", yTitle="Loss", existing=existing)


def _means(history: Table, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Each epoch (n,) once, and the mean of its finite losses (n,)."""
    if column not in history.columns:
        return np.zeros(0), np.zeros(0)
    epochs = np.asarray(history.columns["epoch"], dtype=float)
    losses = np.array([np.nan if value is None else value for value in history.columns[column]], dtype=float)
    epochs, losses = epochs[np.isfinite(losses)], losses[np.isfinite(losses)]
    distinct, place = np.unique(epochs, return_inverse=True)
    return distinct, np.bincount(place, losses) / np.bincount(place) if losses.size else losses
