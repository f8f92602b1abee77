"""Images with their place in space: a voxel array and the affine that takes voxel indices to RAS millimetres."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError

GEOMETRY_TOLERANCE_MM = 1e-2
"""Corners of two grids further apart than this are another geometry: NIfTI's float32 affines round at about 1e-4 mm."""


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3D image, or one with several components per voxel.

    Attributes:
        array: (i, j, k) or (i, j, k, c), any real or complex type.
        affine: (4, 4) float64, voxel index (i, j, k, 1) to RAS millimetres.

    Raises:
        InputError: the array is not 3D or 4D or has an empty axis, or the affine is not an invertible 4 x 4 matrix.

    Example:
        >>> Volume(np.zeros((4, 5, 6)), np.diag([2, 2, 3, 1])).spacing
        (2.0, 2.0, 3.0)
    """

    array: NDArray
    affine: NDArray = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        array = np.asanyarray(self.array)
        if array.ndim not in (3, 4) or 0 in array.shape:
            raise InputError(
                f"An image of shape {array.shape} cannot be used: expected 3 axes, or 4 with several values per voxel, "
                "none of them empty."
            )
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "affine", _checked_affine(self.affine))

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> NDArray:
        """The voxel array: numpy functions take a Volume directly."""
        if copy:
            return np.array(self.array, dtype=dtype)
        return np.asarray(self.array, dtype=dtype)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of voxels along i, j and k."""
        return self.array.shape[:3]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths in mm along i, j and k."""
        return tuple(float(edge) for edge in np.linalg.norm(self.affine[:3, :3], axis=0))

    @property
    def voxel_volume(self) -> float:
        """The volume of one voxel in mm3."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    def like(self, array: ArrayLike) -> Volume:
        """A plain Volume of another array on the same grid."""
        return Volume(np.asanyarray(array), self.affine)

    def same_grid(self, other: Volume) -> bool:
        """Whether every voxel of ``other`` lies where the same voxel of this volume lies."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape], [1], indexing="ij")).reshape(4, -1)
        return bool(np.abs((self.affine - other.affine) @ corners).max() < GEOMETRY_TOLERANCE_MM)

    def voxel_from_ras(self, points: ArrayLike) -> NDArray:
        """Continuous voxel indices (n, 3) of points (n, 3) in RAS mm."""
        points = np.atleast_2d(np.asarray(points, dtype=float))
        return np.linalg.solve(self.affine, np.c_[points, np.ones(len(points))].T).T[:, :3]

    def ras_from_voxel(self, indices: ArrayLike) -> NDArray:
        """Points (n, 3) in RAS mm of continuous voxel indices (n, 3)."""
        indices = np.atleast_2d(np.asarray(indices, dtype=float))
        return (self.affine @ np.c_[indices, np.ones(len(indices))].T).T[:, :3]


@dataclass(frozen=True, eq=False)
class DiffusionVolume(Volume):
    """A diffusion-weighted image: one image per b-value and direction.

    Attributes:
        array: (i, j, k, n), n images.
        affine: (4, 4), voxel index to RAS millimetres.
        b_values: (n,) in s/mm2, in the order of the images.
        directions: (n, 3) unit vectors in RAS, zero where b = 0, or None when unknown.

    Raises:
        InputError: the image is not 4D, or b-values or directions do not match its n images.

    Example:
        >>> DiffusionVolume(np.ones((4, 4, 2, 3)), np.eye(4), [0, 50, 800]).b_values
        array([  0.,  50., 800.])
    """

    b_values: NDArray = field(default_factory=lambda: np.zeros(0))
    directions: NDArray | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.array.ndim != 4:
            raise InputError(
                f"A diffusion series has 4 axes (i, j, k, b-values); this image is 3D, of shape {self.array.shape}. "
                "Give the whole series in one 4D image."
            )
        object.__setattr__(self, "b_values", checked_b_values(self.b_values, self.array.shape[3]))
        if self.directions is not None:
            object.__setattr__(self, "directions", _checked_directions(self.directions, self.array.shape[3]))

    def with_array(self, array: ArrayLike) -> DiffusionVolume:
        """The same series with another array of the same shape."""
        return replace(self, array=np.asanyarray(array))


@dataclass(frozen=True, eq=False)
class LabelVolume(Volume):
    """Regions: an integer per voxel, 0 for none, with a name for each.

    Attributes:
        array: (i, j, k) integers.
        affine: (4, 4), voxel index to RAS millimetres.
        names: label to name, of the labels that occur; a label without one is called by its number, and of equal
            names the later ones get a number, so that a table of regions has one row for each.

    Raises:
        InputError: the array is not 3D or holds fractions.

    Example:
        >>> LabelVolume(np.array([[[0, 1, 7]]]), np.eye(4), {1: "liver"}).names
        {1: 'liver', 7: '7'}
    """

    names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.array.ndim != 3:
            raise InputError(f"Regions are a 3D image of whole numbers; this image has shape {self.array.shape}.")
        whole = np.asarray(self.array)
        if not np.issubdtype(whole.dtype, np.integer):
            whole = np.rint(np.nan_to_num(whole)).astype(np.int32)
            if not np.array_equal(whole, np.nan_to_num(self.array)):
                raise InputError("Regions are whole numbers, 0 for none; this image holds fractions. Give a label map.")
        object.__setattr__(self, "array", whole)
        present = [int(label) for label in np.unique(_cut_to_content(whole)) if label != 0]
        names = {label: self.names.get(label, str(label)) for label in present}
        object.__setattr__(self, "names", unique_names(names))


def _cut_to_content(labels: NDArray) -> NDArray:
    """The box (i, j, k) that holds all that is not 0: one lesion in a large image is found without sorting it all."""
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        # extremes are found many times faster than what differs from 0
        where = np.flatnonzero((labels.max(axis=others) != 0) | (labels.min(axis=others) != 0))
        if where.size == 0:
            return labels[:0]
        labels = labels[(slice(None),) * axis + (slice(where[0], where[-1] + 1),)]
    return labels


def unique_names(names: Mapping[int, str]) -> dict[int, str]:
    """The names of labels without repetition: the second of equal ones gets a number that no other name has.

    Example:
        >>> unique_names({1: "kidney", 2: "kidney", 3: "liver"})
        {1: 'kidney', 2: 'kidney (2)', 3: 'liver'}
    """
    given = set(names.values())
    unique: dict[int, str] = {}
    for label, name in names.items():
        numbered = (f"{name} ({number})" for number in itertools.count(2))
        candidates = itertools.chain([name], (candidate for candidate in numbered if candidate not in given))
        taken = set(unique.values())
        unique[label] = next(candidate for candidate in candidates if candidate not in taken)
    return unique


def checked_b_values(b_values: ArrayLike, count: int | None = None, place: str = "") -> NDArray:
    """b-values in s/mm2 as a float array (n,), or an InputError that says what is wrong with them.

    Args:
        b_values: as given by a user or a file.
        count: how many images there are, when known.
        place: where the b-values stand, for the sentence about a wrong count.
    """
    try:
        values = np.asarray(b_values, dtype=float).ravel()
    except (TypeError, ValueError) as error:
        raise InputError(f"The b-values must be numbers in s/mm2; got {b_values!r}.") from error
    if values.size == 0:
        raise InputError("The b-values are missing. Give one b-value in s/mm2 for each image of the series.")
    if not np.isfinite(values).all():
        raise InputError("The b-values contain NaN or infinite entries; each must be a number in s/mm2.")
    if (values < 0).any():
        raise InputError(f"The b-values contain {values.min():g}; b-values are zero or positive, in s/mm2.")
    if count is not None and values.size != count:
        found = f" (found in {place})" if place else ""
        raise InputError(
            f"There are {values.size} b-values for {count} images{found}. Give one b-value for each image, in their "
            "order."
        )
    return values


def checked_mask(mask: Volume | ArrayLike | None, volume: Volume, what: str = "mask") -> NDArray:
    """A mask as bool (i, j, k) on the grid of ``volume``; everything when None.

    Args:
        mask: not 0 inside.
        volume: on whose grid it must lie.
        what: what sentences call the mask.

    Raises:
        InputError: another shape or another place in space, or nothing inside.
    """
    if mask is None:
        return np.ones(volume.shape, dtype=bool)
    inside = np.nan_to_num(_on_grid(mask, volume, what)) != 0
    if not inside.any():
        raise InputError(f"The {what} is empty: no voxel is inside. Draw or choose a region on the image.")
    return inside


def checked_labels(labels: LabelVolume | Volume | ArrayLike, volume: Volume) -> LabelVolume:
    """Regions on the grid of ``volume``, from anything that holds whole numbers.

    Raises:
        InputError: another shape or another place in space, fractions, or no region.
    """
    array = _on_grid(labels, volume, "region image")
    if not np.any(np.nan_to_num(array)):
        raise InputError("The regions are empty: no voxel has a label. Draw or choose regions on the image.")
    return labels if isinstance(labels, LabelVolume) else LabelVolume(array, volume.affine)


def _on_grid(other: Volume | ArrayLike, volume: Volume, what: str) -> NDArray:
    """The array of an image that must lie on the grid of ``volume``: numbers, without a fourth axis."""
    array = np.ma.filled(other, 0) if isinstance(other, np.ma.MaskedArray) else np.asarray(other)
    if array.dtype.kind not in "biuf":
        raise InputError(f"The {what} holds values of type {array.dtype}; expected numbers, 0 for outside.")
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.shape != volume.shape:
        raise InputError(
            f"The {what} has {_times(array.shape)} voxels and the image {_times(volume.shape)}. "
            f"Resample the {what} to the image, or draw it there."
        )
    if isinstance(other, Volume) and not other.same_grid(volume):
        raise InputError(
            f"The {what} has as many voxels as the image but lies elsewhere in space (another origin, spacing or "
            f"orientation). Resample the {what} to the image, or draw it there."
        )
    return array


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _checked_affine(affine: ArrayLike) -> NDArray:
    matrix = np.asarray(affine, dtype=float)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
        raise InputError(
            "The affine must be an invertible 4 x 4 matrix from voxel indices to RAS mm; "
            f"got shape {matrix.shape}. Check the image's header for zero or missing spacing."
        )
    return matrix


def _checked_directions(directions: ArrayLike, count: int) -> NDArray:
    vectors = np.asarray(directions, dtype=float)
    if vectors.shape != (count, 3):
        raise InputError(
            f"The gradient directions have shape {vectors.shape}; expected ({count}, 3), one vector for each image."
        )
    return vectors
