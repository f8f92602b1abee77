"""From the texts of a header to values: units, multi-valued and empty texts, zeros, matrices, fields of view.

All readers (DICOM, enhanced, sidecars, tables) hand over a dict from parameter to text as it stands there, and what
else is needed: ``rows``, ``columns``, ``tile`` (a mosaic's tiles along an edge), ``reconstruction_diameter``,
``frequency_steps``, ``phase_steps``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from DeepMRILib.iap import aliases
from DeepMRILib.iap.parameters import BY_NAME, PARAMETERS, Parameter, Value

SECONDS_LIMIT = {"echo_time": 1.0, "repetition_time": 60.0, "inversion_time": 20.0}
"""Longest times in s that occur; larger ones are milliseconds, whatever they should be."""
ZERO_IS_NONE = ("inversion_time", "echo_train")
"""Zero says that there is none; of other parameters it says that nobody filled it in."""
_NUMBER = re.compile(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?")
_SPECIAL = ("matrix", "pixel_spacing", "field_of_view")

Values = dict[str, Value]

FINDINGS = {
    "differs within the series": "differs within the series",
    "differs from frame to frame": "differs within the series",
    "which cannot be": "cannot be",
    "is no number": "no number",
    "cannot be read": "cannot be read",
    "values in the header": "several values",
    "too long for seconds": "wrong unit",
    "Pixels are not square": "pixels are not square",
    "several patients": "several patients",
}
"""What is said in a note, to the short name that audits list it under."""


def finding_of(note: str) -> tuple[str, str]:
    """The parameter that a note is about ("" where it is about none), and what it found.

    Example:
        >>> finding_of("Echo time is 0 in the header, which cannot be; it is taken as missing.")
        ('echo_time', 'cannot be')
    """
    found = next((short for phrase, short in FINDINGS.items() if phrase in note), "note")
    if found == "pixels are not square":
        return "pixel_spacing", found
    if note.startswith("The acquisition matrix"):
        return "matrix", found
    return next((one.name for one in PARAMETERS if note.startswith(one.label)), ""), found


def parse_numbers(text: str) -> list[float] | None:
    r"""The numbers of a text, several of which are joined by backslashes or stand in a list; None if one is none.

    Example:
        >>> parse_numbers(" 3.50 "), parse_numbers("[0.5, 0.5]"), parse_numbers("1.5\\2"), parse_numbers("abc")
        ([3.5], [0.5, 0.5], [1.5, 2.0], None)
    """
    plain = re.sub(r"[\[\]()'\"\0]", " ", text).strip()
    if not plain:
        return []
    # A comma between digits alone is a decimal one; in a list a blank follows it or there are several
    single = plain.count(",") == 1 and ", " not in plain and "." not in plain
    parts = re.split(r"[\\;\s]+" if single else r"[\\;,\s]+", plain)
    numbers = []
    for part in filter(None, parts):
        if not _NUMBER.fullmatch(part):
            return None
        numbers.append(float(part.replace(",", ".")))
    return numbers if all(math.isfinite(number) for number in numbers) else None


def values_of(raw: Mapping[str, str], *, seconds: bool = False) -> tuple[Values, list[str]]:
    """All parameters' values, and what is odd about the texts.

    Args:
        raw: parameter to text; a parameter that is not in it is not in the header.
        seconds: times are in seconds, as in BIDS sidecars.

    Returns:
        Name to value for all parameters, and sentences.
    """
    notes: list[str] = []
    values: Values = dict.fromkeys(BY_NAME)
    for parameter in PARAMETERS:
        text = raw.get(parameter.name)
        if text is None or parameter.name in _SPECIAL:
            continue
        if parameter.kind == "categorical":
            values[parameter.name] = aliases.word_value(parameter.name, text)
        else:
            values[parameter.name] = _number(parameter, text, seconds, notes)
    values["matrix"] = _matrix(raw, notes)
    values["pixel_spacing"], values["field_of_view"] = _plane(raw, notes)
    return values, notes


def _number(parameter: Parameter, text: str, seconds: bool, notes: list[str]) -> float | None:
    numbers = parse_numbers(text)
    label = parameter.label
    if numbers is None:
        if aliases.word_value("model", text) is not None:
            notes.append(f"{label} is no number in the header: {text.strip()[:40]!r}.")
        return None
    if not numbers:
        return None
    if len(set(numbers)) > 1:
        notes.append(f"{label} has {len(numbers)} values in the header; the first one is taken.")
    number = numbers[0]
    if number <= 0:
        if number < 0 or parameter.name not in ZERO_IS_NONE:
            notes.append(f"{label} is {number:g} in the header, which cannot be; it is taken as missing.")
        return None
    if parameter.name == "field_strength":
        return aliases.field_strength(number)
    if seconds and parameter.bids_factor != 1:
        if number > SECONDS_LIMIT[parameter.name]:
            notes.append(f"{label} is {number:g}, too long for seconds; it is taken as milliseconds.")
            return number
        # 0.0037 s times 1000 is 3.7000000000000002 ms
        return float(f"{number * parameter.bids_factor:.12g}")
    return number


def _matrix(raw: Mapping[str, str], notes: list[str]) -> str | None:
    """Frequency x phase, of the four numbers of AcquisitionMatrix (frequency rows, columns, phase rows, columns)."""
    text = raw.get("matrix", "")
    if re.fullmatch(r"\s*\d+\s*[xX*]\s*\d+\s*", text):
        return aliases.word_value("matrix", text)
    numbers = parse_numbers(text)
    steps = parse_numbers(f"{raw.get('frequency_steps', '')}\\{raw.get('phase_steps', '')}")
    if numbers is not None and any(numbers):
        halves = [[n for n in half if n > 0] for half in (numbers[:2], numbers[2:])]
        known = [n for half in halves for n in half]
        # Two numbers alone, or both in one half: in the order in which they stand
        if len(known) == 2 and min(numbers) >= 0:
            return f"{known[0]:.0f}x{known[1]:.0f}"
    elif steps is not None and len(steps) == 2 and min(steps) > 0:
        return f"{steps[0]:.0f}x{steps[1]:.0f}"
    if text.strip() and (numbers is None or any(numbers)):
        notes.append(f"The acquisition matrix cannot be read: {text.strip()[:40]!r}; two of its numbers are not zero.")
    return None


def _plane(raw: Mapping[str, str], notes: list[str]) -> tuple[float | None, float | None]:
    """Distance of rows, and the longer edge of the image: of mosaics of one tile."""
    spacing = parse_numbers(raw.get("pixel_spacing", "")) or []
    spacing = spacing * 2 if len(spacing) == 1 else spacing
    size = [_first(raw.get(name)) for name in ("rows", "columns")]
    tile = _first(raw.get("tile"))
    if len(spacing) != 2 or min(spacing) <= 0:
        if spacing:
            notes.append(f"Pixel spacing is {raw['pixel_spacing'].strip()[:40]!r}, which cannot be; taken as missing.")
        return None, _first(raw.get("field_of_view") or raw.get("reconstruction_diameter"))
    if abs(spacing[0] - spacing[1]) > 0.01 * spacing[0]:
        notes.append(f"Pixels are not square: {spacing[0]:g} x {spacing[1]:g} mm.")
    given = _first(raw.get("field_of_view"))
    if given is not None:
        return spacing[0], given
    if size[0] and size[1] and tile != 0:  # 0: a mosaic whose tiles are not known
        field = max(n * step / (tile or 1) for n, step in zip(size, spacing, strict=True))
        return spacing[0], float(f"{field:.6g}")
    return spacing[0], _first(raw.get("reconstruction_diameter"))


def _first(text: str | None) -> float | None:
    numbers = parse_numbers(text or "")
    return numbers[0] if numbers and numbers[0] >= 0 else None
