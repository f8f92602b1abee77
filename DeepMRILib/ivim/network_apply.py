"""Applying a trained network: maps within the bounds, and how far they may be off."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from DeepMRILib import device as devices
from DeepMRILib.ivim.batches import checked_signals
from DeepMRILib.ivim.bayes_noise import Noise, learn_noise
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.network import network_of
from DeepMRILib.ivim.network_error import SIMULATED, ErrorModel, stretched
from DeepMRILib.ivim.network_input import CEILING, normalised, usable
from DeepMRILib.ivim.network_posterior import PosteriorNetwork
from DeepMRILib.ivim.plan import FAST_COMPARTMENTS, NetworkPlan
from DeepMRILib.ivim.ratesearch import RATIO
from DeepMRILib.progress import Progress, part, silent

CHUNK = 8192
"""Voxels at a time: their activations stay in a core's cache."""

Values = dict[str, NDArray]


def estimate(
    signals: ArrayLike,
    plan: NetworkPlan,
    weights: Mapping[str, NDArray],
    *,
    bounds: Any,
    fit_s0: bool = True,
    device: devices.Device = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> Values:
    """The parameters of all voxels by a trained network, each with its standard deviation.

    An ensemble's estimate is the mean of its members'. Outputs of the published networks may lie outside the physical
    range (their sigmoids reach further); they are clipped to ``bounds``. Where the compartments come out in the wrong
    order (D* below D), the model is the same with their names exchanged: of exchanging and clipping, that is
    taken whose signal is nearer to the measured one.

    The standard deviation of a posterior network is that of the mixture of its members' posteriors. For the others it
    is the root mean square error that their estimates have on simulated signals: voxels like the estimated ones, noise
    as the residuals tell, the same network, and a smooth function from estimate and members' spread to squared error
    (``network_error``). It includes the network's bias towards what it was trained on, as far as the estimates show it.

    Args:
        signals: (n, n_b), columns as ``plan.b_values``.
        plan, weights: of ``train_network``.
        bounds: of every parameter, a mapping or an object with ``as_dict``; S0 relative to the mean at the lowest b.
        fit_s0: otherwise S0 is the mean signal at the lowest b-value.
        device: where to compute; ``"auto"`` is the CPU.
        seed: of the simulated noise.
        progress: may raise ``Cancelled``.

    Returns:
        The model's parameters and ``<name>_sd``, (n,) each: rates in mm2/s, S0 in the signals' units. NaN for signals
        that are not usable (``network_input.usable``).

    Raises:
        InputError: signals of another number of samples.
        WeightsError: weights of another network.
    """
    b_values = np.array(plan.b_values)
    signals, _ = checked_signals(signals, b_values)
    limits = bounds.as_dict() if hasattr(bounds, "as_dict") else dict(bounds)
    place = "cpu" if device == "auto" else devices.resolve(device)
    progress = silent if progress is None else progress
    applied = _Applied(plan, weights, limits, fit_s0, place)
    found = {name: np.full(len(signals), np.nan) for name in (*applied.names, *map(_sd, applied.names), "spread")}
    start = np.full(len(signals), np.nan)
    rss = np.full(len(signals), np.nan)
    told = part(progress, 0.0, 0.8)
    with devices.out_of_memory_as_error(place, "Applying an IVIM network", "Use a smaller mask."):
        for first in range(0, len(signals), CHUNK):
            rows = slice(first, first + CHUNK)
            relative, start[rows] = normalised(signals[rows], b_values)
            kept = np.flatnonzero(usable(relative, b_values, voxel_filter=plan.voxel_filter))
            values, rss[first + kept] = applied.values(relative[kept])
            for name, numbers in values.items():
                found[name][first + kept] = numbers
            told(min(first + CHUNK, len(signals)) / len(signals), "Applying the network")
        if plan.loss == "signal":
            kept = np.flatnonzero(np.isfinite(rss))
            seen = {name: found[name][kept] for name in (*applied.names, "spread")}
            sd = _errors(applied, seen, rss[kept], start[kept], seed)
            for name, numbers in sd.items():
                found[name][kept] = numbers
    found.pop("spread")
    for name in ("S0", "S0_sd"):
        found[name] *= start
    if not applied.fits_s0:
        found["S0_sd"][:] = np.nan
    progress(1.0, "Applying the network")
    return found


def _sd(name: str) -> str:
    return f"{name}_sd"


class _Applied:
    """A trained network as a function from normalised signals to parameters within bounds, S0 relative."""

    def __init__(
        self, plan: NetworkPlan, weights: Mapping[str, NDArray], limits: Mapping[str, tuple[float, float]],
        fit_s0: bool, device: str,
    ) -> None:  # fmt: skip
        self.plan, self.limits, self.device = plan, limits, device
        self.model = MODELS[plan.model]
        self.names = self.model.parameters
        self.fits_s0 = fit_s0 and plan.fit_s0
        self.b_values = np.array(plan.b_values)
        self.network = network_of(plan, weights).to(device)

    @torch.no_grad()
    def values(self, relative: NDArray) -> tuple[Values, NDArray]:
        """Parameters (n,), with ``<name>_sd`` or ``spread``, and the residual sums of squares (n,).

        Args:
            relative: (n, n_b) normalised, not cut.
        """
        cut = torch.from_numpy(np.minimum(relative, np.float32(CEILING))).to(self.device)
        found = self._posterior(cut) if isinstance(self.network, PosteriorNetwork) else self._members(cut, relative)
        return found, self.residual(found, relative)

    def many(self, relative: NDArray) -> tuple[Values, NDArray]:
        """As ``values``, in chunks."""
        parts = [self.values(relative[first : first + CHUNK]) for first in range(0, max(len(relative), 1), CHUNK)]
        values = {name: np.concatenate([one[name] for one, _ in parts]) for name in parts[0][0]}
        return values, np.concatenate([rss for _, rss in parts])

    def _posterior(self, signals: torch.Tensor) -> Values:
        mean, sd = (part.double().cpu().numpy().T for part in self.network.posterior(signals))
        found = dict(zip(self.plan.outputs, mean, strict=True))
        found = self._within({name: found.get(name, np.ones(len(mean.T))) for name in self.names})
        return {**found, **{_sd(name): numbers for name, numbers in zip(self.plan.outputs, sd, strict=True)}}

    def _members(self, signals: torch.Tensor, relative: NDArray) -> Values:
        outputs = self.network.parameters_of(signals.T.expand(self.plan.members, -1, -1))
        amplitudes, rates = (part.double().cpu().numpy() for part in self.network.amplitudes_and_rates(outputs))
        each = [self._best(a, r, relative) for a, r in zip(amplitudes, rates, strict=True)]
        found = {name: np.mean([one[name] for one in each], axis=0) for name in self.names}
        spread = np.zeros(len(relative))
        if len(each) > 1:
            for name in self.names[:-1]:
                low, high = self.limits[name]
                spread += np.var([one[name] for one in each], axis=0, ddof=1) / max(high - low, 1e-12) ** 2
        return {**found, "spread": spread}

    def _best(self, amplitudes: NDArray, rates: NDArray, relative: NDArray) -> Values:
        """One member's parameters of its compartments (c, n), tissue last, in the order that fits better."""
        found = self._parameters(amplitudes, rates)
        wrong = np.flatnonzero((np.diff(np.roll(rates, 1, axis=0), axis=0) < 0).any(axis=0))
        if not wrong.size:
            return found
        order = np.roll(np.argsort(rates[:, wrong], axis=0), -1, axis=0)
        exchanged = self._parameters(*(np.take_along_axis(part[:, wrong], order, 0) for part in (amplitudes, rates)))
        as_it_was = {name: numbers[wrong] for name, numbers in found.items()}
        better = self.residual(exchanged, relative[wrong]) < self.residual(as_it_was, relative[wrong])
        for name, numbers in found.items():
            numbers[wrong[better]] = exchanged[name][better]
        return found

    def _parameters(self, amplitudes: NDArray, rates: NDArray) -> Values:
        amplitudes = np.maximum(amplitudes, 0)
        total = np.maximum(amplitudes.sum(0), 1e-6)
        found = {"D": rates[-1], "S0": total if self.fits_s0 else np.ones_like(total)}
        for place, (amplitude, rate) in enumerate(FAST_COMPARTMENTS[self.plan.model]):
            found[amplitude], found[rate] = amplitudes[place] / total, rates[place]
        return self._within({name: found[name] for name in self.names})

    def _within(self, found: Values) -> Values:
        """Parameters clipped to their bounds, the rates in their order and the fractions at most 1 together."""
        names = [name for name in self.names if name != "S0" or self.fits_s0]
        found = {**found, **{name: np.clip(found[name], *self.limits[name]) for name in names}}
        rates = ["D", *(rate for _, rate in FAST_COMPARTMENTS[self.plan.model])]
        for slower, faster in pairwise(rates):
            least = np.minimum(RATIO * found[slower], self.limits[faster][1])  # apart in single precision too
            found[faster] = np.maximum(found[faster], least)
        fractions = [amplitude for amplitude, _ in FAST_COMPARTMENTS[self.plan.model]]
        over = np.maximum(sum(found[name] for name in fractions), 1)
        return {**found, **{name: found[name] / over for name in fractions}}

    def residual(self, found: Values, relative: NDArray) -> NDArray:
        """Sum of squared differences between measured and predicted normalised signals (n,)."""
        predicted = self.model.signal(self.b_values, *(found[name] for name in self.names))
        return np.square(predicted - relative).sum(axis=1)


def _errors(applied: _Applied, found: Values, rss: NDArray, start: NDArray, seed: int) -> Values:
    """``<name>_sd`` (n,) of a network's estimates, from its errors on simulated voxels that it takes for these.

    Args:
        applied: the network.
        found: its estimates (n,) and the members' ``spread``; S0 relative.
        rss: (n,) residual sums of squares of the normalised signals.
        start: (n,) mean signal at the lowest b-value.
        seed: of the simulated voxels.
    """
    if not len(rss):
        return {}
    names = applied.names if applied.fits_s0 else applied.names[:-1]
    estimates = {name: found[name] for name in applied.names}
    learned = _noise(applied, estimates, rss, start, seed)
    rows = np.random.default_rng([seed, 0]).integers(len(rss), size=SIMULATED)
    truth = stretched(estimates, applied.limits, rows, seed)
    noise = np.sqrt(learned.variance(start[rows]))
    kept, again, _, scale = _simulated(applied, truth, noise, seed)
    if not kept.size:
        return {}
    errors = {name: again[name] - truth[name][kept] / (scale if name == "S0" else 1) for name in names}
    seen = _seen(applied, found, np.sqrt(learned.variance(start)))
    model = ErrorModel.learn(seen, _seen(applied, again, noise[kept] / scale), errors)
    return {_sd(name): sd for name, sd in model.sd(seen).items()}


def _noise(applied: _Applied, found: Values, rss: NDArray, start: NDArray, seed: int) -> Noise:
    """The noise as the residuals tell it.

    A network does not fit each voxel as closely as least squares, so how many degrees of freedom its residuals have is
    measured: on signals simulated from the estimates with noise that is about right.
    """
    degrees = np.full(len(rss), float(max(applied.plan.n_b - len(applied.plan.outputs), 1)))
    about = learn_noise(rss / degrees * start**2, degrees, start)
    rows = np.random.default_rng([seed, 2]).integers(len(rss), size=SIMULATED // 8)
    noise = np.sqrt(about.variance(start[rows]))
    kept, _, again, scale = _simulated(applied, {name: found[name][rows] for name in found}, noise, seed)
    if not kept.size:
        return about
    degrees[:] = again.mean() / np.square(noise[kept] / scale).mean()
    return learn_noise(rss / degrees * start**2, degrees, start)


def _simulated(applied: _Applied, truth: Values, noise: NDArray, seed: int) -> tuple[NDArray, Values, NDArray, NDArray]:
    """Applied to simulated voxels: which are usable, estimates, residual sums of squares, and what they are over."""
    clean = applied.model.signal(applied.b_values, *(truth[name] for name in applied.names))
    signals = clean + noise[:, None] * np.random.default_rng([seed, 3]).normal(size=clean.shape)
    relative, scale = normalised(signals, applied.b_values)
    kept = np.flatnonzero(usable(relative, applied.b_values, voxel_filter=applied.plan.voxel_filter))
    values, rss = applied.many(relative[kept])
    return kept, values, rss, scale[kept]


def _seen(applied: _Applied, found: Values, noise: NDArray) -> NDArray:
    """The features of voxels: estimates but S0, the members' spread, the noise relative to S0; (n, k)."""
    columns = [found[name] for name in applied.names[:-1]]
    if applied.plan.members > 1:
        columns.append(np.log(found["spread"] + 1e-8))
    return np.stack([*columns, np.log(noise)], axis=1)
