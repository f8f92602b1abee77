"""Folders of cases: which layout a folder has, and the slices of each case."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.files import metaimage, nifti, nrrd
from DeepMRILib.files.paths import read_text
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.images import labels_of, slices_of_image
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.volume import Volume

IMAGE_SUFFIXES = (*nifti.SUFFIXES, *nrrd.SUFFIXES, *metaimage.SUFFIXES)
_LARGEST_TEXT = 50_000_000
_MOST_FOLDERS = 20_000


@dataclass(frozen=True)
class FolderCase:
    """The files of one image of a case.

    Attributes:
        case: the patient or scan.
        images: one file for each contrast, or one with all of them (4D).
        labels: the label map, None where there is none.
        phase: the phase image.
        kind: a class of the whole image, instead of labels.
    """

    case: str
    images: tuple[Path, ...]
    labels: Path | None = None
    phase: Path | None = None
    kind: int | None = None

    @property
    def name(self) -> str:
        """What sentences call it."""
        return self.images[0].name


@dataclass(frozen=True)
class Layout:
    """What a folder holds.

    Attributes:
        title: of the layout, for the note.
        cases: its images.
        names: of labels or classes; those that files name come on top.
        relabel: a label in the files to the one that is used.
        notes: what a reader must know.
        each_a_case: whether every slice is a case of its own.
    """

    title: str
    cases: tuple[FolderCase, ...]
    names: Mapping[int, str] = field(default_factory=dict)
    relabel: Mapping[int, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    each_a_case: bool = False


def read_case(layout: Layout, case: FolderCase, options: DataOptions) -> SliceDataset:
    """The slices of one image of a folder.

    Raises:
        InputError: a file is missing or damaged, or image, labels and phase do not belong together.
    """
    image = _stack([files.read_volume(path, components=True) for path in case.images], case)
    labels = None if case.labels is None else _relabelled(files.read_labels(case.labels), layout)
    phase = None if case.phase is None else files.read_volume(case.phase, components=True)
    found = slices_of_image(image, options, labels=labels, phase=phase, case=case.case, each_a_case=layout.each_a_case)
    if case.kind is not None:
        found = replace(found, targets=np.full(len(found), case.kind))
    named = layout.names if labels is not None or case.kind is not None else {}
    return replace(found, names={**found.names, **named})


def names_in_maps(cases: Iterable[FolderCase]) -> dict[int, str]:
    """The labels that occur in any label map of a folder, with their names; damaged ones raise when they are read."""
    names: dict[int, str] = {}
    for case in cases:
        if case.labels is not None:
            with suppress(InputError):
                image = files.read_labels(case.labels)
                names = {**labels_of(image, image)[1], **names}
    return names


def _stack(volumes: list[Volume], case: FolderCase) -> Volume:
    """The contrasts of a case as one image."""
    first = volumes[0]
    if len(volumes) == 1:
        return first
    for path, volume in zip(case.images, volumes, strict=True):
        if volume.array.ndim != 3 or not volume.same_grid(first):
            raise InputError(
                f"{path.name} does not lie on the grid of {case.images[0].name}: contrasts of a case must have the "
                "same voxels. Resample it."
            )
    return first.like(np.stack([np.asarray(volume.array) for volume in volumes], axis=-1))


def _relabelled(labels: Volume, layout: Layout) -> Volume:
    if not layout.relabel:
        return labels
    array: NDArray = np.array(labels.array)
    for old, new in layout.relabel.items():
        array[labels.array == old] = new
    return labels.like(array)


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, in the order of their names; hidden ones left out."""
    if not folder.is_dir():
        return []
    return [path for path in _inside(folder) if path.name.lower().endswith(IMAGE_SUFFIXES) and path.is_file()]


def listed(folder: Path) -> list[Path]:
    """What a folder holds by name, without hidden entries.

    Raises:
        InputError: the system does not let us look.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"The folder {folder} cannot be read ({error.strerror}). Check your rights to it.") from error


def folders_in(folder: Path, depth: int) -> list[Path]:
    """A folder and the folders in it, so many levels deep; those that we may not read are passed over.

    Raises:
        InputError: so many that this cannot be the folder of one dataset.
    """
    found = level = [folder]
    for _ in range(depth):
        level = [path for place in level for path in _inside(place) if path.is_dir()]
        found = found + level
        if len(found) > _MOST_FOLDERS:
            raise InputError(f"{folder} holds more than {_MOST_FOLDERS} folders. Give the folder of one dataset.")
    return found


def _inside(folder: Path) -> list[Path]:
    try:
        return listed(folder)
    except InputError:
        return []


def read_json(path: Path) -> Any:
    """The content of a JSON file; InputError where it is damaged."""
    try:
        return json.loads(read_text(path, _LARGEST_TEXT))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}). Mend it, or remove it.") from error


def read_rows(path: Path, *columns: str) -> list[dict[str, str]]:
    """The rows of a table with a header, separated by commas, semicolons or tabs.

    Raises:
        InputError: a column is missing, or it is no table.
    """
    text = read_text(path, _LARGEST_TEXT)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
        rows = [{str(key).strip().lower(): str(cell or "").strip() for key, cell in row.items()} for row in reader]
    except csv.Error as error:
        raise InputError(f"{path} is no table ({error}). Expected the columns {' and '.join(columns)}.") from error
    missing = [name for name in columns if rows and name not in rows[0]]
    if missing or not rows:
        raise InputError(f"{path} has no {' and '.join(missing) or 'rows'}. Expected the columns {', '.join(columns)}.")
    return rows
