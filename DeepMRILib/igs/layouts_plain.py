"""Layouts without a standard: images and label maps by their names, and tables of classes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from DeepMRILib.errors import InputError
from DeepMRILib.files import nifti
from DeepMRILib.files.paths import is_regular
from DeepMRILib.igs.layouts import FolderCase, Layout, images_in, read_rows
from DeepMRILib.igs.layouts_known import channels_and_labels

LABEL_SUFFIXES = ("_seg", "_label", "_labels", "_mask", "_gt")
TABLE = "labels.csv"
_LARGEST_CLASS = 255
_CLASS_NOTE = "Every slice of an image has the class of its file."
_NO_LABELS = "The folder holds no labels: the images themselves are the target (reconstruction)."


def table(folder: Path) -> Layout | None:
    """labels.csv with the columns file and label, and optionally case: a class of each image."""
    path = folder / TABLE
    if not path.is_file():
        return None
    rows = read_rows(path, "file", "label")
    words = sorted({row["label"] for row in rows})
    numbered = all(word.isdecimal() and int(word) <= _LARGEST_CLASS for word in words)
    if "" in words:
        raise InputError(f"{path} has rows without a label. Give each file its class.")
    if len(words) > _LARGEST_CLASS and not numbered:
        raise InputError(f"{path} names {len(words)} classes; expected a few. Check its column label.")
    numbers = {word: int(word) if numbered else place for place, word in enumerate(words)}
    cases = []
    for row in rows:
        image = folder / row["file"]
        if not row["file"] or not is_regular(image):
            raise InputError(f"{path} names the file {row['file']!r}, which is not there.")
        cases.append(FolderCase(row.get("case") or row["file"], (image,), kind=numbers[row["label"]]))
    twice = [image for image, count in Counter(case.images[0] for case in cases).items() if count > 1]
    if twice:
        raise InputError(f"{path} names the file {twice[0].name!r} more than once. Give each file one class.")
    names = {} if numbered else {number: word for word, number in numbers.items()}
    return Layout(f"images with classes in {TABLE}", tuple(cases), names, notes=(_CLASS_NOTE,))


def two_folders(folder: Path) -> Layout | None:
    """images/ and labels/ with equal names, or imagesTr/ and labelsTr/."""
    if (folder / "imagesTr").is_dir() and (cases := channels_and_labels(folder)):
        return Layout("imagesTr and labelsTr", tuple(cases))
    if (folder / "images").is_dir() and (folder / "labels").is_dir():
        return pairs(folder / "images", folder / "labels")
    return None


def pairs(images: Path, labels: Path) -> Layout:
    """Images and label maps of the same names, or with _seg, _label, _mask or _gt at the end of the latter.

    Raises:
        InputError: no image has a label map.
    """
    maps = {_without_suffix(nifti.stem(path)): path for path in images_in(labels)}
    found = images_in(images)
    cases = [FolderCase(stem, (path,), maps[stem]) for path in found if (stem := nifti.stem(path)) in maps]
    if not cases:
        raise InputError(
            f"No image of {images} has a label map of the same name in {labels} ({len(found)} images, {len(maps)} "
            "label maps). Name them alike."
        )
    return Layout(f"{images.name} and {labels.name}", tuple(cases), notes=_left(len(found), len(cases)))


def one_folder(folder: Path) -> Layout | None:
    """name.nii.gz with name_seg.nii.gz (or _label, _labels, _mask, _gt) beside it; or images alone."""
    every = images_in(folder)
    stems = {nifti.stem(path): path for path in every}
    maps = {stem: path for stem, path in stems.items() if (base := _without_suffix(stem)) != stem and base in stems}
    bases = {_without_suffix(stem): path for stem, path in maps.items()}
    images = {stem: path for stem, path in stems.items() if stem not in maps}
    if not images:
        return None
    if not bases:
        cases = tuple(FolderCase(stem, (path,)) for stem, path in images.items())
        return Layout("images alone", cases, notes=(_NO_LABELS,))
    cases = tuple(FolderCase(stem, (path,), bases[stem]) for stem, path in images.items() if stem in bases)
    return Layout("images with label maps beside them", cases, notes=_left(len(images), len(cases)))


def _without_suffix(stem: str) -> str:
    for suffix in LABEL_SUFFIXES:
        if stem.lower().endswith(suffix):
            return stem[: -len(suffix)]
    return stem


def _left(count: int, used: int) -> tuple[str, ...]:
    return () if used == count else (f"{count - used} of {count} images have no label map and were left out.",)
