"""The page of an evaluation: which method to use at which SNR, with the pictures that show why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from DeepMRILib.ivim.evaluation import CLIPPED, CONSTANT, METHOD_NAMES, Evaluation
from DeepMRILib.ivim.evaluation_plots import agreement, comparison, decays, errors_by_snr
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.quantities import QUANTITIES, scale_of, shown_label
from DeepMRILib.ivim.report import b_values_listed
from DeepMRILib.ivim.scores import TOGETHER
from DeepMRILib.report import Report
from DeepMRILib.tables import Table

DIGITS = {100: ".1f", 1: ".3f"}
"""How scores are written: in percent, or as they are."""


def evaluation_report(result: Evaluation) -> Report:
    """Errors by SNR, maps against truth, estimates against truth, decays, correlations, consistency, times."""
    made = result.provenance
    options, inputs = made.options, made.inputs
    report = Report("IVIM methods against the truth", f"{made.engine}.")
    report.facts(
        {
            "Model": MODELS[options["model"]].equation,
            "b-values": b_values_listed(inputs["b_values"]),
            "Signals": f"{options['n']:,} at each SNR, {options['noise']} noise",
            "Truth": "uniform: " + "; ".join(_range(name, interval) for name, interval in inputs["ranges"].items()),
            "Bounds of the fits": options["body_part"],
            "Seed": made.seed,
            "DeepMRI": made.version,
        }
    )
    for note in made.notes:
        report.note(note)
    _add_errors(report, result)
    if result.squares:
        _add_maps(report, result)
    report.section("Estimates against truth")
    report.figure(
        agreement(result),
        f"Voxels at SNR {inputs['map_snr']:g}. Dashed: agreement. Orange: the median estimate along the truth; where "
        "it is flat, the method returns the same whatever the truth is.",
    )
    report.section("Decay in some voxels")
    report.figure(decays(result), f"The first voxels at SNR {inputs['map_snr']:g}, not chosen.")
    _add_dependence(report, result)
    report.section("Times")
    report.table(
        times_table(result), caption="Of the fits alone, all SNRs together.",
        formats={"fits": ".3g", "training": ".3g", "voxels per second": ",.0f"},
    )  # fmt: skip
    report.section("How it was made")
    report.facts({name: value for name, value in options.items() if not isinstance(value, list)})
    return report


def _range(name: str, interval: Sequence[float]) -> str:
    low, high = (scale_of(name) * end for end in interval)
    return f"{shown_label(name)} {low:g} to {high:g}"


def _add_errors(report: Report, result: Evaluation) -> None:
    report.section("Errors by SNR")
    report.figure(
        errors_by_snr(result, "median_error", "Median error (%)"),
        "Median of |estimate - truth| / truth. Grey: what needs no method, the middle of the simulated range for every "
        "voxel, and least squares clipped to that range.",
    )
    for measure, caption, factor, best in (
        ("median_error", "Median error in percent; the best of each row stands out.", 100, np.nanmin),
        (
            "nrmse",
            "nRMSE in percent: root mean square error over mean truth; voxels far off decide it.",
            100,
            np.nanmin,
        ),
        ("spearman", "Spearman's rank correlation of estimates and truth.", 1, np.nanmax),
    ):
        table, cells = wide_table(result, measure, factor, best)
        report.table(table, caption=caption, best=cells, formats=_formats(table, DIGITS[factor]))
    table, _ = wide_table(result, "bias", 100)
    report.table(
        table, caption="Bias in percent: mean error over mean truth. The middle of the range has none by its making.",
        formats=_formats(table, "+.1f"),
    )  # fmt: skip
    if any(np.isfinite(result.errors.columns["coverage"])):
        table, _ = wide_table(result, "coverage", 100, references=False)
        report.table(
            table, formats=_formats(table, ".1f"),
            caption="Truths within one standard deviation of the estimate, in percent: 68 is right for normal errors, "
            "less is overconfident.",
        )  # fmt: skip


def wide_table(
    result: Evaluation, measure: str, factor: int, best: Callable | None = None, *, references: bool = True
) -> tuple[Table, list[tuple[int, str]]]:
    """A score with a row for each SNR and parameter and a column for each method, and the cells with the best value.

    Args:
        measure: a column of ``result.errors``.
        factor: 100 for percent, else 1.
        best: chooses the best of a row's values; of those that look the same all are best.
        references: whether the constant guess and the clipped least squares have a column.
    """
    table = result.errors.columns
    columns = zip(*(table[key] for key in ("snr", "parameter", "method", measure)), strict=True)
    values = {(snr, parameter, method): factor * value for snr, parameter, method, value in columns}
    methods = [name for name in dict.fromkeys(table["method"]) if references or name not in (CLIPPED, CONSTANT)]
    rows, cells = [], []
    for snr in dict.fromkeys(table["snr"]):
        for parameter in dict.fromkeys(table["parameter"]):
            row = {METHOD_NAMES[method]: values[snr, parameter, method] for method in methods}
            numbers = np.array(list(row.values()))
            if best is not None and np.isfinite(numbers).any():
                winner = format(best(numbers), DIGITS[factor])
                cells += [(len(rows), name) for name, value in row.items() if format(value, DIGITS[factor]) == winner]
            rows.append({"parameter": f"{QUANTITIES[parameter].label}, SNR {snr:g}", **row})
    return Table.from_rows(rows), cells


def _formats(table: Table, spec: str) -> dict[str, str]:
    return dict.fromkeys(list(table.columns)[1:], spec)


def _add_maps(report: Report, result: Evaluation) -> None:
    inputs = result.provenance.inputs
    report.section(f"Nested squares at SNR {inputs['map_snr']:g}")
    report.text(
        "Each square is homogeneous: grain in it is noise, another colour than the truth's is bias. The constant guess "
        "would be one colour all over."
    )
    for name in inputs["ranges"]:
        found = {METHOD_NAMES[method]: result.squares[f"{name}_{method}"] for method in inputs["methods"]}
        report.figure(
            comparison(name, result.squares[f"{name}_true"], found),
            f"{QUANTITIES[name].meaning}: truth and estimates on one scale, their differences below, median error and "
            "bias over all voxels under each.",
        )
    table = squares_table(result)
    report.table(
        table, formats=_formats(table, "+.1f"),
        caption="Bias in each square, in percent of its truth. A method that learns what is usual from the image draws "
        "a small square towards the rest.",
    )  # fmt: skip


def times_table(result: Evaluation) -> Table:
    """How long each method took."""
    columns = named(result.times, "method").columns
    times = {"method": columns["method"], "fits": columns["seconds"]}
    if any(columns["training_seconds"]):
        times["training"] = columns["training_seconds"]
    return Table({**times, "voxels per second": columns["voxels_per_second"]}, {"fits": "s", "training": "s"})


def squares_table(result: Evaluation) -> Table:
    """The bias of each parameter in each square, in percent, with a column for each method."""
    rows: dict[tuple[str, str], dict] = {}
    columns = result.squares_errors.columns
    for method, region, parameter, bias in zip(
        *(columns[key] for key in ("method", "region", "parameter", "bias")), strict=True
    ):
        label = region if region != TOGETHER else "all squares"
        row = rows.setdefault((region, parameter), {"square": f"{label}, {QUANTITIES[parameter].label}"})
        row[METHOD_NAMES[method]] = 100 * bias
    return Table.from_rows(rows.values())


def _add_dependence(report: Report, result: Evaluation) -> None:
    report.section("Dependence between estimates")
    columns = result.correlations.columns
    rows: dict[tuple, dict] = {}
    for snr, method, first, second, rho in zip(*columns.values(), strict=True):
        row = rows.setdefault((snr, method), {"method": f"{METHOD_NAMES[method]}, SNR {snr:g}"})
        row[f"{QUANTITIES[first].label} – {QUANTITIES[second].label}"] = rho
    table = Table.from_rows(rows.values())
    report.table(
        table, formats=_formats(table, ".3f"),
        caption="|Spearman's rho| between the estimates of two parameters; that of the truth is 0 but for chance.",
    )  # fmt: skip
    if result.consistency.columns:
        report.section("Consistency over repeated trainings")
        table = consistency_table(result)
        report.table(
            table, formats=_formats(table, ".1f"),
            caption="CV_NET in percent: root of the mean variance over the trainings, over the mean truth.",
        )  # fmt: skip


def consistency_table(result: Evaluation) -> Table:
    """How much a network's estimates change with its seed, in percent: a row for each SNR."""
    rows: dict[tuple, dict] = {}
    for snr, method, parameter, cv in zip(*result.consistency.columns.values(), strict=True):
        row = rows.setdefault((snr, method), {"method": f"{METHOD_NAMES[method]}, SNR {snr:g}"})
        row[QUANTITIES[parameter].label] = 100 * cv
    return Table.from_rows(rows.values())


def named(table: Table, column: str) -> Table:
    """The same table with methods as people call them."""
    columns = dict(table.columns)
    columns[column] = [METHOD_NAMES[name] for name in columns[column]]
    return Table(columns, table.units)
