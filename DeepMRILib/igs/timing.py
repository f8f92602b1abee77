"""How long a pattern takes to acquire, and which lines share an echo train."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError


def repetitions(lines: int, echo_train: int = 1, averages: int = 1, dummies: int = 0) -> int:
    """How often a sequence repeats: ceil(lines / echo train) times averages, after dummies without a signal.

    Raises:
        InputError: fewer than one line, echo or average, or fewer than no dummies.
    """
    if min(lines, echo_train, averages) < 1 or dummies < 0:
        raise InputError(
            f"{lines} lines, {echo_train} echoes in a train, {averages} averages and {dummies} dummies were given; the "
            "first three are at least 1, the last at least 0."
        )
    return math.ceil(lines / echo_train) * averages + dummies


def scan_seconds(lines: int, tr_ms: float, echo_train: int = 1, averages: int = 1, dummies: int = 0) -> float:
    """The scan time in seconds of one slice, or of a slab of points: repetitions times TR.

    Args:
        lines: that are acquired, or points.
        tr_ms: repetition time in ms.
        echo_train: lines after each excitation: 1 of a gradient echo, several of turbo spin echo or EPI.
        averages: how often each line is acquired.
        dummies: repetitions at the start without a signal.

    Example:
        >>> scan_seconds(32, 500.0), scan_seconds(32, 3000.0, echo_train=16, averages=2)
        (16.0, 12.0)
    """
    if not tr_ms > 0:
        raise InputError(f"TR is {tr_ms:g} ms; it must be above 0.")
    return repetitions(lines, echo_train, averages, dummies) * tr_ms / 1000


def echo_trains(offsets: ArrayLike, echo_train: int, effective_echo: int = 1) -> NDArray:
    """(trains, echo_train) which line each echo of each train acquires, -1 where a train has none left.

    Lines are taken by their offset from DC in as many stretches as there are echoes. Each echo acquires one stretch,
    one line in each train, and the stretch with DC comes at the effective echo, which gives the image its contrast;
    the others follow around, so that neighbouring stretches have neighbouring echo times but for one step.

    Args:
        offsets: (n,) of the lines from DC, or (n, 2) of points, of which the first is used, and then the second.
        echo_train: echoes of a train.
        effective_echo: the echo, counted from 1, that acquires DC.

    Returns:
        row numbers of ``offsets``.

    Raises:
        InputError: an effective echo that the train does not have, or no line at DC.

    Example:
        >>> echo_trains([-2, -1, 0, 1], 2).tolist()
        [[2, 0], [3, 1]]
    """
    places = np.asarray(offsets).reshape(len(np.asarray(offsets)), -1)
    if echo_train < 1 or not 1 <= effective_echo <= echo_train:
        raise InputError(f"Echo {effective_echo} was to acquire DC, and a train has {echo_train}. Choose 1 to that.")
    at_dc = np.flatnonzero(~places.any(axis=1))
    if not len(at_dc):
        raise InputError("No line lies at DC: no echo can be the effective one.")
    order = np.lexsort(places.T[::-1])
    trains = math.ceil(len(order) / echo_train)
    padded = np.full(trains * echo_train, -1)
    padded[: len(order)] = order
    stretches = padded.reshape(echo_train, trains)
    with_dc = int(np.flatnonzero((stretches == at_dc[0]).any(axis=1))[0])
    return np.roll(stretches, effective_echo - 1 - with_dc, axis=0).T


def trains_table(offsets: Sequence[Sequence[int]], lines: Sequence[Sequence[int]], trains: NDArray) -> dict[str, list]:
    """Columns of a table of ``echo_trains``: ``train`` and ``echo`` from 1, ``line`` (and ``line_2``), ``offset``."""
    rows = [(train, echo, row) for (train, echo), row in np.ndenumerate(trains) if row >= 0]
    columns: dict[str, list] = {
        "train": [train + 1 for train, _, _ in rows],
        "echo": [echo + 1 for _, echo, _ in rows],
    }
    for axis in range(len(lines[0])):
        columns["line" if axis == 0 else f"line_{axis + 1}"] = [int(lines[row][axis]) for _, _, row in rows]
    for axis in range(len(lines[0])):
        columns["offset" if axis == 0 else f"offset_{axis + 1}"] = [int(offsets[row][axis]) for _, _, row in rows]
    return columns
