"""A mask in the files of other programs: NumPy, fastMRI's HDF5, BART."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import require
from DeepMRILib.igs.pattern import Kind, Pattern

HDF5_PURPOSE = "Writing a mask as HDF5"
BART_DIMENSIONS = 16
BART_CONTRAST = 5
"""BART's dimension of echoes, along which contrasts with masks of their own lie."""


@dataclass(frozen=True)
class Acquisition:
    """What is to be acquired of a pattern.

    Attributes:
        pattern: as it was searched.
        lines: how many of its lines, or points.
        kind: which of its patterns, said outright: igs, block or centre.
    """

    pattern: Pattern
    lines: int
    kind: Kind

    @classmethod
    def of(
        cls, pattern: Pattern, lines: int | None = None, acceleration: float | None = None, kind: Kind = "recommended"
    ) -> Acquisition:
        """Of so many lines, or of all; ``recommended`` becomes what was recommended.

        Raises:
            InputError: more lines than the pattern has, or a block that was not searched.
        """
        count = pattern.count(lines, acceleration)
        acquisition = cls(pattern, count, pattern.recommended(count) if kind == "recommended" else kind)
        acquisition.mask  # noqa: B018 - a kind that the pattern lacks is refused here
        return acquisition

    @property
    def mask(self) -> NDArray:
        """(N,) or (N1, N2) bool, or (contrasts, ...)."""
        return self.pattern.mask(self.lines, kind=self.kind)

    @property
    def masks(self) -> NDArray:
        """(contrasts or 1, *shape) bool."""
        return self.pattern.masks(self.lines, kind=self.kind)

    def about(self) -> dict[str, Any]:
        """What a reader of the file needs to know, as plain values."""
        encoding = self.pattern.encoding
        return {
            "lines": self.lines,
            "acceleration": encoding.size / self.lines,
            "kind": self.kind,
            "axes": list(encoding.axes),
            "dc": [n // 2 for n in encoding.shape],
            "fft": "centred, orthonormal",
            "made_by": "DeepMRI, KSpaceIGS",
        }


def write_npy(acquisition: Acquisition, path: Path) -> None:
    """The mask (N,), (N1, N2) or (contrasts, ...) as bool."""
    files.write_array(acquisition.mask, path)


def write_h5(acquisition: Acquisition, path: Path) -> None:
    """The mask as dataset ``mask``, as fastMRI's test files hold it: (N,) over the columns, 1 where acquired.

    Points are (N1, N2), contrasts come first. Attributes say which image axes these are, the index of DC and how many
    lines there are.

    Raises:
        DependencyError: h5py is not installed.
    """
    h5py = require("h5py", HDF5_PURPOSE)
    with h5py.File(path, "w") as stream:
        dataset = stream.create_dataset("mask", data=acquisition.mask.astype(np.uint8))
        for name, value in acquisition.about().items():
            stream.attrs[name] = dataset.attrs[name] = value


def write_bart(acquisition: Acquisition, path: Path) -> None:
    """The mask as ``path`` (.cfl) and the .hdr beside it, complex numbers 1 and 0, to multiply k-space with in BART.

    Dimensions: 0 readout, of size 1; 1 the lines, or of points those along the last image axis; 2 of points the
    others; 5 contrasts with masks of their own; all others 1.
    """
    masks = acquisition.masks
    dimensions = [1] * BART_DIMENSIONS
    for place, n in enumerate(reversed(acquisition.pattern.shape)):
        dimensions[1 + place] = n
    dimensions[BART_CONTRAST] = len(masks)
    said = f"# Dimensions\n{' '.join(map(str, dimensions))}\n# Creator\nDeepMRI\n"
    path.with_suffix(".hdr").write_text(said, encoding="ascii")
    # BART's first dimension varies fastest: that is our last axis, so the order in memory is the same
    path.write_bytes(np.ascontiguousarray(masks, dtype="<c8").tobytes())
