"""Classes of tissue learned from many voxels by expectation and maximisation, on cells of D, f and D*.

    p(D, f, D*) = sum over k of weight_k p_k(D) p_k(f) p_k(D*)

A single product of densities says that each D may go with each f and D*. A tissue of 3 % of the voxels that differs in
all three then is all but impossible, and its voxels are given the values of the others. Latent classes: Goodman,
Biometrika 1974;61:215-231, with densities that are smoothed histograms: Levine et al., Biometrika 2011;98:403-416.

Class 0 is flat and stays so: a defence of tissues that have no class, or are not among the voxels learned from. Classes
are added one by one where a point mass would raise the likelihood most, the gradient of Lindsay, Ann Stat
1983;11:86-94.

What a voxel's signal says is kept as the part of its likelihood in each cell (a bin of D, one of f, one of D*). The
sum of the voxels' posteriors over all cells is then all that a round needs: within a cell the classes share by their
densities there, whichever voxel it is.

The settings were chosen on nested squares (seeds 5 to 8, SNR 20 and 50), on uniform parameters (SNR 20 and 50) and on
five tissues with 10 % spread, one of them 2 % of the voxels (SNR 25 and 30), all simulated for this; CLASS_VOXELS
also with the real kidneys of bench_abdomen.py in view, for which that benchmark is a check and no validation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from DeepMRILib.ivim.batches import UNIT
from DeepMRILib.ivim.bayes_grid import F_CELLS, Shares
from DeepMRILib.ivim.prior_mixture import Marginal, TissueClass
from DeepMRILib.progress import Progress, part

MOST_CLASSES = 6
"""Beside the flat one; the simulated sets ended with one to five."""

FLAT_LEAST = 0.05
"""Least weight of the flat class. With 0.1 a rare tissue's D* is drawn further to the middle of its range."""

FLAT_VOXELS = 30.0
"""So many voxels are taken to be of the flat class beside those learned from: few voxels teach little."""

CLASS_VOXELS = 3.0
"""So many voxels spread evenly each class has beside its own: its densities are nowhere 0. With 5, a class of 1 or 2 %
of 5000 voxels is too wide to be told from the flat one; with 1, a class of 25 voxels of a small region is so narrow
that it draws others (real kidneys, D lower by 0.03e-3 mm2/s than with 3)."""

FEWEST_ROUNDS, ROUNDS = 20, 40
"""Rounds of expectation and maximisation after each added class."""

SETTLED = 0.02
"""Rounds end when the logarithm of the likelihood of all voxels rises by less; with 10 rounds and 0.05 some small
classes were given up that were about to grow."""

WORTH = 5.0
"""A class that raises the logarithm of the likelihood of all voxels by less is not kept."""

DEAD = 1e-3
"""A class of less weight is dropped: five voxels of 5000."""

NEGLIGIBLE = 1e-3
"""Nodes of less mass than this part of the largest in their voxel are left out."""

SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
"""Weights of neighbouring bins, applied after each round."""

START_WEIGHT, START_SD = 0.05, 2.5
"""Of an added class: its weight, and its standard deviation in bins."""

GAIN_SD = 1.0
"""Standard deviation in bins by which the likelihood's gradient is smoothed before its largest value is sought."""

MESSAGE = "Bayes: prior from the data"


class Mixture(NamedTuple):
    """Weights (K,) and the masses of the bins of D, f and D*, (K, m) each; the flat class is the first."""

    weights: NDArray
    masses: tuple[NDArray, NDArray, NDArray]

    def cells(self) -> NDArray:
        """Each class's mass in each cell, (K, m1, m_f, m2)."""
        return np.einsum("k,ka,kb,kc->kabc", self.weights, *self.masses, optimize=True)

    def living(self) -> Mixture:
        """Without the classes that have lost their voxels."""
        keep = self.weights >= DEAD
        weights = self.weights[keep]
        return Mixture(weights / weights.sum(), tuple(mass[keep] for mass in self.masses))

    def with_class(self, weight: float, masses: list[NDArray]) -> Mixture:
        """One class more."""
        weights = np.append(self.weights * (1 - weight), weight)
        return Mixture(weights, tuple(np.vstack(pair) for pair in zip(self.masses, masses, strict=True)))


def likelihoods(shares: Shares, flat: TissueClass) -> sparse.csr_array:
    """From posteriors with a flat prior: each voxel's likelihood in each cell, but for a factor, (n, cells)."""
    keep = np.nonzero(shares.mass > NEGLIGIBLE * shares.mass.max(axis=(0, 2, 3), keepdims=True))
    _, voxel, _, at_2 = keep
    f = flat.f.low + (shares.cells_f[keep] + 0.5) / F_CELLS * (flat.f.high - flat.f.low)
    steps = (
        flat.D.steps(shares.nodes_1[keep[1:]] / UNIT),
        flat.f.steps(f),
        flat.D_star.steps(shares.nodes_2[voxel, at_2] - np.log(UNIT)),
    )
    shape = tuple(len(marginal.mass) for marginal in flat.marginals)
    cells, parts = np.zeros((1, voxel.size), int), shares.mass[keep][None].astype(np.float32)
    for (index, away), m in zip(steps, shape, strict=True):
        cells = cells * m + index
        if m > 1:  # shared between the two nearest bins
            up = np.clip(away, 0, 1).astype(np.float32)
            cells, parts = np.concatenate([cells, cells + 1]), np.concatenate([parts * (1 - up), parts * up])
    rows = np.broadcast_to(voxel, cells.shape)
    size = (shares.mass.shape[1], int(np.prod(shape)))
    found = sparse.coo_array((parts.ravel(), (rows.ravel(), cells.ravel())), shape=size).tocsr()
    prior = _flat(flat).cells().astype(np.float32).ravel()
    found.data /= prior[found.indices]
    return found


def learn(likelihood: sparse.csr_array, flat: TissueClass, progress: Progress) -> Mixture:
    """The flat class and as many more as the likelihoods (n, cells) of n > 0 voxels are worth."""
    best = _flat(flat)
    more = best.with_class(1 - FLAT_LEAST, [marginal.mass for marginal in flat.marginals])
    value = -np.inf
    for number in range(MOST_CLASSES):
        told = part(progress, number / MOST_CLASSES, (number + 1) / MOST_CLASSES)
        more = _fitted(likelihood, more, flat, told)
        before, value = value, _log_likelihood(_evidence(likelihood, more.cells()))
        if value < before + WORTH:
            break
        best, more = more, _with_narrow_class(likelihood, more)
    progress(1.0, MESSAGE)
    return best


def _flat(flat: TissueClass) -> Mixture:
    return Mixture(np.ones(1), tuple(marginal.mass[None] for marginal in flat.marginals))


def _fitted(likelihood: sparse.csr_array, known: Mixture, flat: TissueClass, progress: Progress) -> Mixture:
    """After rounds of expectation and maximisation, without the classes that have lost their voxels."""
    value = -np.inf
    for step in range(ROUNDS):
        progress(step / ROUNDS, MESSAGE)
        cells = known.cells()
        evidence = _evidence(likelihood, cells)
        known = _maximised(likelihood, evidence, cells, flat)
        before, value = value, _log_likelihood(evidence)
        if step >= FEWEST_ROUNDS and value < before + SETTLED:
            break
    return known.living()


def _log_likelihood(evidence: NDArray) -> float:
    return float(np.log(evidence).sum(dtype=float))


def _evidence(likelihood: sparse.csr_array, cells: NDArray) -> NDArray:
    """Each voxel's likelihood, averaged over the prior, (n,); above 0 also where no cell explains the voxel at all."""
    return np.maximum(likelihood @ cells.sum(axis=0).astype(np.float32).ravel(), np.finfo(np.float32).tiny)


def _gradient(likelihood: sparse.csr_array, evidence: NDArray, shape: tuple[int, ...]) -> NDArray:
    """By how much the logarithm of the likelihood of all voxels rises with the prior's mass of each cell."""
    return (likelihood.T @ (1 / evidence)).reshape(shape)


def _maximised(likelihood: sparse.csr_array, evidence: NDArray, cells: NDArray, flat: TissueClass) -> Mixture:
    """The mixture that the voxels' posteriors make up."""
    cells = cells * _gradient(likelihood, evidence, cells.shape[1:])
    counts = cells.sum(axis=(2, 3)), cells.sum(axis=(1, 3)), cells.sum(axis=(1, 2))
    voxels = counts[0].sum(axis=1)
    voxels[0] += FLAT_VOXELS
    weights = voxels / voxels.sum()
    weights[0] = max(weights[0], FLAT_LEAST)
    weights[1:] *= (1 - weights[0]) / max(weights[1:].sum(), 1e-300)
    masses = [
        np.vstack([marginal.mass, *(_smoothed(marginal, one) for one in count[1:])])
        for marginal, count in zip(flat.marginals, counts, strict=True)
    ]
    return Mixture(weights, tuple(masses))


def _smoothed(flat: Marginal, count: NDArray) -> NDArray:
    mass = CLASS_VOXELS * flat.mass + count
    if mass.size > 1:
        mass = np.convolve(np.pad(mass, len(SMOOTH) // 2, mode="symmetric"), SMOOTH, mode="valid")
    return mass / mass.sum()


def _with_narrow_class(likelihood: sparse.csr_array, known: Mixture) -> Mixture:
    """With a class about the cell where mass raises the likelihood most."""
    cells = known.cells()
    bins = cells.shape[1:]
    gain = _gradient(likelihood, _evidence(likelihood, cells), bins)
    smooth = np.einsum("abc,ia,jb,kc->ijk", gain, *(_normal(m, GAIN_SD) for m in bins), optimize=True)
    place = np.unravel_index(smooth.argmax(), bins)
    return known.with_class(START_WEIGHT, [_normal(m, START_SD)[at] for m, at in zip(bins, place, strict=True)])


def _normal(m: int, sd: float) -> NDArray:
    """Row i: a normal density about bin i on m bins, 1 in all."""
    away = np.subtract.outer(np.arange(m), np.arange(m))
    rows = np.exp(-0.5 * (away / sd) ** 2)
    return rows / rows.sum(axis=1, keepdims=True)
