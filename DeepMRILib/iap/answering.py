"""What a network says of a series: of each parameter an answer, how sure it is, and what each slice says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.iap.calibration import Calibration, HeadCalibration
from DeepMRILib.iap.conformal import class_set, combined_classes, combined_numbers, interval
from DeepMRILib.iap.layout import Head
from DeepMRILib.iap.model import Model
from DeepMRILib.iap.parameters import BY_NAME, Value
from DeepMRILib.iap.verdicts import same


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
        meant: False where the network learned the parameter only with other answers than was given, such as the
            inversion time of a spin echo.
        given: for which class it is, where that was known and not told: the ``SE`` of a header; else empty.
        only: a parameter and all of its classes with which the network learned this one; ("", ()) with any.
        unbounded: a number whose calibration has too few series for an interval at this level.
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
    given: str = ""
    only: tuple[str, tuple[str, ...]] = ("", ())
    unbounded: bool = False


def answers(
    model: Model,
    slices: Sequence[NDArray],
    level: float = 0.9,
    *,
    logits: NDArray | None = None,
    known: Mapping[str, str] | None = None,
) -> dict[str, Answer]:
    """Of each parameter that the model tells, by name.

    Args:
        model: the network.
        slices: n arrays (rows, columns) of one series.
        level: of sets and intervals.
        logits: (n, outputs) of the slices, where they are known already.
        known: parameter to class, where the answers that depend on it shall not depend on what the network takes it
            for: ``{"sequence": "SE"}`` asks for the echo time of a spin echo. The parameter itself is told as ever.
    """
    logits = model.logits(slices) if logits is None else logits
    layout, calibration, known = model.layout, model.calibration, known or {}
    alone = {name: heads[0] for name, heads in layout.by_parameter.items() if len(heads) == 1}
    found = {name: _answer(head, logits, calibration, level) for name, head in alone.items()}
    words = {name: known.get(name, answer.value) for name, answer in found.items()}
    for name, heads in layout.by_parameter.items():
        if len(heads) > 1:
            head = next((head for head in heads if words.get(head.only[0]) in head.only[1]), heads[0])
            found[name] = _answer(head, logits, calibration, level, given=head.only[0] in known)
    return {name: _where(found[name], heads, words, known) for name, heads in layout.by_parameter.items()}


def sequence_of(model: Model, told: Value) -> dict[str, str]:
    """A header's sequence as ``answers`` takes it, in the model's word; empty where that has none for it."""
    head = model.layout.head("sequence")
    words = [str(word) for word in head.classes if same("sequence", told, word)] if head else []
    return {"sequence": words[0]} if words else {}


def _where(answer: Answer, heads: Sequence[Head], words: Mapping[str, str | float], known: Mapping[str, str]) -> Answer:
    """The answer with what it depends on."""
    other = heads[0].only[0]
    among = tuple(word for head in heads for word in head.only[1])
    meant = other not in words or words[other] in among
    return replace(answer, meant=meant, given=known.get(other, ""), only=(other, among))


def _answer(
    head: Head, logits: NDArray, calibration: Calibration | None, level: float, *, given: bool = False
) -> Answer:
    known = calibration.heads.get(head.name) if calibration is not None else None
    if known is not None and given:
        known = replace(known, scores=known.given)
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
    unbounded = known is not None and low is None
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
        unbounded=unbounded,
    )
