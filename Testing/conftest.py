"""What all tests share: the real data, and a home of their own for settings and models."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pytest
import required

ROOT = Path(__file__).resolve().parents[1]


def _data_folder() -> Path:
    return Path(os.environ.get("DEEPMRI_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; DEEPMRI_TEST_DATA names another place."""
    folder = _data_folder()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set DEEPMRI_TEST_DATA")
    return folder


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's own models and settings."""
    monkeypatch.setenv("DEEPMRI_HOME", str(tmp_path_factory.mktemp("deepmri_home")))


def pytest_sessionstart() -> None:
    """Where nothing may be left out, PyTorch must be there: many tests would skip themselves without it."""
    if not required.everything():
        return
    try:
        importlib.import_module("torch")
    except ImportError as error:
        raise pytest.UsageError(f"DEEPMRI_REQUIRE_DATA is set, and PyTorch is missing: {error}") from error


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the real data carry a mark, which their reports keep, also from another process."""
    for item in items:
        if "shared_data" in getattr(item, "fixturenames", ()):
            item.add_marker("shared_data")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where nothing may be left out, a skipped test of the real data is a failure; if there are any data here."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    expected = _data_folder().is_dir() or "DEEPMRI_TEST_DATA" in os.environ
    if reporter is None or not required.everything() or not expected:
        return
    unused = [report.nodeid for report in reporter.stats.get("skipped", []) if "shared_data" in report.keywords]
    if unused:
        reporter.write_line(f"The real data of {_data_folder()} were not used by: {', '.join(unused)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
