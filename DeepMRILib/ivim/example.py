"""Small inputs on which the IVIM jobs run in a moment: for tests and for the examples in the docs."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib.ivim.models import biexp
from DeepMRILib.volume import DiffusionVolume, LabelVolume

B_VALUES = (0, 10, 20, 40, 80, 150, 300, 500, 800)


def fit_inputs() -> dict[str, Any]:
    """Two tissues side by side in a 12 x 10 x 4 series with noise at SNR 50, on a left-handed oblique grid."""
    tissue = np.ones((12, 10, 4), dtype=np.int16)
    tissue[6:] = 2
    D, f, D_star = (np.choose(tissue - 1, values) for values in ((0.0011, 0.0019), (0.25, 0.12), (0.06, 0.03)))
    b = np.array(B_VALUES, dtype=float)
    signal = 1000 * biexp(b, D, f, D_star)
    noise = np.random.default_rng(7).normal(0, 1000 / 50, signal.shape)
    affine = np.array([[-1.9, 0.3, 0, 80], [0.3, 1.9, 0.4, -60], [0, -0.3, 5.9, 10], [0, 0, 0, 1]], dtype=float)
    series = DiffusionVolume((signal + noise).astype(np.float32), affine, b)
    return {"volume": series, "labels": LabelVolume(tissue, affine, {1: "liver", 2: "kidney"})}


def train_inputs() -> dict[str, Any]:
    """A study of two small series."""
    series = fit_inputs()["volume"]
    return {"volumes": (series, series.with_array(np.flip(series.array, axis=1)))}


def apply_inputs() -> dict[str, Any]:
    """A network that was trained for a moment, in a folder that goes with the process; and a series for it."""
    return {"model": Path(_example_network().name) / "network", **fit_inputs()}


@functools.cache
def _example_network() -> tempfile.TemporaryDirectory:
    from DeepMRILib.ivim.studies import TrainOptions, train

    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    options = TrainOptions(preset="optim", members=1, epochs=2, device="cpu", name="example")
    train(train_inputs()["volumes"], options).save(Path(folder.name) / "network")
    return folder


def no_inputs() -> dict[str, Any]:
    """Phantoms and simulations are made from their settings alone."""
    return {}
