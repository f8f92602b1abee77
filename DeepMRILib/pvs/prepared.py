"""A brain as the engines take it, and the way back to the user's grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.engine import Problem
from DeepMRILib.pvs.resample import onto
from DeepMRILib.volume import Volume


@dataclass(frozen=True, eq=False)
class Prepared:
    """One brain in the box of 1 mm, with what ties it to the user's images.

    Attributes:
        problem: what the engines are given.
        native: the main image as it was given: the T1, or the T2 when there is no T1.
        brain: bool on the native grid: the user's own mask exactly, else the approximate one.
        given_brain: whether the user gave the mask.
        labels_native: int32 on the native grid, the parcellation's nearest labels; None without a parcellation.
        qc: rows of the table of quality control: ``check``, ``value``, ``unit``, ``verdict`` (good, look, bad or
            nothing) and ``meaning``, one sentence.
        notes: what a reader must know, one sentence each.
    """

    problem: Problem
    native: Volume
    brain: NDArray
    given_brain: bool
    labels_native: NDArray | None
    qc: list[dict[str, Any]]
    notes: tuple[str, ...] = ()

    def to_native(self, array: NDArray, order: int = 1) -> NDArray:
        """Values of the box at the voxels of the native image, 0 outside the box.

        Args:
            array: (160, 214, 176) numbers.
            order: 1 linear, as float32, for probabilities; 0 the nearest voxel, of the array's type, for labels.
        """
        values = np.asarray(array)
        if values.dtype == bool:
            values = values.astype(np.uint8)
        return onto(values, self.problem.affine, self.native.affine, self.native.shape, order=order)
