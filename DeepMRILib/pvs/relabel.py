"""From a map of probability to spaces and their tables, anew whenever the threshold changes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.options import to_json, validate
from DeepMRILib.pvs.census import census_of, region_of_each, statistics_of
from DeepMRILib.pvs.clusters import clusters_of, occupied
from DeepMRILib.pvs.options import RelabelOptions
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

SPACE = "Perivascular space"


@dataclass(frozen=True, eq=False)
class Relabelled:
    """The spaces above a threshold; the fields are those of ``PVSResult``."""

    segmentation: LabelVolume
    clusters: LabelVolume
    census: Table
    statistics: Table


def relabelled(
    probability: Volume, brain: NDArray, regions: LabelVolume | None, options: RelabelOptions | None = None
) -> Relabelled:
    """The spaces above a threshold, with their tables.

    Args:
        probability: (i, j, k).
        brain: (i, j, k), not 0 inside.
        regions: of the tables, on the same grid; without them only the whole brain has a row.
        options: threshold, sizes.

    Raises:
        InputError: brain or regions have another shape.
    """
    options = validate(RelabelOptions() if options is None else options)
    brain = np.asarray(brain).astype(bool)
    for what, shape in (("brain mask", brain.shape), ("regions", regions.shape if regions is not None else None)):
        if shape not in (None, probability.shape):
            raise InputError(
                f"The {what} have the shape {shape} and the probability {probability.shape}. Give those of one result."
            )
    clusters = clusters_of(
        np.asarray(probability.array),
        brain,
        threshold=options.threshold,
        min_size=options.min_size,
        max_outside=options.max_outside,
        voxel_volume=probability.voxel_volume,
    )
    names = dict(regions.names) if regions is not None else {}
    area = np.asarray(brain if regions is None else regions.array)
    counts = _counts(area)
    of_each = np.full(len(clusters), -1) if regions is None else region_of_each(clusters, area, len(counts) - 1)
    sizes = {number: int(count) for number, count in enumerate(counts) if number}
    return Relabelled(
        segmentation=LabelVolume((clusters.labels > 0).astype(np.uint8), probability.affine, {1: SPACE}),
        clusters=LabelVolume(clusters.labels, probability.affine),
        census=census_of(clusters, probability, of_each, names),
        statistics=statistics_of(clusters.voxels, of_each, names, sizes, probability.voxel_volume),
    )


def _counts(area: NDArray) -> NDArray:
    """The voxels of each region; how many have none is of no interest."""
    box = occupied(area)
    return np.bincount(area[box].ravel()) if box else np.zeros(1, int)


def relabel(result: PVSResult, options: RelabelOptions | None = None) -> PVSResult:
    """The same search with another threshold or other sizes; nothing is looked for anew.

    Raises:
        InputError: the result lacks its probability or its brain mask.
    """
    options = validate(RelabelOptions() if options is None else options)
    if result.probability is None or result.brain is None:
        raise InputError("The result holds no probability or no brain mask. Segment the image anew.")
    found = relabelled(result.probability, np.asarray(result.brain.array), result.regions, options)
    boxed = _in_the_box(result, options)
    settings = {**result.provenance.options, **to_json(options)}
    return replace(
        result,
        provenance=replace(result.provenance, options=settings),
        segmentation=found.segmentation,
        clusters=found.clusters,
        census=found.census,
        statistics=found.statistics,
        statistics_1mm=boxed.statistics if boxed else result.statistics_1mm,
        conformed={**result.conformed, **({"segmentation_1mm": Volume(*_place(boxed.segmentation))} if boxed else {})},
    )


def _place(labels: LabelVolume) -> tuple[NDArray, NDArray]:
    return np.asarray(labels.array), labels.affine


def _in_the_box(result: PVSResult, options: RelabelOptions) -> Relabelled | None:
    """The same on voxels of 1 mm; None where the result does not hold them."""
    if not {"probability_1mm", "brain_1mm", "regions_1mm"} <= set(result.conformed):
        return None
    regions = result.conformed["regions_1mm"]
    names = result.regions.names if result.regions is not None else {}
    return relabelled(
        result.conformed["probability_1mm"],
        np.asarray(result.conformed["brain_1mm"].array),
        LabelVolume(np.asarray(regions.array), regions.affine, names),
        options,
    )
