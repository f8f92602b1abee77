"""Writers of raw data for the tests of KSpaceIGS: fastMRI's layout, and ISMRMRD by its own package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import h5py
import ismrmrd
import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.kspace import to_kspace


def object_images(n: int = 2, h: int = 24, w: int = 20) -> NDArray:
    """(n, h, w) float: a bright ellipse with a darker one, that moves from slice to slice."""
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    slices = [
        ((x / 0.8) ** 2 + (y / 0.7) ** 2 < 1) - 0.5 * (((x - 0.1 * row) / 0.3) ** 2 + ((y - 0.2) / 0.3) ** 2 < 1)
        for row in range(n)
    ]
    return np.maximum(np.stack(slices), 0)


def coil_maps(coils: int, h: int, w: int) -> NDArray:
    """(coils, h, w) complex sensitivities, smooth, the root of the sum of squares 1."""
    y, x = np.meshgrid(np.linspace(-1, 1, h), np.linspace(-1, 1, w), indexing="ij")
    angles = 2 * np.pi * np.arange(coils) / coils
    maps = [np.exp(-((x - np.cos(a)) ** 2 + (y - np.sin(a)) ** 2) / 2 + 1j * (a + 0.4 * x)) for a in angles]
    return np.stack(maps) / np.sqrt((np.abs(maps) ** 2).sum(axis=0))


def multi_coil(images: NDArray, coils: int) -> NDArray:
    """k-space (n, coils, h, w) of images (n, h, w)."""
    return to_kspace(images[:, None] * coil_maps(coils, *images.shape[1:]), (-2, -1)).astype(np.complex64)


def write_fastmri(path: Path, kspace: NDArray, *, rows: int = 0, patient: str = "", header: bytes = b"") -> Path:
    """A file as fastMRI's: with the reconstruction cut to ``rows`` where they are given."""
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace
        if rows:
            images = np.fft.fftshift(
                np.fft.ifft2(np.fft.ifftshift(kspace, axes=(-2, -1)), norm="ortho", axes=(-2, -1)), axes=(-2, -1)
            )
            magnitude = np.abs(images) if kspace.ndim == 3 else np.sqrt((np.abs(images) ** 2).sum(axis=1))
            start = kspace.shape[-2] // 2 - rows // 2
            name = "reconstruction_esc" if kspace.ndim == 3 else "reconstruction_rss"
            file[name] = magnitude[:, start : start + rows].astype(np.float32)
        if header:
            file["ismrmrd_header"] = header
        if patient:
            file.attrs["patient_id"] = patient
        file.attrs["acquisition"] = "CORPD_FBK"
    return path


def xml_header(
    matrix: tuple[int, int, int],
    *,
    trajectory: str = "cartesian",
    oversampling: int = 1,
    centre: int | None = None,
    edge: float = 2.0,
) -> bytes:
    """The header of a scan with voxels of ``edge`` mm."""
    nx, ny, nz = matrix
    centre = ny // 2 if centre is None else centre

    def space(kind: str, x: int) -> str:
        return (
            f"<{kind}><matrixSize><x>{x}</x><y>{ny}</y><z>{nz}</z></matrixSize><fieldOfView_mm><x>{x * edge}</x>"
            f"<y>{ny * edge}</y><z>{nz * edge}</z></fieldOfView_mm></{kind}>"
        )

    def limit(step: int, last: int, middle: int) -> str:
        name = f"kspace_encoding_step_{step}"
        return f"<{name}><minimum>0</minimum><maximum>{last}</maximum><center>{middle}</center></{name}>"

    return (
        '<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><experimentalConditions>'
        "<H1resonanceFrequency_Hz>128000000</H1resonanceFrequency_Hz></experimentalConditions><encoding>"
        f"{space('encodedSpace', nx)}{space('reconSpace', nx // oversampling)}<encodingLimits>"
        f"{limit(1, ny - 1, centre)}{limit(2, nz - 1, nz // 2)}</encodingLimits>"
        f"<trajectory>{trajectory}</trajectory></encoding></ismrmrdHeader>"
    ).encode()


def acquisition(data: NDArray, *, flags: Iterable[int] = (), centre: int | None = None, **counters: int):
    """One readout (coils, samples)."""
    made = ismrmrd.Acquisition.from_array(np.ascontiguousarray(data, np.complex64))
    made.center_sample = data.shape[1] // 2 if centre is None else centre
    for name, value in counters.items():
        setattr(made.idx, name, value)
    for flag in flags:
        made.setFlag(flag)
    return made


def write_ismrmrd(path: Path, header: bytes, acquisitions: Iterable[object]) -> Path:
    """A file written by the package ismrmrd."""
    with ismrmrd.hdf5.Dataset(str(path), "dataset", mode="w") as dataset:
        dataset.write_xml_header(header)
        for each in acquisitions:
            dataset.append_acquisition(each)
    return path


def lines_of(kspace: NDArray, first: int = 0, **fixed: int) -> list[object]:
    """The acquisitions of k-space (slices, coils, x, y), steps counted from ``first``."""
    return [
        acquisition(kspace[row, :, :, line], slice=row, kspace_encode_step_1=line + first, **fixed)
        for row in range(len(kspace))
        for line in range(kspace.shape[-1])
    ]
