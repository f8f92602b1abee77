"""What the system denies while a training prepares its cases ends in a sentence that says why."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from DeepMRILib.errors import OutputError
from DeepMRILib.progress import silent

pytest.importorskip("torch")
resource = pytest.importorskip("resource", reason="limits of a process are Unix's")

from DeepMRILib.interactive.train_store import CaseStore

pytestmark = pytest.mark.torch


def test_a_case_that_cannot_be_written_whole_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    """Limited to files of 10 kB: the system refuses in the midst of the array, as it does on a full disk."""
    ready = SimpleNamespace(input=np.zeros((2, 20, 20, 20)), target=np.ones((20, 20, 20), np.uint8))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"case0000_input\.npy cannot be written: File too large"):
            CaseStore(tmp_path, "any").fill(1, lambda n: ready, silent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
