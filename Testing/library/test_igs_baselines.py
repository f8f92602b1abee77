"""Baselines: exactly as many lines as asked, DC among them, seeded, and of the shape that their names promise."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib import igs
from DeepMRILib.errors import InputError
from DeepMRILib.igs.baselines import CHOICES
from DeepMRILib.igs.poisson import poisson_disc

NAMES = ("centre", "block", *CHOICES)
RANDOM = ("equispaced", "random", "variable_density", "poisson")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [1, 2, 3, 8, 15, 64, 129])
def test_every_number_of_lines_is_exact_and_has_dc(name, n):
    for lines in range(1, n + 1):
        for seed in (0, 1, 7):
            mask = igs.baseline(name, n, lines, seed)
            assert mask.shape == (n,)
            assert mask.dtype == bool
            assert mask.sum() == lines
            assert mask[n // 2]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(8, 8), (7, 12), (1, 9), (33, 16)])
def test_every_number_of_points_is_exact_and_has_dc(name, shape):
    size = shape[0] * shape[1]
    for points in {*range(1, size + 1, 5), 2, size - 1, size}:
        mask = igs.baseline(name, shape, points, seed=3)
        assert mask.shape == shape
        assert mask.sum() == points
        assert mask[shape[0] // 2, shape[1] // 2]


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize("n", [128, (64, 48)])
def test_a_seed_gives_the_same_mask_and_others_give_others(name, n):
    lines = 16 if n == 128 else 400
    first, again = igs.baseline(name, n, lines, 4), igs.baseline(name, n, lines, 4)
    np.testing.assert_array_equal(first, again)
    assert len({igs.baseline(name, n, lines, seed).tobytes() for seed in range(5)}) > 2


@pytest.mark.parametrize(("n", "lines"), [(128, 16), (128, 8), (256, 32), (129, 17)])
def test_equispaced_lines_are_equally_far_apart(n, lines):
    for seed in range(5):
        mask = igs.baseline("equispaced", n, lines, seed)
        centre = round(0.32 * lines)
        first = n // 2 - centre // 2
        outer = np.setdiff1d(np.flatnonzero(mask), np.arange(first, first + centre))
        assert len(outer) == lines - centre
        for side in (outer[outer < first], outer[outer > first]):
            steps = np.diff(side)
            assert steps.max() - steps.min() <= 1


def test_equispaced_points_are_equally_far_apart():
    mask = igs.baseline("equispaced", (64, 64), 512, seed=2)
    rows = np.flatnonzero(mask[:, :16].any(axis=1))
    assert np.ptp(np.diff(rows)[2:-2]) <= 1
    for row in rows[3:6]:
        assert np.ptp(np.diff(np.flatnonzero(mask[row]))) <= 1


def test_the_centre_is_a_block_around_dc_and_the_block_leans_to_one_side():
    centre, block = (np.flatnonzero(igs.baseline(name, 128, 16)) - 64 for name in ("centre", "block"))
    np.testing.assert_array_equal(centre, np.arange(-8, 8))
    np.testing.assert_array_equal(block, np.arange(-4, 12))


def test_variable_density_thins_out_from_the_centre():
    drawn = np.mean([igs.baseline("variable_density", 128, 16, seed) for seed in range(300)], axis=0)
    far = np.abs(np.arange(128) - 64)
    near, middle, edge = (drawn[(far >= low) & (far < low + 10)].mean() for low in (5, 25, 50))
    assert near > 2 * middle > 4 * edge


def test_random_lines_are_as_likely_everywhere_outside_the_centre():
    drawn = np.mean([igs.baseline("random", 128, 16, seed) for seed in range(600)], axis=0)
    outside = np.abs(np.arange(128) - 64) > 4
    np.testing.assert_allclose(drawn[outside], 11 / 123, atol=0.06)


def test_poisson_points_keep_their_distance_where_random_ones_do_not():
    def nearest(name: str) -> float:
        mask = igs.baseline(name, (96, 96), 600, seed=1)
        rows, columns = np.nonzero(mask)
        outside = np.hypot(rows - 48, columns - 48) > 30
        places = np.stack([rows, columns], axis=1)[outside]
        apart = np.linalg.norm(places[:, None] - places[None], axis=2)
        np.fill_diagonal(apart, np.inf)
        return float(apart.min())

    assert nearest("poisson") > 3
    assert nearest("random") == 1


def test_poisson_lines_are_never_neighbours_far_out():
    for seed in range(10):
        lines = np.flatnonzero(igs.baseline("poisson", 256, 32, seed)) - 128
        for side in (lines[lines < -30], lines[lines > 30]):
            assert np.diff(side).min() > 3


def test_few_poisson_lines_of_many_are_spread_out():
    for seed in range(10):
        mask = poisson_disc(np.zeros(500, dtype=bool), 5, np.ones(500), np.random.default_rng(seed))
        assert np.diff(np.flatnonzero(mask)).min() > 50


def test_the_distance_follows_the_spacing_asked_for():
    spacing = np.ones((40, 40))
    spacing[:, 20:] = 3
    mask = poisson_disc(np.zeros((40, 40), dtype=bool), 150, spacing, np.random.default_rng(0))
    assert mask[:, :20].sum() > 4 * mask[:, 20:].sum()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("spiral", 64, 8), "'spiral' is no baseline; choose one of centre, block, equispaced, random"),
        (("random", 64, 65), "65 lines were asked for, and there are 64"),
        (("random", 64, 0), "0 lines were asked for"),
        (("random", (4, 4, 4), 8), "Give their number, or both numbers of points"),
        (("random", 0, 1), "Give their number"),
    ],
)
def test_what_is_no_baseline_is_refused(given, sentence):
    with pytest.raises(InputError, match=sentence):
        igs.baseline(*given)
