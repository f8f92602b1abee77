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
        maps: name to map (i, j, k), float32, 0 where nothing was fitted. "D", "f", "D_star", "S0" of the
            bi-exponential model, "D", "f1", "D_star1", "f2", "D_star2", "S0" of the tri-exponential, "ADC", "S0" of the
            mono-exponential; of each "<name>_sd", its standard deviation; "R2", "RMSE", and "quality": 1 where no
            parameter lies on a bound and R2 is at least 0.5. Rates are in mm2/s, S0 and RMSE in the image's units.
        fitted: (i, j, k) uint8, 1 where a voxel was fitted.
        regions: one row per region, see ``ivim.roi_table``.
        decay: measured mean signal of each region at each b-value.
        decay_fit: the mean of its voxels' fitted curves, at closely spaced b-values.
        predicted: the fitted signal at the fitted b-values, if asked for.
        training: the loss curve of a network that was trained for this fit, else None: ``epoch``, ``loss`` and
            ``validation_loss`` (means of its members), ``learning_rate``.
    """

    maps: dict[str, Volume] = field(default_factory=dict)
    fitted: Volume | None = None
    regions: Table = field(default_factory=lambda: Table({}))
    decay: Table = field(default_factory=lambda: Table({}))
    decay_fit: Table = field(default_factory=lambda: Table({}))
    predicted: DiffusionVolume | None = None
    training: Table | None = None


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
