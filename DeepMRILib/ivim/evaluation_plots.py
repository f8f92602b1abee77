"""The pictures of an evaluation: maps beside the truth, errors by SNR, estimates against truth, decays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import require
from DeepMRILib.figures import oriented
from DeepMRILib.ivim.evaluation import CLIPPED, CONSTANT, METHOD_NAMES, Evaluation
from DeepMRILib.ivim.quantities import QUANTITIES, scale_of, shown_label
from DeepMRILib.ivim.report import map_panels
from DeepMRILib.ivim.scores import score
from DeepMRILib.plot_panels import Agreement, agreement_panels, curve_panels
from DeepMRILib.plots import PURPOSE, Curve
from DeepMRILib.report_style import INK, MUTED, RULE
from DeepMRILib.volume import Volume

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

BEYOND = 1.35
"""Estimates are shown up to this multiple of the largest truth."""
MARGIN, TITLE, GAP, BAR, UNDER = 0.1, 0.3, 0.08, 0.62, 0.3
"""Inches: of the page, of a row of titles, between pictures, of a colour bar with numbers, of words under a picture."""


def comparison(name: str, truth: Volume, found: Mapping[str, Volume], *, width: float = 9.4) -> Figure:
    """The middle slice of a true map beside those that methods found, on one colour scale, above their differences.

    Args:
        name: the parameter.
        truth: its true map.
        found: method, as it is to be called, to its map on the same grid.
        width: of the figure in inches.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    (panel,) = map_panels({name: truth})
    scale, low, high = panel.scale, *panel.window
    slices = {title: _slice(volume) * scale for title, volume in {"truth": truth, **found}.items()}
    rows, columns = slices["truth"].shape
    side = min(2.6, (width - 2 * MARGIN - BAR - GAP * len(slices)) / len(slices))
    tall = side * rows / columns
    width = 2 * MARGIN + len(slices) * (side + GAP) + BAR
    height = TITLE + 2 * tall + GAP + UNDER
    figure = require("matplotlib.figure", PURPOSE).Figure(figsize=(width, height), facecolor="white")

    def place(column: int, row: int, wide: float = side) -> Axes:
        left, top = MARGIN + column * (side + GAP), TITLE + row * (tall + GAP)
        return figure.add_axes((left / width, 1 - (top + tall) / height, wide / width, tall / height))

    extreme = (high - low) / 3
    for column, (title, values) in enumerate(slices.items()):
        axes = place(column, 0)
        image = _picture(axes, values, panel.colors, (low, high))
        axes.set_title(title, fontsize=10, fontweight="bold", color=INK, pad=5)
        if title == "truth":
            continue
        axes = place(column, 1)
        difference = _picture(axes, values - slices["truth"], "RdBu_r", (-extreme, extreme))
        (row,) = score({name: values}, {name: slices["truth"]})
        words = f"error {row['median_error']:.1%}, bias {row['bias']:+.1%}"
        axes.set_xlabel(words, fontsize=8.5, color=INK, labelpad=4)
    words = figure.text(
        (MARGIN + side - 0.08) / width, 1 - (TITLE + 1.5 * tall + GAP) / height, "difference\nfrom truth",
        ha="right", va="center", fontsize=9.5, color=MUTED,
    )  # fmt: skip
    words.set_linespacing(1.4)
    _bar(place(len(slices), 0, 0.1), image, shown_label(name))
    if found:
        _bar(place(len(slices), 1, 0.1), difference, f"Δ {shown_label(name)}")
    return figure


def _slice(volume: Volume) -> NDArray:
    """The middle axial slice as it is looked at."""
    turned = oriented(volume).array
    return turned[:, :, turned.shape[2] // 2].astype(float)


def _picture(axes: Axes, values: NDArray, colors: str, window: tuple[float, float]) -> AxesImage:
    image = axes.imshow(values, cmap=colors, vmin=window[0], vmax=window[1], interpolation="nearest", aspect="auto")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _bar(axes: Axes, image: AxesImage, label: str) -> None:
    bar = axes.figure.colorbar(image, cax=axes)
    bar.outline.set_edgecolor(RULE)
    bar.locator = require("matplotlib.ticker", PURPOSE).MaxNLocator(nbins=5)
    bar.update_ticks()
    axes.tick_params(labelsize=8, colors=INK, length=2, pad=2)
    axes.set_ylabel(label, fontsize=8, color=MUTED, labelpad=2)


def errors_by_snr(result: Evaluation, measure: str, label: str, *, percent: bool = True) -> Figure:
    """A score of each method over the SNR, one plot for each parameter, with the references in grey.

    Args:
        measure: a column of ``result.errors``.
        label: what it is, for the axis.
        percent: whether it is shown in percent.
    """
    table = result.errors.columns
    factor = 100.0 if percent else 1.0
    panels = {}
    for name in result.provenance.inputs["ranges"]:
        curves = []
        for method in dict.fromkeys(table["method"]):
            points = [
                (table["snr"][n], factor * table[measure][n])
                for n in range(len(table["snr"]))
                if table["parameter"][n] == name and table["method"][n] == method
            ]
            snr, values = (np.array(axis) for axis in zip(*sorted(points), strict=True))
            if np.isfinite(values).any():
                reference = method in (CLIPPED, CONSTANT)
                curves.append(Curve(METHOD_NAMES[method], snr, values, None, snr, values, reference))
        panels[QUANTITIES[name].label] = curves
    return curve_panels(panels, x_label="SNR", y_label=label, x_ticks=sorted(set(table["snr"])))


def agreement(result: Evaluation) -> Figure:
    """Estimates against truth: a row for each method, a column for each parameter."""
    inputs = result.provenance.inputs
    rows = {}
    for method in inputs["methods"]:
        rows[METHOD_NAMES[method]] = [
            Agreement(
                shown_label(name),
                scale_of(name) * result.estimates[f"true_{name}"],
                scale_of(name) * result.estimates[estimate_key(result, method, name)],
                (0.0, scale_of(name) * high * BEYOND),
            )
            for name, (_, high) in inputs["ranges"].items()
        ]
    return agreement_panels(rows)


def estimate_key(result: Evaluation, method: str, name: str) -> str:
    """Where a method's estimates lie, at the SNR that pictures are made of."""
    return f"{method}_snr{result.provenance.inputs['map_snr']:g}_{name}"


def decays(result: Evaluation) -> Figure:
    """Measured points of some voxels, the true curve, and the curve of each method."""
    table = result.decay.columns
    voxel, curve, b, signal = (np.array(table[key]) for key in ("voxel", "curve", "b", "signal"))
    panels = {}
    for number in dict.fromkeys(table["voxel"]):
        curves = []
        for name in (*result.provenance.inputs["methods"], "measured", "truth"):
            rows = (voxel == number) & (curve == name)
            if name == "measured":
                curves.append(Curve("measured", b[rows], signal[rows], reference=True))
            else:
                label = METHOD_NAMES.get(name, name)
                curves.append(Curve(label, [], [], None, b[rows], signal[rows], reference=name == "truth"))
        panels[f"Voxel {number}"] = curves
    labels = {"x_label": "b-value (s/mm²)", "y_label": "Signal relative to S0"}
    return curve_panels(panels, log=True, share_y=True, columns=2, **labels)
