"""``interactive.segment``: a lesion from points just inside its margin."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.channels import Image, check_image, stacked
from DeepMRILib.interactive.coarse import coarsely
from DeepMRILib.interactive.crop import Box, cropped
from DeepMRILib.interactive.engine import Answer, Engine, Problem
from DeepMRILib.interactive.engines import ENGINES
from DeepMRILib.interactive.finish import finished
from DeepMRILib.interactive.looked_at import part_around
from DeepMRILib.interactive.measures import size_of
from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.interactive.points import points_table, side_names
from DeepMRILib.interactive.prompts import Points, Prompts
from DeepMRILib.interactive.result import InteractiveResult
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

UNITS = {
    "volume": "mm3", "volume_ml": "ml", "seconds": "s",
    "diameter_axial": "mm", "diameter_coronal": "mm", "diameter_sagittal": "mm",
}  # fmt: skip


def segment(
    volume: Volume,
    points_ras: Points,
    options: SegmentOptions | None = None,
    *,
    negative_points: ArrayLike | None = None,
    prior: Volume | None = None,
    model: Path | str | None = None,
    channels: Sequence[Image] | None = None,
    progress: Progress | None = None,
) -> InteractiveResult:
    """Segment what the points lie in.

    Only a part of the image around the points is looked at (``SegmentOptions.margin``), so the size of the image does
    not matter.

    Args:
        volume: (i, j, k), or (i, j, k, c) with several images of the same place.
        points_ras: at least six points (n, 3) in RAS mm just inside the margin, in any order; further ones anywhere
            inside help. Or such points by the name of their label: several labels compete.
        options: see ``SegmentOptions``.
        negative_points: (m, 3) in RAS mm, where no label is.
        prior: an earlier segmentation on the grid of ``volume``: 0 none, 1 the first label, ...
        model: of the engine ``network``: a model's folder or name; by default the one that DeepMRI ships.
        channels: further images of the same lesion, brought onto the grid of ``volume``.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: points or images that cannot be used; the text says what and what to do.
        WeightsError: the model is missing, damaged or for other images.
        DependencyError: the network needs a package that is not installed.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(SegmentOptions() if options is None else options)
    report = part(progress, 0.0, 1.0)
    report(0.0, "Looking at the points")
    check_image(volume, "image")
    prompts = Prompts.of(points_ras, negative_points, volume)
    box = part_around(volume, prompts, options, model)
    problem = _problem(volume, prompts, box, options, prior=prior, channels=channels or ())
    answer = _engine(options, model)(problem, part(progress, 0.05, 0.9))
    labels, confidence = finished(answer.membership, problem)
    report(0.95, "Measuring")
    return _result(volume, prompts, _Found(box, problem, answer, labels, confidence), started)


@dataclass(frozen=True, eq=False)
class _Found:
    """What was looked at and what was found there: labels and confidence (i, j, k) of the box."""

    box: Box
    problem: Problem
    answer: Answer
    labels: NDArray
    confidence: NDArray


def _engine(options: SegmentOptions, model: Path | str | None) -> Engine:
    if options.engine != "network":
        if model is not None:
            raise InputError(
                f"A model was given, and the engine {options.engine} uses none. Choose the engine network."
            )
        engine = ENGINES[options.engine]
        return coarsely(engine) if options.resolution == "preview" else engine
    from DeepMRILib.interactive.network_engine import segment_by_network

    return functools.partial(segment_by_network, model=model)


def _problem(
    volume: Volume,
    prompts: Prompts,
    box: Box,
    options: SegmentOptions,
    *,
    prior: Volume | None,
    channels: Sequence[Image],
) -> Problem:
    start = np.array(box.start, dtype=float)
    negative = volume.voxel_from_ras(prompts.negative) if len(prompts.negative) else np.zeros((0, 3))
    return Problem(
        image=stacked(cropped(volume, box), channels),
        affine=box.affine(volume.affine),
        spacing=volume.spacing,
        # rounded: the same image cut more closely gives the same numbers, and so the same answer
        points=tuple(np.round(volume.voxel_from_ras(points) - start, 6) for points in prompts.positive.values()),
        negative=np.round(negative[box.contains(negative)] - start, 6),
        prior=_prior(prior, volume, box, len(prompts.positive)),
        options=options,
    )


def _prior(prior: Volume | None, volume: Volume, box: Box, labels: int) -> NDArray | None:
    if prior is None:
        return None
    check_image(prior, "earlier segmentation")
    if prior.array.ndim != 3 or not prior.same_grid(volume):
        raise InputError(
            "The earlier segmentation lies on another grid than the image. Resample it to the image, or leave it out."
        )
    inside = np.asarray(prior.array[box.slices])
    known = np.isin(inside, np.arange(1, labels + 1))
    return np.where(known, inside, 0).astype(np.uint8)


def _result(volume: Volume, prompts: Prompts, found: _Found, started: float) -> InteractiveResult:
    names, problem, answer = list(prompts.positive), found.problem, found.answer
    mask = np.zeros(volume.shape, dtype=np.uint8)
    mask[found.box.slices] = found.labels
    sure = np.zeros(volume.shape, dtype=np.float32)
    sure[found.box.slices] = found.confidence
    sizes = [size_of(found.labels == number, problem.affine) for number in range(1, len(names) + 1)]
    seconds = time.perf_counter() - started
    rows = [{"segment": name, **size, "seconds": seconds} for name, size in zip(names, sizes, strict=True)]
    return InteractiveResult(
        provenance=Provenance(
            job="interactive.segment",
            engine=answer.engine,
            options=to_json(problem.options),
            device=answer.device,
            seconds={"segment": seconds},
            weights_sha256=answer.weights_sha256,
            inputs={
                "shape": list(volume.shape),
                "spacing": list(volume.spacing),
                "images": problem.image.shape[3],
                "labels": names,
                "points": {name: len(points) for name, points in prompts.positive.items()},
                "negative_points": len(prompts.negative),
                "prior": problem.prior is not None,
                "looked_at": {"start": list(found.box.start), "stop": list(found.box.stop)},
            },
            notes=(*answer.notes, *_doubts(names, problem, found.labels)),
        ),
        mask=LabelVolume(mask, volume.affine, dict(enumerate(names, start=1))),
        confidence=Volume(sure, volume.affine),
        table=Table.from_rows(rows, units=UNITS),
        points=points_table(prompts.positive, prompts.negative),
        part=Volume(problem.image if problem.image.shape[3] > 1 else problem.image[..., 0], problem.affine),
    )


def _doubts(names: Sequence[str], problem: Problem, labels: NDArray) -> Iterator[str]:
    """What a user should look at again: labels of which nothing was found, a prior that shows something else."""
    if problem.prior is not None and not problem.prior.any():
        yield "The earlier segmentation shows none of the labels around the points, and was of no use."
    for number, (name, points) in enumerate(zip(names, problem.points, strict=True), start=1):
        if not (labels == number).any():
            yield (
                f"Nothing was found of {name}. Check its points and those where no segment is, or set smooth and depth "
                "lower."
            )
        elif missed := _missed(points, labels == number, problem.affine):
            yield (
                f"{len(missed)} of {len(points)} points of {name} lie outside its segmentation ({', '.join(missed)}). "
                "Check them, or set depth to how far inside the margin they were placed."
            )
        # one of another number shows another label, and says nothing about this one
        if problem.prior is not None and (problem.prior == number).any():
            i, j, k = np.rint(points).astype(int).T
            if not (problem.prior[i, j, k] == number).any():
                yield f"No point of {name} lies in the earlier segmentation. Check that it is the right one."


def _missed(points: NDArray, region: NDArray, affine: NDArray) -> list[str]:
    """The sides whose points (n, 3) in voxels lie outside a region (i, j, k) and do not touch it."""
    names = side_names(Volume(region, affine).ras_from_voxel(points))
    nearest = np.clip(np.rint(points), 0, np.array(region.shape) - 1).astype(int)
    around = (tuple(slice(max(n - 1, 0), n + 2) for n in index) for index in nearest)
    return [name for name, box in zip(names, around, strict=True) if not region[box].any()]
