"""Standard deviations of the parameters of a least-squares fit, from the curvature at its optimum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.bayes_noise import learn_noise
from DeepMRILib.ivim.bounds import AnyBounds, Bounds
from DeepMRILib.ivim.models import MODELS, SignalModel

CHUNK = 8192
RESOLVED = 1e-12
"""A parameter whose column of the scaled Jacobian has less of its own than this, squared, cannot be told."""


def parameter_sd(
    model: SignalModel,
    fit: Mapping[str, NDArray],
    b_values: ArrayLike,
    bounds: AnyBounds,
    *,
    fit_s0: bool = True,
    pool: bool = False,
) -> dict[str, NDArray]:
    """The standard deviation of each parameter, from the curvature at the optimum.

    covariance = sigma^2 (J^T J)^-1,  sigma^2 = rss / (n_b - p)   (J: Jacobian, p: parameters not at a bound)

    A parameter that lies at its bound is held there: it has no spread of its own (NaN), and the others' is what it is
    with that one known.

    With few samples per voxel sigma^2 is itself uncertain, and the interval of one standard deviation to either side
    holds less than 68 % of the true values: 65 % with 11 samples and 4 parameters. Pooling helps: the residuals of all
    voxels tell how much their noise differs, and sigma^2 of a voxel is drawn towards what they share, all the way if
    they are alike (Smyth, Stat Appl Genet Mol Biol 2004;3:3, equation 2).

    Args:
        model: the signal equation.
        fit: the model's parameters and ``rss``, each (n,), as a least-squares fit returns them.
        b_values: (n_b,) in s/mm2, all that the fit used.
        bounds: those of the fit. S0 is taken to be free, or not fitted.
        fit_s0: as in the fit.
        pool: whether voxels share what their residuals tell of the noise.

    Returns:
        ``<parameter>_sd`` in the units of the parameters, each (n,); NaN where the fit is NaN, and where there are no
        more samples than free parameters.

    Raises:
        InputError: no b-values.

    Example:
        >>> b = [0, 10, 20, 50, 100, 300, 700]
        >>> fit = {name: np.array([value]) for name, value in
        ...        dict(D=1e-3, f=0.2, D_star=0.05, S0=1.0, rss=3e-4).items()}
        >>> parameter_sd(MODELS["biexp"], fit, b, Bounds())["f_sd"].round(3)
        array([0.013])
    """
    b_values = np.asarray(b_values, dtype=float)
    if b_values.ndim != 1 or b_values.size == 0:
        raise InputError(f"The b-values have shape {b_values.shape}; give one for each sample of the fit.")
    parameters = np.stack([np.asarray(fit[name], dtype=float) for name in model.parameters])
    free = _free(model, fit, bounds, fit_s0)
    degrees = b_values.size - free.sum(axis=0)
    variance = _variance(np.asarray(fit["rss"], dtype=float), degrees, parameters[-1], pool)
    found = np.empty_like(parameters)
    for start in range(0, parameters.shape[1], CHUNK):
        part = slice(start, start + CHUNK)
        found[:, part] = _sd(model, parameters[:, part], free[:, part], variance[part], b_values)
    return {f"{name}_sd": values for name, values in zip(model.parameters, found, strict=True)}


def biexp_sd(
    fit: Mapping[str, NDArray],
    b_values: ArrayLike,
    bounds: Bounds | None = None,
    *,
    fit_s0: bool = True,
    pool: bool = False,
) -> dict[str, NDArray]:
    """``parameter_sd`` of the bi-exponential model; by default with its general bounds."""
    return parameter_sd(
        MODELS["biexp"], fit, b_values, Bounds() if bounds is None else bounds, fit_s0=fit_s0, pool=pool
    )


def _free(model: SignalModel, fit: Mapping[str, NDArray], bounds: AnyBounds, fit_s0: bool) -> NDArray:
    """Which parameters are not held at a bound, (p, n)."""
    free = [inside(fit[name], getattr(bounds, name)) for name in model.parameters[:-1]]
    if model.name == "triexp":  # where no tissue is left, f2 is what f1 leaves
        free[model.parameters.index("f2")] &= fit["f1"] + fit["f2"] < 1 - 1e-6
    return np.stack([*free, np.full(len(fit["rss"]), fit_s0)])


def _variance(rss: NDArray, degrees: NDArray, S0: NDArray, pool: bool) -> NDArray:
    """The noise's variance in each voxel, (n,); NaN where the residuals say nothing of it."""
    with np.errstate(all="ignore"):
        own = np.where(degrees > 0, rss / np.maximum(degrees, 1), np.nan)
    known = np.isfinite(own) & (S0 > 0)
    if pool and known.any():
        noise = learn_noise(own[known], degrees[known].astype(float), S0[known])
        prior = noise.variance(S0[known]) * (S0[known] ** 2)
        own[known] = (noise.nu0 * prior + rss[known]) / (noise.nu0 + degrees[known])
    return own


def inside(values: NDArray, interval: tuple[float, float]) -> NDArray:
    """Whether values lie off both ends of an interval, by more than rounding."""
    slack = 1e-6 * (interval[1] - interval[0])
    return (values > interval[0] + slack) & (values < interval[1] - slack)


def _sd(model: SignalModel, parameters: NDArray, free: NDArray, sigma2: NDArray, b_values: NDArray) -> NDArray:
    """(p, n) standard deviations of (p, n) parameters."""
    with np.errstate(all="ignore"):
        jacobian = model.jacobian(b_values, *parameters) * free.T[:, None, :]
        length = np.linalg.norm(jacobian, axis=1)
        jacobian /= np.where(length > 0, length, 1)[:, None, :]
        normal = np.matmul(jacobian.transpose(0, 2, 1), jacobian)
        sd = np.sqrt(_inverse_diagonal(normal) * sigma2[:, None]) / length
    return np.where(free.T & (length > 0) & np.isfinite(sd), sd, np.nan).T


def _inverse_diagonal(normal: NDArray) -> NDArray:
    """The diagonal of the inverse of symmetric matrices (n, p, p) with 1 or 0 (held) on the diagonal; NaN if singular.

    By Cholesky's factors, all voxels together: numpy's own inverse gives up on all if one is singular.
    """
    n, p, _ = normal.shape
    lower = np.zeros((p, p, n))
    inverse = np.zeros((p, p, n))
    for j in range(p):
        held = normal[:, j, j] == 0
        pivot = np.where(held, 1, normal[:, j, j] - (lower[j, :j] ** 2).sum(axis=0))
        lower[j, j] = np.sqrt(np.where(pivot > RESOLVED, pivot, np.nan))
        for i in range(j + 1, p):
            lower[i, j] = (normal[:, i, j] - (lower[i, :j] * lower[j, :j]).sum(axis=0)) / lower[j, j]
    for j in range(p):
        inverse[j, j] = 1 / lower[j, j]
        for i in range(j + 1, p):
            inverse[i, j] = -(lower[i, j:i] * inverse[j:i, j]).sum(axis=0) / lower[i, i]
    return (inverse**2).sum(axis=0).T
