"""Layers of Keras in files that are written here: against formulas, in settings that TensorFlow cannot run on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("h5py")
from interactive_network import one_thread
from pvs_keras_files import VOLUME, Written, conv, functional, write_h5
from torch.nn import functional as F

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer import read_network
from DeepMRILib.pvs.importer.network_graph import GraphNetwork, ImageNetwork

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]


def run(path: Path, x: NDArray, **options: Any) -> NDArray:
    return GraphNetwork(read_network(path, **options))(torch.from_numpy(x)).numpy()


@pytest.fixture
def image(rng: np.random.Generator) -> NDArray:
    return rng.normal(size=(2, *VOLUME)).astype(np.float32)


def test_a_stride_of_two_pads_more_after_than_before(tmp_path: Path, image: NDArray) -> None:
    layer = conv(kernel_size=[3, 3, 3], strides=[2, 2, 2], padding="same")
    kernel, bias = (torch.from_numpy(layer.weights[role]) for role in ("kernel", "bias"))
    # 4, 5, 3 voxels: 4 becomes 2 with one zero after it; 5 and 3 get one on either side.
    x = F.pad(torch.from_numpy(image).permute(0, 4, 1, 2, 3), (1, 1, 1, 1, 0, 1))
    expected = F.conv3d(x, kernel.permute(4, 3, 0, 1, 2), bias, stride=2).permute(0, 2, 3, 4, 1)
    np.testing.assert_allclose(run(write_h5(tmp_path / "m.h5", [layer]), image), expected, atol=1e-5)


def test_groups(tmp_path: Path, image: NDArray) -> None:
    layer = conv(channels=2, filters=6, groups=2)
    kernel, bias = layer.weights["kernel"][0, 0, 0], layer.weights["bias"]
    expected = np.concatenate([image[..., :2] @ kernel[:, :3], image[..., 2:] @ kernel[:, 3:]], axis=-1) + bias
    np.testing.assert_allclose(run(write_h5(tmp_path / "m.h5", [layer]), image), expected, atol=1e-5)


def test_channels_first(tmp_path: Path, image: NDArray) -> None:
    settings = {"data_format": "channels_first"}
    layers = [
        conv(kernel_size=[3, 3, 3], padding="same", **settings),
        Written("MaxPooling3D", "pool", {"pool_size": [2, 2, 1], "strides": None, "padding": "valid", **settings}),
        Written("UpSampling3D", "up", {"size": [2, 2, 1], **settings}),
        Written("ZeroPadding3D", "pad", {"padding": [[0, 0], [0, 1], [0, 0]], **settings}),
        Written("Cropping3D", "crop", {"cropping": [[1, 0], [0, 0], [0, 0]], **settings}),
        Written("Softmax", "classes", {"axis": 1}),
    ]
    path = write_h5(tmp_path / "m.h5", layers, shape=(4, 4, 5, 3))
    x = torch.from_numpy(image).permute(0, 4, 1, 2, 3).contiguous()
    kernel, bias = (torch.from_numpy(layers[0].weights[role]) for role in ("kernel", "bias"))
    y = F.max_pool3d(F.conv3d(x, kernel.permute(4, 3, 0, 1, 2), bias, padding=1), (2, 2, 1))
    y = y.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = torch.softmax(F.pad(y, (0, 0, 0, 1))[:, :, 1:], 1)
    graph = read_network(path)
    assert graph.layout == "first"
    np.testing.assert_allclose(ImageNetwork(graph)(x), expected, atol=1e-5)


def test_one_network_has_one_layout(tmp_path: Path) -> None:
    layers = [conv(data_format="channels_last"), conv("other", data_format="channels_first", channels=4)]
    with pytest.raises(WeightsError, match="channels first"):
        read_network(write_h5(tmp_path / "m.h5", layers))


@pytest.mark.parametrize(("kind", "groups"), [("Addons>InstanceNormalization", -1), ("InstanceNormalization", -1)])
def test_instance_normalisation_of_the_addons(tmp_path: Path, image: NDArray, kind: str, groups: int) -> None:
    gamma, beta = np.array([1.0, 2.0, 0.5, 1.5], np.float32), np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    config = {"groups": groups, "axis": -1, "epsilon": 0.01, "center": True, "scale": True}
    path = write_h5(tmp_path / "m.h5", [Written(kind, "norm", config, {"gamma": gamma, "beta": beta})])
    mean, variance = image.mean((1, 2, 3), keepdims=True), image.var((1, 2, 3), keepdims=True)
    expected = (image - mean) / np.sqrt(variance + 0.01) * gamma + beta
    np.testing.assert_allclose(run(path, image), expected, atol=1e-5)


def test_instance_normalisation_of_others_is_refused(tmp_path: Path) -> None:
    """That of keras-contrib adds epsilon to the deviation: it has the same name, and no groups."""
    weights = {"gamma": np.ones(4, np.float32), "beta": np.zeros(4, np.float32)}
    with pytest.raises(WeightsError, match="norm"):
        read_network(write_h5(tmp_path / "m.h5", [Written("InstanceNormalization", "norm", {"axis": -1}, weights)]))


def test_batch_normalisation_uses_its_own_epsilon(tmp_path: Path, image: NDArray) -> None:
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {role: np.linspace(0.01, 0.02, 4, dtype=np.float32) for role in roles}
    path = write_h5(tmp_path / "m.h5", [Written("BatchNormalization", "norm", {"axis": [4]}, weights)])
    gamma, beta, mean, variance = weights.values()
    np.testing.assert_allclose(run(path, image), (image - mean) / np.sqrt(variance + 1e-3) * gamma + beta, atol=1e-5)


def test_all_that_is_not_understood_is_named_at_once(tmp_path: Path) -> None:
    layers = [
        Written("MyAttention", "attention"),
        conv("gate", strides=[0, 1, 1]),
        Written("Activation", "glow", {"activation": "my_glow"}),
        Written("Dot", "dot", {"axes": -1}),
        conv("twist", channels=2, twisted=True),
        Written("MaxPooling3D", "pool", {"pool_size": [2, 2], "strides": None}),
        Written("UpSampling2D", "up", {"size": [2, 2], "interpolation": "lanczos3"}),
    ]
    with pytest.raises(WeightsError) as caught:
        read_network(write_h5(tmp_path / "m.h5", layers))
    for layer in layers:
        assert layer.name in str(caught.value)


@pytest.mark.parametrize("kwargs", [{"training": True}, {"mask": ["image", 0, 0]}, {"extra": 1}])
def test_a_call_that_changes_the_answer_is_refused(tmp_path: Path, kwargs: dict[str, Any]) -> None:
    layer = Written("Dropout", "drop", {"rate": 0.5}, inbound=[[["image", 0, 0, kwargs]]])
    with pytest.raises(WeightsError, match="drop"):
        read_network(write_h5(tmp_path / "m.h5", [layer]))


def test_images_of_other_ranks_are_not_joined_in_another_way_than_by_keras(tmp_path: Path) -> None:
    pool = Written("GlobalAveragePooling3D", "pool", {})
    gate = Written("Multiply", "gate", {}, inbound=[[["image", 0, 0, {}], ["pool", 0, 0, {}]]])
    with pytest.raises(WeightsError, match="5, 2 axes"):
        read_network(write_h5(tmp_path / "m.h5", [pool, gate]))


def test_names_of_weights_that_contradict_their_order_are_refused(tmp_path: Path) -> None:
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = {role: np.ones(4, np.float32) for role in (roles[1], roles[0], *roles[2:])}
    with pytest.raises(WeightsError, match="unknown order"):
        read_network(write_h5(tmp_path / "m.h5", [Written("BatchNormalization", "norm", {"axis": -1}, weights)]))


def test_an_image_of_any_size(tmp_path: Path, rng: np.random.Generator) -> None:
    layer = conv(kernel_size=[3, 3, 3], strides=[2, 2, 2], padding="same")
    path = write_h5(tmp_path / "m.h5", [layer], functional([layer], (None, None, None, 4)))
    for size in (5, 8):
        x = rng.normal(size=(1, size, size, size, 4)).astype(np.float32)
        assert run(path, x).shape == (1, *[-(-size // 2)] * 3, 2)
