"""Geodesic distance maps: how far a voxel is from seeds, on ways along which the brightness changes little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.geodesic_scan import scanned
from DeepMRILib.interactive.geodesic_sweep import all_costs, swept
from DeepMRILib.progress import Progress, part

Kind = Literal["converged", "compat"]
MOST_ROUNDS, TOLERANCE = 100, 1e-4
"""Sweeping stops when no value falls by more than this fraction of itself any more; 10 to 20 rounds are usual."""


def geodesic_distance(
    image: ArrayLike,
    seeds: ArrayLike,
    spacing: Sequence[float],
    *,
    edge_weight: float = 1.0,
    kind: Kind = "converged",
    device: str = "cpu",
    progress: Progress | None = None,
) -> NDArray:
    """The geodesic distance (i, j, k) float32 of each voxel to the nearest seed.

    The shortest way over the 26 neighbours, where a step of length d in mm across a difference |dI| (over c images its
    Euclidean norm) costs d / ((1 - w) + w / (|dI| + 1e-5)), as in GeodisTK (Wang et al., DeepIGeoS, TPAMI 2019): w = 0
    counts the way in mm, w = 1 the way times the change of brightness.

    Args:
        image: (i, j, k) or (i, j, k, c), finite.
        seeds: (i, j, k) bool, or voxel indices (n, 3).
        spacing: voxel edges in mm along i, j and k.
        edge_weight: w, from 0 to 1.
        kind: ``"converged"`` is the true distance; ``"compat"`` is that of GeodisTK's four scans, up to a third longer,
            i being its first axis: for networks that were trained on such maps.
        device: ``"cpu"`` (numpy), ``"cuda"``, ``"mps"`` or ``"auto"``; only of ``"converged"``.
        progress: may raise ``Cancelled``.

    Raises:
        InputError: shapes that do not match, values that are not finite, no seed, or one outside the image.
        DependencyError: a graphics card was asked for and PyTorch is not installed.
        DeviceMemoryError: its memory does not suffice.

    Example:
        >>> geodesic_distance(np.zeros((3, 1, 1)), [[0, 0, 0]], (2, 2, 2), edge_weight=0).ravel().tolist()
        [0.0, 2.0, 4.0]
    """
    values, edges = _image(image), _edges(spacing)
    mask = _seed_mask(np.asarray(seeds), values.shape[:3])
    if not 0.0 <= edge_weight <= 1.0:
        raise InputError(f"The weight of the image is {edge_weight}; expected a number from 0 to 1.")
    if kind not in ("converged", "compat"):
        raise InputError(f"The kind of distance {kind!r} is not known; choose converged or compat.")
    report = part(progress, 0.0, 1.0)

    def done(fraction: float) -> None:
        report(fraction, "Geodesic distances")

    if kind == "compat":
        return scanned(values, mask, edges, edge_weight, done)
    start = np.where(mask, np.float32(0), np.float32(np.inf))[None]
    limits = {"rounds": MOST_ROUNDS, "tolerance": TOLERANCE, "report": done}
    where = devices.resolve(device)
    if where != "cpu":
        from DeepMRILib.interactive.geodesic_torch import swept_by_torch

        return swept_by_torch(start, values, edges, edge_weight, device=where, **limits)[0]
    return swept(start, all_costs(values, edges, edge_weight), **limits)[0].copy()


def exponential(
    image: ArrayLike,
    seeds: ArrayLike,
    spacing: Sequence[float],
    *,
    edge_weight: float = 1.0,
    kind: Kind = "converged",
    device: str = "cpu",
    progress: Progress | None = None,
) -> NDArray:
    """exp(-G) (i, j, k) float32 of ``geodesic_distance``: 1 at the seeds, towards 0 far from them.

    The interaction map of MIDeepSeg (Luo et al., MedIA 2021;72:102102) and InteractiveNet. Arguments and errors are
    those of ``geodesic_distance``.
    """
    distances = geodesic_distance(
        image, seeds, spacing, edge_weight=edge_weight, kind=kind, device=device, progress=progress
    )
    return np.exp(-distances)


def _image(image: ArrayLike) -> NDArray:
    values = np.asarray(image, dtype=np.float32)
    values = values[..., None] if values.ndim == 3 else values
    if values.ndim != 4 or 0 in values.shape:
        raise InputError(f"The image has shape {np.shape(image)}; expected (i, j, k) or (i, j, k, c), none of them 0.")
    if not np.isfinite(values).all():
        raise InputError("The image holds values that are not finite, and ways through them have no length.")
    return values


def _edges(spacing: Sequence[float]) -> tuple[float, float, float]:
    edges = tuple(float(edge) for edge in spacing)
    if len(edges) != 3 or not all(0 < edge < np.inf for edge in edges):
        raise InputError(f"The spacing is {edges}; expected three positive lengths in mm.")
    return edges


def _seed_mask(seeds: NDArray, shape: tuple[int, int, int]) -> NDArray:
    if seeds.dtype == bool:
        if seeds.shape != shape:
            raise InputError(f"The seeds have shape {seeds.shape} and the image {shape}; expected the same.")
        mask = seeds
    else:
        indices = np.rint(seeds.reshape(0, 3) if seeds.size == 0 else seeds)
        if indices.ndim != 2 or indices.shape[1] != 3:
            raise InputError(f"The seeds have shape {seeds.shape}; expected a mask like the image, or indices (n, 3).")
        if not ((indices >= 0) & (indices < shape)).all():
            raise InputError(f"A seed lies outside the image of {' x '.join(map(str, shape))} voxels.")
        mask = np.zeros(shape, dtype=bool)
        mask[tuple(indices.astype(int).T)] = True
    if not mask.any():
        raise InputError("There is no seed to measure distances from. Give at least one.")
    return mask
