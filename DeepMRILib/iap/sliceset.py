"""Slices with known parameters: what networks are trained, calibrated and scored on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.iap.parameters import BY_NAME, Value


@dataclass(frozen=True, eq=False)
class SliceSet:
    """Slices of many series.

    Attributes:
        slices: n arrays (rows, columns) of raw pixels; of any sizes.
        values: parameter to n values; None (of numbers also NaN) where it is not known.
        series: (n,) of which series each is, a text.
        patients: (n,) of which patient each is; sets are divided by it.
        notes: what a reader must know, one sentence each.

    Raises:
        InputError: lengths that differ, slices that are not 2D, unknown parameters.
    """

    slices: Sequence[NDArray]
    values: Mapping[str, Sequence[Value]]
    series: NDArray
    patients: NDArray
    notes: tuple[str, ...] = ()
    extra: dict[str, NDArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.slices)
        if n == 0:
            raise InputError("There are no slices. Give at least one image.")
        if any(np.ndim(one) != 2 for one in self.slices):
            raise InputError("Slices are 2D arrays of grey values (rows, columns).")
        for name, values in self.values.items():
            if name not in BY_NAME:
                raise InputError(f"{name!r} is no acquisition parameter; there are {', '.join(BY_NAME)}.")
            if len(values) != n:
                raise InputError(f"There are {len(values)} values of {name} for {n} slices.")
        for what in ("series", "patients"):
            array = np.asarray(getattr(self, what)).astype(str)
            if array.shape != (n,):
                raise InputError(f"There are {array.size} {what} for {n} slices; give one for each.")
            object.__setattr__(self, what, array)

    def __len__(self) -> int:
        return len(self.slices)

    def subset(self, rows: ArrayLike) -> SliceSet:
        """The slices of these numbers."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        values = {name: [entries[row] for row in rows] for name, entries in self.values.items()}
        extra = {name: array[rows] for name, array in self.extra.items()}
        return SliceSet(
            [self.slices[row] for row in rows], values, self.series[rows], self.patients[rows], self.notes, extra
        )

    @classmethod
    def joined(cls, parts: Sequence[SliceSet]) -> SliceSet:
        """All slices of several sets, of which the same is known.

        Raises:
            InputError: none, or sets that know of different parameters.
        """
        if len({(tuple(part.values), tuple(part.extra)) for part in parts}) != 1:
            raise InputError("Sets of slices can be joined where the same parameters are known of all of them.")
        first = parts[0]
        return cls(
            [image for part in parts for image in part.slices],
            {name: [value for part in parts for value in part.values[name]] for name in first.values},
            np.concatenate([part.series for part in parts]),
            np.concatenate([part.patients for part in parts]),
            tuple(dict.fromkeys(note for part in parts for note in part.notes)),
            {name: np.concatenate([part.extra[name] for part in parts]) for name in first.extra},
        )
