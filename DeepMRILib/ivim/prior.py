"""What is known of D, f, D* and the noise before a voxel is looked at: nothing, or what all voxels together tell."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from DeepMRILib.ivim.batches import UNIT, checked_signals, checked_workers
from DeepMRILib.ivim.bayes_grid import integrate
from DeepMRILib.ivim.bayes_model import BayesModel, fit_blocks
from DeepMRILib.ivim.bayes_noise import Noise, learn_noise
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.leastsquares import fit_biexp
from DeepMRILib.ivim.prior_classes import MESSAGE, learn, likelihoods
from DeepMRILib.ivim.prior_mixture import Marginal, Prior, TissueClass
from DeepMRILib.ivim.uncertainty import inside
from DeepMRILib.progress import Progress, part, silent

__all__ = ["Marginal", "Prior", "TissueClass", "estimate_prior", "flat_prior"]

SUBSET = 5000
"""Most voxels that a prior is learned from."""

BINS = 36
"""Bins of each parameter: with more, a density may have features that fall between the nodes of the grids."""


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

    A mixture of a flat class and a few others, each a product of smooth densities of D, f and D* (``prior_classes``),
    is fitted by expectation and maximisation with smoothing (Silverman et al., J R Stat Soc B 1990;52:271-324): each
    class takes its share of the voxels' posteriors for its next densities. Voxels with much noise count by what their
    neighbours in the parameters' space tell, so that the prior is narrower than the histogram of a fit. A tissue of few
    voxels keeps its values where the data tell it from the others; where they do not, it is drawn towards them. From
    few voxels little is learned.

    Args:
        signals, b_values, bounds, fit_s0, progress, workers: as for ``fit_bayes``.
        seed: chooses the voxels, where there are more than ``SUBSET``.

    Returns:
        Densities of D, f and D* within the bounds, and the noise; a flat prior if no voxel is usable.

    Raises:
        InputError: as ``fit_bayes``.
    """
    progress = silent if progress is None else progress
    prior, subset = _flat(signals, b_values, bounds, fit_s0, seed, part(progress, 0.0, 0.1), workers)
    if not len(subset.signals):
        progress(1.0, MESSAGE)
        return prior
    flat = prior.classes[0]
    likelihood = _likelihoods(subset, prior, part(progress, 0.1, 0.5), checked_workers(workers))
    mixture = learn(likelihood, flat, part(progress, 0.5, 1.0))
    classes = tuple(
        TissueClass(*(known.of_mass(mass) for known, mass in zip(flat.marginals, masses, strict=True)))
        for masses in zip(*mixture.masses, strict=True)
    )
    return Prior(classes, mixture.weights, prior.noise)


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


class _Subset(NamedTuple):
    """The usable ones of the voxels to learn from, with least-squares rates (2, n)."""

    model: BayesModel
    signals: NDArray
    rates: NDArray


def _flat(  # noqa: PLR0917
    signals: ArrayLike,
    b_values: ArrayLike,
    bounds: Bounds | None,
    fit_s0: bool,
    seed: int,
    progress: Progress,
    workers: int | None,
) -> tuple[Prior, _Subset]:
    signals, b_values = checked_signals(signals, b_values)
    model = BayesModel(b_values, Bounds() if bounds is None else bounds, fit_s0)
    signals = signals[np.random.default_rng(seed).permutation(len(signals))[:SUBSET]]
    fit = fit_biexp(signals, b_values, model.bounds, fit_s0=fit_s0, progress=progress, workers=workers)
    usable = np.isfinite(fit["rss"])
    signals, fit = signals[usable], {name: values[usable] for name, values in fit.items()}
    low_1, high_1, low_2, high_2 = (value / UNIT for value in model.limits)
    kind = TissueClass(
        Marginal.uniform(low_1, high_1, BINS),
        Marginal.uniform(*model.bounds.f, BINS),
        Marginal.uniform(low_2, high_2, BINS, logarithmic=True),
    )
    prior = Prior((kind,), np.ones(1), _noise(signals, model, fit))
    return prior, _Subset(model, signals, model.rates_of(fit))


def _likelihoods(subset: _Subset, prior: Prior, progress: Progress, workers: int) -> sparse.csr_array:
    """Of all voxels in the cells of a flat prior, see ``prior_classes``."""
    densities = prior.densities()
    found: dict[int, sparse.csr_array] = {}

    def add(voxels: slice) -> None:
        data, _ = subset.model.data(subset.signals[voxels], prior.noise)
        boxes = subset.model.boxes.around(data, subset.rates[:, voxels])
        _, shares = integrate(data, *boxes, densities, shares=True)
        found[voxels.start] = likelihoods(shares, prior.classes[0])

    fit_blocks(add, len(subset.signals), workers=workers, progress=progress, message=MESSAGE)
    # In the voxels' order, so that rounding does not depend on which thread was first.
    return sparse.vstack([found[start] for start in sorted(found)]).tocsr()


def _noise(signals: NDArray, model: BayesModel, fit: dict[str, NDArray]) -> Noise:
    """The noise from the residuals of a least-squares fit."""
    scale = model.samples.normalised(signals)[2]
    free = sum(inside(fit[name], getattr(model.bounds, name)).astype(int) for name in ("D", "f", "D_star"))
    degrees = (model.b_values.size - model.fit_s0 - free).astype(float)
    return learn_noise(fit["rss"] / degrees, degrees, scale)
