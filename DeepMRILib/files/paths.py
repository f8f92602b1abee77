"""What every reader needs: paths that are checked and sizes that are believable."""

from __future__ import annotations

import math
import stat
from collections.abc import Iterable
from pathlib import Path

from DeepMRILib.errors import InputError

DEFLATE_LIMIT = 1100
"""No deflate stream expands more than 1032 times, so a header that claims more is wrong."""


def input_file(path: str | Path, kind: str = "file") -> Path:
    """The path of an existing, readable file.

    Args:
        path: what the user gave.
        kind: what it should be, for the sentence: "b-value file", "image".

    Raises:
        InputError: nothing there, a folder, a pipe or device, or no right to read.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path} is a folder; a {kind} was expected. Give the file inside it.")
        if not stat.S_ISREG(mode):  # to open a pipe can wait for ever, and a device need not end
            raise InputError(f"{path} is a pipe or a device; a {kind} was expected. Give a file on a disk.")
        with path.open("rb"):
            return path
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"There is no {kind} {path}. Check the path.") from error
    except OSError as error:
        raise unreadable(path, error) from error


def is_regular(path: Path) -> bool:
    """Whether this is a file that can be read to its end: no pipe, no device, no link to nowhere.

    Raises:
        InputError: the system does not let us look.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unreadable(path, error) from error


def read_text(path: Path, largest: int) -> str:
    """The text of a file of at most ``largest`` bytes, whatever the system says of its size.

    Raises:
        InputError: more bytes, or bytes that are no text in UTF-8.
    """
    try:
        with input_file(path).open("rb") as stream:
            content = stream.read(largest + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) > largest:
        raise InputError(f"{path.name} is too large for a table. Check that it is the right file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not a text file in UTF-8. Save it again as plain text.") from error


def unreadable(path: Path, error: OSError) -> InputError:
    """The sentence for a file that is there and that the system does not let us read."""
    reason = error.strerror or str(error)
    return InputError(f"{path} cannot be read ({reason}). Check that you have the right to read it.")


def damaged(path: Path, kind: str, error: BaseException | str) -> InputError:
    """The sentence for a file whose content is not what its kind asks for."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return InputError(f"{path.name} is not a complete {kind} file: {text[:200]}. Copy or export it again.")


def check_claimed_size(path: Path, shape: Iterable[int], item_size: int, available: int, compressed: bool) -> None:
    """Refuse a header that claims more voxels than its file can hold, before memory is taken for them.

    Args:
        path: the file, for the sentence.
        shape: the claimed size of the array.
        item_size: bytes of one value.
        available: bytes of the file that can hold values.
        compressed: whether these are compressed.

    Raises:
        InputError: a size that is negative or zero, or more bytes than there can be.
    """
    shape = tuple(int(n) for n in shape)
    size = " x ".join(map(str, shape))
    if not shape or min(shape) < 1:
        raise InputError(f"The header of {path.name} claims an image of {size} voxels. The file is damaged.")
    claimed = math.prod(shape) * item_size
    if claimed > available * (DEFLATE_LIMIT if compressed else 1):
        raise InputError(
            f"The header of {path.name} claims {size} values ({_bytes(claimed)}), but the file holds only "
            f"{_bytes(available)}. It is truncated or damaged; copy or export it again."
        )


def _bytes(count: int) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.4g} {unit}"
        count /= 1000
    raise AssertionError  # the loop always returns
