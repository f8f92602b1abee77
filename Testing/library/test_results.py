"""A result stands in its folder whole or not at all, and nothing that is not a result is ever replaced."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import nibabel
import numpy as np
import pytest

from DeepMRILib.errors import OutputError
from DeepMRILib.results import Provenance, Result, check_output, new_folder
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
    (folder / ".DS_Store").write_text("of a file browser")
    old = (folder / "D.nii.gz").stat().st_ino
    example().save(folder, overwrite=True)
    assert (folder / "D.nii.gz").stat().st_ino != old
    assert not (folder / ".DS_Store").exists()
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


def test_a_result_lists_all_its_files_and_how_it_was_made(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    entries = json.loads((folder / "result.json").read_text())
    assert entries["files"] == sorted(path.name for path in folder.iterdir())
    made = entries["provenance"]
    assert datetime.fromisoformat(made["created"]).tzinfo is not None
    assert made["software"]["numpy"] == np.__version__
    assert set(made["software"]) == {"python", "numpy", "platform"}


@pytest.mark.parametrize("name", ["thesis.txt", "scan.nii.gz", "folder", "series.bvec"])
def test_overwrite_refuses_and_names_what_is_no_part_of_the_old_result(tmp_path: Path, name: str) -> None:
    folder = example().save(tmp_path / "out")
    if name == "folder":
        (folder / name).mkdir()
    else:
        (folder / name).write_text("mine")
    with pytest.raises(OutputError, match=f"also holds {name}, which is no part"):
        example().save(folder, overwrite=True)
    assert (folder / name).exists()
    assert (folder / "D.nii.gz").exists()


def test_a_listed_name_that_is_a_link_now_is_not_ours(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    (folder / "D.nii.gz").unlink()
    (folder / "D.nii.gz").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="also holds D.nii.gz"):
        example().save(folder, overwrite=True)


@pytest.mark.parametrize(
    "content",
    ["", "{}", "[1]", '"x"', "[" * 100_000, '{"provenance": {"job": "a"}, "files": ["result.json"]}',
     '{"provenance": {"job": "a", "version": "1"}}', '{"provenance": 3, "files": []}'],
)  # fmt: skip
def test_another_programs_result_json_is_no_result(tmp_path: Path, content: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "result.json").write_text(content)
    with pytest.raises(OutputError, match="is not a result of DeepMRI"):
        example().save(tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "result.json").read_text() == content


def test_what_is_put_into_the_old_result_while_the_new_is_written_is_kept(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")

    def write() -> None:
        with new_folder(folder, overwrite=True):
            (folder / "thesis.txt").write_text("years")

    with pytest.raises(OutputError, match="also holds thesis.txt"):
        write()
    assert (folder / "thesis.txt").read_text() == "years"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("content", [None, "other"])
def test_of_two_runs_to_one_place_the_later_fails(tmp_path: Path, content: str | None) -> None:
    place = tmp_path / "out"

    def write() -> None:
        with new_folder(place) as partial:
            (partial / "late").write_text("late")
            place.mkdir()
            if content:
                (place / "first").write_text(content)

    with pytest.raises(OutputError, match="out exists. Choose another folder, or add --overwrite"):
        write()
    assert [path.name for path in place.iterdir()] == (["first"] if content else [])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_the_folder_that_we_are_in_is_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = example().save(tmp_path / "out")
    monkeypatch.chdir(folder)
    for given in (".", folder, tmp_path, "../out"):
        for overwrite in (False, True):
            with pytest.raises(OutputError, match="is the folder that you are in, or holds it"):
                check_output(given, overwrite=overwrite)
    assert check_output("../other") == tmp_path.resolve() / "other"


def test_an_input_in_the_output_is_never_replaced(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    link = tmp_path / "link.nii.gz"
    link.symlink_to(folder / "D.nii.gz")
    for given in (folder / "D.nii.gz", folder, link):
        with pytest.raises(OutputError, match="lies in the output"):
            check_output(folder, overwrite=True, inputs=[given])
    assert check_output(folder, overwrite=True, inputs=[tmp_path, tmp_path / "outer.nii"]) == folder.resolve()


def test_a_deleted_working_folder_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(OutputError, match="out cannot be written"):
        check_output("out")
    assert check_output(tmp_path / "out") == tmp_path.resolve() / "out"


def test_names_as_long_as_the_system_takes_and_longer(tmp_path: Path) -> None:
    assert (example().save(tmp_path / ("x" * 255)) / "result.json").is_file()
    with pytest.raises(OutputError, match="cannot be written: File name too long"):
        check_output(tmp_path / ("x" * 256))


def test_a_failure_half_way_leaves_the_old_result_and_nothing_else(tmp_path: Path) -> None:
    folder = example().save(tmp_path / "out")
    (folder / "D.nii.gz").write_text("old")

    def fail() -> None:
        with new_folder(folder, overwrite=True) as partial:
            (partial / "half").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (folder / "D.nii.gz").read_text() == "old"
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


@dataclass(frozen=True)
class Nested(Example):
    """A result with a folder in its folder."""

    def write_files(self, folder: Path) -> None:
        (folder / "series" / "one").mkdir(parents=True)
        (folder / "series" / "one" / "1.dcm").write_bytes(b"made")
        super().write_files(folder)


def test_a_result_with_folders_is_replaced_unless_something_was_put_into_them(tmp_path: Path) -> None:
    nested = Nested(Provenance("toy.run", "toy", {}))
    place = nested.save(tmp_path / "out")
    assert "series/one/1.dcm" in json.loads((place / "result.json").read_text())["files"]
    nested.save(place, overwrite=True)
    (place / "series" / "mine.txt").write_text("kept")
    with pytest.raises(OutputError, match="also holds series/mine.txt"):
        nested.save(place, overwrite=True)
    assert (place / "series" / "mine.txt").read_text() == "kept"
    assert (place / "series" / "one" / "1.dcm").is_file()
