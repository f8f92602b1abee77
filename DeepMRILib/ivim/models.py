"""Signal equations of intravoxel incoherent motion (IVIM): the signal of a voxel as a function of the b-value.

Units throughout: b in s/mm2, D and D* in mm2/s, f dimensionless, S0 in the units of the signal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BIEXP_PARAMETERS = ("D", "f", "D_star", "S0")
"""The names of the bi-exponential model's parameters, in the order of the Jacobian's columns."""


def biexp(b: ArrayLike, D: ArrayLike, f: ArrayLike, D_star: ArrayLike, S0: ArrayLike = 1.0) -> NDArray:
    """The bi-exponential IVIM signal.

    S(b) = S0 [ f exp(-b D*) + (1 - f) exp(-b D) ]   (Le Bihan et al., Radiology 1988;168:497-505)

    Args:
        b: (n_b,) b-values in s/mm2.
        D: any shape; diffusion coefficient of the tissue in mm2/s.
        f: same shape or one number; perfusion fraction, 0 to 1.
        D_star: same shape or one number; pseudo-diffusion coefficient in mm2/s.
        S0: same shape or one number; signal at b = 0.

    Returns:
        The parameters' shape with one more axis of length n_b at the end.

    Example:
        >>> biexp([0, 500], D=0.001, f=0.2, D_star=0.05, S0=100).round(2)
        array([100.  ,  48.52])
    """
    b = np.asarray(b, dtype=float)
    D, f, D_star, S0 = (np.asarray(value, dtype=float)[..., None] for value in (D, f, D_star, S0))
    return S0 * (f * np.exp(-b * D_star) + (1 - f) * np.exp(-b * D))


def biexp_jacobian(b: ArrayLike, D: ArrayLike, f: ArrayLike, D_star: ArrayLike, S0: ArrayLike = 1.0) -> NDArray:
    """The derivatives of ``biexp`` by D, f, D* and S0.

    Args:
        b, D, f, D_star, S0: as for ``biexp``.

    Returns:
        The parameters' shape with two more axes at the end: (n_b, 4), columns as in ``BIEXP_PARAMETERS``.
    """
    b = np.asarray(b, dtype=float)
    D, f, D_star, S0 = (np.asarray(value, dtype=float)[..., None] for value in (D, f, D_star, S0))
    tissue, blood = np.exp(-b * D), np.exp(-b * D_star)
    columns = (
        -S0 * (1 - f) * b * tissue,
        S0 * (blood - tissue),
        -S0 * f * b * blood,
        f * blood + (1 - f) * tissue,
    )
    return np.stack(np.broadcast_arrays(*columns), axis=-1)
