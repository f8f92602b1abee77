"""Models stored by many at once, interrupted, renamed, or made of links and pipes: one whole model or none."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import DeepMRIError, WeightsError
from DeepMRILib.model_store import Model, ModelCard, ModelStore, open_model

pytest.importorskip("safetensors")

WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.zeros(2, dtype=np.float32)}


def a_card(version: str = "1.2") -> ModelCard:
    return ModelCard("net-1", "ivim", version, licence="CC-BY-4.0", source="doi:10.1002/mrm.28852")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", library=tmp_path / "library")


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def at_once(number: int, act: Callable[[int], object]) -> list[object]:
    """What ``number`` threads that begin together return, or the error that each meets."""
    begin = threading.Barrier(number)

    def one(index: int) -> object:
        begin.wait()
        try:
            return act(index)
        except DeepMRIError as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(one, range(number)))


@pytest.mark.parametrize("way", ["save", "add"])
def test_of_many_who_store_one_name_at_once_one_succeeds(store: ModelStore, tmp_path: Path, way: str) -> None:
    sources = [
        ModelStore(tmp_path / str(n), library=tmp_path / "library").save(a_card(version=str(n)), WEIGHTS).folder
        for n in range(12)
    ]
    for _ in range(5):
        if way == "save":
            came = at_once(12, lambda n: store.save(a_card(version=str(n)), WEIGHTS))
        else:
            came = at_once(12, lambda n: store.add(sources[n]))
        errors = [one for one in came if isinstance(one, DeepMRIError)]
        assert len(errors) == 11
        assert all("already a model net-1" in str(one) for one in errors)
        (stored,) = (one for one in came if one not in errors)
        assert store.check("net-1") == stored
        assert files_in(store.folder) == ["net-1", "net-1/model.json", "net-1/model.safetensors"]
        store.delete("net-1")


def test_many_who_overwrite_one_name_at_once_all_succeed(store: ModelStore) -> None:
    for _ in range(5):
        came = at_once(12, lambda n: store.save(a_card(version=str(n)), WEIGHTS, overwrite=True))
        assert all(isinstance(one, Model) for one in came), came
        assert store.check("net-1") in came
        assert files_in(store.folder) == ["net-1", "net-1/model.json", "net-1/model.safetensors"]


def test_an_interrupt_while_a_model_is_replaced_leaves_the_old_one(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first renaming, the old model has no name: that is where the interrupt falls."""
    store.save(a_card(), WEIGHTS)
    rename, renamed = Path.rename, []

    def interrupted(self: Path, target: Path) -> Path:
        there = rename(self, target)
        if not renamed:
            renamed.append(there)
            raise KeyboardInterrupt
        return there

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        store.save(a_card(version="2"), WEIGHTS, overwrite=True)
    monkeypatch.undo()
    assert renamed[0].name == "net-1"
    assert store.check("net-1").card.version == "1.2"
    assert files_in(store.folder) == ["net-1", "net-1/model.json", "net-1/model.safetensors"]


@pytest.mark.parametrize("name", ["model.json", "model.safetensors", "LICENSE.txt"])
def test_links_out_of_a_folder_are_not_followed(store: ModelStore, tmp_path: Path, name: str) -> None:
    folder = ModelStore(tmp_path / "other", library=tmp_path / "library").save(a_card(), WEIGHTS).folder
    secret = tmp_path / "secret"
    if (folder / name).exists():
        (folder / name).rename(secret)
    else:
        secret.write_text("secret")
    (folder / name).symlink_to(secret)
    with pytest.raises(WeightsError, match=f"{name} is a link that leads out of the model's folder"):
        store.add(folder)
    assert not store.folder.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["model.json", "model.safetensors", "LICENSE.txt"])
def test_a_pipe_in_a_models_folder_is_never_opened(store: ModelStore, tmp_path: Path, name: str) -> None:
    folder = ModelStore(tmp_path / "other", library=tmp_path / "library").save(a_card(), WEIGHTS).folder
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    with pytest.raises(WeightsError, match=f"{name} is no file but a folder, a pipe or a device"):
        store.add(folder)
    if name != "LICENSE.txt":
        with pytest.raises(WeightsError, match="is no file but"):
            open_model(folder).check()


def test_a_folder_that_was_renamed_is_neither_listed_nor_found(store: ModelStore) -> None:
    store.save(a_card(), WEIGHTS).folder.rename(store.folder / "net-2")
    assert store.list() == []
    for action in (store.find, store.check, store.load_weights):
        with pytest.raises(WeightsError, match=r"net-2 holds the model net-1: .* Name the folder net-1 again"):
            action("net-2")
    with pytest.raises(WeightsError, match="no model 'net-1'"):
        store.find("net-1")
    (store.folder / "net-2").rename(store.folder / "net-1")
    assert store.list() == [store.check("net-1")]
