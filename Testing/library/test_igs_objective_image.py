"""The loss of the zero-filled image and its gradient by one transform: equal to differences and to autograd."""

from __future__ import annotations

import numpy as np
import pytest
from igs_data import complex_noise, smooth, smooth_images, with_coils
from numpy.typing import NDArray

from DeepMRILib.igs import Encoding, PatternOptions, SliceDataset, image_losses, measures
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.objective_image import ImageObjective

LOSSES = ("l1", "ssim", "psnr")
# shape, coils, sense, axis, second axis, a pattern for each contrast
CASES = {
    "odd sizes, contrasts": ((3, 2, 9, 11), 0, False, -1, 0, True),
    "rows, shared": ((3, 2, 9, 10), 0, False, -2, 0, False),
    "coils, root of squares": ((2, 1, 10, 9), 3, False, -1, 0, False),
    "coils, SENSE, contrasts": ((2, 2, 9, 10), 3, True, -2, 0, True),
    "points": ((2, 2, 7, 9), 0, False, -2, -1, True),
    "volumes, lines": ((2, 1, 5, 8, 9), 0, False, -3, 0, False),
    "volumes, points, coils": ((1, 1, 5, 8, 9), 2, True, -2, -3, False),
}


def a_case(name: str) -> tuple[SliceDataset, Encoding, bool]:
    shape, coils, sense, axis, second, per_contrast = CASES[name]
    dataset = with_coils(shape, coils, sense=sense) if coils else SliceDataset(complex_noise(shape) + 2)
    return dataset, Encoding.of(shape, axis, second), per_contrast


def an_objective(name: str, loss: str) -> tuple[ImageObjective, NDArray]:
    dataset, encoding, per_contrast = a_case(name)
    objective = ImageObjective(dataset, encoding, PatternOptions(loss=loss, per_contrast=per_contrast), "double")
    return objective, np.random.default_rng(5).uniform(0.3, 1, size=(objective.contrasts, *encoding.shape))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("case", CASES)
def test_gradient_is_what_differences_give(case: str, loss: str) -> None:
    objective, weights = an_objective(case, loss)
    _, gradient = objective.gradient(weights)
    step = 1e-6
    moves = np.eye(weights.size)[:: max(1, weights.size // 12)]
    for move in moves:
        change = step * move.reshape(weights.shape)
        above, below = objective.losses([weights + change, weights - change])
        along = (gradient.ravel() * move).sum()
        assert (above - below) / (2 * step) == pytest.approx(along, abs=1e-5 * np.abs(gradient).max())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("case", CASES)
def test_gradient_is_that_of_autograd(case: str, loss: str) -> None:
    torch = pytest.importorskip("torch")
    dataset, encoding, _ = a_case(case)
    objective, weights = an_objective(case, loss)
    weights = torch.from_numpy(weights).requires_grad_()
    value = _straightforward(torch, dataset, encoding, weights, loss)
    value.backward()
    loss_found, gradient = objective.gradient(weights.detach().numpy())
    assert loss_found == pytest.approx(value.item(), rel=1e-12)
    np.testing.assert_allclose(gradient, weights.grad.numpy(), rtol=0, atol=1e-12 * np.abs(gradient).max())


def _straightforward(torch, dataset, encoding, weights, loss):
    """The same loss, centred transforms of all axes and formulas as they are written in papers."""
    seen = dataset.images if dataset.coil_images is None else dataset.coil_images
    axes = tuple(range(-dataset.spatial, 0))
    k = torch.from_numpy(seen.astype(np.complex128))
    k = torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(k, axes), dim=axes, norm="ortho"), axes)
    full = [1] * dataset.spatial
    for axis, n in zip(encoding.axes, encoding.shape, strict=True):
        full[axis] = n
    spread = weights.reshape(-1, *([1] if dataset.coil_images is not None else []), *full)
    z = torch.fft.fftshift(torch.fft.ifftn(torch.fft.ifftshift(k * spread, axes), dim=axes, norm="ortho"), axes)
    if dataset.sensitivities is not None:
        maps = torch.from_numpy(dataset.sensitivities.astype(np.complex128))[:, None]
        r = ((maps.conj() * z).sum(2) / (maps.abs() ** 2).sum(2)).abs()
    else:
        r = z.abs() if dataset.coil_images is None else (z.abs() ** 2).sum(2).sqrt()
    truth = torch.from_numpy(dataset.truth().astype(np.float64))
    flat = (truth.shape[0], truth.shape[1], -1)
    if loss == "l1":
        deviation = torch.from_numpy(dataset.normalisation()[1].astype(np.float64))
        return ((r - truth).abs().reshape(flat).mean(2) / deviation).mean()
    extent = truth.reshape(flat).amax(2) - truth.reshape(flat).amin(2)
    if loss == "psnr":
        error = ((r - truth) ** 2).reshape(flat).mean(2) / extent**2
        return (10 * torch.log10(error + image_losses.LEAST_ERROR)).mean()
    return 1 - _ssim(torch, r, truth, extent.reshape(*extent.shape, *[1] * dataset.spatial))


def _ssim(torch, r, truth, extent):
    windows = []
    for image in (r / extent, truth / extent):
        seen = image
        for axis in range(2, r.ndim):
            seen = seen.unfold(axis, min(7, r.shape[axis] - 1 + r.shape[axis] % 2), 1)
        windows.append(seen.reshape(*seen.shape[: r.ndim], -1))
    x, y = windows
    mean_x, mean_y = x.mean(-1), y.mean(-1)
    cov = ((x - mean_x[..., None]) * (y - mean_y[..., None])).sum(-1) / (x.shape[-1] - 1)
    top = (2 * mean_x * mean_y + 1e-4) * (2 * cov + 9e-4)
    return (top / ((mean_x**2 + mean_y**2 + 1e-4) * (x.var(-1) + y.var(-1) + 9e-4))).mean()


def test_losses_are_those_of_the_images_that_the_scanner_would_give() -> None:
    for case in ("rows, shared", "coils, root of squares", "coils, SENSE, contrasts", "points"):
        dataset, encoding, per_contrast = a_case(case)
        objective = ImageObjective(dataset, encoding, PatternOptions(loss="l1", per_contrast=per_contrast))
        masks = np.random.default_rng(2).random((objective.contrasts, *encoding.shape)) < 0.5
        seen = measured(dataset, masks, encoding)
        expected = np.abs(seen - dataset.truth()).mean(axis=tuple(range(2, seen.ndim))) / dataset.normalisation()[1]
        assert objective.losses([masks])[0] == pytest.approx(expected.mean(), rel=1e-5)


def test_ssim_and_psnr_are_those_of_the_evaluation_where_there_is_air() -> None:
    images = smooth_images((3, 1, 16, 18))
    images[:, :, 0, 0] = 0  # the range is then the highest value, as the evaluation has it
    dataset = SliceDataset(images)
    encoding = Encoding.of(dataset.images.shape, -1)
    mask = np.zeros((1, 18), dtype=bool)
    mask[0, 5:13] = True
    seen = measured(dataset, mask, encoding)
    for loss, sign, measure in (("ssim", 1, measures.ssim), ("psnr", 0, measures.psnr)):
        objective = ImageObjective(dataset, encoding, PatternOptions(loss=loss))
        for row in range(3):
            expected = measure(seen[row], dataset.truth()[row])
            assert sign - objective.losses([mask], np.array([row]))[0] == pytest.approx(expected, rel=1e-4)


def test_single_precision_is_near_to_double() -> None:
    dataset = smooth((5, 1, 32, 30))
    encoding = Encoding.of(dataset.images.shape, -2)
    mask = np.zeros((1, 32))
    mask[0, 12:20] = 1
    for loss in LOSSES:
        options = PatternOptions(loss=loss)
        single, double = (ImageObjective(dataset, encoding, options, kind) for kind in ("single", "double"))
        gradients = [objective.gradient(mask)[1] for objective in (single, double)]
        np.testing.assert_allclose(*gradients, rtol=0, atol=1e-4 * np.abs(gradients[1]).max())
        assert single.losses([mask])[0] == pytest.approx(double.losses([mask])[0], rel=1e-4)


def test_chunks_and_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = smooth((7, 2, 12, 10))
    encoding = Encoding.of(dataset.images.shape, -1)
    objective = ImageObjective(dataset, encoding, PatternOptions(loss="l1"))
    mask = np.zeros((1, 10))
    mask[0, 3:7] = 1
    whole, gradient = objective.gradient(mask)
    each = [objective.losses([mask], np.array([row]))[0] for row in range(7)]
    monkeypatch.setattr("DeepMRILib.igs.objective_image.CHUNK", 500)
    assert objective.gradient(mask)[0] == pytest.approx(whole)
    np.testing.assert_allclose(objective.gradient(mask)[1], gradient, rtol=1e-6, atol=1e-9)
    assert objective.losses([mask])[0] == pytest.approx(np.mean(each)) == pytest.approx(whole)
    assert objective.losses([mask], np.array([5, 0, 2]))[0] == pytest.approx(np.mean([each[row] for row in (0, 2, 5)]))


def test_a_full_mask_has_no_loss_and_images_of_air_do_no_harm() -> None:
    images = complex_noise((3, 1, 9, 8))
    images[1] = 0
    images[2] = 4  # constant: no contrast to measure in
    dataset = SliceDataset(images)
    encoding = Encoding.of(images.shape, -1)
    for loss, least in (("l1", 0), ("ssim", 0), ("psnr", -100)):
        objective = ImageObjective(dataset, encoding, PatternOptions(loss=loss))
        assert objective.losses([np.ones((1, 8))])[0] == pytest.approx(least, abs=1e-3)
        some, gradient = objective.gradient(np.eye(8)[4][None])
        assert np.isfinite(some)
        assert np.isfinite(gradient).all()
        assert some > least


def test_images_smaller_than_the_window_have_an_ssim() -> None:
    dataset = SliceDataset(complex_noise((2, 1, 4, 5)))
    objective = ImageObjective(dataset, Encoding.of((2, 1, 4, 5), -1), PatternOptions(loss="ssim"))
    assert 0 < objective.losses([np.eye(5)[2][None]])[0] < 2
