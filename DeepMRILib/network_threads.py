"""How many threads a network's layers are divided among: in small layers they would only wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

FEW_PIXELS = 100_000
"""Of a batch. With fewer, one thread was as fast as two on idle cores, and many times as fast on busy ones."""


@contextmanager
def suited_threads(pixels: int) -> Iterator[None]:
    """One thread for batches of few pixels, as many as PyTorch has otherwise; then the sums of small ones do not depend
    on the computer either.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if pixels < FEW_PIXELS else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
