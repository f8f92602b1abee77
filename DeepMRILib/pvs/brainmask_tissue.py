"""The brain's own tissue inside a rough mask: without the fluid, membranes and vessels around it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.errors import require

_CORE = 25.0
"""mm inside of where a brain may lie: nearly all there is brain."""
_EVEN = 15.0
"""mm of the Gaussian by which brightness is evened."""
_SKIN = 8.0
"""mm beneath the skin in which there is no brain."""
_CLOSE = 5.0
"""mm: narrower gaps than twice this are the brain's furrows."""
_ALONG, _AROUND = (ndimage.generate_binary_structure(3, reach) for reach in (1, 3))


def tissue_in(head: NDArray, outline: NDArray, possible: NDArray, step: float, *, ringed: bool = False) -> NDArray:
    """The brain's hull, bool (i, j, k), in a head in which tissue is bright and fluid and bone are dark.

    Tissue is cut where its bridges from the brain to the scalp, the eyes and the neck are thinnest: a watershed of the
    depth in it, from the middle of the head and from beneath its skin. The brain's furrows are then closed.

    Args:
        head: (i, j, k) float32, voxels of ``step`` mm.
        outline: bool, the whole head.
        possible: bool, where the brain may lie.
        step: mm.
        ringed: bright fluid was darkened, so that a thin ring where it meets the bone is as bright as tissue.
    """
    parts = ndimage.find_objects(possible.view(np.uint8))[0]
    where = tuple(slice(max(0, part.start - 8), part.stop + 8) for part in parts)
    outline, possible = outline[where], possible[where]
    even = evened(head[where], outline & possible, _EVEN / step)
    core = ndimage.binary_erosion(possible, iterations=round(_CORE / step))
    if not (core & outline).any():
        return possible & outline
    fluid, grey, white = class_means(even[core & outline])
    tissue = outline & (even > fluid + (0.75 if ringed else 0.6) * (grey - fluid)) & (even < 1.4 * white)
    skin = outline & ~ndimage.binary_erosion(outline, iterations=round(_SKIN / step), border_value=1)
    kept = _divided(tissue, core, skin | ~possible) & possible
    inner = largest_part(ndimage.binary_erosion(kept, _AROUND if ringed else _ALONG))
    opened = ndimage.binary_dilation(inner, _ALONG, iterations=2, mask=kept)
    closed = ndimage.binary_closing(np.pad(opened, 4), _ball(_CLOSE / step))[4:-4, 4:-4, 4:-4]
    whole = np.zeros(head.shape, dtype=bool)
    whole[where] = ndimage.binary_fill_holes(closed) & possible
    return whole


def _divided(tissue: NDArray, within: NDArray, without: NDArray) -> NDArray:
    """The part of the tissue that belongs to the seed within, bool."""
    sitk = require("SimpleITK", "Finding the brain")
    depth = ndimage.distance_transform_edt(tissue)
    seeds = np.zeros(tissue.shape, dtype=np.uint8)
    seeds[within & (depth > 1)] = 1
    seeds[without | ~tissue] = 2
    height = sitk.GetImageFromArray(-depth.astype(np.float32))
    flooded = sitk.MorphologicalWatershedFromMarkers(height, sitk.GetImageFromArray(seeds), False, False)
    return (sitk.GetArrayFromImage(flooded) == 1) & tissue


def _ball(radius: float) -> NDArray:
    reach = np.arange(-int(radius), int(radius) + 1)
    return reach[:, None, None] ** 2 + reach[:, None] ** 2 + reach**2 <= radius**2


def evened(head: NDArray, inside: NDArray, sigma: float) -> NDArray:
    """A head without its smooth brightness: divided by the local mean of its tissue.

    Tissue is what lies between 0.6 and 1.5 of the local mean, found in turns with it; the mean is a Gaussian's.

    Args:
        head: (i, j, k) float32.
        inside: bool, where there may be tissue.
        sigma: of the Gaussian, in voxels.
    """
    every = (slice(None, None, 2),) * 3
    coarse, weight = head[every], inside[every].astype(np.float32)
    for _ in range(4):
        below = ndimage.gaussian_filter(weight, sigma / 2, mode="constant", truncate=3.0)
        mean = ndimage.gaussian_filter(coarse * weight, sigma / 2, mode="constant", truncate=3.0) / (below + 1e-6)
        weight = (inside[every] & (coarse > 0.6 * mean) & (coarse < 1.5 * mean)).astype(np.float32)
    # where there is no tissue near, the mean of all
    overall = float(coarse[weight > 0].mean()) if weight.any() else 1.0
    mean = (below * mean + 1e-3 * overall) / (below + 1e-3)
    matrix = np.full(3, 0.5)
    whole = ndimage.affine_transform(mean, matrix, output_shape=head.shape, order=1, mode="nearest", output=np.float32)
    return head / np.maximum(whole, 1e-6 * overall)


def class_means(values: NDArray) -> tuple[float, float, float]:
    """Three means, in order (fluid, grey, white in a T1), by k-means in one dimension."""
    values = values[:: max(1, values.size // 200_000)]
    means = np.percentile(values, (5, 40, 80))
    for _ in range(30):
        edges = (means[:-1] + means[1:]) / 2
        group = np.digitize(values, edges)
        found = [values[group == k].mean() if (group == k).any() else means[k] for k in range(3)]
        means = np.sort(found)
    return tuple(float(mean) for mean in means)


def largest_part(mask: NDArray) -> NDArray:
    """The largest connected part of a mask."""
    parts, count = ndimage.label(mask)
    return parts == 1 + np.argmax(np.bincount(parts.ravel(), minlength=2)[1:]) if count else mask
