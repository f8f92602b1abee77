"""What the README shows is true: its tables are up to date, its commands and its Python run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
IVIM_PAGE = (ROOT / "docs" / "ivim.md").read_text(encoding="utf-8")
JOBS = ("fit", "train", "apply", "evaluate", "simulate", "squares", "phantom")
SMALL = {
    "phantom": ["--size", "36", "28", "3", "--spacing", "10.4", "10.4", "30"],
    "train": ["--members", "1", "--epochs", "1", "--preset", "optim", "--device", "cpu"],
    "simulate": ["--n", "50"],
    "squares": ["--size", "10"],
    "evaluate": ["--methods", "lsq", "bayes", "--snr", "20", "--n", "100", "--squares-size", "10"],
}
"""Settings that are added to a command so that it takes a moment; the last of two that say the same counts."""


def blocks(heading: str, language: str = "") -> list[str]:
    """The code blocks under a heading."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^```(\w*)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return [code for kind, code in found if kind == language]


def commands(number: int) -> list[list[str]]:
    """The commands of one code block, each as words."""
    return [shlex.split(line) for line in blocks("Command line")[number].strip().splitlines()]


def run(arguments: list[str], folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


def run_commands(number: int, folder: Path, *more: str) -> list[str]:
    """Run a block's commands on small data, with more settings if given; returns the jobs that they called."""
    for words in commands(number):
        assert words[:2] == ["deepmri", "ivim"]
        run(["-m", "DeepMRILib", *words[1:], *SMALL.get(words[2], []), *more], folder)
        assert (folder / words[words.index("-o") + 1] / "result.json").is_file()
    return [words[2] for words in commands(number)]


@pytest.fixture(scope="module")
def after_commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's first commands have run, on a smaller phantom."""
    folder = tmp_path_factory.mktemp("readme")
    assert run_commands(0, folder) == ["phantom", "fit"]
    return folder


@pytest.fixture(scope="module")
def after_training(after_commands: Path) -> Path:
    """The same folder after the commands of a study."""
    pytest.importorskip("torch")
    assert run_commands(2, after_commands, "--no-report") == ["phantom", "train", "apply", "apply"]
    return after_commands


def test_the_commands_leave_every_file_that_is_named(after_commands: Path) -> None:
    named = re.findall(
        r"`(\w+\.(?:nii\.gz|csv|html|json))`",
        README.partition("The folder `fit` then holds")[2].partition("`result.json`")[0] + "`result.json`",
    )
    assert len(named) >= 16
    assert {path.name for path in (after_commands / "fit").iterdir()} == set(named)


def test_the_commands_of_other_methods_and_models_run(after_commands: Path) -> None:
    assert run_commands(1, after_commands, "--no-report") == ["fit"] * 4
    assert (after_commands / "triexp" / "D_star2.nii.gz").is_file()


def test_the_commands_that_simulate_and_compare_run(tmp_path: Path) -> None:
    assert run_commands(3, tmp_path) == ["simulate", "squares", "evaluate"]
    assert len(blocks("Command line")) == 4
    page = (tmp_path / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "Bias in each square" in page


@pytest.mark.torch
def test_the_commands_of_a_study_run(after_training: Path) -> None:
    assert (after_training / "study" / "model.safetensors").is_file()
    assert (after_training / "net_1" / "f_sd.nii.gz").is_file()


def test_the_python_example_runs(after_commands: Path) -> None:
    run(["-c", blocks("Python", "python")[0]], after_commands)
    assert (after_commands / "fit_python" / "D.nii.gz").is_file()


@pytest.mark.torch
def test_the_python_example_of_a_study_runs(after_training: Path) -> None:
    code = blocks("Python", "python")[1]
    small = 'preset="optim", members=1, epochs=1, name="study_python"'
    assert 'name="study_python"' in code
    run(["-c", code.replace('name="study_python"', small)], after_training)
    assert (after_training / "study_python" / "model.safetensors").is_file()


def test_the_tables_of_settings_and_bounds_are_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, "Utilities/update_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout
    for job in JOBS:
        assert f"<!-- settings of ivim.{job} -->\n| setting |" in IVIM_PAGE
    for model in ("adc", "biexp", "triexp"):
        assert f"<!-- bounds of {model} -->\n| body part |" in IVIM_PAGE
    assert "<!-- splits of ivim -->\n| body part |" in IVIM_PAGE


def demonstrate(output: Path, *more: str) -> str:
    """Run the demonstration on small data; returns its page."""
    run([str(ROOT / "Utilities" / "demo.py"), "--quick", "--output", str(output), *more], ROOT)
    return (output / "index.html").read_text(encoding="utf-8")


PICTURES = {
    "D",
    "f",
    "D_star",
    "uncertainty",
    "decay_organs",
    "decay_voxels",
    "squares_D",
    "squares_f",
    "squares_D_star",
}


def test_the_demonstration_leaves_its_page(tmp_path: Path) -> None:
    page = demonstrate(tmp_path / "demo", "--no-network")
    assert page.count("data:image/png") == len(PICTURES)
    assert "research use only" in page.lower()
    assert "Left out: the network" in page
    assert "IVIM-NET" not in page
    assert {path.stem for path in (tmp_path / "demo" / "figures").iterdir()} == PICTURES
    for method in ("lsq", "segmented", "bayes"):
        assert (tmp_path / "demo" / method / "regions.csv").is_file()


@pytest.mark.torch
def test_the_demonstration_shows_a_network_where_there_is_pytorch(tmp_path: Path) -> None:
    page = demonstrate(tmp_path / "demo")
    assert page.count("data:image/png") == len(PICTURES) + 1
    assert "Left out" not in page
    assert (tmp_path / "demo" / "network" / "model.safetensors").is_file()
    assert (tmp_path / "demo" / "figures" / "loss.png").is_file()


def test_a_demonstration_replaces_no_other_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    ran = subprocess.run(
        [sys.executable, str(ROOT / "Utilities" / "demo.py"), "--quick", "--overwrite", "--output", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "not replaced" in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
