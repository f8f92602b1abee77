"""Which parameters a network is to tell, as what: planned from the data, or from a list in a JSON file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.iap.layout import Head, Layout
from DeepMRILib.iap.parameters import BY_NAME, PARAMETERS, Kind, Value

WIDE = 5.0
"""Numbers whose largest is this many times their smallest are learned on a logarithmic scale."""
APART = ("repetition_time", "echo_time")
ENOUGH = 60
"""``APART`` is learned for each sequence apart, where that is told and each has so many series: what these times do to
an image, and how long they usually are, differs between sequences. A fifth of them calibrates: 9 are the fewest for an
interval at a level of 0.9."""
MOST_CLASSES = 64
"""Ordinal parameters of more values are learned as numbers, and categorical ones are refused."""


def planned_heads(
    values: Mapping[str, Sequence[Value]],
    wanted: Sequence[str | Mapping[str, Any]] = (),
    series: Sequence[str] | NDArray = (),
) -> Layout:
    """The heads of a network for these values.

    Args:
        values: parameter to one value for each slice; None or NaN where it is not known.
        wanted: names, or mappings with ``parameter`` and, if not as usual, ``kind``, ``logarithm``, ``classes``,
            ``only`` (another parameter and its words among which alone this one has a meaning) or ``each`` (a
            categorical parameter: numbers are learned apart for each of its classes that has two or more, as what
            repetition time does to an image differs between sequences); empty takes all parameters that vary.
        series: of which series each slice is; without it each slice counts as one.

    Raises:
        InputError: nothing to tell, an unknown parameter, or one without two values.
    """
    plans = [{"parameter": one} if isinstance(one, str) else dict(one) for one in wanted] or _varying(values, series)
    named = [str(plan.get("parameter")) for plan in plans]
    again = next((name for name in named if named.count(name) > 1), None)
    if again is not None:
        raise InputError(f"{again} stands twice in the list of parameters. Name each once.")
    heads: list[Head] = []
    for plan in plans:
        for part in _parts(plan, values):
            heads.append(_head(part, values, heads[-1].stop if heads else 0))
    if not heads:
        raise InputError("No parameter varies in these series, so there is nothing to learn. Give other series.")
    return Layout(tuple(heads))


def read_plan(path: Path | str) -> list[str | Mapping[str, Any]]:
    """The list of parameters in a JSON file, as ``planned_heads`` takes it; see there.

    Raises:
        InputError: no such file, or not such a list.
    """
    try:
        plan = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"The list of parameters {path} cannot be read ({error}). Give a JSON file.") from error
    entries = plan.get("parameters") if isinstance(plan, dict) else plan
    if not isinstance(entries, list) or not entries or not all(isinstance(one, (str, dict)) for one in entries):
        raise InputError(
            f'{path} is no list of parameters. Write one such as ["echo_time", {{"parameter": "field_strength", '
            '"kind": "categorical"}].'
        )
    return entries


def known(value: Value) -> bool:
    """Whether there is a value."""
    return value is not None and value != "" and not (isinstance(value, float) and math.isnan(value))


def _varying(values: Mapping[str, Sequence[Value]], series: Sequence[str] | NDArray) -> list[dict[str, Any]]:
    found = []
    for parameter in PARAMETERS:
        different = {one for one in values.get(parameter.name, ()) if known(one)}
        few = parameter.kind != "categorical" or len(different) <= MOST_CLASSES
        if len(different) > 1 and few:
            found.append({"parameter": parameter.name})
            if parameter.name == "inversion_time":
                found[-1]["only"] = _inverted(values)
    if any(plan["parameter"] == "sequence" for plan in found):
        for plan in found:
            if plan["parameter"] in APART and _is_enough(values, plan["parameter"], series):
                plan["each"] = "sequence"
    return found


def _is_enough(values: Mapping[str, Sequence[Value]], name: str, series: Sequence[str] | NDArray) -> bool:
    """Whether each sequence that has this parameter has it often enough, and not always the same."""
    places = series if len(series) else range(len(values[name]))
    rows = zip(values["sequence"], values[name], places, strict=False)
    seen = {row for row in rows if known(row[0]) and known(row[1])}
    apart = [[row for row in seen if row[0] == word] for word in {row[0] for row in seen}]
    varies = [len({value for _, value, _ in part}) > 1 for part in apart]
    return len(apart) > 1 and all(varies) and all(len({place for *_, place in part}) >= ENOUGH for part in apart)


def _inverted(values: Mapping[str, Sequence[Value]]) -> tuple[str, tuple[str, ...]] | None:
    """The sequences that have an inversion time, where others have none: of those there is nothing to tell."""
    sequences = values.get("sequence") or ()
    pairs = list(zip(sequences, values["inversion_time"], strict=False))
    having = {str(one) for one, time in pairs if known(one) and known(time)}
    others = {str(one) for one in sequences if known(one)} - having
    return ("sequence", tuple(sorted(having))) if having and others else None


def _parts(plan: Mapping[str, Any], values: Mapping[str, Sequence[Value]]) -> list[dict[str, Any]]:
    """The plan itself, or with ``each`` one for each class of the other parameter in which this one varies."""
    plan = dict(plan)
    other, name = plan.pop("each", None), plan.get("parameter")
    if other is None:
        return [plan]
    if not isinstance(name, str) or name not in BY_NAME:
        return [plan]  # refused where its head is made
    if not isinstance(other, str) or other not in BY_NAME or BY_NAME[other].kind != "categorical" or "only" in plan:
        raise InputError(
            f'"each": {other!r} of {name} is not possible. Give a categorical parameter such as "sequence", and no '
            '"only" beside it.'
        )
    pairs = list(zip(values.get(name, ()), values.get(other, ()), strict=False))
    seen = [one for one, word in pairs if known(one) and known(word)]
    plan["kind"] = plan.get("kind", "continuous")
    if plan["kind"] == "continuous" and plan.get("logarithm") is None:
        plan["logarithm"] = _suits_logarithm(np.array(_numbers(name, seen)))
    words = sorted({str(word) for _, word in pairs if known(word)})
    varying = [word for word in words if len({one for one, at in pairs if str(at) == word and known(one)}) > 1]
    if not varying:
        raise InputError(f"{name} varies in no class of {other} in these series. Leave it out, or give other series.")
    return [{**plan, "only": (other, (word,))} for word in varying]


def _head(plan: Mapping[str, Any], values: Mapping[str, Sequence[Value]], start: int) -> Head:
    unknown = set(plan) - {"parameter", "kind", "logarithm", "classes", "only", "each"}
    name = plan.get("parameter")
    if unknown or not isinstance(name, str) or name not in BY_NAME:
        raise InputError(
            f"{next(iter(unknown), name)!r} in the list of parameters is not known. Entries have parameter, kind, "
            f"logarithm, classes, only and each; parameters are {', '.join(BY_NAME)}."
        )
    only = _only(plan.get("only"))
    there = _where(values, only, len(values.get(name, ())))
    seen = [one for one, meant in zip(values.get(name, ()), there, strict=True) if meant and known(one)]
    if len(set(seen)) < 2:
        raise InputError(
            f"{BY_NAME[name].label} has {len(set(seen))} different values in these series; a network needs two or "
            "more. Leave it out of the list, or give other series."
        )
    kind: Kind = plan.get("kind", BY_NAME[name].kind)
    if kind == "ordinal" and "kind" not in plan and len(set(seen)) > MOST_CLASSES:
        kind = "continuous"
    if kind not in ("categorical", "ordinal", "continuous"):
        raise InputError(f"The kind {kind!r} of {name} is not known; there are categorical, ordinal and continuous.")
    if kind == "continuous":
        return _continuous(name, _numbers(name, seen), plan.get("logarithm"), start, only)
    classes = _classes(name, kind, plan.get("classes") or seen)
    return Head(name, kind, start, start + len(classes), tuple(classes), only=only)


def _classes(name: str, kind: Kind, given: Any) -> list[str] | list[float]:
    """Without repetitions, in ascending order, of ordinal parameters as numbers."""
    if not isinstance(given, list):
        raise InputError(f'The classes {given!r} of {name} are no list. Write one such as ["GE", "SIEMENS"].')
    if kind == "ordinal":
        return sorted(set(_numbers(name, given)))
    return sorted({str(one) for one in given})


def _only(given: Any) -> tuple[str, tuple[str, ...]]:
    if not given:
        return "", ()
    try:
        name, words = given
        words = (words,) if isinstance(words, str) else tuple(str(word) for word in words)
    except (TypeError, ValueError):
        name, words = "", ()
    if name not in BY_NAME or not words:
        raise InputError(f'{given!r} does not say where a parameter has a meaning. Write ["sequence", ["IR"]].')
    return name, words


def _where(values: Mapping[str, Sequence[Value]], only: tuple[str, tuple[str, ...]], n: int) -> list[bool]:
    """Of which slices a head with this ``only`` has a meaning."""
    if not only[0]:
        return [True] * n
    return [one in only[1] for one in values.get(only[0], [None] * n)]


def _numbers(name: str, seen: Sequence[Value]) -> list[float]:
    try:
        return [float(one) for one in seen]
    except (TypeError, ValueError):
        raise InputError(f"{BY_NAME[name].label} has values that are no numbers. Call it categorical.") from None


def _continuous(
    name: str, numbers: list[float], logarithm: bool | None, start: int, only: tuple[str, tuple[str, ...]]
) -> Head:
    given = np.array(numbers)
    if logarithm is None:
        logarithm = _suits_logarithm(given)
    if logarithm and given.min() <= 0:
        raise InputError(f"{BY_NAME[name].label} has values of 0 or less, which have no logarithm.")
    scale = np.log(given) if logarithm else given
    deviation = float(scale.std()) or 1.0
    return Head(name, "continuous", start, start + 2, (), float(scale.mean()), deviation, bool(logarithm), only)


def _suits_logarithm(given: NDArray) -> bool:
    return bool(given.size and given.min() > 0 and given.max() > WIDE * given.min())


def targets(layout: Layout, values: Mapping[str, Sequence[Value]], n: int, *, learning: bool = True) -> NDArray:
    """What the heads should say (n, heads) float32: numbers of classes, standardised numbers; NaN where not known.

    Where a parameter has several heads, each learns from its own classes; without ``learning`` all of them are told the
    truth, to see how far off the answer is where a slice is taken for another class.
    """
    found = np.full((n, len(layout.heads)), np.nan, np.float32)
    for column, head in enumerate(layout.heads):
        several = len(layout.by_parameter[head.parameter]) > 1
        there = [True] * n if several and not learning else _where(values, head.only, n)
        for row, value in enumerate(values.get(head.parameter, ())):
            if there[row] and known(value):
                found[row, column] = target(head, value)
    return found


def target(head: Head, value: Value) -> float:
    """What a head should say of a value; NaN of a class that it does not have, or a number without a logarithm.

    Example:
        >>> target(Head("echo_time", "continuous", 0, 2, (), 20.0, 10.0), 35.0)
        1.5
    """
    if head.kind == "categorical":
        return float(head.classes.index(str(value))) if str(value) in head.classes else math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    if head.kind == "ordinal":
        same = [place for place, one in enumerate(head.classes) if _same(head.parameter, float(one), number)]
        return float(min(same, key=lambda place: abs(float(head.classes[place]) - number))) if same else math.nan
    if head.logarithm:
        number = math.log(number) if number > 0 else math.nan
    return (number - head.mean) / head.deviation


def _same(name: str, one: float, other: float) -> bool:
    parameter = BY_NAME[name]
    return abs(one - other) <= max(parameter.absolute, parameter.relative * abs(one), 1e-9)
