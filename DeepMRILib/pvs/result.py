"""What a segmentation of perivascular spaces returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume


@dataclass(frozen=True)
class PVSResult(Result):
    """The perivascular spaces of one brain, on the grid of the T1 (or T2) that was given ("native").

    Attributes:
        probability: native (i, j, k) float32 from 0 to 1.
        segmentation: native, 1 where a space is.
        clusters: native, 1 ... n from the largest to the smallest.
        brain: native, 1 inside the brain mask that was used.
        regions: native, the regions of the tables.
        census: a row for each cluster: ``cluster``, ``region``, ``voxels``, ``volume`` (mm3), ``length`` (mm, its
            longest extent), ``r``, ``a``, ``s`` (mm, its centre of mass), ``probability`` (mean).
        statistics: ``Whole brain`` and each region: ``region``, ``clusters``, and of the clusters' volumes ``total``,
            ``mean``, ``median``, ``std`` (n-1), ``min``, ``max`` in mm3, ``total_voxels``, and ``region_volume`` (ml).
        statistics_1mm: the same, found in the box of 1 mm as SHiVAi does.
        qc: quality control, one row for each number: ``check``, ``value``, ``unit``, ``verdict``, ``meaning``.
        conformed: the box of 160 x 214 x 176 voxels of 1 mm that the engine looked at: ``t1_1mm`` (or ``t2_1mm``),
            ``flair_1mm``, ``brain_1mm``, ``regions_1mm``, ``probability_1mm``, and ``segmentation_1mm``, what was
            found there.
    """

    probability: Volume | None = None
    segmentation: LabelVolume | None = None
    clusters: LabelVolume | None = None
    brain: LabelVolume | None = None
    regions: LabelVolume | None = None
    census: Table = field(default_factory=lambda: Table({}))
    statistics: Table = field(default_factory=lambda: Table({}))
    statistics_1mm: Table = field(default_factory=lambda: Table({}))
    qc: Table = field(default_factory=lambda: Table({}))
    conformed: dict[str, Volume] = field(default_factory=dict)
