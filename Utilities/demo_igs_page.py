"""The chapter on k-space patterns on the page: patterns beside the usual ones of as many lines, for image and task."""

from __future__ import annotations

import csv
import functools
import json
from pathlib import Path
from typing import Any

from demo_chapter import Book, Step
from matplotlib.figure import Figure

from DeepMRILib.igs import Pattern
from DeepMRILib.igs.report_figures import scores_of_rows
from DeepMRILib.igs.report_masks import order_figure
from DeepMRILib.igs.report_testing import difference_table, score_table
from DeepMRILib.results import RESULT_FILE
from DeepMRILib.tables import Table

NUMBERS = ("lines", "acceleration", "mean", "low", "high", "difference", "difference_low", "difference_high", "p")
TASKS = {"hearts": "A segmentation of the heart", "stripe": "Stripes of one spatial frequency"}
SAID = {
    "hearts": "A small U-Net segments the hearts, after training on full and undersampled images of half of the cases. "
    "The pattern was searched on a quarter of them, and what follows was measured on the last quarter.",
    "stripe": "The same with discs that differ from their surroundings by stripes of 14 cycles per field of view "
    "alone: the centre of k-space does not hold what the task needs, and the search has to find out where it lies.",
}


def write(book: Book, folder: Path, steps: list[Step]) -> None:
    """Add the chapter to the page.

    Args:
        book: the page.
        folder: in which the commands left their results.
        steps: the commands.
    """
    page = Page(book, folder)
    page.times(steps)
    page.image()
    for task in TASKS:
        if (folder / f"{task}_tested").is_dir():
            page.task(task)


class Page:
    """The sections of the chapter.

    Args:
        book: what they are added to.
        folder: what they show.
    """

    def __init__(self, book: Book, folder: Path) -> None:
        self._book, self._folder = book, folder

    @functools.lru_cache(maxsize=8)  # noqa: B019 - the page lives as long as the program
    def _rows(self, name: str, table: str = "summary") -> list[dict[str, Any]]:
        with (self._folder / name / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
            return [_numbers(row) for row in csv.DictReader(stream)]

    def _of(self, name: str, structure: str, measure: str) -> list[dict[str, Any]]:
        return [row for row in self._rows(name) if (row["structure"], row["measure"]) == (structure, measure)]

    def _figure(self, figure: Figure, name: str, caption: str) -> None:
        self._book.picture(figure, self._folder / "figures" / f"{name}.png", caption)

    def times(self, steps: list[Step]) -> None:
        """How long everything took."""
        rows = [
            {"made": step.name, "command": step.seconds, "of it computing": self._seconds(step.name)} for step in steps
        ]
        self._book.section("Times")
        self._book.table(
            Table.from_rows(rows, {"command": "s", "of it computing": "s"}),
            formats={"command": ".1f", "of it computing": ".1f"},
            caption="A command also reads and writes files and draws its report.",
        )

    def _seconds(self, name: str) -> float:
        made = json.loads((self._folder / name / RESULT_FILE).read_text(encoding="utf-8"))["provenance"]
        return sum(made["seconds"].values()) if "all" not in made["seconds"] else made["seconds"]["all"]

    def image(self) -> None:
        """The pattern that serves the image, which needs no network."""
        self._book.section("For the image")
        self._book.text(
            "Without a network the search looks at the image itself, here at its mean error (L1). That is known to end "
            "at the centre of k-space, or next to it: a check that the search finds what is best."
        )
        pattern = Pattern.load(self._folder / "image")
        self._figure(order_figure(pattern), "order", "The lines in the order in which they were found.")
        rows = self._of("image_tested", "image", "nmse")
        table, best = score_table(rows, "nmse")
        self._book.table(table, best=best, caption="NMSE of zero-filled test images (less is better) with intervals.")

    def task(self, name: str) -> None:
        """A pattern that serves a task, beside the others, and what it costs the image."""
        self._book.section(TASKS[name])
        self._book.text(SAID[name])
        tested = f"{name}_tested"
        structure = "mean" if self._of(tested, "mean", "dice") else self._only_structure(tested)
        rows = self._of(tested, structure, "dice")
        trivial = [
            row for row in self._rows(tested, "trivial") if (row["structure"], row["measure"]) == (structure, "dice")
        ]
        without = f" Without looking ({trivial[0]['what']}): {trivial[0]['mean']:.3f}." if trivial else ""
        table, best = score_table(rows, "dice")
        self._book.table(
            table,
            best=best,
            caption="Dice on test images with intervals. ✓ recommended on the selection set." + without,
        )
        self._book.table(difference_table(rows, "dice"), caption="What the recommended pattern has more than each.")
        places = [(structure, "dice", "Dice"), ("image", "ssim", "SSIM of the zero-filled image")]
        figure = scores_of_rows(self._rows(tested), places, "lines")
        self._figure(figure, f"{name}_curves", "Task and image against the number of lines; dashed, all lines.")
        self._figure(
            order_figure(Pattern.load(self._folder / f"{name}_pattern")), f"{name}_order",
            "The lines in the order in which they were found.",
        )  # fmt: skip

    def _only_structure(self, tested: str) -> str:
        return next(row["structure"] for row in self._rows(tested) if row["measure"] == "dice")


def _numbers(row: dict[str, str]) -> dict[str, Any]:
    """A row of a table with its numbers as numbers."""
    read: dict[str, Any] = dict(row)
    for name in NUMBERS:
        if name in row:
            read[name] = float(row[name]) if row[name] not in ("", "None") else float("nan")
    for name in ("difference_cases", "cases"):
        if name in row:
            read[name] = int(float(row[name] or 0))
    if "lines" in row:
        read["lines"] = int(read["lines"])
    if "recommended" in row:
        read["recommended"] = row["recommended"] == "True"
    return read
