"""Standard deviations of the parameters of a bi-exponential least-squares fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.bounds import Bounds
from DeepMRILib.ivim.models import BIEXP_PARAMETERS, biexp_jacobian

CHUNK = 8192
RESOLVED = 1e-12
"""A parameter whose column of the scaled Jacobian has less of its own than this, squared, cannot be told."""


def biexp_sd(
    fit: Mapping[str, NDArray], b_values: ArrayLike, bounds: Bounds | None = None, *, fit_s0: bool = True
) -> dict[str, NDArray]:
    """The standard deviation of each parameter, from the curvature at the optimum.

    covariance = sigma^2 (J^T J)^-1,  sigma^2 = rss / (n_b - p)   (J: Jacobian, p: parameters not at a bound)

    A parameter that lies at its bound is held there: it has no spread of its own (NaN), and the others' is what it is
    with that one known.

    Args:
        fit: ``D``, ``f``, ``D_star``, ``S0`` and ``rss``, each (n,), as ``fit_biexp`` returns them.
        b_values: (n_b,) in s/mm2, all that the fit used.
        bounds: those of the fit, for D, f and D*. S0 is taken to be free, or not fitted.
        fit_s0: as in the fit.

    Returns:
        ``D_sd``, ``f_sd``, ``D_star_sd``, ``S0_sd`` in the units of the parameters, each (n,); NaN where the fit is
        NaN, and where there are no more samples than free parameters.

    Raises:
        InputError: no b-values.

    Example:
        >>> b = [0, 10, 20, 50, 100, 300, 700]
        >>> fit = {name: np.array([value]) for name, value in
        ...        dict(D=1e-3, f=0.2, D_star=0.05, S0=1.0, rss=3e-4).items()}
        >>> biexp_sd(fit, b)["f_sd"].round(3)
        array([0.013])
    """
    b_values = np.asarray(b_values, dtype=float)
    if b_values.ndim != 1 or b_values.size == 0:
        raise InputError(f"The b-values have shape {b_values.shape}; give one for each sample of the fit.")
    bounds = Bounds() if bounds is None else bounds
    parameters = np.stack([np.asarray(fit[name], dtype=float) for name in BIEXP_PARAMETERS])
    free = np.stack([*(inside(fit[name], getattr(bounds, name)) for name in ("D", "f", "D_star")),
                     np.full(parameters.shape[1], fit_s0)])  # fmt: skip
    found = np.empty_like(parameters)
    for start in range(0, parameters.shape[1], CHUNK):
        part = slice(start, start + CHUNK)
        found[:, part] = _sd(parameters[:, part], free[:, part], np.asarray(fit["rss"])[part], b_values)
    return {f"{name}_sd": values for name, values in zip(BIEXP_PARAMETERS, found, strict=True)}


def inside(values: NDArray, interval: tuple[float, float]) -> NDArray:
    """Whether values lie off both ends of an interval, by more than rounding."""
    slack = 1e-6 * (interval[1] - interval[0])
    return (values > interval[0] + slack) & (values < interval[1] - slack)


def _sd(parameters: NDArray, free: NDArray, rss: NDArray, b_values: NDArray) -> NDArray:
    """(4, n) standard deviations of (4, n) parameters."""
    with np.errstate(all="ignore"):
        jacobian = biexp_jacobian(b_values, *parameters) * free.T[:, None, :]
        length = np.linalg.norm(jacobian, axis=1)
        jacobian /= np.where(length > 0, length, 1)[:, None, :]
        normal = np.matmul(jacobian.transpose(0, 2, 1), jacobian)
        variance = _inverse_diagonal(normal)
        degrees = b_values.size - free.sum(axis=0)
        sigma2 = np.where(degrees > 0, rss / np.maximum(degrees, 1), np.nan)
        sd = np.sqrt(variance * sigma2[:, None]) / length
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
