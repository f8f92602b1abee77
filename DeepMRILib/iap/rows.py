"""The tables of a prediction: what header and image say of each parameter, and what each slice says."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from DeepMRILib.iap.aliases import word_value
from DeepMRILib.iap.audit_rules import missing_of
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.parameters import BY_NAME, CORRELATION_ONLY, PARAMETERS, Parameter, Value
from DeepMRILib.iap.series import Series
from DeepMRILib.iap.verdicts import compare, same
from DeepMRILib.tables import Table

if TYPE_CHECKING:
    from DeepMRILib.iap.answering import Answer

COLUMNS = (
    "parameter", "label", "unit", "header", "predicted", "probability", "low", "high", "set", "verdict", "agreement",
    "slice", "note",
)  # fmt: skip
CORRELATION = "Told from scanner, era and protocol alone, as it goes with them: the image cannot show it."
_ALIASED = ("manufacturer", "contrast_agent")
"""Parameters whose classes are shown by the name that headers have here: GE of GE MEDICAL SYSTEMS."""
_FEW_AGREE = 0.5


@dataclass(frozen=True)
class Asked:
    """What is done with answers.

    Attributes:
        abstain: words and classes below this probability are not given.
        withheld: why no answer is given at all; empty where they are.
        doubted: why no answer agrees or disagrees with the header; empty where they do.
    """

    abstain: float = 0.0
    withheld: str = ""
    doubted: str = ""


def parameter_rows(header: Header, answers: Mapping[str, Answer], indices: Sequence[int], asked: Asked) -> Table:
    """A row for each parameter that header or model know, or that the header should know; see ``result.IAPResult``.

    Without a model, all parameters have one: what the header lacks is seen.

    Args:
        header: of the series.
        answers: of the model, by parameter; empty without one.
        indices: of the slices that the answers are of, in the series.
        asked: what is done with them.
    """
    # where there is no header at all, that is what is said
    lacking = missing_of(header) if header.kind != "none" else []
    known = {name for name, value in header.values.items() if value is not None} | {*answers, *lacking}
    listed = known if answers or header.kind == "none" else set(BY_NAME)
    rows = [
        _row(
            parameter,
            header.values.get(parameter.name),
            answers.get(parameter.name),
            indices,
            replace(asked, doubted=asked.doubted or _doubt(header, answers, parameter.name)),
            expected=parameter.name in lacking,
        )
        for parameter in PARAMETERS
        if parameter.name in listed
    ]
    return Table.from_rows(rows) if rows else Table({name: [] for name in COLUMNS})


def _doubt(header: Header, answers: Mapping[str, Answer], name: str) -> str:
    """Why a number is not to be trusted that was told for another parameter's class, which may not be the true one."""
    answer = answers.get(name)
    other = answers.get(answer.only[0]) if answer is not None and answer.head.kind == "continuous" else None
    if other is None or answer.given or not answer.meant:
        return ""
    said = header.values.get(other.parameter)
    if other.strict and (said is None or same(other.parameter, said, other.value)):
        return ""
    label, word = BY_NAME[other.parameter].label.lower(), text_of(other.parameter, other.value)
    return f"Told as of a {label} {word}, which the image shows, but is not sure of or the header contradicts."


def _row(
    parameter: Parameter,
    header: Value,
    answer: Answer | None,
    indices: Sequence[int],
    asked: Asked,
    *,
    expected: bool,
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"parameter": parameter.name, "label": parameter.label, "unit": parameter.unit, "header": header}
    row |= {"set": "", "verdict": compare(parameter, header, None, expected=expected), "note": ""}
    if answer is None:
        return row
    row["note"] = " ".join(_notes(parameter, answer, asked))
    if asked.withheld or not answer.meant or _cannot_be(answer):
        return row
    probability, interval = answer.probability, None if answer.low is None else (answer.low, answer.high)
    asked_of = (0.0, math.inf) if answer.unbounded else interval
    row |= {"probability": probability, "agreement": answer.agreement, "slice": int(indices[answer.slice])}
    row["set"] = "; ".join(text_of(parameter.name, one) for one in answer.classes)
    if _abstains(answer, asked):
        return row | {"verdict": "unsure"}
    verdict = compare(
        parameter,
        header,
        answer.value,
        classes=answer.head.classes,
        probability=probability,
        interval=asked_of,
        among=answer.classes if answer.strict else (),
    )
    if asked.doubted and verdict in ("agree", "disagree"):
        verdict = "unsure"
    low, high = interval or (None, None)
    return row | {"predicted": shown(parameter.name, answer.value), "low": low, "high": high, "verdict": verdict}


def _cannot_be(answer: Answer) -> bool:
    """Numbers are of times, lengths, angles and fields: all above zero."""
    return answer.head.kind == "continuous" and not float(answer.value) > 0


def _abstains(answer: Answer, asked: Asked) -> bool:
    return answer.probability is not None and answer.probability < asked.abstain


def _notes(parameter: Parameter, answer: Answer, asked: Asked) -> list[str]:
    notes = [CORRELATION] if parameter.name in CORRELATION_ONLY else []
    if asked.withheld:
        return [*notes, asked.withheld]
    if not answer.meant:
        other, words = answer.only
        return [*notes, f"The network learned it only where {BY_NAME[other].label.lower()} is {' or '.join(words)}."]
    if answer.given:
        notes.append(f"Told as of a sequence {answer.given}, which the header says.")
    if asked.doubted:
        notes.append(asked.doubted)
    if answer.unbounded:
        notes.append("No interval: too few series for this level in the calibration.")
    if _cannot_be(answer):
        return [*notes, f"The network put out {answer.value:.3g} {parameter.unit}, which cannot be."]
    if _abstains(answer, asked):
        likely = text_of(parameter.name, answer.value)
        notes.append(f"Not sure enough: the likeliest value, {likely}, has a probability of {answer.probability:.2f}.")
    if not answer.strict:
        notes.append("It is less sure than it usually is of the true value: the set at this level would be empty.")
    if answer.agreement < _FEW_AGREE and len(answer.slices) > 1:
        notes.append(f"Slices differ: {answer.agreement:.0%} of them say the same.")
    return notes


def shown(parameter: str, value: Value) -> Value:
    """An answer as tables show it: names that headers write in several ways as ``Header.values`` has them.

    Example:
        >>> shown("manufacturer", "GE MEDICAL SYSTEMS"), shown("contrast_agent", "MMAGNEVIST"), shown("echo_time", 3.0)
        ('GE', 'MAGNEVIST', 3.0)
    """
    return word_value(parameter, str(value)) if parameter in _ALIASED else value


def text_of(parameter: str, value: Value) -> str:
    """A value in a text: numbers without needless digits.

    Example:
        >>> text_of("field_strength", 3.0), text_of("manufacturer", "Siemens")
        ('3', 'SIEMENS')
    """
    value = shown(parameter, value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def slice_rows(answers: Mapping[str, Answer], series: Series, used: Sequence[int]) -> Table:
    """A row for each slice that was used and parameter that the model tells; see ``result.IAPResult``.

    Args:
        answers: by parameter.
        series: where the slices are from.
        used: which of its slices the answers are of.
    """
    rows = [
        {
            "slice": series.indices[number],
            "name": series.names[number],
            "parameter": name,
            "predicted": shown(name, answer.slices[place]),
            "probability": None if np.isnan(answer.probabilities[place]) else answer.probabilities[place],
        }
        for place, number in enumerate(used)
        for name, answer in answers.items()
        if answer.meant
    ]
    return Table.from_rows(rows)
