"""An abdomen-like phantom with known diffusion and perfusion: sample data that anyone may have.

Each voxel holds fractions w of tissues t, so partial volume is as in a scanner, and the signal is

    S(b) = C sum_t w_t S0_t (f_t exp(-b D*_t) + (1 - f_t) exp(-b D_t))

with C the mild shading of the receive coils. The truth of a mixed voxel is the signal-weighted mean of its tissues,
which is exact for f and for the initial slopes, and everything where a voxel holds one tissue.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.noise import Noise, with_noise
from DeepMRILib.ivim.phantom_anatomy import anatomy
from DeepMRILib.ivim.phantom_shapes import NoiseField, Points, Shape
from DeepMRILib.ivim.phantom_tissues import LABELS, TISSUES
from DeepMRILib.ivim.result import PhantomResult
from DeepMRILib.options import option, to_json, validate
from DeepMRILib.progress import Progress, silent
from DeepMRILib.results import Provenance
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

PARAMETERS = ("D", "f", "D_star", "S0")
LIVER_SIGNAL = 400.0
"""S0 of liver in image units, before shading."""
WARP_MM = 3.5
SUB_SLICES = 3
"""Each slice is the mean of so many thinner ones: organs that end inside a thick slice leave partial volume."""
VARIATION = {"D": 0.03, "f": 0.05, "D_star": 0.05, "S0": 0.03}
"""Relative spread of a parameter within an organ, over centimetres."""
MAX_VALUES = 250_000_000
"""Voxels times images: 1 GB of float32, three times that while noise is added."""


@dataclass(frozen=True)
class PhantomOptions:
    """What the phantom's scan is like."""

    size: tuple[int, int, int] = option((144, 112, 24), "Number of voxels along x, y and z", range=(1, 1024))
    spacing: tuple[float, float, float] = option((2.6, 2.6, 6.0), "Voxel edges", unit="mm", range=(0.5, 50.0))
    b_values: tuple[float, ...] = option(
        (0, 10, 20, 30, 40, 60, 80, 100, 150, 200, 400, 600, 800), "b-values", unit="s/mm2", range=(0.0, 10000.0)
    )
    directions: int = option(1, "Images at each b-value above 0, of different gradient directions", range=(1, 64))
    noise: Noise = option("rician", "Kind of noise; rician is that of magnitude images")
    snr: float = option(30.0, "Signal of liver at b = 0 over the noise's standard deviation", range=(1.0, 10000.0))
    seed: int = option(0, "Which noise: the same seed gives the same images", range=(0, 2**31 - 1))
    subject: int = option(0, "Which anatomy: another number gives another subject", range=(0, 2**31 - 1), advanced=True)


class Phantom(NamedTuple):
    """A series with its truth.

    Attributes:
        series: (i, j, k, n) float32: the b-values in the order given, the directions of each one after another.
        truth: "D", "f", "D_star", "S0" to float32 maps in the units of the fit; 0 in air, and D_star 0 where f is 0.
        labels: the tissue that fills most of each voxel, 0 in air.
        names: label to name, of all tissues.
    """

    series: DiffusionVolume
    truth: dict[str, Volume]
    labels: LabelVolume
    names: dict[int, str]


def phantom(options: PhantomOptions = PhantomOptions(), *, progress: Progress | None = None) -> PhantomResult:
    """The phantom as a result that can be saved: the noisy series, its truth, the tissues.

    Raises:
        InputError: a setting out of its range, no b-value, or more voxels than fit into memory.
    """
    started = time.perf_counter()
    options = validate(options)
    made = make_phantom(options, progress)
    truth = {f"{name}_true": volume for name, volume in made.truth.items()}
    provenance = Provenance(
        "ivim.phantom",
        "Abdominal phantom of smooth shapes; tissue parameters of the OSIPI reference signals",
        to_json(options),
        seed=options.seed,
        seconds={"total": time.perf_counter() - started},
        notes=("The anatomy is drawn, not measured: it is for trying and testing methods, not for training them.",),
    )
    return PhantomResult(provenance, dwi=made.series, truth=truth, labels=made.labels)


def make_phantom(options: PhantomOptions = PhantomOptions(), progress: Progress | None = None) -> Phantom:
    """The phantom of these options; see ``Phantom``. The axes run to the patient's left, front and head (LAS).

    Raises:
        InputError: as for ``phantom``.

    Example:
        >>> small = make_phantom(PhantomOptions(size=(36, 28, 3), spacing=(10.4, 10.4, 30.0), b_values=(0, 800)))
        >>> small.series.array.shape
        (36, 28, 3, 2)
    """
    options, progress = validate(options), progress or silent
    b_values, directions = _protocol(options)
    if np.prod(options.size) * len(b_values) > MAX_VALUES:
        raise InputError(
            f"A phantom of {' x '.join(map(str, options.size))} voxels and {len(b_values)} images needs too much "
            "memory. Choose fewer voxels or fewer images."
        )
    affine = _affine(options)
    scan = _Scan(options, affine)
    series = np.zeros((*options.size, len(b_values)), dtype=np.float32)
    truth = {name: np.zeros(options.size, dtype=np.float32) for name in PARAMETERS}
    labels = np.zeros(options.size, dtype=np.uint8)
    for k in range(options.size[2]):
        progress(0.9 * k / options.size[2], f"Drawing slice {k + 1} of {options.size[2]}")
        weights = scan.fractions(k)
        labels[..., k] = weights.argmax(axis=0)
        series[..., k, :], maps = _slice_signal(weights, scan.parameters(k), b_values)
        for name in PARAMETERS:
            truth[name][..., k] = maps[name]
    progress(0.9, "Adding noise")
    sigma = _sigma(truth["S0"], labels, options)
    series = with_noise(series, sigma, options.noise, np.random.default_rng(options.seed))
    progress(1.0, "Phantom ready")
    names = {LABELS[key]: tissue.name for key, tissue in TISSUES.items()}
    volumes = {name: Volume(array, affine) for name, array in truth.items()}
    return Phantom(
        DiffusionVolume(series, affine, b_values, directions), volumes, LabelVolume(labels, affine, names), names
    )


def _protocol(options: PhantomOptions) -> tuple[NDArray, NDArray | None]:
    """b-value of each image, and its direction when there are several per b-value."""
    if not options.b_values:
        raise InputError("The phantom has no b-values. Give at least one, in s/mm2, for example 0 50 400 800.")
    repeats = [1 if b == 0 else options.directions for b in options.b_values]
    b_values = np.repeat(np.asarray(options.b_values, dtype=float), repeats)
    if options.directions == 1:
        return b_values, None  # a trace-weighted image has no direction
    # points of a spiral on the half sphere: evenly spread for any number
    n = np.arange(options.directions)
    z, turn = 1 - (n + 0.5) / options.directions, n * np.pi * (3 - np.sqrt(5))
    sphere = np.c_[np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z]
    none = np.zeros((1, 3))
    return b_values, np.concatenate([none if b == 0 else sphere for b in options.b_values])


def _affine(options: PhantomOptions) -> NDArray:
    """Axial slices as a scanner stores them, i to the patient's left, j to the front; the middle at the origin."""
    affine = np.diag([-options.spacing[0], options.spacing[1], options.spacing[2], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(options.size) - 1) / 2)
    return affine


class _Scan:
    """The anatomy on the grid of one scan, slice by slice, so that memory does not grow with the number of slices."""

    def __init__(self, options: PhantomOptions, affine: NDArray) -> None:
        rng = np.random.default_rng(options.subject)
        self._fields = {name: NoiseField(45, rng) for name in (*PARAMETERS, "shading", "warp_x", "warp_y", "warp_z")}
        self._coarse, self._fine, self._texture = NoiseField(28, rng), NoiseField(9, rng), NoiseField(7, rng)
        self._painted: list[tuple[str, Shape]] = anatomy(rng)
        self._x, self._y, self._z = (affine[n, n] * np.arange(options.size[n]) + affine[n, 3] for n in range(3))
        self._thickness = options.spacing[2]
        # an edge is as wide as a voxel, so that a voxel that it cuts holds some of both sides
        self._edge = (options.spacing[0] + options.spacing[1]) / 2

    def fractions(self, k: int) -> NDArray:
        """Fraction of air (0) and of each tissue by its label in the voxels of slice k: (tissue, i, j)."""
        z = self._z[k] + self._thickness * ((np.arange(SUB_SLICES) + 0.5) / SUB_SLICES - 0.5)
        points = self._points(z)
        weights = np.zeros((len(TISSUES) + 1, *points.x.shape), dtype=np.float32)
        weights[0] = 1
        for tissue, shape in self._painted:
            box = self._box(shape, z)
            if box is None:
                continue
            distance = shape.distance(Points(*(field[box] for field in points)))
            cover = np.clip(0.5 - distance / self._edge, 0, 1)
            if cover.any():
                part = weights[(slice(None), *box)]
                part *= 1 - cover
                part[LABELS[tissue]] += cover
        return weights.mean(axis=3)

    def _points(self, z: NDArray) -> Points:
        """Places bent by a few mm, so that nothing is a perfect ellipse."""
        place = (self._x, self._y, z)
        grids = np.meshgrid(*(axis.astype(np.float32) for axis in place), indexing="ij")
        bent = [
            grid + WARP_MM * _bounded(self._fields[f"warp_{name}"](*place))
            for grid, name in zip(grids, "xyz", strict=True)
        ]
        return Points(*bent, self._coarse(*place), self._fine(*place))

    def _box(self, shape: Shape, z: NDArray) -> tuple[slice, slice, slice] | None:
        margin = 2.5 * WARP_MM + self._edge
        ranges = []
        for axis, low, high in zip((self._x, self._y, z), shape.low, shape.high, strict=True):
            inside = np.flatnonzero((axis > low - margin) & (axis < high + margin))
            if not inside.size:
                return None
            ranges.append(slice(int(inside[0]), int(inside[-1]) + 1))
        return tuple(ranges)

    def parameters(self, k: int) -> dict[str, NDArray]:
        """What a tissue's D, f, D*, S0 are multiplied by in slice k: (i, j); "texture" is that of S0 before scaling."""
        place = (self._x, self._y, self._z[k : k + 1])
        factors = {name: 1 + VARIATION[name] * _bounded(self._fields[name](*place)[..., 0]) for name in PARAMETERS}
        radius = (self._x[:, None] / 160) ** 2 + (self._y[None, :] / 110) ** 2
        # coils lie around the patient: brighter towards the skin, a little more in front
        shading = 0.9 + 0.16 * np.minimum(radius, 1.5) + 0.04 * self._y[None, :] / 110
        factors["S0"] = factors["S0"] * shading * (1 + 0.03 * _bounded(self._fields["shading"](*place)[..., 0]))
        return {**factors, "texture": _bounded(self._texture(*place)[..., 0])}


def _bounded(field: NDArray) -> NDArray:
    """Within two and a half standard deviations: no parameter leaves what is plausible."""
    return np.clip(field, -2.5, 2.5)


def _slice_signal(
    weights: NDArray, factors: dict[str, NDArray], b_values: NDArray
) -> tuple[NDArray, dict[str, NDArray]]:
    """Noise-free signal (i, j, n) and truth maps (i, j) of one slice."""
    shape = weights.shape[1:]
    signal = np.zeros((*shape, len(b_values)), dtype=np.float32)
    total, blood, D_sum, D_star_sum = (np.zeros(shape) for _ in range(4))
    for key, tissue in TISSUES.items():
        inside = weights[LABELS[key]] > 0
        if not inside.any():
            continue
        factor = {name: values[inside] for name, values in factors.items()}
        amount = weights[LABELS[key]][inside] * LIVER_SIGNAL * tissue.s0 * factor["S0"]
        amount = amount * np.maximum(1 + tissue.texture * factor["texture"], 0.05)
        D, f, D_star = tissue.D * factor["D"], tissue.f * factor["f"], tissue.D_star * factor["D_star"]
        f = np.minimum(f, 0.98)
        perfused, still = (amount * f)[:, None], (amount * (1 - f))[:, None]
        signal[inside] += perfused * np.exp(-b_values * D_star[:, None]) + still * np.exp(-b_values * D[:, None])
        total[inside] += amount
        blood[inside] += amount * f
        D_sum[inside] += amount * (1 - f) * D
        D_star_sum[inside] += amount * f * D_star
    maps = {
        "D": _ratio(D_sum, total - blood),
        "f": _ratio(blood, total),
        "D_star": _ratio(D_star_sum, blood),
        "S0": total,
    }
    return signal, maps


def _ratio(part: NDArray, whole: NDArray) -> NDArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 1e-9)


def _sigma(s0: NDArray, labels: NDArray, options: PhantomOptions) -> float:
    """Standard deviation of the noise: liver's mean signal over the SNR; its nominal signal if no liver is in view."""
    liver = s0[labels == LABELS["liver"]]
    return float(liver.mean() if liver.size else LIVER_SIGNAL) / options.snr
