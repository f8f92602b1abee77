"""Images with what is known about them: what patterns are searched on, networks trained and both tested on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError

Task = Literal["segmentation", "classification", "reconstruction"]

MAGNITUDE_NOTE = (
    "k-space was simulated from magnitude images: without phase, coils and noise of a scan, what is measured is "
    "better than a scanner would do (Shimron et al., 2022)."
)


@dataclass(frozen=True, eq=False)
class SliceDataset:
    """Slices (or volumes) and their targets.

    Attributes:
        images: (n, c, h, w), or (n, c, d, h, w) for volumes: c contrasts of each; real (magnitudes) or complex.
        targets: a segmentation (n, h, w) or (n, d, h, w) of whole numbers, 0 for background; a class (n,) of each; or
            None, where the image itself is the target.
        names: of labels or classes.
        cases: (n,) the patient or scan that each slice is of, a text; by default each is one of its own.
        spacing: edge lengths of a pixel in mm along the spatial axes.
        coil_images: (n, c, coils, h, w) complex, what each coil saw; ``images`` is then their combination.
        sensitivities: (n, coils, h, w) complex, of the coils, for SENSE; without them coils are combined by the root
            of the sum of squares.
        reference: (n, c, h, w) magnitudes that reconstructions are compared with; those of ``images`` by default.
        notes: what a reader of a result must know, one sentence each.
        view: which axis of a slice goes down in a picture and which to the right, 1 for h and 2 for w, negative where
            it runs the other way; see ``viewing.view_of``.

    Raises:
        InputError: shapes that do not belong together, fractions among labels, values that are not finite.

    Example:
        >>> SliceDataset(np.zeros((4, 1, 8, 8)), np.array([0, 1, 1, 0])).task
        'classification'
    """

    images: NDArray
    targets: NDArray | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    cases: NDArray | None = None
    spacing: tuple[float, ...] = ()
    coil_images: NDArray | None = None
    sensitivities: NDArray | None = None
    reference: NDArray | None = None
    notes: tuple[str, ...] = ()
    view: tuple[int, int] = (1, 2)

    def __post_init__(self) -> None:
        images = _checked_images(self.images)
        n = len(images)
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731 - frozen
        put("images", images)
        put("targets", None if self.targets is None else _checked_targets(self.targets, images))
        put("cases", _checked_cases(self.cases, n))
        put("spacing", tuple(float(edge) for edge in self.spacing) or (1.0,) * (images.ndim - 2))
        if len(self.spacing) != images.ndim - 2:
            raise InputError(f"The spacing has {len(self.spacing)} numbers for {images.ndim - 2} spatial axes.")
        if self.coil_images is not None:
            put("coil_images", _checked_coils(self.coil_images, images))
        if self.sensitivities is not None:
            put("sensitivities", _checked_sensitivities(self.sensitivities, self.coil_images))
        if self.reference is not None:
            put("reference", _checked_reference(self.reference, images))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def spatial(self) -> int:
        """2 for slices, 3 for volumes."""
        return self.images.ndim - 2

    @property
    def contrasts(self) -> int:
        """The number of contrasts (channels)."""
        return self.images.shape[1]

    @property
    def task(self) -> Task:
        """What the targets ask for."""
        if self.targets is None:
            return "reconstruction"
        return "classification" if self.targets.ndim == 1 else "segmentation"

    @property
    def classes(self) -> int:
        """The number of labels with background, or of classes: one more than the largest that occurs or has a name."""
        if self.targets is None:
            return 0
        return int(max(self.targets.max(initial=0), *self.names, 1)) + 1

    @property
    def is_simulated(self) -> bool:
        """Whether its k-space can only be simulated from magnitudes."""
        return not np.iscomplexobj(self.images) and self.coil_images is None

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Its notes, and the one on simulated k-space where it applies."""
        return (*self.notes, MAGNITUDE_NOTE) if self.is_simulated else self.notes

    def magnitude(self) -> NDArray:
        """(n, c, h, w) float32 of the full images."""
        return np.abs(self.images).astype(np.float32, copy=False)

    def truth(self) -> NDArray:
        """(n, c, h, w) float32 that reconstructions are compared with."""
        return self.magnitude() if self.reference is None else self.reference

    def normalisation(self) -> tuple[NDArray, NDArray]:
        """Mean and standard deviation (n, c) of each full magnitude image: networks get (image - mean) / deviation."""
        flat = self.magnitude().reshape(len(self), self.contrasts, -1).astype(np.float64)
        return flat.mean(axis=2).astype(np.float32), (flat.std(axis=2) + 1e-11).astype(np.float32)

    def name(self, label: int) -> str:
        """What a label or class is called."""
        return self.names.get(label, str(label))

    def subset(self, rows: ArrayLike) -> SliceDataset:
        """The slices of these numbers."""
        rows = np.asarray(rows)
        kept = {
            name: None if getattr(self, name) is None else getattr(self, name)[rows]
            for name in ("images", "targets", "cases", "coil_images", "sensitivities", "reference")
        }
        return replace(self, names=self._all_names(), **kept)

    def _all_names(self) -> dict[int, str]:
        """Names that keep the number of classes when a part of the slices lacks the last."""
        return {label: self.name(label) for label in range(1, self.classes)} if self.targets is not None else {}

    def require_classes(self) -> None:
        """Refuse targets with one class only.

        Raises:
            InputError: there is nothing to tell apart.
        """
        if self.targets is not None and (self.targets == self.targets.flat[0]).all():
            what = "slices are of the class" if self.task == "classification" else "pixels have the label"
            raise InputError(
                f"All {what} {self.targets.flat[0]}: with one class only there is nothing to tell apart. "
                "Give labels of at least two classes, background included."
            )

    def digest(self) -> str:
        """A sha256 of images and targets: tells whether two results are of the same data."""
        found = hashlib.sha256(str((self.images.shape, self.images.dtype)).encode())
        for array in (self.images, self.targets, self.coil_images):
            if array is not None:
                found.update(np.ascontiguousarray(array).data)
        return found.hexdigest()


def _checked_images(images: ArrayLike) -> NDArray:
    array = np.asarray(images)
    if array.ndim not in (4, 5) or 0 in array.shape or array.dtype.kind not in "buifc":
        raise InputError(
            f"Images of shape {array.shape} and type {array.dtype} cannot be used: expected numbers (n, c, h, w), or "
            "(n, c, d, h, w) for volumes, n slices of c contrasts."
        )
    if not np.isfinite(array).all():
        raise InputError("The images hold NaN or infinite values. Replace them, by 0 for instance.")
    return np.ascontiguousarray(array, dtype=np.complex64 if array.dtype.kind == "c" else np.float32)


def _checked_targets(targets: ArrayLike, images: NDArray) -> NDArray:
    array = np.asarray(targets)
    expected = (len(images), *images.shape[2:])
    if array.shape not in (expected, expected[:1]):
        raise InputError(
            f"The labels have shape {array.shape} and the images {images.shape}. Expected a label for each pixel "
            f"{expected}, or one class for each slice {expected[:1]}."
        )
    if array.dtype.kind not in "bui" and not (array.dtype.kind == "f" and np.array_equal(array, np.rint(array))):
        raise InputError("The labels are whole numbers from 0 on; these hold fractions. Give a label map.")
    if array.min() < 0 or array.max() > 255:
        raise InputError(
            f"The labels go from {array.min():g} to {array.max():g}; expected whole numbers from 0 to 255."
        )
    return array.astype(np.int64)


def _checked_cases(cases: ArrayLike | None, n: int) -> NDArray:
    if cases is None:
        return np.array([str(number) for number in range(n)])
    array = np.asarray(cases).astype(str)
    if array.shape != (n,):
        raise InputError(f"There are {array.size} names of cases for {n} slices; give one for each slice.")
    return array


def _checked_coils(coils: ArrayLike, images: NDArray) -> NDArray:
    array = np.asarray(coils)
    wanted = (*images.shape[:2], "coils", *images.shape[2:])
    if array.ndim != images.ndim + 1 or (*array.shape[:2], *array.shape[3:]) != images.shape:
        raise InputError(f"The coil images have shape {array.shape}; expected {wanted}.")
    if array.dtype.kind != "c":
        raise InputError("The coil images are magnitudes; expected complex images, one for each coil.")
    return np.ascontiguousarray(array, dtype=np.complex64)


def _checked_sensitivities(maps: ArrayLike, coils: NDArray | None) -> NDArray:
    array = np.asarray(maps)
    if coils is None:
        raise InputError("Coil sensitivities were given without coil images. Give the images of the coils as well.")
    wanted = (len(coils), *coils.shape[2:])
    if array.shape != wanted:
        raise InputError(f"The coil sensitivities have shape {array.shape}; expected {wanted}, as the coil images.")
    return np.ascontiguousarray(array, dtype=np.complex64)


def _checked_reference(reference: ArrayLike, images: NDArray) -> NDArray:
    array = np.asarray(reference)
    if array.shape != images.shape or array.dtype.kind == "c":
        raise InputError(
            f"The reference images have shape {array.shape} and type {array.dtype}; expected magnitudes "
            f"{images.shape}, as the images."
        )
    return np.ascontiguousarray(array, dtype=np.float32)
