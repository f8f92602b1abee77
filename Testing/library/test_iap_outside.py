"""Images that are not of the training's kind: distance of features, and checks of pixels."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.iap.calibration import Calibration
from DeepMRILib.iap.layout import Head, Layout
from DeepMRILib.iap.outside import FALSE_ALARMS, distances, is_outside, limit_of, outside, reference, series_distance

FEATURES = 12


def of_the_kind(random: np.random.Generator, n: int) -> np.ndarray:
    """Features that hang together, on very different scales; the last never varies."""
    mixing = np.random.default_rng(7).normal(size=(FEATURES - 1, FEATURES - 1))
    scales = 10.0 ** np.linspace(-3, 3, FEATURES - 1)
    made = random.normal(size=(n, FEATURES - 1)) @ mixing * scales + 5
    return np.hstack([made, np.full((n, 1), 3.0)])


class Fixed:
    """A model whose features are the first pixels of a slice."""

    name, weights_sha256, notes, training_data = "fixed", "", (), ""
    layout = Layout((Head("manufacturer", "categorical", 0, 2, ("A", "B")),))

    def __init__(self, calibration: Calibration | None) -> None:
        self.calibration = calibration

    def features(self, slices: list[np.ndarray]) -> np.ndarray:
        return np.stack([np.ravel(one)[:FEATURES] for one in slices])


@pytest.fixture
def model(rng: np.random.Generator) -> Fixed:
    known = reference(of_the_kind(rng, 2000))
    limit = limit_of(distances(of_the_kind(rng, 2000), known))
    return Fixed(Calibration({}, {**known, "limit": limit}, 2000))


def slices_of(features: np.ndarray) -> list[np.ndarray]:
    made = np.arange(32.0 * 32).reshape(1, 32, 32).repeat(len(features), 0) + 10
    made.reshape(len(features), -1)[:, :FEATURES] = features
    return list(made)


def test_new_images_of_the_kind_raise_as_many_false_alarms_as_was_said(model: Fixed, rng: np.random.Generator) -> None:
    found = distances(of_the_kind(rng, 4000), model.calibration.outside)
    assert np.mean(found > model.calibration.outside["limit"]) == pytest.approx(FALSE_ALARMS, abs=0.015)
    assert found.mean() == pytest.approx(1, abs=0.15)


def test_images_of_another_kind_are_found(model: Fixed, rng: np.random.Generator) -> None:
    other = of_the_kind(rng, 200)
    other[:, 3] *= -1  # each number is as before, but they no longer hang together
    found = distances(other, model.calibration.outside)
    assert np.mean(found > model.calibration.outside["limit"]) > 0.95
    table = outside(model, slices_of(other[:5]))
    assert is_outside(table)
    assert table.rows[-1][-1] == "bad"


def test_a_feature_that_never_varies_does_not_break_the_distance(rng: np.random.Generator) -> None:
    known = reference(of_the_kind(rng, 50))
    assert np.isfinite(distances(of_the_kind(rng, 10), known)).all()


def test_one_odd_slice_does_not_make_a_series_odd() -> None:
    assert series_distance([1.0, 1.1, 0.9, 50.0, 1.0]) == 1.0


GOOD = np.arange(40.0 * 40).reshape(40, 40)


@pytest.mark.parametrize(
    ("image", "check"),
    [
        (np.zeros((40, 40)), "zeros"),
        (np.full((40, 40), 7.0), "one grey value"),
        (np.arange(16.0 * 64).reshape(16, 64), "fewer than 32"),
        (np.dstack([GOOD] * 3), "colour"),
        (np.where(GOOD == 5, np.nan, GOOD), "finite"),
        (GOOD % 3, "grey values"),
    ],
)
def test_what_is_no_image_is_named(image: np.ndarray, check: str) -> None:
    table = outside(Fixed(None), [image, image])
    bad = [row[0] for row in table.rows if row[-1] == "bad"]
    assert len(bad) == 1
    assert check in bad[0]


def test_good_slices_pass_all_checks_and_one_bad_among_many_is_only_said(rng: np.random.Generator) -> None:
    assert not is_outside(outside(Fixed(None), [GOOD]))
    table = outside(Fixed(None), [GOOD, GOOD, np.zeros((40, 40))])
    assert not is_outside(table)
    assert [row[-1] for row in table.rows].count("look") == 1


def test_negative_pixels_are_worth_a_look() -> None:
    assert "look" in outside(Fixed(None), [GOOD - 500]).columns["state"]


def test_without_slices_there_is_nothing_to_say() -> None:
    with pytest.raises(InputError, match="no slices"):
        outside(Fixed(None), [])
