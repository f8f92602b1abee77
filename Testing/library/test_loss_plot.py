"""The plot of a training: what is drawn for training and validation, and where the best epoch is marked."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.curves import loss_curves
from DeepMRILib.plots import LossCurve, loss_plot
from DeepMRILib.report import png
from DeepMRILib.tables import Table

EPOCHS = np.arange(1, 6)


def test_both_losses_are_drawn_and_the_best_epoch_of_validation_is_marked() -> None:
    history = Table(
        {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "validation_loss": [3.5, 2.5, 2.6], "learning_rate": [1, 1, 1]}
    )
    axes = loss_plot(loss_curves(history)).axes[0]
    training, validation, best = axes.lines
    assert axes.get_yscale() == "log"
    assert training.get_ydata().tolist() == [3, 2, 1]
    assert training.get_linestyle() != validation.get_linestyle()
    assert validation.get_ydata().tolist() == [3.5, 2.5, 2.6]
    assert (best.get_xdata().tolist(), best.get_ydata().tolist()) == ([2], [2.5])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]


def test_losses_below_zero_are_drawn_too() -> None:
    axes = loss_plot([LossCurve("posterior network", EPOCHS, 0.5 - 0.3 * EPOCHS, 0.6 - 0.3 * EPOCHS)]).axes[0]
    assert axes.get_yscale() == "linear"
    low, high = axes.get_ylim()
    assert low < -1.0
    assert high > 0.2


def test_several_trainings_are_told_apart_and_one_without_validation_has_no_mark() -> None:
    curves = [LossCurve(name, EPOCHS, 1 / EPOCHS, 2 / EPOCHS) for name in ("a", "b")]
    curves.append(LossCurve("c", EPOCHS, 1 / EPOCHS, np.full(5, np.nan)))
    figure = loss_plot(curves)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation", "a", "b", "c"]
    assert len({line.get_color() for line in axes.lines}) == 3
    assert len(axes.lines) == 3 * 2 + 2
    assert png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("curves", "words"), [([], "nothing to plot"), ([LossCurve("a", [1, 2], [1], [1])], "2 positions for 1 values")]
)
def test_what_cannot_be_drawn_is_said(curves: list, words: str) -> None:
    with pytest.raises(InputError, match=words):
        loss_plot(curves)
