"""What every fit of all voxels keeps to while its threads run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled
from DeepMRILib.progress import Progress


def assert_cancel_stops_all_threads_soon(fit: Callable[[Progress], object]) -> None:
    """Within two seconds, and no thread goes on."""
    asked = []

    def cancel(fraction: float, message: str) -> None:
        if fraction > 0:
            asked.append(time.perf_counter())
            raise Cancelled

    with pytest.raises(Cancelled):
        fit(cancel)
    assert time.perf_counter() - asked[0] < 2.0
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ivim")]


def assert_progress_rises_to_one_in_the_calling_thread(fit: Callable[[Progress], object], message: str) -> None:
    """From 0 to 1, with one message."""
    told = []
    fit(lambda fraction, message: told.append((fraction, message, threading.get_ident())))
    fractions, messages, threads = zip(*told, strict=True)
    assert set(threads) == {threading.get_ident()}
    assert set(messages) == {message}
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert all(np.diff(fractions) >= 0)
