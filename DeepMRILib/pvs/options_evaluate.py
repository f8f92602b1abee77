"""The settings of a comparison with a reference."""

from __future__ import annotations

from dataclasses import dataclass

from DeepMRILib.options import option


@dataclass(frozen=True)
class EvaluateOptions:
    """How found spaces are compared with a reference."""

    threshold: float = option(0.5, "A voxel counts as found where its value is above this", range=(0.0, 1.0))
    min_size: float = option(0.0, "Leave out found clusters smaller than this", unit="mm3", range=(0.0, 1000.0))
