"""The search takes what the gradient, or the true loss, says is best, and its orders are nested and complete."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from igs_data import complex_noise, smooth, smooth_images
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs import Encoding, PatternOptions, SliceDataset
from DeepMRILib.igs.constraints_checked import constraints_of
from DeepMRILib.igs.objective_image import ImageObjective
from DeepMRILib.igs.search import Found, Setting, search
from DeepMRILib.progress import Cancelled

SMOOTH = smooth((4, 2, 16, 18))


def a_setting(dataset: SliceDataset = SMOOTH, **settings: object) -> Setting:
    options = PatternOptions(**{"loss": "l1", "lines": 8, **settings})
    encoding = Encoding.of(dataset.images.shape, options.axis, options.second_axis)
    return Setting(ImageObjective(dataset, encoding, options), constraints_of(encoding, options), options)


def loss_of(setting: Setting, found: Found, count: int) -> float:
    chosen = np.zeros((len(found.orders), setting.rules.encoding.size), dtype=bool)
    for own, order in zip(chosen, found.orders, strict=True):
        own[list(order[:count])] = True
    return float(setting.losses([chosen])[0])


class Counted:
    """An objective that counts how often it is asked."""

    def __init__(self, inner: ImageObjective) -> None:
        self.inner, self.encoding, self.contrasts = inner, inner.encoding, inner.contrasts
        self.gradients = self.forwards = 0

    def losses(self, masks: Sequence[NDArray], rows: NDArray | None = None) -> NDArray:
        self.forwards += len(masks)
        return self.inner.losses(masks, rows)

    def gradient(self, mask: NDArray) -> tuple[float, NDArray]:
        self.gradients += 1
        return self.inner.gradient(mask)


def test_each_line_is_the_one_with_the_lowest_derivative() -> None:
    setting = a_setting()
    found = search(setting)
    chosen = np.zeros((1, 18), dtype=bool)
    chosen[0, 9] = True
    for step, line in enumerate(found.orders[0][1:], start=1):
        loss, gradient = setting.gradient(chosen)
        assert found.losses[step - 1] == pytest.approx(loss)
        assert found.gradients[0][step] == pytest.approx(gradient[0, line])
        assert line == np.argmin(np.where(chosen[0], np.inf, gradient[0]))
        chosen[0, line] = True
    assert found.losses[-1] == pytest.approx(loss_of(setting, found, 8))


def test_a_step_costs_one_gradient() -> None:
    setting = a_setting(lines=12, calibration=3)
    counted = Counted(setting.objective)
    search(Setting(counted, setting.rules, setting.options))
    assert (counted.gradients, counted.forwards) == (9, 1)


@pytest.mark.parametrize("per_contrast", [False, True])
def test_reranking_all_candidates_is_the_greedy_search_by_true_loss(per_contrast: bool) -> None:
    setting = a_setting(rerank=1000, lines=6, per_contrast=per_contrast)
    found = search(setting)
    contrasts = 2 if per_contrast else 1
    chosen = np.zeros((contrasts, 18), dtype=bool)
    chosen[:, 9] = True
    for step in range(1, 6):
        for contrast in range(contrasts):
            losses = np.full(18, np.inf)
            for line in np.flatnonzero(~chosen[contrast]):
                trial = chosen.copy()
                trial[contrast, line] = True
                losses[line] = setting.losses([trial])[0]
            best = int(np.argmin(losses))
            assert found.orders[contrast][step] == best
            chosen[contrast, best] = True


def test_reranking_and_exchanges_lower_the_loss() -> None:
    images = smooth_images((6, 1, 20, 32))
    final = {}
    for name, settings in {"plain": {}, "reranked": {"rerank": 8}, "exchanged": {"swaps": 10}}.items():
        setting = a_setting(SliceDataset(images), lines=10, **settings)
        found = search(setting)
        assert len(set(found.orders[0])) == 10
        assert found.orders[0][0] == 16
        final[name] = loss_of(setting, found, 10)
        assert found.losses[-1] == pytest.approx(final[name], rel=1e-6)
    assert final["reranked"] < final["plain"]
    assert final["exchanged"] < final["plain"]


def test_exchanges_end_where_none_helps_and_keep_the_rules() -> None:
    settings = {"lines": 9, "mirror": True, "gap": 1, "calibration": 3, "per_contrast": True}
    setting = a_setting(smooth((4, 2, 12, 41), seed=5), swaps=20, **settings)
    found = search(setting)
    for order in found.orders:
        mask = np.zeros(41, dtype=bool)
        mask[list(order)] = True
        assert setting.rules.obeyed(mask)
        assert order[:3] == (20, 19, 21)
    plain = search(a_setting(smooth((4, 2, 12, 41), seed=5), **settings))
    assert loss_of(setting, found, 9) <= loss_of(setting, plain, 9)
    again = search(a_setting(smooth((4, 2, 12, 41), seed=5), swaps=100, **settings))
    assert set(again.orders[0]) == set(found.orders[0])


def test_several_lines_a_step_are_the_best_of_one_gradient() -> None:
    setting = a_setting(lines=10, lines_per_step=4)
    found = search(setting)
    start = np.zeros((1, 18), dtype=bool)
    start[0, 9] = True
    gradient = setting.gradient(start)[1][0]
    gradient[9] = np.inf
    assert found.orders[0][1:5] == tuple(np.argsort(gradient)[:4])
    assert [loss is not None for loss in found.losses] == [True, *[False] * 3, True, *[False] * 3, True, True]
    assert len(found.orders[0]) == 10


def test_contrasts_have_orders_of_their_own() -> None:
    images = smooth_images((4, 2, 16, 18))
    # the second contrast lives at a frequency of its own
    images[:, 1] *= np.exp(2j * np.pi * 5 * np.arange(18) / 18)
    found = search(a_setting(SliceDataset(images), per_contrast=True, lines=5))
    assert found.orders[0][:2] in {(9, 8), (9, 10)}
    assert 13 <= found.orders[1][1] <= 15  # 5 beside DC
    assert all(len(set(order)) == 5 for order in found.orders)


@pytest.mark.parametrize("loss", ["l1", "ssim", "psnr"])
@pytest.mark.parametrize("phase", [True, False])
def test_transposed_data_with_the_other_axis_have_the_same_order(loss: str, phase: bool) -> None:
    images = smooth_images((5, 1, 24, 32), seed=2, phase=phase)
    across = search(a_setting(SliceDataset(images), loss=loss, lines=20))
    down = search(a_setting(SliceDataset(images.swapaxes(2, 3)), loss=loss, lines=20, axis=-2))
    assert across.orders == down.orders
    if not phase:  # +k and -k lose equally, and rounding must not choose between them
        pair = [
            search(a_setting(SliceDataset(array), loss=loss, lines=6, rerank=6, axis=axis)).orders
            for array, axis in ((images, -1), (images.swapaxes(2, 3), -2))
        ]
        assert pair[0] == pair[1]


def test_equal_lines_go_by_distance_and_the_negative_one_first() -> None:
    nothing = search(a_setting(SliceDataset(np.zeros((2, 1, 8, 8))), lines=8))
    assert nothing.orders[0] == (4, 3, 5, 2, 6, 1, 7, 0)
    # magnitudes cannot tell k from -k, and rounding must not
    magnitudes = search(a_setting(smooth((5, 1, 24, 32), phase=False), lines=2))
    assert magnitudes.orders[0][1] == 15


def test_points_are_found_where_the_image_has_them() -> None:
    first, second = np.meshgrid(np.arange(12), np.arange(10), indexing="ij")
    image = 3 + np.exp(2j * np.pi * (3 * first / 12 - 2 * second / 10))
    found = search(a_setting(SliceDataset(image[None, None]), lines=2, second_axis=-2))
    assert np.unravel_index(found.orders[0][1], (12, 10)) == (6 + 3, 5 - 2)


def test_volumes_are_searched_along_each_axis() -> None:
    volumes = SliceDataset(smooth_images((2, 1, 6, 9, 8)))
    for axis, n in ((-1, 8), (-2, 9), (-3, 6)):
        found = search(a_setting(volumes, axis=axis, lines=n))
        assert sorted(found.orders[0]) == list(range(n))
        assert found.losses[-1] == pytest.approx(0, abs=1e-5)


def test_the_search_stops_where_the_slices_held_out_gain_nothing() -> None:
    images = smooth_images((6, 1, 16, 40))
    setting = a_setting(SliceDataset(images), loss="ssim", lines=40)
    rising = Counted(setting.objective)
    # held out is noise of which the reference is smooth: more lines bring it more noise
    noisy = SliceDataset(images + 30 * complex_noise(images.shape), reference=np.abs(images))
    judge = ImageObjective(noisy, setting.rules.encoding, setting.options)
    found = search(Setting(rising, setting.rules, setting.options), held_out=judge)
    assert found.stopped
    assert 1 <= len(found.orders[0]) < 30
    assert rising.gradients <= len(found.orders[0]) + 3
    losses = [
        judge.losses([np.isin(np.arange(40), found.orders[0][:count])[None]])[0]
        for count in range(1, len(found.orders[0]) + 1)
    ]
    assert np.argmin(losses) == len(losses) - 1


def test_a_stopped_search_keeps_whole_echo_trains() -> None:
    images = smooth_images((6, 1, 16, 40))
    setting = a_setting(SliceDataset(images), lines=40, echo_train=4)
    noisy = SliceDataset(images + 30 * complex_noise(images.shape), reference=np.abs(images))
    found = search(setting, held_out=ImageObjective(noisy, setting.rules.encoding, setting.options))
    assert len(found.orders[0]) % 4 == 0


def test_progress_rises_and_can_cancel() -> None:
    seen: list[float] = []
    search(a_setting(swaps=2), progress=lambda fraction, _: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1

    def cancel(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        search(a_setting(), progress=cancel)


def test_a_loss_that_is_no_number_is_refused() -> None:
    class Broken(Counted):
        def gradient(self, mask: NDArray) -> tuple[float, NDArray]:
            return float("nan"), super().gradient(mask)[1]

    setting = a_setting()
    with pytest.raises(InputError, match="The loss with 1 lines is nan"):
        search(Setting(Broken(setting.objective), setting.rules, setting.options))
