"""Constraints of a pattern: each is kept to the last line, and those that contradict each other are refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from igs_data import smooth
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs import Encoding, Pattern, PatternOptions, find_pattern
from DeepMRILib.igs.constraints import Constraints, mirrored
from DeepMRILib.igs.constraints_checked import constraints_of

LINES = smooth((3, 1, 12, 40))
POINTS = smooth((2, 1, 16, 15))


def found(**settings: object) -> Pattern:
    dataset = POINTS if settings.get("second_axis") else LINES
    return find_pattern(dataset, options=PatternOptions(loss="l1", rivals=False, **settings))


def rules(n: int | tuple[int, int], **settings: object) -> Constraints:
    encoding = Encoding((-1,), (n,)) if isinstance(n, int) else Encoding((-2, -1), n)
    return constraints_of(encoding, PatternOptions(**settings))


def flags(chosen: list[int], size: int) -> NDArray:
    mask = np.zeros(size, dtype=bool)
    mask[chosen] = True
    return mask


def test_calibration_lines_come_first_from_dc_outwards() -> None:
    pattern = found(lines=10, calibration=5)
    assert pattern.orders[0][:5] == (20, 19, 21, 18, 22)
    assert pattern.gradients[0][:5] == (None,) * 5
    assert found(lines=10, calibration=4).orders[0][:4] == (20, 19, 21, 18)  # the further one is negative


def test_calibration_of_points_is_a_square() -> None:
    pattern = found(lines=30, calibration=3, second_axis=-2)
    square = np.zeros((16, 15), dtype=bool)
    square[7:10, 6:9] = True
    np.testing.assert_array_equal(pattern.mask(lines=9), square)
    assert tuple(pattern.order[0]) == (8, 7)


def test_forced_lines_are_there_and_forbidden_ones_are_not() -> None:
    pattern = found(lines=12, forced=(0, 39, 39), forbidden=(19, 21, 22))
    assert pattern.orders[0][:3] == (20, 39, 0)
    assert not {19, 21, 22} & set(pattern.orders[0])


def test_partial_fourier_leaves_out_the_first_lines() -> None:
    assert min(found(lines=25, partial_fourier=0.625).orders[0]) == 15
    assert min(found(lines=20, partial_fourier=0.5).orders[0]) == 20
    odd = rules(7, lines=4, partial_fourier=0.5)
    np.testing.assert_array_equal(np.flatnonzero(odd.allowed), [3, 4, 5, 6])
    # of points along options.axis only
    allowed = rules((8, 6), lines=4, partial_fourier=0.5, axis=-2, second_axis=-1).allowed.reshape(8, 6)
    assert not allowed[:4].any()
    assert allowed[4:].all()


@pytest.mark.parametrize("second_axis", [0, -2])
def test_mirror_pairs_are_complete(second_axis: int) -> None:
    for settings in ({}, {"lines_per_step": 4}, {"rerank": 3}, {"calibration": 4}, {"gap": 1}):
        pattern = found(lines=25 if second_axis else 15, mirror=True, second_axis=second_axis, **settings)
        chosen = set(pattern.orders[0])
        partners = mirrored(pattern.encoding)
        assert len(chosen) == pattern.lines == (25 if second_axis else 15)
        assert {int(partners[line]) for line in chosen} == chosen


def test_the_line_without_a_partner_is_the_first_of_an_even_number() -> None:
    assert mirrored(Encoding((-1,), (6,))).tolist() == [-1, 5, 4, 3, 2, 1]
    assert mirrored(Encoding((-1,), (5,))).tolist() == [4, 3, 2, 1, 0]
    assert 0 not in found(lines=39, mirror=True).orders[0]


@pytest.mark.parametrize("gap", [1, 2, 3])
@pytest.mark.parametrize("fill", [False, True])
def test_a_gap_is_kept_even_where_the_last_place_is_needed(gap: int, fill: bool) -> None:
    most = {1: 20, 2: 13, 3: 10}[gap] if fill else 6
    lines = np.sort(found(lines=most, gap=gap).orders[0])
    assert len(lines) == most
    assert np.diff(lines).min() > gap


def test_a_gap_of_points_is_kept_and_calibration_lies_dense_within() -> None:
    points = found(lines=40, gap=1, calibration=3, second_axis=-2, lines_per_step=5)
    mask = points.mask()
    assert mask[7:10, 6:9].all()
    others = mask.copy()
    others[7:10, 6:9] = False
    for first, second in itertools.combinations(np.argwhere(others), 2):
        assert np.abs(first - second).max() > 1
    assert not mask[6, 5:10].any()  # next to the block


def test_room_is_what_trying_all_patterns_gives() -> None:
    """A pattern of a few lines with gaps, forbidden and forced lines: the most that fit, by exhaustion."""
    rng = np.random.default_rng(0)
    for _ in range(25):
        n, gap = int(rng.integers(6, 12)), int(rng.integers(1, 4))
        forbidden = tuple(int(line) for line in np.flatnonzero(rng.random(n) < 0.3) if line != n // 2)
        mirror = bool(rng.random() < 0.5)
        one = rules(n, lines=1, gap=gap, forbidden=forbidden, mirror=mirror)
        start = flags(list(one.forced), n)
        most = max(
            len(chosen)
            for size in range(1, n + 1)
            for chosen in itertools.combinations(range(n), size)
            if one.obeyed(flags(list(chosen), n))
        )
        missing = most - len(one.forced)
        assert one.room(start, missing)
        assert not one.room(start, missing + 1)
        assert one.obeyed(flags([*one.forced, *one.packed(start, n)], n))


def test_echo_trains_and_steps_make_exactly_the_lines_asked_for() -> None:
    for settings in ({"echo_train": 8}, {"lines_per_step": 7}, {"lines_per_step": 100}, {"acceleration": 2.5}):
        pattern = found(lines=16, **settings)
        assert pattern.lines == 16
        assert len(set(pattern.orders[0])) == 16
    assert found(lines=1).orders == ((20,),)
    assert sorted(found(lines=40).orders[0]) == list(range(40))


def test_whole_masks_are_judged_by_the_same_rules() -> None:
    one = rules(8, lines=4, calibration=2, forbidden=(7,), gap=1)
    assert one.obeyed(flags([3, 4, 1, 6], 8))
    assert not one.obeyed(flags([4, 1, 6], 8))  # a calibration line is missing
    assert not one.obeyed(flags([3, 4, 5, 1], 8))  # too near
    assert not one.obeyed(flags([3, 4, 7, 1], 8))  # forbidden
    pairs = rules(8, lines=3, mirror=True)
    assert pairs.obeyed(flags([3, 4, 5], 8))
    assert not pairs.obeyed(flags([2, 4, 5], 8))
    assert not rules(8, lines=4, echo_train=2).obeyed(flags([3, 4, 5], 8))


CONTRADICTIONS = {
    "more lines than there are": ({"lines": 41}, "41 lines were asked for, and there are 40"),
    "an acceleration below 1": ({"acceleration": 0.5}, "acceleration is 0.5"),
    "DC is forbidden": ({"forbidden": (20,)}, "is DC"),
    "forced and forbidden": ({"forced": (3,), "forbidden": (3, 4)}, "Line 3 is both forced and forbidden"),
    "calibration is forbidden": ({"calibration": 4, "forbidden": (21,)}, "of the calibration block"),
    "a forced line that is not there": ({"forced": (40,)}, "The forced line 40 does not exist"),
    "a forbidden line below 0": ({"forbidden": (-1,)}, "The forbidden line -1 does not exist"),
    "calibration wider than k-space": ({"calibration": 41}, "41 calibration lines were asked for, and there are 40"),
    "more forced than asked for": ({"lines": 4, "calibration": 6}, "6 lines are forced"),
    "forced beyond partial Fourier": ({"forced": (2,), "partial_fourier": 0.6}, "Line 2 is forced.*partial Fourier"),
    "calibration beyond partial Fourier": (
        {"lines": 16, "calibration": 12, "partial_fourier": 0.5},
        "Lines 14, 15, 16, 17 and more are forced",
    ),
    "too few are left": ({"lines": 30, "partial_fourier": 0.6}, "Only 24 of 40 lines may be acquired"),
    "a wide gap": ({"lines": 16, "gap": 3}, "With a gap of 3 there is room for 10 lines, and 16 were asked for"),
    "forced lines nearer than the gap": ({"forced": (3, 5), "gap": 2}, "nearer than the gap of 2"),
    "no whole echo trains": ({"lines": 16, "echo_train": 6}, "a multiple of the echo train's 6. Ask for 12 or 18"),
    "an echo train longer than k-space": ({"lines": 16, "echo_train": 64}, "No number of lines fits"),
    "an even number of mirrored lines": ({"lines": 16, "mirror": True}, "must be odd.* Ask for 15 or 17"),
    "pairs and even echo trains": ({"lines": 16, "mirror": True, "echo_train": 4}, "Give up one of the two"),
    "no partner": ({"lines": 3, "mirror": True, "forced": (0,)}, "Line 0 is forced and without a partner"),
    "a forbidden partner": ({"lines": 5, "mirror": True, "forced": (22,), "forbidden": (18,)}, "Line 18 is the mirror"),
    "pairs beyond partial Fourier": ({"lines": 15, "mirror": True, "partial_fourier": 0.5}, "Only 1 of 40 lines"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_contradictions_are_refused_with_a_sentence(case: str) -> None:
    settings, sentence = CONTRADICTIONS[case]
    with pytest.raises(InputError, match=sentence):
        found(**settings)


def test_points_with_a_gap_are_refused_where_none_fit() -> None:
    with pytest.raises(InputError, match="room for 63 points, and 80 were asked for"):
        found(lines=80, gap=1, second_axis=-2)
