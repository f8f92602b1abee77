"""Where white matter and ventricles lie in a real image without a parcellation, and how bright fluid is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.brainmask_tissue import largest_part
from DeepMRILib.pvs.phantom_room import Room

_EDGE_MM = 3.0
_DEEP_MM = 18.0
_SHADING_MM = 25.0
_LEAST_VENTRICLE_MM3 = 300.0
_BELOW_MM = 20.0
"""Tissue further below the middle of the ventricles may be stem or cerebellum."""
_ENOUGH = 50  # voxels to take a median of


def room_of_image(image: NDArray, brain: NDArray, affine: NDArray, *, dark_fluid: bool) -> Room:
    """White matter and ventricles by brightness alone.

    Three classes by k-means after the slow part of the brightness is taken away: in T1 fluid is the darkest and white
    matter the brightest, in T2 the other way round. White matter is the largest connected part of its class, without
    what lies far below the ventricles, for stem and cerebellum are as bright; ventricles are what is fluid deep in the
    brain.

    Args:
        image: (i, j, k) T1 or T2.
        brain: (i, j, k) bool, an approximate mask is enough.
        affine: (4, 4).
        dark_fluid: a T1.

    Raises:
        InputError: the brain has no classes: it is empty or of one brightness.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    depth = ndimage.distance_transform_edt(brain, sampling=spacing)
    inner = depth > _EDGE_MM
    if np.count_nonzero(inner) < 1000:
        raise InputError("The brain mask is too small to find white matter in. Give the mask of a whole brain.")
    flat = _evened(image, inner, spacing)
    low, high = _classes(flat[inner])
    if not dark_fluid:
        low, high = high, low
    beyond = np.greater if dark_fluid else np.less
    white = largest_part(inner & beyond(flat, high))
    # spaces that are there already are holes in it
    closed = ndimage.binary_closing(white, iterations=1)
    white = ndimage.binary_fill_holes(closed) & inner & beyond(flat, low)
    fluid = inner & (depth > _DEEP_MM) & ~beyond(flat, low)
    pieces, _ = ndimage.label(ndimage.binary_opening(fluid))
    sizes = np.bincount(pieces.ravel()) * np.prod(spacing)
    sizes[0] = 0
    # cisterns are deep too, and smaller than the ventricles, which may come in two pieces
    large = np.flatnonzero((sizes >= _LEAST_VENTRICLE_MM3) & (sizes >= sizes.max() / 4))
    ventricles = np.isin(pieces, large)
    return Room(white & _above(ventricles, affine), np.zeros_like(white), ventricles, affine)


def fluid_brightness(image: NDArray, brain: NDArray, room: Room, *, dark_fluid: bool) -> float:
    """How bright fluid is: the median inside the ventricles, or where these are too small the brain's extreme."""
    core = ndimage.binary_erosion(room.ventricles)
    if np.count_nonzero(core) >= _ENOUGH:
        return float(np.median(image[core]))
    return float(np.percentile(image[brain], 2 if dark_fluid else 98))


def _above(ventricles: NDArray, affine: NDArray) -> NDArray:
    """Where the cerebrum is, roughly: not far below the middle of the ventricles; everywhere when these are unknown."""
    if not ventricles.any():
        return np.ones_like(ventricles)
    height = sum(
        affine[2, n] * np.arange(size).reshape(np.roll([-1, 1, 1], n)) for n, size in enumerate(ventricles.shape)
    )
    return height > height[ventricles].mean() - _BELOW_MM


def _evened(image: NDArray, inner: NDArray, spacing: NDArray) -> NDArray:
    """The image without the slow part of its brightness."""
    sigma = _SHADING_MM / spacing / 2
    weight = ndimage.gaussian_filter(inner.astype(np.float32), sigma)
    slow = ndimage.gaussian_filter(np.where(inner, image, 0).astype(np.float32), sigma) / np.maximum(weight, 1e-3)
    flat = image / np.maximum(slow, 1e-6 * max(float(slow.max()), 1e-6))
    return np.where(inner, flat, 0).astype(np.float32)


def _classes(values: NDArray) -> tuple[float, float]:
    """The two thresholds between three classes of values."""
    first, last = np.percentile(values, [0.5, 99.5])
    values = values[(values >= first) & (values <= last)]
    means = np.percentile(values, [3, 40, 85])
    for _ in range(60):
        edges = (means[1:] + means[:-1]) / 2
        member = np.digitize(values, edges)
        counts = np.bincount(member, minlength=3)
        if (counts == 0).any():
            raise InputError(
                "White matter cannot be told from other tissue in this image. Give a parcellation, or another image."
            )
        renewed = np.bincount(member, values, minlength=3) / counts
        if np.allclose(renewed, means, rtol=1e-4):
            break
        means = renewed
    return float((means[0] + means[1]) / 2), float((means[1] + means[2]) / 2)
