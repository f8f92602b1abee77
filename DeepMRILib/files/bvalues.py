"""b-values and gradient directions as text: typed by a user, in .bval and .bvec files, and found next to an image."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.paths import input_file, read_text
from DeepMRILib.volume import checked_b_values
from DeepMRILib.writing import replacing

LARGEST_TABLE = 10_000_000
"""Bytes of the largest table of numbers that is read: a million b-values."""

LARGEST_B_VALUE = 1e6
"""In s/mm2: no scanner comes near, and a larger one is in another unit or not a b-value."""

# In the order in which they are looked for; {stem} is the image's name without .nii or .nii.gz.
B_VALUE_SIDECARS = ("{stem}.bval", "{stem}.bvals", "{stem}_bval.txt", "{stem}_bvals.txt", "bvals", "bval.txt")
DIRECTION_SIDECARS = ("{stem}.bvec", "{stem}.bvecs", "{stem}_bvec.txt", "{stem}_bvecs.txt", "bvecs", "bvec.txt")


def parse_b_values(text: str) -> NDArray:
    """b-values in s/mm2, (n,), from text with commas, semicolons, blanks or line ends between them.

    Raises:
        InputError: nothing, something that is no number, or a negative number.

    Example:
        >>> parse_b_values("0, 50 100;200")
        array([  0.,  50., 100., 200.])
    """
    return checked_b_values(_numbers(text, "The b-values contain"))


def read_b_values(path: str | Path) -> NDArray:
    """b-values in s/mm2, (n,), from a text file: in one row (FSL's .bval) or one on each line.

    Raises:
        InputError: no such file, nothing in it, text or a negative number in it.
    """
    path = input_file(path, "b-value file")
    try:
        return checked_b_values(_numbers(read_text(path, LARGEST_TABLE), f"{path.name} contains"))
    except InputError as error:
        raise error if path.name in str(error) else InputError(f"{path.name}: {error}") from error


def write_b_values(path: str | Path, b_values: ArrayLike) -> None:
    """Write b-values (n,) in s/mm2 in one row, as FSL does.

    Raises:
        OutputError: the place cannot be written.
    """
    with replacing(Path(path)) as (sibling,):
        sibling.write_text(b_values_text(b_values), encoding="ascii")


def read_directions(path: str | Path) -> NDArray:
    """The vectors (n, 3) of a .bvec file as they stand there: three rows (FSL) or three columns.

    FSL's vectors are in voxel axes: ``directions.ras_from_fsl`` takes them to RAS. Entries that are not a number,
    which some tools write where b = 0, become zero.

    Raises:
        InputError: no such file, text in it, or not three rows or columns.
    """
    path = input_file(path, "gradient direction file")
    rows = [
        _numbers(line, f"{path.name} contains") for line in read_text(path, LARGEST_TABLE).splitlines() if line.strip()
    ]
    lengths = {len(row) for row in rows}
    if len(lengths) == 1 and len(rows) == 3:
        vectors = np.array(rows).T
    elif lengths == {3}:
        vectors = np.array(rows)
    else:
        raise InputError(
            f"{path.name} holds {len(rows)} rows of {_listed(lengths)} numbers; gradient directions stand in three "
            "rows of one number for each image, or in one row of three numbers for each image."
        )
    return np.nan_to_num(vectors, nan=0.0)


def write_directions(path: str | Path, vectors: ArrayLike) -> None:
    """Write vectors (n, 3) in three rows, as FSL does.

    They are written as given: ``directions.fsl_from_ras`` makes them from directions in RAS.

    Raises:
        OutputError: the place cannot be written.
    """
    with replacing(Path(path)) as (sibling,):
        sibling.write_text(directions_text(vectors), encoding="ascii")


def b_values_text(b_values: ArrayLike) -> str:
    """The content of a .bval file."""
    return " ".join(f"{value:.10g}" for value in checked_b_values(b_values)) + "\n"


def directions_text(vectors: ArrayLike) -> str:
    """The content of a .bvec file."""
    return "".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in np.asarray(vectors, dtype=float).T)


def b_values_for(image: Path, stem: str, given: str | Path | Sequence[float] | None) -> tuple[NDArray, Path | None]:
    """The b-values of an image, and the file they came from: as given, or from the file next to the image.

    Raises:
        InputError: none given and none found, or unusable ones.
    """
    if isinstance(given, (str, Path)):
        return read_b_values(given), Path(given)
    if given is not None:
        return checked_b_values(given), None
    path = sidecar(image, stem, B_VALUE_SIDECARS)
    if path is None:
        names = ", ".join(name.format(stem=stem) for name in B_VALUE_SIDECARS)
        raise InputError(
            f"There are no b-values for {image.name}: none of {names} lies next to it. "
            "Give them with --bvals, or put one of these files there."
        )
    return read_b_values(path), path


def check_believable(b_values: NDArray, name: str) -> None:
    """Refuse b-values that no scanner can make.

    Raises:
        InputError: one above ``LARGEST_B_VALUE``.
    """
    largest = b_values.max(initial=0.0)
    if largest > LARGEST_B_VALUE:
        raise InputError(
            f"{name} has a b-value of {largest:g}, above {LARGEST_B_VALUE:g}. Give b-values in s/mm2, as in 0,50,800."
        )


def sidecar(image: Path, stem: str, names: Sequence[str]) -> Path | None:
    """The first file of these names next to an image."""
    places = (image.with_name(name.format(stem=stem)) for name in names)
    return next((place for place in places if place.is_file()), None)


def _numbers(text: str, contains: str) -> list[float]:
    values = []
    for word in re.split(r"[\s,;]+", text):
        if not word:
            continue
        try:
            values.append(float(word))
        except ValueError as error:
            raise InputError(f"{contains} {word[:40]!r}, which is not a number.") from error
    return values


def _listed(lengths: set[int]) -> str:
    return " and ".join(map(str, sorted(lengths))) or "no"
