"""Where a computation runs, how much memory is free there, and what is said when that is not enough."""

from __future__ import annotations

import ctypes
import importlib.util
import random
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from DeepMRILib.errors import DeviceMemoryError, InputError, require

Device = Literal["auto", "cuda", "mps", "cpu"]
"""What a user may choose; ``resolve`` turns it into a device that is there."""

_IN_WORDS = {"cpu": "this computer", "cuda": "the graphics card", "mps": "the graphics processor"}

# How PyTorch, CUDA's libraries and Metal say in a plain RuntimeError that memory has run out.
_OUT_OF_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|Cannot allocate memory|Invalid buffer size|"
    r"CU(DNN|BLAS|SOLVER|SPARSE|FFT)_(STATUS_)?ALLOC_FAILED",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"(?:tried to allocate|unable to allocate|buffer size:?)\s+([\d.]+)\s*([KMGTPE]i?B|bytes|B)\b", re.I
)
_FACTORS = {letter: 1024**power for power, letter in enumerate("BKMGTPE")}


def resolve(name: str) -> str:
    """The device that a choice stands for: ``"cuda"``, ``"mps"`` or ``"cpu"``.

    ``"auto"`` takes the first of cuda, mps and cpu that is there; it and ``"cpu"`` work without PyTorch.

    Raises:
        InputError: the name is none of the choices, or that device was asked for and is not there.
        DependencyError: cuda or mps was asked for and PyTorch is not installed.

    Example:
        >>> resolve("cpu")
        'cpu'
    """
    if name == "cpu":
        return "cpu"
    if name == "auto":
        if importlib.util.find_spec("torch") is None:
            return "cpu"
        return next((kind for kind in ("cuda", "mps") if _is_there(kind)), "cpu")
    if name not in ("cuda", "mps"):
        raise InputError(f"The device {name!r} is not known; choose auto, cuda, mps or cpu.")
    torch = require("torch", f"Computing on the device {name}")
    if _is_there(name):
        return name
    raise InputError(_absent(name, torch))


def _is_there(kind: str) -> bool:
    import torch

    return torch.cuda.is_available() if kind == "cuda" else torch.backends.mps.is_available()


def _absent(name: str, torch: Any) -> str:
    if name == "mps":
        return "The device mps was asked for, but there is no Apple graphics processor here. Choose auto or cpu."
    if torch.version.cuda is None:
        return (
            "The device cuda was asked for, but the installed PyTorch is one without CUDA. "
            "Choose auto or cpu, or install PyTorch with CUDA."
        )
    return (
        "The device cuda was asked for, but no NVIDIA graphics card answers. "
        "Choose auto or cpu, or check the card and its driver."
    )


def free_memory(device: str) -> int | None:
    """Bytes that can still be allocated on a resolved device (``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``).

    On CUDA that counts what PyTorch has cached and can use again; on a CPU under Linux a container's limit holds.
    None where the system does not say.
    """
    if device.startswith("cuda"):
        import torch

        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    if device == "mps":
        import torch

        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return _free_main_memory()


def _free_main_memory() -> int | None:
    if sys.platform == "linux":
        known = [free for free in (_meminfo_available(), _container_available()) if free is not None]
        return min(known, default=None)
    if sys.platform == "win32":
        return _windows_available()
    try:
        # macOS tells its free memory only through private calls; psutil knows them.
        import psutil
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def _meminfo_available(path: Path = Path("/proc/meminfo")) -> int | None:
    if not path.exists():
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _container_available(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a version 2 control group (Docker, Slurm) leaves: its limit less what is used and cannot be dropped."""
    limit, used, details = (folder / name for name in ("memory.max", "memory.current", "memory.stat"))
    if not (limit.exists() and used.exists() and details.exists()) or limit.read_text().strip() == "max":
        return None
    droppable = re.search(r"^inactive_file (\d+)", details.read_text(), re.MULTILINE)
    return max(0, int(limit.read_text()) - int(used.read_text()) + (int(droppable[1]) if droppable else 0))


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("load", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("total", "available", "total_page", "available_page")),
        *((name, ctypes.c_uint64) for name in ("total_virtual", "available_virtual", "extended")),
    )


def _windows_available() -> int | None:
    status = _MemoryStatus(size=ctypes.sizeof(_MemoryStatus))
    answered = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return int(status.available) if answered else None


def needs(device: str, required: int, what: str, advice: str = "") -> None:
    """Say before a computation starts that it cannot fit, rather than after minutes of it.

    Args:
        device: a resolved device.
        required: bytes that it will take at its peak.
        what: the computation, as the start of a sentence: ``"The Bayesian fit of 200000 voxels"``.
        advice: what the user can do, as a sentence.

    Raises:
        DeviceMemoryError: fewer bytes are known to be free.
    """
    free = free_memory(device)
    if free is not None and required > free:
        raise DeviceMemoryError(_sentence(device, what, advice, required, free, more=False))


@contextmanager
def out_of_memory_as_error(device: str, what: str, advice: str) -> Iterator[None]:
    """Turn every way of running out of memory (numpy, PyTorch on CPU, CUDA and Metal) into a DeviceMemoryError.

    Other errors pass unchanged. What the failed computation held is let go, so that a smaller try can follow.

    Args:
        device: a resolved device.
        what: the computation, as the start of a sentence: ``"Training with 128 voxels per batch"``.
        advice: what the user can do, as a sentence: ``"Use smaller batches."``.

    Raises:
        DeviceMemoryError: with what was asked for and what is free, where they are known.
    """
    try:
        yield
    except DeviceMemoryError:
        raise
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        asked = _asked_bytes(str(error))
        # The frames of the failed call hold its tensors: without this, a second, smaller try would find no room.
        traceback.clear_frames(error.__traceback__)
        if device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()
        raise DeviceMemoryError(_sentence(device, what, advice, asked, free_memory(device), more=True)) from error


def _is_out_of_memory(error: BaseException) -> bool:
    named = type(error).__name__ == "OutOfMemoryError"  # torch's; its module moved between versions
    return isinstance(error, MemoryError) or named or _OUT_OF_MEMORY.search(str(error)) is not None


def _asked_bytes(message: str) -> int | None:
    found = _ASKED.search(message)
    return int(float(found[1]) * _FACTORS[found[2][0].upper()]) if found else None


def _sentence(device: str, what: str, advice: str, required: int | None, free: int | None, *, more: bool) -> str:
    figures = [f"{'another ' if more else ''}{in_words(required)} needed"] if required is not None else []
    figures += [f"{in_words(free)} free"] if free is not None else []
    shown = f" ({', '.join(figures)})" if figures else ""
    place = _IN_WORDS.get(device.partition(":")[0], device)
    return f"{what} needs more memory than {place} has free{shown}. {advice}".rstrip()


def in_words(size: int) -> str:
    """A number of bytes as people say it.

    Example:
        >>> in_words(3 * 1024**3 // 2)
        '1.5 GiB'
    """
    amount, units = float(size), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{amount:.0f} bytes" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"


def seed_everything(seed: int) -> np.random.Generator:
    """Seed Python's, numpy's and, where it is loaded, PyTorch's random numbers, and return a generator of our own.

    Code of ours draws from the generator; the seeding is for the libraries that use the global ones. PyTorch is
    not imported for it: import it first if the computation uses it.

    Example:
        >>> bool(seed_everything(7).integers(100) == seed_everything(7).integers(100))
        True
    """
    if not 0 <= seed < 2**32:
        raise InputError(f"The seed is {seed}; it must be a whole number from 0 to 4294967295.")
    random.seed(seed)
    np.random.seed(seed)  # legacy, but the one that other libraries draw from
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    return np.random.default_rng(seed)
