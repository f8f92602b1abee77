"""Reading pattern.json; anything in it is checked, as it may come from anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DeepMRILib.errors import InputError

if TYPE_CHECKING:
    from DeepMRILib.igs.pattern import Pattern

LARGEST = 50_000_000
MOST_AXES = 2


def read_pattern(place: Path) -> Pattern:
    """See ``Pattern.load``."""
    from DeepMRILib.files.paths import unreadable
    from DeepMRILib.igs.pattern import FILE

    path = place / FILE if place.is_dir() else place
    if not path.is_file():
        what = f"The folder {place} holds no {FILE}" if place.is_dir() else f"The pattern {place} does not exist"
        raise InputError(f"{what}. Give the pattern.json, or the folder, that igs find has written.")
    try:
        if path.stat().st_size > LARGEST:
            raise _refused(path, "it is too large")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        raise _refused(path, "it is no JSON") from error
    return parsed_pattern(text, path)


def parsed_pattern(text: str, place: Path | str) -> Pattern:
    """The pattern in the text of a pattern.json; ``place`` is what sentences call where it stands.

    Raises:
        InputError: not a pattern.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(place, "it is no JSON") from error
    return _pattern(values, place)


def _pattern(values: Any, path: Path | str) -> Pattern:
    from DeepMRILib.igs.pattern import FORMAT, Pattern, Rung

    if not isinstance(values, dict) or values.get("kind") != "deepmri-pattern":
        raise _refused(path, "it lacks the entry kind: deepmri-pattern")
    if values.get("format") != FORMAT:
        raise InputError(f"The pattern {path} has the format {values.get('format')!r}; this version reads {FORMAT}.")
    try:
        shape = tuple(_whole(n, 1) for n in values["shape"])
        axes = tuple(_whole(axis, -3) for axis in values["axes"])
        if not 1 <= len(shape) <= MOST_AXES or len(shape) != len(axes) or max(axes) > -1:
            raise _refused(path, "its axes do not match its shape")
        return Pattern(
            orders=tuple(tuple(_whole(line, 0) for line in order) for order in values["orders"]),
            shape=shape,
            axes=axes,
            losses=tuple(_number(loss) for loss in values["losses"]),
            gradients=tuple(tuple(_number(entry) for entry in row) for row in values["gradients"]),
            rungs=tuple(_rung(Rung, entry) for entry in values["rungs"]),
            about=dict(values["about"]),
            notes=tuple(str(note) for note in values["notes"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _refused(path, f"its entries are not those of a pattern ({error})") from error


def _rung(kind: Any, entry: Any) -> Any:
    winner = entry["winner"]
    if winner not in ("igs", "block", "centre"):
        raise ValueError(f"winner {winner!r}")
    return kind(
        lines=_whole(entry["lines"], 1),
        igs=float(entry["igs"]),
        block=_number(entry["block"]),
        centre=_number(entry["centre"]),
        block_shift=tuple(_whole(shift, -(10**6)) for shift in entry["block_shift"]),
        winner=winner,
    )


def _whole(value: Any, least: int) -> int:
    if type(value) is not int or not least <= value <= 10**9:
        raise ValueError(f"{value!r} where a whole number was expected")
    return value


def _number(value: Any) -> float | None:
    if value is not None and (type(value) not in (int, float) or value != value):  # noqa: PLR0124 - NaN
        raise ValueError(f"{value!r} where a number was expected")
    return None if value is None else float(value)


def _refused(path: Path | str, why: str) -> InputError:
    return InputError(f"{path} is not a pattern of DeepMRI: {why}. Give the pattern.json that igs find has written.")
