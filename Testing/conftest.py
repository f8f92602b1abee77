"""What all tests share: the real data, and a home of their own for settings and models."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With DEEPMRI_REQUIRE_DATA, real data that are there and were not used are a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("DEEPMRI_REQUIRE_DATA") or not (ROOT.parent / "shared" / "data").is_dir():
        return
    unused = [report.nodeid for report in reporter.stats.get("skipped", []) if "real data" in str(report.longrepr)]
    if unused:
        reporter.write_line(f"The real data are there, but were not used by: {', '.join(unused)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
