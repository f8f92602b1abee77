"""The b-value and the gradient direction of one DICOM image: from the standard's elements, else the vendor's own.

| vendor | b-value | direction | axes of the direction |
|---|---|---|---|
| standard | (0018,9087), also in the MR Diffusion Sequence (0018,9117) | (0018,9089) | patient |
| Siemens | (0019,xx0C), else B_value of the CSA header | (0019,xx0E), else CSA | patient |
| GE | (0043,xx39), first number | not read: it is relative to the gradients' axes | |
| Philips | (2001,xx03) | (2005,xxB0..B2): RL, AP, FH | patient |
| UIH | (0065,xx09) | (0065,xx37) | image: row, column, normal |

GE adds 1e9 to the b-values of series with several b-values and of computed ones (MR750 and later; github.com/
rordenlab/dcm2niix, issues 149 and 602). UIH's axes and why its own direction goes before the standard one: the same
project's issues 225 and 836. The private elements are trusted only where Manufacturer names their vendor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.files.csa import csa_numbers, parse_csa
from DeepMRILib.files.dicom_tags import numbers, private_element, vendor

_GE_OFFSET = 1_000_000_000


class Diffusion(NamedTuple):
    """How an image was weighted.

    Attributes:
        b_value: in s/mm2; None when the header does not say.
        direction: (3,) unit vector in DICOM's patient axes (LPS); None for b = 0, for an isotropic (trace) image, and
            when the header does not say.
    """

    b_value: float | None
    direction: NDArray | None = None


def diffusion(dataset: Any, groups: Sequence[Any] = (), orientation: NDArray | None = None) -> Diffusion:
    """The weighting of one image.

    Args:
        dataset: the file's dataset.
        groups: of an enhanced file, this frame's functional groups and the shared ones.
        orientation: (6,) the image's row and column direction in LPS.
    """
    places = [*groups, dataset]
    little = getattr(dataset, "original_encoding", (None, True))[1] is not False
    b_value, direction, isotropic = _standard(places, little)
    own = _OWN.get(vendor(dataset))
    if own is not None:
        for place in places:
            own_b, own_direction = own(place, little, orientation)
            b_value = own_b if b_value is None else b_value
            if direction is None or own is _uih:
                direction = own_direction if own_direction is not None else direction
    return Diffusion(b_value, None if isotropic or not b_value else _unit(direction))


def _standard(places: Sequence[Any], little: bool) -> tuple[float | None, list[float] | None, bool]:
    b_value = direction = None
    isotropic = False
    for place in places:
        for item in (*(place.get("MRDiffusionSequence") or ()), place):
            kind = str(item.get("DiffusionDirectionality", "") or "").upper()
            found = numbers(item.get((0x0018, 0x9087)), little_endian=little)
            if b_value is None:
                b_value = found[0] if found else (0.0 if kind == "NONE" else None)
            isotropic = isotropic or kind == "ISOTROPIC"
            for inner in (*(item.get("DiffusionGradientDirectionSequence") or ()), item):
                if direction is None:
                    direction = numbers(inner.get((0x0018, 0x9089)), 3, little_endian=little)
    return b_value, direction, isotropic


_Found = tuple[float | None, list[float] | None]


def _siemens(dataset: Any, little: bool, _: NDArray | None) -> _Found:
    def own(element: int, count: int = 1) -> list[float] | None:
        return numbers(private_element(dataset, 0x0019, "SIEMENS MR HEADER", element), count, little_endian=little)

    b_value, direction = own(0x0C), own(0x0E, 3)
    if b_value is None:
        csa = siemens_csa(dataset)
        b_value, direction = csa_numbers(csa, "B_value"), csa_numbers(csa, "DiffusionGradientDirection", 3)
    return _first(b_value), direction


def siemens_csa(dataset: Any) -> dict[str, list[str]]:
    """The image's CSA header, empty when there is none."""
    element = private_element(dataset, 0x0029, "SIEMENS CSA HEADER", 0x10)
    return parse_csa(element.value) if element is not None and isinstance(element.value, bytes) else {}


def _ge(dataset: Any, little: bool, _: NDArray | None) -> _Found:
    b_value = _first(numbers(private_element(dataset, 0x0043, "GEMS_PARM_01", 0x39), little_endian=little))
    return (None if b_value is None else b_value % _GE_OFFSET), None


def _philips(dataset: Any, little: bool, _: NDArray | None) -> _Found:
    b_value = numbers(private_element(dataset, 0x2001, "Philips Imaging DD 001", 0x03), little_endian=little)
    parts = [
        _first(numbers(private_element(dataset, 0x2005, "Philips MR Imaging DD 001", element), little_endian=little))
        for element in (0xB0, 0xB1, 0xB2)
    ]
    return _first(b_value), None if None in parts else parts


def _uih(dataset: Any, little: bool, orientation: NDArray | None) -> _Found:
    def own(element: int, count: int = 1) -> list[float] | None:
        return numbers(private_element(dataset, 0x0065, "Image Private Header", element), count, little_endian=little)

    direction = own(0x37, 3)
    if direction is not None and orientation is not None:
        row, column = orientation[:3], orientation[3:]
        direction = list(np.array(direction) @ np.array([row, column, np.cross(row, column)]))
    return _first(own(0x09)), direction if orientation is not None else None


_OWN = {"siemens": _siemens, "ge": _ge, "philips": _philips, "uih": _uih}


def _first(values: list[float] | None) -> float | None:
    return values[0] if values else None


def _unit(vector: Sequence[float] | None) -> NDArray | None:
    if vector is None:
        return None
    length = float(np.linalg.norm(vector))
    return np.asarray(vector, dtype=float) / length if np.isfinite(length) and length > 1e-4 else None
