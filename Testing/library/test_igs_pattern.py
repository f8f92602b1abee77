"""Patterns, their masks and their files: what is damaged is refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.igs import Encoding, Pattern, Rung
from DeepMRILib.igs.kspace import from_kspace, line_count, to_kspace


def a_pattern(**changes: object) -> Pattern:
    entries: dict[str, Any] = {
        "orders": ((4, 3, 5, 6),),
        "shape": (8,),
        "axes": (-1,),
        "losses": (0.9, None, 0.5, 0.4),
        "gradients": ((None, -1.0, -0.5, -0.2),),
        "rungs": (Rung(2, 0.9, 0.8, 0.7, (1,), "centre"), Rung(4, 0.4, 0.3, 0.5, (1,), "block")),
        "about": {"loss": "l1"},
        "notes": ("A note.",),
    }
    return Pattern(**{**entries, **changes})


def test_masks_are_nested_by_lines_or_acceleration() -> None:
    pattern = a_pattern()
    assert np.flatnonzero(pattern.mask(lines=3)).tolist() == [3, 4, 5]
    np.testing.assert_array_equal(pattern.mask(acceleration=4), pattern.mask(lines=2))
    assert pattern.mask().sum() == 4
    assert pattern.masks().shape == (1, 8)
    with pytest.raises(InputError, match="5 lines were asked for, and the pattern was searched up to 4"):
        pattern.mask(lines=5)
    with pytest.raises(InputError, match="either a number of lines or an acceleration"):
        pattern.mask(lines=2, acceleration=4)


def test_kinds_of_mask() -> None:
    pattern = a_pattern()
    assert np.flatnonzero(pattern.mask(kind="centre")).tolist() == [2, 3, 4, 5]
    assert np.flatnonzero(pattern.mask(kind="block")).tolist() == [3, 4, 5, 6]
    assert (pattern.recommended(), pattern.recommended(2)) == ("block", "centre")
    np.testing.assert_array_equal(pattern.mask(kind="recommended"), pattern.mask(kind="block"))
    alone = a_pattern(rungs=())
    assert alone.recommended() == "igs"
    with pytest.raises(InputError, match="without rivals"):
        alone.mask(kind="block")


@pytest.mark.parametrize("shift", [-3, 4])
def test_a_block_holds_dc_at_every_number_of_lines(shift: int) -> None:
    pattern = a_pattern(
        orders=(tuple((32 + step) % 64 for step in range(16)),), shape=(64,), losses=(), gradients=(),
        rungs=(Rung(8, 1.0, 0.5, 1.0, (shift,), "block"),),
    )  # fmt: skip
    for lines in range(1, 17):
        mask = pattern.mask(lines, kind="block")
        assert mask[32]
        assert mask.sum() == lines


def test_a_block_of_points_moves_as_it_grows() -> None:
    rung = Rung(16, 1.0, 0.5, 1.0, (2, -2), "block")
    pattern = Pattern((tuple(range(64)),), (32, 32), (-2, -1), rungs=(rung,))
    for lines in (16, 64):
        middle = np.argwhere(pattern.mask(lines, kind="block")).mean(axis=0) - 16
        np.testing.assert_allclose(middle, np.array([2, -2]) * np.sqrt(lines / 16), atol=0.5)


def test_orders_of_points_and_contrasts() -> None:
    points = Pattern(((14, 9, 15),), (5, 6), (-2, -1))
    assert points.order.tolist() == [[2, 2], [1, 3], [2, 3]]
    assert points.mask(lines=2).sum() == 2
    assert points.mask()[2, 3]
    contrasts = Pattern(((4, 3), (4, 6)), (8,), (-1,))
    assert contrasts.order.shape == (2, 2)
    assert contrasts.mask()[1].nonzero()[0].tolist() == [4, 6]
    assert contrasts.mask(kind="centre").shape == (2, 8)


@pytest.mark.parametrize("orders", [(), ((),), ((1, 1),), ((8,),), ((-1,),), ((1, 2), (1,))])
def test_orders_that_are_none_are_refused(orders: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(InputError, match="A pattern"):
        Pattern(orders, (8,), (-1,))


def test_a_file_holds_the_whole_pattern(tmp_path: Path) -> None:
    for pattern in (a_pattern(), Pattern(((14, 9), (14, 3)), (5, 6), (-3, -1))):
        path = pattern.save(tmp_path / "pattern.json", overwrite=True)
        assert Pattern.load(path) == pattern
        assert Pattern.load(tmp_path) == pattern
    with pytest.raises(OutputError, match="exists"):
        a_pattern().save(tmp_path / "pattern.json")


def saved(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "pattern.json"
    path.write_text(json.dumps({**json.loads(a_pattern().to_json()), **changes}), encoding="utf-8")
    return path


RUNG = {"lines": 2, "igs": 0.3, "block": 0.4, "centre": 0.4, "block_shift": [1], "winner": "igs"}
DAMAGE: dict[str, dict[str, object]] = {
    "another kind": {"kind": "mask"},
    "a newer format": {"format": 2},
    "no shape": {"shape": []},
    "three axes": {"shape": [4, 4, 4], "axes": [-3, -2, -1]},
    "axes that do not match": {"axes": [-2, -1]},
    "the same axis twice": {"shape": [8, 8], "axes": [-1, -1]},
    "axes the wrong way round": {"shape": [8, 8], "axes": [-1, -2]},
    "an axis counted from 0": {"axes": [1]},
    "a size beyond memory": {"shape": [10**9]},
    "points beyond memory": {"shape": [10**6, 10**6], "axes": [-2, -1]},
    "a line beyond the end": {"orders": [[4, 8]]},
    "a line twice": {"orders": [[4, 4]]},
    "no lines": {"orders": []},
    "lines in words": {"orders": [["4"]]},
    "fractions of lines": {"orders": [[4.0]]},
    "true for a line": {"orders": [[True]]},
    "orders that are a number": {"orders": 3},
    "an integer without end": {"losses": [10**400, None, None, None]},
    "a winner that is a list": {"rungs": [{**RUNG, "winner": ["igs"]}]},
    "fewer losses than lines": {"losses": [0.1]},
    "a loss in words": {"losses": ["low", None, None, None]},
    "a loss that is no number": {"losses": [float("nan")] * 4},
    "an infinite loss": {"losses": [float("inf"), None, None, None]},
    "gradients of another contrast": {"gradients": [[None] * 4] * 2},
    "gradients of fewer lines": {"gradients": [[None]]},
    "a winner of another name": {"rungs": [{**RUNG, "winner": "mine"}]},
    "a winner without a loss": {"rungs": [{**RUNG, "block": None, "block_shift": [], "winner": "block"}]},
    "a rung without a loss": {"rungs": [{**RUNG, "igs": None}]},
    "a rung that is no number": {"rungs": [{**RUNG, "igs": float("nan")}]},
    "a rung in words": {"rungs": [{**RUNG, "igs": "0.5"}]},
    "a rung of more lines than there are": {"rungs": [{**RUNG, "lines": 9}]},
    "a shift of another number of axes": {"rungs": [{**RUNG, "block_shift": [1, 2]}]},
    "a rung that lacks something": {"rungs": [{"lines": 2}]},
    "rungs that are words": {"rungs": ["igs"]},
    "about that is no table": {"about": 3},
    "about with what JSON does not have": {"about": {"seed": float("nan")}},
    "half a character in a note": {"notes": ["\ud800"]},
    "half a character in about": {"about": {"loss": "\udfff"}},
    "many lines twice": {"orders": [[1, 1] * 100_000]},
    "notes that are a number": {"notes": 4},
    "notes that are one text": {"notes": "A note."},
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_files_are_refused_with_a_sentence(case: str, tmp_path: Path) -> None:
    path = saved(tmp_path, **DAMAGE[case])
    with pytest.raises(InputError) as refusal:
        Pattern.load(path)
    assert "attern" in str(refusal.value)
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize("missing", ["shape", "axes", "orders", "losses", "gradients", "rungs", "about", "notes"])
def test_files_that_lack_an_entry_are_refused(missing: str, tmp_path: Path) -> None:
    entries = json.loads(a_pattern().to_json())
    del entries[missing]
    (tmp_path / "pattern.json").write_text(json.dumps(entries), encoding="utf-8")
    with pytest.raises(InputError, match="not those of a pattern"):
        Pattern.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe\x00", b"[]", b"3", b"null", b'{"kind": 1}'])
def test_what_is_no_pattern_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pattern.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not a pattern of DeepMRI"):
        Pattern.load(path)


def test_a_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Pattern.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="holds no pattern.json"):
        Pattern.load(tmp_path)


def test_encoding_names_axes_and_places() -> None:
    lines = Encoding.of((4, 2, 9, 8), -2)
    assert (lines.axes, lines.shape, lines.size, lines.centre, lines.word) == ((-2,), (9,), 9, 4, "lines")
    points = Encoding.of((4, 2, 5, 6, 7), -1, -3)
    assert (points.axes, points.shape, points.centre, points.word) == ((-3, -1), (5, 7), 2 * 7 + 3, "points")
    assert points.offsets()[points.centre].tolist() == [0, 0]
    assert points.offsets()[0].tolist() == [-2, -3]
    mask = np.arange(35).reshape(1, 5, 7)
    assert points.spread(mask, 3).shape == (1, 5, 1, 7)
    np.testing.assert_array_equal(points.gather(np.broadcast_to(points.spread(mask, 3), (1, 5, 6, 7))), 6 * mask)
    for axis, second, sentence in ((-3, 0, "no axis"), (0, 0, "no axis|axis"), (-1, -1, "two different")):
        with pytest.raises(InputError, match=sentence):
            Encoding.of((4, 2, 9, 8), axis, second)


@pytest.mark.parametrize("shape", [(3, 2, 8, 9), (2, 1, 7, 5), (1, 1, 5, 4, 3)])
def test_k_space_comes_back_as_the_image_for_any_size(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    images = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    for axes in ((-1,), (-2,), (-2, -1), tuple(range(2 - len(shape), 0))):
        k = to_kspace(images, axes)
        np.testing.assert_allclose(from_kspace(k, axes), images, atol=1e-13)
        assert (np.abs(k) ** 2).sum() == pytest.approx((np.abs(images) ** 2).sum())
        ones = to_kspace(np.ones(shape), axes)
        centre = tuple(shape[axis] // 2 if axis - len(shape) in axes else 0 for axis in range(len(shape)))
        assert np.abs(ones[centre]) == pytest.approx(np.abs(ones).max())
    assert to_kspace(images.astype(np.complex64), (-1,)).dtype == np.complex64


def test_a_ramp_of_phase_is_one_line_at_its_frequency() -> None:
    for n in (8, 9):
        for frequency in (-3, 0, 2):
            image = np.exp(2j * np.pi * frequency * np.arange(n) / n)
            assert np.flatnonzero(np.abs(to_kspace(image[None], (-1,))[0]) > 1e-9).tolist() == [n // 2 + frequency]


def test_numbers_of_lines() -> None:
    assert line_count(256, acceleration=8) == 32
    assert line_count(5, acceleration=5) == 1
    assert line_count(5, lines=5) == 5
    for asked in ({}, {"lines": 2, "acceleration": 2}, {"lines": 0}, {"lines": 6}, {"acceleration": 5.5}):
        with pytest.raises(InputError):
            line_count(5, **asked)
