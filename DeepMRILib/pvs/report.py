"""The pages that stand beside results about perivascular spaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from DeepMRILib.figures import Panel, montage
from DeepMRILib.pvs.census import ELSEWHERE, WHOLE
from DeepMRILib.pvs.evaluating import Evaluation
from DeepMRILib.pvs.phantom import PhantomResult
from DeepMRILib.pvs.report_pictures import (
    brightness_plot,
    curve_plot,
    from_three_sides,
    in_the_box,
    on_slices,
    sizes_plot,
)
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.report import Report
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

MANY_EMPTY = 7
"""More empty regions than this are named in a sentence instead of rows."""
STATISTICS = {
    "region": "Region",
    "clusters": "Spaces",
    "total": "Total",
    "mean": "Mean",
    "median": "Median",
    "std": "SD",
    "max": "Largest",
    "total_voxels": "Voxels",
    "region_volume": "Size",
}
_DIGITS = {"total": 1, "mean": 1, "median": 1, "std": 1, "max": 1, "region_volume": 1}


def segment_report(result: PVSResult) -> Report:
    """Numbers, sizes, pictures, quality control, and how it was made."""
    made = result.provenance
    report = Report("Perivascular spaces", f"{made.engine[0].upper()}{made.engine[1:]}")
    report.facts(_facts(result))
    for note in made.notes:
        report.note(note)
    _add_statistics(report, result)
    _add_pictures(report, result)
    _add_quality(report, result)
    report.section("How it was made")
    report.facts({key: value for key, value in made.options.items() if value not in ("", ())})
    return report


def _facts(result: PVSResult) -> dict[str, Any]:
    made = result.provenance
    whole = dict(zip(result.statistics.columns, result.statistics.rows[0], strict=True))
    options = made.options
    return {
        "Images": ", ".join(name.upper() for name in made.inputs["images"]),
        "Spaces": whole["clusters"],
        "Their volume": f"{whole['total']:.1f} mm³",
        "Brain": f"{np.count_nonzero(result.brain.array) * result.brain.voxel_volume / 1000:.0f} ml",
        "Brain mask": made.inputs["brain_mask"],
        "Regions": made.inputs["regions"],
        "Threshold": f"{options['threshold']:g}",
        "Smallest cluster": f"{options['min_size']:g} mm³",
        "Time": f"{made.seconds['segment']:.1f} s on {made.device}",
        "DeepMRI": made.version,
        **({"SHA-256 of the weights": made.weights_sha256} if made.weights_sha256 else {}),
    }


def _add_statistics(report: Report, result: PVSResult) -> None:
    report.section("Regions")
    shown, empty = shown_statistics(result.statistics)
    report.table(shown, caption="Volumes of spaces in the voxels of the image; size is that of the region.")
    if empty:
        report.text(f"No space was found in {', '.join(empty)}.")
    at_1mm = dict(zip(result.statistics_1mm.columns, result.statistics_1mm.rows[0], strict=True))
    report.text(
        f"On voxels of 1 mm, as SHiVAi counts: {at_1mm['clusters']} spaces of {at_1mm['total']:.0f} mm³ in all."
    )
    if len(result.census):
        order = [*result.regions.names.values(), ELSEWHERE] if result.regions else [ELSEWHERE]
        report.figure(
            sizes_plot(result.census.columns["region"], result.census.columns["volume"], order),
            "Each point is a cluster; the line is the median of a region.",
        )


def shown_statistics(table: Table) -> tuple[Table, list[str]]:
    """The table of regions with headings for people, and the regions left out because there are many empty ones."""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    empty = [row["region"] for row in rows if not row["clusters"] and row["region"] != WHOLE]
    empty = empty if len(empty) > MANY_EMPTY else []
    kept = [row for row in rows if row["region"] not in empty]
    columns: dict[str, list[Any]] = {}
    units = {}
    for name, title in STATISTICS.items():
        columns[title] = [_rounded(row[name], _DIGITS.get(name)) for row in kept]
        if unit := table.units.get(name):
            units[title] = unit.replace("mm3", "mm³")
    return Table(columns, units), empty


def _rounded(value: Any, digits: int | None) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    return round(value, digits) if digits is not None else value


def _add_pictures(report: Report, result: PVSResult) -> None:
    report.section("Where they are")
    image, brain, spaces = _main(result), result.conformed["brain_1mm"], result.conformed["segmentation_1mm"]
    report.figure(on_slices(image, spaces, brain), "Axial slices, below with the spaces that were found.")
    report.figure(from_three_sides(image, spaces, brain), "All of them, seen through the brain.")


def _main(result: PVSResult) -> Volume:
    return result.conformed["t1_1mm"] if "t1_1mm" in result.conformed else result.conformed["t2_1mm"]


def _add_quality(report: Report, result: PVSResult) -> None:
    report.section("Quality control")
    rows = [dict(zip(result.qc.columns, row, strict=True)) for row in result.qc.rows]
    report.facts({str(row["check"]).capitalize(): _verdict(row) for row in rows})
    image, brain = _main(result), result.conformed["brain_1mm"]
    name = "T1" if "t1_1mm" in result.conformed else "T2"
    images = {name: image}
    if "flair_1mm" in result.conformed:
        images["FLAIR on the T1"] = result.conformed["flair_1mm"]
    report.figure(
        in_the_box(images, brain),
        "The middle of the box of 160 x 214 x 176 mm that was looked at, with the brain mask's outline.",
    )
    report.figure(
        brightness_plot(np.asarray(image.array), np.asarray(brain.array) > 0, name),
        f"Brightness of the {name} within the brain mask.",
    )


def _verdict(row: dict[str, Any]) -> str:
    value = f"{round(row['value'], 3):.4g}" if isinstance(row["value"], float) else str(row["value"])
    verdict = f" ({row['verdict']})" if row["verdict"] else ""
    return f"{value} {row['unit']}".strip() + f"{verdict}. {row['meaning']}"


def phantom_report(result: PhantomResult) -> Report:
    """The phantom's images, its truth, and what was put in."""
    made = result.provenance
    report = Report("Phantom of perivascular spaces", f"{made.engine}; no patient's spaces")
    spacing = " x ".join(f"{edge:g}" for edge in made.inputs["spacing"])
    grid = " x ".join(str(n) for n in made.inputs["shape"])
    report.facts({"Tubes": len(result.tubes), "Grid": f"{grid} voxels of {spacing} mm", "Seed": made.seed})
    for note in made.notes:
        report.note(note)
    image = next(iter(result.images.values()))
    truth = image.like(np.asarray(result.truth.array) > 0)
    report.section("Images")
    report.figure(on_slices(image, truth, result.brain), "Axial slices, below with the true spaces.")
    report.figure(from_three_sides(image, truth, result.brain), "All of them, seen through the brain.")
    if len(result.images) > 1:
        name, further = list(result.images.items())[1]
        report.figure(montage([Panel(name.upper(), further)]), f"The {name.upper()}, on a grid of its own.")
    report.section("Tubes")
    columns = result.tubes.columns
    kept = [(region, size) for region, size in zip(columns["region"], columns["volume"], strict=True) if size > 0]
    report.figure(
        sizes_plot(*zip(*kept, strict=True), sorted(set(columns["region"]))),
        "The true volume of each tube; the line is the median of a region.",
    )
    report.section("How it was made")
    report.facts(made.options)
    return report


def evaluate_report(result: Evaluation) -> Report:
    """Agreement with a reference: the table, by size, and over all thresholds."""
    made = result.provenance
    report = Report("Agreement of perivascular spaces", "What was found, beside a reference")
    values = dict(zip(result.summary.columns["measure"], result.summary.columns["value"], strict=True))
    report.facts({"Threshold": made.options["threshold"], "DeepMRI": made.version})
    report.section("Agreement")
    report.table(_with_digits(result.agreement, ("sensitivity", "precision", "f1")))
    report.text("F1 of voxels is the Dice coefficient. A cluster is found when one voxel of it is.")
    report.section("By size")
    report.table(_with_digits(result.sizes, ("sensitivity", "precision")))
    report.section("Over all thresholds")
    report.table(_with_digits(result.summary, ("value",)))
    curve = result.curve.columns
    report.figure(
        curve_plot(curve["recall"], curve["precision"], values["average precision"], values["chance"]),
        "Precision over recall of voxels; the dashed line is what a map that knows nothing reaches.",
    )
    if result.found is not None and result.reference is not None:
        missed = np.where(np.asarray(result.reference.array) > 0, 1, 0)
        both = np.where(np.asarray(result.found.array) > 0, 2, missed)
        compared = LabelVolume(both.astype(np.uint8), result.found.affine, {1: "Missed", 2: "Found"})
        panel = Panel("Reference", result.reference, window=(0.0, 1.0))
        report.figure(montage([panel], outline=compared, names=compared.names), "Axial slices with both outlines.")
    return report


def _with_digits(table: Table, names: Sequence[str], digits: int = 4) -> Table:
    columns = {
        name: [_rounded(float(value), digits) if name in names else _plain(value) for value in values]
        for name, values in table.columns.items()
    }
    return Table(columns, table.units)


def _plain(value: Any) -> Any:
    return "more" if isinstance(value, float) and math.isinf(value) else value
