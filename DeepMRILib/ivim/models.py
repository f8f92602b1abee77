"""Signal equations of intravoxel incoherent motion (IVIM): the signal of a voxel as a function of the b-value.

Units throughout: b in s/mm2, D and D* in mm2/s, f dimensionless, S0 in the units of the signal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

ADC_PARAMETERS = ("ADC", "S0")
BIEXP_PARAMETERS = ("D", "f", "D_star", "S0")
TRIEXP_PARAMETERS = ("D", "f1", "D_star1", "f2", "D_star2", "S0")
"""The names of each model's parameters, in the order of the Jacobian's columns; S0 is always the last."""


def adc(b: ArrayLike, ADC: ArrayLike, S0: ArrayLike = 1.0) -> NDArray:
    """The mono-exponential signal of the apparent diffusion coefficient.

    S(b) = S0 exp(-b ADC)   (Le Bihan et al., Radiology 1986;161:401-407)

    Args:
        b: (n_b,) b-values in s/mm2.
        ADC: any shape; apparent diffusion coefficient in mm2/s.
        S0: same shape or one number; signal at b = 0.

    Returns:
        The parameters' shape with one more axis of length n_b at the end.

    Example:
        >>> adc([0, 1000], ADC=0.001, S0=100).round(2)
        array([100.  ,  36.79])
    """
    b, (ADC, S0) = np.asarray(b, dtype=float), _columns(ADC, S0)
    return S0 * np.exp(-b * ADC)


def adc_jacobian(b: ArrayLike, ADC: ArrayLike, S0: ArrayLike = 1.0) -> NDArray:
    """The derivatives of ``adc`` by ADC and S0: the parameters' shape with two more axes at the end, (n_b, 2)."""
    b, (ADC, S0) = np.asarray(b, dtype=float), _columns(ADC, S0)
    decay = np.exp(-b * ADC)
    return _stacked(-S0 * b * decay, decay)


def _columns(*values: ArrayLike) -> tuple[NDArray, ...]:
    """Parameters with an axis for the b-values."""
    return tuple(np.asarray(value, dtype=float)[..., None] for value in values)


def _stacked(*columns: NDArray) -> NDArray:
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


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
    b, (D, f, D_star, S0) = np.asarray(b, dtype=float), _columns(D, f, D_star, S0)
    return S0 * (f * np.exp(-b * D_star) + (1 - f) * np.exp(-b * D))


def biexp_jacobian(b: ArrayLike, D: ArrayLike, f: ArrayLike, D_star: ArrayLike, S0: ArrayLike = 1.0) -> NDArray:
    """The derivatives of ``biexp`` by D, f, D* and S0.

    Args:
        b, D, f, D_star, S0: as for ``biexp``.

    Returns:
        The parameters' shape with two more axes at the end: (n_b, 4), columns as in ``BIEXP_PARAMETERS``.
    """
    b, (D, f, D_star, S0) = np.asarray(b, dtype=float), _columns(D, f, D_star, S0)
    tissue, blood = np.exp(-b * D), np.exp(-b * D_star)
    return _stacked(
        -S0 * (1 - f) * b * tissue,
        S0 * (blood - tissue),
        -S0 * f * b * blood,
        f * blood + (1 - f) * tissue,
    )


def triexp(  # noqa: PLR0917 - one argument per parameter
    b: ArrayLike,
    D: ArrayLike,
    f1: ArrayLike,
    D_star1: ArrayLike,
    f2: ArrayLike,
    D_star2: ArrayLike,
    S0: ArrayLike = 1.0,
) -> NDArray:
    """The tri-exponential IVIM signal: tissue, a slow and a fast compartment of blood.

    S(b) = S0 [ (1 - f1 - f2) exp(-b D) + f1 exp(-b D*1) + f2 exp(-b D*2) ]   (Troelstra et al., Front Physiol
    2022;13:942495)

    Args:
        b: (n_b,) b-values in s/mm2.
        D: any shape; diffusion coefficient of the tissue in mm2/s.
        f1, D_star1: same shape or one number; fraction and pseudo-diffusion coefficient (mm2/s) of slow blood.
        f2, D_star2: the same of fast blood; f1 + f2 <= 1.
        S0: same shape or one number; signal at b = 0.

    Returns:
        The parameters' shape with one more axis of length n_b at the end.

    Example:
        >>> triexp([0, 500], D=0.001, f1=0.1, D_star1=0.02, f2=0.1, D_star2=1.0, S0=100).round(2)
        array([100.  ,  48.52])
    """
    b = np.asarray(b, dtype=float)
    D, f1, D_star1, f2, D_star2, S0 = _columns(D, f1, D_star1, f2, D_star2, S0)
    return S0 * ((1 - f1 - f2) * np.exp(-b * D) + f1 * np.exp(-b * D_star1) + f2 * np.exp(-b * D_star2))


def triexp_jacobian(  # noqa: PLR0917
    b: ArrayLike,
    D: ArrayLike,
    f1: ArrayLike,
    D_star1: ArrayLike,
    f2: ArrayLike,
    D_star2: ArrayLike,
    S0: ArrayLike = 1.0,
) -> NDArray:
    """The derivatives of ``triexp``: the parameters' shape with two more axes, (n_b, 6) as ``TRIEXP_PARAMETERS``."""
    b = np.asarray(b, dtype=float)
    D, f1, D_star1, f2, D_star2, S0 = _columns(D, f1, D_star1, f2, D_star2, S0)
    tissue, slow, fast = (np.exp(-b * rate) for rate in (D, D_star1, D_star2))
    rest = 1 - f1 - f2
    return _stacked(
        -S0 * rest * b * tissue,
        S0 * (slow - tissue),
        -S0 * f1 * b * slow,
        S0 * (fast - tissue),
        -S0 * f2 * b * fast,
        rest * tissue + f1 * slow + f2 * fast,
    )


@dataclass(frozen=True)
class SignalModel:
    """A signal equation.

    Attributes:
        name: as in ``FitOptions.model``.
        parameters: names in the order of the function's arguments.
        equation: for people.
        signal: ``signal(b, *parameters)``.
        jacobian: its derivatives.
    """

    name: str
    parameters: tuple[str, ...]
    equation: str
    signal: Callable[..., NDArray]
    jacobian: Callable[..., NDArray]


MODELS: dict[str, SignalModel] = {
    model.name: model
    for model in (
        SignalModel("adc", ADC_PARAMETERS, "S(b) = S0 exp(-b ADC)", adc, adc_jacobian),
        SignalModel("biexp", BIEXP_PARAMETERS, "S(b) = S0 [f exp(-b D*) + (1 - f) exp(-b D)]", biexp, biexp_jacobian),
        SignalModel(
            "triexp",
            TRIEXP_PARAMETERS,
            "S(b) = S0 [(1 - f1 - f2) exp(-b D) + f1 exp(-b D*1) + f2 exp(-b D*2)]",
            triexp,
            triexp_jacobian,
        ),
    )
}
