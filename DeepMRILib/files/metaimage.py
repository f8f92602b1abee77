"""MetaImage files (.mha, .mhd) through SimpleITK, read only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.files.paths import check_claimed_size, damaged, input_file

SUFFIXES = (".mha", ".mhd")
_HEADER = 100_000  # more bytes than any header of these takes


def read(path: Path) -> tuple[NDArray, NDArray]:
    """The values (i, j, k) or (i, j, k, c), and the affine (4, 4) to RAS mm.

    Raises:
        InputError: not a MetaImage file, damaged or truncated, or not of three axes.
    """
    path = input_file(path, "MetaImage")
    itk = require("SimpleITK", "Reading MetaImage files")
    with path.open("rb") as file:
        header = file.read(_HEADER).decode("latin-1")
    if re.search(r"^(ObjectType|NDims)\s*=", header, re.MULTILINE) is None:
        raise damaged(path, "MetaImage", "it does not begin with ObjectType")
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("MetaImageIO")
    try:
        reader.ReadImageInformation()
        _check(path, header, reader, itk)
        image = reader.Execute()
    except RuntimeError as error:
        raise damaged(path, "MetaImage", "ITK cannot read it") from error
    values = itk.GetArrayFromImage(image)  # (k, j, i) or (k, j, i, c)
    return np.moveaxis(values, (0, 1, 2), (2, 1, 0)), _affine(image)


def _check(path: Path, header: str, reader: Any, itk: Any) -> None:
    if reader.GetDimension() != 3:
        raise InputError(f"{path.name} has {reader.GetDimension()} axes; an image of 3 was expected.")
    data_file = re.search(r"^ElementDataFile\s*=\s*(.+?)\s*$", header, re.MULTILINE)
    place = path if data_file is None or data_file[1].upper() == "LOCAL" else path.parent / data_file[1]
    if not place.is_file():
        raise InputError(f"The data of {path.name} lie in {place.name}, which is not there. Keep both in one folder.")
    compressed = re.search(r"^CompressedData\s*=\s*True", header, re.MULTILINE) is not None
    size = itk.Image([1, 1, 1], reader.GetPixelID(), reader.GetNumberOfComponents()).GetSizeOfPixelComponent()
    shape = (*reader.GetSize(), reader.GetNumberOfComponents())
    check_claimed_size(path, shape, size, place.stat().st_size, compressed)


def _affine(image: Any) -> NDArray:
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return np.diag([-1.0, -1, 1, 1]) @ affine
