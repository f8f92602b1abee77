"""What a segmentation from points returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume


@dataclass(frozen=True)
class InteractiveResult(Result):
    """One segmentation.

    Attributes:
        mask: (i, j, k) uint8 on the grid of the image: 0 none, 1 the first segment, ...
        confidence: (i, j, k) float32 from 0 to 1, the lead of the winner over the runner-up, label or background;
            0 outside the part of the image that was looked at.
        table: one row per segment: ``segment``, ``voxels``, ``volume`` (mm3), ``volume_ml`` (ml), ``diameter_axial``,
            ``diameter_coronal``, ``diameter_sagittal`` (mm, the longest within a slice), ``seconds``.
        points: one row per point: ``segment`` (empty for negative points), ``name`` (the side of the lesion, or
            ``extra``, ``negative``), ``r``, ``a``, ``s`` (mm).
        part: the part of the image that was looked at, (i, j, k) or (i, j, k, c).
    """

    mask: LabelVolume | None = None
    confidence: Volume | None = None
    table: Table = field(default_factory=lambda: Table({}))
    points: Table = field(default_factory=lambda: Table({}))
    part: Volume | None = None
