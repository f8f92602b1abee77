"""Values cross from Slicer to the worker and back unchanged, and nothing foreign is built from a message."""

from __future__ import annotations

import enum
import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from DeepMRILib.figures import Oriented
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


def test_an_array_of_objects_is_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        decode({"array": "evil.npy"}, tmp_path)


@pytest.mark.parametrize(
    "array",
    [
        np.array(3.5),
        np.array(True),
        np.empty((0, 3), np.int16),
        np.empty((2, 0, 4), np.complex64),
        np.array([[True, False]]),
        np.array([1 + 2j, np.nan + 0j]),
        np.array([0.1, np.inf], np.float16),
        np.array([1, 2, 3], ">i2"),
        np.array([1.5], ">f8"),
        np.array([2**63], np.uint64),
        np.array(["liver", "ä"]),
        np.arange(12).reshape(3, 4)[::-2, ::2],
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_keep_type_byte_order_shape_and_values(array: np.ndarray, tmp_path: Path) -> None:
    back = travelled(array, tmp_path)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("value", [1 + 2j, complex("nan-infj"), 0.1, float("inf"), 2**70, True, "ä\n"], ids=repr)
def test_scalars_are_exact(value: object, tmp_path: Path) -> None:
    back = travelled(value, tmp_path)
    assert type(back) is type(value)
    assert repr(back) == repr(value)


@pytest.mark.parametrize(
    "value", [np.complex64(1 + 2j), np.complex128(0.1j), np.float16(0.1), np.bool_(True), np.str_("x")], ids=repr
)
def test_numpy_scalars_become_pythons(value: np.generic, tmp_path: Path) -> None:
    back = travelled(value, tmp_path)
    assert type(back) is type(value.item())
    assert back == value


def test_named_tuples_of_the_library_keep_their_names(tmp_path: Path) -> None:
    value = Oriented(np.ones((2, 3, 1)), (1.0, 2.0, 3.0), np.eye(4))
    back = travelled([value], tmp_path)[0]
    assert type(back) is Oriented
    assert back.spacing == (1.0, 2.0, 3.0)
    assert np.array_equal(back.array, value.array)
    assert np.array_equal(back.affine, value.affine)


class Foreign(NamedTuple):
    x: int


@dataclass
class ForeignRecord:
    x: int


class Word(str):
    __slots__ = ()


class Level(enum.IntEnum):
    LOW = 1


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({1, 2}, "a set cannot travel"),
        (b"x", "a bytes cannot"),
        (Foreign(1), "a Foreign cannot"),
        (ForeignRecord(1), "a ForeignRecord cannot"),
        (Volume, "a type cannot"),
        (Level.LOW, "a Level cannot"),
        (Word("x"), "a Word cannot"),
        (OrderedDict(), "a OrderedDict cannot"),
        (np.longdouble(1), "a longdouble cannot"),
        (np.datetime64("2026-01-01"), "a datetime64 cannot"),
        (np.array([{}], dtype=object), "an array of type object cannot"),
        (np.zeros(2, [("a", int), ("b", float)]), "an array of type .*'a'.* cannot"),
        (np.zeros((), "datetime64[s]"), "an array of type datetime64"),
        (np.ma.masked_equal([1, 2], 1), "a masked array cannot"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_travel_is_named_where_it_is_sent(value: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=words):
        encode({"deep": [value]}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_message_leaves_the_arrays_of_the_first(tmp_path: Path) -> None:
    first = json.dumps(encode([np.zeros(2), np.ones(2)], tmp_path))
    (tmp_path / "0000.npy").rename(tmp_path / "0007.npy")
    encode([np.full(2, 5.0), np.full(2, 6.0)], tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.npy")) == ["0001.npy", "0007.npy", "0008.npy", "0009.npy"]
    assert np.array_equal(decode(json.loads(first.replace("0000", "0007")), tmp_path)[1], np.ones(2))


def test_the_folder_is_looked_through_once_per_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    glob = Path.glob

    def counted(self: Path, pattern: str) -> Iterator[Path]:
        looks.append(pattern)
        return glob(self, pattern)

    monkeypatch.setattr(Path, "glob", counted)
    encode([np.zeros(1)] * 50, tmp_path)
    assert len(looks) == 1
    assert len(list(tmp_path.iterdir())) == 50
