"""Graph cuts: labels of least energy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from DeepMRILib.interactive.graphcut import Pairs, energy, least_energy


def a_grid(shape: tuple[int, int], rng: np.random.Generator) -> Pairs:
    """Neighbours on a grid with random costs."""
    numbers = np.arange(np.prod(shape)).reshape(shape)
    first = np.concatenate([numbers[:-1].ravel(), numbers[:, :-1].ravel()])
    second = np.concatenate([numbers[1:].ravel(), numbers[:, 1:].ravel()])
    return Pairs(first, second, rng.uniform(0, 1, len(first)).round(3))


@pytest.mark.parametrize("seed", range(8))
def test_two_labels_are_exact(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = a_grid((3, 4), rng)
    own = rng.uniform(0, 1.5, (2, 12)).round(3)
    best = min(energy(np.array(labels), own, pairs) for labels in itertools.product((0, 1), repeat=12))
    assert energy(least_energy(own, pairs), own, pairs) == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_three_labels_are_within_the_bound_of_expansion_moves_and_usually_best(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = a_grid((2, 4), rng)
    own = rng.uniform(0, 1.5, (3, 8)).round(3)
    best = min(energy(np.array(labels), own, pairs) for labels in itertools.product(range(3), repeat=8))
    found = energy(least_energy(own, pairs), own, pairs)
    assert best - 1e-6 <= found <= 1.05 * best
    assert found <= energy(own.argmin(axis=0), own, pairs)


def test_strong_neighbours_agree_and_weak_ones_do_as_they_like() -> None:
    own = np.array([[0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]])
    chain = np.arange(3), np.arange(1, 4)
    assert least_energy(own, Pairs(*chain, np.zeros(3))).tolist() == [0, 1, 0, 1]
    assert len(set(least_energy(own, Pairs(*chain, np.full(3, 10.0))).tolist())) == 1


def test_without_neighbours_each_voxel_takes_its_cheapest_label() -> None:
    own = np.random.default_rng(0).uniform(0, 1, (4, 30))
    nothing = Pairs(np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    np.testing.assert_array_equal(least_energy(own, nothing), own.argmin(axis=0))
