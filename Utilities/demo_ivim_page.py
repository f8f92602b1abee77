"""The IVIM chapter on the page: every method beside the truth, beside a constant guess, and beside the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from demo_chapter import Book, Step
from demo_ivim_material import COMPARED, ORGANS, Material
from matplotlib.figure import Figure
from numpy.typing import NDArray

from DeepMRILib import figures
from DeepMRILib.ivim.curves import loss_curves
from DeepMRILib.ivim.evaluation import METHOD_NAMES
from DeepMRILib.ivim.evaluation_plots import comparison, scale_of, shown_label
from DeepMRILib.ivim.inspection import inspect_voxels
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.quantities import QUANTITIES
from DeepMRILib.ivim.report import LOSS_CAPTION, map_panels
from DeepMRILib.ivim.scores import TOGETHER, evaluate_maps
from DeepMRILib.plot_panels import curve_panels
from DeepMRILib.plots import Curve, loss_plot
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

DRAWN = (*ORGANS[:3], "pancreas")
"""Organs whose decay is drawn."""
CONSTANT, TRUTH = "constant guess", "truth"
LABELS = {"x_label": "b-value (s/mm²)", "y_label": "Signal relative to S0"}


def write(book: Book, folder: Path, steps: list[Step]) -> None:
    """Add the chapter to the page.

    Args:
        book: the page.
        folder: in which the commands left their results.
        steps: the commands.
    """
    page = Page(book, Material(folder))
    page.times(steps)
    page.maps()
    page.tables()
    page.uncertainty()
    page.decays()
    if (folder / "network").is_dir():
        page.training()
    page.squares()


class Page:
    """The sections of the page.

    Args:
        report: what they are added to.
        material: what they show.
    """

    def __init__(self, report: Book, material: Material) -> None:
        self._report, self._material = report, material
        self._names = {method: METHOD_NAMES[method] for method in material.methods}
        self._scores = {method: self._score(method) for method in material.methods}

    def _score(self, method: str) -> Table:
        made = self._material
        truth = {name: made.truth[name] for name in COMPARED}
        return evaluate_maps(made.maps[method], truth, made.organs, inside=made.inside)

    def _figure(self, figure: Figure, name: str, caption: str) -> None:
        """Put a figure into the page and beside it as PNG."""
        self._report.picture(figure, self._material.output / "figures" / f"{name}.png", caption)

    def times(self, steps: list[Step]) -> None:
        """How long everything took."""
        rows = []
        for step in steps:
            made = self._material.provenance(step.name)
            fit = made["seconds"].get("fit")
            rate = made["inputs"]["voxels_fitted"] / fit if fit else None
            rows.append({"made": step.name, "command": step.seconds, "fit alone": fit, "voxels per second": rate})
        self._report.section("Times")
        self._report.table(
            Table.from_rows(rows, {"command": "s", "fit alone": "s"}),
            formats={"command": ".1f", "fit alone": ".2f", "voxels per second": ",.0f"},
            caption="A command also reads, writes files and draws its report. A network is trained once for all series "
            "of a study, then applied to each.",
        )

    def maps(self) -> None:
        """Each parameter: the truth, the methods, their differences."""
        made = self._material
        self._report.section("Maps and truth")
        self._report.text(
            "Shown and counted are organs. Blood vessels, fluids, fat and bone are left out here: the truth of blood "
            "lies outside the bounds of the fits."
        )
        for name in COMPARED:
            hide = np.where(made.inside, 0.0, np.nan)
            truth = made.truth[name].like(np.asarray(made.truth[name]) + hide)
            found = {
                title: made.maps[method][name].like(np.asarray(made.maps[method][name]) + hide)
                for method, title in self._names.items()
            }
            caption = (
                f"{QUANTITIES[name].meaning}: middle slice, differences from the truth below; median error and bias in "
                "this slice under each."
            )
            self._figure(comparison(name, cropped(truth, made.inside), {
                title: cropped(volume, made.inside) for title, volume in found.items()
            }), name, caption)  # fmt: skip

    def tables(self) -> None:
        """Medians and errors of each organ."""
        self._report.section("Median of each organ")
        self._report.text(
            "What a study reports. The constant guess is one number for every voxel, the median of the truth over "
            "these organs: whatever a method is worth, it is worth it against this."
        )
        for name in COMPARED:
            table = self._medians(name)
            self._report.table(
                table, formats={"voxels": ",", **dict.fromkeys(list(table.columns)[2:], ".2f")},
                caption=f"{shown_label(name)}: median over the organ's voxels.",
            )  # fmt: skip
        self._report.section("Error in each voxel")
        for name in COMPARED:
            table, best = self._errors(name)
            self._report.table(
                table, formats={"voxels": ",", **dict.fromkeys(list(table.columns)[2:], ".1f")}, best=best,
                caption=f"{QUANTITIES[name].label}: median of |fit - truth| / truth over the voxels, in percent; the "
                "best of each row stands out.",
            )  # fmt: skip
        self._report.text(
            "Within one organ the phantom's truth hardly varies, so the constant is good where an organ is near the "
            "median of all, and knows nothing of the others. A Bayesian fit or a network that learned from this very "
            "series knows what is usual in it: that is an advantage in large organs and a danger in small ones."
        )

    def _medians(self, name: str) -> Table:
        made, scale = self._material, scale_of(name)
        guess = scale * float(np.median(np.asarray(made.truth[name])[made.inside]))
        rows = []
        for region in ORGANS:
            place = made.place(region)
            if not place.any():
                continue
            row = {"organ": region, "voxels": int(place.sum())}
            row[TRUTH] = scale * float(np.median(np.asarray(made.truth[name])[place]))
            for method, title in self._names.items():
                row[title] = scale * float(np.median(np.asarray(made.maps[method][name])[place]))
            rows.append({**row, CONSTANT: guess})
        return Table.from_rows(rows)

    def _errors(self, name: str) -> tuple[Table, list[tuple[int, str]]]:
        rows, best = [], []
        regions = [region for region in (*ORGANS, TOGETHER) if (region, name) in self._entries("lsq")]
        for region in regions:
            scores = {title: self._entries(method)[region, name] for method, title in self._names.items()}
            first = next(iter(scores.values()))
            values = {title: 100 * one["median_error"] for title, one in scores.items()}
            values[CONSTANT] = 100 * first["constant_error"]
            lowest = min(f"{value:.1f}" for value in values.values() if value == min(values.values()))
            best += [(len(rows), title) for title, value in values.items() if f"{value:.1f}" == lowest]
            label = "all of these" if region == TOGETHER else region
            rows.append({"organ": label, "voxels": first["voxels"], **values})
        return Table.from_rows(rows), best

    def _entries(self, method: str) -> dict[tuple[str, str], dict[str, Any]]:
        table = self._scores[method]
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        return {(row["region"], row["parameter"]): row for row in rows}

    def uncertainty(self) -> None:
        """Maps of standard deviations, and how often the truth lies within them."""
        made = self._material
        self._report.section("Uncertainty")
        panels = []
        for name in COMPARED:
            for method, title in self._names.items():
                shown = cropped(made.maps[method][f"{name}_sd"], made.inside)
                (panel,) = map_panels({f"{name}_sd": shown})
                panels.append(figures.Panel(f"{panel.name}, {title}", shown, panel.unit, panel.window, panel.colors,
                                            panel.scale))  # fmt: skip
        self._figure(
            figures.montage(panels, count=1), "uncertainty",
            "Standard deviation that each method gives for its estimate: bright is uncertain.",
        )  # fmt: skip
        rows = []
        for name in COMPARED:
            entries = {title: self._entries(method)[TOGETHER, name] for method, title in self._names.items()}
            coverage = {title: 100 * entry["coverage"] for title, entry in entries.items()}
            rows.append({"parameter": QUANTITIES[name].label, **coverage})
        self._report.table(
            Table.from_rows(rows), formats=dict.fromkeys(self._names.values(), ".1f"),
            caption="Voxels of all organs whose truth lies within one standard deviation of the estimate, in percent. "
            "68 is right; less is overconfident, more is too cautious.",
        )  # fmt: skip

    def decays(self) -> None:
        """Mean decay of organs, and the decay in single voxels."""
        self._report.section("Decay")
        organs = {region: self._organ_curves(region) for region in DRAWN if self._material.place(region).any()}
        self._figure(
            curve_panels(organs, log=True, share_y=True, columns=2, **LABELS), "decay_organs",
            "Mean signal of some organs, and the mean of the curves that each method found in their voxels.",
        )  # fmt: skip
        voxels = {region: self._voxel_curves(region) for region in organs}
        self._figure(
            curve_panels(voxels, log=True, share_y=True, columns=2, **LABELS), "decay_voxels",
            "The voxel nearest to the centre of each: what the methods are given, and what they make of it.",
        )  # fmt: skip

    def _organ_curves(self, region: str) -> list[Curve]:
        made = self._material
        start, curves = 0.0, []
        for method, title in self._names.items():
            line = [row for row in made.rows(method, "decay_fit.csv") if row["region"] == region]
            b, signal = (np.array([float(row[key]) for row in line]) for key in ("b", "signal"))
            start = start or signal[0]  # least squares at b = 0
            curves.append(Curve(title, [], [], line_x=b, line_y=signal / start))
        points = [row for row in made.rows("lsq", "decay.csv") if row["region"] == region]
        b, signal = (np.array([float(row[key]) for row in points]) for key in ("b", "signal"))
        return [*curves, Curve("measured", b, signal / start, reference=True)]

    def _voxel_curves(self, region: str) -> list[Curve]:
        made = self._material
        places = np.argwhere(made.place(region))
        nearest = places[np.argmin(((places - places.mean(axis=0)) ** 2).sum(axis=1))]
        here = tuple(int(n) for n in nearest)
        fits = {
            title: ("biexp", {name: np.asarray(volume)[here][None] for name, volume in made.maps[method].items()})
            for method, title in self._names.items()
        }
        seen = inspect_voxels(made.series.array[here][None], made.series.b_values, fits)
        truth = {name: float(np.asarray(made.truth[name])[here]) for name in (*COMPARED, "S0")}
        scale = truth["S0"]
        curves = [Curve(name, [], [], line_x=seen.dense, line_y=fit.curve / scale) for name, fit in seen.fits.items()]
        true_curve = biexp(seen.dense, **truth) / scale
        return [
            *curves,
            Curve("measured", seen.b_values, seen.signal / scale, reference=True),
            Curve(TRUTH, [], [], line_x=seen.dense, line_y=true_curve, reference=True),
        ]

    def training(self) -> None:
        """The loss curve of the network."""
        made = self._material
        about = made.provenance("network")
        self._report.section("Training of the network")
        self._report.text(
            f"One network of the preset {about['options']['preset']}, trained on {about['inputs']['voxels']:,} voxels "
            f"of {about['inputs']['series']} subjects: the one shown here and another."
        )
        history = {name: [] for name in ("epoch", "loss", "validation_loss")}
        for row in made.rows("network", "history.csv"):
            for name, values in history.items():
                values.append(float(row[name]))
        self._figure(loss_plot(loss_curves(Table(history))), "loss", LOSS_CAPTION)

    def squares(self) -> None:
        """The published test picture, and simulated signals of all kinds of tissue."""
        made = self._material
        inputs = made.provenance("evaluation")["inputs"]
        self._report.section(f"Nested squares, SNR {inputs['map_snr']:g}")
        self._report.text(
            "The phantom of the published comparisons: each square is homogeneous, so grain is noise and another "
            "colour than the truth's is bias. Here a network learned from simulated signals of all kinds, not from "
            "this picture; the prior of Bayes is learned from it. More in evaluation/report.html."
        )
        for name in COMPARED:
            truth = made.volume("evaluation", f"{name}_true")
            found = {title: made.volume("evaluation", f"{name}_{method}") for method, title in self._names.items()}
            caption = f"{QUANTITIES[name].meaning}; median error and bias over all voxels under each."
            self._figure(comparison(name, truth, found), f"squares_{name}", caption)
        bias = self._wide(made.rows("evaluation", "squares_errors.csv"), ("region", "parameter"), "bias")
        self._report.table(
            bias, formats=dict.fromkeys(list(bias.columns)[1:], "+.1f"),
            caption="Bias in each square, in percent of its truth. Least squares fits each voxel by itself: its "
            "bias is that of noise alone. What is learned from an image also draws a small square towards the rest.",
        )  # fmt: skip
        errors = self._wide(made.rows("evaluation", "errors.csv"), ("parameter",), "median_error")
        self._report.table(
            errors, formats=dict.fromkeys(list(errors.columns)[1:], ".1f"),
            caption=f"Median error in percent over {made.provenance('evaluation')['options']['n']:,} simulated signals "
            "of all kinds of tissue, and of what needs no method: the middle of the simulated range for every voxel, "
            "and least squares clipped to that range.",
        )  # fmt: skip

    @staticmethod
    def _wide(entries: list[dict[str, str]], keys: tuple[str, ...], measure: str) -> Table:
        """A column for each method, in percent."""
        rows: dict[tuple[str, ...], dict[str, Any]] = {}
        for entry in entries:
            words = [QUANTITIES[entry[key]].label if key == "parameter" else entry[key] for key in keys]
            words = ["all squares" if word == TOGETHER else word for word in words]
            row = rows.setdefault(tuple(words), {"parameter": ", ".join(words)})
            row[METHOD_NAMES[entry["method"]]] = 100 * float(entry[measure])
        return Table.from_rows(rows.values())


def cropped(volume: Volume, inside: NDArray) -> Volume:
    """The part of a map in which there are organs; all its slices."""
    found = np.argwhere(inside.any(axis=2))
    low, high = np.maximum(found.min(axis=0) - 2, 0), found.max(axis=0) + 3
    affine = volume.affine.copy()
    affine[:3, 3] = volume.ras_from_voxel([[*low, 0]])[0]
    return Volume(np.asarray(volume)[low[0] : high[0], low[1] : high[1]], affine)
