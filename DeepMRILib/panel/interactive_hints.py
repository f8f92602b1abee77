"""What the InteractiveSeg panel says of the points: a word for each, and sentences below them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.points import FEWEST, SIDES, Hint, hints, missing_sides, side_names
from DeepMRILib.interactive.prompts import inside_only
from DeepMRILib.mrml.points import definedPoints, pointsFromFiducials
from DeepMRILib.mrml.volumes import volumeFromNode

State = Literal["empty", "inside", "outside", "fault"]
COLOURS: dict[State, str] = {"inside": "#18938a", "outside": "#e34d42", "fault": "#cc6a00"}
"""Each has a contrast above 3 to the light and to the dark theme, as WCAG asks of signs."""
FAULT_SIGN = f'<span style="color:{COLOURS["fault"]}"><b>&#9650;</b></span>'
MOST_SENTENCES = 3


@dataclass(frozen=True)
class Slot:
    """One point, or a side that still has none.

    Attributes:
        name: what it is called.
        state: empty, a point inside or outside of the lesion, or one that something is wrong with.
        remark: what is wrong, in a word or two.
        mark: what stands beside it in the views: the first letter of its side; nothing beside outside points.
        node, index: its control point; None and -1 while it is empty.
        position: in RAS mm.
    """

    name: str
    state: State = "empty"
    remark: str = ""
    mark: str = ""
    node: Any = None
    index: int = -1
    position: tuple[float, ...] = ()

    @property
    def text(self) -> str:
        """What the panel writes."""
        return f"{self.name}: {self.remark}" if self.remark else self.name


@dataclass(frozen=True)
class Told:
    """What the panel tells of the points.

    Attributes:
        slots: for each of the six sides, for each further and for each outside point.
        faults: sentences about what looks wrong.
        following: what is still to be done.
    """

    slots: tuple[Slot, ...] = ()
    faults: tuple[str, ...] = ()
    following: str = ""

    @property
    def text(self) -> str:
        """The sentences as rich text."""
        lines = [f"{FAULT_SIGN} {html.escape(sentence)}" for sentence in self.faults]
        return "<br>".join([*lines, html.escape(self.following)] if self.following else lines)

    @property
    def essence(self) -> tuple[Any, ...]:
        """All but the exact places, which change at every move of the mouse."""
        return tuple((slot.text, slot.state) for slot in self.slots), self.faults, self.following

    def says(self, text: str) -> bool:
        """Whether a message only repeats what is said here."""
        return any(text.startswith(sentence) for sentence in self.faults)


def tell(parameters: Any) -> Told:
    """Look at the points that are chosen."""
    volumeNode = parameters.inputVolume
    empty = tuple(Slot(_name(side)) for side in SIDES)
    if volumeNode is None:
        return Told(empty, following=_("Choose an image first."))
    try:
        volume = volumeFromNode(volumeNode)
    except InputError as error:
        return Told(empty, (str(error),))
    points = _positions(parameters.points, volumeNode)
    # a list that is chosen for both (which Apply tells of) has one meaning in the slots: their names stay as they are
    outside = None if parameters.negativePoints is parameters.points else parameters.negativePoints
    negative = _positions(outside, volumeNode)
    found = _once(hints(points, volume, parameters.depth)) if len(points) else []
    lost = [n for n, point in enumerate(negative) if not len(inside_only(point[None], volume))]
    sentences = [hint.text for hint in found][:MOST_SENTENCES]
    sentences += [
        _("Outside point {number} lies beyond the image and tells nothing.").format(number=n + 1) for n in lost
    ]
    entries = _inside(parameters.points, points, found) + _outside(outside, negative, lost)
    return Told(tuple(entries), tuple(sentences), _next(points))


def _positions(node: Any, volumeNode: Any) -> NDArray:
    return np.zeros((0, 3)) if node is None else pointsFromFiducials(node, volumeNode)


def _inside(node: Any, points: NDArray, found: Sequence[Hint]) -> list[Slot]:
    """The six sides in their order, then the further points."""
    remarks = _remarks(found)
    indices = definedPoints(node) if node is not None else []
    placed: dict[str, Slot] = {}
    further = []
    for row, (side, point) in enumerate(zip(side_names(points), points, strict=True)):
        state: State = "fault" if row in remarks else "inside"
        name = _name(side) if side in SIDES else _("Inside {number}").format(number=len(further) + 1)
        mark = side[0].upper() if side in SIDES else "+"
        slot = Slot(name, state, remarks.get(row, ""), mark, node, indices[row], tuple(point.tolist()))
        if side in SIDES:
            placed[side] = slot
        else:
            further.append(slot)
    return [placed.get(side, Slot(_name(side))) for side in SIDES] + further


def _outside(node: Any, points: NDArray, lost: Sequence[int]) -> list[Slot]:
    indices = definedPoints(node) if node is not None else []
    return [
        Slot(
            _("Outside {number}").format(number=row + 1),
            "fault" if row in lost else "outside",
            _("not in the image") if row in lost else "",
            "",
            node,
            indices[row],
            tuple(point.tolist()),
        )
        for row, point in enumerate(points)
    ]


def _once(found: Sequence[Hint]) -> list[Hint]:
    """Of two things that are said about the same points, the first."""
    firsts: dict[tuple[int, ...], Hint] = {}
    for hint in found:
        firsts.setdefault(hint.points, hint)
    return list(firsts.values())


def _remarks(found: Sequence[Hint]) -> dict[int, str]:
    words = {
        "outside": _("not in the image"),
        "no value": _("no value here"),
        "close": _("too close"),
        "side": _("same side?"),
    }
    return {point: words[hint.kind] for hint in reversed(found) if hint.kind in words for point in hint.points}


def _next(points: NDArray) -> str:
    """What is still to be placed."""
    if len(points) == 0:
        return _(
            "Press Place points and click just inside the lesion's margin: the outermost on each of its six sides."
        )
    if len(points) >= FEWEST:
        return ""
    sides = [_name(side).lower() for side in missing_sides(points)]
    listed = (
        sides[0] if len(sides) == 1 else _("{first} and {last}").format(first=", ".join(sides[:-1]), last=sides[-1])
    )
    return _("Still to place: {sides}.").format(sides=listed)


def _name(side: str) -> str:
    names = {
        "left": _("Left"),
        "right": _("Right"),
        "posterior": _("Posterior"),
        "anterior": _("Anterior"),
        "inferior": _("Inferior"),
        "superior": _("Superior"),
    }
    return names[side]
