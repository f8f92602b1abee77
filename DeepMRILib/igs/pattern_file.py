"""Reading pattern.json; anything in it is checked, as it may come from anywhere."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DeepMRILib.errors import InputError

if TYPE_CHECKING:
    from DeepMRILib.igs.pattern import Pattern

LARGEST = 50_000_000
LARGEST_NUMBER = 1e300
MOST_AXES = 2
MOST_POINTS = 2**26
"""Lines or points that a pattern may choose from: its masks take no more than 64 MB."""


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
        values = json.loads(text, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise _refused(place, "it is no JSON") from error
    return _pattern(values, place)


def _pattern(values: Any, path: Path | str) -> Pattern:
    from DeepMRILib.igs.pattern import FORMAT

    if not isinstance(values, dict) or values.get("kind") != "deepmri-pattern":
        raise _refused(path, "it lacks the entry kind: deepmri-pattern")
    if values.get("format") != FORMAT:
        raise InputError(f"The pattern {path} has the format {values.get('format')!r}; this version reads {FORMAT}.")
    try:
        json.dumps(values, ensure_ascii=False).encode()  # half a character cannot be written again
        return _built(values)
    except InputError as error:
        raise InputError(f"{path}: {error} Give the pattern.json that igs find has written.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise _refused(path, f"its entries are not those of a pattern ({error})") from error


def _built(values: dict[str, Any]) -> Pattern:
    from DeepMRILib.igs.pattern import Pattern, Rung

    shape = tuple(_whole(n, 1) for n in values["shape"])
    axes = tuple(_whole(axis, -3) for axis in values["axes"])
    if not 1 <= len(shape) <= MOST_AXES or len(shape) != len(axes):
        raise ValueError("axes that do not match the shape")
    if max(axes) > -1 or list(axes) != sorted(set(axes)):
        raise ValueError(f"the axes {axes}")
    if math.prod(shape) > MOST_POINTS:
        raise ValueError(f"a k-space of {shape}")
    found = Pattern(
        orders=tuple(tuple(_whole(line, 0) for line in order) for order in values["orders"]),
        shape=shape,
        axes=axes,
        losses=tuple(_number(loss) for loss in values["losses"]),
        gradients=tuple(tuple(_number(entry) for entry in row) for row in values["gradients"]),
        rungs=tuple(_rung(Rung, entry, shape) for entry in values["rungs"]),
        about=dict(values["about"]),
        notes=_texts(values["notes"]),
    )
    _check_lengths(found)
    return found


def _check_lengths(pattern: Pattern) -> None:
    """Losses and gradients are of each line, or left out altogether."""
    if pattern.losses and len(pattern.losses) != pattern.lines:
        raise ValueError(f"{len(pattern.losses)} losses of {pattern.lines} lines")
    rows = [len(row) for row in pattern.gradients]
    if rows and rows != [pattern.lines] * len(pattern.orders):
        raise ValueError(f"gradients of {rows} lines")


def _rung(kind: Any, entry: Any, shape: tuple[int, ...]) -> Any:
    winner, shift = entry["winner"], tuple(_whole(one, -(10**6)) for one in entry["block_shift"])
    losses = {name: _number(entry[name]) for name in ("igs", "block", "centre")}
    if winner not in losses or losses[winner] is None or losses["igs"] is None:
        raise ValueError(f"winner {winner!r}")
    if len(shift) != (0 if losses["block"] is None else len(shape)):
        raise ValueError(f"block_shift {shift}")
    lines = _whole(entry["lines"], 1)
    if lines > math.prod(shape):
        raise ValueError(f"{lines} lines of {math.prod(shape)}")
    return kind(lines=lines, block_shift=shift, winner=winner, **losses)


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{values!r} where sentences were expected"[:100])
    return tuple(values)


def _finite(text: str) -> float:
    """A number of the file; NaN and infinity are no JSON."""
    if not math.isfinite(value := float(text)):
        raise ValueError(text)
    return value


def _whole(value: Any, least: int) -> int:
    if type(value) is not int or not least <= value <= 10**9:
        raise ValueError(f"{str(value)[:40]!r} where a whole number was expected")
    return value


def _number(value: Any) -> float | None:
    if value is not None and (type(value) not in (int, float) or abs(value) > LARGEST_NUMBER):
        raise ValueError(f"{str(value)[:40]!r} where a number was expected")
    return None if value is None else float(value)


def _refused(path: Path | str, why: str) -> InputError:
    return InputError(f"{path} is not a pattern of DeepMRI: {why}. Give the pattern.json that igs find has written.")
