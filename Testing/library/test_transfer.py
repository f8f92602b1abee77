"""Values cross from Slicer to the worker and back unchanged, and nothing foreign is built from a message."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.tables import Table
from DeepMRILib.transfer import decode, encode
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume


def travelled(value: object, folder: Path) -> object:
    return decode(json.loads(json.dumps(encode(value, folder))), folder)


def test_plain_values_and_containers_come_back_as_they_were(tmp_path: Path) -> None:
    value = {"a": [1, 2.5, None, True], "b": ("x", Path("y")), 3: {"nested": ()}}
    assert travelled(value, tmp_path) == value


def test_volumes_keep_array_affine_and_kind(tmp_path: Path, rng: np.random.Generator) -> None:
    affine = np.array([[-2, 0.1, 0, 5], [0, 2, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]], dtype=float)
    series = DiffusionVolume(rng.normal(size=(3, 4, 5, 2)).astype(np.float32), affine, [0, 500], np.eye(3)[:2])
    labels = LabelVolume(np.array([[[0, 4]]]), affine, {4: "liver"})
    back_series, back_labels = travelled([series, labels], tmp_path)
    assert isinstance(back_series, DiffusionVolume)
    assert np.array_equal(back_series.array, series.array)
    assert back_series.array.dtype == np.float32
    assert np.array_equal(back_series.affine, affine)
    assert np.array_equal(back_series.b_values, [0, 500])
    assert np.array_equal(back_series.directions, np.eye(3)[:2])
    assert back_labels.names == {4: "liver"}


def test_a_transposed_view_arrives_with_its_axes(tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    assert np.array_equal(travelled(Volume(array.T), tmp_path).array, array.T)


def test_tables_and_numpy_scalars_come_back_plain(tmp_path: Path) -> None:
    table = Table({"region": ["a"], "n": [np.int64(3)], "x": [np.float32(0.5)]}, {"x": "mm"})
    back = travelled(table, tmp_path)
    assert back.rows == [("a", 3, 0.5)]
    assert back.units == {"x": "mm"}


@pytest.mark.parametrize(
    "message",
    [
        {"class": "subprocess:Popen", "fields": {"args": "true"}},
        {"class": "DeepMRILibrary.x:Y", "fields": {}},
        {"class": "DeepMRILib.cli:main", "fields": {}},
        {"array": "../secret.npy"},
        {"surprise": 1},
    ],
)
def test_what_is_not_ours_is_refused(message: dict, tmp_path: Path) -> None:
    with pytest.raises((ValueError, AttributeError)):
        decode(message, tmp_path)


def test_an_array_of_objects_is_neither_written_nor_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="[Oo]bject"):
        encode(np.array([{}], dtype=object), tmp_path)
    np.save(tmp_path / "evil.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        decode({"array": "evil.npy"}, tmp_path)


def test_a_value_that_cannot_travel_is_named(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a set cannot travel"):
        encode({1, 2}, tmp_path)
