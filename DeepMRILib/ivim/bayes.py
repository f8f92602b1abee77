"""Bi-exponential IVIM by Bayes' rule: posterior means and standard deviations of all voxels.

    p(D, f, D*, S0, sigma | signal)  ~  p(signal | D, f, D*, S0, sigma)  p(D, f, D*) p(sigma)

The integrals are sums over a grid that is fitted to each voxel (``bayes_box``, ``bayes_grid``): no random numbers and
no normal approximation. The prior of D, f and D* is flat or learned from all voxels together (``prior``): a mixture of
a few classes of tissue, so that one of few voxels is not given the values of the others. The noise of all voxels is
learned from their least-squares residuals (``bayes_noise``).

Shrinkage towards what the other voxels tell: Orton et al., Magn Reson Med 2014;71:411-420 (normal densities, Markov
chains); a prior from the data by empirical Bayes: Efron, Large-Scale Inference, Cambridge 2010; for IVIM, from the
histograms of a least-squares fit: Gurney-Champion et al., PLoS One 2018;13:e0194590.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.batches import UNIT, checked_signals, checked_workers
from DeepMRILib.ivim.bayes_grid import Moments, integrate
from DeepMRILib.ivim.bayes_model import BayesModel, fit_blocks
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.models import BIEXP_PARAMETERS, biexp
from DeepMRILib.ivim.prior import Prior, estimate_prior, flat_prior
from DeepMRILib.progress import Progress, part, silent

SLAB = 2**17
"""Voxels whose least-squares fit is kept at a time: with 4 million voxels the fit of all would take half a gigabyte."""

LEAST_SQUARES_SHARE = 0.1
MESSAGE = "Bayes"


def fit_bayes(
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: Bounds | None = None,
    *,
    prior: Literal["data", "flat"] | Prior = "data",
    fit_s0: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
    workers: int | None = None,
) -> dict[str, NDArray]:
    """Posterior mean and standard deviation of D, f, D* and S0 in every voxel.

    About 68 % of the true values lie within one standard deviation of the mean, if they are as the prior says.

    Args:
        signals: (n, n_b), any scale, negative samples allowed.
        b_values: (n_b,) in s/mm2, any order, repeats allowed, b = 0 not needed.
        bounds: see ``Bounds``; those of S0 are multiples of the mean signal at the lowest b-value.
        prior: "data" learns it from these voxels (``estimate_prior``), "flat" takes all values within the bounds for
            alike, or one learned before (its noise then is in the units of the signals it was learned from).
        fit_s0: False takes the mean signal at the lowest b-value as S0.
        seed: chooses the voxels that prior and noise are learned from, where there are very many.
        progress: called from this thread several times a second; may raise ``Cancelled``.
        workers: threads; by default one for each core this process may use, at most 8.

    Returns:
        ``D`` and ``D_star`` in mm2/s, ``f``, ``S0`` in the units of the signal, their standard deviations ``D_sd``,
        ``f_sd``, ``D_star_sd``, ``S0_sd``, and ``rss``, the residual sum of squares of the curve of the means; each
        (n,) float64. All NaN where a sample is not finite or the mean signal is not positive. Elsewhere means are
        within the bounds and D* > D. Where f is near 0 the posterior of D* is its prior. Prior and noise make voxels
        depend on each other; with a given ``Prior`` they do not. ``workers`` changes nothing.

    Raises:
        InputError: as ``fit_biexp``; an unknown prior, or one with other bounds; or no more samples than unknowns, so
            that the noise cannot be told.

    Example:
        >>> from DeepMRILib.ivim.models import biexp
        >>> b = [0, 10, 20, 50, 100, 300, 700]
        >>> noise = np.random.default_rng(1).normal(0, 1, (200, 7))
        >>> found = fit_bayes(biexp(b, D=0.001, f=0.2, D_star=0.05, S0=300) + noise, b)
        >>> bool(abs(found["f"].mean() - 0.2) < 0.005), bool(found["f_sd"].mean() < 0.02)
        (True, True)
    """
    signals, b_values = checked_signals(signals, b_values)
    workers = checked_workers(workers)
    progress = silent if progress is None else progress
    model = BayesModel(b_values, Bounds() if bounds is None else bounds, fit_s0)
    prior = _prior(signals, model, prior, seed, part(progress, 0.0, 0.3))
    found = {name: np.empty(len(signals)) for name in (*BIEXP_PARAMETERS, *_sd_names(), "rss")}
    densities = prior.densities()

    def fit(voxels: slice, rates: NDArray) -> None:
        data, scale = model.data(signals[voxels], prior.noise)
        moments, _ = integrate(data, *model.boxes.around(data, rates), densities)
        for name, values in _in_units(moments, scale, model).items():
            found[name][voxels] = values
        found["rss"][voxels] = _rss(signals[voxels], b_values, {name: found[name][voxels] for name in BIEXP_PARAMETERS})

    count = max(-(-len(signals) // SLAB), 1)
    for number in range(count):
        slab = slice(number * SLAB, min((number + 1) * SLAB, len(signals)))
        told = part(progress, 0.3 + 0.7 * number / count, 0.3 + 0.7 * (number + 1) / count)
        rates = _least_squares_rates(signals[slab], model, part(told, 0.0, LEAST_SQUARES_SHARE), workers)
        fit_blocks(
            lambda voxels, slab=slab, rates=rates: fit(_shifted(voxels, slab.start), rates[:, voxels]),
            rates.shape[1], workers=workers, progress=part(told, LEAST_SQUARES_SHARE, 1.0), message=MESSAGE,
        )  # fmt: skip
    return found


def _sd_names() -> tuple[str, ...]:
    return tuple(f"{name}_sd" for name in BIEXP_PARAMETERS)


def _prior(signals: NDArray, model: BayesModel, prior: str | Prior, seed: int, progress: Progress) -> Prior:
    """The prior that was asked for, with the model's bounds."""
    if isinstance(prior, Prior):
        prior.check(model)
        return prior
    learn = {"data": estimate_prior, "flat": flat_prior}.get(prior)
    if learn is None:
        raise InputError(f"{prior!r} is not a known prior; choose data, flat, or give a Prior.")
    return learn(signals, model.b_values, model.bounds, fit_s0=model.fit_s0, seed=seed, progress=progress)


def _least_squares_rates(signals: NDArray, model: BayesModel, progress: Progress, workers: int) -> NDArray:
    """D and D* (2, n) in um2/ms; some rates within the bounds for unusable voxels."""
    fit = fit_biexp(
        signals, model.b_values, model.bounds, fit_s0=model.fit_s0, progress=progress, workers=workers
    )  # fmt: skip
    return model.rates_of(fit)


def _shifted(voxels: slice, by: int) -> slice:
    return slice(voxels.start + by, voxels.stop + by)


def _in_units(moments: Moments, scale: NDArray, model: BayesModel) -> dict[str, NDArray]:
    """Means within their bounds and standard deviations, in the units of ``fit_bayes``; NaN where the scale is."""
    usable = np.where(np.isfinite(scale), 1.0, np.nan)
    units = {"D": usable / UNIT, "f": usable, "D_star": usable / UNIT, "S0": scale}
    bounds = {**model.bounds.as_dict(), "S0": model.S0}
    found = {}
    for name, mean, variance in zip(BIEXP_PARAMETERS, moments.mean, moments.variance, strict=True):
        low, high = bounds[name]
        to_bounds = UNIT if name in {"D", "D_star"} else 1.0  # mm2/s to um2/ms
        found[name] = np.clip(mean, low * to_bounds, high * to_bounds) * units[name]
        found[f"{name}_sd"] = np.sqrt(variance) * units[name]
    for name in ("D", "D_star"):  # the units' rounding
        found[name] = np.clip(found[name], *bounds[name])
    if not model.fit_s0:
        found["S0_sd"] = np.full_like(scale, np.nan)
    return found


def _rss(signals: NDArray, b_values: NDArray, fit: dict[str, NDArray]) -> NDArray:
    with np.errstate(all="ignore"):
        residual = biexp(b_values, *fit.values()) - signals
    return np.einsum("ij,ij->i", residual, residual)
