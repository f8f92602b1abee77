"""What the numbers that a network puts out stand for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.iap.parameters import BY_NAME, Kind

FOLDER = Path(__file__).parent / "data"
"""Where the layouts of published networks lie, as ``duke_96.json`` and ``duke_47.json``."""


@dataclass(frozen=True)
class Head:
    """The outputs for one parameter.

    Attributes:
        parameter: its name.
        kind: categorical and ordinal heads have a logit for each class; a continuous head has one number, or two, of
            which the second is the logarithm of its standard deviation.
        start, stop: its outputs.
        classes: words, or of an ordinal head numbers in ascending order.
        mean, deviation: of a continuous head: value = mean + deviation * output.
        logarithm: the value is the natural logarithm of the parameter.
        only: a parameter and its classes among which alone this one has a meaning: (``sequence``, (``IR``,)). Of one
            parameter there may be several heads, each for other classes.
    """

    parameter: str
    kind: Kind
    start: int
    stop: int
    classes: tuple[str | float, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0
    logarithm: bool = False
    only: tuple[str, tuple[str, ...]] = ("", ())

    def __post_init__(self) -> None:
        wanted = len(self.classes) if self.kind != "continuous" else self.stop - self.start
        if self.parameter not in BY_NAME or self.stop - self.start != wanted or wanted < 1:
            raise InputError(
                f"The outputs {self.start} to {self.stop} of {self.parameter!r} do not match its {wanted} classes."
            )
        _check_scale(self)
        _check_only(self)

    @property
    def name(self) -> str:
        """Its own among a network's heads: the parameter, and where alone it has a meaning.

        Example:
            >>> Head("echo_time", "continuous", 0, 2, only=("sequence", ("SE", "IR"))).name
            'echo_time, SE or IR'
        """
        return f"{self.parameter}, {' or '.join(self.only[1])}" if self.only[0] else self.parameter

    def outputs(self, logits: NDArray) -> NDArray:
        """Its part (..., n) of all outputs."""
        return logits[..., self.start : self.stop]

    def scaled(self, value: ArrayLike) -> NDArray:
        """A continuous head's parameter on the scale that it is learned on, before it is standardised."""
        return np.log(value) if self.logarithm else np.asarray(value, dtype=float)

    def value(self, output: ArrayLike) -> NDArray:
        """A continuous head's parameter, in its unit, of the (first) output."""
        found = self.mean + self.deviation * np.asarray(output, dtype=float)
        return np.exp(found) if self.logarithm else found


def _check_scale(head: Head) -> None:
    numbers = all(isinstance(one, (int, float)) and math.isfinite(one) for one in (head.mean, head.deviation))
    if head.kind not in get_args(Kind) or not numbers or head.deviation <= 0 or not isinstance(head.logarithm, bool):
        raise InputError(
            f"The outputs of {head.parameter} are {head.kind!r} with mean {head.mean!r}, deviation {head.deviation!r} "
            f"and logarithm {head.logarithm!r}. Kinds are {', '.join(get_args(Kind))}; a deviation is above 0."
        )
    if len(set(head.classes)) < len(head.classes):
        raise InputError(f"{head.parameter} has a class twice. Name each once.")


def _check_only(head: Head) -> None:
    name, words = head.only
    fits = name in BY_NAME and name != head.parameter and words and all(isinstance(word, str) for word in words)
    if (name or words) and not fits:
        raise InputError(f'{head.parameter} has a meaning "only" with {head.only!r}. Give another parameter and words.')


@dataclass(frozen=True)
class Layout:
    """All heads of a network.

    Raises:
        InputError: none, heads that overlap or leave gaps, or two for the same.
    """

    heads: tuple[Head, ...]

    def __post_init__(self) -> None:
        if not self.heads:
            raise InputError("A layout has one head or more.")
        ends = [0, *(head.stop for head in self.heads)]
        if [head.start for head in self.heads] != ends[:-1]:
            raise InputError("The heads of a layout follow each other without gaps.")
        for several in self.by_parameter.values():
            _check_alternatives(several, self.head(several[0].only[0]))

    @property
    def by_parameter(self) -> dict[str, tuple[Head, ...]]:
        """The heads of each parameter: one, or one for each of another parameter's classes."""
        names = dict.fromkeys(head.parameter for head in self.heads)
        return {name: tuple(head for head in self.heads if head.parameter == name) for name in names}

    @property
    def outputs(self) -> int:
        """How many numbers the network puts out."""
        return self.heads[-1].stop

    def head(self, parameter: str) -> Head | None:
        """The (first) head of a parameter, None where the network does not tell it."""
        return next((head for head in self.heads if head.parameter == parameter), None)

    def to_json(self) -> list[dict[str, Any]]:
        """JSON values."""
        return [asdict(head) for head in self.heads]

    @classmethod
    def from_json(cls, values: list[Mapping[str, Any]]) -> Layout:
        """What ``to_json`` gave.

        Raises:
            InputError: not a layout.
        """
        try:
            heads = []
            for entry in values:
                only = entry.get("only") or ("", ())
                words = only[1] if isinstance(only[1], (list, tuple)) else (only[1],)
                given = {**entry, "classes": tuple(entry.get("classes", ())), "only": (only[0], tuple(words))}
                heads.append(Head(**given))
            return cls(tuple(heads))
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            raise InputError(
                f"This is no layout of outputs ({error}). Give one as `deepmri iap train` writes."
            ) from error


def _check_alternatives(heads: tuple[Head, ...], other: Head | None) -> None:
    """Several heads of one parameter go with different classes of one other, and are of numbers on one scale."""
    if len(heads) == 1:
        return
    words = [word for head in heads for word in head.only[1]]
    alike = {(head.only[0], head.kind, head.logarithm) for head in heads}
    unknown = other is None or not set(words) <= set(other.classes)
    if len(alike) > 1 or unknown or heads[0].kind != "continuous" or len(set(words)) < len(words):
        raise InputError(
            f"{heads[0].parameter} has {len(heads)} heads that do not go together. Several heads of one parameter are "
            "of numbers on one scale, each for other classes of one other parameter that the network tells, too."
        )


def published_layout(outputs: int) -> Layout | None:
    """The layout of the published network with this many outputs (96 or 47), None where there is none."""
    path = FOLDER / f"duke_{outputs}.json"
    return Layout.from_json(json.loads(path.read_text(encoding="utf-8"))["heads"]) if path.is_file() else None
