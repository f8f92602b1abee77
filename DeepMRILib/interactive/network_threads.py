"""How many processor threads a network computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

FEW_VOXELS = 60_000
"""Below, a pass is so short that threads mostly wait for each other: on two cores that others used, too, a training
step on 24^3 voxels took 0.07 s with one thread and 2 s with two."""


@contextmanager
def threads_for(voxels: int, count: int = 0) -> Iterator[None]:
    """So many threads for PyTorch meanwhile; with 0 one for inputs of few voxels, else as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or (1 if voxels < FEW_VOXELS else before))
    try:
        yield
    finally:
        torch.set_num_threads(before)
