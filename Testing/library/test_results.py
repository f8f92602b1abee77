"""A result stands in its folder whole or not at all, and nothing that is not a result is ever replaced."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
import pytest

from DeepMRILib.errors import OutputError
from DeepMRILib.results import Provenance, Result, new_folder
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume, Volume


@dataclass(frozen=True)
class Example(Result):
    maps: dict[str, Volume] = field(default_factory=dict)
    series: DiffusionVolume | None = None
    regions: Table = field(default_factory=lambda: Table({}))
    score: float = 0.5


def example() -> Example:
    volume = Volume(np.arange(24, dtype=np.float32).reshape(2, 3, 4), np.diag([2.0, 2, 3, 1]))
    series = DiffusionVolume(np.ones((2, 3, 4, 2), dtype=np.float32), volume.affine, [0, 800])
    table = Table({"region": ["liver, left"], "D": [np.float64(0.0011)]}, {"D": "mm2/s"})
    return Example(Provenance("toy.run", "toy", {"a": 1}, seed=4), {"D": volume}, series, table)


def test_every_field_becomes_a_file_with_a_fixed_name(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == [
        "D.nii.gz", "regions.csv", "result.json", "series.bval", "series.nii.gz",
    ]  # fmt: skip
    assert np.array_equal(nibabel.load(folder / "D.nii.gz").get_fdata(), example().maps["D"].array)
    assert (folder / "regions.csv").read_text() == 'region,D\n"liver, left",0.0011\n'
    entries = json.loads((folder / "result.json").read_text())
    assert entries["provenance"]["options"] == {"a": 1}
    assert entries["provenance"]["seed"] == 4
    assert entries["maps"]["D"]["file"] == "D.nii.gz"
    assert entries["score"] == 0.5


def test_a_result_has_the_rights_of_any_other_folder(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    plain = tmp_path / "plain"
    plain.mkdir()
    assert folder.stat().st_mode == plain.stat().st_mode


def test_an_existing_output_is_refused_and_untouched(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    before = (folder / "result.json").stat().st_mtime_ns
    with pytest.raises(OutputError, match="exists. Choose another folder, or add --overwrite"):
        example().save(folder)
    assert (folder / "result.json").stat().st_mtime_ns == before


def test_overwrite_replaces_the_whole_old_result(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    (folder / "old.txt").write_text("old")
    example().save(folder, overwrite=True)
    assert not (folder / "old.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_overwrite_never_takes_a_folder_that_is_not_a_result(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("years")
    with pytest.raises(OutputError, match="is not a result of DeepMRI"):
        example().save(home, overwrite=True)
    link = tmp_path / "link"
    link.symlink_to(home)
    with pytest.raises(OutputError, match="is not a result of DeepMRI"):
        example().save(link, overwrite=True)
    assert (home / "thesis.txt").read_text() == "years"


def test_a_failure_half_way_leaves_the_old_result_and_nothing_else(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    (folder / "mark").write_text("old")

    def fail() -> None:
        with new_folder(folder, overwrite=True) as partial:
            (partial / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (folder / "mark").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_missing_parent_is_said_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="does not exist. Make it first"):
        example().save(tmp_path / "no" / "out")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_a_sentence() -> None:
    from DeepMRILib.writing import refusals_as_errors

    def fill() -> None:
        with refusals_as_errors("/dev/full cannot be written"), Path("/dev/full").open("w") as stream:
            stream.write("x" * 100_000)

    with pytest.raises(OutputError, match="/dev/full cannot be written: the disk is full"):
        fill()


def test_no_right_to_write_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "locked"
    place.mkdir()
    if os.geteuid() == 0:  # root may write anywhere on an ordinary disk, but not into the kernel's own files
        place = Path("/sys")
    else:
        place.chmod(0o500)
    with pytest.raises(OutputError, match="no right to write|is read-only"):
        example().save(place / "out")
