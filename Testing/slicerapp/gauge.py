"""Run one of Slicer's own Python test files on the stand-ins: the measure of how true they are.

``python -m slicerapp.gauge <test file> [name of a test to leave out]...`` with SLICER_SOURCE set prints one JSON line
with the number of tests and the names of those that failed.
"""

from __future__ import annotations

import importlib
import json
import sys
import unittest
from pathlib import Path

import slicerapp

# Two tests of other widgets need these names to be importable; those tests then fail, as they should.
NOT_IMITATED = ("qMRMLSubjectHierarchyComboBox", "qMRMLSubjectHierarchyTreeView")


def run(path: Path, left_out: list[str]) -> dict[str, object]:
    """The result of the file's tests: ``{"run": count, "failed": [test names]}``."""
    slicerapp.start()
    import qt
    import slicer
    import slicer_core

    for name in NOT_IMITATED:
        setattr(slicer, name, type(name, (qt.QWidget,), {}))
    sys.modules["MRMLCorePython"] = slicer_core.MRMLCore  # the name that it has inside Slicer
    sys.path.insert(0, str(path.parent))
    found = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(path.stem))
    tests = unittest.TestSuite(test for case in found for test in case if test.id().rpartition(".")[2] not in left_out)
    result = unittest.TextTestRunner(stream=sys.stderr).run(tests)
    failed = sorted({test.id().rpartition(".")[2] for test, _ in result.failures + result.errors})
    return {"run": result.testsRun, "failed": failed}


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(run(Path(sys.argv[1]), sys.argv[2:])) + "\n")
