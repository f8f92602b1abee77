"""Whether a series is of the kind that a network can be asked about, beyond what its pixels tell (``outside``)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.iap.header_values import parse_numbers
from DeepMRILib.iap.model import Model
from DeepMRILib.iap.outside import outside
from DeepMRILib.iap.preprocessing import check_square_pixels, has_square_pixels
from DeepMRILib.iap.published import PublishedModel
from DeepMRILib.iap.series import Series
from DeepMRILib.tables import Table

AXIAL = 0.9
"""Cosine to the head-feet axis from which on slices count as axial: 26 degrees."""
PRONE = ("HFP", "FFP")
VENDORS = ("GE", "SIEMENS")
BREADTH = (240.0, 490.0)
"""Fields of view in mm that occur in the published network's training, with 10 mm to spare."""

FEWEST = 8
"""Rows and columns of a slice: thumbnails have 16."""


def check_usable(model: Model, series: Series) -> None:
    """Refuse what a network cannot take at all.

    Raises:
        InputError: a colour image, slices of a few pixels, or, of the published network, pixels that are not square.
    """
    if series.colour or any(np.ndim(one) != 2 for one in series.slices):
        raise InputError(
            "The image is in colour: a map or a screenshot, not what a scanner measured. Give the series itself; for "
            "its header alone, leave the model out."
        )
    rows, columns = min((np.shape(one) for one in series.slices), key=min, default=(FEWEST, FEWEST))
    if min(rows, columns) < FEWEST:
        raise InputError(
            f"The slices have {rows} x {columns} pixels: that is no image of an MR series. Give the series itself, or "
            "choose with slice_axis how its slices are stacked."
        )
    if isinstance(model, PublishedModel) and series.pixel_spacing is not None:
        check_square_pixels(series.pixel_spacing)


def checks(model: Model, series: Series, slices: list[NDArray], features: NDArray | None = None) -> Table:
    """What ``IAPResult.outside`` holds: checks of pixels and features, and of what the series says of itself.

    Args:
        model: that is asked.
        series: where the slices are from.
        slices: all that were read, the empty ones too.
        features: of the slices, where they are known already.
    """
    found = outside(model, slices, features=features)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    return Table.from_rows([*rows, *_of_series(model, series)])


def _of_series(model: Model, series: Series) -> Iterator[dict[str, Any]]:
    if series.pixel_spacing is not None and not isinstance(model, PublishedModel):  # which refuses others
        rows, columns = series.pixel_spacing
        square = has_square_pixels((rows, columns)) or abs(rows / columns - 1) < 0.01
        yield _row("pixels' rows over columns", rows / columns, 1.0, "good" if square else "look")
    if isinstance(model, PublishedModel):
        yield from _of_published(series)


def _of_published(series: Series) -> Iterator[dict[str, Any]]:
    """What is known of the published network's training, against what the series says; unknown is no row."""
    normal = slice_normal(series)
    if normal is not None:
        share = float(abs(normal[2]))
        yield _row("slices axial (cosine)", share, AXIAL, "good" if share >= AXIAL else "bad")
    values = series.header.values
    position, vendor, breadth = (values.get(name) for name in ("patient_position", "manufacturer", "field_of_view"))
    if position is not None:
        prone = position in PRONE
        yield _row("patient prone, by the header", float(prone), 1.0, "good" if prone else "bad")
    if vendor is not None:
        known = vendor in VENDORS
        yield _row("scanner of GE or Siemens, by the header", float(known), 1.0, "good" if known else "bad")
    if breadth is not None:
        near = BREADTH[0] <= float(breadth) <= BREADTH[1]
        limit = BREADTH[0] if float(breadth) < BREADTH[0] else BREADTH[1]
        yield _row("field of view of a breast image, in mm", float(breadth), limit, "good" if near else "look")


def slice_normal(series: Series) -> NDArray | None:
    """The direction (3,) that slices are stacked along, in RAS or LPS; None where nothing says it."""
    if series.volume is not None:
        column = series.volume.affine[:3, series.turn.axis]
        return column / np.linalg.norm(column)
    axes = _orientation(series)
    if axes is None:
        return None
    normal = np.cross(axes[:3], axes[3:])
    length = np.linalg.norm(normal)
    return normal / length if length > 0.5 else None


def _orientation(series: Series) -> NDArray | None:
    """ImageOrientationPatient of a DICOM series' first file, nested or not."""
    from DeepMRILib.iap.header_dicom import read_slim, text_of

    if series.place is None or series.place.kind != "dicom":
        return None
    dataset = read_slim(series.place.files[0])
    groups = [*(dataset.get("PerFrameFunctionalGroupsSequence") or ())[:1]]
    groups += dataset.get("SharedFunctionalGroupsSequence") or ()
    holders = [dataset, *(item for group in groups for item in group.get("PlaneOrientationSequence") or ())]
    for holder in holders:
        numbers = parse_numbers(text_of(holder, "ImageOrientationPatient") or "") or []
        if len(numbers) == 6:
            return np.array(numbers)
    return None


def _row(check: str, value: float, limit: float, state: str) -> dict[str, Any]:
    return {"check": check, "value": round(value, 4), "limit": round(limit, 4), "state": state}
