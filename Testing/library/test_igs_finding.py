"""find_pattern as users call it, without a network: what it returns, says and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from igs_data import smooth, smooth_images, with_coils

from DeepMRILib.errors import InputError
from DeepMRILib.igs import FindOptions, Pattern, PatternOptions, SliceDataset, find_pattern
from DeepMRILib.igs.dataset import MAGNITUDE_NOTE
from DeepMRILib.igs.finding import split_cases, subset_rows
from DeepMRILib.igs.search import SUBSET
from DeepMRILib.progress import Cancelled

DATA = smooth((6, 1, 20, 24))


def l1(**settings: object) -> PatternOptions:
    return PatternOptions(**{"loss": "l1", "lines": 8, **settings})


def test_without_settings_it_takes_16_lines_by_l1() -> None:
    pattern = find_pattern(DATA)
    assert pattern.lines == 16
    assert pattern.order[0] == 12
    assert pattern.about["loss"] == "l1"
    assert [rung.lines for rung in pattern.rungs] == [2, 4, 8, 16]


@pytest.mark.parametrize("n", [23, 24])
@pytest.mark.parametrize("lines", [1, 2, 9, 23])
def test_exactly_as_many_lines_as_asked_for_and_nested(n: int, lines: int) -> None:
    pattern = find_pattern(smooth((3, 1, 9, n)), options=l1(lines=lines))
    assert pattern.mask().sum() == lines
    for count in range(1, lines):
        assert pattern.mask(lines=count).sum() == count
        assert (pattern.mask(lines=count) <= pattern.mask(lines=count + 1)).all()
    assert pattern.mask(lines=1)[n // 2]


def test_the_recommended_mask_has_the_lowest_loss_of_the_three() -> None:
    pattern = find_pattern(DATA, options=l1())
    rung = pattern.rung(8)
    kind = pattern.recommended(8)
    assert getattr(rung, kind) <= min(rung.igs, rung.block, rung.centre) * (1 + 1e-5)
    np.testing.assert_array_equal(pattern.mask(kind="recommended"), pattern.mask(kind=kind))
    assert "Lowest loss on the slices" in pattern.notes[-1]
    assert find_pattern(DATA, options=l1(rivals=False)).rungs == ()


def test_it_says_how_it_was_found_and_survives_its_file(tmp_path: Path) -> None:
    pattern = find_pattern(DATA, options=l1(calibration=3, forbidden=(0,), acceleration=3.0))
    assert pattern.about["data"] == DATA.digest()
    assert pattern.about["network"] == "none"
    assert pattern.about["slices"] == 6
    assert pattern.about["constraints"]["forbidden"] == [0]
    assert pattern.about["constraints"]["lines"] == 8
    json.dumps(pattern.about)
    assert Pattern.load(pattern.save(tmp_path / "pattern.json")) == pattern


def test_the_same_data_give_the_same_pattern() -> None:
    options = FindOptions(loss="l1", lines=8, rerank=3, swaps=2, stop=True, seed=4)
    data = smooth((SUBSET + 12, 1, 16, 20))
    first, second = (find_pattern(data, options=options) for _ in range(2))
    assert first == second
    assert first.about["seed"] == 4


def test_magnitudes_are_told_from_measured_data() -> None:
    assert MAGNITUDE_NOTE in find_pattern(smooth(phase=False), options=l1()).notes
    assert MAGNITUDE_NOTE not in find_pattern(DATA, options=l1()).notes


def test_coils_points_volumes_and_contrasts() -> None:
    for sense in (False, True):
        assert find_pattern(with_coils((3, 1, 12, 10), 3, sense=sense), options=l1(axis=-2)).shape == (12,)
    points = find_pattern(smooth((2, 1, 10, 12)), options=l1(second_axis=-2, lines=20, lines_per_step=4))
    assert points.order.shape == (20, 2)
    assert points.mask().shape == (10, 12)
    volumes = SliceDataset(smooth_images((2, 1, 6, 9, 8)))
    assert find_pattern(volumes, options=l1(axis=-3, lines=6)).shape == (6,)
    contrasts = find_pattern(smooth((3, 2, 12, 10)), options=l1(per_contrast=True))
    assert contrasts.order.shape == (2, 8)
    assert contrasts.mask(kind="centre").shape == (2, 10)


def test_held_out_slices_are_of_other_cases() -> None:
    cases = np.repeat(["a", "b", "c", "d"], 3)
    dataset = SliceDataset(smooth_images((12, 1, 8, 8)), cases=cases)
    used, held = split_cases(dataset, 0.25, seed=1)
    assert len(set(held.cases)) == 1
    assert not set(used.cases) & set(held.cases)
    assert len(used) + len(held) == 12
    assert len(set(split_cases(dataset, 0.9, seed=1)[0].cases)) == 1
    pattern = find_pattern(dataset, options=l1(stop=True))
    assert pattern.about["slices"] == 9
    with pytest.raises(InputError, match="two cases or more"):
        find_pattern(SliceDataset(smooth_images((3, 1, 8, 8)), cases=["a"] * 3), options=l1(stop=True))


def test_a_stop_is_said() -> None:
    rng = np.random.default_rng(0)
    still = np.ones((8, 1, 12, 16)) + 0.01 * rng.normal(size=(8, 1, 12, 16))
    dataset = SliceDataset(still + 3j * rng.normal(size=still.shape), reference=np.abs(still))
    pattern = find_pattern(dataset, options=l1(stop=True, lines=16))
    assert pattern.lines < 16
    assert any(f"stopped at {pattern.lines} of 16 lines" in note for note in pattern.notes)


def test_candidates_are_compared_on_some_of_many_slices() -> None:
    rows = subset_rows(100, 3)
    assert len(rows) == len(set(rows)) == SUBSET
    assert (np.diff(rows) > 0).all()
    np.testing.assert_array_equal(rows, subset_rows(100, 3))
    assert subset_rows(SUBSET, 3) is None


def test_progress_goes_from_0_to_1_and_cancels() -> None:
    seen: list[float] = []
    find_pattern(DATA, options=l1(swaps=2), progress=lambda fraction, _: seen.append(fraction))
    assert seen == sorted(seen)
    assert 0 <= seen[0] < 0.05
    assert seen[-1] > 0.9

    def cancel(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        find_pattern(DATA, options=l1(), progress=cancel)


BAD = {
    "a loss of a task without a network": (DATA, {"loss": "dice"}, "needs a network"),
    "no dataset": (np.zeros((2, 1, 8, 8)), {}, "is of type ndarray"),
    "an axis that is not there": (DATA, {"axis": -3}, "The axis -3 is no axis"),
    "the same axis twice": (DATA, {"second_axis": -1}, "two different axes"),
    "more lines than there are": (DATA, {"lines": 25}, "25 lines were asked for"),
    "a setting out of range": (DATA, {"lines": 0}, "lines"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_a_sentence(case: str) -> None:
    dataset, settings, sentence = BAD[case]
    with pytest.raises(InputError, match=sentence):
        find_pattern(dataset, options=l1(**settings))
