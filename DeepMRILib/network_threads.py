"""How many threads a network's layers are divided among: in small layers they would only wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch

FEW_VOXELS = 60_000
"""Of one input of a network for volumes. Below, a pass is so short that threads mostly wait for each other: on two
cores that others used, too, a training step on 24^3 voxels took 0.07 s with one thread and 2 s with two."""


@contextmanager
def suited_threads(points: int, *, few: int, count: int = 0) -> Iterator[None]:
    """One thread for PyTorch meanwhile, if the input has few points, else as many as before.

    With one, the sums of small batches do not depend on the computer either.

    Args:
        points: pixels or voxels of what the network takes at once.
        few: that many points are enough for several threads.
        count: so many threads, however many points; 0 leaves it to them.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or (1 if points < few else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """One thread for PyTorch meanwhile: for networks whose every step is small, whatever they take."""
    return suited_threads(0, few=1)
