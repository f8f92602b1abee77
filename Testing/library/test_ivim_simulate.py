"""Simulated signals and nested squares: noise as asked for, ranges covered, random streams that share nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from DeepMRILib import ivim
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim import SimulateOptions, SquaresOptions
from DeepMRILib.ivim.models import MODELS, biexp
from DeepMRILib.ivim.simulate import CHUNK, PUBLISHED_B_VALUES, grid
from DeepMRILib.ivim.simulation_report import simulation_report, squares_report

FEW = SimulateOptions(n=400)


def signals(options: SimulateOptions) -> np.ndarray:
    series, _ = ivim.simulate(options)
    return series.array.reshape(options.n, -1)


def noise_of(options: SimulateOptions) -> np.ndarray:
    return (signals(options) - signals(replace(options, noise="none"))).astype(float)


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_voxels() -> None:
    (first, truth), (again, _) = ivim.simulate(FEW), ivim.simulate(FEW)
    np.testing.assert_array_equal(first.array, again.array)
    other, other_truth = ivim.simulate(replace(FEW, seed=1))
    assert (first.array == other.array).mean() < 0.01
    assert abs(stats.spearmanr(truth["D"].array.ravel(), other_truth["D"].array.ravel())[0]) < 0.15


def test_a_training_and_an_evaluation_set_of_one_seed_share_no_sample() -> None:
    evaluation = SimulateOptions(n=20_000)
    training = replace(evaluation, purpose="training")
    (_, known), (_, learned) = ivim.simulate(evaluation), ivim.simulate(training)
    for name in ("D", "f", "D_star"):
        shared = np.intersect1d(known[name].array, learned[name].array).size
        assert shared < 100  # as chance gives float32 numbers; equal streams share all 20,000
        assert abs(np.corrcoef(known[name].array.ravel(), learned[name].array.ravel())[0, 1]) < 0.03
    noise = [noise_of(options).ravel() for options in (evaluation, training)]
    assert abs(np.corrcoef(*noise)[0, 1]) < 0.01
    rows = np.concatenate([signals(evaluation), signals(training)])
    assert len(np.unique(rows, axis=0)) == 40_000


def test_the_parameters_fill_their_ranges_uniformly_and_independently() -> None:
    _, truth = ivim.simulate(SimulateOptions(n=20_000))
    ranges = FEW.ranges
    for name, (low, high) in ranges.items():
        values = truth[name].array.ravel().astype(float)
        assert stats.kstest((values - low) / (high - low), "uniform").pvalue > 1e-3
        assert low * (1 - 1e-6) <= values.min() < low + 0.001 * (high - low)
        assert high - 0.001 * (high - low) < values.max() <= high * (1 + 1e-6)
    values = np.array([truth[name].array.ravel() for name in ranges])
    assert np.abs(np.corrcoef(values) - np.eye(3)).max() < 0.03
    np.testing.assert_array_equal(truth["S0"].array, 1)


@pytest.mark.parametrize("model", ["adc", "biexp", "triexp"])
def test_without_noise_the_signal_obeys_the_model(model: str) -> None:
    options = SimulateOptions(model=model, n=35, noise="none", S0=300)
    series, truth = ivim.simulate(options)
    assert series.b_values.tolist() == list(PUBLISHED_B_VALUES[model])
    assert list(truth) == list(MODELS[model].parameters)
    expected = MODELS[model].signal(series.b_values, *(truth[name].array for name in MODELS[model].parameters))
    np.testing.assert_allclose(series.array, expected, rtol=1e-6)
    np.testing.assert_array_equal(truth["S0"].array, 300)


def test_gaussian_noise_has_the_strength_of_the_snr_at_every_b_value() -> None:
    noise = noise_of(SimulateOptions(n=20_000, snr=(25,), S0=50))
    np.testing.assert_allclose(noise.std(axis=0), 2.0, rtol=0.02)
    assert abs(noise.mean()) < 0.02
    correlation = np.corrcoef(noise.T)
    assert np.abs(correlation - np.eye(11)).max() < 0.03


def test_rician_noise_has_the_mean_and_spread_of_the_rice_distribution() -> None:
    options = SimulateOptions(n=40_000, b_values=(0, 3000), D_range=(0.003, 0.003), f_range=(0.3, 0.3), snr=(10,),
                              D_star_range=(0.1, 0.1), noise="rician")  # fmt: skip
    values = signals(options).astype(float)
    assert values.min() > 0
    for column, clean in enumerate(biexp([0, 3000], 0.003, 0.3, 0.1)):
        rice = stats.rice(clean / 0.1, scale=0.1)
        assert values[:, column].mean() == pytest.approx(rice.mean(), rel=0.005)
        assert values[:, column].std() == pytest.approx(rice.std(), rel=0.02)
    assert values[:, 1].mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.01)  # a floor where no signal is left


def test_two_snrs_are_the_ends_of_a_log_uniform_range() -> None:
    noise = noise_of(SimulateOptions(n=4000, b_values=(0,) * 200, snr=(10, 100)))
    snr = 1 / noise.std(axis=1)
    assert 9 < snr.min() < 10.5
    assert 95 < snr.max() < 125
    assert np.log(snr).mean() == pytest.approx(np.log(np.sqrt(1000)), abs=0.04)
    assert np.median(snr) == pytest.approx(np.sqrt(1000), rel=0.06)


def test_sets_that_differ_in_snr_alone_can_be_compared_voxel_by_voxel() -> None:
    at_20, at_50 = (replace(FEW, snr=(snr,)) for snr in (20.0, 50.0))
    np.testing.assert_array_equal(ivim.simulate(at_20)[1]["D"].array, ivim.simulate(at_50)[1]["D"].array)
    np.testing.assert_allclose(20 * noise_of(at_20), 50 * noise_of(at_50), atol=1e-5)


def test_a_smaller_set_is_the_beginning_of_a_larger_one_whatever_the_chunks() -> None:
    large = signals(SimulateOptions(n=CHUNK + 20, b_values=(0, 100), noise="rician", snr=(10, 50)))
    small = signals(SimulateOptions(n=CHUNK, b_values=(0, 100), noise="rician", snr=(10, 50)))
    np.testing.assert_array_equal(small, large[:CHUNK])
    assert not np.array_equal(large[:20], large[CHUNK:])


def test_repeats_stand_beside_each_other_with_noise_of_their_own() -> None:
    series, _ = ivim.simulate(SimulateOptions(n=5, b_values=(0, 800), repeats=3))
    assert series.b_values.tolist() == [0, 0, 0, 800, 800, 800]
    assert len(np.unique(series.array[0, 0, 0])) == 6


@pytest.mark.parametrize(("n", "shape"), [(10_000, (100, 100, 1)), (1, (1, 1, 1)), (6, (3, 2, 1)), (13, (13, 1, 1))])
def test_voxels_stand_in_one_slice(n: int, shape: tuple) -> None:
    assert grid(n) == shape
    assert ivim.simulate(SimulateOptions(n=n))[0].shape == shape


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"snr": (50, 20)}, "snr is 50 20; give one number, or the lowest and the highest"),
        ({"snr": ()}, "snr is empty; give one number"),
        ({"snr": (1, 2, 3)}, "snr is 1 2 3; give one number"),
        ({"D_range": (0.003, 0.001)}, "D_range is 0.003 to 0.001; give the lowest value first"),
        ({"D_star_range": (0.002, 0.1)}, "must not overlap"),
        ({"model": "triexp", "f1_range": (0.1, 0.8)}, "together they can be 1 at most"),
        ({"model": "triexp", "D_star2_range": (0.01, 1)}, "D_star2_range begins at 0.01 and D_star1_range ends at"),
        ({"n": 50_000_000}, "50,000,000 voxels with 11 images are too much"),
        ({"n": 0}, "n is 0; it must lie between"),
        ({"b_values": (-1,)}, "b_values is -1 s/mm2"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ivim.simulate(SimulateOptions(**changes))


def test_a_simulation_can_be_cancelled() -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ivim.simulate(FEW, progress=stop)


def test_the_job_carries_truth_and_seed() -> None:
    made = ivim.simulation(replace(FEW, seed=7))
    assert sorted(made.truth) == ["D_star_true", "D_true", "S0_true", "f_true"]
    assert made.provenance.seed == 7
    np.testing.assert_array_equal(made.dwi.array, ivim.simulate(replace(FEW, seed=7))[0].array)
    assert "Simulated IVIM signals" in simulation_report(made).html()


# -- squares ------------------------------------------------------------------------------------------------------


def test_the_squares_have_the_published_places_and_parameters() -> None:
    made = ivim.squares(SquaresOptions(noise="none"))
    labels = made.labels.array[:, :, 0]
    assert labels.shape == (100, 100)
    np.testing.assert_array_equal(labels, np.flip(labels))
    assert np.flatnonzero(labels[50] > 1)[[0, -1]].tolist() == [21, 78]
    assert np.flatnonzero(labels[50] > 2)[[0, -1]].tolist() == [41, 58]
    assert list(made.labels.names.values()) == ["outer square", "middle square", "inner square"]
    for place, (D, f, D_star) in {0: (0.001, 0.45, 0.07), 30: (0.0015, 0.30, 0.05), 50: (0.002, 0.15, 0.03)}.items():
        found = [made.truth[f"{name}_true"].array[place, place, 0] for name in ("D", "f", "D_star")]
        np.testing.assert_allclose(found, (D, f, D_star), rtol=1e-6)
        np.testing.assert_allclose(made.dwi.array[place, place, 0], biexp(made.dwi.b_values, D, f, D_star), rtol=1e-6)


def test_the_noise_of_the_squares_is_that_of_the_snr_and_of_no_simulation() -> None:
    options = SquaresOptions(size=60, snr=40)
    noise = ivim.squares(options).dwi.array - ivim.squares(replace(options, noise="none")).dwi.array
    assert noise.std() == pytest.approx(1 / 40, rel=0.02)
    simulated = noise_of(SimulateOptions(n=3600, snr=(40,)))
    assert abs(np.corrcoef(noise.ravel(), simulated.ravel())[0, 1]) < 0.02
    other = ivim.squares(replace(options, seed=1)).dwi.array
    assert (other == ivim.squares(options).dwi.array).mean() < 0.01
    assert ivim.squares(replace(options, noise="rician", snr=2)).dwi.array.min() > 0
    assert "Nested squares" in squares_report(ivim.squares(replace(options, b_values=()))).html()


def test_squares_beyond_memory_are_refused() -> None:
    with pytest.raises(InputError, match="Squares of 2000 x 2000 voxels and 100 images need too much memory"):
        ivim.squares(SquaresOptions(size=2000, b_values=tuple(range(100))))
