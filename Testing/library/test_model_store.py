"""Models on disk: kept whole, checked before use, and never read in a way that could run their code."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import InputError, OutputError, WeightsError
from DeepMRILib.model_store import ModelCard, ModelStore, default_folder, open_model
from DeepMRILib.weight_files import sha256_of

pytest.importorskip("safetensors")

WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.zeros(2, dtype=np.float32)}


def a_card(name: str = "net-1", **changes) -> ModelCard:
    card = ModelCard(
        name=name,
        method="ivim",
        version="1.2",
        licence="CC-BY-4.0",
        source="doi:10.1002/mrm.28852",
        preprocessing={"b_values": [0, 50, 800], "normalise": "mean of b = 0"},
        training_data="simulated signals",
        metrics={"rmse": 0.02},
        extra={"width": 11},
    )
    return replace(card, **changes)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", library=tmp_path / "library")


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_saved_model_comes_back_as_it_was(store: ModelStore) -> None:
    saved = store.save(a_card(), WEIGHTS)
    found = store.find("net-1", "ivim")
    assert found == saved
    assert found.card == a_card(sha256=sha256_of(found.folder / "model.safetensors"))
    weights = store.check("net-1").load_weights()
    assert weights.keys() == WEIGHTS.keys()
    assert all(np.array_equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)
    assert files_in(store.folder) == ["net-1", "net-1/model.json", "net-1/model.safetensors"]


@pytest.mark.torch
def test_tensors_that_share_memory_are_saved_and_loaded(store: ModelStore) -> None:
    torch = pytest.importorskip("torch")
    base = torch.arange(6.0)
    store.save(a_card(), {"all": base.reshape(2, 3).T, "tied": base, "half": base.to(torch.bfloat16)})
    weights = store.load_weights("net-1", "ivim", "torch")
    assert torch.equal(weights["all"], base.reshape(2, 3).T)
    assert torch.equal(weights["tied"], base)
    assert weights["half"].dtype == torch.bfloat16


@pytest.mark.torch
def test_a_number_type_that_numpy_lacks_is_said(store: ModelStore) -> None:
    torch = pytest.importorskip("torch")
    store.save(a_card(), {"half": torch.ones(2, dtype=torch.bfloat16)})
    with pytest.raises(WeightsError, match="hold a number type that numpy cannot hold"):
        store.load_weights("net-1")


def test_strided_arrays_are_saved_right(store: ModelStore) -> None:
    store.save(a_card(), {"t": WEIGHTS["a.weight"].T})
    assert np.array_equal(store.load_weights("net-1")["t"], WEIGHTS["a.weight"].T)


@pytest.mark.parametrize("weights", [{}, {"a": [1.0, 2.0]}, {"a": np.zeros(2), "b": 3}])
def test_what_is_no_weights_is_not_saved(store: ModelStore, weights: dict) -> None:
    with pytest.raises(InputError, match="no weights to save|give numpy arrays only"):
        store.save(a_card(), weights)
    assert files_in(store.folder) == []


def test_an_existing_model_is_kept_unless_told_otherwise(store: ModelStore) -> None:
    store.save(a_card(), WEIGHTS)
    with pytest.raises(OutputError, match="already a model net-1 .* or overwrite"):
        store.save(a_card(version="2"), WEIGHTS)
    assert store.find("net-1").card.version == "1.2"
    store.save(a_card(version="2"), WEIGHTS, overwrite=True)
    assert store.find("net-1").card.version == "2"
    assert len(files_in(store.folder)) == 3


def test_a_failed_replacement_leaves_the_old_model(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(a_card(), WEIGHTS)
    rename = Path.rename

    def full_disk(self: Path, target: Path) -> Path:
        if self.name.startswith(".") and target.name == "net-1":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(OutputError, match="cannot be written to .*: the disk is full"):
        store.save(a_card(version="2"), WEIGHTS, overwrite=True)
    monkeypatch.undo()
    assert store.check("net-1").card.version == "1.2"
    assert files_in(store.folder) == ["net-1", "net-1/model.json", "net-1/model.safetensors"]


def test_an_old_model_that_cannot_be_put_back_is_kept(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(a_card(), WEIGHTS)
    rename = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if target.name == "net-1" and target.parent == store.folder:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(OutputError, match="it is kept in ") as caught:
        store.save(a_card(version="2"), WEIGHTS, overwrite=True)
    monkeypatch.undo()
    kept = Path(re.search(r"kept in (.*)\. Move", str(caught.value))[1])
    assert open_model(kept).card.version == "1.2"
    assert len(open_model(kept).load_weights()) == len(WEIGHTS)
    assert store.list() == []


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="net-1 cannot be written to"):
        ModelStore(tmp_path / "file" / "models").save(a_card(), WEIGHTS)


def test_a_model_folder_is_added_after_it_was_checked(store: ModelStore, tmp_path: Path) -> None:
    other = ModelStore(tmp_path / "other", library=tmp_path / "library")
    folder = other.save(a_card(), WEIGHTS).folder
    (folder / "LICENSE.txt").write_text("CC-BY-4.0 ...")
    (folder / "evil.py").write_text("print('never copied')")
    added = store.add(folder)
    assert added.folder == store.folder / "net-1"
    assert files_in(added.folder) == ["LICENSE.txt", "model.json", "model.safetensors"]
    damage(folder)
    with pytest.raises(WeightsError, match="damaged"):
        store.add(folder, overwrite=True)
    store.check("net-1")


def damage(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_models_are_listed_found_and_deleted(store: ModelStore) -> None:
    assert store.list() == []
    store.save(a_card("b-net"), WEIGHTS)
    store.save(a_card("a-net", method="pvs"), WEIGHTS)
    (store.folder / "notes").mkdir()
    assert [model.card.name for model in store.list()] == ["a-net", "b-net"]
    assert [model.card.name for model in store.list("ivim")] == ["b-net"]
    store.delete("a-net")
    assert files_in(store.folder) == ["b-net", "b-net/model.json", "b-net/model.safetensors", "notes"]
    with pytest.raises(WeightsError, match=r"no model 'a-net' in .*Models here: b-net"):
        store.find("a-net")
    with pytest.raises(WeightsError, match="no model 'a-net'"):
        store.delete("a-net")


def test_shipped_models_are_listed_and_only_read(store: ModelStore, tmp_path: Path) -> None:
    shipped = ModelStore(tmp_path / "library/ivim/data", library=tmp_path / "elsewhere").save(a_card(), WEIGHTS)
    assert [(model.card, model.shipped) for model in store.list()] == [(shipped.card, True)]
    store.check("net-1")
    with pytest.raises(OutputError, match="comes with the extension and cannot be deleted"):
        store.delete("net-1")
    with pytest.raises(OutputError, match="belongs to a model of the extension"):
        store.save(a_card(), WEIGHTS, overwrite=True)


def test_every_shipped_model_is_sound_and_has_its_own_name() -> None:
    store = ModelStore()
    names = [model.card.name for model in store.list() if model.shipped]
    assert len(set(names)) == len(names)
    for name in names:
        assert store.check(name).card.licence


def test_the_wrong_method_is_refused(store: ModelStore) -> None:
    store.save(a_card(), WEIGHTS)
    with pytest.raises(WeightsError, match="net-1 is for ivim, not for pvs"):
        store.load_weights("net-1", "pvs")


def test_damaged_and_missing_weights_are_refused(store: ModelStore) -> None:
    model = store.save(a_card(), WEIGHTS)
    damage(model.folder)
    with pytest.raises(WeightsError, match=r"sha256 differs\). Get the model again"):
        store.load_weights("net-1")
    (model.folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="are missing. Add the model again"):
        store.load_weights("net-1")
    (model.folder / "model.json").unlink()
    with pytest.raises(WeightsError, match="its model.json is missing"):
        store.find("net-1")


def test_weights_without_a_sha256_are_not_trusted(store: ModelStore) -> None:
    model = store.save(a_card(), WEIGHTS)
    (model.folder / "model.json").write_text(a_card().to_json())
    with pytest.raises(WeightsError, match="names no sha256"):
        store.load_weights("net-1")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "written in format 2, .* Update the extension"),
        ({"format": None}, "lacks the entry format"),
        ({"format": True}, "has the format True; a whole number"),
        ({"format": -1}, "has the format -1; a whole number"),
        ({"format": 1.0}, "has the format 1.0; a whole number"),
        ({"source": "\ud800"}, "cannot be written as JSON .*surrogates"),
        ({"colour": "blue"}, "unknown entry 'colour'"),
        ({"licence": None}, "must be text; got None"),
        ({"licence": " "}, "licence of model net-1 is empty"),
        ({"name": "../net"}, "name '../net' cannot be used"),
        ({"metrics": {"dice": "good"}}, "dice of model net-1 must be a number"),
        ({"sha256": "12"}, "64 lower-case hexadecimal digits"),
        ({"extra": []}, "extra of a model's description must be a dictionary"),
    ],
)
def test_a_bad_model_json_is_refused_with_the_reason(tmp_path: Path, change: dict, sentence: str) -> None:
    (tmp_path / "model.json").write_text(json.dumps({**json.loads(a_card().to_json()), **change}))
    with pytest.raises(WeightsError, match=sentence):
        open_model(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe", b"[" * 100_000, b" " * (1024**2 + 1)])
def test_rubbish_in_model_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(WeightsError, match="model.json|description"):
        open_model(tmp_path)


def test_a_missing_entry_is_named() -> None:
    values = json.loads(a_card().to_json())
    del values["source"]
    with pytest.raises(WeightsError, match="lacks the entry source"):
        ModelCard.from_json(json.dumps(values))


def test_a_card_holds_json_only() -> None:
    with pytest.raises(InputError, match="cannot be written as JSON"):
        a_card(extra={"path": Path("x")})
    with pytest.raises(InputError, match="cannot be written as JSON"):
        a_card(metrics={"dice": float("nan")})
    with pytest.raises(InputError, match="cannot be written as JSON"):
        a_card(source="half a character: \ud800")
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InputError, match="cannot be written as JSON"):
        a_card(extra={"deep": deep})


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a\\b", "/etc", "C:x", ".hidden", "nul.txt", "x.", "a" * 65, "ä"]
)
def test_names_that_lead_elsewhere_are_refused(store: ModelStore, name: str) -> None:
    for action in (store.find, store.delete, store.check, a_card):
        with pytest.raises(InputError, match="model name .* cannot be used"):
            action(name)


def test_the_users_folder_is_the_systems_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DEEPMRI_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "models"
    monkeypatch.delenv("DEEPMRI_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    expected = {"linux": "xdg", "win32": "local", "darwin": "Library/Application Support"}
    for platform, folder in expected.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert default_folder() == tmp_path / folder / "DeepMRI/models"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_folder() == tmp_path / ".local/share/DeepMRI/models"


def test_the_store_is_never_inside_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    import DeepMRILib

    library = Path(DeepMRILib.__file__).parent
    assert not ModelStore().folder.is_relative_to(library)
    monkeypatch.setenv("DEEPMRI_HOME", str(library / "ivim"))
    with pytest.raises(InputError, match="an update of the extension deletes that folder"):
        ModelStore()
