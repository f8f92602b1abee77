"""The chapter on perivascular spaces on the page: what each engine finds, beside the truth and beside chance."""

from __future__ import annotations

import csv
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from demo_chapter import Book, Step
from matplotlib.figure import Figure

from DeepMRILib import files
from DeepMRILib.plots import dress, new_figure
from DeepMRILib.pvs.report_pictures import found_and_missed, sizes_plot
from DeepMRILib.report_style import INK, MUTED, PALETTE
from DeepMRILib.results import RESULT_FILE
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

ENGINES = {"frangi": "Vesselness (Frangi)", "jerman": "Vesselness (Jerman)", "network": "Network of DeepMRI"}
WHOLE = "Whole image"


def write(book: Book, folder: Path, steps: list[Step]) -> None:
    """Add the chapter to the page.

    Args:
        book: the page.
        folder: in which the commands left their results.
        steps: the commands.
    """
    page = Page(book, folder)
    page.times(steps)
    page.scores()
    page.pictures()
    page.by_size()


class Page:
    """The sections of the chapter.

    Args:
        book: what they are added to.
        folder: what they show.
    """

    def __init__(self, book: Book, folder: Path) -> None:
        self._book, self._folder = book, folder
        self._engines = {name: title for name, title in ENGINES.items() if (folder / name).is_dir()}

    def _rows(self, name: str, table: str) -> list[dict[str, str]]:
        with (self._folder / name / f"{table}.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def _seconds(self, name: str) -> float:
        made = json.loads((self._folder / name / RESULT_FILE).read_text(encoding="utf-8"))["provenance"]
        return made["seconds"]["engine"]

    @functools.cached_property
    def _summaries(self) -> dict[str, dict[str, float]]:
        return {
            name: {row["measure"]: float(row["value"]) for row in self._rows(f"agreement_{name}", "summary")}
            for name in self._engines
        }

    def _figure(self, figure: Figure, name: str, caption: str) -> None:
        self._book.picture(figure, self._folder / "figures" / f"{name}.png", caption)

    def times(self, steps: list[Step]) -> None:
        """How long everything took."""
        rows = [
            {
                "made": step.name,
                "command": step.seconds,
                "search alone": self._seconds(step.name) if step.name in self._engines else None,
            }
            for step in steps
        ]
        self._book.section("Times")
        self._book.table(
            Table.from_rows(rows, {"command": "s", "search alone": "s"}),
            formats={"command": ".1f", "search alone": ".1f"},
            caption="A command also reads and writes files, prepares the image and draws its report.",
        )

    def scores(self) -> None:
        """How well each engine does, beside chance."""
        rows: list[dict[str, Any]] = []
        for name, title in self._engines.items():
            agreement = {
                row["of"]: row for row in self._rows(f"agreement_{name}", "agreement") if row["region"] == WHOLE
            }
            summary = self._summaries[name]
            rows.append(
                {
                    "engine": title,
                    "average precision": summary["average precision"],
                    "Dice": float(agreement["voxels"]["f1"]),
                    "F1 of clusters": float(agreement["clusters"]["f1"]),
                    "found": int(agreement["clusters"]["found"]),
                    "of them false": int(agreement["clusters"]["false"]),
                    "true": int(agreement["clusters"]["reference"]),
                }
            )
        chance = self._summaries[next(iter(self._engines))]["chance"]
        rows.append({"engine": "Chance", "average precision": chance, **dict.fromkeys(list(rows[0])[2:])})
        self._book.section("Beside the truth")
        self._book.table(
            Table.from_rows(rows),
            formats={"average precision": ".3f", "Dice": ".2f", "F1 of clusters": ".2f"},
            caption="At the threshold of 0.5 and at least 5 mm³, but average precision, which is over all thresholds. "
            "Many true spaces are smaller than that, and thinner than a voxel.",
        )
        self._figure(self._curves(), "curves", "Precision over recall of voxels; what knows nothing is dashed.")

    def _curves(self) -> Figure:
        figure = new_figure(6.4, 4.2)
        axes = figure.add_subplot()
        dress(axes)
        for n, (name, title) in enumerate(self._engines.items()):
            rows = self._rows(f"agreement_{name}", "curve")
            recall, precision = ([float(row[key]) for row in rows] for key in ("recall", "precision"))
            axes.plot(recall, precision, color=PALETTE[n], linewidth=2, label=title)
        axes.axhline(next(iter(self._summaries.values()))["chance"], color=MUTED, linestyle="dashed", label="Chance")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("Recall (sensitivity)", color=INK)
        axes.set_ylabel("Precision", color=INK)
        axes.legend(frameon=False, fontsize=9, labelcolor=INK)
        return figure

    def pictures(self) -> None:
        """What was found, missed and found wrongly, in slices and through the whole brain."""
        image = files.read_volume(self._folder / "phantom" / "t1.nii.gz")
        truth = files.read_volume(self._folder / "phantom" / "truth.nii.gz")
        brain = files.read_volume(self._folder / "phantom" / "brain.nii.gz")
        found = {
            title: files.read_volume(self._folder / name / "segmentation.nii.gz")
            for name, title in self._engines.items()
        }
        self._book.section("Pictures")
        self._figure(
            found_and_missed(image, _mask(truth), {title: _mask(mask) for title, mask in found.items()}, brain),
            "engines",
            "All spaces seen through the brain from above and from the left: found (green), missed (blue) and found "
            "wrongly (red). Of a true space one voxel found is enough.",
        )

    def by_size(self) -> None:
        """Sensitivity and precision by size, and the true sizes."""
        rows = []
        for name, title in self._engines.items():
            for row in self._rows(f"agreement_{name}", "sizes"):
                high = float(row["to"])
                rows.append(
                    {
                        "engine": title,
                        "size": f"{float(row['from']):g} to {high:g}" if np.isfinite(high) else f"over {row['from']}",
                        "true": int(row["reference"]),
                        "found of them": float(row["sensitivity"]),
                        "found": int(row["found"]),
                        "right of them": float(row["precision"]),
                    }
                )
        self._book.section("By size")
        self._book.table(
            Table.from_rows(rows, {"size": "mm³"}), formats={"found of them": ".2f", "right of them": ".2f"}
        )
        tubes = [row for row in self._rows("phantom", "tubes") if float(row["volume"]) > 0]
        regions, volumes = [row["region"] for row in tubes], [float(row["volume"]) for row in tubes]
        self._figure(sizes_plot(regions, volumes, sorted(set(regions))), "sizes", "The true volumes of the spaces.")


def _mask(volume: Volume) -> Volume:
    return volume.like(np.asarray(volume.array) > 0)
