"""Six points just inside a lesion's margin: what must hold of them, and what they are called."""

from __future__ import annotations

from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.volume import Volume

FEWEST = 6


def check_points(points: NDArray, volume: Volume, *, name: str = "") -> None:
    """Refuse points (n, 3) in RAS mm that no lesion can be segmented from."""
    if len(points) < FEWEST:
        raise InputError(f"{len(points)} points{f' of {name}' if name else ''}; expected at least {FEWEST}.")
