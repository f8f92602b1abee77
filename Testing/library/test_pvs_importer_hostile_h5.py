"""Damaged and hostile files of Keras: one sentence, soon, with little memory; nothing outside of the file is read."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
h5py = pytest.importorskip("h5py")
from interactive_network import one_thread
from pvs_keras_files import Written, conv, functional, write_archive, write_h5

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer import read_network
from DeepMRILib.pvs.importer.network_forecast import shapes_of

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 5.0
MOST_MB = 500
KERNEL = "model_weights/conv/conv/kernel:0"


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """The first use of PyTorch's meta device takes a second or two, which no file is to blame for."""
    from DeepMRILib.pvs.importer.graph import Graph, Port, Step

    steps = (Step("conv", ("x", "k"), ("y",), {}), Step("silu", ("y",), ("z",)))
    shapes_of(Graph((Port("x", (None, 2, 2, 2, 1)),), ("z",), steps, {"k": np.ones((1, 1, 1, 1, 1), np.float32)}))


def refused(path: Path, words: str | None = None) -> str:
    """The one sentence or two with which a file is refused, within the bounds (of the processor's time)."""
    started = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match=words) as caught:
            read_network(path)
    finally:
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    assert time.process_time() - started < SECONDS
    assert peak < MOST_MB
    text = str(caught.value)
    assert text.endswith((".", "}", "?"))
    assert "\n" not in text
    assert len(text) < 1500
    return text


def edited(folder: Path, change: Callable[[Any], None], *layers: Written) -> Path:
    """A good file that was changed afterwards."""
    path = write_h5(folder / "m.h5", layers or [conv()])
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def with_dataset(folder: Path, **how: Any) -> Path:
    """A file whose kernel is stored in another way."""

    def change(file: Any) -> None:
        del file[KERNEL]
        file.create_dataset(KERNEL, **how)

    return edited(folder, change)


def described(folder: Path, change: Callable[[dict[str, Any]], None], *layers: Written) -> Path:
    """A file with another description."""
    layers = layers or (conv(),)
    config = functional(layers)
    change(config["config"])
    return write_h5(folder / "m.h5", layers, config)


def test_the_file_that_is_damaged_below_is_good(tmp_path: Path) -> None:
    assert len(read_network(write_h5(tmp_path / "m.h5", [conv()])).steps) == 1
    assert len(read_network(write_archive(tmp_path / "m.keras")).steps) == 1


@pytest.mark.parametrize("part", [0.0, 0.02, 0.3, 0.7, 0.98])
@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_truncation(tmp_path: Path, part: float, ending: str) -> None:
    path = (write_h5(tmp_path / "m.h5", [conv()])) if ending == "h5" else write_archive(tmp_path / "m.keras")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refused(path)


FLIPPING = """
import sys
from pathlib import Path
import numpy as np
from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer import read_network
rng, refused = np.random.default_rng(3), 0
for name in sys.argv[1:]:
    data = Path(name).read_bytes()
    place = Path(name + ".flipped")
    for _ in range(100):
        changed = bytearray(data)
        for position in rng.integers(0, len(data), 3):
            changed[position] ^= 1 << int(rng.integers(8))
        place.write_bytes(changed)
        try:
            graph = read_network(place)
            assert [step.op for step in graph.steps] == ["conv"], graph.steps
        except WeightsError:
            refused += 1
print(refused)
"""


def test_flipped_bits_are_refused_or_change_only_numbers(tmp_path: Path) -> None:
    """In a process of its own, for the HDF5 library might crash; it does not."""
    good = (write_h5(tmp_path / "m.h5", [conv()]), write_archive(tmp_path / "m.keras"))
    command = [sys.executable, "-c", FLIPPING, *map(str, good)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 20


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    other = write_h5(tmp_path / "secret.h5", [conv()])

    def external(file: Any) -> None:
        del file[KERNEL]
        file[KERNEL] = h5py.ExternalLink(str(other), KERNEL)

    def external_group(file: Any) -> None:
        del file["model_weights"]
        file["model_weights"] = h5py.ExternalLink(str(other), "model_weights")

    def soft(file: Any) -> None:
        file["copy"] = file[KERNEL][()]
        del file[KERNEL]
        file[KERNEL] = h5py.SoftLink("/copy")

    for change in (external, external_group, soft):
        refused(edited(tmp_path, change), "links are not followed")


def test_weights_in_other_files_are_not_read(tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(np.ones(8, np.float32).tobytes())
    refused(with_dataset(tmp_path, shape=(1, 1, 1, 4, 2), dtype="f4", external=[(str(raw), 0, 32)]), "another file")
    other = write_h5(tmp_path / "other.h5", [conv()])

    def virtual(file: Any) -> None:
        del file[KERNEL]
        layout = h5py.VirtualLayout((1, 1, 1, 4, 2), "f4")
        layout[...] = h5py.VirtualSource(str(other), KERNEL, shape=(1, 1, 1, 4, 2))
        file.create_virtual_dataset(KERNEL, layout)

    refused(edited(tmp_path, virtual), "another file")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"shape": (1, 1, 1, 4, 2**38), "dtype": "f4", "chunks": (1, 1, 1, 1, 1024)}, "claim"),
        ({"shape": (1, 1, 1, 4, 2**38), "dtype": "f4", "chunks": (1, 1, 1, 4, 2**20), "compression": "gzip"}, "claim"),
        ({"shape": (1, 1, 1, 4, 2), "dtype": "f4", "chunks": (1, 1, 1, 2, 2)}, "claim"),
        ({"shape": (1, 1, 1, 4, 2), "dtype": "f4"}, "claim"),
        ({"data": np.ones((1, 1, 1, 4, 2), np.int64)}, "no numbers with fractions"),
        ({"data": np.ones((1, 1, 1, 4, 2), np.complex64)}, "no numbers with fractions"),
        ({"data": np.full((1, 1, 1, 4, 2), b"abc")}, "no numbers with fractions"),
        ({"data": np.full((1, 1, 1, 4, 2), np.nan, np.float32)}, "not all finite"),
        ({"data": np.full((1, 1, 1, 4, 2), np.inf, np.float32)}, "not all finite"),
        ({"data": np.full((1, 1, 1, 4, 2), 1e300)}, "not all finite"),
        ({"data": np.ones((1, 1, 1, 4, 3), np.float32)}, "shape"),
        ({"data": np.ones((1, 1, 4, 2), np.float32)}, "shape"),
        ({"data": np.float32(1)}, "shape"),
        ({"data": h5py.Empty("f4")}, "no numbers"),
        ({"data": np.ones((1, 1, 1, 4, 2), np.float32), "compression": "lzf"}, "compressed in a way"),
    ],
)
def test_weights_of_another_kind_or_size(tmp_path: Path, how: dict[str, Any], words: str) -> None:
    refused(with_dataset(tmp_path, **how), words)


def test_a_gzip_bomb_is_not_inflated(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file[KERNEL]
        chunk = (1, 1, 1, 4, 2**18)
        data = file.create_dataset(KERNEL, (1, 1, 1, 4, 2**26), "f4", chunks=chunk, compression="gzip")
        packed = zlib.compress(bytes(4 * 4 * 2**18), 9)
        for start in range(0, 2**26, 2**18):
            data.id.write_direct_chunk((0, 0, 0, 0, start), packed)

    path = write_h5(tmp_path / "m.h5", [conv()])
    with h5py.File(path, "r+") as file:
        change(file)
    assert path.stat().st_size < 5e6
    refused(path, "claim 1073741824 bytes")


def test_a_circle_of_groups(tmp_path: Path) -> None:
    def circle(file: Any) -> None:
        del file["model_weights/conv/conv"]
        file["model_weights/conv/conv"] = file["model_weights"]

    refused(edited(tmp_path, circle), "lacks the weights")


def test_missing_parts(tmp_path: Path) -> None:
    def attribute(file: Any) -> None:
        del file["model_weights/conv"].attrs["weight_names"]

    def names(file: Any) -> None:
        file["model_weights/conv"].attrs["weight_names"] = ["conv/kernel:0"]

    def numbers(file: Any) -> None:
        file["model_weights/conv"].attrs["weight_names"] = [1, 2]

    def bytes_that_are_no_text(file: Any) -> None:
        file["model_weights/conv"].attrs["weight_names"] = np.array([b"\xff\xfe", b"\xfa"])

    def many(file: Any) -> None:
        file["model_weights/conv"].attrs.create("weight_names", np.zeros(30000, "S2"))

    def group(file: Any) -> None:
        del file["model_weights/conv"]

    def everything(file: Any) -> None:
        del file["model_weights"]

    def dataset(file: Any) -> None:
        del file[KERNEL]

    for change in (attribute, names, numbers, bytes_that_are_no_text, many, group, everything, dataset):
        refused(edited(tmp_path, change))


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
        nodes = [[[["image", 0, 0, {}]]], *([[["in", k, 0, {}]]] for k in range(1, 10))]
        inner = {"class_name": "Functional", "config": {
            "name": "around", "input_layers": [["image", 0, 0]], "output_layers": [["in", 10, 0]],
            "layers": [functional([])["config"]["layers"][0],
                       {**inner, "name": "in", "inbound_nodes": nodes}]}}  # fmt: skip
    path = write_h5(tmp_path / "m.h5", [Written("ReLU", "in")], inner)
    refused(path)


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


def test_archives_that_lead_elsewhere(tmp_path: Path) -> None:
    for name in ("../../evil.txt", "/etc/evil", "a/../../b", "C:\\evil", "..\\evil"):
        refused(write_archive(tmp_path / "m.keras", {name: "x"}), "leads out")
    path = write_archive(tmp_path / "m.keras")
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refused(path, "leads out")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["m.keras"]


def test_archives_that_unfold(tmp_path: Path) -> None:
    zeros = b" " * (40 * 2**20)
    refused(write_archive(tmp_path / "m.keras", {"config.json": zeros}), "config.json claims 40 MB")
    refused(write_archive(tmp_path / "m.keras", {"model.weights.h5": zeros}), "weights.h5 claims 40 MB")


def test_archives_that_are_incomplete_or_doubled(tmp_path: Path) -> None:
    for name, data in {"config.json": "{", "metadata.json": "{", "model.weights.h5": "no HDF5"}.items():
        refused(write_archive(tmp_path / "m.keras", {name: data}))
    full = write_archive(tmp_path / "m.keras")
    for missing in ("config.json", "model.weights.h5"):
        with zipfile.ZipFile(full) as source, zipfile.ZipFile(tmp_path / "less.keras", "w") as archive:
            for name in set(source.namelist()) - {missing}:
                archive.writestr(name, source.read(name))
        refused(tmp_path / "less.keras")
    with zipfile.ZipFile(full, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    refused(full, "twice")


def test_weights_of_an_archive_that_do_not_belong_to_the_layers(tmp_path: Path) -> None:
    def weights(change: Callable[[Any], None]) -> Path:
        path = write_archive(tmp_path / "m.keras")
        with zipfile.ZipFile(path) as archive:
            buffer = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(buffer, "r+") as file:
            change(file)
        return write_archive(path, {"model.weights.h5": buffer.getvalue()})

    def more(file: Any) -> None:
        file["layers/conv3d/vars/2"] = np.zeros(2, np.float32)

    def fewer(file: Any) -> None:
        del file["layers/conv3d/vars/1"]

    def other(file: Any) -> None:
        file["layers/conv3d/vars"].attrs["name"] = "another"

    for change in (more, fewer, other):
        refused(weights(change), "conv")


def test_the_process_stays_small(tmp_path: Path) -> None:
    """Of a huge declared shape nothing is allocated, measured from outside."""
    path = with_dataset(tmp_path, shape=(1, 1, 1, 4, 2**38), dtype="f4", chunks=(1, 1, 1, 1, 1024))
    code = (
        "import sys, resource, torch, h5py\n"
        "from DeepMRILib.pvs.importer import read_network; from DeepMRILib.errors import WeightsError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_network(sys.argv[1])\n"
        "except WeightsError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60)
    unit = 1 if sys.platform == "darwin" else 2**10
    assert int(done.stdout) * unit < 100 * 2**20
