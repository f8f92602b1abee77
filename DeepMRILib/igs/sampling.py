"""Sample data: a phantom as images that can be saved, looked at, and given to every other job."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.phantoms import lesion_phantom, ring_phantom, stripe_phantom
from DeepMRILib.igs.result import SampleResult
from DeepMRILib.options import option, to_json, validate
from DeepMRILib.progress import Progress, part, silent
from DeepMRILib.results import Provenance
from DeepMRILib.volume import LabelVolume, Volume

SLICE_DISTANCE = 8.0
STRIPES = 0.22
"""Cycles of the stripes per pixel: 14 of 64."""


@dataclass(frozen=True)
class SampleOptions:
    """What is generated."""

    kind: Literal["ring", "lesions", "stripe"] = option(
        "ring", "ring: hearts with a thin wall; lesions: brains with small lesions; stripe: a region only stripes tell"
    )
    cases: int = option(96, "How many slices, each a case of its own", range=(1, 10_000))
    size: int = option(128, "Rows and columns of a slice", range=(16, 1024))
    phase: bool = option(True, "With a smooth random phase, as a scanner gives it; stripes have none")
    noise: float = option(0.012, "Standard deviation of the noise, where fat or scalp is about 1", range=(0, 1))
    seed: int = option(0, "Seed of all random numbers", range=(0, 2**32 - 1))


def sample(options: SampleOptions | None = None, *, progress: Progress | None = None) -> SampleResult:
    """Images with labels to try patterns on, each slice a case of its own.

    Args:
        options: see ``SampleOptions``.
        progress: told how far it is; may raise ``Cancelled``.

    Returns:
        the magnitudes (i, j, k) with the slices along k, their labels and, where there is one, their phase. The axes
        run to the patient's left, back and head.

    Raises:
        InputError: a setting out of its range, or more slices than fit into memory.
    """
    options, progress = validate(options or SampleOptions()), progress or silent
    started = time.perf_counter()
    dataset = _phantom(options, part(progress, 0, 0.95))
    affine = _affine(dataset)
    progress(1.0, "Sample data ready")
    provenance = Provenance(
        "igs.sample",
        f"Drawn {options.kind} phantom (DeepMRILib.igs.phantoms)",
        to_json(options),
        seed=options.seed,
        seconds={"total": time.perf_counter() - started},
        inputs={"shape": list(dataset.images.shape), "labels": dict(dataset.names)},
        notes=dataset.notes,
    )
    phase = Volume(_stack(np.angle(dataset.images[:, 0])), affine) if np.iscomplexobj(dataset.images) else None
    labels = LabelVolume(_stack(dataset.targets.astype(np.uint8)), affine, dict(dataset.names))
    return SampleResult(provenance, Volume(_stack(dataset.magnitude()[:, 0]), affine), labels, phase)


def _phantom(options: SampleOptions, progress: Progress) -> SliceDataset:
    given = {"seed": options.seed, "noise": options.noise, "progress": progress}
    if options.kind == "stripe":
        cycles = max(1, round(STRIPES * options.size))
        return stripe_phantom(options.cases, options.size, cycles, **given)
    make = ring_phantom if options.kind == "ring" else lesion_phantom
    return make(options.cases, options.size, phase=options.phase, **given)


def _stack(slices: NDArray) -> NDArray:
    """Slices (n, h, w) as an image (i, j, k)."""
    return slices.transpose(2, 1, 0)


def _affine(dataset: SliceDataset) -> NDArray:
    """Columns run to the patient's left and rows to the back, around the origin."""
    n, (rows, columns), (down, right) = len(dataset), dataset.images.shape[2:], dataset.spacing
    affine = np.diag([-right, -down, SLICE_DISTANCE, 1.0])
    affine[:3, 3] = right * (columns - 1) / 2, down * (rows - 1) / 2, -SLICE_DISTANCE * (n - 1) / 2
    return affine
