"""Raw data of the ISMRM (ISMRMRD): Cartesian scans, 2D or 3D."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.paths import check_claimed_size
from DeepMRILib.igs import hdf5
from DeepMRILib.igs.coils import combined_dataset
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.raw_header import Header, read_header
from DeepMRILib.igs.slicing import even_rows

_NO_IMAGE = {
    19: "noise",
    20: "calibration",
    23: "navigator",
    24: "phase correction",
    26: "feedback",
    27: "dummy",
    28: "feedback",
    29: "coil correction",
    30: "phase stabilisation",
    31: "phase stabilisation",
}
"""Numbers of the flags of acquisitions that are no lines of the image (ismrmrd.h)."""
_CALIBRATES_AND_IMAGES = 21
_REVERSED = 22
_OTHER_IMAGES = ("repetition", "phase", "set", "slice")
"""Counters of which each combination is an image of its own; averages and segments are put together."""
_AT_ONCE = 256
_COPIES = 6


@dataclass(frozen=True)
class _Lines:
    """The acquisitions that make images.

    Attributes:
        head: (lines,) their headers.
        rows: (lines,) their numbers in the file.
        skipped: how many were left out of each kind.
    """

    head: NDArray
    rows: NDArray
    skipped: dict[str, int]


def is_ismrmrd(file: Any) -> bool:
    """Whether an open HDF5 file has ISMRMRD's layout."""
    return _group(file) is not None


def slices_of_ismrmrd(path: Path, options: DataOptions, most: int = 0) -> SliceDataset:
    """Slices of a Cartesian scan: rows are the readout, columns encode step 1, and partitions encode step 2.

    Noise scans, navigators and the like are skipped, averages averaged, lines put where the header's encoding limits
    say (partial Fourier leaves the others 0), and the oversampling of the readout is cut away. Contrasts become
    contrasts; slices, repetitions, cardiac phases and sets become slices.

    Args:
        path: of the .h5 file.
        options: ``coils`` and ``slice_axis`` are used.
        most: slices of a 2D scan to read, spread evenly; 0 reads all.

    Raises:
        InputError: damaged, not Cartesian, reversed readouts (as of EPI), or lines outside the encoded matrix.
        DependencyError: the package ismrmrd is not installed.
    """
    with hdf5.opened(path) as file:
        group = _group(file)
        if group is None:
            raise InputError(f"{path.name} holds no ISMRMRD data: a group with xml and data was expected.")
        header = read_header(hdf5.dataset(path, group, "xml")[()], path.name)
        if header.trajectory != "cartesian":
            raise InputError(
                f"{path.name} was acquired with a {header.trajectory} trajectory; patterns are of Cartesian scans."
            )
        stored = group["data"]
        lines = _image_lines(path, stored)
        images = _images(lines)
        chosen = np.arange(len(images)) if header.matrix[2] > 1 else even_rows(len(images), most)
        kspace = _filled(path, stored, header, lines, images[chosen])
    notes = _notes(header, lines)
    if header.matrix[2] == 1:
        kspace = kspace[..., 0, :, :]
    elif len(kspace) > 1:
        raise InputError(
            f"{path.name} holds {len(kspace)} 3D images (slabs, repetitions or phases). Save one of them as a file."
        )
    edges = [fov / n for fov, n in zip(header.fov, header.matrix, strict=True)]
    spacing = (edges[2], edges[0], edges[1]) if header.matrix[2] > 1 else (edges[0], edges[1])
    rows = round(header.matrix[0] * min(1.0, header.recon_fov[0] / header.fov[0]))
    return combined_dataset(
        kspace, options, cases=[path.stem] * len(kspace), spacing=spacing, rows=max(rows, 1), notes=notes
    )


def _group(file: Any) -> Any | None:
    """The group with xml and data: by the standard it is called dataset."""
    import h5py

    for name in sorted(file, key=lambda name: name != "dataset"):
        group = hdf5.member(file, name)
        if isinstance(group, h5py.Group):
            inside = (hdf5.member(group, part) for part in ("xml", "data"))
            if all(isinstance(part, h5py.Dataset) for part in inside):
                return group
    return None


def _image_lines(path: Path, stored: Any) -> _Lines:
    fields = stored.dtype.fields or {}
    if stored.ndim != 1 or not stored.size or not {"head", "data"} <= set(fields):
        raise InputError(f"{path.name} holds no acquisitions; expected ISMRMRD's table of head, traj and data.")
    check_claimed_size(path, stored.shape, stored.dtype.itemsize, path.stat().st_size, compressed=True)
    head = stored.fields("head")[:]
    flags = head["flags"].astype(np.uint64)
    images = np.ones(len(head), dtype=bool)
    skipped: dict[str, int] = {}
    for flag, word in _NO_IMAGE.items():
        other = _has(flags, flag)
        if word == "calibration":
            other &= ~_has(flags, _CALIBRATES_AND_IMAGES)
        if other.any():
            skipped[word] = skipped.get(word, 0) + int((other & images).sum())
        images &= ~other
    other = images & (head["encoding_space_ref"] != 0)
    if other.any():
        skipped["another encoding"] = int(other.sum())
        images &= ~other
    if not images.any():
        raise InputError(f"{path.name} holds no lines of an image, only {' and '.join(skipped)}.")
    if (_has(flags, _REVERSED) & images).any():
        raise InputError(
            f"{path.name} has lines that were read in reverse, as EPI has; only lines of one direction can be used."
        )
    return _Lines(head[images], np.flatnonzero(images), skipped)


def _has(flags: NDArray, number: int) -> NDArray:
    return (flags >> np.uint64(number - 1)) & np.uint64(1) != 0


def _images(lines: _Lines) -> NDArray:
    """(n, 4) the counters of each image in the scan."""
    return np.unique(np.stack([lines.head["idx"][name] for name in _OTHER_IMAGES], axis=1), axis=0)


def _filled(path: Path, stored: Any, header: Header, lines: _Lines, images: NDArray) -> NDArray:
    """k-space (n, c, coils, z, x, y) of the images, averaged where a line was measured more than once."""
    nx, ny, nz = header.matrix
    idx = lines.head["idx"]
    coils = np.unique(lines.head["active_channels"])
    if len(coils) > 1:
        raise InputError(f"{path.name} has lines of {coils[0]} and of {coils[-1]} coils; expected the same everywhere.")
    contrasts, contrast = np.unique(idx["contrast"], return_inverse=True)
    shape = (len(images), len(contrasts), int(coils[0]), nz, nx, ny)
    check_claimed_size(path, shape, 8, path.stat().st_size, compressed=True)
    hdf5.check_room(path, _COPIES * 8 * int(np.prod([float(n) for n in shape])))
    y = _placed(path, idx["kspace_encode_step_1"], header.centres[0], ny, "1")
    z = _placed(path, idx["kspace_encode_step_2"], header.centres[1], nz, "2")
    keys = np.stack([idx[name] for name in _OTHER_IMAGES], axis=1)
    image = np.full(len(keys), -1)
    for number, wanted in enumerate(images):
        image[(keys == wanted).all(axis=1)] = number
    kspace = np.zeros(shape, np.complex64)
    times = np.zeros((len(images), len(contrasts), nz, ny), np.float32)
    used = np.flatnonzero(image >= 0)
    for start in range(0, len(used), _AT_ONCE):
        some = used[start : start + _AT_ONCE]
        for line, data in zip(some, stored.fields("data")[lines.rows[some]], strict=True):
            where, readout = _readout(path, lines.head[line], data, nx)
            kspace[image[line], contrast[line], :, z[line], where, y[line]] += readout
            times[image[line], contrast[line], z[line], y[line]] += 1
    kspace /= np.maximum(times, 1)[:, :, None, :, None, :]
    if not np.isfinite(kspace).all():
        raise InputError(f"{path.name} holds NaN or infinite values in its lines.")
    return kspace


def _placed(path: Path, steps: NDArray, centre: int | None, size: int, which: str) -> NDArray:
    """Where encode steps lie in k-space, DC in the middle."""
    if size == 1:
        return np.zeros(len(steps), dtype=int)
    places = steps.astype(int) - (size // 2 if centre is None else centre) + size // 2
    if places.min() < 0 or places.max() >= size:
        raise InputError(
            f"{path.name} has encode steps {which} from {steps.min()} to {steps.max()} around the centre "
            f"{size // 2 if centre is None else centre}: they do not fit in the {size} lines of its header."
        )
    return places


def _readout(path: Path, head: NDArray, data: NDArray, size: int) -> tuple[slice, NDArray]:
    """The columns of k-space (samples) that a readout fills, and its samples (coils, samples)."""
    coils, samples = int(head["active_channels"]), int(head["number_of_samples"])
    if len(data) != 2 * coils * samples:
        raise InputError(f"{path.name} has a line with {len(data)} numbers; its header says {2 * coils * samples}.")
    values = np.asarray(data, np.float32).view(np.complex64).reshape(coils, samples)
    first, last = int(head["discard_pre"]), samples - int(head["discard_post"])
    # writers that leave the centre at 0 mean the middle
    centre = int(head["center_sample"]) or samples // 2
    start = size // 2 - centre + first
    if last <= first or start < 0 or start + last - first > size:
        raise InputError(
            f"{path.name} has a line of {samples} samples with its centre at {centre}: it does not fit in the {size} "
            "of its header."
        )
    return slice(start, start + last - first), values[:, first:last]


def _notes(header: Header, lines: _Lines) -> tuple[str, ...]:
    notes = [f"{count} acquisitions of {word} were left out." for word, count in lines.skipped.items()]
    if header.encodings > 1:
        notes.append(f"Of {header.encodings} encodings the first was used.")
    if len(np.unique(lines.head["idx"]["average"])) > 1:
        notes.append("Averages were averaged.")
    return tuple(notes)
