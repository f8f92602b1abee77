"""Series that are read when their turn comes: a study may be larger than the memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.volume import DiffusionVolume


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """A diffusion series on disk.

    Attributes:
        path: a file, or a folder with a DICOM series.
        b_values: a file or (n,) numbers in s/mm2; by default those beside the image or in its header.
        series: of several DICOM series in the folder, the one meant.
    """

    path: Path
    b_values: Path | NDArray | None = None
    series: str | None = None

    def read(self) -> DiffusionVolume:
        """The series; raises as ``files.read_diffusion``."""
        return files.read_diffusion(self.path, self.b_values, series=self.series)
