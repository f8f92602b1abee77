"""Settings: written once, as the fields of a frozen dataclass, and read from there by every door.

A setting's name, type, default, range, unit and help stand in one place::

    @dataclass(frozen=True)
    class FitOptions:
        method: Literal["lsq"] = option("lsq", "How the curve is fitted")
        b_max: float = option(1000.0, "Leave out images above this b-value", unit="s/mm2", range=(0, 1e5))

The command line, the worker's JSON, the panel's parameter node, the tooltips and the table in the docs are all
made from that. Types: bool, int, float, str, Literal of words, Path, and tuples of these.

No setting is None: the doors could not show it. "None" is a word among the choices (``Literal["none", "z-score"]``),
0 of a number (``0 takes all samples``, said in its help), an empty text or an empty tuple. A file is no setting but
an input, and an input may be left out.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from DeepMRILib.errors import InputError

Options = TypeVar("Options")
SCALAR_TYPES = (bool, int, float, str, Path)
_LARGEST_INTEGER = 2**63 - 1
_MANY_DIGITS = 10**19


def option(
    default: Any,
    help: str,  # noqa: A002 - the word that command lines use
    *,
    unit: str = "",
    range: tuple[float, float] | None = None,  # noqa: A002
    advanced: bool = False,
    label: str = "",
) -> Any:
    """A dataclass field that is one setting.

    Args:
        default: its value when nothing is said.
        help: one sentence for the command line's help, the panel's tooltip and the docs; no full stop.
        unit: the unit of its value, e.g. ``"s/mm2"``.
        range: lowest and highest value allowed, both included; for a tuple, of each entry.
        advanced: shown in the panel's Advanced section rather than at the top.
        label: what the panel writes beside it; by default the name in words.
    """
    metadata = {"help": help, "unit": unit, "range": range, "advanced": advanced, "label": label}
    return dataclasses.field(default=default, metadata=metadata)


def number_text(value: float) -> str:
    """A number as people write it: whole ones with all their digits, huge ones by their size.

    Example:
        >>> number_text(2147483647), number_text(1e5), number_text(0.5), number_text(10**400)
        ('2147483647', '100000', '0.5', 'about 1e+400')
    """
    if isinstance(value, int) and abs(value) >= _MANY_DIGITS:
        return f"about {'-' * (value < 0)}1e+{int(math.log10(abs(value)))}"
    whole = math.isfinite(value) and abs(value) < _MANY_DIGITS and value == int(value)
    return str(int(value)) if whole else f"{value:g}"


@dataclass(frozen=True)
class Setting:
    """One setting of an options class, as every door sees it.

    Attributes:
        kind: bool, int, float, str, Path or Literal; of the entries when it is a tuple.
        length: None for a plain value, the number of entries of a tuple, 0 for a tuple of any length.
    """

    name: str
    kind: Any
    default: Any
    help: str
    unit: str
    range: tuple[float, float] | None
    choices: tuple[Any, ...]
    length: int | None
    advanced: bool
    label: str

    @property
    def tooltip(self) -> str:
        """Help, unit and range in one sentence."""
        details = [self.unit] if self.unit else []
        if self.range is not None:
            details.append(f"{number_text(self.range[0])} to {number_text(self.range[1])}")
        return self.help + (f" ({', '.join(details)})" if details else "") + "."


def settings(options_type: type) -> tuple[Setting, ...]:
    """The settings of an options class, in their order.

    Raises:
        TypeError: a field has a type that the doors cannot show; found when the class is tested, not by a user.
    """
    hints = typing.get_type_hints(options_type)
    return tuple(_setting(item, hints[item.name]) for item in dataclasses.fields(options_type))


def _setting(item: dataclasses.Field, hint: Any) -> Setting:
    kind, length = _entry_type(item.name, hint)
    if item.default is None:
        raise TypeError(f"{item.name}: no setting is None; a word, 0 or an empty text says that there is none")
    meta = item.metadata
    return Setting(
        name=item.name,
        kind=Literal if typing.get_origin(kind) is Literal else kind,
        default=item.default,
        help=meta.get("help", ""),
        unit=meta.get("unit", ""),
        range=meta.get("range"),
        choices=typing.get_args(kind) if typing.get_origin(kind) is Literal else (),
        length=length,
        advanced=meta.get("advanced", False),
        label=meta.get("label") or item.name.replace("_", " ").capitalize(),
    )


def _entry_type(name: str, hint: Any) -> tuple[Any, int | None]:
    length: int | None = None
    if typing.get_origin(hint) is tuple:
        entries = typing.get_args(hint)
        length = 0 if len(entries) == 2 and entries[1] is Ellipsis else len(entries)
        if length and len(set(entries)) != 1:
            raise TypeError(f"{name}: the entries of a tuple setting share one type, not {hint}")
        hint = entries[0]
    if hint not in SCALAR_TYPES and typing.get_origin(hint) is not Literal:
        raise TypeError(
            f"{name}: a setting is a bool, int, float, str, Path, Literal or a tuple of one of them, not {hint}"
        )
    if typing.get_origin(hint) is Literal and not all(isinstance(choice, str) for choice in typing.get_args(hint)):
        raise TypeError(f"{name}: the choices of a setting are words, as the doors show them, not {hint}")
    return hint, length


def validate(options: Options) -> Options:
    """The same options with int and float in their declared types, or an InputError naming the first bad setting.

    Raises:
        InputError: a value of the wrong type, not among the choices, out of range or not finite.
    """
    changes = {item.name: _checked(item, getattr(options, item.name)) for item in settings(type(options))}
    return dataclasses.replace(options, **changes)


def _checked(item: Setting, value: Any) -> Any:
    if item.length is None:
        return _checked_entry(item, value)
    if not isinstance(value, (tuple, list)):
        raise InputError(f"{item.name} takes several values; got {value!r}. {item.tooltip}")
    if item.length and len(value) != item.length:
        raise InputError(f"{item.name} takes {item.length} values; got {len(value)}. {item.tooltip}")
    return tuple(_checked_entry(item, entry) for entry in value)


def _checked_entry(item: Setting, value: Any) -> Any:
    if item.kind is Literal:
        if value not in item.choices:
            raise InputError(f"{item.name} is {value!r}; choose one of {', '.join(map(str, item.choices))}.")
        return value
    value = _converted(item, value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{item.name} is {value}; it must be a finite number. {item.tooltip}")
    if item.range is not None and not item.range[0] <= value <= item.range[1]:
        unit = f" {item.unit}" if item.unit else ""
        raise InputError(
            f"{item.name} is {number_text(value)}{unit}; it must lie between {number_text(item.range[0])} and "
            f"{number_text(item.range[1])}{unit}."
        )
    if item.kind is int and abs(value) > _LARGEST_INTEGER:
        raise InputError(f"{item.name} is {number_text(value)}; the largest whole number is {_LARGEST_INTEGER}.")
    return value


def _converted(item: Setting, value: Any) -> Any:
    """The value in the setting's type where nothing is lost by it: 3 for 3.0, a Path for a str."""
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    if item.kind is float and numeric:
        try:
            return float(value)
        except OverflowError:
            raise InputError(f"{item.name} is {number_text(value)}, which is too large. {item.tooltip}") from None
    if item.kind is int and numeric and (isinstance(value, int) or value.is_integer()):
        return int(value)
    if item.kind is Path and isinstance(value, (str, Path)):
        return Path(value)
    if item.kind in (bool, str) and isinstance(value, item.kind):
        return value
    shown = number_text(value) if numeric else repr(value)
    raise InputError(f"{item.name} is {shown}; it must be of type {item.kind.__name__}. {item.tooltip}")


def to_json(options: Any) -> dict[str, Any]:
    """Options as plain JSON values; paths as text."""
    return {item.name: _plain(getattr(options, item.name)) for item in settings(type(options))}


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def from_json(options_type: type[Options], values: Mapping[str, Any]) -> Options:
    """Checked options from JSON values; what is not given keeps its default.

    Raises:
        InputError: a name that is no setting, or a bad value.
    """
    known = {item.name for item in settings(options_type)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise InputError(
            f"{unknown[0]} is not a setting of {options_type.__name__}; it has {', '.join(sorted(known))}."
        )
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return validate(options_type(**given))


def markdown_table(options_type: type) -> str:
    """The docs table of an options class."""
    rows = ["| setting | default | range | what it does |", "|---|---|---|---|"]
    for item in settings(options_type):
        allowed = ", ".join(map(str, item.choices)) or _range_text(item)
        allowed = f"{allowed} {item.unit}".strip()
        rows.append(f"| `{item.name}` | `{_shown(item.default)}` | {allowed} | {item.help} |")
    return "\n".join(rows)


def _range_text(item: Setting) -> str:
    return " to ".join(number_text(end) for end in item.range or ())


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value)
