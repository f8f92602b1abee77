"""What the commands of the chapter on lesions left, read back for the page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from DeepMRILib import files
from DeepMRILib.interactive.baselines import baseline
from DeepMRILib.volume import Volume

KINDS = {
    "hetero": "dark and bright parts inside",
    "adjacent": "an organ as bright as the lesion touches it",
    "aniso": "slices of 4.5 mm",
    "hard": "uneven surface, and parts of the background as bright as the lesion",
}
"""The kinds of lesions that are shown, and what makes each hard."""
ENGINES = {
    "ellipsoid": "ellipsoid through the points",
    "geodesic": "geodesic",
    "graphcut": "graph cut",
    "network": "network",
}
"""What is compared, by the last word of a folder's name; the first needs no image."""
DISPLACED, CORRECTED, CLICK, DATASET = "displaced", "corrected", "click.csv", "Task500_Phantoms"


@dataclass(frozen=True, eq=False)
class Lesion:
    """A generated lesion, its points, and what was found from them.

    Attributes:
        image: (i, j, k).
        truth: (i, j, k) bool.
        points: (n, 3) in RAS mm.
        negative: (m, 3) in RAS mm.
        folders: the result of each engine.
    """

    image: Volume
    truth: NDArray
    points: NDArray
    negative: NDArray
    folders: dict[str, Path]

    @classmethod
    def read(cls, folder: Path, kind: str, name: str = "") -> Lesion:
        """A lesion of the chapter: of its kind, or by the name of another run on it."""
        points = folder / (DISPLACED if name == DISPLACED else kind) / "points.csv"
        return cls(
            image=files.read_volume(folder / kind / "image.nii.gz"),
            truth=files.read_labels(folder / kind / "label.nii.gz").array > 0,
            points=files.read_points(points),
            negative=files.read_points(folder / CLICK) if name == CORRECTED else np.zeros((0, 3)),
            folders={engine: place for engine in ENGINES if (place := folder / f"{name or kind}_{engine}").is_dir()},
        )

    @property
    def methods(self) -> list[str]:
        """What is compared here."""
        return ["ellipsoid", *self.folders]

    def found(self, method: str) -> NDArray:
        """(i, j, k) bool, what a method found."""
        if method == "ellipsoid":
            return baseline("ellipsoid", [self.image], [self.points]).whole > 0
        return files.read_labels(self.folders[method] / "mask.nii.gz").array > 0

    def confidence(self, method: str) -> Volume:
        """(i, j, k) how far the winner leads; 0 outside the part that was looked at."""
        return files.read_volume(self.folders[method] / "confidence.nii.gz")

    def looked_at(self, method: str) -> NDArray:
        """(i, j, k) bool, the part around the points."""
        return np.asarray(self.confidence(method).array) > 0


def deepest_excess(folder: Path) -> tuple[str, NDArray]:
    """Where a user would click who sees the geodesic engine go too far.

    Returns:
        the kind of the lesion in which what is too much is deepest, empty where nothing is too much, and the deepest
        place (3,) in RAS mm.
    """
    depth, found = 0.0, ("", np.zeros(3))
    for kind in KINDS:
        lesion = Lesion.read(folder, kind)
        deep = distance_transform_edt(lesion.found("geodesic") & ~lesion.truth, sampling=lesion.image.spacing)
        if deep.max() > depth:
            depth = float(deep.max())
            found = kind, lesion.image.ras_from_voxel(np.argwhere(deep == depth)[:1])[0]
    return found
