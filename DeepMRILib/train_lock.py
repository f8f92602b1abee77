"""One training at a time writes to a checkpoint."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from DeepMRILib.errors import OutputError
from DeepMRILib.writing import refusals_as_errors

_held: set[Path] = set()  # by this process: the system's locks tell processes apart, not threads
_guard = threading.Lock()


@contextmanager
def only_training(checkpoint: Path | None) -> Iterator[None]:
    """Hold a checkpoint while a training writes to it.

    The lock is the system's, which gives it up when a process ends in whatever way, so none is ever left behind. It
    is on an empty file among the temporary files of this computer, removed in the end: trainings on other computers are
    not seen.

    Args:
        checkpoint: its path; None holds nothing.

    Raises:
        OutputError: another running training holds it.
    """
    if checkpoint is None:
        yield
        return
    path = _lock_file(checkpoint)
    with _guard:
        if path in _held:
            raise _in_use(checkpoint)
        _held.add(path)
    try:
        with _locked(path, checkpoint) as file:  # closing it unlocks
            try:
                yield
            finally:
                _remove(path, file)
    finally:
        with _guard:
            _held.discard(path)


def _locked(path: Path, checkpoint: Path) -> IO[bytes]:
    """The lock's file, open and held by this process."""
    while True:
        with refusals_as_errors(f"The checkpoint {checkpoint} cannot be locked"):
            file = path.open("ab")
        try:
            _lock(file, checkpoint)
        except OutputError:
            file.close()
            raise
        if _is_at(path, file):
            return file
        file.close()  # its last holder has removed it since it was opened


def _is_at(path: Path, file: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _remove(path: Path, file: IO[bytes]) -> None:
    """Leave no file behind; while it is held, nobody else can hold another of that name."""
    if sys.platform != "win32" and _is_at(path, file):  # Windows removes no open file
        path.unlink()


def _lock_file(checkpoint: Path) -> Path:
    place = str(checkpoint.parent.resolve() / checkpoint.name)
    user = os.getuid() if hasattr(os, "getuid") else ""
    key = hashlib.sha256(os.path.normcase(place).encode(errors="surrogateescape")).hexdigest()[:20]
    return Path(tempfile.gettempdir()) / f"deepmri-{user}-{key}.lock"


def _lock(file: IO[bytes], checkpoint: Path) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            # Not flock: loader processes would inherit that, and hold it after their parent was killed.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as error:
        raise _in_use(checkpoint) from error


def _in_use(checkpoint: Path) -> OutputError:
    return OutputError(
        f"Another running training writes to the checkpoint {checkpoint}. "
        "Wait for it or stop it, or choose another checkpoint file."
    )
