"""``pvs.segment``: from the images of a head to its perivascular spaces, their regions and their tables."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.pvs.engine import Answer, Engine, Modality, Problem
from DeepMRILib.pvs.options import RelabelOptions, SegmentOptions
from DeepMRILib.pvs.prepare import prepare
from DeepMRILib.pvs.prepared import Prepared
from DeepMRILib.pvs.qc import mask_source
from DeepMRILib.pvs.regions import depth_shells, regions_of
from DeepMRILib.pvs.relabel import Relabelled, relabelled
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

BRAIN_MASK = {"given": "given", "parcellation": "of the parcellation", "image": "approximate, made here"}
"""Where the mask is from, in words."""


def segment(
    images: Mapping[Modality, Volume | None],
    options: SegmentOptions | None = None,
    *,
    brain_mask: Volume | None = None,
    parcellation: Volume | None = None,
    model: Path | str | None = None,
    progress: Progress | None = None,
) -> PVSResult:
    """Find the perivascular spaces of one brain.

    The images are brought to voxels of 1 mm in a box of 160 x 214 x 176 around the brain, an engine looks for spaces
    there, and its probability goes back to the grid of the T1, where it is cut at the threshold.

    Args:
        images: ``t1`` (i, j, k) in any orientation and spacing, and ``flair`` if there is one, on any grid; or ``t2``
            alone, which is inverted.
        options: see ``SegmentOptions``.
        brain_mask: not 0 inside, on the grid of the T1 (or T2); without it an approximate one is made.
        parcellation: FreeSurfer's or SynthSeg's labels of this head, on any grid; gives the regions of the tables,
            and tells vesselness where white matter and ventricles are.
        model: of the engine network: a model's folder or name, or a downloaded SHIVA file or folder; by default the
            network that DeepMRI ships.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: images, mask or parcellation that cannot be used, or do not belong together.
        WeightsError: the model is missing, damaged or for other images.
        DependencyError: networks need PyTorch, and it is not installed.
        DeviceMemoryError: the network needs more memory than there is.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(SegmentOptions() if options is None else options)
    if model is not None and options.engine != "network":
        raise InputError(f"A model was given, and the engine {options.engine} uses none. Choose the engine network.")
    engine = _engine(options, model)
    if options.engine == "network":
        from DeepMRILib.pvs.opened import check_place

        check_place(model)
    prepared = prepare(
        images, options, brain_mask=brain_mask, parcellation=parcellation, progress=part(progress, 0.0, 0.3)
    )
    between = time.perf_counter()
    answer = engine(prepared.problem, part(progress, 0.3, 0.9))
    seconds = {"prepare": between - started, "engine": time.perf_counter() - between}
    report = part(progress, 0.9, 1.0)
    report(0.0, "Measuring")
    found = _Found(prepared, answer, *_regions(prepared.problem))
    return _result(found, {**seconds, "segment": time.perf_counter() - started})


def segment_job(
    options: SegmentOptions | None = None,
    *,
    t1: Volume | None = None,
    flair: Volume | None = None,
    t2: Volume | None = None,
    brain_mask: Volume | None = None,
    parcellation: Volume | None = None,
    model: Path | str | None = None,
    progress: Progress | None = None,
) -> PVSResult:
    """``segment`` as the table of jobs has it, with an argument for each image."""
    images: dict[Modality, Volume | None] = {"t1": t1, "flair": flair, "t2": t2}
    return segment(
        images, options, brain_mask=brain_mask, parcellation=parcellation, model=model, progress=progress
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Found:
    """All that a result is made of; ``regions`` (160, 214, 176) with their names."""

    prepared: Prepared
    answer: Answer
    regions: NDArray
    names: dict[int, str]


def _engine(options: SegmentOptions, model: Path | str | None) -> Engine:
    if options.engine == "vesselness":
        from DeepMRILib.pvs.vesselness_engine import segment_by_vesselness

        return segment_by_vesselness
    for module in ("torch", "safetensors"):  # before the file that imports them
        require(module, "Segmenting with a network")
    from DeepMRILib.pvs.network_engine import segment_by_network

    return functools.partial(segment_by_network, model=model)


def _regions(problem: Problem) -> tuple[NDArray, dict[int, str]]:
    return depth_shells(problem.brain) if problem.labels is None else regions_of(problem.labels, problem.brain)


def _result(found: _Found, seconds: dict[str, float]) -> PVSResult:
    prepared, answer = found.prepared, found.answer
    problem, native = prepared.problem, prepared.native
    limits = _limits(problem.options)
    probability = Volume(np.clip(prepared.to_native(answer.probability), 0.0, 1.0), native.affine)
    regions = np.where(prepared.brain, prepared.to_native(found.regions, order=0), 0).astype(np.uint8)
    here = relabelled(probability, prepared.brain, LabelVolume(regions, native.affine, found.names), limits)
    boxed = LabelVolume(found.regions, problem.affine, found.names)
    at_1mm = relabelled(Volume(answer.probability, problem.affine), problem.brain, boxed, limits)
    return PVSResult(
        provenance=_provenance(found, seconds),
        probability=probability,
        segmentation=here.segmentation,
        clusters=here.clusters,
        brain=LabelVolume(prepared.brain.astype(np.uint8), native.affine, {1: "Brain"}),
        regions=LabelVolume(regions, native.affine, found.names),
        census=here.census,
        statistics=here.statistics,
        statistics_1mm=at_1mm.statistics,
        qc=Table.from_rows(prepared.qc),
        conformed={**_conformed(found), "segmentation_1mm": _plain(at_1mm)},
    )


def _limits(options: SegmentOptions) -> RelabelOptions:
    return RelabelOptions(threshold=options.threshold, min_size=options.min_size, max_outside=options.max_outside)


def _conformed(found: _Found) -> dict[str, Volume]:
    problem = found.prepared.problem
    arrays = {
        **problem.images,
        "brain": problem.brain.astype(np.uint8),
        "regions": found.regions,
        "probability": found.answer.probability,
    }
    return {f"{name}_1mm": Volume(array, problem.affine) for name, array in arrays.items()}


def _plain(found: Relabelled) -> Volume:
    return Volume(np.asarray(found.segmentation.array), found.segmentation.affine)


def _provenance(found: _Found, seconds: dict[str, float]) -> Provenance:
    prepared, answer = found.prepared, found.answer
    problem, native = prepared.problem, prepared.native
    return Provenance(
        job="pvs.segment",
        engine=answer.engine,
        options=to_json(problem.options),
        device=answer.device,
        seconds=seconds,
        weights_sha256=answer.weights_sha256,
        inputs={
            "images": list(problem.images),
            "shape": list(native.shape),
            "spacing": list(native.spacing),
            "brain_mask": BRAIN_MASK[mask_source(problem, given=prepared.given_brain)],
            "regions": "depth shells" if problem.labels is None else "parcellation",
        },
        notes=(*prepared.notes, *answer.notes),
    )
