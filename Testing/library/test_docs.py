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
SMALL = ["--size", "36", "28", "3", "--spacing", "10.4", "10.4", "30"]


def block(heading: str, language: str = "") -> str:
    """The first code block under a heading."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, f"no code block under {heading}"
    return found[1]


def run(arguments: list[str], folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr


@pytest.fixture(scope="module")
def after_commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the README's commands have run, on a smaller phantom."""
    folder = tmp_path_factory.mktemp("readme")
    lines = block("Command line").strip().splitlines()
    assert [line.split()[:3] for line in lines] == [["deepmri", "ivim", "phantom"], ["deepmri", "ivim", "fit"]]
    for line in lines:
        words = shlex.split(line)[1:]
        run(["-m", "DeepMRILib", *words, *(SMALL if words[1] == "phantom" else [])], folder)
    return folder


def test_the_commands_leave_every_file_that_is_named(after_commands: Path) -> None:
    named = re.findall(
        r"`(\w+\.(?:nii\.gz|csv|html|json))`",
        README.partition("The folder `fit` then holds")[2].partition("`result.json`")[0] + "`result.json`",
    )
    assert len(named) >= 16
    assert {path.name for path in (after_commands / "fit").iterdir()} == set(named)


def test_the_python_example_runs(after_commands: Path) -> None:
    run(["-c", block("Python", "python")], after_commands)
    assert (after_commands / "fit_python" / "D.nii.gz").is_file()


def test_the_tables_of_settings_are_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, "Utilities/update_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout
    assert "<!-- settings of ivim.fit -->\n| setting |" in README


def test_the_demonstration_leaves_its_page(tmp_path: Path) -> None:
    run([str(ROOT / "Utilities" / "demo.py"), "--output", str(tmp_path / "demo")], ROOT)
    page = (tmp_path / "demo" / "index.html").read_text(encoding="utf-8")
    assert page.count("data:image/png") == 4
    assert "research use only" in page.lower()
    assert {path.name for path in (tmp_path / "demo" / "figures").iterdir()} == {
        "D.png",
        "f.png",
        "D_star.png",
        "decay.png",
    }
    assert (tmp_path / "demo" / "fit" / "regions.csv").is_file()
