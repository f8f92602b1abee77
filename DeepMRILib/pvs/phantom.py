"""``pvs.phantom``: perivascular spaces whose truth is known, in a generated head or in a real image.

They serve to test methods. Networks are trained on tubes that are drawn in another way, so that these can tell how
good they are: centre-lines here are random walks, margins are soft, and the scanner's blur is that of a truncated
k-space.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.pvs import phantom_confounders as confounders
from DeepMRILib.pvs.brainlabels import is_brain
from DeepMRILib.pvs.head import generated_head
from DeepMRILib.pvs.head_labels import BASAL_GANGLIA, BRIGHTNESS, NAMES, VENTRICLES, WHITE_MATTER, Contrast
from DeepMRILib.pvs.phantom_options import PhantomOptions
from DeepMRILib.pvs.phantom_room import Room, cut_to_content, placed, room_of_labels
from DeepMRILib.pvs.phantom_scan import (
    FLAIR_SPACING,
    SCALE,
    Inserted,
    grid_of,
    local_level,
    sampled,
    scanned,
    tissue_image,
    with_tubes,
)
from DeepMRILib.pvs.phantom_tissue import fluid_brightness, room_of_image
from DeepMRILib.pvs.tubes import Tube
from DeepMRILib.results import Provenance, Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume, checked_labels, checked_mask

COARSEST_MM = (2.5, 2.5, 6.0)
"""Largest voxel edges, from the smallest edge on, in which tubes of a millimetre or two can still be told."""
_HEAD_MM = (0.7, 1.0)


@dataclass(frozen=True)
class PhantomResult(Result):
    """Generated perivascular spaces.

    Attributes:
        images: ``t1``, and ``flair`` on a grid of its own; or ``t2``.
        truth: on the grid of the first image, the number of the tube in each voxel of which tubes fill enough.
        fraction: how much of each voxel tubes fill, from 0 to 1, without the scanner's blur.
        brain: 1 inside the brain.
        parcellation: FreeSurfer's and SynthSeg's labels, where they are known.
        confounders: 1 lacunes, 2 white matter hyperintensities, where any were asked for.
        tubes: a row for each: ``number``, ``region``, ``length``, ``diameter`` (mm), ``volume`` (mm3), ``voxels`` of
            the truth, ``start_r`` ... ``end_s`` (mm), and ``contrast``: its largest change of the first image's
            brightness over that of the tissue around it.
    """

    images: dict[str, Volume] = field(default_factory=dict)
    truth: LabelVolume | None = None
    fraction: Volume | None = None
    brain: LabelVolume | None = None
    parcellation: LabelVolume | None = None
    confounders: LabelVolume | None = None
    tubes: Table = field(default_factory=lambda: Table({}))


@dataclass(frozen=True, eq=False)
class _Made:
    """Images and truth before they are put into a result."""

    images: dict[str, Volume]
    inserted: Inserted
    tubes: list[Tube]
    brain: NDArray
    labels: NDArray | None
    kinds: NDArray
    notes: tuple[str, ...] = ()


def phantom(
    volume: Volume | None = None,
    options: PhantomOptions | None = None,
    *,
    brain_mask: Volume | None = None,
    parcellation: Volume | None = None,
    progress: Progress | None = None,
) -> PhantomResult:
    """Tubes of fluid in a brain, with their truth.

    In each voxel tubes replace a fraction s of the tissue's brightness by that of fluid; the noise and the texture of
    a real image stay.

    Args:
        volume: (i, j, k) a real T1 or T2; without it a head is generated.
        options: see ``PhantomOptions``; what is said of a generated head is not used with a real image.
        brain_mask: not 0 inside, on the grid of the image.
        parcellation: FreeSurfer's or SynthSeg's labels on the grid of the image. Without one, white matter is what is
            as bright as it, and no tube lies in the basal ganglia.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: a setting out of its range; a real image without mask and parcellation, of coarse voxels, or with
            a FLAIR asked for; a brain into which no tube fits.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options, progress = validate(options or PhantomOptions()), part(progress, 0.0, 1.0)
    _check_spacing(options.spacing if volume is None else volume.spacing)
    if volume is None:
        if brain_mask is not None or parcellation is not None:
            raise InputError("A mask or a parcellation was given without an image. Give the image that it belongs to.")
        made = _in_generated(options, progress)
    else:
        made = _in_real(volume, options, brain_mask, parcellation, progress)
    first = next(iter(made.images.values()))
    truth = np.where(made.inserted.fraction >= options.truth, made.inserted.number, 0).astype(np.int16)
    provenance = Provenance(
        "pvs.phantom",
        "Random-walk tubes with soft margins, " + ("in a generated head" if volume is None else "in a given image"),
        to_json(options),
        seed=options.seed,
        seconds={"total": time.perf_counter() - started},
        inputs={"shape": list(first.shape), "spacing": list(first.spacing)},
        notes=(
            f"A voxel is a tube's where tubes fill at least {100 * options.truth:g} % of it.",
            *made.notes,
            "The tubes are drawn, not measured: they are for trying and testing methods.",
        ),
    )
    progress(1.0, "Phantom ready")
    labels = None if made.labels is None else LabelVolume(made.labels, first.affine, NAMES)
    kinds = LabelVolume(made.kinds, first.affine, confounders.NAMES) if made.kinds.any() else None
    return PhantomResult(
        provenance,
        images=made.images,
        truth=LabelVolume(truth, first.affine, {n: f"tube {n}" for n in range(1, len(made.tubes) + 1)}),
        fraction=first.like(made.inserted.fraction),
        brain=LabelVolume(made.brain.astype(np.uint8), first.affine, {1: "brain"}),
        parcellation=labels,
        confounders=kinds,
        tubes=_table(made.tubes, made.inserted, truth),
    )


def phantom_job(
    options: PhantomOptions | None = None,
    *,
    volume: Volume | None = None,
    brain_mask: Volume | None = None,
    parcellation: Volume | None = None,
    progress: Progress | None = None,
) -> PhantomResult:
    """``phantom`` as the table of jobs has it: what may be left out goes by name."""
    return phantom(volume, options, brain_mask=brain_mask, parcellation=parcellation, progress=progress)


def _check_spacing(spacing: tuple[float, ...]) -> None:
    if any(edge > most + 1e-6 for edge, most in zip(sorted(spacing), COARSEST_MM, strict=True)):
        text = " x ".join(f"{edge:.3g}" for edge in spacing)
        raise InputError(
            f"Voxels of {text} mm are too coarse for perivascular spaces. Choose edges of at most "
            f"{COARSEST_MM[0]:g} mm, of which one may be up to {COARSEST_MM[2]:g} mm."
        )


def _in_generated(options: PhantomOptions, progress: Progress) -> _Made:
    """Tubes in a head of their own."""
    rng = np.random.default_rng([options.seed, 0x50565331])
    progress(0.0, "Drawing a head")
    finest, coarsest = _HEAD_MM
    head = generated_head(
        options.seed, spacing=float(np.clip(min(options.spacing), finest, max(coarsest, min(options.spacing))))
    )
    parcellation = head.parcellation.array
    room = room_of_labels(parcellation, head.affine)
    tubes = placed(room, options, rng, part(progress, 0.35, 0.5))
    blobs = confounders.blobs(room, tubes, options.lacunes, options.wmh, rng)
    contrasts: dict[str, tuple[Contrast, ...]] = {"t1": ("t1",), "t2": ("t2",), "t1_flair": ("t1", "flair")}
    images: dict[str, Volume] = {}
    kept: tuple[Inserted, NDArray, Volume] | None = None
    for n, contrast in enumerate(contrasts[options.contrast]):
        progress(0.5 + 0.25 * n, f"Making the {contrast.upper()}")
        grid = grid_of(
            head, FLAIR_SPACING if n else options.spacing, (0, 0, 0) if n else options.size,
            oblique=options.oblique, flair=n > 0,
        )  # fmt: skip
        tissue = grid.like(tissue_image(head, contrast, grid, rng))
        image, inserted, kinds = _scan(tissue, contrast, _Content(tubes, blobs), options, rng)
        images[contrast] = grid.like(image)
        kept = kept or (inserted, kinds, grid)
    inserted, kinds, grid = kept
    brain = sampled(head.brain.array.astype(np.float32), head.affine, grid, order=1) >= 0.5
    labels = sampled(parcellation, head.affine, grid, order=0)
    return _Made(images, inserted, tubes, brain, labels, kinds, _few(tubes, options))


class _Content(NamedTuple):
    """What is put into a brain."""

    tubes: list[Tube]
    blobs: list[confounders.Blob]


def _scan(
    tissue: Volume, contrast: Contrast, content: _Content, options: PhantomOptions, rng: np.random.Generator
) -> tuple[NDArray, Inserted, NDArray]:
    """An image of a generated head with what is put into it, and which confounder lies where."""
    column = ("t1", "t2", "flair").index(contrast)
    fluid = SCALE * BRIGHTNESS["lateral ventricle"][column]
    white = SCALE * BRIGHTNESS["cerebral white matter"][column]
    diseased, kinds = confounders.with_blobs(tissue, tissue.array, fluid, content.blobs, contrast)
    inserted = with_tubes(tissue.like(diseased), diseased, fluid, content.tubes, options.blur)
    noisy = scanned(
        np.maximum(inserted.image, 0), tissue.affine, rng, bias=options.bias, noise=white / options.snr,
        motion=options.motion,
    )  # fmt: skip
    return noisy, inserted, kinds


def _in_real(
    volume: Volume,
    options: PhantomOptions,
    brain_mask: Volume | None,
    parcellation: Volume | None,
    progress: Progress,
) -> _Made:
    """Tubes in a given image."""
    image = _checked_image(volume, options, brain_mask, parcellation)
    progress(0.0, "Looking for white matter")
    labels = None if parcellation is None else np.asarray(checked_labels(parcellation, volume).array, np.int32)
    brain = is_brain(labels) if brain_mask is None else checked_mask(brain_mask, volume)
    box, affine = cut_to_content(brain, volume.affine)  # nothing happens outside the brain
    part_of = None if labels is None else np.where(brain, labels, 0)[box]
    note, content, inserted, kinds = _put_in(Volume(image[box], affine), brain[box], part_of, options, progress)
    result = image.copy()
    result[box] = np.maximum(inserted.image, 0) if image.min() >= 0 else inserted.image
    whole = replace(
        inserted, image=result, fraction=_back(inserted.fraction, box, image), number=_back(inserted.number, box, image)
    )
    made = {options.contrast: volume.like(result)}
    return _Made(
        made, whole, content.tubes, brain, labels, _back(kinds, box, image), (*note, *_few(content.tubes, options))
    )


def _put_in(
    image: Volume, brain: NDArray, labels: NDArray | None, options: PhantomOptions, progress: Progress
) -> tuple[tuple[str, ...], _Content, Inserted, NDArray]:
    """A real image with tubes: what a reader must know, what was put in, the image, and which confounder where."""
    rng = np.random.default_rng([options.seed, 0x50565332])
    dark = options.contrast == "t1"
    if labels is None:
        room = room_of_image(image.array, brain, image.affine, dark_fluid=dark)
    else:
        white, grey, ventricles = (np.isin(labels, part) for part in (WHITE_MATTER, BASAL_GANGLIA, VENTRICLES))
        room = Room(white, grey, ventricles, image.affine)
    tubes = placed(room, options, rng, part(progress, 0.2, 0.6))
    content = _Content(tubes, confounders.blobs(room, tubes, options.lacunes, options.wmh, rng))
    progress(0.6, "Putting tubes into the image")
    level = local_level(image.array, room.inside, image.affine)
    fluid = fluid_brightness(image.array, brain, room, dark_fluid=dark)
    usual = float(np.median(image.array[room.white if room.white.any() else room.inside]))
    # fluid is shaded as the tissue around it
    shaded = fluid * level / max(usual, 1e-6) if dark else np.full_like(level, fluid)
    diseased, kinds = confounders.with_blobs(image, level, shaded, content.blobs, options.contrast)
    inserted = with_tubes(image.like(diseased), level, shaded, tubes, options.blur)
    note = () if labels is not None else ("White matter was found by brightness, since no parcellation was given.",)
    return (f"Fluid has a brightness of {fluid:.4g}, white matter of {usual:.4g}.", *note), content, inserted, kinds


def _back(values: NDArray, box: tuple[slice, slice, slice], whole: NDArray) -> NDArray:
    """Values of a box in an array of zeros as large as the whole image."""
    result = np.zeros(whole.shape, values.dtype)
    result[box] = values
    return result


def _checked_image(
    volume: Volume, options: PhantomOptions, brain_mask: Volume | None, parcellation: Volume | None
) -> NDArray:
    """The image as float32 (i, j, k), if tubes can be put into it."""
    if options.contrast == "t1_flair":
        raise InputError(
            "A FLAIR can only be made of a generated head. Choose the contrast t1 or t2 for a given image, or give "
            "no image."
        )
    if brain_mask is None and parcellation is None:
        raise InputError(
            "An image was given without its brain. Give a brain mask or a parcellation as well, or no image at all "
            "for a generated head."
        )
    array = volume.array[..., 0] if volume.array.ndim == 4 and volume.array.shape[3] == 1 else volume.array
    if array.ndim != 3 or array.dtype.kind not in "biuf":
        raise InputError(
            f"The image has shape {volume.array.shape} and type {array.dtype}; expected one number for each voxel."
        )
    image = np.nan_to_num(array.astype(np.float32), posinf=0.0, neginf=0.0)
    if image.max() <= image.min():
        raise InputError("The image has one brightness everywhere. Give a T1 or T2 of a head.")
    return image


def _few(tubes: list[Tube], options: PhantomOptions) -> tuple[str, ...]:
    if len(tubes) == options.tubes:
        return ()
    return (f"There was room for {len(tubes)} of {options.tubes} tubes.",)


def _table(tubes: list[Tube], inserted: Inserted, truth: NDArray) -> Table:
    counts = np.bincount(truth.ravel(), minlength=len(tubes) + 1)
    rows = []
    for number, (tube, contrast) in enumerate(zip(tubes, inserted.contrast, strict=True), start=1):
        ends = {
            f"{end}_{axis}": float(tube.line[at][n])
            for end, at in (("start", 0), ("end", -1))
            for n, axis in enumerate("ras")
        }
        rows.append(
            {
                "number": number,
                "region": tube.region,
                "length": tube.length,
                "diameter": tube.diameter,
                "volume": tube.volume,
                "voxels": int(counts[number]),
                **ends,
                "contrast": contrast,
            }
        )
    return Table.from_rows(
        rows, {"length": "mm", "diameter": "mm", "volume": "mm3", **{k: "mm" for k in rows[0] if "_" in k}}
    )
