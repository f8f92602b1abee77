"""Where pictures of slices lie in the scene: k-space masks beside the image, single slices in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.slicing import slices_of
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.volume import Volume

_STACK = {"i": 0, "j": 1, "k": 2}
"""The axis of an image that slices are stacked along."""


def maskPicture(pattern: Pattern, masks: NDArray, shape: tuple[int, ...]) -> NDArray:
    """(c, h, w) or (c, d, h, w) uint8: 1 where k-space is acquired, a picture for each contrast.

    Args:
        masks: (contrasts or 1, *shape of the pattern) bool.
        shape: of a slice (h, w), or of a volume (d, h, w).
    """
    spread = pattern.encoding.spread(masks, len(shape))
    return np.broadcast_to(spread, (len(spread), *shape)).astype(np.uint8)


def inSliceOf(picture: NDArray, imageNode: Any, options: DataOptions, row: int | None = None) -> Volume:
    """A picture (h, w) as a volume of one slice, with the axes of the image.

    Args:
        imageNode: without one the picture lies in an axial plane, with pixels of 1 mm.
        options: how the image is cut into slices.
        row: in the place of this slice; by default as thick as all slices together, so that it is seen wherever one
            looks.
    """
    if imageNode is None or options.slice_axis == "volume":
        return Volume(picture.T[:, :, None], np.diag([-1.0, -1.0, 1.0, 1.0]))
    image = volumeFromNode(imageNode)
    stack = _STACK[options.slice_axis]
    array = np.expand_dims(picture.T, stack)  # columns lie along the earlier axis of the two, rows along the later
    affine = image.affine.copy()
    count = image.shape[stack]
    # a picture that was padded or cut keeps its middle where that of the slice is
    first = np.array([old // 2 - new // 2 for old, new in zip(image.shape, array.shape, strict=True)], dtype=float)
    first[stack] = (count - 1) / 2 if row is None else row
    affine[:3, 3] = image.ras_from_voxel(first)[0]
    if row is None:
        affine[:3, stack] *= count
    return Volume(array, affine)


def rowOf(example: NDArray, imageNode: Any, options: DataOptions) -> int | None:
    """Which slice of the image a picture (h, w) is; None where it is none."""
    if imageNode is None or options.slice_axis == "volume":
        return None
    slices = slices_of(volumeFromNode(imageNode), options)[:, 0]
    if slices.shape[1:] != example.shape:
        return None
    away = [float(np.abs(one.astype(np.float32) - example).max()) for one in slices]
    return int(np.argmin(away))


def volumesOfFrames(frames: NDArray, imageNode: Any, options: DataOptions, row: int | None) -> list[Volume]:
    """Pictures (n, h, w) as volumes of one slice each."""
    return [inSliceOf(frame, imageNode, options, row) for frame in frames]
