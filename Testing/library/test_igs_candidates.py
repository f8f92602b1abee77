"""What a step might take: sets that differ in how much lines count whose mirror is there already."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from DeepMRILib.igs import Encoding, PatternOptions
from DeepMRILib.igs.candidates import apart, candidates, ranked
from DeepMRILib.igs.constraints import Constraints
from DeepMRILib.igs.constraints_checked import constraints_of

N, DC = 16, 8


def rules_of(lines: int = 8, shape: tuple[int, ...] = (N,), **settings: object) -> Constraints:
    axes = tuple(range(-len(shape), 0))
    return constraints_of(Encoding(axes, shape), PatternOptions(lines=lines, **settings))


def gradient_of(**promises: float) -> NDArray:
    """0 but for named offsets from DC: ``m2`` is -2, ``p3`` is 3."""
    gradient = np.zeros(N)
    for name, value in promises.items():
        gradient[DC + (1 if name[0] == "p" else -1) * int(name[1:])] = value
    return gradient


def chosen_of(*offsets: int) -> NDArray:
    chosen = np.zeros(N, dtype=bool)
    chosen[DC + np.array(offsets)] = True
    return chosen


def offsets(lines: list[int]) -> list[int]:
    return [line - DC for line in lines]


GRADIENT = gradient_of(m1=-9.0, p1=-8.8, p2=-7.0, m2=-6.5, p3=-5.0, m3=-4.8)


@pytest.mark.parametrize(("share", "first"), [(0.0, [-1, 1, 2, -2]), (1.0, [-1, 2, 3]), (0.4, [-1, 2, 1, 3])])
def test_a_mirrored_line_loses_its_share(share: float, first: list[int]) -> None:
    found = offsets(list(apart(rules_of(), chosen_of(0), GRADIENT, share)))
    assert found[: len(first)] == first
    assert sorted(found) == [offset for offset in range(-8, 8) if offset]


def test_without_a_share_it_is_the_ranking() -> None:
    rules, chosen = rules_of(), chosen_of(0, 2)
    gradient = np.random.default_rng(0).normal(size=N)
    assert list(apart(rules, chosen, gradient, 0.0)) == list(ranked(rules, chosen, gradient))


def test_lines_that_raise_the_loss_do_not_gain_by_their_mirror() -> None:
    """Half of a harm would look like less harm."""
    gradient = gradient_of(m1=1.0, p2=1.2)
    gradient[gradient == 0] = 5.0
    assert offsets(list(apart(rules_of(), chosen_of(0, 1), gradient, 0.5)))[:2] == [2, -1]


def test_single_lines() -> None:
    chosen = chosen_of(0, 1)
    gradient = gradient_of(m1=-9.0, p4=-6.0, p3=-4.0, m6=-1.0)
    for most, expected in ((1, [-1]), (3, [-1, 4]), (4, [-1, 4]), (5, [-1, 4, 3]), (6, [-1, 4, 3, -6])):
        found = candidates(rules_of(), chosen, gradient, (1, 6), most)
        assert [offsets(lines) for lines in found] == [[offset] for offset in expected]


def test_sets_of_several_lines() -> None:
    found = candidates(rules_of(), chosen_of(0), GRADIENT, (3, 7), 3)
    assert [offsets(lines) for lines in found] == [[-1, 1, 2], [-1, 2, 3]]
    assert candidates(rules_of(), chosen_of(0), GRADIENT, (3, 7), 1) == [[DC - 1, DC + 1, DC + 2]]


def test_sets_keep_the_rules() -> None:
    rules = rules_of(5, gap=1, mirror=True, forbidden=(DC + 2,))
    random = np.random.default_rng(4)
    for _ in range(20):
        for lines in candidates(rules, chosen_of(0), random.normal(size=N), (4, 4), 5):
            mask = chosen_of(0)
            mask[lines] = True
            assert len(lines) == 4
            assert not mask[DC + 2]
            assert np.array_equal(mask[1:], mask[1:][::-1])
            assert not (mask[1:] & mask[:-1]).any()


def test_points_have_mirrors_too() -> None:
    rules = rules_of(5, (6, 5))
    gradient = np.zeros((6, 5))
    gradient[4, 3], gradient[2, 1], gradient[2, 3] = -3.0, -2.9, -2.0
    chosen = np.zeros(30, dtype=bool)
    chosen[3 * 5 + 2] = True
    assert candidates(rules, chosen, gradient.ravel(), (2, 4), 2) == [[23, 11], [23, 13]]
