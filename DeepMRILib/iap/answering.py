"""What a network says of a series: of each parameter an answer, how sure it is, and what each slice says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.iap.calibration import Calibration, HeadCalibration
from DeepMRILib.iap.conformal import class_set, combined_classes, combined_numbers, interval
from DeepMRILib.iap.layout import Head
from DeepMRILib.iap.model import Model
from DeepMRILib.iap.parameters import BY_NAME


@dataclass(frozen=True, eq=False)
class Answer:
    """To one parameter of one series.

    Attributes:
        parameter: its name.
        head: of which outputs it comes.
        value: a word or a number; the likeliest class, or the slices' weighted mean.
        probability: of a class, after the temperature; None of numbers.
        low, high: a number's interval at the level; None of classes and without a calibration.
        classes: those that stay at the level, with the answer, which is added where none would stay; empty of numbers
            and without a calibration.
        strict: whether the answer stays by itself: False where it was added.
        meant: False where the parameter has a meaning only with another answer than was given, such as the inversion
            time of a spin echo.
        slices: each slice's own value.
        probabilities: of each slice's own class; NaN of numbers.
        agreement: the fraction of slices that say the same: that class, or a number in the interval (without one,
            within the parameter's tolerance).
        slice: number of the slice that decides most: the surest of those nearest to the answer.
        all_probabilities: (classes,) of the series; empty of numbers.
    """

    parameter: str
    head: Head
    value: str | float
    probability: float | None
    low: float | None
    high: float | None
    classes: tuple[str | float, ...]
    strict: bool
    meant: bool
    slices: tuple[str | float, ...]
    probabilities: tuple[float, ...]
    agreement: float
    slice: int
    all_probabilities: NDArray


def answers(
    model: Model, slices: Sequence[NDArray], level: float = 0.9, *, logits: NDArray | None = None
) -> dict[str, Answer]:
    """Of each parameter that the model tells, by name.

    Args:
        model: the network.
        slices: n arrays (rows, columns) of one series.
        level: of sets and intervals.
        logits: (n, outputs) of the slices, where they are known already.
    """
    logits = model.logits(slices) if logits is None else logits
    several = model.layout.by_parameter
    found = {name: _answer(heads[0], logits, model.calibration, level) for name, heads in several.items()}
    for name, heads in several.items():
        if len(heads) > 1:
            head = _chosen(heads, found)
            found[name] = _answer(head, logits, model.calibration, level)
    return {name: _with_meaning(answer, found) for name, answer in found.items()}


def _chosen(heads: Sequence[Head], found: Mapping[str, Answer]) -> Head:
    """Of several heads for one parameter that for the class that was told, such as the sequence."""
    other = found.get(heads[0].only[0])
    return next((head for head in heads if other is not None and other.value in head.only[1]), heads[0])


def _with_meaning(answer: Answer, found: dict[str, Answer]) -> Answer:
    name, words = answer.head.only
    if name not in found or found[name].value in words:
        return answer
    return Answer(**{**vars(answer), "meant": False})


def _answer(head: Head, logits: NDArray, calibration: Calibration | None, level: float) -> Answer:
    known = calibration.heads.get(head.name) if calibration is not None else None
    return (_number if head.kind == "continuous" else _class)(head, head.outputs(np.asarray(logits)), known, level)


def _class(head: Head, outputs: NDArray, known: HeadCalibration | None, level: float) -> Answer:
    from scipy.special import softmax  # as in ``conformal``

    temperature = known.temperature if known else 1.0
    probabilities = combined_classes(outputs, temperature)
    each = softmax(np.asarray(outputs, float) / temperature, axis=1)
    best, own = int(probabilities.argmax()), each.argmax(axis=1)
    stay = class_set(head, probabilities, known.scores, level) if known else ()
    kept = sorted({*stay, best}) if known else []
    return Answer(
        parameter=head.parameter,
        head=head,
        value=head.classes[best],
        probability=float(probabilities[best]),
        low=None,
        high=None,
        classes=tuple(head.classes[number] for number in kept),
        strict=not known or best in stay,
        meant=True,
        slices=tuple(head.classes[number] for number in own),
        probabilities=tuple(float(row[number]) for row, number in zip(each, own, strict=True)),
        agreement=float(np.mean(own == best)),
        slice=int(each[:, best].argmax()),
        all_probabilities=probabilities,
    )


def _number(head: Head, outputs: NDArray, known: HeadCalibration | None, level: float) -> Answer:
    outputs = np.asarray(outputs, float)
    single = outputs.shape[1] == 1  # a network that says nothing of its deviation: the middle slice's answer
    mean, deviation = (float(np.median(outputs[:, 0])), 1.0) if single else combined_numbers(outputs)
    value, own = float(head.value(np.array(mean))), head.value(outputs[:, 0])
    low, high = interval(head, mean, deviation, known.scores, level) if known else (None, None)
    tolerance = max(BY_NAME[head.parameter].relative * abs(value), BY_NAME[head.parameter].absolute)
    near = np.abs(own - value) <= tolerance if low is None else (own >= low) & (own <= high)
    spread = np.abs(outputs[:, 0] - mean) if single else (outputs[:, 0] - mean) ** 2 + np.exp(2 * outputs[:, 1])
    return Answer(
        parameter=head.parameter,
        head=head,
        value=value,
        probability=None,
        low=low,
        high=high,
        classes=(),
        strict=True,
        meant=True,
        slices=tuple(float(one) for one in own),
        probabilities=(float("nan"),) * len(own),
        agreement=float(np.mean(near)),
        slice=int(spread.argmin()),
        all_probabilities=np.empty(0),
    )
