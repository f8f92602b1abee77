"""Losses behind a network: their values by hand, their gradients, and that each slice stands for itself."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.igs import image_losses

torch = pytest.importorskip("torch")
from interactive_network import one_thread

from DeepMRILib.igs.network_losses import LOSSES, loss_function

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
OF_LABELS = ("dice", "dice_ce", "ce")


def inputs(name: str, slices: int = 4, spatial: tuple[int, ...] = (9, 12)) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    if name in OF_LABELS:
        logits = torch.randn(slices, 3, *spatial, generator=random, dtype=torch.float64)
        target = torch.randint(0, 3, (slices, *spatial), generator=random)
        target[0] = 0  # a slice without any structure
        target[1][target[1] == 2] = 1
        return logits, target
    images = torch.rand(slices, 2, *spatial, generator=random, dtype=torch.float64)
    return images + 0.1, torch.rand(slices, 2, *spatial, generator=random, dtype=torch.float64)


@pytest.mark.parametrize("name", list(LOSSES))
def test_each_slice_has_its_own_loss(name: str) -> None:
    outputs, target = inputs(name)
    together = loss_function(name)(outputs, target)
    alone = torch.cat([loss_function(name)(outputs[n : n + 1], target[n : n + 1]) for n in range(len(outputs))])
    assert together.shape == (4,)
    assert torch.isfinite(together).all()
    assert torch.allclose(together, alone, rtol=1e-13)


@pytest.mark.parametrize("name", list(LOSSES))
def test_the_derivative_is_that_of_differences(name: str) -> None:
    outputs, target = inputs(name, slices=2, spatial=(4, 5))
    assert torch.autograd.gradcheck(lambda values: loss_function(name)(values, target), outputs.requires_grad_())


def test_dice_by_hand() -> None:
    logits = torch.randn(1, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    target = torch.tensor([[0] * 12 + [1] * 8]).reshape(1, 5, 4)
    chances = logits.softmax(1)[0].numpy()
    scores = []
    for label in (0, 1):  # 2 is not there: it has no Dice
        truth = target[0].numpy() == label
        scores.append(2 * chances[label][truth].sum() / (chances[label].sum() + truth.sum()))
    assert float(loss_function("dice")(logits, target)) == pytest.approx(1 - np.mean(scores), rel=1e-12)


def test_structures_seen_in_an_empty_slice_cost() -> None:
    target = torch.zeros(1, 8, 8, dtype=torch.int64)
    right, wrong = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 8, 8)
    right[:, 0] = wrong[:, 0] = 20.0
    wrong[:, 1, :4] = 40.0
    assert float(loss_function("dice")(right, target)) == pytest.approx(0, abs=1e-6)
    # half of the background is lost: 1 - 2 * 32 / (32 + 64)
    assert float(loss_function("dice")(wrong, target)) == pytest.approx(1 / 3, abs=1e-6)


def test_dice_ce_mixes_both() -> None:
    logits, target = inputs("dice_ce")
    mixed = 0.75 * loss_function("dice")(logits, target) + 0.25 * loss_function("ce")(logits, target)
    assert torch.allclose(loss_function("dice_ce")(logits, target), mixed)


def test_cross_entropy_of_classes() -> None:
    logits, target = torch.tensor([[0.0, 0.0], [3.0, 0.0]]), torch.tensor([1, 1])
    expected = [np.log(2), np.log(1 + np.exp(3))]
    assert loss_function("ce")(logits, target).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("spatial", [(9, 12), (5, 6), (6, 8, 9)], ids=str)
@pytest.mark.parametrize("name", ["l1", "ssim", "psnr"])
def test_image_losses_are_those_in_numpy(name: str, spatial: tuple[int, ...]) -> None:
    images, target = inputs(name, spatial=spatial)
    deviation = target.flatten(2).std(2, correction=0)
    scale = image_losses.scales(name, target.numpy(), deviation.numpy())
    values, _ = image_losses.LOSSES[name](images.numpy(), target.numpy(), scale, False)
    unit = deviation.reshape(4, 2, *[1] * len(spatial))
    found = loss_function(name)(images / unit, target / unit)
    assert found.numpy() == pytest.approx(values.mean(axis=1), rel=1e-10)


def test_an_image_of_one_value_has_losses() -> None:
    images, target = torch.rand(1, 1, 8, 8, dtype=torch.float64), torch.full((1, 1, 8, 8), 2.0, dtype=torch.float64)
    for name in ("l1", "ssim", "psnr"):
        assert torch.isfinite(loss_function(name)(images, target)).all()
        assert torch.isfinite(loss_function(name)(images, torch.zeros_like(target))).all()


def test_an_unknown_loss() -> None:
    with pytest.raises(InputError, match=r"'tversky' is not known; choose one of dice, dice_ce, ce, l1, ssim, psnr"):
        loss_function("tversky")
