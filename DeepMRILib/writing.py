"""Files and folders that are written whole or not at all, and the sentence when the system refuses.

What is new is written under a hidden name beside its place and takes the name when it is whole. What stood there
before goes only after that, and is never lost: where it cannot be put back, the sentence says where it is.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from DeepMRILib.errors import OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM)
_TAKEN = (errno.EEXIST, errno.ENOTEMPTY)


def reason(error: OSError) -> str:
    """Why the system refused to write, and what to do: the part of a sentence after its colon."""
    if error.errno in _FULL:
        return "the disk is full. Free some space, or choose another place."
    if error.errno in _FORBIDDEN:
        return "you have no right to write there. Choose a folder of your own."
    if error.errno == errno.EROFS:
        return "the disk is read-only. Choose a folder on another disk."
    return f"{error.strerror or error}. Choose another place."


@contextmanager
def refusals_as_errors(what: str) -> Iterator[None]:
    """Turn the system's refusals into ``OutputError``: ``what`` ("x.csv cannot be written") and the reason."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{what}: {reason(error)}") from error


@contextmanager
def replacing(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Temporary siblings to write to, which take the place of the files ``targets`` when all have been written.

    When the block fails, the old files stand as they were and nothing is left behind. A link is replaced, not
    followed.

    Raises:
        OutputError: the folder is missing or not ours to write to, the disk is full, or a target is a folder.
    """
    for target in targets:
        if not target.parent.is_dir():
            raise OutputError(f"The folder {target.parent} does not exist. Create it, or choose another place.")
        if target.is_dir():
            raise OutputError(f"{target} is a folder; a file of that name cannot be written. Choose another name.")
    # The name's end stays: writers go by the extension. Not all of it: it may be as long as a name can be.
    siblings = tuple(target.with_name(f".{secrets.token_hex(4)}.{target.name[-30:]}") for target in targets)
    with ExitStack() as cleanup, refusals_as_errors(f"{targets[0]} cannot be written"):
        for sibling in siblings:
            cleanup.callback(_remove, sibling)
        yield siblings
        for sibling, target in zip(siblings, targets, strict=True):
            sibling.replace(target)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


@contextmanager
def replacing_folder(target: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """A new hidden folder beside ``target`` to fill, which takes its place when the block is done.

    When the block fails, the old folder stands as it was and nothing is left behind. Of several who write to one
    place at the same time, the first gets it, or with ``overwrite`` the last.

    Raises:
        FileExistsError: without ``overwrite``, something stands there now.
        OSError: the system refuses; ``refusals_as_errors`` makes a sentence of it.
        OutputError: the new folder could not take the place, nor the old one be put back; says where that is.
    """
    made = new_sibling(target)
    try:
        yield made
        if overwrite:
            while not _put_in_place(made, target):
                pass  # another was faster: its folder is the old one now
        else:
            _take_name(made, target)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def new_sibling(target: Path) -> Path:
    """A new, empty, hidden folder beside ``target``, with the rights of any other folder."""
    # The name is short, as the target's may be as long as a name can be, and its start tells whose it is.
    sibling = target.absolute().with_name(f".{target.name[:30]}-{secrets.token_hex(4)}")
    sibling.mkdir()
    return sibling


def _take_name(made: Path, target: Path) -> None:
    """Rename in one step, which the system refuses when a folder with content has the name."""
    try:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        made.rename(target)
    except OSError as error:
        if error.errno in _TAKEN:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        raise


def _put_in_place(made: Path, target: Path) -> bool:
    """Whether ``made`` has the name now; it has not when another took it after the old folder went."""
    holder = new_sibling(target)
    old = holder / target.name
    try:
        with suppress(FileNotFoundError):  # nothing there, or another is just replacing it
            target.rename(old)
        _take_name(made, target)
    except FileExistsError:
        shutil.rmtree(holder, ignore_errors=True)
        return False
    except (OSError, KeyboardInterrupt) as error:
        # The disk says how far it came: an interrupt may fall between any two steps.
        if os.path.lexists(old) and made.exists():
            _put_back(old, target, error)
        shutil.rmtree(holder, ignore_errors=True)
        raise
    shutil.rmtree(holder, ignore_errors=True)
    return True


def move_aside(folder: Path) -> Path:
    """Take a folder's name away in one step: it goes, as it is, into a new hidden folder beside its place."""
    holder = new_sibling(folder)
    try:
        return folder.rename(holder / folder.name)
    except OSError:
        holder.rmdir()
        raise


def _put_back(old: Path, target: Path, error: BaseException) -> None:
    try:
        old.rename(target)
    except OSError:
        raise OutputError(
            f"{target} could not be replaced, and what was there could not be put back: it is kept in {old}. "
            "Move it back by hand."
        ) from error
