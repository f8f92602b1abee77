"""From a user's images to the box of 1 mm that every engine looks at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import progress as reporting
from DeepMRILib.errors import InputError
from DeepMRILib.progress import Progress
from DeepMRILib.pvs import checks, qc
from DeepMRILib.pvs.box import box_affine
from DeepMRILib.pvs.brainlabels import brain_of_labels, checked_parcellation
from DeepMRILib.pvs.brainmask import BrainField, approximate_brain
from DeepMRILib.pvs.conform import conformed_affine
from DeepMRILib.pvs.engine import BOX, Modality, Problem
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.prepared import Prepared
from DeepMRILib.pvs.registration import Rigid, check_fit, register
from DeepMRILib.pvs.resample import onto
from DeepMRILib.volume import LabelVolume, Volume, checked_mask

__all__ = ["Prepared", "prepare"]


def prepare(
    images: Mapping[Modality, Volume | None],
    options: SegmentOptions,
    *,
    brain_mask: Volume | None = None,
    parcellation: Volume | None = None,
    progress: Progress | None = None,
) -> Prepared:
    """A brain in the box of 160 x 214 x 176 voxels of 1 mm, with what leads back to the images.

    Each image is resampled once, from its own voxels straight to the box's, by a cubic spline kept in the image's
    range (blurred first along axes finer than 1 mm; copied where voxels lie on each other). The box is that of SHiVAi:
    see ``conform.conformed_affine`` and ``box.box_affine``.

    Args:
        images: ``t1`` with or without ``flair``, or ``t2``; any orientation, voxels up to 6 mm.
        options: of the segmentation; here only whether the FLAIR is registered.
        brain_mask: on the grid of the T1 (or T2), not 0 inside; without one the parcellation's brain, and without
            that an approximate one.
        parcellation: FreeSurfer's or SynthSeg's labels, on any grid of the same space.
        progress: from 0 to 1.

    Raises:
        InputError: images, mask or parcellation that cannot be used, or a FLAIR that does not fit the T1.
    """
    report = reporting.part(progress, 0.0, 1.0)
    report(0.0, "Looking at the images")
    found = checks.checked_images(images)
    main: Modality = "t1" if "t1" in found else "t2"
    native = found[main]
    labels = None if parcellation is None else checked_parcellation(parcellation)
    report(0.05, "Finding the brain")
    field, notes = _brain(native, brain_mask, labels, t2=main == "t2")
    brain = field.on(native.affine, native.shape)
    checks.check_brain_volume(int(brain.sum()), native.voxel_volume, _whose(brain_mask, parcellation))
    notes += _about(found, brain, native)
    report(0.4, "Resampling to 1 mm")
    affine = box_affine(conformed_affine(native.affine, native.shape), field)
    inside = field.on(affine, BOX)
    boxed: dict[Modality, NDArray] = {main: _boxed(native, affine)}
    moved, fit = None, None
    if "flair" in found:
        report(0.6, "Bringing the FLAIR onto the T1")
        boxed["flair"], moved, fit = _flair(found["flair"], Volume(boxed["t1"], affine), inside, options)
    in_box, on_native = _labels(labels, affine, native, inside)
    problem = Problem(boxed, inside, in_box, affine, options)
    report(0.95, "Checking the quality")
    rows = qc.rows(problem, native, brain, given=brain_mask is not None, moved=moved, fit=fit)
    report(1.0, "Ready")
    return Prepared(problem, native, brain, brain_mask is not None, on_native, rows, tuple(notes))


def _whose(brain_mask: Volume | None, parcellation: Volume | None) -> str:
    if brain_mask is not None:
        return "The brain mask holds"
    if parcellation is not None:
        return "Of the parcellation's brain, the image shows"
    return "The brain that was found in the image has"


def _brain(
    native: Volume, mask: Volume | None, labels: LabelVolume | None, *, t2: bool
) -> tuple[BrainField, list[str]]:
    if mask is not None:
        return BrainField(checked_mask(mask, native), native.affine), []
    if labels is not None:
        return brain_of_labels(labels), ["The brain mask is what the parcellation covers."]
    note = (
        "No brain mask was given: an approximate one was made from the image, which may hold some of the eye sockets. "
        "Look at it before you use the numbers."
    )
    return approximate_brain(native, fluid_bright=t2), [note]


def _boxed(volume: Volume, affine: NDArray) -> NDArray:
    return onto(volume.array, volume.affine, affine, BOX, antialias=True).astype(np.float32, copy=False)


def _flair(flair: Volume, t1: Volume, brain: NDArray, options: SegmentOptions) -> tuple[NDArray, Rigid | None, float]:
    moved = register(t1, flair, brain) if options.register_flair else None
    affine = t1.affine if moved is None else moved.matrix @ t1.affine
    values = _boxed(flair, affine)
    return values, moved, check_fit(t1.array, values, brain, registered=moved is not None)


def _labels(
    labels: LabelVolume | None, affine: NDArray, native: Volume, brain: NDArray
) -> tuple[NDArray | None, NDArray | None]:
    if labels is None:
        return None, None
    whole = labels.array.astype(np.int32, copy=False)
    in_box = onto(whole, labels.affine, affine, BOX, order=0)
    covered = float((in_box[brain] > 0).mean()) if brain.any() else 0.0
    if covered < 0.5:
        raise InputError(
            f"The parcellation covers {100 * covered:.0f} % of the brain; expected at least half. Give the "
            "parcellation of this head, in the space of this image."
        )
    return in_box, onto(whole, labels.affine, native.affine, native.shape, order=0)


def _about(found: Mapping[Modality, Volume], brain: NDArray, native: Volume) -> list[str]:
    """Sentences about what was mended in the images."""
    notes = [note for name, volume in found.items() if (note := checks.skew_note(volume, name))]
    unknown, inside = checks.nonfinite_inside(native.array, brain)
    if inside:
        raise InputError(
            f"{inside} voxels of the image are NaN or infinite inside the brain. Check how the image was made."
        )
    if unknown:
        notes.append(f"{unknown} voxels outside the brain are NaN or infinite; they count as 0.")
    if "flair" in found and (count := checks.nonfinite_inside(found["flair"].array, np.False_)[0]):
        notes.append(f"{count} voxels of the FLAIR are NaN or infinite; they count as 0.")
    return notes
