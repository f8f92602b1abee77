"""Batches at once, each on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Found = TypeVar("Found")


def mapped(function: Callable[[Item], Found], items: Sequence[Item], device: str) -> list[Found]:
    """``[function(item) for item in items]``; on a processor as many at once as PyTorch has threads.

    Layers of a small network are too short for several threads, which then mostly wait for each other: of two threads
    of PyTorch's on two cores that were in use, a pass took five times as long as with one. Whole batches need no
    waiting. A graphics card takes them one after the other.

    Args:
        function: of one batch; gradient and inference modes are those of its own thread, so it sets them itself.
        items: one for each batch.
        device: a resolved device.
    """
    threads = torch.get_num_threads()
    workers = min(threads, len(items)) if device == "cpu" else 1
    if workers < 2:
        return [function(item) for item in items]
    try:
        # new threads take over this number
        torch.set_num_threads(threads // workers)
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(threads)


def step_of(count: int, batch: int, device: str) -> int:
    """How many of ``count`` slices a batch holds: at most ``batch``, and on a processor so few that no thread idles."""
    if device != "cpu":
        return batch
    return max(1, min(batch, -(-count // torch.get_num_threads())))
