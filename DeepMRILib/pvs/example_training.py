"""Small inputs on which a network for perivascular spaces is trained in a moment: for tests and the docs."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

TRAIN_QUICK = (
    ("name", "example"), ("steps", 2), ("batch", 1), ("patch", 16), ("channels", (2, 4)), ("heads", 0), ("held_out", 2),
    ("workers", 0), ("device", "cpu"),
)  # fmt: skip
"""Settings with which the example trains in about a second."""


def train_inputs() -> dict[str, Any]:
    """A folder with one small label map: a ball of white matter with a ventricle, in a shell of cortex and fluid."""
    return {"labels": Path(_folder().name)}


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    from DeepMRILib.files import write_labels
    from DeepMRILib.volume import LabelVolume

    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    write_labels(LabelVolume(ball(), np.eye(4)), Path(folder.name) / "ball.nii.gz")
    return folder


def ball(edge: int = 56) -> np.ndarray:
    """Labels (edge, edge, edge) int16 of a simple head: 4, 12, 2, 3, 24 and 165 from within."""
    axis = np.arange(edge) - (edge - 1) / 2
    distance = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    labels = np.zeros((edge,) * 3, np.int16)
    for radius, label in ((0.47, 165), (0.44, 24), (0.41, 3), (0.36, 2), (0.13, 12), (0.08, 4)):
        labels[distance < radius * edge] = label
    return labels
