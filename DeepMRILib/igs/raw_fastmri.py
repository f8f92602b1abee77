"""Raw data as fastMRI stores them: a file per scan, fully sampled or with the mask of a test set."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs import hdf5
from DeepMRILib.igs.coils import combined_dataset
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.kspace import from_kspace
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.raw_header import read_header
from DeepMRILib.igs.slicing import even_rows, fitted
from DeepMRILib.igs.splitting import with_notes

RECONSTRUCTIONS = ("reconstruction_rss", "reconstruction_esc")
_COPIES = 6
"""k-space, its Fourier transform with what that needs, the images of the coils and their combination."""
_ALIKE = 0.98


def is_fastmri(file: Any) -> bool:
    """Whether an open HDF5 file has fastMRI's layout."""
    return hdf5.member(file, "kspace") is not None


def patient(file: Any) -> str:
    """The patient of an open file, empty where it does not say."""
    return str(file.attrs.get("patient_id", ""))


def slices_of_fastmri(path: Path, options: DataOptions, most: int = 0) -> SliceDataset:
    """Slices of a fastMRI file: ``kspace`` (slices, h, w) of one coil, or (slices, coils, h, w).

    Rows are the readout. Where the file holds a reconstruction with fewer rows, the readout was oversampled and the
    images are cut to those rows; columns, which are phase-encoded, are all kept.

    Args:
        path: of the .h5 file.
        options: ``coils`` and ``slice_axis`` are used.
        most: slices to read, spread evenly; 0 reads all.

    Raises:
        InputError: damaged, or not fastMRI's layout.
    """
    with hdf5.opened(path) as file:
        stored = hdf5.dataset(path, file, "kspace")
        if stored is None or stored.dtype.kind != "c" or stored.ndim not in (3, 4) or 0 in stored.shape:
            what = "no array" if stored is None else f"an array of shape {stored.shape} and type {stored.dtype}"
            raise InputError(
                f"{path.name} holds {what} as kspace; fastMRI's files hold complex numbers (slices, rows, columns) or "
                "(slices, coils, rows, columns)."
            )
        chosen = even_rows(stored.shape[0], most)
        hdf5.check_room(path, _COPIES * 8 * len(chosen) * int(np.prod(stored.shape[1:])))
        kspace = stored[chosen].astype(np.complex64, copy=False)
        reconstruction = _reconstruction(path, file, int(chosen[len(chosen) // 2]))
        case = patient(file) or path.stem
        spacing, notes = _spacing(path, file, kspace.shape)
    if not np.isfinite(kspace).all():
        raise InputError(f"{path.name} holds NaN or infinite values in its k-space.")
    if kspace.ndim == 3:
        kspace = kspace[:, None]
    rows = 0 if reconstruction is None else min(kspace.shape[-2], reconstruction.shape[-2])
    dataset = combined_dataset(
        kspace[:, None], options, cases=[case] * len(kspace), spacing=spacing, rows=rows, notes=notes
    )
    said = _comparison(kspace[len(kspace) // 2], reconstruction)
    return with_notes(dataset, said) if said else dataset


def _reconstruction(path: Path, file: Any, row: int) -> NDArray | None:
    """One slice of the reconstruction in the file, where there is one of that size."""
    for name in RECONSTRUCTIONS:
        stored = hdf5.dataset(path, file, name)
        if stored is not None and stored.ndim == 3 and row < stored.shape[0] and stored.dtype.kind == "f":
            return stored[row]
    return None


def _spacing(path: Path, file: Any, shape: tuple[int, ...]) -> tuple[tuple[float, float], tuple[str, ...]]:
    """Of pixels, from the header that fastMRI copies from ISMRMRD, where it can be read."""
    stored = hdf5.dataset(path, file, "ismrmrd_header")
    if stored is None or find_spec("ismrmrd") is None:
        return (1.0, 1.0), (f"The pixel spacing of {path.name} is not known; 1 mm was taken.",)
    header = read_header(stored[()], path.name)
    return (header.fov[0] / shape[-2], header.fov[1] / shape[-1]), ()


def _comparison(kspace: NDArray, reconstruction: NDArray | None) -> str:
    """A note where the reconstruction in the file is another image than that of its k-space."""
    if reconstruction is None:
        return ""
    ours = fitted(np.sqrt((np.abs(from_kspace(kspace, (-2, -1))) ** 2).sum(axis=0)), reconstruction.shape)
    if not ours.std() or not reconstruction.std():
        return ""
    alike = np.corrcoef(ours.ravel(), reconstruction.ravel())[0, 1]
    if alike >= _ALIKE:
        return ""
    return f"The reconstruction in the file differs from the image of its k-space (correlation {alike:.2f})."
