"""The job that finds a pattern: its tables, its growth, its record, and what it tells a reader."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.igs import FindOptions, Pattern, PatternResult, SliceDataset, find, ring_phantom, stripe_phantom
from DeepMRILib.igs.finding_job import lines_table, rivals_table

ALL = {"part": "all", "device": "cpu"}


@pytest.fixture(scope="module")
def found() -> PatternResult:
    return find(ring_phantom(8, 48), FindOptions(lines=8, **ALL))


def rows_of(table: Any) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def test_a_row_for_each_line_in_order(found: PatternResult) -> None:
    rows = rows_of(found.lines)
    assert [row["line"] for row in rows] == list(found.pattern.order)
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert rows[0] == {
        "step": 1, "contrast": "all", "line": 24, "offset": 0, "gradient": None, "loss": found.pattern.losses[0],
    }  # fmt: skip
    assert all(row["offset"] == row["line"] - 24 for row in rows)
    assert all(row["gradient"] < 0 for row in rows[1:])


def test_points_and_contrasts_have_their_columns() -> None:
    points = rows_of(lines_table(Pattern(((10, 5),), (4, 4), (-2, -1), gradients=((None, -0.5),))))
    assert points[1] == {
        "step": 2, "contrast": "all", "line": 1, "offset": -1, "line_2": 1, "offset_2": -1, "gradient": -0.5,
        "loss": None,
    }  # fmt: skip
    two = rows_of(lines_table(Pattern(((4, 5), (4, 3)), (8,), (-1,), losses=(0.5, 0.25))))
    assert [(row["step"], row["contrast"], row["line"]) for row in two] == [(1, 0, 4), (1, 1, 4), (2, 0, 5), (2, 1, 3)]


def test_rivals_are_those_of_the_pattern_and_the_mask_is_the_recommended(found: PatternResult) -> None:
    rows = rows_of(found.rivals)
    assert [row["lines"] for row in rows] == [rung.lines for rung in found.pattern.rungs]
    assert rows[-1]["acceleration"] == 6
    best = min(rows[-1][name] for name in ("igs", "block", "centre"))
    assert rows[-1][rows[-1]["recommended"]] == pytest.approx(best, rel=1e-5)
    assert np.array_equal(found.mask, found.pattern.mask(kind="recommended"))
    assert found.mask.sum() == 8
    assert rivals_table(Pattern(((4,),), (8,), (-1,))).rows == []


def test_the_growth_is_of_one_slice(found: PatternResult) -> None:
    data = ring_phantom(8, 48)
    assert found.growth_lines.tolist() == list(range(1, 9))
    assert any(np.allclose(found.example, np.abs(image[0])) for image in data.images)
    errors = np.abs(found.growth - found.example).mean(axis=(1, 2))
    assert errors[-1] < 0.6 * errors[0]
    assert set(np.unique(found.example_labels)) <= {0, 1, 2, 3}


def test_the_record_says_how_it_was_made(found: PatternResult) -> None:
    made = found.provenance
    assert made.job == "igs.find"
    assert "Razumov" in made.engine
    assert "absolute error" in made.engine
    assert made.options["lines"] == 8
    assert made.inputs["images"] == [8, 1, 48, 48]
    assert made.inputs["sha256"] == ring_phantom(8, 48).digest() == found.pattern.about["data"]
    assert found.pattern.about["network"] == "none"
    assert set(made.seconds) == {"read", "search", "growth"}
    assert made.weights_sha256 is None


def test_labels_without_a_network_are_pointed_out(found: PatternResult) -> None:
    assert any("igs train" in note for note in found.provenance.notes)
    plain = find(SliceDataset(ring_phantom(4, 32).images), FindOptions(lines=4, **ALL))
    assert not any("igs train" in note for note in plain.provenance.notes)
    classes = find(SliceDataset(ring_phantom(4, 32).images, [0, 1, 0, 1]), FindOptions(lines=4, **ALL))
    assert any("not the classes" in note for note in classes.provenance.notes)


def test_the_folder_has_the_pattern_the_tables_and_the_animation(found: PatternResult, tmp_path: Path) -> None:
    folder = found.save(tmp_path / "found")
    names = {path.name for path in folder.iterdir()}
    assert {"pattern.json", "lines.csv", "rivals.csv", "mask.npy", "growth.npy", "growth.gif", "result.json"} <= names
    assert set(json.loads((folder / "result.json").read_text())["files"]) == names
    assert Pattern.load(folder).orders == found.pattern.orders
    with (folder / "lines.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 8
    with Image.open(folder / "growth.gif") as animation:
        assert animation.n_frames == 8


@pytest.mark.torch
def test_a_network_is_served_and_named() -> None:
    pytest.importorskip("torch")
    networks = pytest.importorskip("igs_networks")
    data = networks.discs(8)
    result = find(data, FindOptions(lines=6, **ALL), network=networks.Brighter())
    assert result.pattern.about["loss"] == "dice"
    assert result.provenance.inputs["network"] == "Brighter"
    assert result.growth_labels.shape == result.growth.shape
    truth = result.example_labels > 0
    agreement = [np.mean((labels > 0) == truth) for labels in result.growth_labels]
    assert agreement[-1] > agreement[0]
    image = find(data, FindOptions(lines=6, loss="l1", **ALL), network=networks.Brighter())
    alone = find(data, FindOptions(lines=6, loss="l1", **ALL))
    assert image.pattern.orders == alone.pattern.orders
    assert any("for pictures only" in note for note in image.provenance.notes)


def test_parts_are_taken_and_recorded() -> None:
    data = stripe_phantom(12, 32, frequency=8)
    result = find(data, FindOptions(lines=4, device="cpu"))
    assert result.provenance.inputs["images"][0] == 3
    assert result.pattern.about["part"] == "select"
    assert any("part select" in note for note in result.provenance.notes)


def test_bad_input_is_refused_with_a_sentence() -> None:
    data = ring_phantom(4, 32)
    with pytest.raises(InputError, match="needs a network"):
        find(data, FindOptions(loss="dice", **ALL))
    with pytest.raises(InputError, match="32"):
        find(data, FindOptions(lines=33, **ALL))
    with pytest.raises(InputError, match="Give slices, an image, or the path"):
        find(3.5, FindOptions(**ALL))  # type: ignore[arg-type]


def test_a_search_can_be_stopped() -> None:
    calls = []

    def stop(fraction: float, message: str) -> None:
        calls.append(fraction)
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        find(ring_phantom(4, 32), FindOptions(lines=8, **ALL), progress=stop)
    assert calls == sorted(calls)
