"""A brain with known tubes and its result, small enough for a test and made without any engine."""

from __future__ import annotations

import numpy as np

from DeepMRILib.pvs.options import RelabelOptions
from DeepMRILib.pvs.relabel import relabelled
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

SHAPE = (40, 36, 32)
OBLIQUE = np.array([[-0.9, 0.2, 0.0, 30.0], [0.2, 0.9, 0.1, -25.0], [0.0, -0.1, 1.0, 12.0], [0.0, 0.0, 0.0, 1.0]])
TUBES = (
    (0.9, (slice(8, 10), slice(10, 12), slice(6, 20))),  # 56 voxels, on the left
    (0.7, (slice(26, 28), slice(10, 24), slice(14, 15))),  # 28
    (0.4, (slice(28, 29), slice(26, 28), slice(10, 18))),  # 16, below the default threshold
    (0.95, (slice(20, 21), slice(20, 21), slice(20, 21))),  # 1: too small
)
"""Probability and place of each tube."""
REGIONS = {1: "Left deep white matter", 7: "Right basal ganglia"}


def image() -> Volume:
    """A T1 with dark tubes, oblique and left-handed."""
    array = np.where(brain(), 700.0, 20.0).astype(np.float32)
    for _probability, place in TUBES:
        array[place] = 200.0
    return Volume(array, OBLIQUE)


def brain() -> np.ndarray:
    """(40, 36, 32) bool: an ellipsoid."""
    indices = np.indices(SHAPE)
    middle = (np.array(SHAPE) - 1) / 2
    return sum(((indices[n] - middle[n]) / (middle[n] - 1)) ** 2 for n in range(3)) <= 1


def regions() -> LabelVolume:
    """The brain in two halves."""
    halves = np.where(np.arange(SHAPE[0])[:, None, None] < SHAPE[0] // 2, 1, 7)
    return LabelVolume(np.where(brain(), halves, 0).astype(np.uint8), OBLIQUE, REGIONS)


def probability() -> Volume:
    """What an engine would give."""
    array = np.zeros(SHAPE, np.float32)
    for value, place in TUBES:
        array[place] = value
    return Volume(array, OBLIQUE)


def result(options: RelabelOptions | None = None) -> PVSResult:
    """The result of a run with these settings."""
    options = RelabelOptions() if options is None else options
    found = relabelled(probability(), brain(), regions(), options)
    affine = np.eye(4)
    affine[:3, 3] = (-80.0, -107.0, -88.0)
    made = Provenance(
        "pvs.segment",
        "tubes of a test",
        {**vars(options), "engine": "vesselness"},
        seconds={"segment": 3.2},
        inputs={"images": ["t1"], "brain_mask": "given", "regions": "parcellation"},
    )
    return PVSResult(
        provenance=made,
        probability=probability(),
        segmentation=found.segmentation,
        clusters=found.clusters,
        brain=LabelVolume(brain().astype(np.uint8), OBLIQUE, {1: "Brain"}),
        regions=regions(),
        census=found.census,
        statistics=found.statistics,
        qc=Table.from_rows(
            [
                {"check": "voxel size", "value": 1.0, "unit": "mm", "verdict": "good", "meaning": "fine"},
                {"check": "brain volume", "value": 12.0, "unit": "ml", "verdict": "bad", "meaning": "small"},
            ]
        ),
        conformed={"t1_1mm": Volume(np.zeros((4, 4, 4), np.float32), affine)},
    )
