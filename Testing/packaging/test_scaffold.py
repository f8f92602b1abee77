"""A sixth module, made from the page in CONTRIBUTING word for word, passes the general tests without another edit."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STEP = re.compile(
    r"^(?P<verb>Create|Add to) `(?P<path>[^`]+)`(?:, (?P<side>before|after) the line `(?P<line>[^`]+)`)?:\n\n"
    r"```\w*\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
GENERAL = ["Testing/library/test_options.py", "Testing/library/test_cli.py", "Testing/library/test_worker.py"]
GENERAL_PANELS = ["Testing/panels/test_modules.py"]
GENERAL_PACKAGING = ["test_package.py", "test_catalog.py", "test_imports.py"]


def steps() -> list[re.Match[str]]:
    """The page's steps, in their order."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Adding a module")[2]
    return list(STEP.finditer(page))


def follow(folder: Path) -> None:
    """Do what the page says, in a copy of the repository."""
    for step in steps():
        path = folder / step["path"]
        if step["verb"] == "Create":
            path.parent.mkdir(parents=True, exist_ok=True)
            assert not path.exists()
            path.write_text(step["text"], encoding="utf-8")
            continue
        lines = path.read_text(encoding="utf-8").split("\n")
        at = lines.index(step["line"]) + (step["side"] == "after")
        lines[at:at] = step["text"].rstrip("\n").split("\n")
        path.write_text("\n".join(lines), encoding="utf-8")
    icons = folder / "SmoothVolume" / "Resources" / "Icons"
    icons.mkdir()
    shutil.copy(folder / "IVIMFit" / "Resources" / "Icons" / "IVIMFit.png", icons / "SmoothVolume.png")
    subprocess.run([sys.executable, "Utilities/update_cmake_lists.py"], cwd=folder, check=True)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scaffold") / "SlicerDeepMRI"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    for name in listed:
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    follow(folder)
    for command in (["init", "-q"], ["add", "-A"], ["remote", "add", "origin", "https://example.org/SlicerDeepMRI"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def run_tests(folder: Path, tests: list[str]) -> str:
    """Run tests of the copy in a fresh interpreter that imports the copy's library; returns what pytest printed."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *tests],
        cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(folder)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    return ran.stdout


def test_the_page_names_every_file() -> None:
    lists = [step["path"] for step in steps() if step["verb"] == "Add to"]
    assert lists == ["DeepMRILib/jobs.py", "CMakeLists.txt", "README.md"]
    assert len(steps()) >= 8


def test_the_new_files_keep_the_style(copy: Path) -> None:
    for command in (["check"], ["format", "--check"]):
        ran = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "DeepMRILib", "SmoothVolume"],
            cwd=copy, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout


def test_the_new_job_passes_the_general_tests_of_command_line_and_worker(copy: Path) -> None:
    printed = run_tests(copy, [*GENERAL, "-k", "smooth"])
    assert printed.count("PASSED") >= 9
    assert "test_every_job_gives_the_same_through_the_worker_as_in_process[smooth.run]" in printed


def test_the_new_panel_passes_the_general_tests_of_panels(copy: Path) -> None:
    pytest.importorskip("slicer", reason="needs slicer-core")
    printed = run_tests(copy, [*GENERAL_PANELS, "-k", "SmoothVolume"])
    assert printed.count("PASSED") >= 8


def test_the_new_module_passes_the_tests_of_the_package(copy: Path) -> None:
    printed = run_tests(copy, [f"Testing/packaging/{name}" for name in GENERAL_PACKAGING])
    assert "SmoothVolume" in printed
