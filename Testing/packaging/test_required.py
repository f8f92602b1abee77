"""In continuous integration a test that skips itself for want of data or packages is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DATA_TEST = "Testing/library/test_files_bvalues.py::test_dipy_data"
PLAIN_TEST = "Testing/library/test_options.py::test_choices_are_words"


def run(folder: Path, tests: str, *, missing: str = "", **variables: str) -> tuple[int, str]:
    """Exit status and output of pytest in a process of its own, in which a package can be missing."""
    (folder / "without.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({missing.split()!r}))\n")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DEEPMRI_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "without", "-p", "no:cacheprovider", tests],
        env={**inherited, "PYTHONPATH": str(folder), **variables},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_skipped_data_tests_fail_where_data_are_required(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    status, text = run(tmp_path, DATA_TEST, DEEPMRI_TEST_DATA=nowhere)
    assert (status, "1 skipped" in text) == (0, True)
    pytest.importorskip("torch", reason="where all is required, PyTorch is too")
    status, text = run(tmp_path, DATA_TEST, DEEPMRI_TEST_DATA=nowhere, DEEPMRI_REQUIRE_DATA="1")
    assert status == 1
    assert f"The real data of {nowhere} were not used by: {DATA_TEST}" in text


@pytest.mark.parametrize(
    ("tests", "missing"),
    [(PLAIN_TEST, "torch"), ("Testing/mrml/test_tables.py", "slicer"), ("Testing/panels/test_runner.py", "PySide6")],
)
def test_missing_packages_fail_where_all_is_required(tests: str, missing: str, tmp_path: Path) -> None:
    status, text = run(tmp_path, tests, missing=missing, DEEPMRI_REQUIRE_DATA="1")
    assert status not in (0, 5)
    assert missing.lower().replace("torch", "pytorch") in text.lower()
