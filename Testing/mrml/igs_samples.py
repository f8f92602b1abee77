"""Images of which a pattern is found in a moment, with results of the real search and a comparison made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from DeepMRILib.igs.finding_job import find
from DeepMRILib.igs.options import FindOptions
from DeepMRILib.igs.pattern import Pattern, Rung
from DeepMRILib.igs.result import Evaluation, PatternResult
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

SHAPE = (16, 12, 5)
LINES = 6


def image(affine: np.ndarray | None = None, seed: int = 0) -> Volume:
    """Smooth noise without any symmetry: the lines near the middle tell most of it."""
    rng = np.random.default_rng(seed)
    array = rng.uniform(0, 1, SHAPE).cumsum(axis=0).cumsum(axis=1) + 20 * rng.uniform(0, 1, SHAPE)
    return Volume(array.astype(np.float32), np.eye(4) if affine is None else affine)


def labels(affine: np.ndarray | None = None) -> LabelVolume:
    """Two blocks."""
    array = np.zeros(SHAPE, np.uint8)
    array[2:7, 3:8, :] = 1
    array[9:14, 4:9, 1:] = 2
    return LabelVolume(array, np.eye(4) if affine is None else affine, {1: "left block", 2: "right block"})


def result(volume: Volume, **settings: Any) -> PatternResult:
    """What ``igs.find`` finds for an image."""
    options = FindOptions(**{"lines": LINES, "loss": "l1", "part": "all", **settings})
    return find(volume, options)


def undersampled(volume: Volume, mask: np.ndarray, axis: int) -> np.ndarray:
    """(i, j, k) what a mask along an axis of the image leaves, by the plainest way: a full 1D transform."""
    kspace = np.fft.fftshift(np.fft.fft(np.fft.ifftshift(volume.array.astype(complex), axis), axis=axis), axis)
    shape = [1, 1, 1]
    shape[axis] = -1
    kept = np.fft.ifftshift(kspace * mask.reshape(shape), axis)
    return np.abs(np.fft.fftshift(np.fft.ifft(kept, axis=axis), axis))


def pattern(winner: str = "block") -> Pattern:
    """A pattern of 16 lines with rivals, made by hand."""
    order = (8, 7, 9, 6, 10, 3)
    return Pattern(
        orders=(order,),
        shape=(16,),
        axes=(-1,),
        losses=(0.9, 0.7, 0.5, 0.4, 0.35, 0.3),
        gradients=((None, -0.1, -0.1, -0.05, -0.05, -0.01),),
        rungs=(
            Rung(3, 0.5, 0.5, 0.5, (0,), "centre"),
            Rung(6, 0.3, 0.25, 0.32, (2,), winner),  # type: ignore[arg-type]
        ),
        about={"loss": "dice"},
        notes=(),
    )


def evaluation() -> Evaluation:
    """Scores of three patterns at two numbers of lines, of two structures."""
    rows = [
        {"pattern": name, "lines": lines, "structure": structure, "measure": measure, "mean": mean + 0.01 * lines,
         "low": mean - 0.1, "high": mean + 0.1, "cases": 3}
        for name, mean in (("full", 0.8), ("igs", 0.7), ("centre", 0.6), ("variable_density", 0.4))
        for lines in ((3, 6) if name != "full" else (16,))
        for structure in ("left block", "right block", "mean")
        for measure in ("dice", "hd95")
    ]  # fmt: skip
    scores = [{"pattern": "centre", "lines": 3, "draw": 0, "case": "1", "structure": "left block", "dice": 0.6}]
    made = Provenance("igs.test", "by hand", {}, notes=("Few cases.",))
    return Evaluation(made, scores=Table.from_rows(scores), summary=Table.from_rows(rows), trivial=Table({}), masks={})
