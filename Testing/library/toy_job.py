"""A job with an input of every kind that is no image; for the tests of the doors, and in no table."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.files.study import SeriesFile
from DeepMRILib.jobs import Input, Job
from DeepMRILib.options import option, to_json
from DeepMRILib.progress import Progress
from DeepMRILib.results import Provenance, Result


@dataclass(frozen=True)
class ToyOptions:
    factor: float = option(2.0, "By how much the array is multiplied", range=(0, 10))


@dataclass(frozen=True)
class ToyResult(Result):
    product: NDArray = field(default_factory=lambda: np.zeros(0))
    parts: dict[str, NDArray] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


def run(
    array: NDArray, options: ToyOptions, *, folder: Path, model: Path, progress: Progress | None = None
) -> ToyResult:
    """Multiply the array, and say what was given."""
    product = array * options.factor
    seen = {"files": sorted(path.name for path in folder.iterdir()), "model": model.name, "mean": np.float32("nan")}
    return ToyResult(
        Provenance("toy.run", "toy", to_json(options)), product, {"first": product[:1], "file": product[1:]}, seen
    )


def read_study(
    volumes: tuple[SeriesFile, ...],
    options: ToyOptions,
    *,
    masks: tuple[Path, ...] = (),
    progress: Progress | None = None,
) -> ToyResult:
    """Say what was given; the series are read here, one after the other."""
    sums = np.array([series.read().b_values.sum() for series in volumes])
    seen = {"series": [series.path.name for series in volumes], "masks": [path.name for path in masks]}
    return ToyResult(Provenance("toy.study", "toy", to_json(options)), options.factor * sums, {"sums": sums}, seen)


TOY = Job(
    method="toy",
    name="run",
    summary="Multiply an array",
    function="toy_job:run",
    options="toy_job:ToyOptions",
    result="toy_job:ToyResult",
    inputs=(
        Input("array", "array", "Numbers"),
        Input("folder", "folder", "A folder", required=False),
        Input("model", "model", "A model", required=False),
    ),
    example="toy_job:run",
)

TOY_STUDY = Job(
    method="toy",
    name="study",
    summary="Read a study",
    function="toy_job:read_study",
    options="toy_job:ToyOptions",
    result="toy_job:ToyResult",
    inputs=(Input("volumes", "study", "Series"), Input("masks", "masks", "Masks", required=False)),
    example="toy_job:read_study",
)
