"""The pages about networks: how one was trained, and how good it is beside guesses that do not look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from DeepMRILib.iap.evaluating import ALL
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.report_folder_figures import confusion_figure
from DeepMRILib.iap.report_training_figures import coverage_figure, families_of, reliability_figure, scatter_figure
from DeepMRILib.iap.report_words import (
    Row,
    add_notes,
    add_settings,
    add_unread,
    is_known,
    label_of,
    labels_of,
    plural,
    rows_of,
    value_text,
)
from DeepMRILib.iap.result import EvaluationResult
from DeepMRILib.iap.trained import TrainedModel
from DeepMRILib.plots import LossCurve, loss_plot
from DeepMRILib.report import NO_VALUE, Report
from DeepMRILib.tables import Table

WIDE = 0.7
"""Sets and intervals that span so much of what is possible say next to nothing."""
WELL_R2, WELL_CLASSES = 0.8, 0.9
LITTLE = 0.02
"""A score has to be better than a guess's by more than this."""
CONSTANT, GUESS, HARDLY = "does not vary", "only guessed", "hardly shown"
PARTLY, WELL = "partly shown", "well shown"
SKILLS = {GUESS: ("✗", "orange"), HARDLY: ("~", "yellow"), PARTLY: ("", ""), WELL: ("✓", "blue"), CONSTANT: ("–", "")}
"""Sign and colour of each."""
IMAGE = "In the image"
CONFOUNDED = {
    (
        "repetition_time",
        "GR",
    ): "Repetition time and flip angle change a spoiled gradient echo in the same way: a shorter "
    "time looks like a larger angle. Their mixture shows, each alone does not",
    ("flip_angle", "GR"): "As the repetition time",
    (
        "repetition_time",
        "IR",
    ): "Inversion recovery waits so long that nearly all magnetisation has come back: the image "
    "hardly depends on how long",
}
"""What physics says cannot be told, and why."""


def train_report(result: TrainedModel) -> Report:
    """What the network tells, who it was trained on, and how its loss fell."""
    made = result.provenance
    report = Report("Network for acquisition parameters", f"{result.name}: {made.engine}")
    size = sum(array.size for name, array in result.weights.items() if name.startswith("network."))
    report.facts(
        {
            "Tells": labels_of(dict.fromkeys(head["parameter"] for head in result.layout)),
            "Weights": f"{size / 1e3:.0f} thousand",
            "Size of the images": f"{result.design['size']} x {result.design['size']}",
            "Trained on": result.training_data,
            "Licence": result.licence,
            "DeepMRI": made.version,
            **({"SHA-256 of the weights": made.weights_sha256} if made.weights_sha256 else {}),
        }
    )
    add_notes(report, made)
    _add_history(report, result)
    if len(result.parts):
        report.section("Who was in which part")
        parts = {name.capitalize(): values for name, values in result.parts.columns.items()}
        report.table(Table(parts), caption="Patients are in one part only. The held out decide which epoch is kept; on "
                     "those of the calibration probabilities, sets and intervals are made.")  # fmt: skip
    report.section("What it tells")
    report.table(_heads(result.layout))
    report.text("How good it is says an evaluation on series of other patients (iap evaluate), beside trivial guesses.")
    add_settings(report, made)
    return report


def _add_history(report: Report, result: TrainedModel) -> None:
    history = result.history.columns
    if not history:
        return
    report.section("Training")
    curve = {name: np.array(history[name], dtype=float) for name in ("epoch", "loss", "held_out_loss")}
    report.figure(
        loss_plot([LossCurve(result.name, curve["epoch"], curve["loss"], curve["held_out_loss"])]),
        "The loss of all parameters together, in training (dotted) and of the patients held out (solid).",
    )


def _heads(layout: Sequence[dict[str, Any]]) -> Table:
    words = {"categorical": "words", "ordinal": "few numbers, in order", "continuous": "number"}
    columns: dict[str, list[Any]] = {"Parameter": [], "Kind": [], "Values": []}
    for head in layout:
        columns["Parameter"].append(label_of(head["parameter"]))
        columns["Kind"].append(words[head["kind"]])
        columns["Values"].append(_values(head))
    return Table(columns)


def _values(head: dict[str, Any]) -> str:
    if head["kind"] != "continuous":
        classes = [value_text(one) for one in head["classes"]]
        return ", ".join(classes[:8]) + (f" and {len(classes) - 8} more" if len(classes) > 8 else "")
    scale = "logarithmic scale" if head["logarithm"] else "linear scale"
    name, among = head.get("only") or ("", ())
    return f"{scale}, where {label_of(name, unit=False).lower()} is {' or '.join(among)}" if name else scale


def evaluate_report(result: EvaluationResult) -> Report:
    """Scores beside guesses, what the image hardly shows, and whether probabilities and intervals keep their word."""
    made = result.provenance
    level = made.options["level"]
    rows = rows_of(result.scores)
    predictions = rows_of(result.predictions)
    report = Report("Evaluation of a network for acquisition parameters", made.engine)
    report.facts(
        {
            "Series": made.inputs["series"],
            "Slices": made.inputs["slices"],
            "Parameters": len({row["parameter"] for row in rows}),
            "Sets and intervals at": f"{level:.0%}",
            "Not read": plural(len(result.unread), "place"),
            **({"SHA-256 of the weights": made.weights_sha256} if made.weights_sha256 else {}),
        }
    )
    add_notes(report, made)
    _add_numbers(report, [row for row in rows if row["kind"] == "continuous" and row["group"] == ALL])
    _add_classes(report, [row for row in rows if row["kind"] != "continuous" and row["group"] == ALL])
    families = families_of(rows)
    _add_families(report, rows)
    _add_scatter(report, predictions, families)
    covered = [row for row in rows if is_known(row["coverage"])]
    if covered:
        report.section("Do sets and intervals hold the truth?")
        report.figure(
            coverage_figure(covered, families, level),
            f"Left, how many do; {level:.0%} was asked for (dashed). Right, how wide they are: 1 is as wide as the "
            "truth spreads, or as many as there are classes, and says nothing.",
        )
    if len(result.calibration):
        report.section("Are probabilities what they say?")
        report.figure(
            reliability_figure(rows_of(result.calibration)),
            "How often an answer of a probability is right; larger points are more series. Below the line: too sure.",
        )
    if len(result.confusion):
        report.section("What is taken for what")
        report.figure(
            confusion_figure(rows_of(result.confusion), true_name="truth", most=12),
            "Rows are truths, shades are fractions of a row.",
        )
    add_unread(report, result.unread)
    add_settings(report, made)
    return report


def skill(row: Row) -> str:
    """What a row of scores says of its parameter.

    Example:
        >>> row = {"kind": "continuous", "r2": 0.9, "vendor_mean_r2": 0.1, "relative_width": 0.3}
        >>> skill(row), skill({**row, "relative_width": 0.9}), skill({**row, "vendor_mean_r2": 0.9})
        ('well shown', 'hardly shown', 'only guessed')
    """
    numbers = row["kind"] == "continuous"
    score, guess = (row["r2"], row["vendor_mean_r2"]) if numbers else (row["accuracy"], row["majority"])
    if not is_known(score) or (not numbers and guess >= 1):
        return CONSTANT
    if score <= (guess or 0.0) + LITTLE:
        return GUESS
    if is_known(row["relative_width"]) and row["relative_width"] >= WIDE:
        return HARDLY
    shown = score >= WELL_R2 if numbers else row["balanced_accuracy"] >= WELL_CLASSES
    return WELL if shown else PARTLY


def skill_text(row: Row) -> str:
    """The same with its sign."""
    word = skill(row)
    return f"{SKILLS[word][0]} {word}".strip()


def _tones(rows: Sequence[Row]) -> dict[tuple[int, str], str]:
    return {(n, IMAGE): tone for n, row in enumerate(rows) if (tone := SKILLS[skill(row)][1])}


def _add_numbers(report: Report, rows: Sequence[Row]) -> None:
    if not rows:
        return
    report.section("Numbers")
    columns = {
        "Parameter": [label_of(row["parameter"]) for row in rows],
        IMAGE: [skill_text(row) for row in rows],
        "R²": [row["r2"] for row in rows],
        "Guess's R²": [row["vendor_mean_r2"] for row in rows],
        "RMSE": [row["rmse"] for row in rows],
        "Guess's RMSE": [row["vendor_mean_rmse"] for row in rows],
        "Median error": [row["median_error"] for row in rows],
        "Series": [row["series"] for row in rows],
    }
    report.table(
        Table(columns),
        formats={"R²": ".2f", "Guess's R²": ".2f"},
        tones=_tones(rows),
        caption="The guess is the mean of the vendor's series, which needs no look at the image. R² is on the scale "
        "that was learned, logarithmic for times; errors are in the parameter's unit.",
    )


def _add_classes(report: Report, rows: Sequence[Row]) -> None:
    if not rows:
        return
    report.section("Words and classes")
    columns = {
        "Parameter": [label_of(row["parameter"], unit=False) for row in rows],
        IMAGE: [skill_text(row) for row in rows],
        "Accuracy": [row["accuracy"] for row in rows],
        "Guess": [row["majority"] for row in rows],
        "Balanced accuracy": [row["balanced_accuracy"] for row in rows],
        "Classes in a set": [row["width"] for row in rows],
        "ECE": [row["ece"] for row in rows],
        "Series": [row["series"] for row in rows],
    }
    formats = dict.fromkeys(("Accuracy", "Guess", "Balanced accuracy"), ".0%")
    report.table(
        Table(columns),
        formats={**formats, "Classes in a set": ".1f", "ECE": ".2f"},
        tones=_tones(rows),
        caption="The guess is always the commonest class. Balanced accuracy counts each class alike. ECE, the expected "
        "calibration error, is how far probabilities are from what they say.",
    )


def _add_families(report: Report, rows: Sequence[Row]) -> None:
    rows = [row for row in rows if row["group"] != ALL and skill(row) != CONSTANT]
    if not rows:
        return
    report.section("Sequence by sequence")
    columns = {
        "Parameter": [label_of(row["parameter"], unit=False) for row in rows],
        "Sequence": [row["group"] for row in rows],
        IMAGE: [skill_text(row) for row in rows],
        "Score": [_score_text(row, "r2", "accuracy") for row in rows],
        "Guess": [_score_text(row, "vendor_mean_r2", "majority") for row in rows],
        "Balanced": [row["balanced_accuracy"] for row in rows],
        "Hold the truth": [row["coverage"] for row in rows],
        "Width": [row["relative_width"] for row in rows],
        "Series": [row["series"] for row in rows],
    }
    report.table(
        Table(columns),
        formats=dict.fromkeys(("Balanced", "Hold the truth", "Width"), ".0%"),
        tones=_tones(rows),
        caption="R² of numbers, accuracy of classes. Width is that of sets and intervals, as a fraction of the spread "
        "of the truth or of all classes.",
    )
    _add_confounded(report, rows)


def _score_text(row: Row, of_numbers: str, of_classes: str) -> str:
    if row["kind"] == "continuous":
        return NO_VALUE if row[of_numbers] is None else f"R² {row[of_numbers]:.2f}"
    return f"{row[of_classes]:.0%}"


def _add_confounded(report: Report, rows: Sequence[Row]) -> None:
    found = {(row["parameter"], row["group"]): row for row in rows if row["parameter"] in BY_NAME}
    facts = {}
    for key, why in CONFOUNDED.items():
        row = found.get(key)
        if row is not None:
            facts[f"{label_of(key[0], unit=False)}, {key[1]}"] = f"{why}.{_width_text(row['relative_width'])}"
    if facts:
        report.section("What images cannot show")
        report.text(
            "Some parameters leave hardly a trace in the image. No network can tell them; an honest one has wide "
            "intervals there."
        )
        report.facts(facts)


def _width_text(width: float | None) -> str:
    if width is None:
        return ""
    return " Intervals here span " + (f"{width:.0%} of all values." if width < 1 else "more than all values.")


def _add_scatter(report: Report, predictions: Sequence[Row], families: Sequence[str]) -> None:
    numbers = [row for row in predictions if isinstance(row["truth"], (int, float)) and is_number(row)]
    if numbers:
        report.section("Truth against answer")
        report.figure(
            scatter_figure(numbers, families),
            "A point for each series, its interval as a line. On the dashed line both are the same.",
        )


def is_number(row: Row) -> bool:
    """Whether a row of predictions is of a continuous parameter, not of classes that are numbers."""
    return row["probability"] is None and isinstance(row["predicted"], (int, float))
