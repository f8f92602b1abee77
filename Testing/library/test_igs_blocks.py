"""Blocks: their shape, the scan for the best one, and which of the three rivals wins."""

from __future__ import annotations

import numpy as np
import pytest
from igs_data import complex_noise, smooth, smooth_images
from test_igs_search import Counted, a_setting

from DeepMRILib.igs import Encoding, SliceDataset
from DeepMRILib.igs.blocks import SCANNED, best_block, block_mask, shared_mask
from DeepMRILib.igs.recommending import rung_counts, rungs, winner
from DeepMRILib.igs.search import Setting, search


def shifted(offset: int, n: int = 32) -> SliceDataset:
    """Images whose energy lies around a frequency that is not DC, apart from their mean."""
    images = smooth_images((5, 1, 12, n)) * np.exp(2j * np.pi * offset * np.arange(n) / n)
    return SliceDataset(images + 5)


@pytest.mark.parametrize("n", [8, 9])
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_a_block_has_its_lines_around_dc_and_never_leaves_k_space(n: int, count: int) -> None:
    encoding = Encoding((-1,), (n,))
    start = n // 2 - count // 2
    assert np.flatnonzero(block_mask(encoding, count)).tolist() == list(
        range(max(0, min(start, n - count)), start + count)
    )
    for shift in range(-n, n + 1):
        lines = np.flatnonzero(block_mask(encoding, count, (shift,)))
        assert len(lines) == count
        assert lines[-1] - lines[0] == count - 1


@pytest.mark.parametrize("count", [1, 5, 24, 80])
def test_a_block_of_points_is_a_disc(count: int) -> None:
    encoding = Encoding((-2, -1), (10, 8))
    for shift in ((0, 0), (2, -1)):
        mask = block_mask(encoding, count, shift)
        assert mask.sum() == count
        assert mask[5 + shift[0], 4 + shift[1]]


def test_the_scan_finds_what_trying_all_blocks_gives() -> None:
    setting = a_setting(shifted(4), lines=9)
    found = best_block(setting.objective, 9, setting.rules)
    losses = {}
    for shift in range(-16, 17):
        mask = shared_mask(setting.objective, 9, (shift,))
        if mask[0, 16]:  # with DC
            losses[shift] = setting.objective.losses([mask])[0]
    assert found is not None
    assert losses[found[0][0]] == pytest.approx(min(losses.values()))
    assert found[1] == pytest.approx(min(losses.values()))
    assert found[0][0] > 0


def test_the_scan_of_many_blocks_asks_for_few_losses() -> None:
    setting = a_setting(shifted(12, 200), lines=80)
    counted = Counted(setting.objective)
    found = best_block(counted, 80, setting.rules)
    assert counted.forwards < SCANNED + 8
    everywhere = [
        setting.objective.losses([shared_mask(setting.objective, 80, (shift,))])[0] for shift in range(-39, 41)
    ]
    assert found[1] == pytest.approx(min(everywhere), rel=0.01)


def test_points_have_a_best_block_as_well() -> None:
    first, second = np.meshgrid(np.arange(20), np.arange(24), indexing="ij")
    ramp = np.exp(2j * np.pi * (2 * first / 20 - 3 * second / 24))
    setting = a_setting(SliceDataset(smooth_images((3, 1, 20, 24)) * ramp + 5), lines=60, second_axis=-2)
    shift, loss = best_block(setting.objective, 60, setting.rules)
    assert shift[0] > 0 > shift[1]
    assert loss < setting.objective.losses([shared_mask(setting.objective, 60)])[0]
    assert block_mask(setting.rules.encoding, 60, shift)[10, 12]


def test_some_slices_scan_and_all_confirm() -> None:
    setting = a_setting(shifted(4), lines=9)
    shift, loss = best_block(setting.objective, 9, setting.rules, rows=np.array([0, 3]))
    assert loss == pytest.approx(setting.objective.losses([shared_mask(setting.objective, 9, shift)])[0])


def test_blocks_keep_the_constraints_or_there_is_none() -> None:
    half = a_setting(shifted(-4), lines=8, partial_fourier=0.5)
    assert best_block(half.objective, 8, half.rules)[0] == (4,)  # 0 to 7, the only one
    gaps = a_setting(shifted(4), lines=8, gap=1)
    assert best_block(gaps.objective, 8, gaps.rules) is None
    found = rungs(gaps, search(gaps))
    assert all((rung.block, rung.centre, rung.block_shift, rung.winner) == (None, None, (), "igs") for rung in found)
    pairs = a_setting(shifted(4), lines=9, mirror=True)
    assert best_block(pairs.objective, 9, pairs.rules)[0] == (0,)


def test_rungs_are_halved_and_the_lowest_loss_wins() -> None:
    setting = a_setting(shifted(4), lines=16, lines_per_step=3)
    order = search(setting)
    found = rungs(setting, order)
    assert [rung.lines for rung in found] == [2, 4, 8, 16]
    for rung in found:
        chosen = np.zeros((1, 32), dtype=bool)
        chosen[0, list(order.orders[0][: rung.lines])] = True
        assert rung.igs == pytest.approx(setting.losses([chosen])[0])
        assert rung.centre == pytest.approx(setting.objective.losses([shared_mask(setting.objective, rung.lines)])[0])
        assert rung.block <= rung.centre + 1e-9
        assert getattr(rung, rung.winner) <= min(rung.igs, rung.block, rung.centre) * (1 + 2e-6)
    assert "centre" not in {rung.winner for rung in found[2:]}


def test_rung_numbers_keep_pairs_trains_and_forced_lines() -> None:
    dataset = smooth((2, 1, 8, 64))
    assert rung_counts(15, a_setting(dataset, lines=15, mirror=True).rules) == [3, 7, 15]
    assert rung_counts(24, a_setting(dataset, lines=24, echo_train=4).rules) == [4, 12, 24]
    assert rung_counts(16, a_setting(dataset, lines=16, calibration=6).rules) == [8, 16]
    assert rung_counts(1, a_setting(dataset, lines=1).rules) == [1]


def test_equal_losses_go_to_the_simpler_pattern() -> None:
    assert winner(0.5, 0.5, 0.5 * (1 + 1e-9)) == "centre"
    assert winner(0.5, 0.5, 0.6) == "block"
    assert winner(-20.0, -21.0, -20.5) == "block"
    assert winner(0.4, 0.5, 0.6) == "igs"
    assert winner(0.4, None, None) == "igs"


def test_contrasts_with_orders_of_their_own_meet_blocks_that_are_the_same_for_all() -> None:
    images = complex_noise((3, 2, 8, 16))
    setting = a_setting(SliceDataset(images), lines=8, per_contrast=True)
    found = rungs(Setting(setting.objective, setting.rules, setting.options), search(setting))
    assert found[-1].centre == pytest.approx(
        setting.objective.losses([np.repeat(block_mask(setting.rules.encoding, 8)[None], 2, axis=0)])[0]
    )
