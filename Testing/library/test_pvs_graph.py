"""Networks as plain steps: running, freeing, folding, forecasting, and what is refused."""

from __future__ import annotations

import gc
import json
import weakref
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
from interactive_network import one_thread
from torch.nn import functional as F

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.pvs.importer import network_graph
from DeepMRILib.pvs.importer.graph import Graph, Port, Step
from DeepMRILib.pvs.importer.graph_fold import fold
from DeepMRILib.pvs.importer.keras_antspynet import FILTERS, kernels, v1_graph
from DeepMRILib.pvs.importer.network_forecast import shapes_of
from DeepMRILib.pvs.importer.network_graph import GraphNetwork, ImageNetwork
from DeepMRILib.pvs.importer.network_ops import OPS

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
SHAPE = (None, 6, 5, 4, 3)


def graph(
    *steps: Step, outputs: tuple[str, ...] | None = None, shape: tuple[int | None, ...] = SHAPE, **weights: NDArray
) -> Graph:
    arrays = {name: np.asarray(array, np.float32) for name, array in weights.items()}
    return Graph((Port("x", shape),), outputs or steps[-1].outputs, steps, arrays)


def step(op: str, inputs: str, output: str, **attributes: Any) -> Step:
    return Step(op, tuple(inputs.split()), tuple(output.split()), attributes)


def image(seed: int = 0, size: tuple[int, ...] = (2, *SHAPE[1:])) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=size).astype(np.float32))


@pytest.fixture
def network(rng: np.random.Generator) -> Graph:
    """A convolution with all that may follow it, a gate, and a part that nothing may be folded into."""
    return graph(
        step("conv", "x kernel bias", "a", pads="same"),
        step("scale_shift", "a scale shift", "b", axes=[-1]),
        step("mul", "b", "c", value=0.5),
        step("sub", "c offset", "d"),
        step("div", "d", "e", value=0.7),
        step("sigmoid", "e", "f"),
        step("mul", "f e", "g"),
        step("identity", "g", "h"),
        step("conv", "h second", "i", strides=[2, 2, 2], pads="same"),
        step("add", "i", "j", value=0.0),
        step("mul", "j channel", "k"),
        step("relu", "k", "l"),
        step("reduce_mean", "i", "m", axes=[1, 2, 3], keep=False),
        outputs=("l", "m", "h"),
        kernel=rng.normal(size=(4, 3, 3, 3, 3)) / 9,
        bias=rng.normal(size=4),
        scale=rng.uniform(0.5, 2, 4),
        shift=rng.normal(size=4),
        offset=rng.normal(size=(1, 1, 1, 1, 4)),
        second=rng.normal(size=(5, 4, 2, 2, 2)) / 6,
        channel=rng.normal(size=5),
    )


def test_a_folded_network_has_fewer_steps_and_the_same_answer(network: Graph) -> None:
    folded = fold(network)
    assert [one.op for one in folded.steps] == ["conv", "conv", "mul", "relu", "reduce_mean"]
    assert folded.steps[0].attributes["activation"][0] == "silu"
    assert set(folded.weights) == {name for one in folded.steps for name in one.inputs} & set(folded.weights)
    for ours, theirs in zip(GraphNetwork(folded)(image()), GraphNetwork(network)(image()), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_what_is_used_elsewhere_is_not_folded_away(rng: np.random.Generator) -> None:
    steps = (step("conv", "x k", "a"), step("mul", "a", "b", value=2.0), step("add", "a b", "c"))
    given = graph(*steps, k=rng.normal(size=(2, 3, 1, 1, 1)))
    assert [one.op for one in fold(given).steps] == ["conv", "mul", "add"]
    shared = graph(step("conv", "x k", "a"), step("mul", "a", "b", value=2.0), step("conv", "x k", "c"),
                   outputs=("b", "c"), k=rng.normal(size=(2, 3, 1, 1, 1)))  # fmt: skip
    for ours, theirs in zip(GraphNetwork(fold(shared))(image()), GraphNetwork(shared)(image()), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("operand", [(4,), (1, 4), (4, 1), (6, 1, 1, 1), (1, 1, 1, 1, 1), (2, 1, 1, 1, 1), ()])
def test_only_constants_along_the_channels_are_folded(operand: tuple[int, ...], rng: np.random.Generator) -> None:
    given = graph(
        step("conv", "x k", "a"),
        step("add", "a w", "b"),
        k=rng.normal(size=(4, 3, 1, 1, 1)),
        w=rng.normal(size=operand),
    )
    folded = fold(given)
    along = len(operand) == 0 or int(np.prod(operand)) in {1, operand[-1]}
    assert len(folded.steps) == (1 if along else 2)
    assert torch.allclose(GraphNetwork(folded)(image()), GraphNetwork(given)(image()), atol=1e-5)


@pytest.mark.parametrize("op", ["conv_transpose", "dense"])
def test_other_products_are_folded_too(op: str, rng: np.random.Generator) -> None:
    kernel = (3, 4, 2, 2, 2) if op == "conv_transpose" else (3, 4)
    attributes = {"strides": [2, 2, 2]} if op == "conv_transpose" else {}
    given = graph(
        step(op, "x k b", "y", **attributes),
        step("scale_shift", "y s t", "z", axes=[-1]),
        k=rng.normal(size=kernel),
        b=rng.normal(size=4),
        s=rng.uniform(0.5, 2, 4),
        t=rng.normal(size=4),
    )
    folded = fold(given)
    assert [one.op for one in folded.steps] == [op]
    assert torch.allclose(GraphNetwork(folded)(image()), GraphNetwork(given)(image()), atol=1e-5)


def test_values_are_let_go_after_their_last_use(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[torch.Tensor]] = []
    seen: list[int] = []

    def op(inputs: Any, _attributes: Any) -> torch.Tensor:
        gc.collect()
        seen.append(sum(one() is not None for one in alive))
        made = inputs[0] + 1
        alive.append(weakref.ref(made))
        return made

    monkeypatch.setitem(OPS, "watched", op)
    names = ["x", *"abcdefgh"]
    steps = [step("watched", before, after) for before, after in pairwise(names)]
    steps.insert(4, step("concat", "a d", "late", axis=-1))
    GraphNetwork(graph(*steps))(image())
    # One value at a time, and beside it the first until it was joined.
    assert seen == [0, 1, 2, 2, 1, 1, 1, 1]


def test_a_network_in_half_precision_stays_there(network: Graph) -> None:
    halves = GraphNetwork(network).half()(image())
    assert {value.dtype for value in halves} == {torch.float16}
    for ours, theirs in zip(halves, GraphNetwork(network)(image()), strict=True):
        assert torch.allclose(ours.float(), theirs, atol=0.03)


def test_weights_are_the_state_of_the_module(network: Graph) -> None:
    one, other = GraphNetwork(network), GraphNetwork(Graph(network.inputs, network.outputs, network.steps, {
        name: np.zeros_like(array) for name, array in network.weights.items()}))  # fmt: skip
    assert len(one.state_dict()) == len(network.weights)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(image())[0], other(image())[0])
    with pytest.raises(TypeError, match="1 inputs, 2"):
        one(image(), image())


def test_the_description_goes_through_json(network: Graph) -> None:
    again = Graph.from_structure(json.loads(json.dumps(fold(network).structure())), fold(network).weights)
    assert torch.equal(GraphNetwork(again)(image())[0], GraphNetwork(fold(network))(image())[0])


def test_the_forecast_is_what_then_happens(network: Graph) -> None:
    forecast = shapes_of(network)
    made = GraphNetwork(network)(image(size=(1, *SHAPE[1:])))
    assert forecast.outputs == tuple(tuple(value.shape) for value in made)
    assert forecast.shapes["a"] == (1, 6, 5, 4, 4)
    assert forecast.macs == 6 * 5 * 4 * 4 * 81 + 3 * 3 * 2 * 5 * 32
    # At most three values of 6 x 5 x 4 voxels and 4 channels at a time: of the gate, its input and the product.
    assert forecast.peak_bytes == 3 * 6 * 5 * 4 * 4 * 4
    assert forecast.weight_bytes == sum(4 * array.size for array in network.weights.values())


def test_the_forecast_of_the_published_architecture() -> None:
    shapes = list(kernels(1))
    zeros = [np.broadcast_to(np.float32(0), shape) for shape in shapes]
    norm = {name: np.float32(1) for name in ("gamma", "beta", "moving_mean", "moving_variance")}
    given = v1_graph(zeros, [{k: np.broadcast_to(v, s[-1]) for k, v in norm.items()} for s in shapes[:-1]], None)
    forecast = shapes_of(given)
    assert forecast.outputs == ((1, 160, 214, 176, 1),)
    assert 353e9 < forecast.macs < 355e9
    trained = sum(int(np.prod(shape)) for shape in shapes) + 2 * sum(shape[-1] for shape in shapes[:-1]) + 1
    assert trained == 39_846_503
    assert FILTERS[-1] == 337


def test_too_large_a_value_is_refused_before_it_is_made() -> None:
    bomb = graph(step("tile", "x", "y", times=[1, 10**4, 10**4, 1, 1]))
    with pytest.raises(WeightsError, match=r"tile \(y\).* GB"):
        shapes_of(bomb)
    with pytest.raises(WeightsError, match="up to 0.0 GB"):
        shapes_of(graph(step("relu", "x", "y")), most_bytes=100)
    with pytest.raises(WeightsError, match="may have any size"):
        shapes_of(graph(step("relu", "x", "y"), shape=(None, None, 4, 4, 1)))
    assert shapes_of(graph(step("relu", "x", "y"), shape=(None, None, 4, 4, 1)), [(1, 7, 4, 4, 1)]).outputs[0][1] == 7


@pytest.mark.parametrize(
    ("op", "attributes"),
    [
        ("conv", {}), ("max_pool", {"size": [0, 1, 1]}), ("max_pool", {"size": [2, 2]}),
        ("reshape", {"shape": [7, -1]}),
        ("crop", {"crops": [[0, 0], [9, 0], [0, 0], [0, 0], [0, 0]]}), ("transpose", {"order": [0, 0, 1, 2, 3]}),
        ("pad", {"pads": [[1, 1]]}), ("repeat", {"times": [1, 0, 1, 1, 1]}), ("softmax", {"axis": 9}), ("split", {}),
        ("squeeze", {"axes": [1]}), ("max_pool", {"size": [2, 2, 2], "strides": [0, 1, 1]}), ("matmul", {}),
    ],
)  # fmt: skip
def test_steps_that_do_not_fit_are_named(op: str, attributes: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match=f"step {op}"):
        shapes_of(graph(step(op, "x", "y", **attributes)))


def test_an_image_of_another_size_is_refused(network: Graph) -> None:
    with pytest.raises(InputError, match="takes any x 6 x 5 x 4 x 3 values at x, and was given 2 x 6 x 5 x 5 x 3"):
        GraphNetwork(network)(image(size=(2, 6, 5, 5, 3)))
    with pytest.raises(InputError, match="Resample"):
        GraphNetwork(network)(image()[0])


def test_unknown_operations_are_refused() -> None:
    with pytest.raises(WeightsError, match="operation explode"):
        GraphNetwork(graph(step("explode", "x", "y")))
    with pytest.raises(WeightsError, match="operation python"):
        GraphNetwork(graph(step("python", "x", "y", function="f")))


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "edge"])
def test_padding_with_the_image_itself(mode: str) -> None:
    pads = [[0, 0], [2, 3], [1, 0], [0, 2], [0, 0]]
    made = GraphNetwork(graph(step("pad", "x", "y", pads=pads, mode=mode)))(image())
    np.testing.assert_array_equal(made, np.pad(image(), pads, mode=mode))


def test_channels_first_and_last_are_the_same(rng: np.random.Generator) -> None:
    kernel = rng.normal(size=(2, 3, 3, 2, 1)).astype(np.float32)
    attributes = {"strides": [2, 1, 1], "pads": "same"}
    last = graph(
        step("conv", "x k", "y", **attributes), step("max_pool", "y", "z", size=[2, 2, 2], pads="same"), k=kernel
    )
    steps = [Step(one.op, one.inputs, one.outputs, {**one.attributes, "channels": "first"}) for one in last.steps]
    first = Graph((Port("x", (None, 3, 6, 5, 4)),), last.outputs, tuple(steps), last.weights, "first")
    x = image().movedim(-1, 1)
    assert torch.allclose(ImageNetwork(last)(x), ImageNetwork(first)(x), atol=1e-6)


@pytest.mark.parametrize("pads", [[[1, 1]] * 3, [[0, 1]] * 3, [[1, -2]] * 3, [[-1, 0], [2, 1], [0, 0]]])
def test_transposed_convolution_is_cut_and_grown(pads: list[list[int]], rng: np.random.Generator) -> None:
    kernel, bias = rng.normal(size=(3, 2, 3, 3, 3)).astype(np.float32), np.array([0.5, -1], np.float32)
    strides = [2, 3, 1]
    given = graph(step("conv_transpose", "x k b", "y", strides=strides, pads=pads), k=kernel, b=bias)
    whole = F.conv_transpose3d(image().movedim(-1, 1), torch.from_numpy(kernel), None, strides)
    flat = [-number for pair in reversed(pads) for number in pair]
    expected = F.pad(whole, flat) + torch.from_numpy(bias).reshape(-1, 1, 1, 1)
    assert torch.allclose(GraphNetwork(given)(image()).movedim(-1, 1), expected, atol=1e-5)


def test_the_module_does_not_change_what_it_is_given(network: Graph) -> None:
    x = image()
    before = x.clone()
    GraphNetwork(fold(network))(x)
    relu = graph(step("conv", "x k", "a", activation=["relu", {}]), k=np.ones((3, 3, 1, 1, 1)))
    GraphNetwork(relu)(x)
    assert torch.equal(x, before)
    assert network_graph.last_uses(network)[0] == ("x",)
