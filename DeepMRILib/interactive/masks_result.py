"""Results with a mask for each case, written whole one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from DeepMRILib import files
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.results import Result


@dataclass(frozen=True)
class MasksResult(Result):
    """Base of results with masks; each becomes ``mask_<case>.nii.gz`` on the grid of the case's first image.

    Attributes:
        masks: of each case, by its name.
    """

    masks: dict[str, PlacedMask] = field(default_factory=dict)

    def write_files(self, folder: Path) -> None:
        """The masks, and the files of any result."""
        for name, mask in self.masks.items():
            files.write_labels(mask.volume, folder / f"mask_{name}.nii.gz")
        super(MasksResult, replace(self, masks=None)).write_files(folder)
