"""What is found from the same points without a trained network: the measure of what a network is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.crop import box_around
from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.interactive.prepare_maps import USUAL_DEPTH, Place
from DeepMRILib.volume import Volume

Baseline = Literal["geodesic", "ellipsoid"]
BASELINES: tuple[Baseline, ...] = ("geodesic", "ellipsoid")


def baseline(which: Baseline, images: Sequence[Volume], points: Sequence[NDArray]) -> PlacedMask | None:
    """A segmentation without a network, or None from points that it cannot use (too few, all in one plane).

    Args:
        which: the geodesic engine with its default settings, or the ellipsoid in the box around the points after its
            faces have moved out by the points' usual depth.
        images: of one case; the first one's grid is that of the result.
        points: of each label (n, 3) in RAS mm; none of a label that is not there.
    """
    labels = {n: some for n, some in enumerate(points, start=1) if len(some)}
    if not labels:
        return None
    if which == "ellipsoid":
        return _ellipsoids(images[0], labels)
    from DeepMRILib.interactive.segmenting import segment

    try:
        result = segment(images[0], {str(n): some for n, some in labels.items()}, channels=images[1:])
    except InputError:
        return None
    found = np.array([0, *labels], dtype=np.uint8)[np.asarray(result.mask.array)]
    return PlacedMask.of(found, images[0].affine)


def _ellipsoids(image: Volume, points: Mapping[int, NDArray]) -> PlacedMask:
    indices = {n: image.voxel_from_ras(some) for n, some in points.items()}
    box = box_around(np.concatenate(list(indices.values())), image, SegmentOptions())
    found = np.zeros(box.shape, dtype=np.uint8)
    nearest = np.full(box.shape, 1.0, dtype=np.float32)
    for n, some in indices.items():
        radius = Place(box.shape, some - np.array(box.start), image.spacing).ellipsoid(USUAL_DEPTH)
        found[radius <= nearest] = n
        nearest = np.minimum(nearest, radius)
    return PlacedMask(found, box.start, image.shape, image.affine)
