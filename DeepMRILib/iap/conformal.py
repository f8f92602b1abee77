"""How sure a series' answer is: slices put together, temperatures, and split conformal sets and intervals.

A class's score is 1 - its probability (Sadinle, Lei and Wasserman 2019), a number's |truth - answer| / deviation (Lei
et al. 2018). The quantile of the calibration series' scores at rank ceil((n + 1) level) makes sets and intervals that
hold the truth in at least ``level`` of series that are exchangeable with those; images of another kind are not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import compress

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.iap.calibration import HeadCalibration
from DeepMRILib.iap.layout import Head, Layout

MOST_SCORES = 400
"""So many scores of a head are kept."""
TEMPERATURES = (0.5, 20.0)
"""Between which a temperature lies: of a network that was right about all series the best would be 0, for ever sure."""
FEW_SERIES = 40
"""Of fewer, temperature and scores come from the same."""
DEVIATIONS = (1e-3, 1e3)
"""Between which a standardised number's deviation lies, whatever a network puts out."""


def combined_classes(logits: ArrayLike, temperature: float = 1.0) -> NDArray:
    """Probabilities (classes,) of a series from its slices' logits (n, classes): their mean log-probability.

    Example:
        >>> combined_classes([[0.0, 0.0], [0.0, 0.0]]).tolist()
        [0.5, 0.5]
    """
    from scipy.special import log_softmax  # SciPy takes most of a second, and audits need none of it

    mean = log_softmax(np.asarray(logits, float), axis=1).mean(axis=0)
    return np.exp(log_softmax(mean / temperature))


def combined_numbers(outputs: ArrayLike) -> tuple[float, float]:
    """A series' standardised number and its deviation from its slices' outputs (n, 2): number, log of its deviation.

    Slices count by the inverse of their variance. They share what misleads them, so the deviation is not divided by
    their number: it is the mean slice's, with the spread between slices added.

    Example:
        >>> combined_numbers([[1.0, 0.0], [3.0, 0.0]])
        (2.0, 1.4142135623730951)
    """
    outputs = np.asarray(outputs, float)
    variance = np.clip(np.exp(outputs[:, 1]), *DEVIATIONS) ** 2
    weights = (1 / variance) / (1 / variance).sum()
    mean = float(weights @ outputs[:, 0])
    return mean, float(np.sqrt(weights @ (variance + (outputs[:, 0] - mean) ** 2)))


def fitted_temperature(logits: Sequence[NDArray], truth: Sequence[int]) -> float:
    """The temperature that makes series' probabilities of the truth the largest (Guo et al. 2017).

    Args:
        logits: of each series (slices, classes).
        truth: each series' class.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if not len(logits):
        return 1.0
    means = np.stack([log_softmax(np.asarray(one, float), axis=1).mean(axis=0) for one in logits])
    rows, truth = np.arange(len(means)), np.asarray(truth, int)

    def loss(logarithm: float) -> float:
        return -float(log_softmax(means / math.exp(logarithm), axis=1)[rows, truth].mean())

    return float(math.exp(minimize_scalar(loss, bounds=tuple(np.log(TEMPERATURES)), method="bounded").x))


def quantile(scores: Sequence[float], level: float) -> float:
    """The score of rank ceil((n + 1) level) of n ascending ones; infinite where n is too small for the level.

    Example:
        >>> quantile([1.0, 2.0, 3.0, 4.0], 0.8), quantile([1.0, 2.0, 3.0, 4.0], 0.9)
        (4.0, inf)
    """
    rank = math.ceil((len(scores) + 1) * level - 1e-9)
    return float(scores[rank - 1]) if rank <= len(scores) else math.inf


def thinned(scores: ArrayLike) -> tuple[float, ...]:
    """At most ``MOST_SCORES`` of the scores, ascending: each k-th, and rounded up, so that no quantile becomes smaller.

    Rounded to the nearest, the scores of a network that is nearly always sure would all be 0, and its sets empty.

    Example:
        >>> thinned([3e-8, 0.25, 0.1234567])
        (1e-06, 0.123457, 0.25)
    """
    ordered = np.sort(np.asarray(scores, float))
    step = math.ceil(len(ordered) / MOST_SCORES) or 1
    return tuple(math.ceil(float(score) * 1e6) / 1e6 for score in ordered[step - 1 :: step])


def class_set(head: Head, probabilities: NDArray, scores: Sequence[float], level: float) -> tuple[int, ...]:
    """The numbers of the classes that stay at a level; of an ordinal head without gaps. It can be empty: no class is as
    likely as the truth usually is.
    """
    limit = quantile(scores, level)
    stay = [number for number, one in enumerate(probabilities) if 1 - one <= limit + 1e-12]
    if head.kind == "ordinal" and stay:
        return tuple(range(stay[0], stay[-1] + 1))
    return tuple(stay)


def interval(
    head: Head, mean: float, deviation: float, scores: Sequence[float], level: float
) -> tuple[float, float] | tuple[None, None]:
    """From where to where a number lies at a level, in the parameter's unit; None with too few scores for the level."""
    reach = quantile(scores, level) * deviation
    if not math.isfinite(reach):
        return None, None
    low, high = head.value(np.array([mean - reach, mean + reach]))
    return float(low), float(high)


def calibrated(layout: Layout, logits: NDArray, series: NDArray, wanted: NDArray) -> dict[str, HeadCalibration]:
    """Temperatures and scores of all heads, by their names, on series that the network was not trained on.

    Of several heads for one parameter each is scored on the series for which it would be asked, those that are taken
    for its class, so that its intervals make up for the wrongly taken ones; and apart from that on those of its class,
    for where the class is known.

    Args:
        layout: what the outputs stand for.
        logits: (n, outputs) of slices.
        series: (n,) of which series each slice is.
        wanted: (n, heads) what the heads should say (``heads.targets`` without ``learning``), NaN where it is not
            known.
    """
    rows = [np.flatnonzero(series == name) for name in dict.fromkeys(series.tolist())]
    found = {}
    for column, head in enumerate(layout.heads):
        usable = [one for one in rows if np.isfinite(wanted[one[0], column])]
        parts = [head.outputs(logits[one]) for one in usable]
        truth = [float(wanted[one[0], column]) for one in usable]
        if len(layout.by_parameter[head.parameter]) > 1:
            found[head.name] = _one_of_several(parts, truth, *_taken_and_true(layout, head, logits, usable, wanted))
        else:
            found[head.name] = _numbers(parts, truth) if head.kind == "continuous" else _classes(parts, truth)
    return found


def _taken_and_true(
    layout: Layout, head: Head, logits: NDArray, rows: list[NDArray], wanted: NDArray
) -> tuple[list[bool], list[bool]]:
    """Of each series (its slices' rows), whether it is taken for a class of the head's, and whether it is of one."""
    other = layout.head(head.only[0])
    column = layout.heads.index(other)
    words = [other.classes.index(word) for word in head.only[1]]
    taken = [int(combined_classes(other.outputs(logits[one])).argmax()) in words for one in rows]
    return taken, [wanted[one[0], column] in words for one in rows]


def _one_of_several(parts: list[NDArray], truth: list[float], taken: list[bool], true: list[bool]) -> HeadCalibration:
    asked, given = (
        _numbers(list(compress(parts, chosen)), list(compress(truth, chosen))).scores for chosen in (taken, true)
    )
    return HeadCalibration(1.0, asked, given)


def _classes(parts: list[NDArray], truth: list[float]) -> HeadCalibration:
    """The temperature from a quarter of the series and the scores from the others, as scores of series that chose it
    would be too small; from all where they are few, as one number hardly adapts to them.
    """
    chosen = np.zeros(len(parts), bool)
    if len(parts) >= FEW_SERIES:  # by lot, as folders often have the same few protocols in turn
        chosen[np.random.default_rng(0).permutation(len(parts))[: len(parts) // 4]] = True
    fitted = np.flatnonzero(chosen) if chosen.any() else range(len(parts))
    temperature = round(fitted_temperature([parts[n] for n in fitted], [int(truth[n]) for n in fitted]), 5)
    scores = [1 - combined_classes(parts[n], temperature)[int(truth[n])] for n in np.flatnonzero(~chosen)]
    return HeadCalibration(temperature, thinned(scores))


def _numbers(parts: list[NDArray], truth: list[float]) -> HeadCalibration:
    told = [combined_numbers(part) for part in parts]
    return HeadCalibration(1.0, thinned([abs(t - m) / d for (m, d), t in zip(told, truth, strict=True)]))
