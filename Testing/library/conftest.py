"""What the library's tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.ivim.example import fit_inputs


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20261121)


@pytest.fixture
def dwi(tmp_path: Path) -> Path:
    """A small diffusion series as a file with its sidecar, in a folder of its own."""
    path = tmp_path / "in" / "dwi.nii.gz"
    path.parent.mkdir()
    files.write_diffusion(fit_inputs()["volume"], path)
    return path
