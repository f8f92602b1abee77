"""Whether images are of the kind that a network was trained on: their features' distance, and plain checks of pixels.

The distance is Mahalanobis' (Lee et al., NeurIPS 2018) of the features that the last layer looks at, from those of the
training slices. Its limit is passed by 5 % of the calibration series, which are of that kind: false alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.iap.model import Model
from DeepMRILib.tables import Table

FALSE_ALARMS = 0.05
SHRINKAGE = 0.01
"""Share of the unit matrix in the correlation: directions in which training slices hardly differ do not count alone."""
SMALLEST = 32
"""Images of fewer rows or columns are not looked at."""
FEW_VALUES = 8
"""Slices with fewer grey values are masks or drawings."""
State = Literal["good", "look", "bad"]


def reference(features: NDArray) -> dict[str, NDArray]:
    """What ``distances`` needs of the training slices' features (n, f): their middle and whitening matrix (f, f)."""
    features = np.asarray(features, float)
    middle, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 1e-6 * max(scale.max(), 1e-12), scale, 1.0)
    spread = (features - middle) / scale
    covariance = spread.T @ spread / max(len(features) - 1, 1)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(len(covariance))
    values, vectors = np.linalg.eigh(shrunk)
    whitening = vectors / np.sqrt(np.maximum(values, SHRINKAGE)) / scale[:, None]
    return {"middle": middle.astype(np.float32), "whitening": whitening.astype(np.float32)}


def distances(features: ArrayLike, statistics: Mapping[str, Any]) -> NDArray:
    """How far each slice's features (n, f) lie from the training's: about 1 for those of the training."""
    middle, whitening = np.asarray(statistics["middle"]), np.asarray(statistics["whitening"])
    spread = (np.asarray(features, float) - middle) @ whitening
    return np.sqrt(np.mean(spread**2, axis=1))


def limit_of(found: ArrayLike) -> float:
    """The limit that ``FALSE_ALARMS`` of these distances of series pass."""
    return float(np.quantile(np.asarray(found, float), 1 - FALSE_ALARMS))


def series_distance(found: ArrayLike) -> float:
    """One number for a series' slices: the median, which a few odd slices at the ends do not move."""
    return float(np.median(np.asarray(found, float)))


def outside(model: Model, slices: Sequence[NDArray], *, features: NDArray | None = None) -> Table:
    """Whether a series is unlike the training's, a row for each check: ``check``, ``value``, ``limit``, ``state``.

    Args:
        model: with a calibration; without one there are only the checks of pixels.
        slices: of the series.
        features: of the slices, where they are known already.
    """
    rows = [_gate(name, slices) for name in GATES]
    statistics = model.calibration.outside if model.calibration is not None else {}
    if statistics and all(_usable(one) for one in slices):
        features = model.features(slices) if features is None else features
        value, limit = series_distance(distances(features, statistics)), float(statistics["limit"])
        rows.append(_row("unlike the training's images", value, limit, "bad" if value > limit else "good"))
    return Table.from_rows(rows)


def is_outside(found: Table) -> bool:
    """Whether any check is bad."""
    return "bad" in found.columns.get("state", [])


def _row(check: str, value: float, limit: float, state: State) -> dict[str, Any]:
    return {"check": check, "value": round(value, 4), "limit": round(limit, 4), "state": state}


def _usable(image: NDArray) -> bool:
    return np.ndim(image) == 2 and min(np.shape(image)) > 0


def _empty(image: NDArray) -> bool:
    return not np.any(image)


def _constant(image: NDArray) -> bool:
    return bool(np.any(image)) and float(np.nanmin(image)) == float(np.nanmax(image))


def _tiny(image: NDArray) -> bool:
    return min(np.shape(image)[:2]) < SMALLEST


def _colour(image: NDArray) -> bool:
    return np.ndim(image) != 2


def _not_finite(image: NDArray) -> bool:
    return not bool(np.all(np.isfinite(image)))


def _few_values(image: NDArray) -> bool:
    flat = np.ravel(image)
    return 1 < len(np.unique(flat[:: max(1, flat.size // 4096)])) < FEW_VALUES


def _negative(image: NDArray) -> bool:
    return bool(np.any(np.asarray(image) < 0))


GATES: dict[str, tuple[Callable[[NDArray], bool], State]] = {
    "slices with nothing but zeros": (_empty, "bad"),
    "slices with one grey value only": (_constant, "bad"),
    f"slices with fewer than {SMALLEST} rows or columns": (_tiny, "bad"),
    "slices in colour": (_colour, "bad"),
    "slices with pixels that are no finite numbers": (_not_finite, "bad"),
    f"slices with fewer than {FEW_VALUES} grey values": (_few_values, "bad"),
    "slices with negative pixels": (_negative, "look"),
}
"""Checks of one slice, and how bad it is when half of a series' slices or more fail."""
MOST = 0.5


def _gate(name: str, slices: Sequence[NDArray]) -> dict[str, Any]:
    if not len(slices):
        raise InputError("There are no slices to look at. Give at least one image.")
    check, worst = GATES[name]
    share = float(np.mean([check(one) for one in slices]))
    return _row(name, share, MOST, worst if share >= MOST else "look" if share else "good")
