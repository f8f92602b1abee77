"""Segmentation by a graph cut whose terms are those of the geodesic engine."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive.engine import Answer, Problem
from DeepMRILib.interactive.geodesic_engine import on_all_voxels, prepared, settled_coarsely
from DeepMRILib.interactive.graphcut import least_cut
from DeepMRILib.progress import Progress, part

ENGINE = "Graph cut with a geodesic term and learned brightness"
BAND = 3.0
"""Only so many mm around the first margin is its place open."""
MOST_OPEN = 60_000
"""At most so many voxels are cut, those nearest to the margin: more take seconds."""
LINK = 8.0
"""What a mm2 of margin between voxels of equal brightness costs, in units of evidence per mm3 of lesion."""
CONTRAST = 0.5
"""A difference of so many standard deviations of the image makes a margin three fifths as costly."""


def segment_by_graph_cut(problem: Problem, progress: Progress) -> Answer:
    """Segment by the least cut around the answer of the geodesic engine.

    That answer's evidence (geodesic distances, learned brightness, shape; ``settling``) speaks for each voxel; the cut
    adds that the margin is short and follows edges (Boykov and Jolly, ICCV 2001). Each label is cut from all others in
    turn.
    """
    problem = dataclasses.replace(problem, image=prepared(problem))
    settled, grid = settled_coarsely(problem, part(progress, 0.05, 0.6))
    membership = on_all_voxels(settled, problem, grid)
    links = _links(problem)
    found = []
    for number in range(1, len(membership)):
        progress(0.6 + 0.35 * (number - 1) / len(problem.points), "Cutting the graph")
        found.append(_cut(membership, number, problem, links))
    return Answer(_adding_up(np.stack(found), membership), ENGINE)


def _links(problem: Problem) -> tuple[NDArray, NDArray, NDArray]:
    """Along each axis what a margin between a voxel and the next costs, per volume of a voxel."""
    links = []
    for axis in range(3):
        squared = (np.diff(problem.image, axis=axis) ** 2).mean(axis=-1)
        cost = LINK / problem.spacing[axis] * np.exp(-squared / np.float32(2 * CONTRAST**2))
        links.append(cost.astype(np.float32))
    return tuple(links)


def _cut(membership: NDArray, number: int, problem: Problem, links: tuple[NDArray, NDArray, NDArray]) -> NDArray:
    """The membership (i, j, k) of one label, moved to the side of the cut."""
    own = np.clip(membership[number], 1e-6, 1 - 1e-6)
    others = np.delete(membership, number, axis=0).max(axis=0)
    inside = own > others
    if not inside.any() or inside.all():
        return own
    box = _around(inside, problem.spacing)
    near = np.maximum(
        ndimage.distance_transform_edt(inside[box], sampling=problem.spacing),
        ndimage.distance_transform_edt(~inside[box], sampling=problem.spacing),
    )
    band = max(BAND, 1.01 * max(problem.spacing))
    if np.count_nonzero(near <= band) > MOST_OPEN:
        # where voxels are fine or lesions large, a thinner band will do
        band = np.partition(near, MOST_OPEN, axis=None)[MOST_OPEN]
    open_ = near <= band
    evidence = np.log(own[box] / np.clip(others[box], 1e-6, 1))
    region = least_cut(evidence, open_, inside[box], tuple(_part(link, box, axis) for axis, link in enumerate(links)))
    moved = own.copy()
    lead = np.maximum(own[box], 1 - own[box])
    moved[box] = np.where(region == (own[box] > 0.5), own[box], np.where(region, lead, 1 - lead))
    return moved


def _around(region: NDArray, spacing: tuple[float, float, float]) -> tuple[slice, ...]:
    """The box of a region with room for the band."""
    box = []
    for axis, edge in enumerate(spacing):
        where = np.flatnonzero(region.any(axis=tuple(other for other in range(3) if other != axis)))
        room = int(np.ceil(BAND / edge)) + 2
        box.append(slice(max(where[0] - room, 0), min(where[-1] + room + 1, region.shape[axis])))
    return tuple(box)


def _part(link: NDArray, box: tuple[slice, ...], axis: int) -> NDArray:
    """The links between the voxels of a box."""
    return link[tuple(slice(s.start, s.stop - 1) if other == axis else s for other, s in enumerate(box))]


def _adding_up(labels: NDArray, membership: NDArray) -> NDArray:
    """Memberships (labels + 1, i, j, k) from those of the labels; the background has the rest."""
    total = labels.sum(axis=0)
    labels = np.where(total > 1, labels / np.maximum(total, 1e-6), labels)
    if len(labels) == 1:
        return np.stack([1 - labels[0], labels[0]]).astype(np.float32)
    background = np.clip(1 - labels.sum(axis=0), 0, membership[0])
    found = np.concatenate([background[None], labels])
    return (found / found.sum(axis=0)).astype(np.float32)
