"""How far estimates are from the truth, how much they depend on each other, how well they repeat.

Names as in the literature of IVIM networks (Kaandorp et al., Magn Reson Med 2021;86:2250-2265): nRMSE, Spearman's rho
between estimates, coefficient of variation over repeated trainings (CV_NET). nRMSE and bias are means, which a few
voxels far off decide; the median error says what happens in most voxels.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume, checked_labels

SCORES = ("median_error", "nrmse", "bias", "spearman", "coverage")
TOGETHER = "all"
Interval = tuple[float, float]


def score(
    found: Mapping[str, ArrayLike], truth: Mapping[str, ArrayLike], sd: Mapping[str, ArrayLike] | None = None
) -> list[dict[str, float | str]]:
    """One row of scores for each parameter that was found and is known.

    Args:
        found: parameter to estimates (n,); NaN where a fit failed, which is left out.
        truth: parameter to true values (n,), above 0.
        sd: parameter to standard deviations of the estimates (n,), for the coverage.

    Returns:
        Rows with ``parameter`` and

        - ``median_error``: median of |found - truth| / truth
        - ``nrmse``: sqrt(mean (found - truth)^2) / mean truth
        - ``bias``: mean (found - truth) / mean truth
        - ``spearman``: rank correlation of estimates and truth; NaN where one of them does not vary
        - ``coverage``: the part of voxels whose truth lies within found ± sd, 0.68 if the errors are normal and sd is
          right; NaN without ``sd``

    Raises:
        InputError: estimates and truth differ in number, or nothing was found that is known.

    Example:
        >>> (row,) = score({"f": [0.3, 0.3]}, {"f": [0.2, 0.2]}, {"f": [0.2, 0.05]})
        >>> {name: round(value, 3) for name, value in row.items() if name != "parameter"}
        {'median_error': 0.5, 'nrmse': 0.5, 'bias': 0.5, 'spearman': nan, 'coverage': 0.5}
    """
    names = [name for name in found if name in truth]
    if not names:
        raise InputError(f"Nothing to score: found are {', '.join(found)}, known are {', '.join(truth)}.")
    return [{"parameter": name, **_scores(name, found[name], truth[name], (sd or {}).get(name))} for name in names]


def _scores(name: str, found: ArrayLike, truth: ArrayLike, sd: ArrayLike | None) -> dict[str, float]:
    found, truth = _flat(found), _flat(truth)
    spread = np.full(found.shape, np.nan) if sd is None else _flat(sd)
    if not found.shape == truth.shape == spread.shape:
        raise InputError(f"{name}: {found.size} estimates for {truth.size} true values; give one for each.")
    valid = np.isfinite(found) & np.isfinite(truth)
    if not valid.any():
        return dict.fromkeys(SCORES, float("nan"))
    found, truth, spread = found[valid], truth[valid], spread[valid]
    error = found - truth
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.abs(error) / truth
    known = np.isfinite(spread)
    return {
        "median_error": float(np.median(relative)),
        "nrmse": float(np.sqrt(np.mean(error**2)) / truth.mean()),
        "bias": float(error.mean() / truth.mean()),
        "spearman": spearman(found, truth),
        "coverage": float(np.mean(np.abs(error[known]) <= spread[known])) if known.any() else float("nan"),
    }


def spearman(one: ArrayLike, other: ArrayLike) -> float:
    """Spearman's rank correlation of two sets of values (n,); NaN where one does not vary.

    Example:
        >>> round(spearman([1, 2, 3], [10, 20, 15]), 3)
        0.5
    """
    from scipy.stats import rankdata  # half a second to import

    ranks = np.stack([rankdata(_flat(one)), rankdata(_flat(other))])
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.sqrt((ranks**2).sum(axis=1).prod())
    return float(ranks[0] @ ranks[1] / length) if length > 0 else float("nan")


def between_estimates(found: Mapping[str, ArrayLike]) -> list[dict[str, float | str]]:
    """|Spearman's rho| between the estimates of two parameters, for each pair: of independent truth it should be 0.

    A method that gives one parameter's variation to another shows here, not in its errors.

    Args:
        found: parameter to estimates (n,).

    Returns:
        Rows with ``first``, ``second`` and ``rho``.

    Example:
        >>> (row,) = between_estimates({"D": [1, 2, 3], "f": [3, 2, 1]})
        >>> row["first"], row["second"], round(row["rho"], 3)
        ('D', 'f', 1.0)
    """
    values = np.stack([_flat(one) for one in found.values()])
    values = values[:, np.isfinite(values).all(axis=0)]
    return [
        {"first": first, "second": second, "rho": abs(spearman(one, other))}
        for (first, one), (second, other) in itertools.combinations(zip(found, values, strict=True), 2)
    ]


def consistency(
    trainings: Sequence[Mapping[str, ArrayLike]], truth: Mapping[str, ArrayLike]
) -> list[dict[str, float | str]]:
    """How much the estimates change from one training to the next, with nothing changed but the random seed.

    CV_NET = sqrt(mean over voxels of the variance over trainings) / mean truth   (Kaandorp et al. 2021)

    The variance is that of a sample, with trainings - 1 in the denominator.

    Args:
        trainings: what each found: parameter to estimates (n,), of the same voxels.
        truth: parameter to true values (n,).

    Returns:
        Rows with ``parameter`` and ``cv``.

    Raises:
        InputError: fewer than two trainings.

    Example:
        >>> (row,) = consistency([{"f": [0.1, 0.2]}, {"f": [0.3, 0.2]}], {"f": [0.2, 0.2]})
        >>> row["parameter"], round(row["cv"], 3)
        ('f', 0.5)
    """
    if len(trainings) < 2:
        raise InputError(f"The consistency needs at least two trainings; there are {len(trainings)}.")
    rows = []
    for name in (name for name in trainings[0] if name in truth):
        repeats = np.stack([_flat(found[name]) for found in trainings])
        variance = repeats.var(axis=0, ddof=1)
        rows.append({"parameter": name, "cv": float(np.sqrt(np.nanmean(variance)) / np.mean(_flat(truth[name])))})
    return rows


def constant_guess(ranges: Mapping[str, Interval], n: int) -> dict[str, NDArray]:
    """The middle of each range for every voxel: what a method must beat to be worth running.

    Example:
        >>> constant_guess({"f": (0.05, 0.55)}, 2)["f"].round(3)
        array([0.3, 0.3])
    """
    return {name: np.full(n, (low + high) / 2) for name, (low, high) in ranges.items()}


def clipped(found: Mapping[str, ArrayLike], ranges: Mapping[str, Interval]) -> dict[str, NDArray]:
    """Estimates moved into the ranges that the truth was drawn from, as a trained network has learned to keep to them.

    Example:
        >>> clipped({"f": [0.0, 0.3]}, {"f": (0.05, 0.55)})["f"]
        array([0.05, 0.3 ])
    """
    return {name: np.clip(_flat(found[name]), low, high) for name, (low, high) in ranges.items() if name in found}


def evaluate_maps(
    result: IVIMResult | Mapping[str, Volume],
    truth: Mapping[str, Volume],
    labels: LabelVolume | None = None,
    *,
    inside: Volume | NDArray | None = None,
    ranges: Mapping[str, Interval] | None = None,
) -> Table:
    """Maps scored against true maps, in each region and in all of them together.

    Args:
        result: of a fit, or parameter to map; maps called "<name>_sd" are taken for the coverage.
        truth: "<name>" or "<name>_true" to the true map on the same grid. Voxels whose truth is 0 are left out: there a
            parameter has no meaning, as D* has none without blood.
        labels: regions; without them there is one row for each parameter.
        inside: (i, j, k), which voxels count; by default the fitted ones of a result, or all.
        ranges: parameter to the range that the truth is known to lie in. The constant guess is then its middle, else
            the median of the truth over all voxels that are scored.

    Returns:
        Rows ``region``, ``parameter``, ``voxels``, the scores as in ``score``, ``constant_error`` and
        ``clipped_error``: the median errors of the constant guess and of the estimates clipped to the range (NaN
        without ``ranges``).

    Raises:
        InputError: a truth or regions on another grid, or no voxel to score.
    """
    maps = result.maps if isinstance(result, IVIMResult) else dict(result)
    known = {name.removesuffix("_true"): volume for name, volume in truth.items()}
    names = [name for name in maps if name in known]
    if not names:
        raise InputError(f"Nothing to score: the maps are {', '.join(maps)}, the truth {', '.join(truth)}.")
    reference = maps[names[0]]
    if not all(volume.same_grid(reference) for name in names for volume in (maps[name], known[name])):
        raise InputError("The true maps lie on another grid than the fitted ones. Resample them to the fitted maps.")
    if inside is None:
        inside = result.fitted if isinstance(result, IVIMResult) else np.ones(reference.shape)
    regions = _regions(None if labels is None else checked_labels(labels, reference), np.asarray(inside) > 0)
    if not regions[TOGETHER].any():
        raise InputError("No voxel to score: none was fitted inside the regions. Choose other regions, or a mask.")
    rows = []
    for name in names:
        voxels = _Voxels(maps[name], known[name], maps.get(f"{name}_sd"), regions[TOGETHER], (ranges or {}).get(name))
        rows += [{"region": region, "parameter": name, **voxels.row(place)} for region, place in regions.items()]
    order = list(regions)
    return Table.from_rows(sorted(rows, key=lambda row: order.index(row["region"])))


def _regions(labels: LabelVolume | None, inside: NDArray) -> dict[str, NDArray]:
    if labels is None:
        return {TOGETHER: inside}
    regions = {name: (labels.array == label) & inside for label, name in labels.names.items()}
    return {**regions, TOGETHER: (labels.array != 0) & inside}


class _Voxels:
    """One parameter's map with its truth, scored region by region."""

    def __init__(
        self, found: Volume, truth: Volume, sd: Volume | None, together: NDArray, interval: Interval | None
    ) -> None:
        self._found, self._truth = np.asarray(found, dtype=float), np.asarray(truth, dtype=float)
        self._sd = None if sd is None else np.asarray(sd, dtype=float)
        self._meant = self._truth > 0
        self._interval = interval
        known = self._truth[together & self._meant]
        middle = float(np.median(known)) if known.size else float("nan")
        self._guess = middle if interval is None else (interval[0] + interval[1]) / 2

    def row(self, place: NDArray) -> dict[str, float]:
        inside = place & self._meant
        found, truth = self._found[inside], self._truth[inside]
        scores = _scores("", found, truth, None if self._sd is None else self._sd[inside])
        limited = np.full_like(found, np.nan) if self._interval is None else np.clip(found, *self._interval)
        return {
            "voxels": int(inside.sum()),
            **scores,
            "constant_error": _scores("", np.full_like(truth, self._guess), truth, None)["median_error"],
            "clipped_error": _scores("", limited, truth, None)["median_error"],
        }


def _flat(values: ArrayLike) -> NDArray:
    return np.asarray(values, dtype=float).ravel()
