"""The wheel: the library with its data and the command line, and nothing of Slicer's modules or the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from extension_tree import LIBRARY, ROOT, shipped_library

pytest.importorskip("setuptools", minversion="77", reason="builds the wheel; it is in the extra 'test'")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no build folder is left in the tree; by setuptools' own hook, offline."""
    source = tmp_path_factory.mktemp("wheel") / "source"
    source.mkdir()
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, source)
    for name in (LIBRARY.name, "Testing", "Utilities"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "output"))
    code = "from setuptools.build_meta import build_wheel; build_wheel('out')"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = (source / "out").glob("*.whl")
    return built


def test_the_wheel_holds_the_library_with_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    assert names == shipped_library()


def test_the_wheel_carries_the_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = {Path(name).name for name in packed.namelist() if ".dist-info/licenses/" in name}
    assert names == {"LICENSE.txt", "NOTICE"}


def test_the_command_runs_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    code = (
        "import sys; from importlib.metadata import distribution\n"
        "(entry,) = distribution('deepmrilib').entry_points.select(group='console_scripts')\n"
        "sys.argv = [entry.name, '--help']; sys.exit(entry.load()())"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deepmri" in done.stdout
