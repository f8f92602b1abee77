"""Lambda layers: never run, only ever told what they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("h5py")
from interactive_network import one_thread
from pvs_keras_files import VOLUME, Written, conv, write_h5

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.pvs.importer import load_keras, read_network
from DeepMRILib.pvs.importer.graph_fold import fold
from DeepMRILib.pvs.importer.network_graph import GraphNetwork

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
CODE = {"function": ["4wEAAA==\n", None, None], "function_type": "lambda", "arguments": {}}
BOTH = [[["odd", 0, 0, {}], ["image", 0, 0, {}]]]


def swish_network(folder: Path) -> Path:
    return write_h5(folder / "m.h5", [conv(), Written("Lambda", "block/secret", CODE), conv("last", channels=2)])


def padded_network(folder: Path, *more: Written) -> Path:
    """Half the size, twice the size, and a Lambda before it is joined with the image: 4, 5, 3 from 4, 4, 2 voxels."""
    return write_h5(
        folder / "m.h5",
        [
            Written("MaxPooling3D", "pool", {"pool_size": [2, 2, 2], "strides": None, "padding": "valid"}),
            Written("UpSampling3D", "up", {"size": [2, 2, 2]}),
            Written("Lambda", "odd", CODE),
            Written("Concatenate", "join", {"axis": -1}, inbound=BOTH),
            *more,
        ],
    )


def image() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(1, *VOLUME)).astype(np.float32))


def test_without_word_a_lambda_is_refused_and_the_way_out_told(tmp_path: Path) -> None:
    path = swish_network(tmp_path)
    with pytest.raises(WeightsError, match=r'block/secret .*never run.*lambdas=\{"block/secret": "swish"\}'):
        read_network(path)


def test_a_name_and_a_function_do_the_same(tmp_path: Path) -> None:
    path = swish_network(tmp_path)
    named = GraphNetwork(read_network(path, lambdas={"block/secret": "swish"}))(image())
    graph = read_network(path, lambdas={"block/secret": torch.nn.functional.silu})
    assert torch.allclose(named, GraphNetwork(graph)(image()), atol=1e-6)
    assert torch.allclose(named, GraphNetwork(fold(graph))(image()), atol=1e-6)
    ours = load_keras(path, lambdas={"block/secret": torch.nn.functional.silu})(image().movedim(-1, 1))
    assert torch.allclose(named, ours.movedim(1, -1), atol=1e-6)


def test_a_network_with_a_function_cannot_be_stored(tmp_path: Path) -> None:
    graph = read_network(swish_network(tmp_path), lambdas={"block/secret": torch.nn.functional.silu})
    with pytest.raises(InputError, match="block/secret are Python functions"):
        graph.structure()
    with pytest.raises(InputError, match="cannot be stored"):
        fold(graph).structure()


@pytest.mark.parametrize("meaning", ["sparkle", "conv", 3])
def test_an_unknown_meaning_is_refused(tmp_path: Path, meaning: Any) -> None:
    with pytest.raises(WeightsError, match="block/secret"):
        read_network(swish_network(tmp_path), lambdas={"block/secret": meaning})


def test_a_name_that_no_lambda_has_is_refused(tmp_path: Path) -> None:
    names = {"block/secret": "swish", "blok": "swish"}
    with pytest.raises(WeightsError, match="no Lambda layer blok; its Lambda layers: block/secret"):
        read_network(swish_network(tmp_path), lambdas=names)


def test_in_a_known_file_it_is_swish_or_padding(tmp_path: Path) -> None:
    silu = [step.op for step in read_network(swish_network(tmp_path), known=True).steps]
    assert silu == ["conv", "silu", "conv"]
    graph = read_network(padded_network(tmp_path), known=True)
    assert [dict(step.attributes) for step in graph.steps if step.op == "pad"] == [
        {"pads": [[0, 0], [0, 0], [0, 1], [0, 1], [0, 0]]}
    ]
    made = GraphNetwork(graph)(image())
    assert made.shape == (1, 4, 5, 3, 8)
    assert torch.equal(made[..., 4:], image())
    assert not made[:, :, 4, :, :4].any()
    assert made[:, :, :4, :2, :4].all()


def test_padding_by_name_and_from_a_registry(tmp_path: Path) -> None:
    path = padded_network(tmp_path)
    known = GraphNetwork(read_network(path, known=True))(image())
    assert torch.equal(GraphNetwork(read_network(path, lambdas={"odd": "pad"}))(image()), known)
    assert torch.equal(GraphNetwork(read_network(path, known={"odd": "pad"}))(image()), known)


def test_padding_of_something_that_is_not_joined_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="block/secret cannot be padding"):
        read_network(swish_network(tmp_path), lambdas={"block/secret": "pad"})


def test_what_the_caller_says_goes_before_the_registry(tmp_path: Path) -> None:
    graph = read_network(swish_network(tmp_path), lambdas={"block/secret": "tanh"}, known={"block/secret": "swish"})
    assert [step.op for step in graph.steps] == ["conv", "tanh", "conv"]
