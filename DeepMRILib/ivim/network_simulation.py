"""Signals to train on whose truth is known: drawn from the prior and the noise of a study's own signals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.plan import NetworkPlan
from DeepMRILib.ivim.prior import Prior, estimate_prior
from DeepMRILib.progress import Progress

_DRAWS = 3  # which random numbers of the plan's seed


@dataclass(frozen=True)
class Draws:
    """Voxels drawn from a prior.

    Attributes:
        clean: (n, n_b) float32, signals without noise, 1 at b = 0.
        truth: (n, outputs) float32, in the order of ``plan.outputs``; S0 is 1.
        noise: (n, 1) float32, standard deviation of one sample.
    """

    clean: NDArray
    truth: NDArray
    noise: NDArray


def draw(signals: NDArray, plan: NetworkPlan, n: int, progress: Progress | None = None) -> Draws:
    """Draw n voxels from the prior of the signals.

    For the bi-exponential model prior and noise are learned from the signals (``prior.estimate_prior``). For the
    tri-exponential one the prior is flat within the bounds: uniform in D and in the fractions, which together are at
    most 1, and log-uniform in D*1 and D*2, which reach over orders of magnitude.

    Args:
        signals: (m, n_b) in the scanner's units.
        plan: whose bounds and b-values hold.
        n: how many.
        progress: of learning the prior.

    Raises:
        InputError: fewer samples per voxel than the noise can be told from.
    """
    prior = learned_prior(signals, plan, progress)
    random = np.random.default_rng([plan.seed, 0, _DRAWS])
    found = prior.sample(n, random)
    if plan.model == "triexp":
        found = {**_flat_triexp(plan, n, random), "noise": found["noise"]}
    found["S0"] = np.ones(n)
    model = MODELS[plan.model]
    clean = model.signal(np.array(plan.b_values), *(found[name] for name in model.parameters))
    truth = np.stack([found[name] for name in plan.outputs], axis=1)
    return Draws(clean.astype(np.float32), truth.astype(np.float32), found["noise"].astype(np.float32)[:, None])


def learned_prior(signals: NDArray, plan: NetworkPlan, progress: Progress | None = None) -> Prior:
    """Prior and noise of the signals; for the tri-exponential model only its noise is of use."""
    bounds = Bounds(S0=plan.bounds["S0"])
    if plan.model == "biexp":
        bounds = Bounds(**{name: plan.bounds[name] for name in ("D", "f", "D_star", "S0")})
    return estimate_prior(signals, plan.b_values, bounds, fit_s0=plan.fit_s0, seed=plan.seed, progress=progress)


def _flat_triexp(plan: NetworkPlan, n: int, random: np.random.Generator) -> dict[str, NDArray]:
    found = {"D": random.uniform(*plan.bounds["D"], n)}
    for name in ("D_star1", "D_star2"):
        low, high = plan.bounds[name]
        found[name] = np.exp(random.uniform(np.log(max(low, high * 1e-3)), np.log(high), n))
    found |= {name: random.uniform(*plan.bounds[name], n) for name in ("f1", "f2")}
    for _ in range(1000):
        over = np.flatnonzero(found["f1"] + found["f2"] > 1)
        if not over.size:
            break
        for name in ("f1", "f2"):
            found[name][over] = random.uniform(*plan.bounds[name], over.size)
    return found
