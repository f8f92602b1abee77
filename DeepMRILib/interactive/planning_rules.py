"""InteractiveNet's rules that make a network from the sizes and spacings of a dataset (after nnU-Net's).

Spaanderman et al., arXiv 2402.07746; Isensee et al., Nat Methods 18 (2021). The number of levels is limited to six, for
which there are filters, and is at least three, of which MONAI's DynUNet is made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.prepare_grid import Axes, Edges, is_anisotropic

FEWEST_LEVELS, MOST_LEVELS = 3, 6
LEAST_MARGIN, COARSE_MARGIN = 8, 3
_SMALLEST_HALVED = 8
_NARROW = 2.0
"""An axis takes part in convolutions and strides while its voxels are no longer than so many of the shortest."""


def target_spacing(spacings: Sequence[Edges]) -> tuple[Edges, str]:
    """The spacing in mm that cases (spacings of each) are resampled to, and the rule: "median" or "anisotropic".

    The median along each axis. If at least half of the cases have thick slices, the axis with the largest median takes
    the 10th percentile, so that few cases lose slices.

    Example:
        >>> target_spacing([(0.7, 0.7, 4.5), (0.7, 0.7, 4.5), (0.8, 0.8, 3.0)])
        ((0.7, 0.7, 3.3), 'anisotropic')
    """
    edges = np.array(spacings, dtype=float)
    target = np.median(edges, axis=0)
    anisotropic = 2 * sum(map(is_anisotropic, spacings)) >= len(spacings)
    if anisotropic:
        coarse = int(target.argmax())
        target[coarse] = np.percentile(edges[:, coarse], 10)
    return tuple(round(float(edge), 6) for edge in target), "anisotropic" if anisotropic else "median"


def kernels_and_strides(size: Sequence[float], spacing: Edges) -> tuple[tuple[Axes, ...], tuple[Axes, ...]]:
    """Kernels and strides of each level for lesions of ``size`` voxels at ``spacing`` mm.

    Level by level: an axis is halved where its voxels are at most twice as long as the shortest and eight or more are
    left, and seen with a kernel of 3 where they are at most twice as long, else of 1.

    Example:
        >>> kernels, strides = kernels_and_strides((100, 100, 20), (0.7, 0.7, 4.5))
        >>> [stride[2] for stride in strides], kernels[0]
        ([1, 1, 1, 2, 2], (3, 3, 1))
    """
    kernels, strides = _levels(size, spacing)
    if len(strides) < FEWEST_LEVELS:  # the lesion is small, but what is seen of it has a margin
        least = _SMALLEST_HALVED * 2 ** (FEWEST_LEVELS - 2)
        kernels, strides = _levels([max(n, least) for n in size], spacing)
    return kernels, strides


def _levels(size: Sequence[float], spacing: Edges) -> tuple[tuple[Axes, ...], tuple[Axes, ...]]:
    sizes, edges = list(map(float, size)), list(spacing)
    kernels: list[Axes] = []
    strides: list[Axes] = [(1, 1, 1)]
    while len(strides) < MOST_LEVELS:
        narrow = [edge / min(edges) <= _NARROW for edge in edges]
        stride = tuple(2 if near and n >= _SMALLEST_HALVED else 1 for near, n in zip(narrow, sizes, strict=True))
        if stride == (1, 1, 1):
            break
        kernels.append(tuple(3 if near else 1 for near in narrow))
        strides.append(stride)
        sizes = [n / s for n, s in zip(sizes, stride, strict=True)]
        edges = [edge * s for edge, s in zip(edges, stride, strict=True)]
    return (*kernels, (3, 3, 3)), tuple(strides)


def heads_and_weights(levels: int) -> tuple[int, tuple[float, ...]]:
    """Heads of deep supervision, and the weight in the loss of the output and of each of them.

    Example:
        >>> heads, weights = heads_and_weights(5)
        >>> heads, [round(7 * weight) for weight in weights]
        (2, [4, 2, 1])
    """
    heads = max(levels - 3, 0)
    weights = [0.5**number for number in range(heads + 1)]
    return heads, tuple(weight / sum(weights) for weight in weights)


def divisible_by(strides: Sequence[Axes]) -> Axes:
    """What the sizes of an input are multiples of: the product of the strides along each axis."""
    return tuple(math.prod(stride[axis] for stride in strides) for axis in range(3))


def least_margin(spacing: Edges, beyond: NDArray) -> Axes:
    """Voxels to look beyond the points on each side at least.

    InteractiveNet's eight, of thick slices three; more where lesions reach further beyond their points.

    Args:
        spacing: of the network in mm.
        beyond: (cases, 3) in mm, how far labels reach beyond the box of their points.
    """
    least = np.full(3, LEAST_MARGIN)
    if is_anisotropic(spacing):
        least[int(np.argmax(spacing))] = COARSE_MARGIN
    # of nine cases in ten the whole lesion is seen, and two voxels around it
    reach = np.ceil(np.percentile(beyond, 90, axis=0) / np.array(spacing)).astype(int) + 2
    return tuple(int(n) for n in np.maximum(least, np.minimum(reach, 3 * least)))
