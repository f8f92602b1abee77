"""What a segmentation network learns from: its loss, and cases that are changed before it sees them."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
from interactive_network import one_thread

from DeepMRILib.interactive.train_augment import Augmentation, blurred, warped, with_gamma
from DeepMRILib.interactive.train_loss import dice_ce, one_minus_dice, supervised

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
NOTHING = {"turn": 0, "zoom": 0, "noise": 0, "blur": 0, "scale": 0, "gamma": 0, "flip": 0}


# -- loss --


@pytest.mark.parametrize("labels", [1, 3])
def test_the_loss_is_monais_dice_and_cross_entropy_with_background(labels: int) -> None:
    from monai.losses import DiceCELoss

    torch.manual_seed(0)
    logits = torch.randn(2, labels + 1, 5, 6, 7)
    target = torch.randint(0, labels + 1, (2, 5, 6, 7))
    expected = DiceCELoss(to_onehot_y=True, softmax=True)(logits, target[:, None])
    assert float(dice_ce(logits, target)) == pytest.approx(float(expected), abs=1e-6)


def test_each_depth_counts_half_of_the_one_before() -> None:
    torch.manual_seed(0)
    outputs, target = torch.randn(1, 3, 2, 4, 4, 4), torch.randint(0, 2, (1, 4, 4, 4))
    each = [float(dice_ce(one, target)) for one in outputs.unbind(1)]
    assert float(supervised(outputs, target)) == pytest.approx((4 * each[0] + 2 * each[1] + each[2]) / 7)
    assert float(supervised(outputs[:, 0], target)) == pytest.approx(each[0])


def test_dice_of_validation_is_that_of_the_winners() -> None:
    target = torch.zeros(1, 4, 1, 1, dtype=torch.long)
    target[0, :2] = 1
    logits = torch.zeros(1, 3, 4, 1, 1)
    logits[0, 1, 1:3] = 5  # one of two, and one beside; the third output is nowhere in the truth
    assert float(one_minus_dice(logits, target)) == pytest.approx(0.5)
    assert float(one_minus_dice(logits, torch.zeros_like(target))) == 0


# -- augmentation --


def a_case(shape: tuple[int, int, int] = (20, 16, 12)) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth image, a map that equals it, and a box as target."""
    places = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, n) for n in shape], indexing="ij"))
    image = torch.exp(-2 * places.square().sum(0)) + 0.3 * places[0]
    target = torch.zeros(1, *shape, dtype=torch.uint8)
    target[0, 5:14, 4:11, 3:9] = 2
    return torch.stack([image, image])[None], target


def test_the_map_is_warped_with_the_image_and_the_target_stays_whole() -> None:
    augment = Augmentation(1, (1, 1, 2), **{**NOTHING, "turn": 1, "zoom": 1, "flip": 0.5})
    for seed in range(5):
        torch.manual_seed(seed)
        values, target = augment(*a_case())
        assert torch.equal(values[:, 0], values[:, 1])
        assert not torch.equal(values, a_case()[0])
        assert set(target.unique().tolist()) <= {0, 2}
        assert values.shape == a_case()[0].shape
        assert target.dtype == torch.uint8


def test_intensities_change_in_images_alone() -> None:
    augment = Augmentation(1, **{**NOTHING, "noise": 1, "blur": 1, "scale": 1, "gamma": 1})
    values, target = augment(*a_case())
    before, truth = a_case()
    assert torch.equal(values[:, 1], before[:, 1])
    assert (values[:, 0] != before[:, 0]).float().mean() > 0.9
    assert torch.equal(target, truth)


def test_nothing_changes_where_nothing_is_drawn_and_a_seed_repeats_all() -> None:
    values, target = Augmentation(1, **NOTHING)(*a_case())
    assert torch.equal(values, a_case()[0])
    assert torch.equal(target, a_case()[1])
    always = Augmentation(1, turn=1, zoom=1, noise=1, blur=1, scale=1, gamma=1)
    torch.manual_seed(3)
    first = always(*a_case())
    second = always(*a_case())
    torch.manual_seed(3)
    again = always(*a_case())
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])


def test_a_flip_turns_all_round() -> None:
    augment = Augmentation(1, **{**NOTHING, "flip": 1})
    values, target = augment(*a_case())
    assert torch.equal(values, a_case()[0].flip([2, 3, 4]))
    assert torch.equal(target, a_case()[1].flip([1, 2, 3]))


def test_a_warp_by_the_identity_leaves_a_case_and_one_by_half_enlarges_it_eightfold() -> None:
    values, target = a_case()
    same, labels = warped(values, target, torch.eye(3))
    assert torch.allclose(same, values, atol=1e-5)
    assert torch.equal(labels, target)
    small = torch.zeros(1, 24, 24, 24, dtype=torch.uint8)
    small[0, 9:15, 9:15, 9:15] = 1
    _, larger = warped(small[:, None].float(), small, torch.eye(3) / 2)
    assert int(larger.sum()) == 8 * int(small.sum())


def test_a_quarter_turn_moves_voxels_as_numpy_does() -> None:
    values = torch.randn(1, 1, 6, 6, 4)
    target = torch.randint(0, 3, (1, 6, 6, 4))
    quarter = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # new (i, j) comes from old (j, -i)
    moved, labels = warped(values, target, quarter)
    assert torch.equal(labels[0], torch.rot90(target[0], 1, (0, 1)))
    assert torch.allclose(moved[0, 0], torch.rot90(values[0, 0], 1, (0, 1)), atol=1e-5)


def test_cases_are_turned_in_mm_and_thick_slices_within_themselves() -> None:
    torch.manual_seed(1)
    thin = Augmentation(1, (1.0, 1.0, 2.0), **{**NOTHING, "turn": 1})._matrix().numpy()
    edges = np.diag([1.0, 1.0, 2.0])
    turn = edges @ thin @ np.linalg.inv(edges)
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-5)
    assert not np.allclose(thin @ thin.T, np.eye(3), atol=0.1)
    thick = Augmentation(1, (4.5, 0.9, 0.9), **{**NOTHING, "turn": 1})._matrix().numpy()
    assert np.allclose(thick[0], [1, 0, 0], atol=1e-6)
    assert np.allclose(thick[:, 0], [1, 0, 0], atol=1e-6)


def test_blur_and_gamma_are_what_scipy_and_the_formula_give() -> None:
    from scipy.ndimage import gaussian_filter

    image = torch.randn(1, 2, 14, 13, 12)
    expected = gaussian_filter(image[0, 0].numpy().astype(float), (0.5, 1.0, 1.5), mode="nearest")
    assert np.allclose(blurred(image, [0.5, 1.0, 1.5])[0, 0].numpy(), expected, atol=2e-3)
    flat = blurred(torch.randn(1, 1, 8, 8, 1), [1.0, 1.0, 1.0])  # one slice: nothing to blur across
    assert flat.shape == (1, 1, 8, 8, 1)
    changed = with_gamma(image, 1.4)[0, 1].numpy()
    values = image[0, 1].numpy()
    low, high = values.min(), values.max()
    assert np.allclose(changed, ((values - low) / (high - low)) ** 1.4 * (high - low) + low, atol=1e-5)
