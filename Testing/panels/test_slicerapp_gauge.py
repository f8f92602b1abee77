"""Slicer's own tests of its wrapper, packaging and utilities, run on the stand-ins, when Slicer's sources are there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTING = Path(__file__).resolve().parents[1]

LEFT_OUT = ["test_nonblocking_returns_immediately", "test_nonblocking_with_nonexistent_package"]
"""Wait half a minute for a pip that is not run here."""

GAUGES = {
    "test_slicer_parameter_node_wrapper": (33, set()),
    "test_slicer_parameter_pack": (18, set()),
    "test_slicer_parameter_node_wrapper_gui_creation": (11, set()),
    "test_slicer_parameter_node_wrapper_guis": (
        33,
        {
            "test_ctkColorPickerButtonToQColor",  # PySide6's QColor.name takes no int
            "test_qMRMLSubjectHierarchyComboBox",  # not imitated
            "test_qMRMLSubjectHierarchyTreeViewToNode",
        },
    ),
    "test_slicer_util_getNodes": (4, set()),
    "test_slicer_util_VTKObservationMixin": (13, set()),
    "test_slicer_util_childWidgetVariables": (1, set()),
    "test_slicer_util_without_modules": (2, set()),
    "test_slicer_util_chdir": (3, set()),
    "test_slicer_packaging": (
        84,
        {
            "test_get_installed_versions_sees_newly_installed_package",  # pip is recorded here, not run
            "test_reinstalled_package_flagged",  # need the package certifi, which Slicer bundles
            "test_version_changed_and_imported",
        },
    ),
}
"""Test file -> how many tests it has, and which of them are known to fail here, with the reason."""


@pytest.mark.skipif("SLICER_SOURCE" not in os.environ, reason="SLICER_SOURCE names no Slicer source tree")
@pytest.mark.parametrize("name", GAUGES)
def test_slicers_own_tests_pass_on_the_stand_ins(name: str, tmp_path: Path) -> None:
    path = Path(os.environ["SLICER_SOURCE"]) / "Base" / "Python" / "slicer" / "tests" / f"{name}.py"
    environment = os.environ | {"PYTHONPATH": str(TESTING)}
    done = subprocess.run(
        [sys.executable, "-m", "slicerapp.gauge", str(path), *LEFT_OUT],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"run"')]
    assert lines, done.stderr[-2000:]
    result = json.loads(lines[-1])
    at_least, known = GAUGES[name]
    assert result["run"] >= at_least
    assert set(result["failed"]) <= known, done.stderr[-4000:]
