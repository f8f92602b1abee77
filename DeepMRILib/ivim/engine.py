"""What every way of fitting is given and gives back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from numpy.typing import NDArray

from DeepMRILib.ivim.bounds import BODY_PARTS, AnyBounds, BodyPart, Bounds, TypicalValues
from DeepMRILib.ivim.models import MODELS, SignalModel
from DeepMRILib.ivim.options import FitOptions, check_method
from DeepMRILib.ivim.prepare import Signals
from DeepMRILib.progress import Progress
from DeepMRILib.tables import Table

CUSTOM = BodyPart(Bounds(), TypicalValues())
"""Where a user gives all bounds: the general ones where one is missing."""


@dataclass(frozen=True)
class Problem:
    """What is fitted.

    Attributes:
        model: the signal equation.
        bounds: of its parameters; S0 relative to the mean signal at the lowest b-value.
        part: what else is known of the body part.
        options: all settings.
    """

    model: SignalModel
    bounds: AnyBounds
    part: BodyPart
    options: FitOptions

    @classmethod
    def of(cls, options: FitOptions) -> Problem:
        """The problem that checked options state.

        Raises:
            InputError: the method does not fit the model, or bounds that cannot be.
        """
        check_method(options.method, options.model)
        model = MODELS[options.model]
        part = BODY_PARTS.get(options.body_part, CUSTOM)
        given = {name: getattr(options, f"{name}_bounds") for name in model.parameters}
        bounds = replace(part.bounds_of(model.name), **{name: interval for name, interval in given.items() if interval})
        return cls(model, bounds, part, options)


@dataclass(frozen=True)
class Estimates:
    """What an engine finds, one value for each voxel (n,).

    Attributes:
        values: the model's parameters by name: rates in mm2/s, S0 in the image's units. NaN where a voxel was unusable.
        sd: their standard deviations; NaN where the signal says nothing of the parameter.
        engine: the method and where it comes from, in words.
        notes: what a reader must know, one sentence each.
        seed: None where nothing is random.
        device: where it was computed.
        weights_sha256: of the network's file, where one was applied.
        training: the loss curve of a network trained here, else None.
    """

    values: dict[str, NDArray]
    sd: dict[str, NDArray]
    engine: str
    notes: tuple[str, ...] = ()
    seed: int | None = None
    device: str = "cpu"
    weights_sha256: str | None = None
    training: Table | None = None


class Engine(Protocol):
    """A way of fitting."""

    def __call__(self, signals: Signals, problem: Problem, progress: Progress) -> Estimates:
        """Fit all voxels; ``progress`` runs from 0 to 1 and may raise ``Cancelled``."""
        ...
