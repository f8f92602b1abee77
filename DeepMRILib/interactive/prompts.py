"""What the user said: points of each label, and points where no label is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.points import check_points
from DeepMRILib.volume import Volume

DEFAULT_LABEL = "lesion"
MOST_LABELS = 100

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
                plane, or too many labels.
        """
        given = dict(points) if isinstance(points, Mapping) else {DEFAULT_LABEL: points}
        if not given or len(given) > MOST_LABELS:
            raise InputError(f"{len(given)} labels were given; from 1 to {MOST_LABELS} can be segmented at once.")
        positive = {str(name): as_points(values, str(name)) for name, values in given.items()}
        for name, values in positive.items():
            check_points(values, volume, name=name if len(positive) > 1 else "")
        outside = as_points(() if negative is None else negative, "negative points")
        return cls(positive, inside_only(outside, volume))

    @property
    def all_positive(self) -> NDArray:
        """The points of all labels (n, 3)."""
        return np.concatenate(list(self.positive.values()))


def as_points(values: ArrayLike, name: str) -> NDArray:
    """Points as floats (n, 3).

    Raises:
        InputError: another shape, or an entry that is no finite number.
    """
    try:
        points = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"The points of {name} are no numbers; expected (n, 3) in RAS mm.") from error
    points = points.reshape(0, 3) if points.size == 0 else points
    if points.ndim != 2 or points.shape[1] != 3:
        raise InputError(f"The points of {name} have shape {points.shape}; expected (n, 3) in RAS mm.")
    if not np.isfinite(points).all():
        row = int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0]) + 1
        raise InputError(f"Point {row} of {name} is not a finite position in RAS mm. Place it again.")
    return points


def inside_only(points: NDArray, volume: Volume) -> NDArray:
    """Negative points in the image; those outside say nothing that is not known."""
    indices = np.rint(volume.voxel_from_ras(points)) if len(points) else points
    return points[((indices >= 0) & (indices < volume.shape)).all(axis=1)]
