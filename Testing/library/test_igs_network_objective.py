"""The loss behind a network as a function of the mask: against autograd, finite differences and the numpy twin."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from DeepMRILib.errors import DeviceMemoryError
from DeepMRILib.igs import Encoding, PatternOptions, SliceDataset
from DeepMRILib.igs.objective_image import ImageObjective

torch = pytest.importorskip("torch")
from interactive_network import one_thread
from torch import nn

from DeepMRILib.igs.network_frozen import frozen
from DeepMRILib.igs.network_losses import loss_function
from DeepMRILib.igs.network_objective import NetworkObjective
from DeepMRILib.igs.network_parallel import mapped, step_of

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
SHAPES = {"2D": (5, 2, 11, 12), "3D": (2, 2, 5, 6, 7)}


def noise(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def a_dataset(rng: np.random.Generator, kind: str = "2D", coils: str = "", labels: bool = True) -> SliceDataset:
    shape = SHAPES[kind]
    targets = rng.integers(0, 3, (shape[0], *shape[2:])) if labels else None
    images = noise(rng, shape)
    if not coils:
        return SliceDataset(images, targets)
    seen = noise(rng, (*shape[:2], 3, *shape[2:]))
    maps = noise(rng, (shape[0], 3, *shape[2:])) if coils == "sense" else None
    return SliceDataset(images, targets, coil_images=seen, sensitivities=maps)


def a_network(dataset: SliceDataset, outputs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    conv = nn.Conv2d if dataset.spatial == 2 else nn.Conv3d
    return nn.Sequential(conv(dataset.contrasts, 4, 3, padding=1), nn.PReLU(init=0.3), conv(4, outputs, 3, padding=1))


def objective_of(
    dataset: SliceDataset, encoding: Encoding, dtype: torch.dtype = torch.float64, network: nn.Module | None = None,
    **settings: object,
) -> NetworkObjective:  # fmt: skip
    options = PatternOptions(**{"loss": "dice", "batch": 2, "device": "cpu", **settings})
    return NetworkObjective(dataset, network or a_network(dataset), encoding, options, dtype)


def centred(transform: object, images: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    return torch.fft.fftshift(transform(torch.fft.ifftshift(images, dim=axes), dim=axes, norm="ortho"), dim=axes)


def by_autograd(
    dataset: SliceDataset, encoding: Encoding, mask: NDArray, network: nn.Module, loss: str = "dice"
) -> tuple[float, NDArray]:
    """The loss as it is written, through the whole Fourier transform, and its derivative by PyTorch."""
    axes = tuple(range(-dataset.spatial, 0))
    weights = torch.tensor(mask, dtype=torch.float64, requires_grad=True)
    full = [1] * dataset.spatial
    for axis, n in zip(encoding.axes, encoding.shape, strict=True):
        full[axis] = n
    seen = dataset.images if dataset.coil_images is None else dataset.coil_images
    kspace = centred(torch.fft.fftn, torch.from_numpy(seen).to(torch.complex128), axes)
    spread = weights.reshape(-1, *full)
    images = centred(torch.fft.ifftn, kspace * (spread if dataset.coil_images is None else spread[:, None]), axes)
    if dataset.sensitivities is not None:
        maps = torch.from_numpy(dataset.sensitivities).to(torch.complex128)[:, None]
        images = (maps.conj() * images).sum(2) / maps.abs().square().sum(2)
        magnitudes = images.abs()
    elif dataset.coil_images is not None:
        magnitudes = images.abs().square().sum(2).sqrt()
    else:
        magnitudes = images.abs()
    mean, deviation = (torch.from_numpy(part).double()[(...,) + (None,) * dataset.spatial]
                       for part in dataset.normalisation())  # fmt: skip
    outputs = network.double()((magnitudes - mean) / deviation)
    value = loss_function(loss)(outputs, torch.from_numpy(dataset.targets)).mean()
    value.backward()
    return float(value.detach()), weights.grad.numpy()


CASES = {
    "columns": ("2D", (-1, 0), "", False),
    "rows": ("2D", (-2, 0), "", False),
    "points": ("2D", (-2, -1), "", False),
    "a mask for each contrast": ("2D", (-1, 0), "", True),
    "root of the sum of squares": ("2D", (-1, 0), "rss", False),
    "SENSE": ("2D", (-2, 0), "sense", True),
    "volumes": ("3D", (-2, 0), "", False),
    "points of volumes with coils": ("3D", (-3, -1), "rss", True),
    "volumes, SENSE": ("3D", (-1, 0), "sense", False),
}


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_autograd(rng: np.random.Generator, case: str) -> None:
    kind, axes, coils, per_contrast = CASES[case]
    dataset = a_dataset(rng, kind, coils)
    encoding = Encoding.of(dataset.images.shape, *axes)
    objective = objective_of(dataset, encoding, per_contrast=per_contrast)
    mask = rng.random((objective.contrasts, *encoding.shape)) > 0.5
    value, expected = by_autograd(dataset, encoding, mask, a_network(dataset))
    loss, gradient = objective.gradient(mask)
    assert gradient.shape == (2 if per_contrast else 1, *encoding.shape)
    assert loss == pytest.approx(value, rel=1e-13)
    assert objective.losses([mask]) == pytest.approx([value], rel=1e-13)
    assert np.abs(gradient - expected).max() <= 1e-12 * np.abs(expected).max()
    single = objective_of(dataset, encoding, torch.float32, per_contrast=per_contrast).gradient(mask)
    assert single[0] == pytest.approx(value, rel=1e-5)
    assert np.abs(single[1] - expected).max() <= 1e-4 * np.abs(expected).max()


def test_the_gradient_is_that_of_finite_differences(rng: np.random.Generator) -> None:
    dataset = a_dataset(rng)
    encoding = Encoding.of(dataset.images.shape, -1)
    objective = objective_of(dataset, encoding)
    weights = rng.uniform(0.2, 1, (1, 12))
    _, gradient = objective.gradient(weights)
    for line in range(12):
        step = np.zeros((1, 12))
        step[0, line] = 1e-5
        above, below = objective.losses([weights + step, weights - step])
        assert (above - below) / 2e-5 == pytest.approx(gradient[0, line], rel=1e-2, abs=1e-7)


@pytest.mark.parametrize("loss", ["l1", "ssim", "psnr"])
@pytest.mark.parametrize(("kind", "coils"), [("2D", ""), ("3D", ""), ("2D", "sense"), ("2D", "rss")])
def test_image_losses_are_those_without_a_network(rng: np.random.Generator, loss: str, kind: str, coils: str) -> None:
    dataset = a_dataset(rng, kind, coils, labels=False)
    encoding = Encoding.of(dataset.images.shape, -1)
    objective = objective_of(dataset, encoding, network=nn.Identity(), loss=loss, per_contrast=True)
    twin = ImageObjective(dataset, encoding, PatternOptions(loss=loss, per_contrast=True), "double")
    mask = rng.random((2, *encoding.shape)) > 0.4
    (found, slope), (expected, gradient) = objective.gradient(mask), twin.gradient(mask)
    assert found == pytest.approx(expected, rel=1e-9)
    assert np.abs(slope - gradient).max() <= 1e-9 * np.abs(gradient).max()
    rows = np.array([1, 0])
    assert objective.losses([mask, ~mask], rows) == pytest.approx(twin.losses([mask, ~mask], rows), rel=1e-9)


def test_a_network_for_reconstruction_answers_in_normalised_images(rng: np.random.Generator) -> None:
    """One that adds half a deviation everywhere is wrong by just that."""

    class Shift(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images + 0.5

    dataset = a_dataset(rng, labels=False)
    encoding = Encoding.of(dataset.images.shape, -1)
    found = objective_of(dataset, encoding, network=Shift(), loss="l1").losses([np.ones((1, 12), dtype=bool)])
    assert found == pytest.approx([0.5], rel=1e-6)


def test_classes_of_slices(rng: np.random.Generator) -> None:
    images = noise(rng, (6, 1, 8, 10))
    dataset = SliceDataset(images, np.array([0, 1, 0, 1, 1, 0]))
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Softplus(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    encoding = Encoding.of(images.shape, -2)
    mask = rng.random((1, 8)) > 0.4
    value, expected = by_autograd(dataset, encoding, mask, network, "ce")
    loss, gradient = objective_of(dataset, encoding, network=network, loss="ce").gradient(mask)
    assert loss == pytest.approx(value, rel=1e-12)
    assert np.abs(gradient - expected).max() <= 1e-12 * np.abs(expected).max()


def test_the_batch_changes_nothing(rng: np.random.Generator) -> None:
    dataset = a_dataset(rng)
    encoding = Encoding.of(dataset.images.shape, -1)
    mask = rng.random((1, 12)) > 0.5
    loss, gradient = objective_of(dataset, encoding, batch=5).gradient(mask)
    for batch in (1, 2, 4, 64):
        other = objective_of(dataset, encoding, batch=batch)
        found = other.gradient(mask)
        assert found[0] == pytest.approx(loss, rel=1e-13)
        assert np.abs(found[1] - gradient).max() <= 1e-13 * np.abs(gradient).max()
        assert other.losses([mask]) == pytest.approx([loss], rel=1e-13)


def test_some_slices_only(rng: np.random.Generator) -> None:
    dataset = a_dataset(rng)
    encoding = Encoding.of(dataset.images.shape, -1)
    mask = rng.random((1, 12)) > 0.5
    rows = np.array([3, 0, 4])
    whole, part = objective_of(dataset, encoding), objective_of(dataset.subset(rows), encoding)
    assert whole.losses([mask, ~mask], rows) == pytest.approx(part.losses([mask, ~mask]), rel=1e-13)
    assert whole.slice_losses([mask])[0][rows] == pytest.approx(part.slice_losses([mask])[0], rel=1e-13)
    assert np.allclose(whole.gradient(mask, rows)[1], part.gradient(mask)[1], rtol=1e-12)


def test_several_threads_give_the_same(rng: np.random.Generator) -> None:
    dataset = a_dataset(rng)
    encoding = Encoding.of(dataset.images.shape, -1)
    objective = objective_of(dataset, encoding, torch.float32, batch=1)
    mask = rng.random((1, 12)) > 0.5
    loss, gradient = objective.gradient(mask)
    torch.set_num_threads(2)  # the fixture sets it back
    again = objective.gradient(mask)
    assert torch.get_num_threads() == 2
    assert again[0] == loss
    assert np.array_equal(again[1], gradient)
    assert objective.losses([mask]) == pytest.approx([loss], rel=1e-6)


def test_every_thread_gets_a_batch() -> None:
    torch.set_num_threads(2)  # the fixture sets it back
    assert [step_of(count, 16, "cpu") for count in (1, 3, 12, 32, 100)] == [1, 2, 6, 16, 16]
    assert step_of(12, 16, "cuda") == 16


def test_an_error_on_a_thread_arrives() -> None:
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError):
        mapped(lambda number: 1 / number, [1, 0, 2], "cpu")
    assert torch.get_num_threads() == 2


def test_a_line_that_sees_nothing_has_no_slope(rng: np.random.Generator) -> None:
    """Without any line the image is 0 everywhere, where a magnitude has no derivative."""
    dataset = a_dataset(rng)
    encoding = Encoding.of(dataset.images.shape, -1)
    loss, gradient = objective_of(dataset, encoding).gradient(np.zeros((1, 12), dtype=bool))
    assert np.isfinite(loss)
    assert np.array_equal(gradient, np.zeros((1, 12)))


def test_the_network_stays_as_it_was(rng: np.random.Generator) -> None:
    dataset = a_dataset(rng)
    network = nn.Sequential(a_network(dataset), nn.BatchNorm2d(3)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    encoding = Encoding.of(dataset.images.shape, -1)
    objective = objective_of(dataset, encoding, network=network, batch=3)
    objective.gradient(rng.random((1, 12)) > 0.5)
    assert network.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("affine", [False, True])
def test_a_frozen_network_gives_the_same_numbers(rng: np.random.Generator, affine: bool) -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.PReLU(init=-0.2), nn.Conv2d(4, 2, 3), nn.PReLU(2), nn.Dropout(0.9),
        nn.InstanceNorm2d(2, affine=affine), nn.InstanceNorm2d(2, track_running_stats=True),
    )  # fmt: skip
    for parameter in network[5].parameters():
        nn.init.normal_(parameter)
    twin = frozen(network, "cpu")
    assert isinstance(twin[1], nn.LeakyReLU)
    assert isinstance(twin[3], nn.PReLU)  # a slope for each feature
    assert not isinstance(twin[5], nn.InstanceNorm2d)
    assert isinstance(twin[6], nn.InstanceNorm2d)  # looks at what it has learned, not at the image
    images = torch.from_numpy(rng.normal(size=(2, 1, 9, 9))).float()
    mine, theirs = images.clone().requires_grad_(), images.clone().requires_grad_()
    assert torch.allclose(twin(mine), network.eval()(theirs), rtol=1e-5, atol=1e-6)
    twin(mine).pow(3).sum().backward()
    network(theirs).pow(3).sum().backward()
    assert torch.allclose(mine.grad, theirs.grad, rtol=1e-4, atol=1e-4 * float(theirs.grad.abs().max()))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_torchscript_is_frozen_as_it_is(rng: np.random.Generator) -> None:
    dataset = a_dataset(rng)
    encoding = Encoding.of(dataset.images.shape, -1)
    script = torch.jit.script(a_network(dataset))
    mask = rng.random((1, 12)) > 0.5
    found = objective_of(dataset, encoding, network=script).gradient(mask)
    assert np.allclose(found[1], objective_of(dataset, encoding).gradient(mask)[1], rtol=1e-9)


def test_too_little_memory(rng: np.random.Generator) -> None:
    class Greedy(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.new_zeros(2**50)

    dataset = a_dataset(rng)
    objective = objective_of(dataset, Encoding.of(dataset.images.shape, -1), network=Greedy())
    with pytest.raises(DeviceMemoryError, match=r"The network with 2 slices in a batch .* Use smaller batches"):
        objective.losses([np.ones((1, 12), dtype=bool)])
