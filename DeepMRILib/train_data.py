"""How training data become batches: which samples, in which order, in which process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, get_worker_info

from DeepMRILib.errors import InputError

_Array = (np.ndarray, torch.Tensor)
# Our arrays' numbers in the precision that networks compute in.
_PRECISION = {"f": np.dtype(np.float32), "c": np.dtype(np.complex64)}


class Rows(Dataset):
    """Arrays of the same n as a dataset of n samples; a whole batch is read in one go, from disk if need be."""

    def __init__(self, arrays: tuple[Any, ...], *, single: bool) -> None:
        self.arrays, self.single = arrays, single

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, index: int) -> Any:
        rows = self.__getitems__([index])
        return rows[0] if self.single else tuple(part[0] for part in rows)

    def __getitems__(self, indices: list[int]) -> Any:
        """A batch: (len(indices), ...) of each array."""
        rows = tuple(_rows(array, indices) for array in self.arrays)
        return rows[0] if self.single else rows


def _rows(array: NDArray | torch.Tensor, indices: list[int]) -> torch.Tensor:
    if isinstance(array, torch.Tensor):
        rows = array[indices]
        return rows.float() if rows.dtype in (torch.float64, torch.float16) else rows
    rows = array[indices]
    kind = _PRECISION.get(rows.dtype.kind, rows.dtype.newbyteorder("="))
    return torch.from_numpy(np.ascontiguousarray(rows, dtype=kind))


def as_dataset(data: Any, role: str) -> Any:
    """The data as a map-style dataset with at least one sample.

    Args:
        data: an array, a tuple of arrays, or a map-style dataset.
        role: what they are for, e.g. ``"training"``; stands in the error.

    Raises:
        InputError: none of these, arrays of different lengths, or no samples.
    """
    if isinstance(data, _Array):
        data = Rows((data,), single=True)
    elif isinstance(data, tuple) and data and all(isinstance(part, _Array) for part in data):
        lengths = [len(part) for part in data]
        if len(set(lengths)) > 1:
            raise InputError(f"The {role} data are arrays of {lengths} samples; each needs the same number.")
        data = Rows(data, single=False)
    elif not (hasattr(data, "__len__") and hasattr(data, "__getitem__")):
        raise InputError(
            f"The {role} data are a {type(data).__name__}; expected an array, a tuple of arrays, or a dataset with "
            "a length and numbered samples."
        )
    if len(data) == 0:
        raise InputError(f"The {role} data are empty. Give at least one sample.")
    return data


def epoch_order(n: int, wanted: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """The numbers of an epoch's samples in their order: all n, or ``wanted`` of them when that is fewer.

    They depend on nothing but the arguments, so that a resumed training sees what it would have seen, and several
    processes agree without a word.

    Example:
        >>> sorted(epoch_order(4, 0, seed=1, epoch=3).tolist())
        [0, 1, 2, 3]
    """
    random = np.random.default_rng([seed, epoch, 0])
    if 0 < wanted < n:
        return random.choice(n, size=wanted, replace=False)
    return random.permutation(n)


def epoch_seed(seed: int, epoch: int, rank: int) -> int:
    """The seed of everything else that is random in an epoch, another one in each process."""
    return int(np.random.SeedSequence([seed, epoch, rank + 1]).generate_state(1)[0])


@dataclass(frozen=True, eq=False)
class Batches:
    """One process's part of an epoch's batches; gives lists of sample numbers.

    Attributes:
        order: (n,) the samples of all processes.
        batch_size: of all processes together.
        drop_last: leave out the last batch when it is not full, unless it is the only one.
    """

    order: NDArray[np.int64]
    batch_size: int
    drop_last: bool = False
    rank: int = 0
    size: int = 1

    def __len__(self) -> int:
        full, rest = divmod(len(self.order), self.batch_size)
        return full if full and (self.drop_last or not rest) else full + 1

    def __iter__(self) -> Iterator[list[int]]:
        for number in range(len(self)):
            whole = self._whole(number)
            # All processes must make each step together: one without a sample takes the first, without weight.
            mine = whole[self.rank :: self.size]
            yield (mine if len(mine) else whole[:1]).tolist()

    def counts(self, number: int) -> tuple[int, int]:
        """How many samples batch ``number`` has here, and in all processes together."""
        whole = self._whole(number)
        return len(whole[self.rank :: self.size]), len(whole)

    def _whole(self, number: int) -> NDArray[np.int64]:
        return self.order[number * self.batch_size : (number + 1) * self.batch_size]


def loader(
    dataset: Any,
    batches: Batches,
    *,
    seed: int,
    workers: int,
    pinned: bool,
    collate: Callable[[list], Any] | None,
) -> DataLoader:
    """Batches of a dataset, its random transforms seeded, whether they run here or in worker processes."""
    if not workers:
        seed_transforms(dataset, seed)
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_as_it_is if isinstance(dataset, Rows) else collate,
        generator=torch.Generator().manual_seed(seed),  # the workers' Python, numpy and PyTorch seeds come from it
        worker_init_fn=partial(_seed_worker, seed) if workers else None,
        pin_memory=pinned,
    )


def seed_transforms(dataset: Any, seed: int) -> None:
    """Seed a dataset, and its ``transform``, that keep random numbers of their own in MONAI's manner."""
    for owner in (dataset, getattr(dataset, "transform", None)):
        if hasattr(owner, "set_random_state"):
            owner.set_random_state(seed=seed)


def _seed_worker(seed: int, number: int) -> None:
    seed_transforms(get_worker_info().dataset, (seed + number + 1) % 2**32)


def _as_it_is(batch: Any) -> Any:
    return batch


def to_device(batch: Any, device: str) -> Any:
    """A batch with all tensors in it, at any depth of tuples, lists and dictionaries, on a device."""
    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*(to_device(value, device) for value in batch))
    if isinstance(batch, (list, tuple)):
        return type(batch)(to_device(value, device) for value in batch)
    return batch
