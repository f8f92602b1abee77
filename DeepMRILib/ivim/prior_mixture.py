"""Prior densities of D, f, D*: a few classes of tissue, in each of which the three are independent, and the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.batches import UNIT
from DeepMRILib.ivim.bayes_grid import F_CELLS, Densities
from DeepMRILib.ivim.bayes_model import BayesModel
from DeepMRILib.ivim.bayes_noise import Noise

_LEAST = 1e-300
"""A bin's mass is not taken for less, so that its logarithm is finite."""


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
        """All values alike (of the parameter itself, also on logarithmic bins); one bin where there is one value."""
        if high <= low:
            return cls(low, high, np.ones(1), logarithmic)
        space = np.geomspace if logarithmic else np.linspace
        width = np.diff(space(low, high, bins + 1))
        return cls(low, high, width / width.sum(), logarithmic)

    @property
    def edges(self) -> NDArray:
        """The bins' edges (m + 1,)."""
        space = np.geomspace if self.logarithmic else np.linspace
        return space(self.low, self.high, len(self.mass) + 1)

    def of_mass(self, mass: NDArray) -> Marginal:
        """Another density on the same bins."""
        return Marginal(self.low, self.high, mass / mass.sum(), self.logarithmic)

    def steps(self, place: NDArray) -> tuple[NDArray, NDArray]:
        """The bin whose middle lies before parameters or their logarithms, and how far they are to the next middle.

        Before the first middle and after the last the part is below 0 or above 1.
        """
        low, high = (np.log([self.low, self.high])) if self.logarithmic else (self.low, self.high)
        m = len(self.mass)
        if m < 2:
            return np.zeros(place.shape, int), np.zeros(place.shape)
        step = (place - low) * (m / (high - low)) - 0.5
        index = np.clip(step.astype(int), 0, m - 2)
        return index, step - index

    def log_density(self, place: NDArray) -> NDArray:
        """Natural logarithm of the density, but for a constant, at parameters or their logarithms."""
        return log_densities([self], place)[0]

    def sample(self, n: int, rng: np.random.Generator) -> NDArray:
        """Random values (n,)."""
        edges = np.log(self.edges) if self.logarithmic else self.edges
        index = rng.choice(len(self.mass), n, p=self.mass)
        place = edges[index] + rng.random(n) * np.diff(edges)[index]
        return np.clip(np.exp(place) if self.logarithmic else place, self.low, self.high)


def log_densities(marginals: list[Marginal], place: NDArray) -> NDArray:
    """As ``Marginal.log_density``, of several on the same bins: (K, ...); the constant is the same for all."""
    index, part = marginals[0].steps(place)
    found = np.empty((len(marginals), *place.shape))
    for k, marginal in enumerate(marginals):
        logs = np.log(np.maximum(marginal.mass, _LEAST))
        found[k] = np.append(np.diff(logs), 0)[index]
        found[k] *= part
        found[k] += logs[index]
    return found


@dataclass(frozen=True)
class TissueClass:
    """Independent densities of D and D* (mm2/s) and f."""

    D: Marginal
    f: Marginal
    D_star: Marginal

    @property
    def marginals(self) -> tuple[Marginal, Marginal, Marginal]:
        """Of D, f and D*, in this order."""
        return self.D, self.f, self.D_star


@dataclass(frozen=True)
class Prior:
    """A mixture of classes, and the noise.

    Attributes:
        classes: with the same bins.
        weights: of the classes, (K,), 1 together.
        noise: of all.
    """

    classes: tuple[TissueClass, ...]
    weights: NDArray
    noise: Noise

    @property
    def D(self) -> Marginal:  # noqa: N802
        """The density of D whatever f and D*."""
        return self._overall("D")

    @property
    def f(self) -> Marginal:
        """The density of f whatever D and D*."""
        return self._overall("f")

    @property
    def D_star(self) -> Marginal:  # noqa: N802
        """The density of D* whatever D and f."""
        return self._overall("D_star")

    def log_density(self, D: NDArray, f: NDArray, log_D_star: NDArray) -> NDArray:
        """Natural logarithm of the density, but for a constant, at places that broadcast together."""
        parts = [
            np.log(weight) + kind.D.log_density(D) + kind.f.log_density(f) + kind.D_star.log_density(log_D_star)
            for weight, kind in zip(self.weights, self.classes, strict=True)
        ]
        return np.logaddexp.reduce(parts)

    def densities(self) -> Densities:
        """For ``bayes_grid``: D in um2/ms."""
        f = [kind.f for kind in self.classes]
        cells = (np.arange(F_CELLS) + 0.5) / F_CELLS * (f[0].high - f[0].low) + f[0].low
        logs = log_densities(f, cells) + np.log(self.weights)[:, None]
        return Densities(
            lambda x: log_densities([kind.D for kind in self.classes], x / UNIT),
            lambda x: log_densities([kind.D_star for kind in self.classes], x - np.log(UNIT)),
            np.exp(logs - logs.max()).astype(np.float32),
        )

    def check(self, model: BayesModel) -> None:
        """Refuse a prior that was learned within other bounds.

        Raises:
            InputError: the bounds differ.
        """
        low_1, high_1, low_2, high_2 = (value / UNIT for value in model.limits)
        for name, limits in (("D", (low_1, high_1)), ("f", model.bounds.f), ("D_star", (low_2, high_2))):
            known = getattr(self.classes[0], name)
            if not np.allclose((known.low, known.high), limits, rtol=1e-6):
                raise InputError(
                    f"The prior of {name} reaches from {known.low:g} to {known.high:g}, the bounds of this fit from "
                    f"{limits[0]:g} to {limits[1]:g}. Learn the prior within the same bounds."
                )

    def sample(self, n: int, rng: np.random.Generator) -> dict[str, NDArray]:
        """Random voxels: D, f, D_star (D* > D) and ``noise``, the standard deviation of one sample relative to S0."""
        found = self._draw(n, rng)
        for _ in range(100):
            wrong = np.flatnonzero(found["D_star"] <= found["D"])
            if not wrong.size:
                break
            for name, values in self._draw(wrong.size, rng).items():
                found[name][wrong] = values
        found["noise"] = np.interp(rng.random(n), np.linspace(0, 1, len(self.noise.levels)), self.noise.levels)
        return found

    def _draw(self, n: int, rng: np.random.Generator) -> dict[str, NDArray]:
        """Random D, f and D_star, each voxel's of one class; D* may be below D."""
        kinds = rng.choice(len(self.classes), n, p=self.weights)
        found = {name: np.empty(n) for name in ("D", "f", "D_star")}
        for number, kind in enumerate(self.classes):
            mine = kinds == number
            for name, values in found.items():
                values[mine] = getattr(kind, name).sample(int(mine.sum()), rng)
        return found

    def _overall(self, name: str) -> Marginal:
        marginals = [getattr(kind, name) for kind in self.classes]
        return marginals[0].of_mass(np.dot(self.weights, [marginal.mass for marginal in marginals]))
