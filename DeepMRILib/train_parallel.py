"""Training in several processes at once: who we are among them, and what all must know before the next step."""

from __future__ import annotations

import atexit
import gc
import inspect
import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist

from DeepMRILib.errors import InputError


@dataclass(frozen=True)
class Ranks:
    """This process among those of a training.

    Attributes:
        device: where this process computes; its own card on CUDA.
        rank: its number, from 0; process 0 writes and reports.
        size: how many there are.
    """

    device: str
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def share(self, *values: float) -> list[float]:
        """Each value's sum over all processes: the same bits in each, since all add in the order of the ranks."""
        if self.size == 1:
            return list(values)
        mine = torch.tensor(values, dtype=torch.float64, device=self.device)
        everyone = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(everyone, mine)
        return torch.stack(everyone).sum(dim=0).tolist()

    def copy_from_first(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give all processes the first one's values, in place."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def together(self, objective: torch.nn.Module) -> torch.nn.Module:
        """The module whose gradients are averaged over all processes."""
        if self.size == 1:
            return objective
        # Buffers (running means) are copied once an epoch instead of in each step: they matter in evaluation only.
        kind = torch.nn.parallel.DistributedDataParallel
        known = inspect.signature(kind).parameters
        name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # until PyTorch 2.12
        return kind(objective, **{name: False})


def join(device: str) -> Ranks:
    """Join the other processes if ``torchrun`` started several, else be alone.

    Args:
        device: ``"cpu"`` (gloo), ``"cuda"`` (NCCL, one card per process) or, alone, ``"mps"``.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Ranks(device)
    if device == "mps":
        raise InputError("Apple's graphics processor cannot train in several processes. Start one, or choose cpu.")
    if device == "cuda":
        device = f"cuda:{_own_card()}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        # Left only at the end: a second joining of the same processes would meet the addresses of the first.
        dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        atexit.register(_leave)
    return Ranks(device, dist.get_rank(), dist.get_world_size())


def _leave() -> None:
    """Stop the group's threads before Python ends: one that still runs then aborts the process."""
    if dist.is_initialized():
        gc.collect()  # models in several processes refer to the group in circles
        dist.destroy_process_group()
        gc.collect()


def _own_card() -> int:
    number, there = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= there:
        raise InputError(
            f"Process {number + 1} of this computer finds no graphics card of its own: there are {there}. "
            "Start as many processes as there are cards."
        )
    return number
