"""Plots beside each other: one legend, one look per name, and what lies beyond the axes is said."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from DeepMRILib.errors import InputError
from DeepMRILib.plot_panels import Agreement, agreement_panels, curve_panels
from DeepMRILib.plots import Curve
from DeepMRILib.report import Report
from DeepMRILib.report_style import MUTED, PALETTE
from DeepMRILib.tables import Table

X = np.array([1.0, 2.0, 3.0])


def test_a_curve_of_one_name_looks_the_same_in_every_plot() -> None:
    line, guess = Curve("fit", X, X, None, X, X), Curve("guess", X, X + 1, None, X, X + 1, reference=True)
    figure = curve_panels({"D": [line, guess], "f": [guess, line]}, x_label="SNR", y_label="error", x_ticks=X)
    colours = [[to_hex(drawn.get_color()).lower() for drawn in axes.lines if len(drawn.get_xdata()) == 3]
               for axes in figure.axes]  # fmt: skip
    assert set(colours[0]) == set(colours[1]) == {PALETTE[0].lower(), MUTED.lower()}
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["fit", "guess"]
    assert figure.axes[0].get_ylabel() == "error"
    assert figure.axes[1].get_ylabel() == ""
    assert all(axes.get_ylim()[0] == 0 for axes in figure.axes)


def test_plots_share_their_axis_when_asked() -> None:
    panels = {"a": [Curve("fit", X, X)], "b": [Curve("fit", X, 50 * X)]}
    shared = curve_panels(panels, x_label="b", y_label="S", log=True, share_y=True)
    assert shared.axes[0].get_ylim() == shared.axes[1].get_ylim()
    own = curve_panels(panels, x_label="b", y_label="S", log=True)
    assert own.axes[0].get_ylim() != own.axes[1].get_ylim()


def test_agreement_shows_the_medians_and_counts_what_lies_beyond() -> None:
    truth = np.linspace(0, 1, 1000)
    found = np.where(np.arange(1000) % 10 == 0, 5.0, truth)
    found[1] = np.nan
    figure = agreement_panels({"least squares": [Agreement("f", truth, found, (0, 1))]})
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["10% beyond the axis"]
    medians = axes.lines[1]
    np.testing.assert_allclose(medians.get_xdata(), medians.get_ydata(), atol=0.01)
    assert axes.get_title() == "f"
    assert axes.get_ylabel() == "least squares, estimate"


def test_nothing_to_plot_is_said() -> None:
    with pytest.raises(InputError, match="nothing to plot"):
        curve_panels({}, x_label="", y_label="")
    with pytest.raises(InputError, match="nothing to plot"):
        agreement_panels({"fit": []})


def test_the_best_cells_of_a_table_stand_out() -> None:
    report = Report("Scores")
    report.table(Table({"of": ["D", "f"], "one": [1.5, 2.5], "two": [3.5, 0.5]}), best=[(0, "one"), (1, "two")])
    page = report.html()
    assert page.count("<strong>") == 2
    assert "<strong>1.5</strong>" in page
    assert "<strong>0.5</strong>" in page
