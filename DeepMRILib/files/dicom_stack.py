"""From the 2D images of a DICOM series to volumes: which slice and which volume each belongs to, and the affine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.dicom_frames import Frame

SAME_PLACE_MM = 0.05
"""Images closer than this along the normal are of one slice: scanners write positions with three decimals or more."""
UNEVEN = 0.02
"""How much of the slice distance a slice may lie off its place."""
_SAME_B_VALUE = 0.1
_SAME_DIRECTION = 1e-3


@dataclass(frozen=True)
class Stack:
    """A series in order.

    Attributes:
        volumes: the frames of each volume, from the first slice to the last.
        affine: (4, 4), voxel index (column, row, slice) to RAS mm.
    """

    volumes: list[list[Frame]]
    affine: NDArray


def stack(frames: Sequence[Frame], name: str) -> Stack:
    """Sort the images of a series into volumes.

    Slices are sorted by their place along the normal. Images of one slice are told apart by b-value and direction,
    then by temporal position, echo and acquisition number, and last by the order in which the scanner numbered them.
    Where a series holds magnitude images, its phase, real and imaginary images are left out.

    Args:
        frames: of one series, in any order.
        name: of the series, for the sentences.

    Raises:
        InputError: images of several grids or orientations, missing or doubled slices, or uneven distances.
    """
    magnitude = [frame for frame in frames if frame.component == "M"]
    frames = magnitude or list(frames)
    _check_one_grid(frames, name)
    slices, heights = _slices(frames)
    _check_counts(slices, heights, name)
    affine = _affine(frames, slices, heights, name)
    return Stack(_volumes(frames, slices, name), affine)


def _check_one_grid(frames: Sequence[Frame], name: str) -> None:
    first = frames[0]
    for frame in frames:
        if not np.allclose(frame.orientation, first.orientation, atol=1e-3):
            raise InputError(
                f"{name} holds images of several orientations, as a localizer does, and so is not one volume. "
                "Choose another series."
            )
        if frame.shape != first.shape or not np.allclose(frame.pixel_spacing, first.pixel_spacing, rtol=1e-3):
            raise InputError(
                f"{name} holds images of several sizes ({_size(first)} and {_size(frame)}), which are not one volume. "
                "Put those of one size into a folder of their own."
            )


def _size(frame: Frame) -> str:
    rows, columns = frame.shape
    return f"{rows} x {columns} of {frame.pixel_spacing[0]:.4g} mm"


def _slices(frames: Sequence[Frame]) -> tuple[NDArray, NDArray]:
    """The slice number of each frame, and each slice's place along the normal in mm."""
    along = np.array([frame.position @ frames[0].normal for frame in frames])
    order = np.argsort(along, kind="stable")
    numbers = np.empty(len(frames), dtype=int)
    numbers[order] = np.cumsum(np.diff(along[order], prepend=along[order[0]]) > SAME_PLACE_MM)
    heights = np.array([along[numbers == number].mean() for number in range(numbers.max() + 1)])
    return numbers, heights


def _check_counts(slices: NDArray, heights: NDArray, name: str) -> None:
    counts = np.bincount(slices)
    usual = np.bincount(counts).argmax()
    if (counts != usual).any():
        odd = int(np.flatnonzero(counts != usual)[0])
        raise InputError(
            f"{name} is not complete: slice {odd + 1} of {len(counts)} (at {heights[odd]:.2f} mm) has {counts[odd]} "
            f"images where others have {usual}. An image is missing or there twice; export the series again."
        )


def _affine(frames: Sequence[Frame], slices: NDArray, heights: NDArray, name: str) -> NDArray:
    first = frames[0]
    starts = np.array([frames[int(np.flatnonzero(slices == n)[0])].position for n in range(len(heights))])
    if len(heights) == 1:
        step = first.normal * first.thickness
    else:
        _check_distances(heights, name)
        step = (starts[-1] - starts[0]) / (len(heights) - 1)
    # Off its place along the slice too: a shifted slab, or a patient position changed between volumes
    places = np.array([frame.position for frame in frames])
    off = np.linalg.norm(places - (starts[0] + slices[:, None] * step), axis=1)
    if off.max() > SAME_PLACE_MM + UNEVEN * np.linalg.norm(step):
        raise InputError(
            f"{name} holds slices that do not lie in one line (one is {off.max():.2f} mm off): it is not one volume. "
            "Choose another series, or split this one."
        )
    affine = np.eye(4)
    affine[:3, 0] = first.orientation[:3] * first.pixel_spacing[1]
    affine[:3, 1] = first.orientation[3:] * first.pixel_spacing[0]
    affine[:3, 2] = step
    affine[:3, 3] = starts[0]
    return np.diag([-1.0, -1, 1, 1]) @ affine


def _check_distances(heights: NDArray, name: str) -> None:
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    # Many gaps of one size and one of twice that: a slice is missing; the smallest is then the distance
    distance = float(gaps.min()) if gaps.max() > 1.5 * gaps.min() else usual
    worst = int(np.abs(gaps - distance).argmax())
    if abs(gaps[worst] - distance) > UNEVEN * distance + SAME_PLACE_MM:
        raise InputError(
            f"{name} has uneven slice distances: {gaps[worst]:.2f} mm between slices {worst + 1} and {worst + 2}, "
            f"{distance:.2f} mm elsewhere. Slices are missing, or it is no volume; export the whole series again."
        )


def _volumes(frames: Sequence[Frame], slices: NDArray, name: str) -> list[list[Frame]]:
    groups = np.zeros(len(frames), dtype=int)
    for what, labels in _attributes(frames):
        finer = np.unique(np.column_stack([groups, labels]), axis=0, return_inverse=True)[1].ravel()
        if _balanced(finer, slices):
            groups = finer
        elif what:
            raise InputError(
                f"{name} is not complete: its slices do not all have the same {what}. Images are missing or there "
                "twice; export the series again."
            )
        if _complete(groups, slices):
            break
    else:
        groups = _by_instance(frames, groups, slices, name)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    members.sort(key=lambda indices: min(frames[index].instance for index in indices))
    return [[frames[index] for index in indices[np.argsort(slices[indices])]] for indices in members]


def _attributes(frames: Sequence[Frame]) -> list[tuple[str, NDArray]]:
    """What tells images of one slice apart, in order; with a name where a slice that lacks one is an error."""
    return [
        ("", np.zeros(len(frames), dtype=int)),
        ("b-values", _clusters([frame.weighting.b_value for frame in frames], _SAME_B_VALUE)),
        ("gradient directions", _clusters([frame.weighting.direction for frame in frames], _SAME_DIRECTION)),
        *(("", _clusters([value(frame) for frame in frames], 1e-6)) for value in _REPEATS),
    ]


_REPEATS: tuple[Callable[[Frame], float | None], ...] = (
    lambda frame: frame.temporal,
    lambda frame: frame.echo,
    lambda frame: frame.acquisition,
)


def _clusters(values: Sequence[float | NDArray | None], tolerance: float) -> NDArray:
    """A number for each value, the same for values closer than the tolerance; None is a value of its own."""
    labels = np.full(len(values), -1)
    known = [index for index, value in enumerate(values) if value is not None]
    if not known:
        return labels
    points = np.array([np.atleast_1d(values[index]) for index in known], dtype=float)
    numbers = np.full(len(known), -1)
    while (left := np.flatnonzero(numbers < 0)).size:
        near = np.abs(points[left] - points[left[0]]).max(axis=1) <= tolerance
        numbers[left[near]] = numbers.max() + 1
    labels[known] = numbers
    return labels


def _counts(groups: NDArray, slices: NDArray) -> NDArray:
    """How many images each group (rows) has of each slice (columns)."""
    table = np.zeros((groups.max() + 1, slices.max() + 1), dtype=int)
    np.add.at(table, (groups, slices), 1)
    return table


def _balanced(groups: NDArray, slices: NDArray) -> bool:
    counts = _counts(groups, slices)
    return bool((counts == counts[:, :1]).all())


def _complete(groups: NDArray, slices: NDArray) -> bool:
    return bool((_counts(groups, slices) == 1).all())


def _by_instance(frames: Sequence[Frame], groups: NDArray, slices: NDArray, name: str) -> NDArray:
    """Repeats that nothing else tells apart, such as averages: by their order of acquisition in each slice."""
    ranks = np.empty(len(frames), dtype=int)
    for group in np.unique(groups):
        for number in np.unique(slices):
            indices = np.flatnonzero((groups == group) & (slices == number))
            instances = [frames[index].instance for index in indices]
            if len(set(instances)) < len(instances):
                raise InputError(
                    f"{name} holds slice {number + 1} twice, with nothing that tells the images apart. "
                    "Remove the copies, or export the series again."
                )
            ranks[indices[sorted(range(len(indices)), key=lambda place, of=instances: of[place])]] = range(len(indices))
    return np.unique(np.column_stack([groups, ranks]), axis=0, return_inverse=True)[1].ravel()
