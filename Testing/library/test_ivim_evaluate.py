"""The evaluation of methods: its tables hold what the scores of the fits are, and its references what they must."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from DeepMRILib import ivim
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim import (
    ApplyOptions,
    EvaluateOptions,
    Evaluation,
    FitOptions,
    SimulateOptions,
    SquaresOptions,
    TrainOptions,
)
from DeepMRILib.ivim.evaluation_plots import comparison, decays, errors_by_snr
from DeepMRILib.ivim.evaluation_report import evaluation_report, squares_table, wide_table
from DeepMRILib.ivim.scores import score

QUICK = EvaluateOptions(methods=("lsq",), snr=(50.0, 20.0), n=2000, squares_size=24, seed=3)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return ivim.evaluate(QUICK)


def cell(result: Evaluation, column: str, **place: object) -> float:
    table = result.errors.columns
    (row,) = (n for n in range(len(table["snr"])) if all(table[key][n] == value for key, value in place.items()))
    return table[column][row]


def test_the_scores_are_those_of_the_fits_to_the_simulated_signals(found: Evaluation) -> None:
    series, truth = ivim.simulate(SimulateOptions(n=2000, snr=(20.0,), seed=3))
    maps = ivim.fit(series, FitOptions(seed=3), mask=np.ones(series.shape)).maps
    names = ("D", "f", "D_star")
    rows = score(*({name: volumes[name].array for name in names} for volumes in (maps, truth)),
                 {name: maps[f"{name}_sd"].array for name in names})  # fmt: skip
    for row in rows:
        for column in ("median_error", "nrmse", "bias", "spearman", "coverage"):
            assert cell(found, column, snr=20.0, method="lsq", parameter=row["parameter"]) == row[column]
        np.testing.assert_array_equal(
            found.estimates[f"lsq_snr20_{row['parameter']}"], maps[row["parameter"]].array.ravel()
        )


def test_the_references_stand_beside_every_method(found: Evaluation) -> None:
    for parameter in ("D", "f", "D_star"):
        errors = {method: cell(found, "median_error", snr=20.0, method=method, parameter=parameter)
                  for method in ("lsq", "lsq_clipped", "constant")}  # fmt: skip
        assert errors["lsq_clipped"] < errors["lsq"]
        assert 0.3 < errors["constant"] < 0.4
        assert np.isnan(cell(found, "spearman", snr=20.0, method="constant", parameter=parameter))
        assert cell(found, "median_error", snr=50.0, method="constant", parameter=parameter) == errors["constant"]
        assert cell(found, "median_error", snr=50.0, method="lsq", parameter=parameter) < errors["lsq"]
    assert len(found.errors) == 2 * 3 * 3


def test_the_references_are_there_without_least_squares_among_the_methods(found: Evaluation) -> None:
    other = ivim.evaluate(replace(QUICK, methods=("bayes",), n=300, snr=(20.0,), squares_size=0))
    assert list(dict.fromkeys(other.errors.columns["method"])) == ["bayes", "lsq_clipped", "constant"]
    assert set(other.times.columns["method"]) == {"bayes"}
    assert other.squares == {}
    assert 0.5 < cell(other, "coverage", snr=20.0, method="bayes", parameter="f") < 0.85


def test_every_pair_of_estimates_is_compared(found: Evaluation) -> None:
    table = found.correlations.columns
    assert list(zip(table["first"], table["second"], strict=True))[:3] == [("D", "f"), ("D", "D_star"), ("f", "D_star")]
    by_snr = np.array(table["rho"]).reshape(2, 3)
    assert (by_snr[0] < by_snr[1]).all()  # less noise, less dependence
    assert found.consistency.columns == {}


def test_the_squares_are_fitted_at_the_snr_of_most_papers(found: Evaluation) -> None:
    assert found.provenance.inputs["map_snr"] == 20.0
    made = ivim.squares(SquaresOptions(size=24, snr=20.0, seed=3))
    maps = ivim.fit(made.dwi, mask=np.ones(made.dwi.shape)).maps
    np.testing.assert_array_equal(found.squares["f_lsq"].array, maps["f"].array)
    np.testing.assert_array_equal(found.squares["f_true"].array, made.truth["f_true"].array)
    table = squares_table(found)
    assert len(table) == 4 * 3
    inner = made.labels.array == 3
    expected = 100 * (maps["f"].array[inner].astype(float).mean() / 0.15 - 1)
    row = table.columns["square"].index("inner square, f")
    assert table.columns["least squares"][row] == pytest.approx(expected, abs=1e-3)


def test_the_same_seed_gives_the_same_scores_and_progress_only_grows() -> None:
    fractions: list[float] = []
    small = replace(QUICK, n=200)
    first = ivim.evaluate(small, progress=lambda fraction, message: fractions.append(fraction))
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < 0.5 < fractions[-1] <= 1
    assert first.errors.rows[0] == ivim.evaluate(small).errors.rows[0]
    assert first.errors.rows[0] != ivim.evaluate(replace(small, seed=4)).errors.rows[0]


def test_an_evaluation_can_be_cancelled() -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.4:
            raise Cancelled

    with pytest.raises(Cancelled):
        ivim.evaluate(QUICK, progress=stop)


def test_methods_that_do_not_fit_the_model_are_left_out_with_a_note() -> None:
    options = EvaluateOptions(model="adc", methods=("lsq", "bayes"), n=50, snr=(20.0,))
    with pytest.raises(InputError, match="None of the methods bayes fits the model adc; choose among lsq"):
        ivim.evaluate(replace(options, methods=("bayes",)))
    with pytest.raises(InputError, match="None of the methods"):
        ivim.evaluate(replace(options, methods=()))
    result = ivim.evaluate(options)
    assert result.provenance.notes[0] == "Left out, as they do not fit the model adc: bayes."
    assert set(result.errors.columns["parameter"]) == {"ADC"}
    assert cell(result, "median_error", snr=20.0, method="lsq", parameter="ADC") < 0.1


def test_a_truth_that_the_bounds_cut_off_is_told() -> None:
    wide = replace(QUICK, n=50, D_star_range=(0.01, 0.3), squares_size=0)
    (note,) = ivim.evaluate(wide).provenance.notes
    assert note.startswith("The truth of D* lies between 0.01 and 0.3, the fits' bounds are 0.008 and 0.2")


def test_snrs_are_named_once() -> None:
    for snr in ((), (20.0, 20.0)):
        with pytest.raises(InputError, match="snr names the SNRs to evaluate at, each once"):
            ivim.evaluate(replace(QUICK, snr=snr))


def test_squares_too_small_to_nest_are_refused_before_the_work() -> None:
    with pytest.raises(InputError, match="squares_size is 5; give 0 for no squares, or at least 8"):
        ivim.evaluate(replace(QUICK, squares_size=5))
    inner = ivim.squares(SquaresOptions(size=8)).labels.array == 3
    assert inner.sum() == 4


def test_the_best_cell_of_a_row_stands_out(found: Evaluation) -> None:
    table, cells = wide_table(found, "nrmse", 100, np.nanmin)
    row = table.columns["parameter"].index("D*, SNR 20")
    (name,) = (name for at, name in cells if at == row)
    values = {key: column[row] for key, column in table.columns.items() if key != "parameter"}
    assert values[name] == min(values.values())
    page = evaluation_report(found).html()
    assert f"<strong>{values[name]:.1f}</strong>" in page
    assert page.count("data:image/png") == 1 + 3 + 2


def test_pictures_show_what_the_tables_hold(found: Evaluation) -> None:
    figure = errors_by_snr(found, "median_error", "Median error (%)")
    lines = {tuple(np.round(line.get_ydata(), 6)) for line in figure.axes[2].lines}
    expected = [100 * cell(found, "median_error", snr=snr, method="lsq", parameter="D_star") for snr in (20.0, 50.0)]
    assert tuple(np.round(expected, 6)) in lines
    assert [axes.get_title() for axes in figure.axes] == ["D", "f", "D*"]

    figure = comparison("D", found.squares["D_true"], {"least squares": found.squares["D_lsq"]})
    shown = [image for axes in figure.axes for image in axes.get_images()]
    truth, estimate, difference = (np.asarray(image.get_array()) for image in shown)
    np.testing.assert_allclose(estimate - truth, difference)
    assert shown[0].get_clim() == shown[1].get_clim()  # one colour scale
    assert shown[2].get_clim()[0] == -shown[2].get_clim()[1]

    (first, *_rest) = decays(found).axes
    points = [line.get_ydata() for line in first.lines if len(line.get_ydata()) == 11]
    series, _ = ivim.simulate(SimulateOptions(n=2000, snr=(20.0,), seed=3))
    np.testing.assert_allclose(points[0], series.array[0, 0, 0], rtol=1e-5)


@pytest.mark.torch
def test_networks_are_trained_on_signals_of_their_own_and_compared_with_each_other() -> None:
    pytest.importorskip("torch")
    options = EvaluateOptions(
        methods=("ivimnet",), preset="optim", snr=(20.0,), n=500, seed=3, training_voxels=3000, trainings=2, members=1,
        epochs=3, squares_size=16, device="cpu",
    )  # fmt: skip
    fractions: list[float] = []
    result = ivim.evaluate(options, progress=lambda fraction, message: fractions.append(fraction))
    assert fractions == sorted(fractions)
    learned, _ = ivim.simulate(SimulateOptions(n=3000, snr=(20.0,), seed=3, purpose="training"))
    scored, truth = ivim.simulate(SimulateOptions(n=500, snr=(20.0,), seed=3))
    maps = [
        ivim.apply(
            ivim.train([learned], TrainOptions(preset="optim", members=1, epochs=3, seed=seed, device="cpu")),
            scored, ApplyOptions(device="cpu"), mask=np.ones(scored.shape),
        ).maps
        for seed in (3, 4)
    ]  # fmt: skip
    found = [one["f"].array.ravel().astype(float) for one in maps]
    np.testing.assert_allclose(result.estimates["ivimnet_snr20_f"], found[0], rtol=1e-4)
    errors = [np.median(np.abs(one / truth["f"].array.ravel() - 1)) for one in found]
    row = cell(result, "median_error", snr=20.0, method="ivimnet", parameter="f")
    assert row == pytest.approx(np.mean(errors), rel=1e-3)
    spread = np.sqrt(np.mean((found[0] - found[1]) ** 2 / 2)) / truth["f"].array.mean()
    cv = dict(zip(result.consistency.columns["parameter"], result.consistency.columns["cv"], strict=True))
    assert cv["f"] == pytest.approx(spread, rel=1e-3)
    assert result.times.columns["training_seconds"][0] > 0
    assert "its best case" in result.provenance.notes[-1]
    page = evaluation_report(result).html()
    assert "Consistency over repeated trainings" in page
    assert "IVIM-NET" in page


@pytest.mark.torch
def test_no_simulated_signal_is_background_to_a_training_either() -> None:
    pytest.importorskip("torch")
    options = EvaluateOptions(
        methods=("ivimnet",), preset="optim", snr=(0.35,), n=40, training_voxels=256, trainings=1, members=1, epochs=1,
        squares_size=0, device="cpu",
    )  # fmt: skip
    # With the background left out 188 voxels remain, too few for a network: those with a positive mean are 206.
    assert ivim.evaluate(options).errors.columns["method"][0] == "ivimnet"
