"""k-space in NumPy's files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.igs.coils import combined_dataset
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.slicing import even_rows

NAME = re.compile(r"\.(npy|npz(:[^:/\\]+)?)$", re.IGNORECASE)
"""Names of array files, with the array's name in an .npz where one is meant."""
_NEAR = 8
"""DC is where the signal is largest: within an eighth of the size from where it should be."""


def slices_of_array(path: Path, options: DataOptions, most: int = 0) -> SliceDataset:
    """Slices of the k-space in a .npy or .npz file: complex (h, w), (coils, h, w) or (slices, coils, h, w).

    Rows are the readout where lines are meant, columns are phase-encoded.

    Args:
        path: also scan.npz:NAME.
        options: ``coils`` and ``slice_axis`` are used.
        most: slices to take, spread evenly; 0 takes all.

    Raises:
        InputError: no such file, damaged, real numbers, or another number of axes.
    """
    kspace = files.read_array(path)
    name = path.name
    if kspace.dtype.kind != "c":
        raise InputError(
            f"{name} holds real numbers of shape {kspace.shape}; complex k-space (slices, coils, rows, columns) was "
            "expected. Give images as NIfTI, and k-space with its real and imaginary parts as complex numbers."
        )
    if kspace.ndim not in (2, 3, 4) or 0 in kspace.shape:
        raise InputError(
            f"{name} holds k-space of shape {kspace.shape}; expected (rows, columns), (coils, rows, columns) or "
            "(slices, coils, rows, columns)."
        )
    if not np.isfinite(kspace).all():
        raise InputError(f"{name} holds NaN or infinite values. Replace them, by 0 for instance.")
    kspace = kspace.reshape((1,) * (4 - kspace.ndim) + kspace.shape)
    kspace, notes = _centred(kspace[even_rows(len(kspace), most)])
    case = re.sub(NAME, "", name)
    return combined_dataset(kspace[:, None], options, cases=[case] * len(kspace), notes=notes)


def _centred(kspace: NDArray) -> tuple[NDArray, tuple[str, ...]]:
    """k-space with DC in the middle, and a note where it was at the corner, or is nowhere."""
    power = np.abs(kspace).sum(axis=(0, 1))
    shape = np.array(power.shape)
    peak = np.array(np.unravel_index(power.argmax(), power.shape))
    if (np.abs(peak - shape // 2) * _NEAR <= shape).all():
        return kspace, ()
    if (np.minimum(peak, shape - peak) * _NEAR <= shape).all():
        return np.fft.fftshift(kspace, axes=(-2, -1)), ("DC was at the corner of k-space, and was put in the middle.",)
    where = " and ".join(f"{name} {place}" for name, place in zip(("row", "column"), peak, strict=True))
    return kspace, (f"The largest value is at {where}, far from the middle: make sure that this is k-space.",)
