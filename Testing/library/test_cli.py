"""The command line of every job, in real subprocesses and in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from job_cases import job_cases

from DeepMRILib import cli, files
from DeepMRILib.igs import Pattern
from DeepMRILib.jobs import JOBS
from DeepMRILib.options import settings
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

ROOT = Path(__file__).resolve().parents[2]


def example_arguments(job, folder: Path) -> list[str]:
    """A job's example inputs as files, and the arguments that name them."""
    arguments = []
    inputs = job.example_inputs()
    for item in job.inputs:
        value = inputs.get(item.name)
        if value is None:
            continue
        several = value if isinstance(value, tuple) else (value,)
        paths = [str(write_input(one, folder / f"{item.name}{n}", item.kind)) for n, one in enumerate(several)]
        arguments += paths if item.required else [f"--{item.name.replace('_', '-')}", *paths]
    for name, setting in job.quick:
        entries = setting if isinstance(setting, tuple) else (setting,)
        arguments += [f"--{name.replace('_', '-')}", *map(str, entries)]
    return arguments


def write_input(value: object, stem: Path, kind: str) -> Path:
    path = stem.with_suffix(".nii.gz")
    if isinstance(value, DiffusionVolume):
        files.write_diffusion(value, path)
    elif isinstance(value, LabelVolume):
        files.write_labels(value, path)
    elif isinstance(value, Volume):
        files.write_volume(value, path)
    elif kind == "array":
        path = stem.with_suffix(".npy")
        files.write_array(value, path)
    elif kind in ("points", "outside"):
        path = stem.with_suffix(".csv")
        np.savetxt(path, value, delimiter=",", header="x,y,z", comments="")
    elif isinstance(value, Pattern):
        path = value.save(stem.with_suffix(".json"), overwrite=True)
    elif kind == "prompts":
        path = write_prompts(value, stem.with_suffix(".csv"))
    else:
        path = Path(value)
    return path


def write_prompts(points: np.ndarray | dict[str, np.ndarray], path: Path) -> Path:
    groups = points if isinstance(points, dict) else {"": points}
    lines = [f"{name},{r},{a},{s}" for name, group in groups.items() for r, a, s in np.asarray(group).tolist()]
    path.write_text("\n".join(["segment,r,a,s", *lines]))
    return path


def run(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str]:
    """Exit code and standard error of one command in this process."""
    code = cli.main([str(argument) for argument in arguments])
    return code, capsys.readouterr().err


def assert_one_sentence(error: str, *words: str) -> None:
    assert error.startswith("deepmri: ")
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    for word in words:
        assert word in error


@job_cases
def test_every_job_runs_from_files_to_a_folder(job, tmp_path: Path, capsys) -> None:
    output = tmp_path / "out"
    code, error = run(capsys, job.method, job.name, *example_arguments(job, tmp_path), "-o", output, "--no-report")
    assert code == 0, error
    entries = json.loads((output / "result.json").read_text())
    assert entries["provenance"]["job"] == job.key
    assert set(entries["provenance"]["options"]) == {item.name for item in settings(job.options_type)}
    named = [entry["file"] for entry in entries.values() if isinstance(entry, dict) and "file" in entry]
    assert named
    assert all((output / name).is_file() for name in named)


@job_cases
def test_every_job_writes_a_report_with_pictures(job, tmp_path: Path, capsys) -> None:
    output = tmp_path / "out"
    code, error = run(capsys, job.method, job.name, *example_arguments(job, tmp_path), "-o", output, "-q")
    assert (code, error) == (0, "")
    if job.report is not None:
        page = (output / "report.html").read_text(encoding="utf-8")
        assert "data:image/png" in page
        assert "research use only" in page.lower()


@job_cases
def test_every_setting_is_an_argument_with_help_unit_and_default(job, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main([job.method, job.name, "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for item in settings(job.options_type):
        assert f"--{item.name.replace('_', '-')}" in text
        assert " ".join(item.help.split()[:3]) in text


@job_cases
def test_an_existing_output_is_refused_before_the_work(job, tmp_path: Path, capsys) -> None:
    output = tmp_path / "out"
    output.mkdir()
    code, error = run(capsys, job.method, job.name, *example_arguments(job, tmp_path), "-o", output)
    assert code == 2
    assert_one_sentence(error, "exists", "--overwrite")
    assert list(output.iterdir()) == []


@job_cases
def test_an_unknown_option_is_one_sentence(job, tmp_path: Path, capsys) -> None:
    arguments = example_arguments(job, tmp_path)
    code, error = run(capsys, job.method, job.name, *arguments, "-o", tmp_path / "out", "--nosuch", "3")
    assert code == 2
    assert_one_sentence(error, "--nosuch", f"deepmri {job.method} {job.name} --help")
    assert not (tmp_path / "out").exists()


@job_cases
def test_a_value_that_is_no_choice_or_number_is_one_sentence(job, tmp_path: Path, capsys) -> None:
    for item in settings(job.options_type):
        if item.kind in (str, Path) or item.length is not None or item.kind is bool:
            continue
        flag = f"--{item.name.replace('_', '-')}"
        code, error = run(
            capsys, job.method, job.name, *example_arguments(job, tmp_path), "-o", tmp_path / "x", flag, "??"
        )
        assert code == 2
        assert_one_sentence(error, flag)
        assert not (tmp_path / "x").exists()


@job_cases
def test_a_missing_input_file_is_one_sentence(job, tmp_path: Path, capsys) -> None:
    arguments = example_arguments(job, tmp_path)
    if not job.inputs:
        pytest.skip("this job has no inputs")
    arguments[0] = str(tmp_path / "nowhere.nii.gz")
    code, error = run(capsys, job.method, job.name, *arguments, "-o", tmp_path / "out")
    assert code == 2
    assert_one_sentence(error, "nowhere.nii.gz")
    assert not (tmp_path / "out").exists()


def test_overview_names_every_method_and_a_wrong_word_is_one_sentence(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(job.method in shown for job in JOBS)
    assert "--version" in shown
    code, error = run(capsys, "nosuch")
    assert code == 2
    assert_one_sentence(error, "nosuch")
    code, error = run(capsys, JOBS[0].method, "nosuch")
    assert code == 2
    assert_one_sentence(error, "nosuch")


def test_the_installed_program_answers(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "DeepMRILib", "ivim", "fit", str(tmp_path / "no.nii"), "-o", str(tmp_path / "out")],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "60"},
    )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert_one_sentence(ran.stderr, "no.nii")


def test_an_option_that_is_nearly_right_is_one_short_sentence(tmp_path: Path, capsys) -> None:
    code, error = run(capsys, "ivim", "fit", "a.nii", "--bval", "x", "-o", tmp_path / "out")
    assert code == 2
    assert error == "deepmri: Unrecognized options: --bval, x (is --bvals meant?). See deepmri ivim fit --help.\n"
    code, error = run(capsys, "ivim", "fit", "--bval", "x")
    assert code == 2
    assert_one_sentence(error, "volume")


@job_cases
def test_help_shows_no_default_where_there_is_none(job, capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main([job.method, job.name, "--help"])
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "(default: None)" not in text
    assert "(default: )" not in text
    assert "Print nothing but errors" in text
