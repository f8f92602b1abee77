"""Real models of Keras 2 and 3: PyTorch answers what Keras answered, for every kind of layer and in every format."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
h5py = pytest.importorskip("h5py")
from interactive_network import one_thread

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.pvs.importer import load_keras, read_network
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.graph_fold import fold
from DeepMRILib.pvs.importer.network_graph import GraphNetwork

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
ARCHIVE = Path(__file__).resolve().parents[1] / "data" / "pvs" / "keras_models.zip"
with zipfile.ZipFile(ARCHIVE) as _archive:
    MODELS = sorted(name for name in _archive.namelist() if not name.endswith(".npz"))
SWISH = {"swish_lambda": "swish"}
SHARED = {
    "share_v1like_f32.h5": None,
    "share_v1like_mixed16.h5": None,
    "share_lambda_tfop.h5": SWISH,
    "share_lambda_badmarshal.h5": SWISH,
    "share_resunet_keras3.keras": None,
}


def unpacked(name: str, folder: Path) -> Path:
    """A model and its answers, in a folder."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extract(f"{name.rpartition('.')[0]}.npz", folder)
        return Path(archive.extract(name, folder))


def arrays(path: Path, letter: str) -> list[NDArray]:
    """Inputs (x) or outputs (y) in their order."""
    with np.load(path) as stored:
        return [stored[f"{letter}{k}"] for k in range(len(stored.files)) if f"{letter}{k}" in stored.files]


def answers(graph: Graph, inputs: list[NDArray]) -> list[NDArray]:
    made = GraphNetwork(graph)(*map(torch.from_numpy, inputs))
    return [value.numpy() for value in (made if isinstance(made, tuple) else (made,))]


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_answers_as_in_keras(name: str, tmp_path: Path) -> None:
    path = unpacked(name, tmp_path)
    inputs, expected = (arrays(path.with_suffix(".npz"), letter) for letter in "xy")
    graph = read_network(path)
    for form in (graph, fold(graph), Graph.from_structure(json.loads(json.dumps(graph.structure())), graph.weights)):
        made = answers(form, inputs)
        assert len(made) == len(expected)
        for output, ours, theirs in zip(form.outputs, made, expected, strict=True):
            assert ours.shape == theirs.shape, output
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=output)


def test_the_models_cover_keras_2_and_3() -> None:
    families = {name.rpartition("_")[0] for name in MODELS}
    assert len(families) >= 12
    for family in families:
        assert {f"{family}_k2h5.h5", f"{family}_k3.keras"} <= set(MODELS)


@pytest.mark.parametrize("name", SHARED)
def test_look_alikes_of_the_published_networks(name: str, shared_data: Path) -> None:
    folder = shared_data.parent / "fixtures" / "pvs"
    answered = {"share_resunet_keras3.keras": "share_resunet_savedmodel_keras3export"}.get(
        name, name.removesuffix(".h5")
    )
    with np.load(folder / f"{answered}_io.npz") as stored:
        x, y = stored["x"], stored["y"]
    network = load_keras(folder / name, lambdas=SHARED[name])
    assert not network.training
    made = network(torch.from_numpy(x).movedim(-1, 1))
    assert made.dtype == torch.float32
    np.testing.assert_allclose(made.movedim(1, -1).numpy(), y, atol=1e-5)


def test_the_module_takes_and_gives_channels_first(tmp_path: Path) -> None:
    path = unpacked("joining_k2h5.h5", tmp_path)
    inputs, expected = (arrays(path.with_suffix(".npz"), letter) for letter in "xy")
    made = load_keras(path)(*(torch.from_numpy(x).movedim(-1, 1) for x in inputs))
    assert isinstance(made, tuple)
    assert made[0].shape == (1, 4, 4, 5, 3)
    np.testing.assert_allclose(made[0].movedim(1, -1).numpy(), expected[0], atol=1e-5)
    flat = next(k for k, y in enumerate(expected) if y.ndim == 2)
    np.testing.assert_allclose(made[flat].numpy(), expected[flat], atol=1e-5)


def test_an_imported_network_can_be_moved_halved_and_stored(tmp_path: Path) -> None:
    path = unpacked("chain_k2h5.h5", tmp_path)
    image = torch.from_numpy(arrays(path.with_suffix(".npz"), "x")[0]).movedim(-1, 1)
    network = load_keras(path)
    whole = network(image)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    assert state
    half = network.half()(image)
    assert half.dtype == torch.float16
    assert torch.allclose(half.float(), whole, atol=5e-3)
    network.float().load_state_dict(state)
    assert torch.equal(network(image), whole)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "note.h5").write_text("no network")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file"):
        read_network(tmp_path / "missing.h5")
    with pytest.raises(WeightsError, match="no network that can be read"):
        read_network(tmp_path / "note.h5")
    with pytest.raises(WeightsError, match="saved_model.pb"):
        read_network(tmp_path / "empty")
    with zipfile.ZipFile(tmp_path / "pickled.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(WeightsError, match="may run code"):
        read_network(tmp_path / "pickled.pt")


def test_content_decides_and_not_the_name(tmp_path: Path) -> None:
    for name in ("chain_k2h5.h5", "chain_k3.keras"):
        path = unpacked(name, tmp_path)
        inputs, expected = (arrays(path.with_suffix(".npz"), letter) for letter in "xy")
        renamed = path.rename(tmp_path / "model.bin")
        np.testing.assert_allclose(answers(read_network(renamed), inputs)[0], expected[0], atol=1e-5)
