"""What an evaluation is told and what it gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib.ivim.options import (
    BodyPart,
    Method,
    Preset,
    Prior,
    body_part_option,
    fit_s0_option,
    members_option,
    preset_option,
    prior_option,
)
from DeepMRILib.ivim.simulate import SimulationOptions
from DeepMRILib.options import option
from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

CONSTANT, CLIPPED = "constant", "lsq_clipped"
"""The two references: the middle of the simulated range, and least squares moved into that range."""
METHOD_NAMES = {
    "lsq": "least squares",
    "segmented": "segmented",
    "bayes": "Bayes",
    "ivimnet": "IVIM-NET",
    CLIPPED: "least squares, clipped",
    CONSTANT: "constant guess",
}
"""Methods and references as people read them."""


@dataclass(frozen=True)
class EvaluateOptions(SimulationOptions):
    """What is evaluated, on which signals."""

    methods: tuple[Method, ...] = option(
        ("lsq", "segmented", "bayes"), "Methods to compare; ivimnet is trained here, on signals of its own"
    )
    snr: tuple[float, ...] = option(
        (15.0, 20.0, 30.0, 50.0), "Each of these SNRs: S0 over the noise's standard deviation", range=(0.1, 1e6),
        label="SNR",
    )  # fmt: skip
    body_part: BodyPart = body_part_option()
    fit_s0: bool = fit_s0_option()
    prior: Prior = prior_option()
    preset: Preset = preset_option()
    training_voxels: int = option(
        100_000, "Simulated voxels that each network is trained on", range=(256, 20_000_000), label="Training voxels"
    )
    trainings: int = option(
        3, "Networks trained one after the other, each with another seed: how much they differ is the consistency",
        range=(1, 100),
    )  # fmt: skip
    members: int = members_option(5)
    epochs: int = option(
        0, "The most epochs of a training; 0 takes those of the preset", range=(0, 1_000_000), advanced=True
    )
    squares_size: int = option(
        100, "Voxels along each side of the nested squares whose maps are shown; 0 leaves them out", range=(0, 1000),
        advanced=True,
    )  # fmt: skip
    device: devices.Device = option("auto", "Where networks compute", advanced=True)


@dataclass(frozen=True)
class Evaluation(Result):
    """Scores of each method, and what pictures are made of.

    Attributes:
        errors: rows ``snr``, ``method``, ``parameter`` and the scores of ``scores.score``; of a network the mean over
            its trainings. The methods end with "lsq_clipped" and "constant", the two references.
        correlations: ``snr``, ``method``, ``first``, ``second``, ``rho``: |Spearman's rho| between estimates.
        consistency: ``snr``, ``method``, ``parameter``, ``cv``: over repeated trainings; no rows without.
        estimates: "true_<name>" and "<method>_snr<snr>_<name>" to (n,) float32; of a network its first training's.
        squares: "<name>_true" and "<name>_<method>" to maps of the nested squares; empty for other models than biexp.
        squares_errors: ``method`` and the columns of ``scores.evaluate_maps``, for each square: a mean over all voxels
            does not show what becomes of a small one.
        decay: ``voxel``, ``curve`` ("measured", "truth" or the method), ``b``, ``signal``: the first voxels.
    """

    errors: Table = field(default_factory=lambda: Table({}))
    correlations: Table = field(default_factory=lambda: Table({}))
    consistency: Table = field(default_factory=lambda: Table({}))
    estimates: dict[str, NDArray] = field(default_factory=dict)
    squares: dict[str, Volume] = field(default_factory=dict)
    squares_errors: Table = field(default_factory=lambda: Table({}))
    decay: Table = field(default_factory=lambda: Table({}))

    @property
    def times(self) -> Table:
        """``method``, ``seconds`` of fitting, ``voxels_per_second``, ``training_seconds`` (0 where none is needed)."""
        made = self.provenance
        rows = []
        for method in made.inputs["methods"]:
            voxels = made.options["n"] * len(made.options["snr"])
            voxels *= made.options["trainings"] if method == "ivimnet" else 1
            training = made.seconds.get(f"{method}, training", 0.0)
            seconds = made.seconds[method]
            rows.append({"method": method, "seconds": seconds, "voxels_per_second": voxels / seconds,
                         "training_seconds": training})  # fmt: skip
        return Table.from_rows(rows, {"seconds": "s", "training_seconds": "s"})
