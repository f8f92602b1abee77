"""Which networks a file or folder of another program holds, before any of them is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.published import SETS, PublishedSet, Recognised, is_junk, recognise

SUFFIXES = (".h5", ".hdf5", ".keras", ".onnx")
SAVED_MODEL = "saved_model.pb"
MOST_FOLDS = 100
_PACKED = (".zip", ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz")
_IMAGES = (".nii", ".nii.gz", ".nrrd", ".mgz", ".dcm")
_KINDS = "HDF5 files (.h5), SavedModel folders (with saved_model.pb), .keras or .onnx files"


@dataclass(frozen=True)
class Source:
    """One network of another program.

    Attributes:
        path: its file or SavedModel folder.
        fold: its number.
        by: what a published one was recognised by, None for others.
    """

    path: Path
    fold: int
    by: Literal["md5", "name"] | None = None


@dataclass(frozen=True)
class Sources:
    """Networks that are to be averaged, by their folds; ``published`` is their set, None for networks of others."""

    folds: tuple[Source, ...]
    published: PublishedSet | None


def find_sources(source: Path, *, sets: Sequence[PublishedSet] = SETS) -> Sources:
    """The networks in a file, a SavedModel folder, or a folder that holds several.

    Of a published set all folds are taken, also where one file of it is given and the others lie beside it.

    Args:
        source: what the user has downloaded and unpacked.
        sets: those that are recognised.

    Raises:
        InputError: nothing there, no networks, folds that are missing or there twice, or folds of several sets.
        WeightsError: a fold of a published set is damaged.
    """
    source, sets = Path(source).expanduser(), tuple(sets)
    try:
        return _found(source, sets)
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error}). Copy it to a folder of your own.") from error


def _found(source: Path, sets: tuple[PublishedSet, ...]) -> Sources:
    paths = _networks(source)
    known = {path: recognise(path, sets=sets) for path in paths}
    if len(paths) == 1 and (found := known[paths[0]]) is not None:
        known |= _beside(paths[0], found.published, sets)
    if not any(known.values()):
        return Sources(tuple(Source(path, number) for number, path in enumerate(paths)), None)
    _check_one_set(source, known)
    published = next(found.published for found in known.values() if found is not None)
    return Sources(_all_folds(source, published, known), published)


def _networks(source: Path) -> list[Path]:
    if not source.exists():
        raise InputError(f"There is nothing at {source}. Give the file or folder that you have downloaded.")
    if source.is_file():
        return [_one_file(source)]
    if (source / SAVED_MODEL).is_file():
        return [source]
    if not source.is_dir():
        raise InputError(f"{source} is neither a file nor a folder. Give {_KINDS}.")
    return _in_folder(source)


def _one_file(source: Path) -> Path:
    suffix = source.suffix.lower()
    if suffix in SUFFIXES:
        return source
    if source.name == SAVED_MODEL:
        return source.parent
    if suffix in _PACKED and not source.name.lower().endswith(_IMAGES):
        raise InputError(f"{source} is packed. Unzip it first, and give the folder that comes out.")
    raise InputError(f"{source} is no network that can be read: expected {_KINDS}.")


def _in_folder(source: Path) -> list[Path]:
    """All networks below a folder, by the numbers in their names; hidden files and those of file browsers left out."""
    found: list[Path] = []
    others: list[str] = []
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if not is_junk(name))
        inside = [name for name in folders if Path(folder, name, SAVED_MODEL).is_file()]
        found += [Path(folder, name) for name in inside]
        folders[:] = [name for name in folders if name not in inside]  # what they hold is theirs
        files = [name for name in names if not is_junk(name)]
        found += [Path(folder, name) for name in files if Path(name).suffix.lower() in SUFFIXES]
        others += files
        if len(found) > MOST_FOLDS:
            raise InputError(f"There are more than {MOST_FOLDS} networks in {source}. Give the folder of one set.")
    if not found:
        raise InputError(_nothing(source, others))
    return sorted(found, key=lambda path: _order(path.relative_to(source)))


def _order(path: Path) -> tuple[list[int], str]:
    """Fold 10 comes after fold 2: by the number after the word fold, else by the name."""
    return [int(number) for number in re.findall(r"fold[_-]?(\d{1,6})", path.name, re.IGNORECASE)][-1:], path.as_posix()


def _nothing(source: Path, others: list[str]) -> str:
    if not others:
        return f"The folder {source} is empty. Give one that holds {_KINDS}."
    if "model.safetensors" in others:
        return f"{source} holds a model of DeepMRI. It need not be imported: use it as it is, or add it to your models."
    if any(name.lower().endswith(_IMAGES) for name in others):
        return f"The folder {source} holds images and no network. Give one that holds {_KINDS}."
    if any(name.lower().endswith(_PACKED) for name in others):
        return f"The folder {source} holds packed files and no network. Unzip them first."
    return f"There is no network in {source}. Give a folder that holds {_KINDS}."


def _beside(path: Path, published: PublishedSet, sets: tuple[PublishedSet, ...]) -> dict[Path, Recognised | None]:
    """The other folds of the set that lie in the same folder."""
    near = [
        other
        for other in sorted(path.parent.iterdir())
        if published.fold_in_name(other.name) is not None and not is_junk(other.name) and not other.samefile(path)
    ]
    known = {other: recognise(other, sets=sets) for other in near}
    return {other: found for other, found in known.items() if found is not None and found.published is published}


def _check_one_set(source: Path, known: dict[Path, Recognised | None]) -> None:
    titles = {found.published.title if found else "no published set": path for path, found in known.items()}
    if len(titles) > 1:
        which = ", ".join(f"{path.name} ({title})" for title, path in titles.items())
        raise InputError(f"The networks in {source} are not of one set: {which}. Give the folder of one set alone.")


def _all_folds(source: Path, published: PublishedSet, known: dict[Path, Recognised | None]) -> tuple[Source, ...]:
    by_fold: dict[int, Source] = {}
    for path, found in known.items():
        if found is None:
            continue
        if found.fold in by_fold:
            raise InputError(
                f"Fold {found.fold} of {published.title} is there twice: {by_fold[found.fold].path.name} and "
                f"{path.name}. Remove one of them."
            )
        by_fold[found.fold] = Source(path, found.fold, found.by)
    missing = [str(fold) for fold in range(published.count) if fold not in by_fold]
    if missing:
        raise InputError(
            f"Of the {published.count} folds of {published.title}, {_listed(missing)} not in {source}. Give the folder "
            f"with all of them; they can be downloaded from {published.page}."
        )
    return tuple(by_fold[fold] for fold in sorted(by_fold))


def _listed(missing: list[str]) -> str:
    if len(missing) == 1:
        return f"fold {missing[0]} is"
    return f"folds {', '.join(missing[:-1])} and {missing[-1]} are"
