"""Nothing that stood in a place is lost, whatever fails while something new is put there."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest

from DeepMRILib.errors import OutputError
from DeepMRILib.writing import move_aside, refusals_as_errors, replacing, replacing_folder


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with something old in it."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    return tmp_path / "out"


def fill(place: Path) -> None:
    with replacing_folder(place) as made:
        (made / "new").write_text("new")


def refuse(monkeypatch: pytest.MonkeyPatch, place: Path, times: int, error: BaseException) -> None:
    """The next renamings to ``place`` fail."""
    rename, left = Path.rename, [error] * times

    def broken(self: Path, target: Path) -> Path:
        if target == place and left:
            raise left.pop()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)


def test_the_new_folder_takes_the_place_whole(place: Path) -> None:
    fill(place)
    assert [path.name for path in place.iterdir()] == ["new"]
    assert [path.name for path in place.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()], ids=repr)
def test_the_old_folder_is_put_back(place: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    refuse(monkeypatch, place, 1, error)
    with pytest.raises(type(error)):
        fill(place)
    assert [path.name for path in place.iterdir()] == ["old"]
    assert [path.name for path in place.parent.iterdir()] == ["out"]


def test_an_old_folder_that_cannot_be_put_back_is_kept_and_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, place, 2, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(OutputError, match="could not be put back: it is kept in") as caught:
        fill(place)
    kept = Path(re.search(r"kept in (.*)\. Move", str(caught.value))[1])
    assert (kept / "old").read_text() == "old"
    assert list(place.parent.rglob("new")) == []


def test_a_link_is_moved_and_replaced_but_never_followed(place: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(place)
    aside = move_aside(link)
    assert aside.is_symlink()
    aside.rename(link)
    aside.parent.rmdir()
    fill(link)
    assert not link.is_symlink()
    assert (place / "old").read_text() == "old"
    note = tmp_path / "note"
    note.symlink_to(place / "old")
    with replacing(note) as (sibling,):
        sibling.write_text("new")
    assert (place / "old").read_text() == "old"
    assert note.read_text() == "new"
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    fill(dangling)
    assert (dangling / "new").read_text() == "new"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "x cannot be written: the disk is full. Free"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EACCES, "no right to write"),
        (errno.EROFS, "read-only"),
        (errno.ENAMETOOLONG, "x cannot be written: File name too long. Choose another place"),
    ],
)
def test_every_refusal_is_a_sentence(number: int, words: str) -> None:
    import os

    def refused() -> None:
        with refusals_as_errors("x cannot be written"):
            raise OSError(number, os.strerror(number))

    with pytest.raises(OutputError, match=words):
        refused()
