"""What the pages about trainings and tests share: scores as pictures and tables, slices with outlines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.plots import new_figure, region_plot
from DeepMRILib.report import Report
from DeepMRILib.report_style import INK, PALETTE
from DeepMRILib.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
SHOWN = {
    "case": "Case",
    "subtype": "Subtype",
    "fold": "Fold",
    "label": "Label",
    "cases": "Cases",
    "dice": "Dice",
    "dice_sd": "Dice, sd",
    "dice_lowest": "Dice, lowest",
    "hausdorff": "Hausdorff",
    "hausdorff_95": "Hausdorff 95 %",
    "surface_distance": "Surface distance",
    "volume_truth": "Volume, true",
    "volume": "Volume",
    "diameter_axial_truth": "Axial diameter, true",
    "diameter_axial": "Axial diameter",
    "dice_geodesic": "Dice, geodesic engine",
    "dice_ellipsoid": "Dice, ellipsoid",
}
METHODS = {"dice": "network", "dice_geodesic": "geodesic engine", "dice_ellipsoid": "ellipsoid"}


def shown(table: Table, *, without: tuple[str, ...] = ()) -> Table:
    """A table of scores with headings for people; columns of nothing but one empty word are left out."""
    names = [name for name in SHOWN if name in table.columns and name not in without]
    names = [name for name in names if any(value not in ("", None) for value in table.columns[name])]
    units = {SHOWN[name]: table.units[name].replace("mm3", "mm³") for name in names if name in table.units}
    return Table({SHOWN[name]: [_rounded(name, value) for value in table.columns[name]] for name in names}, units)


def _rounded(name: str, value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return round(value, 3) if name.startswith("dice") else round(value, 0 if name.startswith("volume") else 1)


def add_scores(report: Report, scores: Table, pictures: Mapping[str, NDArray]) -> None:
    """Dice of the methods and by subtype, the table of all cases, and slices with outlines."""
    report.figure(
        region_plot(by_method(scores), label="Dice", limits=(0.0, 1.0)),
        "Dice of all cases by method, from the same points: median, middle half and 5th to 95th percentile.",
    )
    kinds = by_subtype(scores)
    if len(kinds) > 1:
        report.figure(
            region_plot(kinds, label="Dice of the network", limits=(0.0, 1.0)), "Dice of the network by subtype."
        )
    report.section("Cases")
    report.table(shown(scores), caption="Distances are those between surfaces; sizes as found and of the truth.")
    if pictures:
        report.section("Slices")
        report.figure(overlays(pictures), "Axial slices in the middle: the truth broken, what the network found solid.")


def by_method(scores: Table) -> dict[str, NDArray]:
    """Dice of each method, NaN where it found nothing."""
    return {
        words: np.array([np.nan if value is None else value for value in scores.columns[name]], dtype=float)
        for name, words in METHODS.items()
        if name in scores.columns and any(value is not None for value in scores.columns[name])
    }


def by_subtype(scores: Table) -> dict[str, NDArray]:
    """Dice of the network by subtype and, of several, label."""
    several = len(set(scores.columns["label"])) > 1
    groups: dict[str, list[float]] = {}
    for subtype, label, value in zip(*(scores.columns[name] for name in ("subtype", "label", "dice")), strict=True):
        name = ", ".join(part for part in (subtype, label if several else "") if part) or "all"
        groups.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in sorted(groups.items())}


def overlays(pictures: Mapping[str, NDArray]) -> Figure:
    """Slices (3, rows, columns) of image, truth and prediction: the image with both outlines."""
    columns = min(COLUMNS, len(pictures))
    rows = -(-len(pictures) // columns)
    figure = new_figure(9.0, 3.1 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes, (name, (image, truth, found)) in zip(grid.ravel(), pictures.items(), strict=False):
        low, high = np.percentile(image, (1, 99.5))
        axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-6), interpolation="nearest")
        for mask, style in ((truth, "dashed"), (found, "solid")):
            for label in (int(n) for n in np.unique(mask) if n):
                _outline(axes, mask == label, PALETTE[(label - 1 + (style == "solid")) % len(PALETTE)], style)
        axes.set_title(name, fontsize=9, color=INK)
    return figure


def _outline(axes: Any, mask: NDArray, color: str, style: str) -> None:
    if mask.all() or min(mask.shape) < 2:  # nothing to draw a line around
        return
    axes.contour(mask.astype(float), levels=[0.5], colors=[color], linewidths=1.3, linestyles=[style])
