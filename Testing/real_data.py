"""Readers of the real data that tests and benchmarks share; none of it is in the repository."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from DeepMRILib.volume import DiffusionVolume, LabelVolume

DATA = Path(os.environ.get("DEEPMRI_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ABDOMEN_REGIONS = {1: "pancreas", 2: "liver", 3: "kidney", 4: "spleen"}
BIPOLAR = 1


@dataclass(frozen=True)
class Abdomen:
    """One volunteer of Wetscherek et al., MRM 2015: one slice, bipolar gradients, all diffusion times.

    Attributes:
        series: (i, j, 1, 9) mean over directions and repeats of each b-value.
        regions: organ regions drawn by the authors.
        upstream: their maps D (mm2/s) and f, (i, j).
    """

    series: DiffusionVolume
    regions: LabelVolume
    upstream: dict[str, NDArray]


def abdomen(volunteer: int, folder: Path = DATA) -> Abdomen:
    """Read volunteer 1 to 4."""
    scan = loadmat(folder / "ivim_abdomen" / f"volunteer{volunteer}.mat")
    maps = loadmat(folder / "ivim_abdomen" / f"maps_volunteer{volunteer}.mat")
    b, gradient = scan["b"].ravel().astype(float), scan["betta"].ravel()
    chosen = (gradient == BIPOLAR) | (b == 0)
    distinct = np.unique(b[chosen])
    images = [scan["data"][chosen & (b == value)].mean(axis=0, dtype=np.float64) for value in distinct]
    array = np.stack(images, axis=-1)[:, :, None, :].astype(np.float32)
    regions = LabelVolume(scan["rois"].astype(np.int16)[:, :, None], np.eye(4), ABDOMEN_REGIONS)
    upstream = {"D": maps["D"].astype(float) * 1e-3, "f": maps["f"].astype(float)}  # theirs is in um2/ms
    return Abdomen(DiffusionVolume(array, np.eye(4), distinct), regions, upstream)
