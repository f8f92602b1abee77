"""SHIVA's v1 network from weights alone: mapped by order, with fewer filters so that it takes no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
h5py = pytest.importorskip("h5py")
from interactive_network import one_thread
from torch.nn import functional as F

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer import keras_antspynet, read_network
from DeepMRILib.pvs.importer.graph_fold import fold
from DeepMRILib.pvs.importer.network_graph import ImageNetwork

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
GRID = (11, 10, 9)
NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three levels of few filters in place of seven."""
    monkeypatch.setattr(keras_antspynet, "FILTERS", (3, 4, 6))
    monkeypatch.setattr(keras_antspynet, "GRID", GRID)


def weights(images: int = 1) -> tuple[list[NDArray], list[dict[str, NDArray]], NDArray]:
    rng = np.random.default_rng(4)
    shapes = list(keras_antspynet.kernels(images))
    # Large enough that the image is still seen at the end.
    kernels = [(2 * rng.normal(size=s) / np.sqrt(np.prod(s[:-1]))).astype(np.float32) for s in shapes]
    norms = [
        {role: rng.uniform(0.4, 1.2, kernel.shape[-1]).astype(np.float32) for role in NORM} for kernel in kernels[:-1]
    ]
    return kernels, norms, np.array([-0.5], np.float32)


def write(path: Path, images: int = 1, change: Callable[[Any], None] | None = None, first: int = 0) -> Path:
    """As Keras writes weights without a model: the layers are numbered as they were made."""
    kernels, norms, bias = weights(images)
    with h5py.File(path, "w") as file:
        names: list[str] = []

        def layer(kind: str, number: int, arrays: dict[str, NDArray]) -> None:
            name = f"{kind}_{number}" if number else kind
            names.append(name)
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{role}:0" for role in arrays]
            for role, array in arrays.items():
                group[f"{name}/{role}:0"] = array

        for number, kernel in enumerate(kernels):
            last = number == len(kernels) - 1
            layer("conv3d", first + number, {"kernel": kernel, **({"bias": bias} if last else {})})
            if not last:
                layer("batch_normalization", first + number, norms[number])
        file.attrs["layer_names"] = sorted(names)  # their order must not matter: conv3d_10 comes before conv3d_2
        if change:
            change(file)
    return path


def by_hand(x: torch.Tensor, images: int) -> torch.Tensor:
    """The network written down from its description, not by way of the graph."""
    kernels, norms, bias = weights(images)
    rows = iter(zip(kernels, norms, strict=False))

    def row(x: torch.Tensor) -> torch.Tensor:
        kernel, norm = next(rows)
        gamma, beta, mean, variance = (torch.from_numpy(norm[role]) for role in NORM)
        y = F.conv3d(x, torch.from_numpy(kernel).permute(4, 3, 0, 1, 2), padding=1)
        return F.silu(F.batch_norm(y, mean, variance, gamma, beta, eps=1e-3))

    skips = []
    for _ in range(3):
        x = row(row(x))
        skips.append(x)
        x = F.max_pool3d(x, 2)
    for skip in reversed(skips):
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        gaps = [b - a for a, b in zip(x.shape[2:], skip.shape[2:], strict=True)]
        x = F.pad(x, [n for d in reversed(gaps) for n in (d // 2, d - d // 2)])
        x = row(row(torch.cat([x, skip], 1)))
    x = row(row(x))
    return torch.sigmoid(F.conv3d(x, torch.from_numpy(kernels[-1]).permute(4, 3, 0, 1, 2), torch.from_numpy(bias)))


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("first", [0, 7])
def test_weights_alone_become_the_published_architecture(tmp_path: Path, images: int, first: int) -> None:
    graph = read_network(write(tmp_path / "w.h5", images, first=first))
    x = torch.rand(1, images, *GRID, generator=torch.Generator().manual_seed(0))
    expected = by_hand(x, images)
    assert expected.std() > 0.01
    for form in (graph, fold(graph)):
        assert torch.allclose(ImageNetwork(form)(x), expected, atol=1e-5)


def _replace(place: str, array: NDArray) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[place]
        file[place] = array

    return change


@pytest.mark.parametrize(
    "change",
    [
        _replace("conv3d_2/conv3d_2/kernel:0", np.ones((3, 3, 3, 3, 5), np.float32)),
        _replace("conv3d/conv3d/kernel:0", np.ones((3, 3, 3, 4, 3), np.float32)),
        _replace("batch_normalization_1/batch_normalization_1/gamma:0", np.ones(1, np.float32)),
        _replace("batch_normalization_1/batch_normalization_1/moving_variance:0", np.full(3, -1, np.float32)),
        lambda file: file.attrs.__delitem__("layer_names"),
        lambda file: file.attrs.__setitem__("layer_names", ["conv3d", "batch_normalization"]),
        lambda file: file.attrs.__setitem__("layer_names", ["conv3d", "dense_1"]),
        lambda file: file["conv3d"].attrs.__setitem__("weight_names", ["conv3d/gamma:0"]),
    ],
)
def test_other_weights_are_refused(tmp_path: Path, change: Callable[[Any], None]) -> None:
    with pytest.raises(WeightsError):
        read_network(write(tmp_path / "w.h5", change=change))
