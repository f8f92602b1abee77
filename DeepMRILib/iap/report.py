"""The pages that stand beside the results of IAPPredict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from DeepMRILib.iap.report_figures import (
    MOST_PLOTS,
    deciding_titles,
    interval_figure,
    saliency_figure,
    slices_figure,
    strip_figure,
)
from DeepMRILib.iap.report_folder import analyse_report, audit_report, cohort_report
from DeepMRILib.iap.report_simulated import simulate_report
from DeepMRILib.iap.report_words import (
    STATES,
    Row,
    add_notes,
    add_settings,
    chance_text,
    counted,
    is_known,
    label_of,
    labels_of,
    rows_of,
    value_text,
    verdict_text,
    verdict_tones,
)
from DeepMRILib.iap.result import IAPResult
from DeepMRILib.report import NO_VALUE, Report
from DeepMRILib.tables import Table

MOST_OTHERS = 3
KINDS = {"dicom": "DICOM", "enhanced": "enhanced DICOM", "bids": "BIDS sidecar", "none": "none"}
__all__ = ["analyse_report", "audit_report", "cohort_report", "predict_report", "simulate_report"]

LEGEND = (
    "= agree: the same within the tolerance, or the header's number lies in the image's interval. ≠ disagree: neither. "
    "∅ missing: the header does not say it. ? unseen: the network does not know what the header says. ~ unsure: the "
    "image does not tell. – not predicted. At a level of 90 % one in ten right headers may disagree: look at several "
    "parameters before you blame one."
)

MISSING = "∅ missing: without it, contrast or resolution of the series are not known. A dash: not every series has it."


def predict_report(result: IAPResult) -> Report:
    """What header and image say of each parameter, how sure that is, and what each slice says."""
    made = result.provenance
    report = Report("Acquisition parameters", f"{made.engine[:1].upper()}{made.engine[1:]}")
    rows = rows_of(result.parameters)
    told = [row for row in rows if is_known(row["predicted"])]
    report.facts(_facts(result, rows))
    add_notes(report, made)
    if result.slices.columns or told:
        _add_comparison(report, result, rows)
        _add_slices(report, result, told)
        _add_outside(report, result)
    else:
        _add_header(report, rows)
        _add_pictures(report, result)
    add_settings(report, made)
    return report


def _facts(result: IAPResult, rows: Sequence[Row]) -> dict[str, Any]:
    made = result.provenance
    inputs = made.inputs
    facts: dict[str, Any] = {}
    if result.slices.columns:
        facts["Header and image"] = counted(row["verdict"] for row in rows)
    if "slices" in inputs:
        facts["Slices looked at"] = f"{inputs['looked_at']} of {inputs['slices']}"
    kind = str(inputs.get("header") or "none")
    facts["Header"] = KINDS.get(kind, kind)
    lacking = [row["parameter"] for row in rows if row["verdict"] == "missing in the header"]
    if lacking:
        facts["Missing in the header"] = labels_of(lacking)
    if made.weights_sha256:
        facts["SHA-256 of the weights"] = made.weights_sha256
    return {**facts, "DeepMRI": made.version}


def _add_comparison(report: Report, result: IAPResult, rows: Sequence[Row]) -> None:
    level = result.provenance.options.get("level", 0.9)
    table = {
        "Parameter": [label_of(row["parameter"]) for row in rows],
        "Header says": [value_text(row["header"]) for row in rows],
        "Image says": [value_text(row["predicted"]) for row in rows],
        "How sure": [sure_text(row) for row in rows],
        "Verdict": [verdict_text(row["verdict"]) for row in rows],
        "Not ruled out": [others_text(row) for row in rows],
        "Slices agree": [NO_VALUE if row["agreement"] is None else f"{row['agreement']:.0%}" for row in rows],
    }
    report.section("Header and image")
    report.table(
        Table(table),
        tones=verdict_tones([row["verdict"] for row in rows]),
        caption=f"How sure: of words a probability, of numbers an interval at {level:.0%}, as what is not ruled out.",
    )
    report.text(LEGEND)
    notes = {label_of(row["parameter"], unit=False): row["note"] for row in rows if row["note"]}
    if notes:
        report.facts(notes)
    numbers = [row for row in rows if is_known(row["low"]) and is_known(row["predicted"])]
    if numbers:
        report.section("How sure of numbers")
        report.figure(
            interval_figure(numbers),
            f"The interval at {level:.0%} of each number. A wide one means that the image hardly shows the parameter.",
        )


def sure_text(row: Row) -> str:
    """The interval of a number, or the probability of a word or class.

    Example:
        >>> sure_text({"low": 9.0, "high": 12.5, "probability": None}), sure_text({"low": None, "probability": 0.97})
        ('9 to 12.5', '97 %')
    """
    return (
        f"{value_text(row['low'])} to {value_text(row['high'])}"
        if is_known(row["low"])
        else chance_text(row["probability"])
    )


def others_text(row: Row) -> str:
    """The classes that stay at the level beside the answer.

    Example:
        >>> others_text({"set": "1; 2; 3; 4; 5", "predicted": 2.0}), others_text({"set": "SE", "predicted": "SE"})
        ('1, 3 and 2 more', '–')
    """
    others = [one for one in str(row["set"] or "").split("; ") if one and one != value_text(row["predicted"])]
    if len(others) <= MOST_OTHERS:
        return ", ".join(others) or NO_VALUE
    return f"{', '.join(others[:2])} and {len(others) - 2} more"


def _add_slices(report: Report, result: IAPResult, told: Sequence[Row]) -> None:
    slices = rows_of(result.slices)
    drawn = main_rows([row for row in told if any(one["parameter"] == row["parameter"] for one in slices)])
    if drawn and len({one["slice"] for one in slices}) > 1:
        report.section("Slice by slice")
        report.figure(strip_figure(drawn, slices), "What each slice says by itself.")
    titles = deciding_titles(told, result.pictures)
    if titles:
        report.section("The deciding slices")
        report.figure(slices_figure(result.pictures, titles), "Slices that are surest of what the series says.")
    _add_saliency(report, result, told)


def main_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows worth a plot: those that disagree or are missing in the header first."""
    order = ("disagree", "missing in the header", "unseen class", "unsure", "agree")
    ranked = sorted(rows, key=lambda row: order.index(row["verdict"]) if row["verdict"] in order else len(order))
    return ranked[:MOST_PLOTS]


def _add_saliency(report: Report, result: IAPResult, told: Sequence[Row]) -> None:
    name = result.provenance.options.get("saliency", "")
    shares = result.pictures.get("saliency")
    if not name or shares is None:
        return
    row = next((row for row in told if row["parameter"] == name), None)
    image = result.pictures.get(str(row["slice"])) if row is not None else None
    report.section(f"What decides: {label_of(name, unit=False).lower()}")
    report.figure(
        saliency_figure(image, shares),
        "Orange speaks for the answer: where a patch is hidden, the answer changes. Cues outside the anatomy, such as "
        "margins or the background's noise, may be shortcuts.",
    )


def _add_outside(report: Report, result: IAPResult) -> None:
    rows = rows_of(result.outside)
    if not rows:
        return
    report.section("Like the images of the training?")
    table = {
        "Check": [f"{row['check'][:1].upper()}{row['check'][1:]}" for row in rows],
        "Value": [value_text(row["value"]) for row in rows],
        "Limit": [value_text(row["limit"]) for row in rows],
        "State": [f"{STATES[row['state']][0]} {row['state']}" for row in rows],
    }
    tones = {(number, "State"): STATES[row["state"]][1] for number, row in enumerate(rows)}
    report.table(Table(table), tones=tones, caption="Of slices, the fraction that fails the check.")
    if any(row["state"] == "bad" for row in rows):
        report.text("At least one check failed: what the image says above may mean nothing.")


def _add_header(report: Report, rows: Sequence[Row]) -> None:
    report.section("Header")
    if not rows:
        report.text("The header says nothing of how the image was acquired.")
        return
    lacks = [row["verdict"] == "missing in the header" for row in rows]
    said = [
        verdict_text(row["verdict"]) if lack else value_text(row["header"])
        for row, lack in zip(rows, lacks, strict=True)
    ]
    table = {"Parameter": [label_of(row["parameter"]) for row in rows], "Header says": said}
    tones = verdict_tones([row["verdict"] for row in rows], "Header says")
    report.table(Table(table), tones=tones, caption=MISSING if any(lacks) else "")


def _add_pictures(report: Report, result: IAPResult) -> None:
    if not result.pictures:
        return
    report.section("Slices")
    titles = {name: f"slice {name}" for name in result.pictures}
    report.figure(slices_figure(result.pictures, titles), "From the middle of the series.")
