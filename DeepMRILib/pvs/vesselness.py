"""How much the neighbourhood of a voxel looks like a tube."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.progress import Progress, silent
from DeepMRILib.pvs.eigenvalues import symmetric_eigenvalues
from DeepMRILib.pvs.hessian import hessian_at

THREADS = 2
SLAB = 24
"""Slices at a time: a slab's derivatives take some ten MB."""


def frangi(
    eigenvalues: NDArray, *, bright: bool, plate: float = 0.5, blob: float = 0.5, noise: float | None = None
) -> NDArray:
    """Frangi's vesselness (n,) float32, from 0 to 1.

    With |l1| <= |l2| <= |l3|, R_A = |l2| / |l3|, R_B = |l1| / sqrt(|l2 l3|) and S^2 = l1^2 + l2^2 + l3^2::

        V = (1 - exp(-R_A^2 / 2 a^2)) exp(-R_B^2 / 2 b^2) (1 - exp(-S^2 / 2 c^2))

    and 0 where l2 or l3 has the sign of the other kind of tube (Frangi et al., MICCAI 1998, equations 13 to 15).

    Args:
        eigenvalues: (3, n), by magnitude.
        bright: tubes are brighter than what surrounds them (l2, l3 < 0); otherwise darker.
        plate: a, how far plates are left out.
        blob: b, how far blobs are left out.
        noise: c in the image's units; by default half of the largest S.
    """
    first, second, third = np.abs(eigenvalues)
    strength = (eigenvalues**2).sum(axis=0)
    if noise is None:
        noise = 0.5 * float(np.sqrt(strength.max(initial=0.0)))
    tiny = np.finfo(np.float32).tiny
    cross_section = second / np.maximum(third, tiny)
    # |l1|^2 / |l2 l3| without the product, which underflows
    roundness = (first / np.maximum(second, tiny)) * (first / np.maximum(third, tiny))
    found = -np.expm1(-(cross_section**2) / np.float32(2 * plate**2))
    found *= np.exp(-roundness / np.float32(2 * blob**2))
    found *= -np.expm1(-strength / np.float32(max(2 * noise**2, tiny)))
    found[_other_kind(eigenvalues, bright)] = 0
    return found


def jerman(eigenvalues: NDArray, *, bright: bool, tau: float = 0.5, largest: float | None = None) -> NDArray:
    """Jerman's vesselness (n,) float32, from 0 to 1.

    With |l1| <= |l2| <= |l3|, their signs turned so that tubes have l2, l3 > 0, and lp = max(l3, tau max l3)::

        V = 0                                if l2 <= 0 or lp <= 0
            1                                if l2 >= lp / 2
            l2^2 (lp - l2) (3 / (l2 + lp))^3 otherwise

    (Jerman et al., IEEE Trans Med Imaging 2016;35:2107-2118, equations 12 and 13).

    Args:
        eigenvalues: (3, n), by magnitude.
        bright: tubes are brighter than what surrounds them; otherwise darker.
        tau: from 0.5 to 1; how far weak tubes are left out.
        largest: what is taken for the largest l3; by default that of all n.
    """
    sign = -1 if bright else 1
    second, third = sign * eigenvalues[1], sign * eigenvalues[2]
    if largest is None:
        largest = float(third.max(initial=0.0))
    floor = np.float32(tau * largest)
    # where l3 <= 0 the paper's rule keeps it at 0; l2 is then no tube's either
    third = np.maximum(third, floor)
    none = (second <= 0) | (third <= 0) | _other_kind(eigenvalues, bright)
    second, third = np.where(none, 0, second), np.where(none, 1, third)
    found = second**2 * (third - second) * (3 / (second + third)) ** 3
    return np.where(second >= third / 2, 1, found).astype(np.float32)


def _other_kind(eigenvalues: NDArray, bright: bool) -> NDArray:
    if bright:
        return (eigenvalues[1] >= 0) | (eigenvalues[2] >= 0)
    return (eigenvalues[1] <= 0) | (eigenvalues[2] <= 0)


def eigenvalues_at(
    image: NDArray, where: NDArray, scales: tuple[float, ...], progress: Progress = silent
) -> Iterator[NDArray]:
    """For each scale the eigenvalues (3, n) of the second derivatives at the n voxels of a region.

    Args:
        image: (i, j, k) float32, voxels of 1 mm.
        where: (i, j, k) bool.
        scales: standard deviations of the Gaussians in mm.
    """
    slabs = [slice(start, min(start + SLAB, len(image))) for start in range(0, len(image), SLAB)]
    slabs = [slab for slab in slabs if where[slab].any()]

    def of_slab(sigma: float, slab: slice) -> NDArray:
        return symmetric_eigenvalues(hessian_at(image, sigma, slab.start, where[slab]))

    done, steps = 0, max(len(slabs) * len(scales), 1)
    # scipy's filters and numpy's loops let another thread run
    with ThreadPoolExecutor(THREADS) as pool:
        for sigma in scales:
            parts = []
            for part in pool.map(of_slab, [sigma] * len(slabs), slabs):
                done += 1
                progress(done / steps, "Looking for tubes")
                parts.append(part)
            yield np.concatenate(parts, axis=1) if parts else np.empty((3, 0), np.float32)
