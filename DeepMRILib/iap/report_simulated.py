"""The page about simulated series: some of them as pictures, and how their parameters are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from numpy.typing import NDArray

from DeepMRILib.iap.report_figures import PICTURE, draw_slice
from DeepMRILib.iap.report_folder_figures import histogram_figure
from DeepMRILib.iap.report_words import Row, add_notes, add_settings, counted, is_known, label_of, rows_of, value_text
from DeepMRILib.iap.result import SimulationResult
from DeepMRILib.plots import new_figure
from DeepMRILib.report import Report
from DeepMRILib.report_style import INK
from DeepMRILib.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHORT = {"repetition_time": "TR", "echo_time": "TE", "inversion_time": "TI"}
SHOWN = ("manufacturer", "field_strength", "sequence", "repetition_time", "echo_time", "inversion_time", "flip_angle",
         "slice_thickness", "field_of_view")  # fmt: skip


def simulate_report(result: SimulationResult) -> Report:
    """A contact sheet with the parameters of each, how these are spread, and what the headers lack."""
    made = result.provenance
    rows = rows_of(result.truth)
    report = Report("Simulated series", f"{made.engine[:1].upper()}{made.engine[1:]}.")
    amiss = sum(1 for row in rows if row["amiss"])
    report.facts(
        {
            "Series": len(rows),
            "Patients": len({row["patient"] for row in rows}),
            "Sequences": counted(str(row["sequence"]) for row in rows),
            "Anatomy": counted(str(row["anatomy"]) for row in rows),
            "Headers": f"{made.options['headers']}; {amiss} of {len(rows)} series have something amiss",
            "Written as": {"dicom": "DICOM files", "bids": "NIfTI images with sidecars"}[made.options["form"]],
            "Seed": made.seed,
        }
    )
    add_notes(report, made)
    if result.examples:
        report.section("Some of them")
        report.figure(contact_sheet(result.examples, rows), "The middle slice of some series, with its parameters.")
    report.section("Parameters")
    values = {name: result.truth.columns[name] for name in SHOWN if name in result.truth.columns}
    report.figure(histogram_figure(values), "How the parameters are spread over the series.")
    _add_amiss(report, rows)
    add_settings(report, made)
    return report


def contact_sheet(examples: Mapping[str, NDArray], rows: Sequence[Row]) -> Figure:
    """Slices with their parameters below.

    Args:
        examples: (rows, columns) by the name of the series, perhaps with a word after it.
        rows: of the truth.
    """
    known = {str(row["series"]): row for row in rows}
    columns = min(4, len(examples))
    deep = -(-len(examples) // columns)
    figure = new_figure(columns * (PICTURE + 0.1), deep * (PICTURE + 0.5))
    cells = figure.subplots(deep, columns, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, (name, image) in zip(cells, examples.items(), strict=False):
        draw_slice(axes, image)
        row = known.get(name) or known.get(name.partition(" ")[0])
        axes.set_title(name if row is None else _words(row), fontsize=8, color=INK)
    return figure


def _words(row: Row) -> str:
    times = [f"{short} {value_text(row[name])}" for name, short in SHORT.items() if is_known(row[name])]
    first = f"{row['sequence']}, {value_text(row['field_strength'])} T, {value_text(row['flip_angle'])}°"
    return f"{first}\n{', '.join(times)} ms"


def _add_amiss(report: Report, rows: Sequence[Row]) -> None:
    amiss = [entry.rpartition(" ")[::2] for row in rows for entry in str(row["amiss"] or "").split("; ") if entry]
    if not amiss:
        return
    report.section("What is amiss with the headers")
    names = list(dict.fromkeys(name for name, _ in amiss))
    kinds = list(dict.fromkeys(kind for _, kind in amiss))
    columns = {"Parameter": [label_of(name, unit=False) for name in names]}
    counts = {kind.capitalize(): [amiss.count((name, kind)) for name in names] for kind in kinds}
    report.table(Table({**columns, **counts}), caption=f"Series of {len(rows)}; truth.csv says which.")
