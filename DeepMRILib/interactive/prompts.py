"""What the user said: points of each label, and points where no label is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.points import check_points, coincident
from DeepMRILib.volume import Volume

DEFAULT_LABEL = "lesion"
MOST_LABELS = 100
FARTHEST = 1e7
"""mm from the origin: no image reaches there, and numbers much larger cannot be reckoned with."""

Points = ArrayLike | Mapping[str, ArrayLike]
"""Points (n, 3) of one label in RAS mm, or such points by the name of their label."""


@dataclass(frozen=True, eq=False)
class Prompts:
    """Checked points.

    Attributes:
        positive: name of each label to its points (n, 3) in RAS mm, at least six.
        negative: (m, 3) points in RAS mm where no label is.
    """

    positive: dict[str, NDArray]
    negative: NDArray

    @classmethod
    def of(cls, points: Points, negative: ArrayLike | None, volume: Volume) -> Prompts:
        """The points as given by a user.

        Raises:
            InputError: fewer than six points of a label, not finite, outside the image, two in one place, all in one
                plane, too many labels, or a point where no label is that lies on a point of a label.
        """
        given = dict(points) if isinstance(points, Mapping) else {DEFAULT_LABEL: points}
        if not given or len(given) > MOST_LABELS:
            raise InputError(f"{len(given)} labels were given; from 1 to {MOST_LABELS} can be segmented at once.")
        positive = {str(name): as_points(values, str(name)) for name, values in given.items()}
        if len(positive) < len(given):
            raise InputError(f"Two labels have one name: {', '.join(map(str, given))}. Give each a name of its own.")
        for name, values in positive.items():
            check_points(values, volume, name=name if len(positive) > 1 else "")
        outside = inside_only(as_points(() if negative is None else negative, "negative points"), volume)
        _check_apart(positive, outside, volume)
        return cls(positive, outside)

    @property
    def all_positive(self) -> NDArray:
        """The points of all labels (n, 3)."""
        return np.concatenate(list(self.positive.values()))


def as_points(values: ArrayLike, name: str) -> NDArray:
    """Points as floats (n, 3).

    Raises:
        InputError: another shape, or an entry that is no finite number or one that no image reaches.
    """
    try:
        points = np.asarray(values).astype(float, casting="same_kind")  # which refuses texts and complex numbers
    except (TypeError, ValueError) as error:
        raise InputError(f"The points of {name} are no numbers; expected (n, 3) in RAS mm.") from error
    points = points.reshape(0, 3) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 3:
        raise InputError(f"The points of {name} have shape {points.shape}; expected (n, 3) in RAS mm.")
    if not np.isfinite(points).all():
        row = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0]) + 1
        raise InputError(f"Point {row} of {name} is not a finite position in RAS mm. Place it again.")
    if (far := np.abs(points).max(axis=1, initial=0) > FARTHEST).any():
        raise InputError(
            f"Point {int(np.flatnonzero(far)[0]) + 1} of {name} lies kilometres away; expected a position in RAS mm. "
            "Place it again."
        )
    return points


def inside_only(points: NDArray, volume: Volume) -> NDArray:
    """Negative points in the image; those outside say nothing that is not known."""
    indices = np.rint(volume.voxel_from_ras(points)) if len(points) else points
    return points[((indices >= 0) & (indices < volume.shape)).all(axis=1)]


def _check_apart(positive: Mapping[str, NDArray], negative: NDArray, volume: Volume) -> None:
    """Refuse one place that is said to be of two labels, or of one and of none: nothing sensible follows from it.

    Raises:
        InputError: names both points.
    """
    of = {name: f" of {name}" if len(positive) > 1 else "" for name in positive}
    called = [f"point {n}{of[name]}" for name, points in positive.items() for n in range(1, len(points) + 1)]
    called += [f"negative point {n}" for n in range(1, len(negative) + 1)]
    owner = np.repeat(np.arange(len(positive) + 1), [*map(len, positive.values()), len(negative)])
    for first, second, _ in coincident(np.concatenate([*positive.values(), negative]), volume):
        if owner[first] != owner[second]:
            raise InputError(
                f"P{called[first][1:]} and {called[second]} lie in the same place, which cannot belong to both. "
                "Delete or move one of them."
            )
