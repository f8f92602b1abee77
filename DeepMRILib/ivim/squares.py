"""Three nested squares of known diffusion and perfusion: the phantom of the published comparisons of IVIM fits.

Each square is homogeneous, so that what varies within it on a map is the method's noise, and what differs from the
truth on average its bias (Kaandorp et al., Magn Reson Med 2021;86:2250-2265, code: IVIMNET).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.noise import Noise, with_noise
from DeepMRILib.ivim.result import PhantomResult
from DeepMRILib.ivim.simulate import MAX_VALUES, PUBLISHED_B_VALUES
from DeepMRILib.options import option, to_json, validate
from DeepMRILib.progress import Progress, silent
from DeepMRILib.results import Provenance
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

SMALLEST = 8
"""With fewer voxels along each side the inner square has none."""
SQUARES_KEY = 2
"""Keeps the noise apart from that of ``simulate`` with the same seed, whose keys begin with 0 and 1."""


class Square(NamedTuple):
    """One square: how far its edge is from the border, as a part of the size, and what it consists of."""

    name: str
    margin: float
    D: float
    f: float
    D_star: float


SQUARES = (
    Square("outer square", 0.0, 0.0010, 0.45, 0.07),
    Square("middle square", 0.21, 0.0015, 0.30, 0.05),
    Square("inner square", 0.41, 0.0020, 0.15, 0.03),
)
"""From the outside to the inside; the label of each is its place, from 1."""


@dataclass(frozen=True)
class SquaresOptions:
    """What the image of the nested squares is like."""

    size: int = option(100, "Number of voxels along each side", range=(SMALLEST, 2000))
    b_values: tuple[float, ...] = option(
        PUBLISHED_B_VALUES["biexp"], "b-values; empty takes the published ones", unit="s/mm2", range=(0.0, 10000.0),
        label="b-values",
    )  # fmt: skip
    noise: Noise = option("gaussian", "Kind of noise; rician is that of magnitude images")
    snr: float = option(20.0, "Signal at b = 0 over the noise's standard deviation", range=(0.1, 1e6), label="SNR")
    seed: int = option(0, "Which noise: the same seed gives the same images", range=(0, 2**31 - 1))


def squares(options: SquaresOptions = SquaresOptions(), *, progress: Progress | None = None) -> PhantomResult:
    """The nested squares: a noisy series (size, size, 1, n_b) with S0 = 1, its truth, and the squares as labels.

    Raises:
        InputError: a setting out of its range, or more values than fit into memory.

    Example:
        >>> made = squares(SquaresOptions(size=10, noise="none"))
        >>> made.labels.array[:, 5, 0].tolist(), made.labels.names[3]
        ([1, 1, 2, 2, 3, 3, 2, 2, 1, 1], 'inner square')
    """
    started = time.perf_counter()
    options, progress = validate(options), progress or silent
    b_values = np.asarray(options.b_values or PUBLISHED_B_VALUES["biexp"], dtype=float)
    if options.size**2 * b_values.size > MAX_VALUES:
        raise InputError(
            f"Squares of {options.size} x {options.size} voxels and {b_values.size} images need too much memory. "
            "Choose a smaller size or fewer images."
        )
    progress(0.0, "Drawing the squares")
    labels = np.zeros((options.size, options.size, 1), dtype=np.uint8)
    for label, square in enumerate(SQUARES, 1):
        inside = slice(round(square.margin * options.size), options.size - round(square.margin * options.size))
        labels[inside, inside] = label
    maps = {name: _map(name, labels) for name in ("D", "f", "D_star")}
    random = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(SQUARES_KEY,)))
    signals = with_noise(biexp(b_values, **maps), 1 / options.snr, options.noise, random).astype(np.float32)
    maps["S0"] = np.ones(labels.shape)
    progress(1.0, "Squares ready")
    affine = np.eye(4)
    affine[:2, 3] = (1 - options.size) / 2  # the middle lies at the origin
    truth = {f"{name}_true": Volume(values.astype(np.float32), affine) for name, values in maps.items()}
    provenance = Provenance(
        "ivim.squares",
        "Nested squares (DeepMRILib.ivim.squares)",
        to_json(options),
        seed=options.seed,
        seconds={"total": time.perf_counter() - started},
    )
    names = {label: square.name for label, square in enumerate(SQUARES, 1)}
    return PhantomResult(
        provenance,
        dwi=DiffusionVolume(signals, affine, b_values),
        truth=truth,
        labels=LabelVolume(labels, affine, names),
    )


def _map(name: str, labels: NDArray) -> NDArray:
    return np.array([getattr(square, name) for square in SQUARES])[labels - 1]
