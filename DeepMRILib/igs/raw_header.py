"""The XML header of ISMRMRD: what the encoding of a Cartesian scan was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from DeepMRILib.errors import InputError, require
from DeepMRILib.files.paths import damaged

_LARGEST = 10_000_000
_PURPOSE = "Reading the header of ISMRMRD raw data"


@dataclass(frozen=True)
class Header:
    """The first encoding of a scan.

    Attributes:
        trajectory: "cartesian", "epi", "radial" ...
        matrix: encoded points (x, y, z): readout, first and second phase encoding.
        fov: encoded field of view in mm along them.
        recon_fov: that of the images: smaller along the readout where it was oversampled.
        centres: of encode steps 1 and 2, the step at DC; None where the header does not say.
        encodings: how many the file has.
    """

    trajectory: str
    matrix: tuple[int, int, int]
    fov: tuple[float, float, float]
    recon_fov: tuple[float, float, float]
    centres: tuple[int | None, int | None]
    encodings: int = 1


def read_header(text: Any, name: str) -> Header:
    """The header from its XML.

    Args:
        text: bytes, a text, or an HDF5 dataset's array of one.
        name: of the file, for sentences.

    Raises:
        InputError: it is no ISMRMRD header, or has no encoding.
        DependencyError: the package ismrmrd is not installed.
    """
    xsd = require("ismrmrd.xsd", _PURPOSE, "ismrmrd")
    exceptions = require("xsdata.exceptions", _PURPOSE, "ismrmrd")
    while not isinstance(text, (bytes, str)):
        if not len(text):
            raise InputError(f"The ISMRMRD header of {name} is empty.")
        text = text[0]
    if len(text) > _LARGEST:
        raise InputError(f"The ISMRMRD header of {name} is too large to be one.")
    try:
        found = xsd.CreateFromDocument(text)
        first = found.encoding[0]
        header = _header(first, len(found.encoding))
    except (ValueError, TypeError, SyntaxError, IndexError, AttributeError, exceptions.ParserError) as error:
        raise damaged_header(name, error) from error
    if min(header.matrix) < 1 or min(header.fov) <= 0 or min(header.recon_fov) <= 0:
        raise InputError(
            f"The header of {name} gives a matrix of {header.matrix} and a field of view of {header.fov} mm; "
            "numbers above 0 were expected."
        )
    return header


def damaged_header(name: str, error: BaseException) -> InputError:
    """The sentence for a header that cannot be understood."""
    from pathlib import Path

    return damaged(Path(name), "ISMRMRD", f"its header cannot be understood ({error})")


def _header(encoding: Any, count: int) -> Header:
    size, fov = encoding.encodedSpace.matrixSize, encoding.encodedSpace.fieldOfView_mm
    wanted = encoding.reconSpace.fieldOfView_mm
    limits = encoding.encodingLimits
    steps = (limits.kspace_encoding_step_1, limits.kspace_encoding_step_2) if limits else (None, None)
    return Header(
        str(getattr(encoding.trajectory, "value", encoding.trajectory)).lower(),
        (int(size.x), int(size.y), int(size.z)),
        (float(fov.x), float(fov.y), float(fov.z)),
        (float(wanted.x), float(wanted.y), float(wanted.z)),
        tuple(None if step is None or step.center is None else int(step.center) for step in steps),
        count,
    )
