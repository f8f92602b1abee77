"""Series and results for acquisition parameters: simulated DICOM on disk, and what a network might have said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib.iap.options_network import SimulateOptions
from DeepMRILib.iap.result import IAPResult
from DeepMRILib.iap.simulated_files import write_bids, write_dicom
from DeepMRILib.iap.simulating import SimulatedSeries, simulated_series
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

SHAPE = (6, 8, 5)
COLUMNS = (
    "parameter", "label", "unit", "header", "predicted", "probability", "low", "high", "set", "verdict", "agreement",
    "slice", "note",
)  # fmt: skip
ROWS = (
    ("manufacturer", "Manufacturer", "", "SIEMENS", "GE", 0.996, None, None, "GE", "disagree", 0.8, 3, ""),
    ("field_strength", "Field strength", "T", 1.5, 1.5, 0.74, None, None, "1.5; 3", "agree", 1.0, 1, ""),
    ("sequence", "Sequence", "", "EP", "SE", 0.6, None, None, "SE; GR", "unseen class", 0.6, 0, ""),
    ("echo_time", "Echo time", "ms", 11000.0, 93.25, None, 80.0, 110.0, "", "agree", 1.0, 2, "A note."),
    ("flip_angle", "Flip angle", "deg", None, 90.0, None, 70.0, 95.0, "", "missing in the header", 1.0, 2, ""),
    ("inversion_time", "Inversion time", "ms", None, None, 0.4, None, None, "", "unsure", None, None, "Not sure."),
    ("matrix", "Acquisition matrix", "", "256x192", None, None, None, None, "", "not predicted", None, None, ""),
)
"""What header and image say: each verdict once or twice."""
SLICES = {
    "manufacturer": (("GE", 0.9), ("GE", 0.8), ("SIEMENS", 0.6), ("GE", 0.99), ("GE", 0.7)),
    "echo_time": ((90.0, None), (95.5, None), (93.0, None), (88.0, None), (None, None)),
}


def volume(affine: np.ndarray | None = None) -> Volume:
    """An image of five slices."""
    array = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    return Volume(array, np.diag([-2.0, -2.0, 4.0, 1.0]) if affine is None else affine)


def result(*, outside: str = "good", saliency: bool = False, axis: str = "k", model: bool = True) -> IAPResult:
    """What ``iap.predict`` could have found.

    Args:
        outside: state of the check of images.
        saliency: with what decides about the manufacturer, in slice 3.
        axis: of the slices.
        model: False: the header alone.
    """
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]
    if not model:
        empty = {"predicted": None, "probability": None, "low": None, "high": None, "set": "", "agreement": None}
        rows = [
            {**row, **empty, "slice": None, "verdict": "not predicted"} for row in rows if row["header"] is not None
        ]
    slices = [
        {"slice": number, "parameter": name, "predicted": value, "probability": chance}
        for name, told in SLICES.items()
        for number, (value, chance) in enumerate(told)
    ]
    check = {"check": "unlike the training's images", "value": 3.0, "limit": 1.5, "state": outside}
    options = {"slice_axis": axis, "level": 0.9, "saliency": "manufacturer" if saliency else ""}
    shown = volume().like(np.zeros(SHAPE, np.float32)) if saliency else None
    if shown is not None:
        shown.array[2:4, 3:6, 3] = 0.5
    return IAPResult(
        provenance=Provenance("iap.predict", "network small" if model else "header alone", options, notes=("A word.",)),
        parameters=Table.from_rows(rows),
        slices=Table.from_rows(slices) if model else Table({}),
        outside=Table.from_rows([check]) if model else Table({}),
        saliency=shown,
    )


def series(slices: int = 5, seed: int = 0) -> SimulatedSeries:
    """A simulated series of small slices."""
    options = SimulateOptions(subjects=1, series=1, slices=slices, size=48, seed=seed)
    return next(iter(simulated_series(options)))


def dicomFolder(place: Path, made: SimulatedSeries | None = None) -> Path:
    """A folder with the DICOM files of a series, named by slice."""
    made = made or series()
    return write_dicom(made, made.values(), place)


def imageWithSidecar(place: Path, made: SimulatedSeries | None = None) -> Path:
    """A NIfTI file with its sidecar."""
    made = made or series()
    return write_bids(made, made.values(), place)


def loadDicom(folder: Path, name: str = "series") -> Any:
    """A volume node of the DICOM files of a folder, read by Slicer's own storage."""
    import slicer
    import vtk

    names = vtk.vtkStringArray()
    for path in sorted(folder.iterdir()):
        names.InsertNextValue(str(path))
    return slicer.modules.volumes.logic().AddArchetypeVolume(names.GetValue(0), name, 0, names)
