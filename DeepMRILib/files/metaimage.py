"""MetaImage files (.mha, .mhd), read only.

Format: itk.org/Wiki/MetaIO/Documentation. Read here and not through ITK, whose parser ends the whole process at some
damaged headers.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.paths import check_claimed_size, damaged, input_file, unreadable

SUFFIXES = (".mha", ".mhd")
_HEADER = 100_000  # more bytes than any header of these takes
_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


def read(path: Path) -> tuple[NDArray, NDArray]:
    """The values (i, j, k) or (i, j, k, c), and the affine (4, 4) to RAS mm.

    Raises:
        InputError: not a MetaImage file, damaged or truncated, or not of three axes.
    """
    path = input_file(path, "MetaImage")
    try:
        with path.open("rb") as file:
            start = file.read(_HEADER)
        header, length = _header(start)
        if header["NDims"] != "3":
            raise InputError(f"{path.name} has {header['NDims'][:9]} axes; an image of 3 was expected.")
        return _values(path, header, length), _affine(header)
    except OSError as error:
        raise unreadable(path, error) from error
    except KeyError as error:
        raise damaged(path, "MetaImage", f"{error.args[0]} is missing or unknown") from error
    except (ValueError, OverflowError, MemoryError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        raise damaged(path, "MetaImage", error) from error


def _header(start: bytes) -> tuple[dict[str, str], int]:
    """The fields, and how many bytes they take: ElementDataFile is the last."""
    header: dict[str, str] = {}
    length = 0
    for line in start.splitlines(keepends=True):
        length += len(line)
        name, equals, value = line.decode("latin-1").partition("=")
        if not equals:
            break
        header[name.strip()] = value.strip()
        if name.strip() == "ElementDataFile":
            return header, length
    raise KeyError("ElementDataFile")


def _values(path: Path, header: dict[str, str], length: int) -> NDArray:
    big = "true" in (header.get(name, "").lower() for name in ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"))
    dtype = np.dtype((">" if big else "<") + _TYPES[header["ElementType"]])
    channels = int(header.get("ElementNumberOfChannels", "1"))
    if channels < 1:
        raise ValueError(f"it names {channels} channels")
    shape = (channels, *(int(n) for n in header["DimSize"].split()))
    compressed = header.get("CompressedData", "").lower() == "true"
    if header.get("BinaryData", "true").lower() != "true" or len(shape) != 4:
        raise ValueError("its values are text, or its DimSize does not name three axes")
    place = path
    if header["ElementDataFile"].upper() != "LOCAL":
        place, length = path.parent / header["ElementDataFile"], 0
        if not place.is_file():
            raise InputError(
                f"The data of {path.name} lie in {place.name}, which is not there. Keep both in one folder."
            )
    room = place.stat().st_size - length
    check_claimed_size(path, shape[not channels > 1 :], dtype.itemsize, room, compressed)
    count = int(np.prod(shape, dtype=np.int64))
    with place.open("rb") as file:
        # Without compression the values are the end of the file, whatever stands before them
        file.seek(length if compressed else place.stat().st_size - count * dtype.itemsize)
        content = file.read()
    if compressed:
        content = zlib.decompressobj().decompress(content, count * dtype.itemsize)
    values = np.frombuffer(content, dtype, count).reshape(shape, order="F")
    values = np.moveaxis(values, 0, -1) if channels > 1 else values[0]
    return values.astype(dtype.newbyteorder("="), order="A")


def _affine(header: dict[str, str]) -> NDArray:
    """From LPS, as ITK takes MetaImages to be. Each row of the file's matrix is the direction of one axis."""
    matrix = _first(header, ("TransformMatrix", "Rotation", "Orientation"), "1 0 0 0 1 0 0 0 1")
    spacing = _first(header, ("ElementSpacing",), "1 1 1")
    affine = np.eye(4)
    affine[:3, :3] = (matrix.reshape(3, 3) * spacing.reshape(3, 1)).T
    affine[:3, 3] = _first(header, ("Offset", "Position", "Origin"), "0 0 0")
    return np.diag([-1.0, -1, 1, 1]) @ affine


def _first(header: dict[str, str], names: tuple[str, ...], default: str) -> NDArray:
    text = next((header[name] for name in names if name in header), default)
    return np.array([float(word) for word in text.split()])
