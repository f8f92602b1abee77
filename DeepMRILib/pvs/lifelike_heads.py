"""The heads that a training uses: label maps of a folder, generated ones, and which are held out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.progress import Progress
from DeepMRILib.pvs.conform import SIDE, conformed_affine
from DeepMRILib.pvs.head import generated_head
from DeepMRILib.pvs.lifelike_anatomy import Anatomy
from DeepMRILib.pvs.resample import onto

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")
ENOUGH = 3
"""Of so many label maps one is held out."""
OFTEN = 3
"""Patches come so many times as often from a label map as from a generated head: real folds are not drawn as well."""
_SEEDS = 1_000_000
"""Generated heads of training have seeds from here on, that no phantom has by chance."""


@dataclass(frozen=True, eq=False)
class Heads:
    """The backgrounds of patches.

    Attributes:
        training, held_out: heads that patches are cut from in turn; label maps stand there several times.
        names: of all, the held-out ones marked.
        notes: what a reader must know.
        in_words: what they are.
    """

    training: tuple[Anatomy, ...]
    held_out: tuple[Anatomy, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...]
    in_words: str

    @property
    def digest(self) -> str:
        """Tells other heads apart."""
        total = hashlib.sha256()
        for head in (*self.training, *self.held_out):
            total.update(repr(head.tissue.shape).encode())
            total.update(head.tissue.tobytes())
        return total.hexdigest()


def heads_of(labels: Path | None, generated: int, seed: int, progress: Progress) -> Heads:
    """The heads of a training.

    Args:
        labels: a folder of label maps, or None.
        generated: how many heads are generated beside them for training; one more is held out.
        seed: of generated ones.
        progress: may raise ``Cancelled``.

    Raises:
        InputError: no head at all, or a file that is no label map of a head.
    """
    paths = [] if labels is None else label_maps(labels)
    if not paths and not generated:
        raise InputError("There are no heads to train on. Give a folder of label maps, or set heads to 1 or more.")
    count, steps = generated + (1 if generated else 0), len(paths) + generated + 1
    found: list[tuple[str, Anatomy]] = []
    for number, path in enumerate(paths):
        progress(number / steps, f"Reading {path.name}")
        found.append((path.name, read_head(path)))
    drawn: list[tuple[str, Anatomy]] = []
    for number in range(count):
        progress((len(paths) + number) / steps, "Generating heads")
        one = _SEEDS + 1000 * seed + number
        drawn.append((f"generated head {one}", Anatomy.of_labels(generated_head(one).labels)))
    return _divided(found, drawn)


def label_maps(folder: Path) -> list[Path]:
    """The files of a folder that can be label maps, by name.

    Raises:
        InputError: no such folder, or no such file in it.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder. Give the folder of the label maps of heads.")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().endswith(SUFFIXES))
    if not paths:
        raise InputError(f"There is no label map in {folder}: expected files named {', '.join(SUFFIXES)}.")
    return paths


def read_head(path: Path) -> Anatomy:
    """The head of a label map, at 1 mm along R, A and S.

    Raises:
        InputError: it cannot be read, or shows no white matter or no ventricle.
    """
    labels = files.read_labels(path)
    affine = conformed_affine(labels.affine, labels.array.shape)
    try:
        return Anatomy.of_labels(_trimmed(onto(labels.array, labels.affine, affine, (SIDE,) * 3, order=0)))
    except InputError as error:
        raise InputError(f"{path.name} cannot be used. {error}") from error


def _trimmed(labels: NDArray) -> NDArray:
    """Without the air around the head."""
    parts = []
    for axis in range(3):
        there = np.flatnonzero(labels.any(axis=tuple({0, 1, 2} - {axis})))
        parts.append(slice(int(there[0]), int(there[-1]) + 1) if len(there) else slice(0))
    return labels[tuple(parts)]


def _divided(found: list[tuple[str, Anatomy]], drawn: list[tuple[str, Anatomy]]) -> Heads:
    """The last of three or more label maps, and the last generated head, are held out."""
    kept = found[-1:] if len(found) >= ENOUGH else []
    training = [*OFTEN * (found[:-1] if kept else found), *drawn[:-1]]
    held_out = [*(kept or found), *drawn[-1:]]
    notes = ()
    if found and not kept:
        notes = (
            f"Patches for judging come from the same {'head' if len(found) == 1 else 'heads'} as those for training, "
            "bent and lit in other ways.",
        )
    words = []
    if found:
        words.append(f"{len(found) - len(kept)} label map{'s' if len(found) - len(kept) > 1 else ''} of heads")
    if drawn:
        words.append(f"{len(drawn) - 1} generated head{'s' if len(drawn) > 2 else ''}")
    names = {name: None for name, _ in training} | {f"{name} (held out)": None for name, _ in (*kept, *drawn[-1:])}
    return Heads(
        tuple(head for _, head in training),
        tuple(head for _, head in held_out),
        tuple(names),
        notes,
        " and ".join(words),
    )
