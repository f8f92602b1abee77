"""The chapter on lesions from six points: every engine beside the truth and the ellipsoid through the points."""

from __future__ import annotations

import csv
import itertools
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from demo_chapter import Book, Step
from demo_interactive_material import CLICK, CORRECTED, DISPLACED, ENGINES, KINDS, Lesion, deepest_excess
from demo_interactive_pictures import outlines
from matplotlib.figure import Figure
from numpy.typing import NDArray

from DeepMRILib.figures import Marks, Panel, montage
from DeepMRILib.interactive.measures import dice, surface_distances
from DeepMRILib.interactive.report_training import loss_curves
from DeepMRILib.plots import loss_plot
from DeepMRILib.results import RESULT_FILE
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

FORMATS = {"Dice": ".3f", "Hausdorff": ".1f", "surface": ".2f", "volume": ".1f", "true volume": ".1f"}
UNITS = {"Hausdorff": "mm", "surface": "mm", "volume": "ml", "true volume": "ml"}
POINT, NEGATIVE = "#00e5ff", "#ff4136"
SHOWN = ("ellipsoid", "geodesic", "graphcut")
"""Outlines of more methods hide each other."""
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def write(book: Book, folder: Path, steps: list[Step]) -> None:
    """Add the chapter to the page.

    Args:
        book: the page.
        folder: in which the commands left their results.
        steps: the commands.
    """
    page = Page(book, folder)
    book.section("Times")
    book.table(
        times(folder, steps),
        formats={"segmentation alone": ".2f", "command": ".1f"},
        caption="Medians over the runs. A command also reads, writes files and draws its report.",
    )
    page.kinds()
    page.displaced()
    if (folder / CLICK).is_file():
        page.corrected()
    page.confidence()
    if (folder / "tested").is_dir():
        page.training()


class Page:
    """The sections of the chapter.

    Args:
        book: what they are added to.
        folder: of the chapter.
    """

    def __init__(self, book: Book, folder: Path) -> None:
        self._book, self._folder = book, folder
        self._lesions = {kind: Lesion.read(folder, kind) for kind in KINDS}

    def _figure(self, figure: Figure, name: str, caption: str) -> None:
        self._book.picture(figure, self._folder / "figures" / f"{name}.png", caption)

    def kinds(self) -> None:
        """Every kind of lesion by every engine."""
        self._book.section("Six points, and the lesion")
        self._book.text(
            "Four generated lesions, one of each kind. "
            + " ".join(f"{kind}: {words}." for kind, words in KINDS.items())
            + " Their points were made by the rule of the published method: of each side an outermost voxel, and from "
            "there 5 mm inward."
        )
        self._figure(
            outlines(
                {kind: (lesion.image, lesion.truth) for kind, lesion in self._lesions.items()},
                {kind: masks(lesion) for kind, lesion in self._lesions.items()},
                {kind: [(lesion.points, POINT)] for kind, lesion in self._lesions.items()},
            ),
            "lesions",
            "Slices through the middle of each lesion. Crosses are points near the slice.",
        )
        self._scores(
            "Against the truth. The ellipsoid in the box around the points, moved out by their depth, looks at no "
            "image; what an engine is worth, it is worth against it.",
            self._lesions,
        )
        if (self._folder / "trained").is_dir() and "network" not in self._lesions["hard"].folders:
            self._book.note("Left out: a network that comes with DeepMRI, as this copy has none.")

    def displaced(self) -> None:
        """The same from points as an inexact user places them."""
        self._book.section("The same from displaced points")
        self._book.text("Nobody places points exactly. Here every point was moved by 2 mm in a random direction.")
        self._scores("The lesion of the kind hard.", {"hard": self._lesions["hard"],
                     "hard, displaced": Lesion.read(self._folder, "hard", DISPLACED)})  # fmt: skip

    def corrected(self) -> None:
        """What a point outside changes."""
        kind, _ = deepest_excess(self._folder)
        before, after = self._lesions[kind], Lesion.read(self._folder, kind, CORRECTED)
        self._book.section("A point outside")
        self._book.text(
            "Where the segmentation goes too far, a point outside takes it back. Of these four lesions that one was "
            "taken in which the geodesic engine goes too far by the greatest depth, and the point lies where that is "
            "deepest: where a user would click. The numbers below say whether it takes more than was too much."
        )
        pair = {"before": before, "after": after}
        self._figure(
            outlines(
                {name: (lesion.image, lesion.truth) for name, lesion in pair.items()},
                {name: masks(lesion, ("geodesic",)) for name, lesion in pair.items()},
                {"before": [(before.points, POINT)], "after": [(before.points, POINT), (after.negative, NEGATIVE)]},
                at=after.negative[0],
            ),
            "outside",
            f"The lesion of the kind {kind}, before and after one point outside (red); slices through that point.",
        )
        self._scores("The same points inside, without and with the point outside.", pair, without=("ellipsoid",))

    def confidence(self) -> None:
        """How sure the segmentation is, and whether that tells the truth."""
        lesion = self._lesions["hard"]
        self._book.section("Confidence")
        part, label = cut(lesion)
        image = Panel("Image", Volume(cropped(lesion.image.array, part), label.affine))
        sure = [
            Panel(
                f"Confidence, {ENGINES[name]}",
                Volume(cropped(lesion.confidence(name).array, part), label.affine),
                window=(0.0, 1.0),
                colors="viridis",
            )
            for name in lesion.folders
        ]
        self._figure(
            montage([image, *sure], outline=label, names=label.names, marks=[Marks(lesion.points)], count=2),
            "confidence",
            "The lead of the winner over the runner-up, lesion of the kind hard; the outline is the truth.",
        )
        rows = [self._reliability(low, high) for low, high in itertools.pairwise(BINS)]
        self._book.table(
            Table.from_rows(rows),
            formats={"voxels": ",", **dict.fromkeys((ENGINES[name] for name in lesion.folders), ".1f")},
            caption="Voxels that are wrong, in percent, by the confidence that the engine gave them, over all four "
            "lesions. Low confidence should be where errors are; it is no probability.",
        )

    def _reliability(self, low: float, high: float) -> dict[str, Any]:
        row: dict[str, Any] = {"confidence": f"{low:g} to {high:g}"}
        for engine in self._lesions["hard"].folders:
            wrong = counted = 0
            for lesion in self._lesions.values():
                sure = np.asarray(lesion.confidence(engine).array)
                here = (sure > low) & (sure <= high)
                wrong += int(np.count_nonzero(here & (lesion.found(engine) != lesion.truth)))
                counted += int(np.count_nonzero(here))
            row[ENGINES[engine]] = 100 * wrong / counted if counted else None
        return row

    def training(self) -> None:
        """A network from the cases of a dataset."""
        made = provenance(self._folder / "trained")
        options, tested = made["options"], rows_of(self._folder / "tested" / "scores.csv")
        self._book.section("A network of one's own")
        self._book.text(
            f"{made['inputs']['training_cases']} generated lesions to train on and {len(tested)} for the test, half of "
            f"them hard, written by interactive.phantom_dataset. {options['folds']} networks were trained for "
            f"{options['epochs']} epochs in {made['seconds']['train']:.0f} s, and their answers are averaged. So few "
            "cases and epochs show the way, not what a network can do."
        )
        history = {name: [] for name in ("fold", "epoch", "loss", "dice")}
        for row in rows_of(self._folder / "trained" / "history.csv"):
            for name, values in history.items():
                values.append(int(row[name]) if name in ("fold", "epoch") else number(row[name]))
        self._figure(
            loss_plot(loss_curves(Table(history)), y_label="Loss; 1 - Dice in validation"),
            "training",
            "Of each fold the training loss (dotted) and 1 - Dice of the cases that it has not seen (solid).",
        )
        names = {"dice": "network", "dice_geodesic": "geodesic", "dice_ellipsoid": "ellipsoid"}
        rows = [
            {"case": f"{row['case']}, {row['subtype']}", **{names[n]: number(row[n]) for n in names}} for row in tested
        ]
        known = {name: [row[name] for row in rows if row[name] is not None] for name in names.values()}
        rows.append({"case": "mean", **{name: statistics.mean(values) for name, values in known.items()}})
        self._book.table(
            Table.from_rows(rows),
            formats=dict.fromkeys(names.values(), ".3f"),
            caption="Dice of the test cases, all from the same points.",
        )

    def _scores(self, caption: str, lesions: dict[str, Lesion], without: tuple[str, ...] = ()) -> None:
        """A table of scores: a row for each lesion and method, the best Dice of each lesion stands out."""
        rows, best = [], []
        for name, lesion in lesions.items():
            entries = [score(lesion, method) for method in lesion.methods if method not in without]
            highest = max(round(entry["Dice"], 3) for entry in entries)
            best += [(len(rows) + n, "Dice") for n, entry in enumerate(entries) if round(entry["Dice"], 3) == highest]
            rows += [{"lesion": name, **entry} for entry in entries]
        self._book.table(Table.from_rows(rows, UNITS), formats=FORMATS, best=best, caption=caption)


def times(folder: Path, steps: list[Step]) -> Table:
    """How long each kind of command took."""
    groups: dict[str, list[Step]] = {}
    for step in steps:
        words = step.command
        name = f"segment, {words[words.index('--engine') + 1]}" if "--engine" in words else words[1]
        groups.setdefault(name, []).append(step)
    rows = []
    for name, group in groups.items():
        alone = [seconds_of(folder / step.name) for step in group]
        rows.append(
            {
                "command of deepmri interactive": name,
                "runs": len(group),
                "segmentation alone": statistics.median(alone) if name.startswith("segment") else None,
                "command": statistics.median(step.seconds for step in group),
            }
        )
    return Table.from_rows(rows, {"segmentation alone": "s", "command": "s"})


def seconds_of(folder: Path) -> float:
    """How long the computation of a result took."""
    return sum(provenance(folder)["seconds"].values())


def provenance(folder: Path) -> dict[str, Any]:
    """How a result was made."""
    return json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))["provenance"]


def number(text: str) -> float | None:
    """The number in a cell; None where it is empty."""
    return float(text) if text else None


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def masks(lesion: Lesion, methods: tuple[str, ...] = SHOWN) -> dict[str, NDArray]:
    """What methods found in a lesion, by their names for people."""
    return {ENGINES[name]: lesion.found(name) for name in methods if name in lesion.methods}


def score(lesion: Lesion, method: str) -> dict[str, Any]:
    """How well a method agrees with the truth."""
    found, affine = lesion.found(method), lesion.image.affine
    distances = surface_distances(found, lesion.truth, affine)
    return {
        "method": ENGINES[method],
        "Dice": dice(found, lesion.truth),
        "Hausdorff": distances["hausdorff"],
        "surface": distances["surface_distance"],
        "volume": np.count_nonzero(found) * lesion.image.voxel_volume / 1000,
        "true volume": np.count_nonzero(lesion.truth) * lesion.image.voxel_volume / 1000,
    }


def cut(lesion: Lesion) -> tuple[tuple[slice, ...], LabelVolume]:
    """The part that was looked at, and the truth in it."""
    inside = np.argwhere(lesion.looked_at("geodesic"))
    start, stop = inside.min(axis=0), inside.max(axis=0) + 1
    part = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    affine = lesion.image.affine.copy()
    affine[:3, 3] = lesion.image.ras_from_voxel(start[None].astype(float))[0]
    return part, LabelVolume(lesion.truth[part].astype(np.uint8), affine, {1: "truth"})


def cropped(array: NDArray, part: tuple[slice, ...]) -> NDArray:
    """A part of an array."""
    return np.asarray(array)[part]
