"""Small inputs on which planning and exporting run in a moment: for tests and for the examples in the docs."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib.interactive.export import export_case
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.volume import LabelVolume, Volume

CASES = 6
SUBTYPES = ("round", "long")
_SHAPE = (24, 24, 24)


def plan_inputs() -> dict[str, Any]:
    """A dataset of six cases of 24 x 24 x 24 voxels in a folder that goes with the process."""
    return {"dataset": example_dataset()}


def export_inputs() -> dict[str, Any]:
    """An image, the six points of its lesion and its mask."""
    volume, mask = example_case(0)
    return {"volume": volume, "points_ras": synthetic_points(mask, depth=2.0, seed=0), "mask": mask}


def example_dataset() -> Path:
    """The folder of the six cases; the last is held back for the test."""
    return Path(_folder().name) / "Task499_Example"


def example_case(number: int) -> tuple[Volume, LabelVolume]:
    """An image with a bright ellipsoid in noise, on a left-handed oblique grid, and its mask; each number another."""
    rng = np.random.default_rng(number)
    spacing = np.array([1.0, 1.0, 1.0 + 0.2 * (number % 2)])
    radii = rng.uniform(6, 8, 3) * (1.0 if number % 2 == 0 else np.array([0.75, 1.0, 1.2]))
    centre = (np.array(_SHAPE) - 1) / 2 + rng.uniform(-1, 1, 3)
    away = np.linalg.norm((np.indices(_SHAPE).transpose(1, 2, 3, 0) - centre) * spacing / radii, axis=3)
    mask = (away < 1).astype(np.uint8)
    image = rng.normal(100, 8, _SHAPE) + 60 / (1 + np.exp(8 * (away - 1)))
    turn = np.array([[-np.cos(0.2), np.sin(0.2), 0], [np.sin(0.2), np.cos(0.2), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = (12, -20, 5 * number)
    return Volume(image.astype(np.float32), affine), LabelVolume(mask, affine, {1: "lesion"})


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    for number in range(CASES):
        volume, mask = example_case(number)
        export_case(
            Path(folder.name) / "Task499_Example",
            f"case_{number + 1}",
            volume,
            synthetic_points(mask, depth=2.0, seed=number),
            mask,
            subset="test" if number == CASES - 1 else "train",
            subtype=SUBTYPES[number % 2],
        )
    return folder
