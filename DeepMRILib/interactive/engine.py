"""What every way of segmenting is given and gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from numpy.typing import NDArray

from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.progress import Progress


@dataclass(frozen=True, eq=False)
class Problem:
    """A part of an image around the points, and what the user said about it.

    Attributes:
        image: (i, j, k, c) float32, finite, as in the file; c images of the same place.
        affine: (4, 4) of this part, voxel index to RAS mm.
        spacing: voxel edges in mm along i, j and k.
        points: of each label (n, 3) continuous voxel indices in this part, at least six, all inside.
        negative: (m, 3) continuous voxel indices where no label is, all inside.
        prior: (i, j, k) whole numbers, an earlier segmentation (0 none, 1 the first label, ...), or None.
        options: all settings.
    """

    image: NDArray
    affine: NDArray
    spacing: tuple[float, float, float]
    points: tuple[NDArray, ...]
    negative: NDArray
    prior: NDArray | None
    options: SegmentOptions

    @property
    def shape(self) -> tuple[int, int, int]:
        """The number of voxels along i, j and k."""
        return self.image.shape[:3]


@dataclass(frozen=True, eq=False)
class Answer:
    """What an engine finds.

    Attributes:
        membership: (labels + 1, i, j, k) float32 from 0 to 1, the background first; they add up to 1. A voxel belongs
            to the label with the highest.
        engine: the method and where it comes from, in words.
        notes: what a reader must know, one sentence each.
        device: where it was computed.
        weights_sha256: of the network's file, None where there is none.
    """

    membership: NDArray
    engine: str
    notes: tuple[str, ...] = ()
    device: str = "cpu"
    weights_sha256: str | None = None


class Engine(Protocol):
    """A way of segmenting."""

    def __call__(self, problem: Problem, progress: Progress) -> Answer:
        """Segment; ``progress`` runs from 0 to 1 and may raise ``Cancelled``."""
        ...
