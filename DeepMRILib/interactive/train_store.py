"""Prepared cases on disk: made once, read again in each epoch, and by a training that goes on."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.prepare import Prepared
from DeepMRILib.interactive.prepare_grid import Geometry
from DeepMRILib.progress import Progress
from DeepMRILib.writing import replacing

INDEX = "cases.json"
FORMAT = 1


class CaseStore:
    """Prepared cases in a folder, numbered.

    Args:
        folder: there, and ours alone.
        signature: what the cases are made from; of another one they are made anew.
    """

    def __init__(self, folder: Path, signature: str) -> None:
        self.folder = folder
        self.signature = signature
        self.geometries: list[Geometry] = []
        self.digest = ""

    def fill(self, count: int, make: Callable[[int], Prepared], progress: Progress) -> None:
        """Have ``count`` cases: those that are there, or else made one after the other.

        Raises:
            InputError: whatever ``make`` raises.
            OutputError: no space or no right to write.
        """
        if self._read(count):
            return
        self.geometries, digests = [], []
        for n in range(count):
            progress(n / count, f"Preparing case {n + 1} of {count}")
            ready = make(n)
            if ready.target is None or not ready.target.any():
                raise InputError(f"Case {n + 1} has nothing to learn from: no label around its points.")
            digests.append(self._write(n, ready))
            self.geometries.append(ready.geometry)
        self.digest = _sha256(json.dumps(digests))
        index = {
            "format": FORMAT,
            "signature": self.signature,
            "digests": digests,
            "geometries": [geometry.to_json() for geometry in self.geometries],
        }
        with replacing(self.folder / INDEX) as (partial,):
            partial.write_text(json.dumps(index), encoding="utf-8")

    def _read(self, count: int) -> bool:
        """Whether an earlier run has left the very same cases."""
        try:
            index = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))
            same = index["format"] == FORMAT and index["signature"] == self.signature
            if not same or len(index["digests"]) != count:
                return False
            if any(self._digest(n) != digest for n, digest in enumerate(index["digests"])):
                return False
            self.geometries = [Geometry.from_json(entry) for entry in index["geometries"]]
        except (OSError, ValueError, LookupError, TypeError):
            return False
        self.digest = _sha256(json.dumps(index["digests"]))
        return True

    def _paths(self, n: int) -> tuple[Path, Path]:
        return self.folder / f"case{n:04d}_input.npy", self.folder / f"case{n:04d}_target.npy"

    def _write(self, n: int, ready: Prepared) -> str:
        for path, array in zip(self._paths(n), (ready.input.astype(np.float32), ready.target), strict=True):
            content = io.BytesIO()  # numpy's own writing to files does not say why it fails
            np.save(content, array, allow_pickle=False)
            with replacing(path) as (partial,):
                partial.write_bytes(content.getbuffer())
        return self._digest(n)

    def _digest(self, n: int) -> str:
        return "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in self._paths(n))

    def read(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Input (c, a, b, c) float32 and target (a, b, c) uint8 of case n."""
        values, target = (np.load(path, allow_pickle=False) for path in self._paths(n))
        return values, target

    def chosen(self, numbers: Sequence[int]) -> Dataset:
        """The cases of these numbers as training data: tensors of input and target."""
        return _Chosen(self, numbers)

    @property
    def largest(self) -> int:
        """Voxels of the largest input."""
        return max(int(np.prod(geometry.shape)) for geometry in self.geometries)


class _Chosen(Dataset):
    def __init__(self, store: CaseStore, numbers: Sequence[int]) -> None:
        self.store, self.numbers = store, list(numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        values, target = self.store.read(self.numbers[index])
        return torch.from_numpy(values), torch.from_numpy(target)


def signature(*parts: Any) -> str:
    """A digest of plain values."""
    return _sha256(json.dumps(parts, sort_keys=True, default=str))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
