"""What is known of D, f, D* and the noise before a voxel is looked at: nothing, or what all voxels together tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.batches import UNIT, checked_signals, checked_workers
from DeepMRILib.ivim.bayes_grid import F_CELLS, Box, Densities, integrate
from DeepMRILib.ivim.bayes_likelihood import Data, Reference
from DeepMRILib.ivim.bayes_model import BLOCK, BayesModel, fit_blocks
from DeepMRILib.ivim.bayes_noise import Noise, learn_noise
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.uncertainty import inside
from DeepMRILib.progress import Progress, part, silent

SUBSET = 5000
"""Most voxels that a prior is learned from."""

BINS = 36
"""Bins of each parameter: with more, a density may have features that fall between the nodes of the grids."""

ROUNDS = (0.2,) * 6 + (1.0,) * 4
"""Rounds of expectation and maximisation, and the part of the voxels that each looks at."""

FLAT_VOXELS = 30.0
"""So many voxels' weight the flat prior has beside those that the prior is learned from."""

SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
"""Weights of neighbouring bins, applied after each round."""

MESSAGE = "Bayes: prior from the data"


@dataclass(frozen=True)
class Marginal:
    """The density of one parameter on equal bins, log-linear between their middles.

    Attributes:
        low, high: range of the parameter.
        mass: (m,) probability of each bin.
        logarithmic: the bins are equal in the logarithm of the parameter, and the density is by that logarithm.
    """

    low: float
    high: float
    mass: NDArray
    logarithmic: bool = False

    @classmethod
    def uniform(cls, low: float, high: float, bins: int, logarithmic: bool = False) -> Marginal:
        """All values alike (of the parameter itself, also on logarithmic bins)."""
        width = np.diff(np.linspace(low, high, bins + 1))
        if logarithmic:
            width = np.diff(np.geomspace(low, high, bins + 1))
        return cls(low, high, np.full(bins, 1 / bins) if high <= low else width / width.sum(), logarithmic)

    @property
    def edges(self) -> NDArray:
        """The bins' edges (m + 1,)."""
        space = np.geomspace if self.logarithmic else np.linspace
        return space(self.low, self.high, len(self.mass) + 1)

    def log_density(self, place: NDArray) -> NDArray:
        """Natural logarithm of the density, but for a constant, at parameters or their logarithms."""
        low, high = (np.log([self.low, self.high])) if self.logarithmic else (self.low, self.high)
        m = len(self.mass)
        if high <= low or m < 2:
            return np.zeros_like(place)
        logs = np.log(np.maximum(self.mass, 1e-300))
        step = (place - low) * (m / (high - low)) - 0.5
        index = np.clip(step.astype(int), 0, m - 2)
        return logs[index] + (step - index) * np.diff(logs)[index]

    def sample(self, n: int, rng: np.random.Generator) -> NDArray:
        """Random values (n,)."""
        edges = np.log(self.edges) if self.logarithmic else self.edges
        index = rng.choice(len(self.mass), n, p=self.mass)
        place = edges[index] + rng.random(n) * np.diff(edges)[index]
        return np.clip(np.exp(place) if self.logarithmic else place, self.low, self.high)


@dataclass(frozen=True)
class Prior:
    """Independent prior densities of D and D* (mm2/s) and f, and the noise."""

    D: Marginal
    f: Marginal
    D_star: Marginal
    noise: Noise

    def densities(self) -> Densities:
        """For ``bayes_grid``: D in um2/ms."""
        cells = (np.arange(F_CELLS) + 0.5) / F_CELLS * (self.f.high - self.f.low) + self.f.low
        logs = self.f.log_density(cells)
        return Densities(
            lambda x: self.D.log_density(x / UNIT),
            lambda x: self.D_star.log_density(x - np.log(UNIT)),
            np.exp(logs - logs.max()).astype(np.float32),
        )

    def check(self, model: BayesModel) -> None:
        """Refuse a prior that was learned within other bounds.

        Raises:
            InputError: the bounds differ.
        """
        low_1, high_1, low_2, high_2 = (value / UNIT for value in model.limits)
        for name, limits in (("D", (low_1, high_1)), ("f", model.bounds.f), ("D_star", (low_2, high_2))):
            known = getattr(self, name)
            if not np.allclose((known.low, known.high), limits, rtol=1e-6):
                raise InputError(
                    f"The prior of {name} reaches from {known.low:g} to {known.high:g}, the bounds of this fit from "
                    f"{limits[0]:g} to {limits[1]:g}. Learn the prior within the same bounds."
                )

    def sample(self, n: int, rng: np.random.Generator) -> dict[str, NDArray]:
        """Random voxels: D, f, D_star (D* > D) and ``noise``, the standard deviation of one sample relative to S0."""
        found = {name: getattr(self, name).sample(n, rng) for name in ("D", "f", "D_star")}
        for _ in range(100):
            wrong = np.flatnonzero(found["D_star"] <= found["D"])
            if not wrong.size:
                break
            for name in ("D", "D_star"):
                found[name][wrong] = getattr(self, name).sample(wrong.size, rng)
        found["noise"] = np.interp(rng.random(n), np.linspace(0, 1, len(self.noise.levels)), self.noise.levels)
        return found


def estimate_prior(
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: Bounds | None = None,
    *,
    fit_s0: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Prior:
    """The prior that makes these signals most likely, nearly: their empirical Bayes prior.

    In each round the posteriors of some voxels are added up, parameter by parameter, smoothed, and taken for the prior
    of the next round: expectation and maximisation with smoothing (Silverman et al., J R Stat Soc B 1990;52:271-324).
    Voxels with much noise count by what their neighbours in the parameters' space tell, so that the prior is narrower
    than the histogram of a fit. A flat prior of the weight of ``FLAT_VOXELS`` voxels is added: from few voxels little
    is learned.

    Args:
        signals, b_values, bounds, fit_s0, progress, workers: as for ``fit_bayes``.
        seed: chooses the voxels, where there are more than ``SUBSET``.

    Returns:
        Densities of D, f and D* within the bounds, and the noise; a flat prior if no voxel is usable.

    Raises:
        InputError: as ``fit_bayes``.
    """
    progress = silent if progress is None else progress
    prior, learner = _flat(signals, b_values, bounds, fit_s0, seed, part(progress, 0.0, 0.1), workers)
    learner.look(prior.noise, part(progress, 0.1, 0.3))
    done = 0.0
    for share in ROUNDS:
        told = part(progress, 0.3 + 0.7 * done / sum(ROUNDS), 0.3 + 0.7 * (done + share) / sum(ROUNDS))
        prior, done = learner.learn(prior, share, told), done + share
    return prior


def flat_prior(
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: Bounds | None = None,
    *,
    fit_s0: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int | None = None,
) -> Prior:
    """All values of D, f and D* within the bounds alike, and the noise of these signals; as ``estimate_prior``."""
    return _flat(signals, b_values, bounds, fit_s0, seed, silent if progress is None else progress, workers)[0]


def _flat(  # noqa: PLR0917
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: Bounds | None,
    fit_s0: bool,
    seed: int,
    progress: Progress,
    workers: int | None,
) -> tuple[Prior, _Learner]:
    signals, b_values = checked_signals(signals, b_values)
    model = BayesModel(b_values, Bounds() if bounds is None else bounds, fit_s0)
    # In random order, so that a part of them is like all.
    signals = signals[np.random.default_rng(seed).permutation(len(signals))[:SUBSET]]
    fit = fit_biexp(signals, b_values, model.bounds, fit_s0=fit_s0, progress=progress, workers=workers)
    usable = np.isfinite(fit["rss"])
    signals, fit = signals[usable], {name: values[usable] for name, values in fit.items()}
    low_1, high_1, low_2, high_2 = (value / UNIT for value in model.limits)
    prior = Prior(
        Marginal.uniform(low_1, high_1, BINS),
        Marginal.uniform(*model.bounds.f, BINS),
        Marginal.uniform(low_2, high_2, BINS, logarithmic=True),
        _noise(signals, model, fit),
    )
    return prior, _Learner(model, signals, model.rates_of(fit), prior, checked_workers(workers))


def _noise(signals: NDArray, model: BayesModel, fit: dict[str, NDArray]) -> Noise:
    """The noise from the residuals of a least-squares fit."""
    scale = model.samples.normalised(signals)[2]
    free = sum(inside(fit[name], getattr(model.bounds, name)).astype(int) for name in ("D", "f", "D_star"))
    degrees = (model.b_values.size - model.fit_s0 - free).astype(float)
    return learn_noise(fit["rss"] / degrees, degrees, scale)


class _Learner:
    """Rounds of expectation and maximisation on some voxels with least-squares ``rates`` (2, n)."""

    def __init__(self, model: BayesModel, signals: NDArray, rates: NDArray, flat: Prior, workers: int) -> None:
        self.model, self.signals, self.rates, self.flat, self.workers = model, signals, rates, flat, workers
        self._seen: dict[int, tuple[Data, Box, Reference]] = {}

    def look(self, noise: Noise, progress: Progress) -> None:
        """Find where the likelihoods lie, which no prior changes."""

        def see(voxels: slice) -> None:
            data, _ = self.model.data(self.signals[voxels], noise)
            self._seen[voxels.start] = (data, *self.model.boxes.around(data, self.rates[:, voxels]))

        self._blocks(see, len(self.signals), progress)

    def learn(self, prior: Prior, share: float, progress: Progress) -> Prior:
        """The next prior, from the first part of the voxels."""
        densities = prior.densities()
        found: dict[int, tuple[NDArray, NDArray, NDArray]] = {}

        def add(voxels: slice) -> None:
            _, shares = integrate(*self._seen[voxels.start], densities, shares=True)
            found[voxels.start] = (
                _binned(prior.D, shares.nodes_1 / UNIT, shares.mass_1),
                np.add.reduceat(shares.mass_f, np.arange(BINS) * F_CELLS // BINS),
                _binned(prior.D_star, np.exp(shares.nodes_2) / UNIT, shares.mass_2),
            )

        # Whole blocks: those that were seen.
        n = min(-(-int(share * len(self.signals)) // BLOCK) * BLOCK, len(self.signals))
        self._blocks(add, n, progress)
        # In the voxels' order, so that rounding does not depend on which thread was first.
        blocks = [found[start] for start in sorted(found)]
        marginals = []
        for k, flat in enumerate((self.flat.D, self.flat.f, self.flat.D_star)):
            # Means first: the flat prior's weight is in voxels of all, however many a round looks at.
            mean = sum(block[k] for block in blocks) / max(n, 1)
            mass = FLAT_VOXELS * flat.mass + len(self.signals) * mean
            marginals.append(_smoothed(flat, mass))
        return Prior(*marginals, prior.noise)

    def _blocks(self, work: Callable[[slice], None], n: int, progress: Progress) -> None:
        fit_blocks(work, n, workers=self.workers, progress=progress, message=MESSAGE)


def _binned(marginal: Marginal, values: NDArray, mass: NDArray) -> NDArray:
    """Masses at values shared between the two nearest bins."""
    low, high, m = marginal.low, marginal.high, len(marginal.mass)
    if high <= low:
        return marginal.mass * mass.sum()
    place = np.log(values / low) / np.log(high / low) if marginal.logarithmic else (values - low) / (high - low)
    place = np.clip(place * m - 0.5, 0, m - 1)
    index = np.minimum(place.astype(int), m - 2)
    up = place - index
    return np.bincount(index.ravel(), (mass * (1 - up)).ravel(), m) + np.bincount(
        1 + index.ravel(), (mass * up).ravel(), m
    )


def _smoothed(marginal: Marginal, mass: NDArray) -> Marginal:
    mass = np.convolve(np.pad(mass, len(SMOOTH) // 2, mode="symmetric"), SMOOTH, mode="valid")
    return Marginal(marginal.low, marginal.high, mass / mass.sum(), marginal.logarithmic)
