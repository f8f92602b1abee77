"""Signals of known diffusion and perfusion, drawn at random: what networks are trained on and fits are scored with.

Each voxel has its own parameters, uniform and independent within their ranges, and noise of its own:

    S(b) = S0 M(b; D, f, D*) + n(b),   n ~ N(0, (S0 / SNR)^2)

as in the published simulations (Barbieri et al., Magn Reson Med 2020;83:312-321; Kaandorp et al., Magn Reson Med
2021;86:2250-2265). Rician noise is the magnitude of the same signal with noise in both channels.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.noise import Noise, with_noise
from DeepMRILib.ivim.options import Model
from DeepMRILib.options import option, to_json, validate
from DeepMRILib.progress import Progress, silent
from DeepMRILib.results import Provenance, Result
from DeepMRILib.volume import DiffusionVolume, Volume

PUBLISHED_B_VALUES: dict[str, tuple[float, ...]] = {
    "adc": (0, 5, 10, 20, 30, 40, 60, 150, 300, 500, 700),
    "biexp": (0, 5, 10, 20, 30, 40, 60, 150, 300, 500, 700),
    "triexp": (0, 1, 2, 5, 10, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 600, 700),
}
"""The protocols of the published simulations, in s/mm2: Kaandorp et al. 2021, Troelstra et al. 2022."""

STREAMS = ("parameters", "snr", "noise", "second channel of the noise")
"""What is drawn, each from a stream of random numbers of its own."""
PURPOSES = ("training", "evaluation")
CHUNK = 65_536
"""Voxels that are computed at once: with 100 images 50 MB."""
MAX_VALUES = 250_000_000
"""Voxels times images: 1 GB of float32."""
SLOW_TO_FAST = {"adc": (), "biexp": ("D", "D_star"), "triexp": ("D", "D_star1", "D_star2")}

Interval = tuple[float, float]


@dataclass(frozen=True)
class SimulationOptions:
    """What simulated signals are made of: shared by every job that simulates."""

    model: Model = option(
        "biexp", "Signal equation: biexp (D, f, D*), triexp (two kinds of blood), adc (one exponential)"
    )
    n: int = option(10_000, "Number of voxels", range=(1, 50_000_000), label="Voxels")
    b_values: tuple[float, ...] = option(
        (), "b-values; empty takes the published ones of the model, 11 (18 of triexp) from 0 to 700", unit="s/mm2",
        range=(0.0, 10000.0), label="b-values",
    )  # fmt: skip
    noise: Noise = option("gaussian", "Kind of noise; rician is that of magnitude images")
    seed: int = option(0, "Seed of all random numbers: the same seed gives the same signals", range=(0, 2**31 - 1))
    D_range: Interval = option((0.0005, 0.003), "Lowest and highest D", unit="mm2/s", range=(0.0, 0.1), advanced=True)
    f_range: Interval = option((0.05, 0.55), "Lowest and highest f", range=(0.0, 1.0), advanced=True)
    D_star_range: Interval = option(
        (0.01, 0.1), "Lowest and highest D*", unit="mm2/s", range=(0.0, 10.0), advanced=True
    )
    f1_range: Interval = option((0.05, 0.3), "Lowest and highest f1 (slow blood)", range=(0.0, 1.0), advanced=True)
    D_star1_range: Interval = option(
        (0.01, 0.05), "Lowest and highest D*1 (slow blood)", unit="mm2/s", range=(0.0, 10.0), advanced=True
    )
    f2_range: Interval = option((0.05, 0.3), "Lowest and highest f2 (fast blood)", range=(0.0, 1.0), advanced=True)
    D_star2_range: Interval = option(
        (0.2, 4.0), "Lowest and highest D*2 (fast blood)", unit="mm2/s", range=(0.0, 100.0), advanced=True
    )
    ADC_range: Interval = option(
        (0.0005, 0.003), "Lowest and highest ADC", unit="mm2/s", range=(0.0, 0.1), advanced=True
    )

    @property
    def ranges(self) -> dict[str, Interval]:
        """The interval of each of the model's parameters but S0."""
        return {name: getattr(self, f"{name}_range") for name in MODELS[self.model].parameters if name != "S0"}

    @property
    def protocol(self) -> tuple[float, ...]:
        """The b-values in s/mm2."""
        return self.b_values or PUBLISHED_B_VALUES[self.model]


@dataclass(frozen=True)
class SimulateOptions(SimulationOptions):
    """What a simulated series is like."""

    snr: tuple[float, ...] = option(
        (20.0,), "S0 over the noise's standard deviation; of two values each voxel has one between them, log-uniform",
        range=(0.1, 1e6), label="SNR",
    )  # fmt: skip
    repeats: int = option(1, "Images at each b-value, as of repetitions or directions", range=(1, 256))
    S0: float = option(1.0, "Signal without diffusion weighting, the same in every voxel", range=(1e-6, 1e6))
    purpose: Literal["training", "evaluation"] = option(
        "evaluation", "What the signals are for; with the same seed the two have nothing in common"
    )


@dataclass(frozen=True)
class Simulation(Result):
    """Simulated signals and what they were made from.

    Attributes:
        dwi: the noisy series (i, j, 1, n_b), float32.
        truth: "<name>_true" of each of the model's parameters to maps (i, j, 1).
    """

    dwi: DiffusionVolume | None = None
    truth: dict[str, Volume] = field(default_factory=dict)


def simulate(
    options: SimulateOptions = SimulateOptions(), *, progress: Progress | None = None
) -> tuple[DiffusionVolume, dict[str, Volume]]:
    """Signals with noise, and the parameters of each voxel.

    Parameters, SNR and noise come from streams of random numbers that are keyed by (seed, purpose, stream) in NumPy's
    ``SeedSequence``, which makes them independent: a training and an evaluation set of the same seed share no draw.
    Within one purpose the first voxels of a larger set are those of a smaller one, and sets that differ in SNR alone
    have the same parameters and the same noise but for its strength, so that they can be compared voxel by voxel.

    Args:
        options: see ``SimulateOptions``.
        progress: told how far it is; may raise ``Cancelled``.

    Returns:
        the series (i, j, 1, n_b) in float32, on a grid as near to a square as the number of voxels allows, and
        "D", "f", "D_star", "S0" (or what the model's parameters are) to float32 maps.

    Raises:
        InputError: a bad setting, ranges that overlap or descend, or more values than fit into memory.

    Example:
        >>> series, truth = simulate(SimulateOptions(n=12, snr=(50.0,)))
        >>> series.array.shape, sorted(truth)
        ((4, 3, 1, 11), ['D', 'D_star', 'S0', 'f'])
    """
    options, progress = validate(options), progress or silent
    _check(options)
    model, b_values = MODELS[options.model], np.repeat(np.asarray(options.protocol, dtype=float), options.repeats)
    if options.n * len(b_values) > MAX_VALUES:
        raise InputError(
            f"{options.n:,} voxels with {len(b_values)} images are too much for the memory; simulate at most "
            f"{MAX_VALUES // len(b_values):,} at a time."
        )
    streams = {name: _stream(options, name) for name in STREAMS}
    signals = np.empty((options.n, len(b_values)), dtype=np.float32)
    truth = np.empty((len(options.ranges), options.n), dtype=np.float32)
    for start in range(0, options.n, CHUNK):
        progress(start / options.n, f"{start:,} of {options.n:,} voxels simulated")
        rows = slice(start, min(start + CHUNK, options.n))
        truth[:, rows] = _parameters(options.ranges, rows.stop - start, streams["parameters"])
        clean = options.S0 * model.signal(b_values, *truth[:, rows].astype(float))
        signals[rows] = _with_noise(clean, options, streams)
    progress(1.0, "Signals ready")
    shape = grid(options.n)
    maps = {name: Volume(values.reshape(shape)) for name, values in zip(options.ranges, truth, strict=True)}
    maps["S0"] = Volume(np.full(shape, options.S0, dtype=np.float32))
    return DiffusionVolume(signals.reshape(*shape, -1), np.eye(4), b_values), maps


def simulation(options: SimulateOptions = SimulateOptions(), *, progress: Progress | None = None) -> Simulation:
    """``simulate`` as a result that can be saved; arguments and errors as there."""
    started = time.perf_counter()
    series, truth = simulate(options, progress=progress)
    provenance = Provenance(
        "ivim.simulate",
        "Uniform random parameters (DeepMRILib.ivim.simulate)",
        to_json(validate(options)),
        seed=options.seed,
        seconds={"total": time.perf_counter() - started},
        inputs={"model": options.model, "b_values": series.b_values.tolist(), "shape": list(series.array.shape)},
    )
    return Simulation(provenance, dwi=series, truth={f"{name}_true": volume for name, volume in truth.items()})


def grid(n: int) -> tuple[int, int, int]:
    """The shape of one slice of n voxels, as near to a square as whole numbers allow, so that viewers can show it.

    Example:
        >>> grid(10_000), grid(12), grid(7)
        ((100, 100, 1), (4, 3, 1), (7, 1, 1))
    """
    side = next(side for side in range(math.isqrt(n), 0, -1) if n % side == 0)
    return n // side, side, 1


def checked_ranges(ranges: Mapping[str, Interval], model: str) -> None:
    """Refuse ranges from which no signal of the model can be made.

    Raises:
        InputError: a range that descends, fractions that exceed 1 together, or blood slower than tissue.
    """
    for name, (low, high) in ranges.items():
        if low > high:
            raise InputError(f"{name}_range is {low:g} to {high:g}; give the lowest value first.")
    for slower, faster in zip(SLOW_TO_FAST[model], SLOW_TO_FAST[model][1:], strict=False):
        if ranges[faster][0] < ranges[slower][1]:
            raise InputError(
                f"{faster}_range begins at {ranges[faster][0]:g} and {slower}_range ends at {ranges[slower][1]:g}; "
                "they must not overlap, or the two cannot be told apart."
            )
    if model == "triexp" and ranges["f1"][1] + ranges["f2"][1] > 1:
        raise InputError(f"f1 reaches {ranges['f1'][1]:g} and f2 {ranges['f2'][1]:g}; together they can be 1 at most.")


def _check(options: SimulateOptions) -> None:
    checked_ranges(options.ranges, options.model)
    if len(options.snr) not in (1, 2) or list(options.snr) != sorted(options.snr):
        raise InputError(
            f"snr is {' '.join(f'{value:g}' for value in options.snr) or 'empty'}; give one number, or the lowest and "
            "the highest of a range."
        )


def _stream(options: SimulateOptions, name: str) -> np.random.Generator:
    """Random numbers of one kind; independent for each seed, purpose and kind."""
    key = (PURPOSES.index(options.purpose), STREAMS.index(name))
    return np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=key))


def _parameters(ranges: Mapping[str, Interval], n: int, random: np.random.Generator) -> NDArray:
    """(parameters, n), uniform within the ranges; drawn voxel by voxel, so that chunks make no difference."""
    low, high = np.array(list(ranges.values()), dtype=float).T[:, :, None]
    return low + (high - low) * random.random((n, len(ranges))).T


def _with_noise(clean: NDArray, options: SimulateOptions, streams: Mapping[str, np.random.Generator]) -> NDArray:
    low, high = options.snr[0], options.snr[-1]
    snr = low * (high / low) ** streams["snr"].random((len(clean), 1))
    second = streams["second channel of the noise"]
    return with_noise(clean, options.S0 / snr, options.noise, streams["noise"], second)
