"""The chapter on acquisition parameters on the page: what headers and images say, beside the truth."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from demo_chapter import Book, Step
from matplotlib.figure import Figure

from DeepMRILib.iap.evaluating import ALL
from DeepMRILib.iap.report import main_rows, sure_text
from DeepMRILib.iap.report_figures import strip_figure
from DeepMRILib.iap.report_folder_figures import association_figure
from DeepMRILib.iap.report_simulated import contact_sheet
from DeepMRILib.iap.report_training import SKILLS, is_number, skill, skill_text
from DeepMRILib.iap.report_training_figures import coverage_figure, families_of, scatter_figure
from DeepMRILib.iap.report_words import is_known, label_of, value_text, verdict_text, verdict_tones
from DeepMRILib.iap.verdicts import same
from DeepMRILib.plots import LossCurve, loss_plot
from DeepMRILib.results import RESULT_FILE
from DeepMRILib.tables import Table

SHIPPED = "iap-demo"
PLANTED = ("manufacturer", "field_strength", "repetition_time", "echo_time", "inversion_time", "flip_angle",
           "slice_thickness", "patient_position", "scan_options")  # fmt: skip
"""Parameters that the simulated headers lack or say wrong."""
SETS = {"unseen": "New subjects", "combinations": "New combinations"}


def write(book: Book, folder: Path, steps: list[Step]) -> None:
    """Add the chapter to the page.

    Args:
        book: the page.
        folder: in which the commands left their results.
        steps: the commands.
    """
    page = Page(book, folder)
    page.times(steps)
    page.simulated()
    page.audits()
    page.association()
    page.domains("by_header", "Sorted by what headers say", "What a header does not say is unknown.")
    if (folder / "network").is_dir():
        page.series()
        page.scores()
        page.wrong_headers()
        page.domains("by_image", "Sorted by what images say", "The same series by the network's answers.")
        page.completed()
        page.training()


class Page:
    """The sections of the chapter.

    Args:
        book: what they are added to.
        folder: what they show.
    """

    def __init__(self, book: Book, folder: Path) -> None:
        self._book, self._folder = book, folder

    def _rows(self, name: str, table: str) -> list[dict[str, Any]]:
        with (self._folder / name / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
            return [{column: typed(text) for column, text in row.items()} for row in csv.DictReader(stream)]

    def _made(self, name: str) -> dict[str, Any]:
        return json.loads((self._folder / name / RESULT_FILE).read_text(encoding="utf-8"))["provenance"]

    def _figure(self, figure: Figure, name: str, caption: str) -> None:
        self._book.picture(figure, self._folder / "figures" / f"{name}.png", caption)

    def _truth(self, name: str) -> dict[str, dict[str, Any]]:
        """The rows of the truth by the place of the series, as results call it."""
        return {str(row["path"]).partition("/")[2]: row for row in self._rows(name, "truth")}

    def times(self, steps: list[Step]) -> None:
        """How long everything took."""
        rows = [
            {
                "made": step.name,
                "command": step.seconds,
                "of it computing": sum(self._made(step.name)["seconds"].values()),
            }
            for step in steps
        ]
        self._book.section("Times")
        self._book.table(
            Table.from_rows(rows, {"command": "s", "of it computing": "s"}),
            formats={"command": ".1f", "of it computing": ".1f"},
            caption="A command also reads and writes files and draws its report.",
        )

    def simulated(self) -> None:
        """Some slices with their parameters."""
        self._book.section("Simulated series")
        self._book.text(
            "Heads and breasts are drawn, and imaged by the signal equations of spin echo, spoiled gradient echo and "
            "inversion recovery. Parameters are drawn independently, so that none gives another away. Vendors are "
            "invented. Of the headers' entries a third is missing in the first folder; in the second one of seven is "
            "wrong."
        )
        with np.load(self._folder / "phantom" / "examples.npz") as stored:
            examples = {name: stored[name] for name in list(stored)[:8]}
        self._figure(
            contact_sheet(examples, self._rows("phantom", "truth")), "examples", "Some, with their parameters."
        )

    def audits(self) -> None:
        """What the audit finds of what was planted."""
        self._book.section("Headers looked through")
        missing = self._found("phantom", "audit")
        wrong = self._found("wrong", "audit_wrong")
        names = [name for name in PLANTED if missing[name][0] or wrong[name][0]]
        columns = {
            "Parameter": [label_of(name, unit=False) for name in names],
            "Missing": [missing[name][0] for name in names],
            "of these found": [missing[name][1] for name in names],
            "Wrong": [wrong[name][0] for name in names],
            "found": [wrong[name][1] for name in names],
        }
        self._book.table(Table(columns), caption="What was planted, and what the audits found of it.")
        self._book.text(
            "An audit looks for what a protocol needs, for what cannot be, and for what is rare in its group. Wrong "
            "but plausible values it cannot see: for these somebody has to look at the image."
        )

    def _found(self, name: str, audit: str) -> dict[str, tuple[int, int]]:
        """Of each parameter, how many series it is amiss in, and in how many of these the audit found it."""
        findings = {(row["series"], row["parameter"]) for row in self._rows(audit, "findings")}
        everywhere = {parameter for series, parameter in findings if not series}
        counts = {}
        for parameter in PLANTED:
            amiss = [place for place, row in self._truth(name).items() if parameter in str(row["amiss"] or "")]
            told = [one for one in amiss if parameter in everywhere or (one, parameter) in findings]
            counts[parameter] = (len(amiss), len(told))
        return counts

    def association(self) -> None:
        """What goes with what."""
        rows = self._rows("analysis", "association")
        names = [row["parameter"] for row in rows]
        values = [[np.nan if row[name] is None else float(row[name]) for name in names] for row in rows]
        self._book.section("What goes with what")
        self._figure(
            association_figure(names, values),
            "association",
            "Association of the headers' parameters: sequences have ranges of times of their own.",
        )

    def domains(self, name: str, title: str, words: str) -> None:
        """The domains, and how many series are in the right one."""
        truth = self._truth("phantom")
        rows = self._rows(name, "series")
        by = self._made(name)["options"]["by"]
        right = [all(part in str(row["domain"]) for part in _domain(truth[row["path"]], by)) for row in rows]
        counts, of_right = Counter(row["domain"] for row in rows), Counter()
        of_right.update(row["domain"] for row, one in zip(rows, right, strict=True) if one)
        self._book.section(title)
        names = sorted(counts)
        columns = {
            "Domain": names,
            "Series": [counts[domain] for domain in names],
            "In the right one": [of_right[domain] for domain in names],
        }
        self._book.table(Table(columns), caption=f"{words} {sum(right)} of {len(rows)} are where they belong.")

    def series(self) -> None:
        """One series: header, image and truth, and what each slice says."""
        made = self._made("predicted")
        rows = self._rows("predicted", "parameters")
        truth = self._truth("phantom")[self._place_predicted(made)]
        self._book.section("One series")
        if SHIPPED not in made["engine"]:
            self._book.note(
                f"The network {SHIPPED} is not here. What follows is of the short training below, which has learned "
                "next to nothing."
            )
        self._book.text(f"What the header of a spin echo lacks, and what the image says: {made['engine']}.")
        for note in made["notes"]:
            self._book.note(note)
        columns = {
            "Parameter": [label_of(row["parameter"]) for row in rows],
            "Header says": [value_text(row["header"]) for row in rows],
            "Image says": [value_text(row["predicted"]) for row in rows],
            "How sure": [sure_text(row) for row in rows],
            "Verdict": [verdict_text(row["verdict"]) for row in rows],
            "Truth": [value_text(truth.get(row["parameter"])) for row in rows],
        }
        tones = verdict_tones([row["verdict"] for row in rows])
        self._book.table(Table(columns), tones=tones, caption="How sure: a probability, or the 90 % interval.")
        told = [row for row in rows if is_known(row["predicted"])]
        figure = strip_figure(main_rows(told), self._rows("predicted", "slices"))
        self._figure(figure, "slices", "What each slice says by itself.")

    def _place_predicted(self, made: Mapping[str, Any]) -> str:
        words = str(made["command"]).replace("\\", "/")
        return next(place for place in self._truth("phantom") if f"series/{place}" in words)

    def scores(self) -> None:
        """Scores on new subjects and on new combinations, beside guesses."""
        self._book.section("New subjects, new combinations")
        self._book.text(
            "Scores on subjects that no network has seen: with parameters as in the training, and with combinations of "
            "field strength, repetition time and a third parameter that were left out of it."
        )
        rows = {name: self._rows(f"{name}_scores", "scores") for name in SETS}
        self._book.table(
            _score_table(rows),
            tones=_skills(rows["unseen"]),
            caption="R² of numbers, balanced accuracy of classes; in brackets what the vendor's mean or the commonest "
            "class would score. Held: sets and intervals that hold the truth.",
        )
        families = families_of(rows["unseen"])
        numbers = [row for row in self._rows("unseen_scores", "predictions") if is_number(row)]
        if numbers:
            self._figure(
                scatter_figure(numbers, families), "truth", "New subjects: truth against answer, with intervals."
            )
        covered = [row for row in rows["unseen"] if is_known(row["coverage"])]
        self._figure(
            coverage_figure(covered, families, 0.9),
            "coverage",
            "How many sets and intervals hold the truth (90 % was asked for), and how wide they are. Wide ones are "
            "honest where the image shows nothing: TR and flip angle of gradient echoes, TR of inversion recovery.",
        )

    def wrong_headers(self) -> None:
        """Which wrong headers the image contradicts, and how often it contradicts right ones."""
        truth = self._truth("wrong")
        rows = self._rows("compared", "series")
        names = [name for name in PLANTED if f"{name}_verdict" in rows[0]]
        columns: dict[str, list[Any]] = {"Parameter": [label_of(name, unit=False) for name in names]}
        for title, is_wrong in (("Wrong", True), ("Right", False)):
            chosen = [[row for row in rows if (name in str(truth[row["path"]]["amiss"] or "")) == is_wrong
                       and is_known(row[f"{name}_header"])] for name in names]  # fmt: skip
            pairs = list(zip(names, chosen, strict=True))
            columns[f"{title} headers"] = [len(one) for one in chosen]
            columns[f"≠ disagree ({title.lower()})"] = [
                sum(row[f"{name}_verdict"] == "disagree" for row in one) for name, one in pairs
            ]
        self._book.section("Wrong headers")
        self._book.table(
            Table(columns),
            caption="How many headers the image contradicts: wrong ones should be, of right ones one in ten may be.",
        )

    def completed(self) -> None:
        """How good the values are that were filled in."""
        truth = self._truth("phantom")
        rows = self._rows("completed", "series")
        found: dict[str, list[bool]] = {}
        held: dict[str, list[bool]] = {}
        for row in rows:
            for name in (one for one in PLANTED if row.get(f"{one}_predicted") is not None):
                if row[f"{name}_header"] is None and row["filled"] and truth[row["path"]][name] is not None:
                    value, true = row[f"{name}_predicted"], truth[row["path"]][name]
                    found.setdefault(name, []).append(same(name, true, value))
                    if is_known(row[f"{name}_low"]):
                        held.setdefault(name, []).append(row[f"{name}_low"] <= true <= row[f"{name}_high"])
        self._book.section("Sidecars completed")
        written = len(self._rows("completed", "written"))
        self._book.text(
            f"{written} of {len(rows)} series got a sidecar with a block of predicted values; no header was changed."
        )
        if found:
            columns = {
                "Parameter": [label_of(name, unit=False) for name in found],
                "Missing and told": [len(one) for one in found.values()],
                "Within the tolerance": [sum(one) for one in found.values()],
                "In the interval": [sum(held[name]) if name in held else None for name in found],
            }
            self._book.table(Table(columns), caption="What the network says where the header says nothing, against the "
                             "truth. Words are written only above a probability of 90 %.")  # fmt: skip

    def training(self) -> None:
        """How the loss of the short training fell."""
        rows = self._rows("network", "history")
        curve = {name: [float(row[name]) for row in rows] for name in ("epoch", "loss", "held_out_loss")}
        self._book.section("A training of one's own")
        self._book.text(
            "A few epochs on the first folder: enough to show how it is done, far too little to learn from. What is "
            "missing in the headers comes from a table."
        )
        self._figure(
            loss_plot([LossCurve("demo_network", curve["epoch"], curve["loss"], curve["held_out_loss"])]),
            "training",
            "The loss in training (dotted) and of the patients held out (solid).",
        )


def typed(text: str | None) -> Any:
    """What a cell of a CSV file holds: None, a number or text."""
    if text is None or text in ("", "None"):
        return None
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if text.lstrip("-").isdigit() else number


def _domain(truth: Mapping[str, Any], by: Sequence[str]) -> list[str]:
    return [f"{value_text(truth[name])} T" if name == "field_strength" else str(truth[name]) for name in by]


def _score_table(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """A row for each parameter of all series; score, guess and coverage of each set."""
    first = [row for row in rows["unseen"] if row["group"] == ALL]
    columns: dict[str, list[Any]] = {
        "Parameter": [label_of(row["parameter"], unit=False) for row in first],
        "In the image": [skill_text(row) for row in first],
    }
    for name, words in SETS.items():
        of = {row["parameter"]: row for row in rows[name] if row["group"] == ALL}
        chosen = [of.get(row["parameter"]) for row in first]
        columns[words] = [None if row is None else _score(row) for row in chosen]
        columns["held" if name == "unseen" else "held there"] = [
            None if row is None or row["coverage"] is None else f"{row['coverage']:.0%}" for row in chosen
        ]
    return Table(columns)


def _skills(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str], str]:
    shown = [SKILLS[skill(row)][1] for row in rows if row["group"] == ALL]
    return {(number, "In the image"): tone for number, tone in enumerate(shown) if tone}


def _score(row: Mapping[str, Any]) -> str | None:
    """A score, and in brackets that of a guess."""
    if row["kind"] != "continuous":
        return f"{row['balanced_accuracy']:.0%} ({row['majority']:.0%})"
    return None if row["r2"] is None else f"{row['r2']:.2f} ({row['vendor_mean_r2']:.2f})"
