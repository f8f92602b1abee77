"""Series divided by patient, so that no patient is on both sides; and a few slices chosen of each series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError


def divided(patients: NDArray, fractions: Sequence[float], seed: int) -> list[NDArray]:
    """Slices of the first part, the second, ... and of the rest (each a mask (n,)), by patient.

    Args:
        patients: (n,) of each slice.
        fractions: of the patients, for all parts but the last, the rest; each part has at least one patient.
        seed: of the drawing.

    Raises:
        InputError: fewer patients than parts.

    Example:
        >>> [part.sum().item() for part in divided(np.array(list("aabbccdd")), (0.25, 0.25), 0)]
        [2, 2, 4]
    """
    names = sorted(set(patients.tolist()))
    if len(names) <= len(fractions):
        raise InputError(
            f"There are series of {len(names)} patients, and they are divided into {len(fractions) + 1} parts by "
            "patient: for training, for choosing and for calibration. Give series of more patients."
        )
    counts = [max(1, round(fraction * len(names))) for fraction in fractions]
    while sum(counts) >= len(names):
        counts[int(np.argmax(counts))] -= 1
    order = np.random.default_rng([seed, 5]).permutation(len(names))
    parts, start = [], 0
    for count in [*counts, len(names)]:
        chosen = {names[number] for number in order[start : start + count]}
        parts.append(np.array([one in chosen for one in patients]))
        start += count
    return parts


def spread_slices(series: NDArray, count: int) -> NDArray:
    """Numbers of at most ``count`` slices of each series, spread over its middle; all with 0.

    Example:
        >>> spread_slices(np.array(["a"] * 9), 3).tolist()
        [1, 4, 7]
    """
    kept = []
    for name in dict.fromkeys(series.tolist()):
        rows = np.flatnonzero(series == name)
        if count and len(rows) > count:
            rows = rows[((np.arange(count) + 0.5) * len(rows) / count).astype(int)]
        kept.append(rows)
    return np.concatenate(kept)
