"""What the commands of the IVIM chapter left, read back for the page."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.results import RESULT_FILE
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

COMPARED = ("D", "f", "D_star")
METHODS = ("lsq", "segmented", "bayes", "ivimnet")
ORGANS = (
    "liver",
    "spleen",
    "kidney cortex",
    "kidney medulla",
    "pancreas",
    "muscle",
    "stomach wall",
    "liver metastasis",
)


class Material:
    """What the commands left: series, truth, organs, and the maps of each method.

    Args:
        output: the folder of the chapter.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.methods = [method for method in METHODS if (output / method).is_dir()]
        self.series: DiffusionVolume = files.read_diffusion(output / "phantom" / "dwi.nii.gz")
        self.truth = {name: self.volume("phantom", f"{name}_true") for name in (*COMPARED, "S0")}
        self.maps = {method: {name: self.volume(method, name) for name in self._names()} for method in self.methods}
        fitted = [np.asarray(self.volume(method, "fitted")) > 0 for method in self.methods]
        labels = files.read_labels(output / "phantom" / "labels.nii.gz")
        studied = [label for label, region in labels.names.items() if region in ORGANS]
        inside = np.isin(labels.array, studied) & np.all(fitted, axis=0)
        self.organs = LabelVolume(np.where(inside, labels.array, 0), labels.affine, labels.names)
        self.inside = inside

    @staticmethod
    def _names() -> list[str]:
        return [name for parameter in (*COMPARED, "S0") for name in (parameter, f"{parameter}_sd")]

    def volume(self, folder: str, name: str) -> Volume:
        """A map that a command wrote."""
        return files.read_volume(self.output / folder / f"{name}.nii.gz")

    def provenance(self, folder: str) -> dict[str, Any]:
        """How a result was made."""
        return json.loads((self.output / folder / RESULT_FILE).read_text(encoding="utf-8"))["provenance"]

    def place(self, region: str) -> NDArray:
        """The voxels of an organ (i, j, k), none where it is not there."""
        numbers = [label for label, name in self.organs.names.items() if name == region]
        return np.isin(self.organs.array, numbers)

    def rows(self, folder: str, table: str) -> list[dict[str, str]]:
        """The rows of a table."""
        with (self.output / folder / table).open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
