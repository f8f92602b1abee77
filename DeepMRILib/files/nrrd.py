"""NRRD files through pynrrd: values, the affine to RAS millimetres, and the header's keys.

Format: teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.files.paths import check_claimed_size, damaged, input_file, unreadable

SUFFIXES = (".nrrd", ".nhdr")
_PURPOSE = "Reading and writing NRRD files"
_LONGEST_HEADER = 20_000_000
_BZIP2_LIMIT = 1000  # how much more than deflate bzip2 can expand

# Signs that take each space to RAS. Without a space ITK, and so Slicer, takes the axes as LPS.
_TO_RAS = {
    "right-anterior-superior": (1, 1, 1),
    "ras": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "las": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
    "lps": (-1, -1, 1),
    "": (-1, -1, 1),
}


def read(path: Path) -> tuple[NDArray, NDArray, dict[str, Any]]:
    """The values (i, j, k) or (i, j, k, c), the affine (4, 4) to RAS mm, and the header.

    Raises:
        InputError: not a NRRD file, damaged or truncated, or not of three axes in space.
    """
    path = input_file(path, "NRRD image")
    nrrd = require("nrrd", _PURPOSE, "pynrrd")
    try:
        with path.open("rb") as file:
            header = _header(nrrd, path, file)
            spatial = _spatial_axes(path, header)
            _check_size(path, header, file)
            values = nrrd.read_data(header, file, str(path))
        affine = _affine(path, header, spatial)
    except InputError:
        raise
    except (nrrd.NRRDError, ValueError, KeyError, IndexError, EOFError, OSError, zlib.error, MemoryError) as error:
        raise damaged(path, "NRRD", error) from error
    values = np.asarray(values, dtype=values.dtype.newbyteorder("="))
    other = next((axis for axis in range(values.ndim) if axis not in spatial), None)
    if other is not None:
        values = np.moveaxis(values, other, -1)
    return values, affine, header


def read_header(path: Path) -> dict[str, Any]:
    """The header alone, keys included.

    Raises:
        InputError: not a NRRD file, or a damaged header.
    """
    path = input_file(path, "NRRD image")
    nrrd = require("nrrd", _PURPOSE, "pynrrd")
    try:
        with path.open("rb") as file:
            return _header(nrrd, path, file)
    except OSError as error:
        raise unreadable(path, error) from error


def write(
    path: Path, array: NDArray, affine: NDArray, *, kind: str = "vector", keys: Mapping[str, Any] | None = None
) -> None:
    """Write (i, j, k) or (i, j, k, c) in one compressed file, in LPS as Slicer and ITK do.

    Args:
        path: ends in .nrrd.
        array: c, if there, becomes the first axis.
        affine: (4, 4), to RAS mm.
        kind: of the axis c: "vector", or "list" for a series.
        keys: further header fields and keys.
    """
    nrrd = require("nrrd", _PURPOSE, "pynrrd")
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    directions = lps[:3, :3].T
    kinds = ["domain"] * 3
    if array.ndim == 4:
        array = np.moveaxis(array, 3, 0)
        directions = np.vstack([np.full(3, np.nan), directions])
        kinds = [kind, *kinds]
    header = {
        "space": "left-posterior-superior",
        "space directions": directions,
        "space origin": lps[:3, 3],
        "kinds": kinds,
        "encoding": "gzip",
        **(keys or {}),
    }
    nrrd.write(str(path), array, header, compression_level=1)


def to_ras(path: Path, header: Mapping[str, Any]) -> NDArray:
    """The signs (3,) that take the header's space to RAS.

    Raises:
        InputError: a space that is not the patient's.
    """
    space = str(header.get("space", "")).lower()
    if space not in _TO_RAS:
        raise InputError(
            f"{path.name} places its image in the space {space!r}, which does not say where the patient's right is. "
            "Save it in left-posterior-superior, as Slicer does."
        )
    return np.array(_TO_RAS[space], dtype=float)


def _header(nrrd: Any, path: Path, file: BinaryIO) -> dict[str, Any]:
    """The parsed header; the file is left at the first byte of the data."""
    if file.read(4) != b"NRRD":
        raise InputError(f"{path.name} is not a NRRD file: it does not begin with NRRD. Give an image saved as NRRD.")
    file.seek(0)
    lines: list[str] = []
    while len(line := file.readline(_LONGEST_HEADER)) and line.strip():
        # Slicer writes names in UTF-8; pynrrd alone would drop what is not ASCII
        lines.append(line.decode("utf-8", errors="replace"))
        if file.tell() > _LONGEST_HEADER:
            raise damaged(path, "NRRD", "its header does not end")
    try:
        return dict(nrrd.read_header(lines))
    except (nrrd.NRRDError, ValueError, IndexError) as error:
        raise damaged(path, "NRRD", error) from error


def _spatial_axes(path: Path, header: Mapping[str, Any]) -> list[int]:
    """Which axes of the array are the three of space."""
    count = len(header.get("sizes", ()))
    if "space directions" in header:
        directions = np.atleast_2d(np.asarray(header["space directions"], dtype=float))
        axes = [axis for axis, row in enumerate(directions) if np.isfinite(row).all() and len(row) == 3]
    else:
        kinds = header.get("kinds") or ["domain"] * 3 + ["list"] * (count - 3)
        axes = [axis for axis, kind in enumerate(kinds) if kind in ("domain", "space")]
    if len(axes) != 3 or not 3 <= count <= 4:
        raise InputError(
            f"{path.name} has {count} axes of which {len(axes)} lie in space; an image of three, or a series of such "
            "images, was expected. Save it so from Slicer."
        )
    return axes


def _affine(path: Path, header: Mapping[str, Any], spatial: list[int]) -> NDArray:
    affine = np.eye(4)
    if "space directions" in header:
        affine[:3, :3] = np.asarray(header["space directions"], dtype=float)[spatial].T
    else:
        spacings = np.asarray(header.get("spacings", np.ones(spatial[-1] + 1)), dtype=float)[spatial]
        affine[:3, :3] = np.diag(np.where(np.isfinite(spacings), spacings, 1.0))
    affine[:3, 3] = np.nan_to_num(np.asarray(header.get("space origin", np.zeros(3)), dtype=float))
    return np.diag([*to_ras(path, header), 1.0]) @ affine


def _check_size(path: Path, header: Mapping[str, Any], file: BinaryIO) -> None:
    data_file = header.get("data file", header.get("datafile"))
    room = path.stat().st_size - file.tell()
    if data_file is not None:
        place = path.parent / data_file
        if not place.is_file():
            raise InputError(
                f"The data of {path.name} lie in {data_file}, which is not there. Keep both files in one folder, or "
                "save the image as .nrrd."
            )
        room = place.stat().st_size
    encoding = str(header.get("encoding", "raw")).lower()
    compressed = encoding.startswith(("gz", "bz"))
    if encoding.startswith("bz"):
        room *= _BZIP2_LIMIT
    size = 1 if encoding in ("ascii", "text", "txt") else _bytes_of(path, str(header.get("type", "")))
    check_claimed_size(path, header["sizes"], size, room, compressed)


def _bytes_of(path: Path, kind: str) -> int:
    """How many bytes one value of this NRRD type takes: "unsigned short int" and "uint16_t" are both 2."""
    for size, words in ((8, ("64", "long", "double")), (1, ("8", "char")), (2, ("16", "short")), (4, ("int", "float"))):
        if any(word in kind for word in words):
            return size
    raise InputError(f"{path.name} holds values of type {kind!r}; numbers were expected. Save it as a grey image.")
