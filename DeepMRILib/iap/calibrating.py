"""All of a network's calibration from series that it was not trained on: temperatures, scores, what is outside."""

from __future__ import annotations

from collections.abc import Mapping

from numpy.typing import NDArray

from DeepMRILib.iap import outside
from DeepMRILib.iap.calibration import Calibration
from DeepMRILib.iap.conformal import calibrated
from DeepMRILib.iap.heads import targets
from DeepMRILib.iap.layout import Layout
from DeepMRILib.iap.sliceset import SliceSet


def calibration_of(
    layout: Layout, data: SliceSet, logits: NDArray, features: NDArray, statistics: Mapping[str, NDArray]
) -> Calibration:
    """The calibration, without the arrays of ``outside.reference``.

    Args:
        layout: what the outputs stand for.
        data: n slices with known parameters.
        logits: (n, outputs) of them.
        features: (n, f) of them.
        statistics: of the training slices' features, of ``outside.reference``.
    """
    far = outside.distances(features, statistics)
    names = list(dict.fromkeys(data.series.tolist()))
    limit = outside.limit_of([outside.series_distance(far[data.series == name]) for name in names])
    wanted = targets(layout, data.values, len(data), learning=False)
    heads = calibrated(layout, logits, data.series, wanted)
    return Calibration(heads, {"limit": round(limit, 6)}, len(names))
