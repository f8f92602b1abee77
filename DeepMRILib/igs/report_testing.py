"""The page of a test: which pattern serves best at which number of lines, with what it stands on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from DeepMRILib.igs.arms import FULL
from DeepMRILib.igs.report_figures import (
    MEASURE_WORDS,
    data_in_words,
    examples_figure,
    in_a_row,
    legend_words,
    rows_of,
    scores_figure,
)
from DeepMRILib.igs.report_masks import masks_figure, word_of
from DeepMRILib.igs.result import Evaluation
from DeepMRILib.igs.scoring import CLASS, HIGHER_IS_BETTER, IMAGE, MEAN, RECONSTRUCTION
from DeepMRILib.report import Report
from DeepMRILib.tables import Table

DIGITS = {"dice": 3, "hd95": 1, "correct": 3, "probability": 3, "auc": 3, "psnr": 2, "ssim": 3, "nmse": 4}
TITLES = {"hd95": "HD95 (mm)", "auc": "AUC", "probability": "Probability", "correct": "Told right"}
IMAGE_MEASURES = ("psnr", "ssim", "nmse")


def test_report(result: Evaluation) -> Report:
    """Scores against lines, tables with intervals and paired differences, one slice through each, and the masks."""
    made, about = result.provenance, result.about
    report = Report("k-space patterns compared", f"{made.engine[0].upper()}{made.engine[1:]}.")
    report.facts(
        {
            "Recommended": ", ".join(_recommended(about["recommended"])) + f" {about['word']}",
            "Tested on": data_in_words(made.inputs),
            "Network": made.inputs["network"] or "none: images alone",
            "Intervals": f"{100 * made.options['interval']:g} %, {made.inputs['intervals']}",
            "p": made.inputs["test"],
            **({"Intervals and p of areas": made.inputs["auc"]} if "auc" in made.inputs else {}),
            "Time": f"{made.seconds['all']:.1f} s on {made.device}",
            "DeepMRI": made.version,
        }
    )
    for note in made.notes:
        report.note(note)
    if about["task"] != "reconstruction" and set(about["structures"]) - {IMAGE}:
        _add_task(report, result)
    _add_images(report, result)
    report.section("One slice")
    report.figure(examples_figure(result), _examples_caption(result))
    report.section("The patterns")
    report.figure(
        masks_figure(*masks_by_lines(result)), "What each acquires; of random patterns the first draw. ✓ recommended."
    )
    report.section("How it was made")
    report.facts({name: value for name, value in made.options.items() if value not in ("", (), [])})
    return report


def _recommended(by_count: Mapping[str, str]) -> list[str]:
    """Each pattern with the numbers of lines at which it is recommended."""
    counts = {name: [count for count, other in by_count.items() if other == name] for name in by_count.values()}
    return [f"{word_of(name)} at {in_a_row(at)}" for name, at in counts.items()]


def _add_task(report: Report, result: Evaluation) -> None:
    """What the network makes of it."""
    structures = [name for name in result.about["structures"] if name not in (IMAGE, CLASS, RECONSTRUCTION)]
    if result.about["task"] == "classification":
        report.section("Classes")
        places = [(CLASS, measure, MEASURE_WORDS[measure]) for measure in ("auc", "correct", "probability")]
    else:
        report.section("Segmentation")
        main = MEAN if MEAN in structures else structures[0]
        said = "mean of structures" if main == MEAN else main
        places = [(main, "dice", f"Dice, {said}"), (main, "hd95", f"HD95 in mm, {said}")]
        more = [(name, "dice", f"Dice, {name}") for name in structures if name != main]
        places += more if len(more) <= 4 else []
    report.figure(scores_figure(result, places), _scores_caption(result, places[0][0]))
    for structure, measure, title in places[: 1 if result.about["task"] == "segmentation" else 2]:
        _add_tables(report, result, structure, measure, title)
    if len(structures) > 1:
        _add_structures(report, result, structures)
    if result.about["task"] == "segmentation":
        report.text(
            "All slices of a case together have one Dice coefficient for each structure. A structure that is neither "
            "in the truth nor in the segmentation is not counted; one that is in one of them only has Dice 0. "
            "Distances (HD95) are between outlines in slices where both have the structure."
        )


def _add_images(report: Report, result: Evaluation) -> None:
    network = RECONSTRUCTION in result.about["structures"]
    for structure in (RECONSTRUCTION, IMAGE) if network else (IMAGE,):
        report.section("Reconstructions by the network" if structure == RECONSTRUCTION else "Zero-filled images")
        places = [(structure, measure, MEASURE_WORDS[measure]) for measure in IMAGE_MEASURES]
        report.figure(scores_figure(result, places), _scores_caption(result, structure))
        for measure in IMAGE_MEASURES if result.about["task"] == "reconstruction" else ("ssim",):
            _add_tables(report, result, structure, measure, MEASURE_WORDS[measure], paired=measure == "ssim")
    report.text("Images are measured by case, with the highest true value as their range, as fastMRI does.")
    if result.about["task"] != "reconstruction":
        report.text("A pattern that serves a task may well give a worse image: compare with the section above.")


def _scores_caption(result: Evaluation, structure: str) -> str:
    return (
        f"Means over cases with {100 * result.provenance.options['interval']:g} % intervals, at equal numbers of "
        f"{result.about['word']}{'' if structure == IMAGE else '; dashed, all of them'}."
    )


def _add_tables(
    report: Report, result: Evaluation, structure: str, measure: str, title: str, *, paired: bool = True
) -> None:
    """Means with intervals, a row for each pattern, and below what the recommended pattern has more."""
    rows = [row for row in rows_of(result) if (row["structure"], row["measure"]) == (structure, measure)]
    table, best = score_table(rows, measure)
    report.table(table, caption=f"{title}: mean and interval. ✓ recommended; the best of a column stands out."
                 + _trivial(result, structure, measure), best=best)  # fmt: skip
    if paired and any(row["difference_cases"] for row in rows):
        report.table(
            difference_table(rows, measure, result.about["word"]),
            formats={"p": ".2g"},
            caption=f"{title}: what the recommended pattern has more than each, case by case, with interval and p."
            + ("" if measure in HIGHER_IS_BETTER else " Less is better."),
        )


def score_table(rows: Sequence[Mapping[str, Any]], measure: str) -> tuple[Table, list[tuple[int, str]]]:
    """A row for each pattern, a column for each number of lines, and the best cells."""
    counts = sorted({row["lines"] for row in rows if row["pattern"] != FULL})
    names = list(dict.fromkeys(row["pattern"] for row in rows if row["pattern"] != FULL))
    by_place = {(row["pattern"], row["lines"]): row for row in rows}
    columns: dict[str, list[Any]] = {"pattern": [word_of(name) for name in names]}
    best = []
    for count in counts:
        heading = _heading(by_place, names, count)
        columns[heading] = [_with_interval(by_place.get((name, count)), measure) for name in names]
        means = {n: by_place[name, count]["mean"] for n, name in enumerate(names) if (name, count) in by_place}
        known = {n: round(mean, DIGITS[measure]) for n, mean in means.items() if math.isfinite(mean)}
        if known:
            winner = max(known.values()) if measure in HIGHER_IS_BETTER else min(known.values())
            best += [(n, heading) for n, mean in known.items() if mean == winner]
    full = next((row for row in rows if row["pattern"] == FULL), None)
    if full is not None and not (full["structure"] == IMAGE and measure in IMAGE_MEASURES):
        columns["pattern"].append(word_of(FULL))
        for n, name in enumerate(list(columns)[1:]):
            columns[name].append(_with_interval(full, measure) if n == 0 else "")
    return Table(columns), best


def _heading(by_place: Mapping[tuple[str, int], Mapping[str, Any]], names: Sequence[str], count: int) -> str:
    row = next(by_place[name, count] for name in names if (name, count) in by_place)
    return f"{count} (×{row['acceleration']:.3g})"


def _with_interval(row: Mapping[str, Any] | None, measure: str) -> str:
    if row is None or not math.isfinite(row["mean"]):
        return "–"
    digits = DIGITS[measure]
    check = " ✓" if row["recommended"] else ""
    if not math.isfinite(row["low"]):
        return f"{row['mean']:.{digits}f}{check}"
    return f"{row['mean']:.{digits}f} ({row['low']:.{digits}f}–{row['high']:.{digits}f}){check}"


def difference_table(rows: Sequence[Mapping[str, Any]], measure: str, word: str = "lines") -> Table:
    """A row for each pattern that was compared with the recommended one, at each number of lines."""
    digits = DIGITS[measure]
    compared = sorted((row for row in rows if row["difference_cases"]), key=lambda row: row["lines"])
    return Table.from_rows(
        {
            "against": word_of(row["pattern"]),
            word: row["lines"],
            "difference": f"{row['difference']:+.{digits}f}",
            "interval": _interval(row, digits),
            "p": row["p"],
            "cases": row["difference_cases"],
        }
        for row in compared
    )


def _interval(row: Mapping[str, Any], digits: int) -> str:
    low, high = row["difference_low"], row["difference_high"]
    if row["difference"] == low == high == 0:
        return "none"
    return f"{low:+.{digits}f} to {high:+.{digits}f}" if math.isfinite(low) else "–"


def _trivial(result: Evaluation, structure: str, measure: str) -> str:
    """What is reached without looking, in a sentence."""
    columns = result.trivial.columns
    for row in result.trivial.rows:
        entry = dict(zip(columns, row, strict=True))
        if (entry["structure"], entry["measure"]) == (structure, measure):
            return f" Without looking ({entry['what']}): {entry['mean']:.{DIGITS[measure]}f}."
    return " Without looking: 0.5." if measure == "auc" else ""


def _add_structures(report: Report, result: Evaluation, structures: Sequence[str]) -> None:
    rows = [row for row in rows_of(result) if row["measure"] == "dice"]
    places = dict.fromkeys((row["pattern"], row["lines"]) for row in rows)
    by_place = {(row["pattern"], row["lines"], row["structure"]): row for row in rows}
    word = result.about["word"]
    columns: dict[str, list[Any]] = {
        "pattern": [f"{word_of(name)}, {count} {word}" if name != FULL else word_of(FULL) for name, count in places]
    }
    for structure in (name for name in structures if name != MEAN):
        columns[structure] = [by_place[name, count, structure]["mean"] for name, count in places]
    if MEAN in structures:
        columns["mean"] = [by_place[name, count, MEAN]["mean"] for name, count in places]
    report.table(Table(columns), formats=dict.fromkeys(list(columns)[1:], ".3f"), caption="Dice of each structure.")


def _examples_caption(result: Evaluation) -> str:
    about = result.about
    words = f"The same slice with {about['example_lines']} {about['word']} of each pattern."
    if any(name.endswith("_found") for name in result.examples):
        if about["task"] == "segmentation":
            words += f" Below what the network finds ({legend_words(about['label_names'])}); white, the true outlines."
        else:
            words += " Below what the network makes of it."
    return f"{words} The slice was chosen by its truth, not by its scores."


def masks_by_lines(result: Evaluation) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """The masks of each number of lines, under its title, and which is recommended there: for ``masks_figure``."""
    word = result.about["word"]
    columns: dict[str, dict[str, Any]] = {}
    for key, masks in result.masks.items():
        name, _, count = key.rpartition("_")
        if name != FULL:
            columns.setdefault(f"{count} {word}", {})[name] = masks
    return columns, {f"{count} {word}": name for count, name in result.about["recommended"].items()}
