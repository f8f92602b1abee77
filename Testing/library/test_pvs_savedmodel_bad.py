"""Hostile and damaged SavedModels are refused with one sentence, quickly and in little memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from pvs_hostile import BOMBS, REFUSED, network

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.network_graph import GraphNetwork
from DeepMRILib.pvs.importer.savedmodel import read_savedmodel

DATA = Path(__file__).resolve().parents[1] / "data" / "pvs"


def test_the_network_that_the_others_are_made_from_is_read(tmp_path: Path):
    graph = read_savedmodel(network()[0].write(tmp_path / "good"))
    assert GraphNetwork(graph)(torch.zeros(2, 8, 8, 8, 1)).shape == (2, 8, 8, 8, 2)


@pytest.mark.parametrize("name", sorted(set(REFUSED) - set(BOMBS)))
def test_it_is_refused(tmp_path: Path, name: str):
    make, why = REFUSED[name]
    with pytest.raises(WeightsError, match=why) as caught:
        read_savedmodel(make(tmp_path / "model"))
    text = str(caught.value)
    assert text.startswith("model")
    assert "\n" not in text
    assert len(text) < 500


MEASURE = """
import json, resource, sys, time
from pathlib import Path
from pvs_hostile import BOMBS, network
from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.savedmodel import read_savedmodel

folder, found = Path(sys.argv[1]), {}
read_savedmodel(network()[0].write(folder / "good"))
for number, (name, (make, why)) in enumerate(BOMBS.items()):
    path = make(folder / f"bomb{number}")
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        read_savedmodel(path)
        text = "accepted"
    except WeightsError as error:
        text = str(error)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found[name] = [text, time.process_time() - start, used]
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the peak of memory")
def test_bombs_take_neither_time_nor_memory(tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", MEASURE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    unit = 1 if sys.platform == "darwin" else 1024
    assert set(found) == set(BOMBS)
    for name, (text, seconds, used) in found.items():
        assert BOMBS[name][1] in text, name
        assert seconds < 5, name
        assert used * unit < 500e6, name


def a_copy(folder: Path) -> Path:
    with zipfile.ZipFile(DATA / "transposed_keras3.zip") as archive:
        archive.extractall(folder)
    return folder


def outputs(folder: Path) -> np.ndarray:
    graph = read_savedmodel(folder)
    x = torch.rand((1, *(n or 8 for n in graph.inputs[0].shape[1:])), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return GraphNetwork(graph)(x).numpy()


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index"])
def test_flipped_bits_and_cuts_never_give_another_result(tmp_path: Path, name: str):
    """Each is refused or, where the bit is of no use, changes nothing."""
    folder = a_copy(tmp_path / "model")
    expected = outputs(folder)
    path = folder / name
    data = path.read_bytes()
    rng = np.random.default_rng(11)
    refused = 0
    for trial in range(40):
        changed = bytearray(data)
        if trial % 4:
            changed[rng.integers(len(data))] ^= 1 << rng.integers(8)
        else:
            changed = changed[: rng.integers(len(data))]
        path.write_bytes(changed)
        try:
            found = outputs(folder)
        except WeightsError:
            refused += 1
            continue
        # A flip in the network's own numbers (a constant, an attribute) cannot be told from another network.
        if found.shape == expected.shape and not np.array_equal(found, expected):
            assert name == "saved_model.pb"
    assert refused >= 10


def test_flipped_bits_of_the_weights_are_refused(tmp_path: Path):
    folder = a_copy(tmp_path / "model")
    path = folder / "variables" / "variables.data-00000-of-00001"
    data = path.read_bytes()
    # Keras 3 stores each weight twice and uses one of them: both are changed.
    arrays = read_savedmodel(folder).weights.values()
    kernel = max((array for array in arrays if array.ndim == 5), key=np.size)
    stored = np.ascontiguousarray(kernel.transpose(2, 3, 4, 1, 0)).tobytes()
    changed = bytearray(stored)
    changed[len(stored) // 2] ^= 16
    assert stored in data
    path.write_bytes(data.replace(stored, bytes(changed)))
    with pytest.raises(WeightsError, match="checksum"):
        read_savedmodel(folder)


def test_a_folder_of_weights_elsewhere_is_not_followed(tmp_path: Path):
    folder = a_copy(tmp_path / "model")
    shutil.move(folder / "variables", tmp_path / "elsewhere")
    (folder / "variables").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WeightsError, match="is a link"):
        read_savedmodel(folder)


def test_a_graph_elsewhere_is_not_followed(tmp_path: Path):
    folder = a_copy(tmp_path / "model")
    (folder / "saved_model.pb").rename(tmp_path / "elsewhere.pb")
    (folder / "saved_model.pb").symlink_to(tmp_path / "elsewhere.pb")
    with pytest.raises(WeightsError, match="is a link"):
        read_savedmodel(folder)


def test_no_folder_and_an_empty_file_are_refused(tmp_path: Path):
    with pytest.raises(WeightsError, match="is no folder"):
        read_savedmodel(tmp_path / "nothing")
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(WeightsError, match="saved_model.pb has 0 bytes"):
        read_savedmodel(tmp_path)


def test_object_graph_and_restore_function_must_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The checkpoint's keys exchanged in one of the two ways of naming the weights."""
    folder = a_copy(tmp_path / "model")
    read_savedmodel(folder)
    from DeepMRILib.pvs.importer import savedmodel

    real = savedmodel.restored

    def exchanged(*arguments):
        keys = real(*arguments)
        return dict(zip(keys, list(keys.values())[::-1], strict=True))

    monkeypatch.setattr(savedmodel, "restored", exchanged)
    with pytest.raises(WeightsError, match="disagree|another shape"):
        read_savedmodel(folder)
