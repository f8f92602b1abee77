"""Inputs on the command line that are no images: arrays, folders, models by name or place, typed b-values."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pydicom
import pytest
from files_dicom_writer import write_classic
from files_samples import a_scanned_series
from toy_job import TOY, TOY_STUDY

from DeepMRILib import cli, files, transfer
from DeepMRILib.cli_inputs import READERS, input_flags, read_input
from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.files.study import SeriesFile
from DeepMRILib.jobs import JOBS, Input, Kind
from DeepMRILib.model_store import ModelCard, ModelStore
from DeepMRILib.options import option
from DeepMRILib.volume import DiffusionVolume

pytest.importorskip("safetensors")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with an array and, in the user's store, a model of the toy's."""
    np.save(tmp_path / "a.npy", np.array([1.0, 2.5]))
    save_model(ModelStore())
    return tmp_path


def save_model(store: ModelStore, name: str = "toy-net", method: str = "toy") -> Path:
    return store.save(ModelCard(name, method, "1", "Apache-2.0", "here"), {"w": np.zeros(1, np.float32)}).folder


def run_toy(*arguments: object) -> int:
    command = cli._parse({"run": cli.command_type(TOY)}, ["run", *map(str, arguments)], "deepmri toy")
    return cli.run_command(TOY, command)


def test_a_job_gets_array_folder_and_model_and_its_result_is_read_back(inputs: Path) -> None:
    out = inputs / "out"
    given = ("--folder", inputs, "--model", "toy-net", "-o", out, "-q")
    assert run_toy(inputs / "a.npy", "--factor", 3, *given) == 0
    assert np.array_equal(np.load(out / "product.npy"), [3.0, 7.5])
    with np.load(out / "parts.npz") as parts:
        assert {name: parts[name].tolist() for name in parts.files} == {"first": [3.0], "file": [7.5]}
    entries = json.loads((out / "result.json").read_text(), parse_constant=pytest.fail)
    assert entries["product"] == {"file": "product.npy"}
    assert entries["parts"] == {"file": "parts.npz", "arrays": ["first", "file"]}
    assert entries["seen"]["mean"] is None
    assert entries["seen"]["model"] == "toy-net"
    assert "a.npy" in entries["seen"]["files"]


def find(text: str, method: str = "toy") -> Path:
    return read_input(Input("model", "model", "A model"), {"model": Path(text)}, method)


def test_a_model_is_a_name_of_the_store_or_a_place(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = find("toy-net")
    assert stored == ModelStore().folder / "toy-net"
    elsewhere = save_model(ModelStore(tmp_path / "elsewhere"))
    assert find(str(elsewhere)) == elsewhere
    monkeypatch.chdir(elsewhere.parent)
    assert find("toy-net").resolve() == elsewhere  # a model that lies here is meant before one of the store
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy-net").mkdir()
    assert find("toy-net") == stored  # a folder that is no model is not meant


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nosuch", "There is no model 'nosuch' in .*Models here: toy-net"),
        ("no/such", "There is no model in no.such"),
        ("other", "other is for ivim, not for toy"),
    ],
)
def test_a_model_that_is_not_there_or_not_for_the_method(inputs: Path, text: str, words: str) -> None:
    save_model(ModelStore(), "other", "ivim")
    with pytest.raises(WeightsError, match=words):
        find(text)


def test_a_folder_must_be_one(tmp_path: Path) -> None:
    item = Input("folder", "folder", "A folder")
    (tmp_path / "file").touch()
    for name, words in (("nosuch", "does not exist"), ("file", "is a file; a folder was expected")):
        with pytest.raises(InputError, match=words):
            read_input(item, {"folder": tmp_path / name}, "toy")


def test_every_kind_has_a_reader() -> None:
    assert set(typing.get_args(Kind)) == {*READERS, "model", "network"}


# -- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.key)
def test_the_arguments_of_a_job_have_one_name_each(job) -> None:
    names = [item.name for item in dataclasses.fields(cli.command_type(job))]
    assert len(set(names)) == len(names)
    assert {"output", "overwrite", "quiet", "no_report"} < set(names)


@dataclasses.dataclass(frozen=True)
class Clashing:
    quiet: bool = option(False, "Less noise")


@dataclasses.dataclass(frozen=True)
class Negated:
    report: bool = option(True, "Write the report")


@dataclasses.dataclass(frozen=True)
class WithBvals:
    bvals: float = option(1.0, "Something else")


@pytest.mark.parametrize(
    ("options", "inputs", "name"),
    [
        (Clashing, (), "quiet"),
        (Negated, (), "no_report"),
        (WithBvals, (Input("volume", "diffusion", "A series"),), "bvals"),
        (Clashing, (Input("output", "volume", "An image"),), "output"),
        (Clashing, (Input("a", "volume", "An image"), Input("a", "mask", "A mask")), "a"),
    ],
)
def test_a_clash_of_names_is_named(options: type, inputs: tuple[Input, ...], name: str) -> None:
    job = dataclasses.replace(TOY, options=f"test_cli_inputs:{options.__name__}", inputs=inputs)
    with pytest.raises(TypeError, match=f"toy.run: two arguments of its command are called {name};"):
        cli.command_type(job)


# -- typed b-values, and libraries that talk ----------------------------------------------------------------------


def test_many_typed_b_values_are_read_as_numbers(tmp_path: Path, rng: np.random.Generator) -> None:
    values = np.repeat(np.arange(0, 1200, 40), 4).astype(float)
    series = DiffusionVolume(rng.normal(size=(2, 2, 2, 120)).astype(np.float32), np.eye(4), values)
    files.write_diffusion(series, tmp_path / "dwi.nii.gz")
    (tmp_path / "dwi.bval").unlink()
    typed = ",".join(f"{value:.3f}" for value in values)
    assert len(typed) > 255  # longer than a file's name may be
    item = Input("volume", "diffusion", "A series")
    given = {"volume": tmp_path / "dwi.nii.gz", "bvals": typed, "bvecs": None}
    assert np.array_equal(read_input(item, given, "ivim").b_values, values)


def test_what_pydicom_remarks_is_not_shown(tmp_path: Path, rng: np.random.Generator) -> None:
    paths = write_classic(tmp_path / "in", a_scanned_series(rng))
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.PixelData += bytes(64)
        dataset.save_as(path)
    command = [sys.executable, "-m", "DeepMRILib", "ivim", "fit", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    loud = subprocess.run(
        [sys.executable, "-c", f"from DeepMRILib import files; files.read_volume({str(paths[0])!r})"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "UserWarning" in loud.stderr  # as pydicom has it
    ran = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "60"}
    )
    assert "UserWarning" not in ran.stderr
    assert "pixel data" not in ran.stderr.lower()


def test_one_of_several_dicom_series_is_chosen_on_the_command_line(tmp_path: Path, rng, capsys) -> None:
    (tmp_path / "d").mkdir()
    for number in (1, 2):
        write_classic(tmp_path / "d" / str(number), a_scanned_series(rng), "standard")
        uid = pydicom.uid.generate_uid()
        for path in (tmp_path / "d" / str(number)).iterdir():
            dataset = pydicom.dcmread(path)
            dataset.SeriesNumber, dataset.SeriesInstanceUID = number, uid
            dataset.save_as(path)
    arguments = ["ivim", "fit", str(tmp_path / "d"), "-o", str(tmp_path / "out"), "-q", "--no-report"]
    assert cli.main(arguments) == 2
    assert "Choose one with --series" in capsys.readouterr().err
    assert cli.main([*arguments, "--series", "7"]) == 2
    assert "holds no series '7'" in capsys.readouterr().err
    code = cli.main([*arguments, "--series", "2"])
    error = capsys.readouterr().err
    assert code == 0, error


def test_a_second_input_of_a_kind_has_flags_of_its_own() -> None:
    job = dataclasses.replace(TOY, inputs=(Input("scan", "diffusion", "S"), Input("anatomy", "volume", "A")))
    names = [list(input_flags(job, item)) for item in job.inputs]
    assert names == [["bvals", "bvecs", "series"], ["anatomy_series"]]
    assert {"series", "anatomy_series"} <= {item.name for item in dataclasses.fields(cli.command_type(job))}


# -- several series -----------------------------------------------------------------------------------------------


def run_study(*arguments: object) -> int:
    commands = {"study": cli.command_type(TOY_STUDY)}
    command = cli._parse(commands, ["study", *map(str, arguments)], "deepmri toy")
    return cli.run_command(TOY_STUDY, command, ["deepmri", "toy"])


@pytest.fixture
def two_series(tmp_path: Path, rng: np.random.Generator) -> list[Path]:
    paths = [tmp_path / "in" / name for name in ("a.nii.gz", "b.nii.gz")]
    paths[0].parent.mkdir()
    for path, b_values in zip(paths, ([0, 50, 800], [0, 100, 900]), strict=True):
        files.write_diffusion(DiffusionVolume(rng.normal(size=(2, 2, 2, 3)), np.eye(4), b_values), path)
    return paths


def test_a_study_is_several_files_whose_masks_and_records_keep_their_order(two_series: list[Path]) -> None:
    out = two_series[0].parent.parent / "out"
    assert run_study(*two_series, "-o", out, "-q", "--masks", two_series[1], two_series[0], "--factor", 1) == 0
    assert np.load(out / "product.npy").tolist() == [850, 1000]
    entries = json.loads((out / "result.json").read_text())
    assert entries["seen"] == {"series": ["a.nii.gz", "b.nii.gz"], "masks": ["b.nii.gz", "a.nii.gz"]}
    records = entries["provenance"]["inputs"]["files"]
    assert {name: Path(record["path"]).name for name, record in records.items()} == {
        "volumes 1": "a.nii.gz",
        "volumes 2": "b.nii.gz",
        "masks 1": "b.nii.gz",
        "masks 2": "a.nii.gz",
    }


def test_typed_b_values_are_those_of_all_series(two_series: list[Path]) -> None:
    for path in two_series:
        path.with_name(path.name.replace(".nii.gz", ".bval")).unlink()
    out = two_series[0].parent.parent / "out"
    assert run_study(*two_series, "--bvals", "0,10,20", "-o", out, "-q") == 0
    assert np.load(out / "product.npy").tolist() == [60, 60]


@pytest.mark.parametrize("place", ["volumes", "masks"])
def test_a_missing_file_of_a_study_is_told_before_the_first_is_read(
    two_series: list[Path], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr("DeepMRILib.files.read_diffusion", pytest.fail)
    nowhere = [two_series[0], "nowhere.nii.gz"]
    arguments = nowhere if place == "volumes" else [*two_series, "--masks", *nowhere]
    with pytest.raises(InputError, match="no image nowhere.nii.gz"):
        run_study(*arguments, "-o", two_series[0].parent.parent / "out")


def test_a_study_of_nothing_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="The input volumes is missing. Series."):
        run_study("-o", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_study_travels_between_processes(two_series: list[Path], tmp_path: Path) -> None:
    given = tuple(SeriesFile(path, np.array([0.0, 1, 2]), "7") for path in two_series)
    arrived = transfer.decode(json.loads(json.dumps(transfer.encode(given, tmp_path))), tmp_path)
    assert [series.path for series in arrived] == two_series
    assert [series.b_values.tolist() for series in arrived] == [[0, 1, 2]] * 2
