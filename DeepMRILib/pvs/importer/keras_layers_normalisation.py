"""Normalisations of Keras: with the statistics of the training, or those of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.pvs.importer.keras_layers_activation import single_axis
from DeepMRILib.pvs.importer.keras_site import NotUnderstoodError, Site

_LEAST_DEVIATION = 1e-7  # of Normalization: Keras' backend.epsilon()


def _scale_shift(site: Site, x: str, scale: NDArray, shift: NDArray, axes: list[int]) -> str:
    return site.add("scale_shift", x, site.made("scale", scale), site.made("shift", shift), axes=axes)


def _learned(site: Site, x: str, axes: list[int]) -> str:
    """Scale and shift after a normalisation, where the layer has them."""
    scale, shift = site.options.flag("scale", True), site.options.flag("center", True)
    if not scale and not shift:
        return x
    like = site.weights["gamma" if scale else "beta"].astype(np.float64)
    gamma = site.weights["gamma"] if scale else np.ones_like(like)
    beta = site.weights["beta"] if shift else np.zeros_like(like)
    if gamma.shape != beta.shape or gamma.ndim != len(axes):
        raise NotUnderstoodError(f"its gamma and beta have the shapes {gamma.shape} and {beta.shape}")
    return _scale_shift(site, x, gamma, beta, axes)


def batch(site: Site) -> str:
    """BatchNormalization with the mean and variance that training left: a scale and a shift."""
    options = site.options
    options.ignore("momentum", "fused", "synchronized", "virtual_batch_size", "renorm_momentum", "renorm_clipping")
    options.expect("renorm", False)
    options.expect("adjustment")
    axis = single_axis(options, -1)
    variance = site.weights["moving_variance"].astype(np.float64)
    site.shaped("moving_variance", [None])
    count = len(variance)
    spread = np.sqrt(np.maximum(variance, 0) + options.number("epsilon", 1e-3))
    if (variance < 0).any() or not spread.all():
        raise NotUnderstoodError("a variance that is not positive")
    scaled, shifted = options.flag("scale", True), options.flag("center", True)
    scale = (site.shaped("gamma", [count]).astype(np.float64) if scaled else 1.0) / spread
    beta = site.shaped("beta", [count]).astype(np.float64) if shifted else 0.0
    mean = site.shaped("moving_mean", [count]).astype(np.float64)
    return _scale_shift(site, site.input, scale, beta - mean * scale, [axis])


def layer(site: Site) -> str:
    """LayerNormalization: over the axes named, for each position of the others."""
    options = site.options
    options.expect("rms_scaling", False)
    given: Any = options.get("axis", -1)
    axes = [given] if isinstance(given, int) else list(given)
    whole = bool(axes) and all(type(axis) is int for axis in axes)
    if not whole or axes != sorted(axes) or (min(axes) < 0 <= max(axes)):
        raise NotUnderstoodError(f"axis {str(given)[:60]}")
    made = site.add("normalise", site.input, axes=axes, epsilon=options.number("epsilon", 1e-3))
    return _learned(site, made, axes)


def group(site: Site) -> str:
    """GroupNormalization; -1 groups are as many as there are channels (instance normalisation)."""
    axis = single_axis(site.options, -1)
    groups = site.options.get("groups", 32)
    if type(groups) is not int or (groups < 1 and groups != -1):
        raise NotUnderstoodError(f"groups {str(groups)[:60]}")
    made = site.add("group_norm", site.input, axis=axis, groups=groups, epsilon=site.options.number("epsilon", 1e-3))
    return _learned(site, made, [axis])


def instance(site: Site) -> str:
    """InstanceNormalization of TensorFlow Addons."""
    site.options.expect("groups", -1)
    axis = single_axis(site.options, -1)
    made = site.add("group_norm", site.input, axis=axis, groups=-1, epsilon=site.options.number("epsilon", 1e-3))
    return _learned(site, made, [axis])


def standardise(site: Site) -> str:
    """Normalization: with a mean and a variance of the training data."""
    options = site.options
    options.expect("invert", False)
    given: Any = options.get("axis", [])
    axes = sorted([given] if isinstance(given, int) else list(given))
    mean = _statistic(site, "mean")
    variance = _statistic(site, "variance")
    if mean.shape != variance.shape or (variance < 0).any():
        raise NotUnderstoodError("a mean and a variance that do not match")
    scale = 1 / np.maximum(np.sqrt(variance), _LEAST_DEVIATION)
    return _scale_shift(site, site.input, scale.reshape(-1), (-mean * scale).reshape(-1), _kept(axes, mean))


def _statistic(site: Site, role: str) -> NDArray:
    given = site.options.get(role)
    try:
        found = np.asarray(site.weights[role] if given is None else given, dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise NotUnderstoodError(f"no {role}") from error
    if not np.isfinite(found).all() or found.size != max(found.shape, default=1):
        raise NotUnderstoodError(f"a {role} of several axes")
    return found


def _kept(axes: list[int], mean: NDArray) -> list[int]:
    """The axis along which the mean changes; a single number counts for all of the last."""
    if len(axes) > 1 or (not axes and mean.size > 1):
        raise NotUnderstoodError(f"axis {axes}")
    return axes or [-1]
