"""The page with pictures that stands beside a segmentation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.figures import Marks, Panel, Plane, montage
from DeepMRILib.interactive.phantom import PhantomResult
from DeepMRILib.interactive.result import InteractiveResult
from DeepMRILib.report import Report
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

PLANES: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
NEGATIVE = "negative"
SHOWN = {
    "segment": "Segment",
    "voxels": "Voxels",
    "volume": "Volume",
    "volume_ml": "Volume in ml",
    "diameter_axial": "Axial diameter",
    "diameter_coronal": "Coronal diameter",
    "diameter_sagittal": "Sagittal diameter",
}


def segment_report(result: InteractiveResult) -> Report:
    """The outline in three planes, how sure it is, its size, and how it was made."""
    made = result.provenance
    report = Report("Interactive segmentation", f"{made.engine[0].upper()}{made.engine[1:]}")
    report.facts(
        {
            "Points": ", ".join(f"{count} of {name}" for name, count in made.inputs["points"].items()),
            "Negative points": made.inputs["negative_points"],
            "Time": f"{made.seconds['segment']:.2f} s",
            "DeepMRI": made.version,
            **({"SHA-256 of the weights": made.weights_sha256} if made.weights_sha256 else {}),
        }
    )
    for note in made.notes:
        report.note(note)
    report.section("Size")
    report.table(shown_sizes(result.table), caption="Diameters are the longest within a slice.")
    report.section("Outline")
    image, sure, outline = _parts(result)
    marks = _marks(result.points)
    for plane in PLANES:
        panels = [Panel("Image", image), Panel("Confidence", sure, window=(0.0, 1.0), colors="viridis")]
        report.figure(
            montage(panels, plane=plane, outline=outline, names=outline.names, marks=marks),
            f"{plane.capitalize()} slices through the segmentation; crosses are points near the slice, "
            "red where no segment is.",
        )
    report.section("How it was made")
    report.facts(made.options)
    return report


def phantom_report(result: PhantomResult) -> Report:
    """The phantom's images, its truth and its points."""
    made = result.provenance
    report = Report("Lesion phantom", "A drawn image with known truth; no patient")
    report.facts(
        {
            "Kind": made.options["kind"],
            "Grid": " x ".join(str(n) for n in made.inputs["shape"]),
            "Spacing": " x ".join(f"{edge:g}" for edge in made.inputs["spacing"]) + " mm",
            "Seed": made.seed,
        }
    )
    panels = [Panel(name.replace("_", " ").capitalize(), volume) for name, volume in result.images.items()]
    for plane in PLANES:
        report.figure(
            montage(panels, plane=plane, outline=result.label, names=result.label.names, marks=_marks(result.points)),
            f"{plane.capitalize()} slices with the true outline; crosses are points near the slice.",
        )
    return report


def shown_sizes(table: Table) -> Table:
    """The table of sizes with headings for people."""
    columns = {title: table.columns[name] for name, title in SHOWN.items() if name in table.columns}
    units = {title: table.units[name] for name, title in SHOWN.items() if name in table.units and name != "volume_ml"}
    digits = {"Volume": 0, "Volume in ml": 2}
    rounded = {
        title: [round(value, digits.get(title, 1)) if isinstance(value, float) else value for value in values]
        for title, values in columns.items()
    }
    return Table(rounded, {title: unit.replace("mm3", "mm³") for title, unit in units.items()})


def _parts(result: InteractiveResult) -> tuple[Volume, Volume, LabelVolume]:
    """What was looked at: the first image, the confidence and the segmentation."""
    part = result.part
    array = part.array if part.array.ndim == 3 else part.array[..., 0]
    start = np.rint(result.mask.voxel_from_ras(part.affine[:3, 3][None])[0]).astype(int)
    box = tuple(slice(first, first + count) for first, count in zip(start, part.shape, strict=True))
    outline = LabelVolume(result.mask.array[box], part.affine, result.mask.names)
    return Volume(array, part.affine), Volume(result.confidence.array[box], part.affine), outline


def _marks(points: Table) -> list[Marks]:
    negative = np.array([name == NEGATIVE for name in points.columns["name"]])
    places = np.array([points.columns[axis] for axis in "ras"], dtype=float).T
    return [Marks(group, colour) for group, colour in _groups(places, negative) if len(group)]


def _groups(places: NDArray, negative: NDArray) -> tuple[tuple[NDArray, str], ...]:
    return (places[~negative], "cyan"), (places[negative], "red")
