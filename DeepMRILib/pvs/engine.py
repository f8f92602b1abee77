"""What every way of finding perivascular spaces is given and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from numpy.typing import NDArray

from DeepMRILib.progress import Progress
from DeepMRILib.pvs.options import SegmentOptions

Modality = Literal["t1", "flair", "t2"]
BOX = (160, 214, 176)
"""Voxels of 1 mm along R, A and S of the box around the brain that all engines look at (SHIVA)."""


@dataclass(frozen=True, eq=False)
class Problem:
    """One brain in the box of 160 x 214 x 176 voxels of 1 mm, axes along R, A and S.

    Attributes:
        images: by modality (160, 214, 176) float32, finite, in the units of the file, 0 beyond the field of view.
            Either ``t1`` (with or without ``flair``, registered to it) or ``t2`` alone.
        brain: (160, 214, 176) bool.
        labels: (160, 214, 176) int32, FreeSurfer's or SynthSeg's label numbers, or None without a
            parcellation.
        affine: (4, 4) of the box, voxel index to RAS mm.
        options: all settings.
    """

    images: dict[Modality, NDArray]
    brain: NDArray
    labels: NDArray | None
    affine: NDArray
    options: SegmentOptions

    @property
    def main(self) -> Modality:
        """The image in which the spaces are looked for."""
        return "t1" if "t1" in self.images else "t2"


@dataclass(frozen=True, eq=False)
class Answer:
    """What an engine finds.

    Attributes:
        probability: (160, 214, 176) float32 from 0 to 1; what is above the threshold is a perivascular space.
        engine: the method and where it comes from, in words.
        notes: what a reader must know, one sentence each.
        device: where it was computed.
        weights_sha256: of the network's file, None where there is none.
    """

    probability: NDArray
    engine: str
    notes: tuple[str, ...] = ()
    device: str = "cpu"
    weights_sha256: str | None = None


class Engine(Protocol):
    """A way of finding perivascular spaces."""

    def __call__(self, problem: Problem, progress: Progress) -> Answer:
        """Look at a brain; ``progress`` runs from 0 to 1 and may raise ``Cancelled``."""
        ...
