"""What an IVIM fit and the phantom return."""

from __future__ import annotations

from dataclasses import dataclass, field

from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume


@dataclass(frozen=True)
class IVIMResult(Result):
    """Maps, regions and decay curves of one fit.

    Attributes:
        maps: "D", "f", "D_star", "S0", "R2", "RMSE" to maps (i, j, k), float32; D and D_star in mm2/s, S0 and RMSE
            in the image's units; 0 where nothing was fitted.
        fitted: (i, j, k) uint8, 1 where a voxel was fitted.
        regions: one row per region, see ``ivim.roi_table``.
        decay: measured mean signal of each region at each b-value.
        decay_fit: the curve fitted to it, at closely spaced b-values.
    """

    maps: dict[str, Volume] = field(default_factory=dict)
    fitted: Volume | None = None
    regions: Table = field(default_factory=lambda: Table({}))
    decay: Table = field(default_factory=lambda: Table({}))
    decay_fit: Table = field(default_factory=lambda: Table({}))


@dataclass(frozen=True)
class PhantomResult(Result):
    """A phantom: the series, and the truth that it was made from.

    Attributes:
        dwi: the noisy series (i, j, k, n).
        truth: "D_true", "f_true", "D_star_true", "S0_true" to maps.
        labels: the tissues.
    """

    dwi: DiffusionVolume | None = None
    truth: dict[str, Volume] = field(default_factory=dict)
    labels: LabelVolume | None = None
