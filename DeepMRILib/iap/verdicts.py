"""Whether a header and an image say the same: one rule for all parameters, with the tolerances of ``parameters``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from DeepMRILib.errors import InputError
from DeepMRILib.iap.aliases import field_strength, key_of
from DeepMRILib.iap.parameters import BY_NAME, Parameter, Value

Verdict = Literal["agree", "disagree", "missing in the header", "unseen class", "unsure", "not predicted"]
VERDICTS: tuple[Verdict, ...] = (
    "agree",
    "disagree",
    "missing in the header",
    "unseen class",
    "unsure",
    "not predicted",
)


@dataclass(frozen=True)
class Look:
    """How a verdict is shown, so that no one has to tell colours apart.

    Attributes:
        sign: before the word.
        word: as short as a column.
        tone: of ``report_style.TONES``; empty for none.
    """

    sign: str
    word: str
    tone: str = ""


LOOKS: dict[str, Look] = {
    "agree": Look("=", "agree", "blue"),
    "disagree": Look("≠", "disagree", "orange"),
    "missing in the header": Look("∅", "missing", "yellow"),
    "unseen class": Look("?", "unseen", "pink"),
    "unsure": Look("~", "unsure", "grey"),
    "not predicted": Look("–", "not predicted"),
}
"""Of each verdict, for reports and panels."""
WIDE = 3.0
"""An interval whose upper end is more than this many times its lower one says too little to agree with a header."""
LIKELY = 0.5
"""A class below this probability is less likely than all others together."""
_ROUNDING = 1e-9


def same(parameter: Parameter | str, header_value: Value, other: Value) -> bool:
    """Whether two values of a parameter are the same within its tolerances; a missing one is the same as none.

    Words by their aliases and without their case; numbers that differ by no more than the relative tolerance of the
    header's or by the absolute one; field strengths also when they belong to one group (1.494 and 1.5 T).

    Example:
        >>> same("manufacturer", "SIEMENS", "Siemens Healthineers"), same("echo_time", 100.0, 104.9)
        (True, True)
        >>> same("field_strength", 1.5, 1.494), same("slice_thickness", 3.0, 3.2), same("flip_angle", 8.0, 8.5)
        (True, False, True)
    """
    parameter = _known(parameter)
    if _is_nothing(header_value) or _is_nothing(other):
        return False
    if parameter.kind == "categorical":
        return key_of(parameter.name, header_value) == key_of(parameter.name, other)
    left, right = _number(parameter, header_value), _number(parameter, other)
    if parameter.name == "field_strength":
        left, right = field_strength(left), field_strength(right)
    allowed = max(parameter.relative * abs(left), parameter.absolute)
    return abs(left - right) <= allowed * (1 + _ROUNDING) + _ROUNDING


def compare(
    parameter: Parameter | str,
    header_value: Value,
    predicted: Value,
    *,
    classes: Sequence[str | float] = (),
    probability: float | None = None,
    abstain: float = 0.0,
    interval: tuple[float, float] | None = None,
    among: Sequence[str | float] = (),
    expected: bool = False,
) -> Verdict:
    """What is to be said of a parameter. The first that holds, of these:

    1. ``not predicted``: no model tells it, or the model gave no answer; but ``missing in the header`` where the header
       lacks what a header of its kind has (``expected``).
    2. ``missing in the header``.
    3. ``unseen class``: the header's value is none of the model's classes, so the answer cannot be right.
    4. ``unsure``: the answer's probability is below ``abstain``; or it is below one half (``LIKELY``), so that the
       other classes together are likelier, and no set settles it: there is none, or it holds the header's class and
       others. A likeliest class of 30 % is no agreement, even where it is the header's. So is a set of all classes,
       which rules nothing out.
    5. ``agree``: the answer is the header's value within the tolerances of ``parameters``.
    6. of numbers with an interval: ``agree`` when the header's value lies in it, as the image is then consistent with
       the header at the interval's level, though it may not show the value to 5 %; but ``unsure`` when the interval is
       so wide (``WIDE``) that nearly any header would lie in it. Of classes with a set: ``unsure`` when the header's
       class is in the set, as the image cannot tell those of the set apart.
    7. ``disagree``. At a level of 0.9, one in ten right headers ends here or outside the set: look at several
       parameters before blaming a header.

    Args:
        parameter: or its name.
        header_value: as ``Header.values`` has it.
        predicted: the answer, a word or a number in the parameter's unit.
        classes: of the model's head, where it has classes.
        probability: of the answer, None where there is none.
        abstain: answers below this probability are not used.
        interval: of a number, its ends in the parameter's unit.
        among: of a class, the set at the level.
        expected: whether every header of its kind should have it; see ``audit_rules.missing_of``.
    """
    parameter = _known(parameter)
    if _is_nothing(predicted):
        return "missing in the header" if expected and _is_nothing(header_value) else "not predicted"
    if _is_nothing(header_value):
        return "missing in the header"
    if classes and not any(same(parameter, header_value, one) for one in classes):
        return "unseen class"
    if probability is not None and (probability < abstain or _is_open(parameter, header_value, probability, among)):
        return "unsure"
    if len(among) == len(classes) > 1:
        return "unsure"
    if same(parameter, header_value, predicted):
        return "agree"
    if interval is not None and parameter.kind != "categorical":
        low, high = min(interval), max(interval)
        if low <= _number(parameter, header_value) <= high:
            return "unsure" if high > WIDE * max(low, 0.0) else "agree"
    if any(same(parameter, header_value, one) for one in among):
        return "unsure"
    return "disagree"


def _is_open(parameter: Parameter, header_value: Value, probability: float, among: Sequence[str | float]) -> bool:
    """Whether a class is unlikely, and no set at the level holds the header's class alone or leaves it out."""
    if probability >= LIKELY:
        return False
    held = [same(parameter, header_value, one) for one in among]
    return not held or (any(held) and not all(held))


def _is_nothing(value: Value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _known(parameter: Parameter | str) -> Parameter:
    if isinstance(parameter, Parameter):
        return parameter
    if parameter not in BY_NAME:
        raise InputError(f"{parameter!r} is no acquisition parameter; there are {', '.join(BY_NAME)}.")
    return BY_NAME[parameter]


def _number(parameter: Parameter, value: Value) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise InputError(f"{parameter.label} is {value!r}; a number was expected.") from None
