"""b-values and gradient directions in the header of a diffusion NRRD file.

Convention: NA-MIC, "DTI: Nrrd format" (na-mic.org/wiki/NAMIC_Wiki:DTI:Nrrd_format), as Slicer reads and writes it:
``DWMRI_b-value`` is the largest b-value, and each gradient's length tells the b-value of its image,

    b_i = b_max (|g_i| / max_j |g_j|)^2,

with the vectors in the measurement frame, whose axes stand in the image's space.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.directions import unit, without_weighting
from DeepMRILib.files.nrrd import to_ras
from DeepMRILib.volume import DiffusionVolume

_ENTRY = re.compile(r"DWMRI_(gradient|B-matrix|NEX)_(\d+)$")
# Images whose direction is not known: their b-value still needs a length, and so a vector, in the NA-MIC convention.
_NO_DIRECTION = "DeepMRI_images_without_direction"


def is_diffusion(header: Mapping[str, Any]) -> bool:
    """Whether the header says that this is a diffusion series."""
    return str(header.get("modality", "")).strip() == "DWMRI"


def scheme(path: Path, header: Mapping[str, Any], count: int) -> tuple[NDArray, NDArray | None]:
    """b-values (n,) in s/mm2 and directions (n, 3) in RAS, None where unknown, of the n = ``count`` images.

    Raises:
        InputError: keys are missing, or are not numbers, or do not match the number of images.
    """
    vectors, lengths_squared, absolute = _table(path, header)
    if len(vectors) != count:
        raise InputError(
            f"The header of {path.name} holds {len(vectors)} diffusion gradients for {count} images. "
            "Save the series again, or give the b-values with --bvals."
        )
    b_values = lengths_squared
    if not absolute:
        largest = lengths_squared.max()
        b_values = _b_max(path, header) * lengths_squared / (largest if largest > 0 else 1.0)
    frame = _measurement_frame(path, header)
    # Each vector of the field is one axis of the frame, so the rows of ``frame`` are its axes.
    directions = unit(vectors) @ frame * to_ras(path, header)
    unknown = [int(image) for image in re.findall(r"\d+", str(header.get(_NO_DIRECTION, "")))]
    directions[[image for image in unknown if image < count]] = 0.0
    return b_values, without_weighting(directions, b_values)


def _measurement_frame(path: Path, header: Mapping[str, Any]) -> NDArray:
    given = header.get("measurement frame")
    if given is None and "measurement frame" not in header:
        return np.eye(3)
    try:
        frame = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        frame = np.empty(0)
    if frame.shape != (3, 3) or not np.isfinite(frame).all():
        raise InputError(
            f"The measurement frame of {path.name} is not three vectors of three numbers. Save the series again."
        )
    return frame


def header_keys(volume: DiffusionVolume) -> dict[str, Any]:
    """The fields and keys that make a NRRD header, in LPS, that of this diffusion series."""
    largest = float(volume.b_values.max())
    lengths = np.sqrt(volume.b_values / largest) if largest > 0 else np.zeros_like(volume.b_values)
    directions = np.zeros((len(lengths), 3)) if volume.directions is None else unit(volume.directions)
    unknown = (lengths > 0) & ~directions.any(axis=1)
    vectors = np.where(unknown[:, None], [1.0, 0.0, 0.0], directions * [-1.0, -1.0, 1.0]) * lengths[:, None]
    keys: dict[str, Any] = {
        "measurement frame": np.eye(3),
        "modality": "DWMRI",
        "DWMRI_b-value": f"{largest:.10g}",
    }
    for image, vector in enumerate(vectors):
        keys[f"DWMRI_gradient_{image:04d}"] = " ".join(f"{value + 0.0:.17g}" for value in vector)
    if unknown.any():
        keys[_NO_DIRECTION] = " ".join(map(str, np.flatnonzero(unknown)))
    return keys


def _table(path: Path, header: Mapping[str, Any]) -> tuple[NDArray, NDArray, bool]:
    """Vectors (n, 3), what is proportional to b (n,), and whether that is b itself."""
    entries: dict[str, dict[int, str]] = {"gradient": {}, "B-matrix": {}, "NEX": {}}
    for key, value in header.items():
        if match := _ENTRY.match(key):
            entries[match[1]][int(match[2])] = str(value)
    kind = "gradient" if entries["gradient"] else "B-matrix"
    if not entries[kind]:
        raise InputError(
            f"The header of {path.name} holds no diffusion gradients (DWMRI_gradient_0000 and so on). "
            "Save it as a diffusion weighted volume, or give the b-values with --bvals."
        )
    rows: list[list[float]] = []
    for image, text in sorted(entries[kind].items()):
        if image != len(rows):
            raise InputError(f"The header of {path.name} lacks DWMRI_{kind}_{len(rows):04d}. Save the series again.")
        repeats = _numbers(path, entries["NEX"].get(image, "1"), 1)[0]
        rows += [_numbers(path, text, 3 if kind == "gradient" else 6)] * int(np.clip(repeats, 1, 10_000))
    table = np.array(rows)
    if kind == "gradient":
        return table, (table**2).sum(axis=1), False
    matrices = table[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    # b is the trace; the direction is the eigenvector of the largest eigenvalue, which eigh puts last
    return np.linalg.eigh(matrices)[1][:, :, -1], np.trace(matrices, axis1=1, axis2=2), True


def _b_max(path: Path, header: Mapping[str, Any]) -> float:
    if "DWMRI_b-value" not in header:
        raise InputError(f"The header of {path.name} lacks DWMRI_b-value. Save it again, or give --bvals.")
    return _numbers(path, str(header["DWMRI_b-value"]), 1)[0]


def _numbers(path: Path, text: str, count: int) -> list[float]:
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise InputError(f"The header of {path.name} holds {text[:60]!r} where {count} numbers were expected.")
    return values
