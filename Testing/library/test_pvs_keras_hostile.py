"""Descriptions of models that are damaged or make no sense: one sentence, soon, and nothing is allocated for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("h5py")
from interactive_network import one_thread
from pvs_keras_files import Written, conv, functional, write_h5
from pvs_keras_hostile import described, edited, refused, warm

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__, warm.__name__)]


def test_descriptions_that_are_no_json(tmp_path: Path) -> None:
    def config(text: Any) -> Callable[[Any], None]:
        def change(file: Any) -> None:
            del file.attrs["model_config"]
            file.attrs["model_config"] = text

        return change

    for text in (
        "",
        "{",
        "null",
        "[1]",
        '"text"',
        "[" * 200_000,
        '{"a":' * 100_000,
        "1e99999",
        "9" * 10_000,
        7,
        [1.5, 2],
    ):
        refused(edited(tmp_path, config(text)))
    for entry in ('{"class_name": "Functional"}', '{"class_name": "Model", "config": {"layers": 3}}',
                  '{"class_name": "MyModel", "config": {}}', '{"class_name": 3, "config": {}}'):  # fmt: skip
        refused(edited(tmp_path, config(entry)))


def test_a_description_of_100_megabytes(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        file.attrs["model_config"] = '{"a": "' + "x" * 100 * 2**20 + '"}'

    refused(edited(tmp_path, change), "100 MB")


def _swap(layer: Written, **config: Any) -> Callable[[dict[str, Any]], None]:
    def change(model: dict[str, Any]) -> None:
        model["layers"][-1]["config"].update(config)

    return change


@pytest.mark.parametrize(
    "config",
    [
        {"strides": [0, 1, 1]},
        {"strides": [-1, 1, 1]},
        {"strides": [2**40] * 3},
        {"strides": "all"},
        {"strides": [1.5, 1, 1]},
        {"dilation_rate": [0, 1, 1]},
        {"filters": 0},
        {"filters": 3},
        {"filters": True},
        {"groups": 0},
        {"groups": 3},
        {"kernel_size": [1, 1]},
        {"kernel_size": [10**6] * 3},
        {"padding": "reflect"},
        {"padding": 7},
        {"use_bias": "no"},
        {"use_bias": False},
        {"activation": {"class_name": "function", "config": "os.system", "registered_name": "os.system"}},
        {"activation": [["relu"]]},
        {"data_format": "channels_sideways"},
    ],
)
def test_settings_that_make_no_sense(tmp_path: Path, config: dict[str, Any]) -> None:
    refused(described(tmp_path, _swap(conv(), **config)), "conv")


def test_layers_that_refer_to_nothing_or_to_themselves(tmp_path: Path) -> None:
    def calls(inbound: Any) -> Callable[[dict[str, Any]], None]:
        def change(model: dict[str, Any]) -> None:
            model["layers"][-1]["inbound_nodes"] = inbound

        return change

    for inbound in (
        [[["nowhere", 0, 0, {}]]], [[["conv", 0, 0, {}]]], [[["image", 1, 0, {}]]], [[["image", 0, 1, {}]]],
        [[["image", -1, 0, {}]]], [[["image"]]], [[]], [], [3], {"a": 1}, [[["image", 0, 0, 5]]], [["image", 0]],
        [[["image", "0", 0, {}]]], [{"args": [], "kwargs": {}}], [{"args": 3}], [[["image", 0, 0, {}]] * 2000],
    ):  # fmt: skip
        refused(described(tmp_path, calls(inbound)))


def test_a_circle_of_layers(tmp_path: Path) -> None:
    def circle(model: dict[str, Any]) -> None:
        model["layers"][1]["inbound_nodes"] = [[["b", 0, 0, {}]]]

    layers = [Written("ReLU", "a"), Written("ReLU", "b")]
    refused(described(tmp_path, circle, *layers), "circle")


def test_doubled_names_and_missing_ends(tmp_path: Path) -> None:
    def doubled(model: dict[str, Any]) -> None:
        model["layers"].append(dict(model["layers"][-1]))

    def nameless(model: dict[str, Any]) -> None:
        model["layers"][-1] = {"class_name": "ReLU", "config": {}}

    def no_output(model: dict[str, Any]) -> None:
        model["output_layers"] = [["nowhere", 0, 0]]

    def no_inputs(model: dict[str, Any]) -> None:
        model["input_layers"] = []

    def input_is_a_layer(model: dict[str, Any]) -> None:
        model["input_layers"] = [["conv", 0, 0]]

    for change in (doubled, nameless, no_output, no_inputs, input_is_a_layer):
        refused(described(tmp_path, change))


@pytest.mark.parametrize(
    "shape", [[None], [None] * 9, [None, 0, 5, 3, 4], [None, -4, 5, 3, 4], [None, "4", 5, 3, 4], 5, None]
)
def test_inputs_without_a_sensible_shape(tmp_path: Path, shape: Any) -> None:
    def change(model: dict[str, Any]) -> None:
        model["layers"][0]["config"]["batch_input_shape"] = shape

    refused(described(tmp_path, change))


def test_models_in_models_without_end(tmp_path: Path) -> None:
    inner = functional([conv()])
    for _ in range(60):
        inner = {"class_name": "Functional", "config": {
            "name": "around", "input_layers": [["image", 0, 0]], "output_layers": [["in", 1, 0]],
            "layers": [functional([])["config"]["layers"][0],
                       {**inner, "name": "in", "inbound_nodes": [[["image", 0, 0, {}]]]}]}}  # fmt: skip
    refused(write_h5(tmp_path / "m.h5", [conv()], inner), "deep")


def test_a_model_that_unfolds_to_a_billion_layers(tmp_path: Path) -> None:
    """Ten levels, each of which uses the one below ten times."""
    inner = functional([Written("ReLU", "relu")])
    for _ in range(10):
        nodes = [[["image", 0, 0, {}]], *([["in", k, 0, {}]] for k in range(1, 10))]
        inner = {"class_name": "Functional", "config": {
            "name": "around", "input_layers": [["image", 0, 0]], "output_layers": [["in", 10, 0]],
            "layers": [functional([])["config"]["layers"][0],
                       {**inner, "name": "in", "inbound_nodes": nodes}]}}  # fmt: skip
    refused(write_h5(tmp_path / "m.h5", [Written("ReLU", "in")], inner), "uses layers more than 20000 times")


@pytest.mark.parametrize(
    "layer",
    [
        Written("UpSampling3D", "big", {"size": [10**4] * 3}),
        Written("ZeroPadding3D", "big", {"padding": [2**30] * 3}),
        Written(
            "TFOpLambda", "big", {"function": "tile"}, inbound=[["image", 0, 0, {"multiples": [1, 2**30, 2**30, 1, 1]}]]
        ),
        Written(
            "TFOpLambda", "big", {"function": "repeat"}, inbound=[["image", 0, 0, {"repeats": 2**31 - 1, "axis": 1}]]
        ),
        Written("Reshape", "big", {"target_shape": [2**40, -1]}),
        Written("Cropping3D", "big", {"cropping": [9, 9, 9]}),
        Written("MaxPooling3D", "big", {"pool_size": [9, 9, 9], "strides": None}),
    ],
)
def test_images_too_large_or_too_small_are_found_before_anything_is_allocated(tmp_path: Path, layer: Written) -> None:
    refused(write_h5(tmp_path / "m.h5", [layer]), "big|GB")


@pytest.mark.parametrize(
    "function", ["io.read_file", "py_function", "numpy_function", "__class__", "os.system", "shape", ""]
)
def test_functions_that_are_not_known(tmp_path: Path, function: str) -> None:
    layer = Written("TFOpLambda", "call", {"function": function}, inbound=[["image", 0, 0, {}]])
    refused(write_h5(tmp_path / "m.h5", [layer]), "call")


@pytest.mark.parametrize(
    "arguments",
    [{"y": ["conv", 5, 0]}, {"y": [[[]]]}, {"y": "text"}, {"y": None}, {"z": 3}, {"y": 1e400}, {"y": {"a": 1}}, {}],
)
def test_functions_with_arguments_that_make_no_sense(tmp_path: Path, arguments: dict[str, Any]) -> None:
    layer = Written("TFOpLambda", "call", {"function": "math.add"}, inbound=[["image", 0, 0, arguments]])
    refused(write_h5(tmp_path / "m.h5", [layer]))
