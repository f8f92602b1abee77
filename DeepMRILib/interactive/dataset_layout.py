"""Which files of a dataset's folder belong together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.files import nifti, nrrd
from DeepMRILib.files.paths import read_text
from DeepMRILib.interactive.dataset import POINT_SUFFIXES, Case, Dataset, case_name

_LARGEST_JSON = 50_000_000
_IMAGE_SUFFIXES = (*nifti.SUFFIXES, *nrrd.SUFFIXES)
_BACKGROUND = ("background", "bg")
_SPLITS = {"train": "Tr", "test": "Ts"}


def read_json(path: Path) -> Any:
    """The content of a JSON file; InputError where it is damaged."""
    try:
        return json.loads(read_text(path, _LARGEST_JSON))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}). Mend it, or remove it.") from error


def described(folder: Path) -> Dataset:
    """The dataset that a folder's dataset.json describes.

    Raises:
        InputError: it is damaged, or an entry is of another kind than expected.
    """
    path = folder / "dataset.json"
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path} holds no description of a dataset; expected an object with modality, labels, training."
        )
    train = content.get("training", content.get("train"))
    if not isinstance(train, list):
        raise InputError(f'{path} lists no cases; expected "training" or "train" with an image and a label of each.')
    tests = content.get("test", [])
    channels = _channels(content, path)
    labels, notes = _labels(content, path)
    subtypes = _subtypes(folder)
    shared = {"labels": labels, "channels": len(channels)}
    return Dataset(
        folder=folder,
        name=str(content.get("name") or folder.name),
        channels=channels,
        labels=labels,
        cases=tuple(_case(folder, entry, "Tr", subtypes, shared) for entry in train),
        test_cases=tuple(
            _case(folder, entry, "Ts", subtypes, shared) for entry in (tests if isinstance(tests, list) else [])
        ),
        notes=notes,
    )


def scanned(folder: Path) -> Dataset:
    """The dataset of a folder without dataset.json: what lies in imagesTr, labelsTr, interactionsTr and those with Ts.

    Labels are named by their numbers, a single one "lesion"; the images count as MR.
    """
    subtypes = _subtypes(folder)
    groups = {split: _groups(folder / f"images{end}") for split, end in _SPLITS.items()}
    counts = [len(paths) for group in groups.values() for paths in group.values()]
    channels = max(set(counts), key=counts.count) if counts else 1
    numbers = _numbers(folder / "labelsTr")
    labels = {1: "lesion"} if numbers <= {1} else {number: f"label {number}" for number in sorted(numbers)}
    found = {
        split: tuple(
            Case(
                name=name,
                images=tuple(paths),
                label=_beside(folder / f"labels{end}", name, _IMAGE_SUFFIXES),
                interactions=_beside(folder / f"interactions{end}", name, (*_IMAGE_SUFFIXES, *POINT_SUFFIXES)),
                subtype=subtypes.get(name, ""),
                labels=labels,
                channels=channels,
            )
            for name, paths in sorted(groups[split].items())
        )
        for split, end in _SPLITS.items()
    }
    return Dataset(
        folder=folder,
        name=folder.resolve().name,
        channels=("MR",) if channels == 1 else tuple(f"MR {number}" for number in range(1, channels + 1)),
        labels=labels,
        cases=found["train"],
        test_cases=found["test"],
        notes=(f"{folder.name} has no dataset.json: its images are taken as MR. Write one if they are CT.",),
    )


def _channels(content: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    named = content.get("modality", content.get("channel_names", {"0": "MR"}))
    if isinstance(named, str):
        named = {"0": named}
    if isinstance(named, list):
        named = dict(enumerate(named))
    try:
        return tuple(str(named[key]) for key in sorted(named, key=int)) or ("MR",)
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f'"modality" of {path} is {named!r}; expected {{"0": "MR"}} or the like.') from error


def _labels(content: Mapping[str, Any], path: Path) -> tuple[dict[int, str], tuple[str, ...]]:
    """Name per number without the background; of nnU-Net's newer files the two are the other way round."""
    named = content.get("labels", {"0": "background", "1": "lesion"})
    try:
        if all(not str(key).strip().isdecimal() for key in named):
            named = {str(number): name for name, number in named.items()}
        labels = {int(key): str(name) for key, name in named.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(f'"labels" of {path} is {named!r}; expected {{"0": "background", "1": "lesion"}}.') from error
    kept = {number: name for number, name in sorted(labels.items()) if number > 0}
    if len(set(kept.values())) < len(kept):
        raise InputError(f'"labels" of {path} names two labels alike. Give each a name of its own.')
    if max(kept, default=1) > 255:
        raise InputError(f'"labels" of {path} has the number {max(kept)}; numbers up to 255 can be used.')
    if kept:
        return kept, ()
    # InteractiveNet writes the only label under the background's number
    name = labels.get(0, "lesion")
    name = "lesion" if name.lower() in _BACKGROUND else name
    return {1: name}, (f"dataset.json names no label but the background's; 1 is taken as {name}.",)


def _case(folder: Path, entry: Any, end: str, subtypes: Mapping[str, str], shared: Mapping[str, Any]) -> Case:
    if isinstance(entry, str):
        entry = {"image": entry}
    image = entry.get("image") if isinstance(entry, dict) else None
    given = image if isinstance(image, list) and image else [image]
    if not all(isinstance(path, str) and path for path in given):
        raise InputError(f"dataset.json of {folder.name} has the entry {entry!r}; expected an image and a label.")
    named = str(entry.get("label") or "")
    name = case_name(Path(named or given[0]))
    label = folder / named if named else _beside(folder / f"labels{end}", name, _IMAGE_SUFFIXES)
    points = entry.get("interaction") or entry.get("interactions")
    places = (*_IMAGE_SUFFIXES, *POINT_SUFFIXES)
    return Case(
        name=name,
        images=tuple(folder / path for path in given) if len(given) > 1 else _all_modalities(folder / given[0]),
        label=label,
        interactions=folder / str(points) if points else _beside(folder / f"interactions{end}", name, places),
        subtype=str(entry.get("class") or subtypes.get(name, "")),
        **shared,
    )


def _all_modalities(image: Path) -> tuple[Path, ...]:
    """An image and its fellows, where the name ends in four digits or only the ones with digits are there."""
    name = case_name(image)
    if image.is_file() and name == nifti.stem(image):
        return (image,)
    return tuple(_groups(image.parent).get(name, [image]))


def _groups(folder: Path) -> dict[str, list[Path]]:
    """The images of a folder by the name of their case, in the order of their four digits."""
    groups: dict[str, list[Path]] = {}
    for path in _images(folder):
        groups.setdefault(case_name(path), []).append(path)
    return groups


def _images(folder: Path) -> Iterable[Path]:
    if not folder.is_dir():
        return []
    names = sorted(folder.iterdir())
    return [path for path in names if path.name.lower().endswith(_IMAGE_SUFFIXES) and not path.name.startswith(".")]


def _beside(folder: Path, name: str, suffixes: Iterable[str]) -> Path | None:
    """The file of a case in a folder, whatever it ends in."""
    return next((path for suffix in suffixes if (path := folder / f"{name}{suffix}").is_file()), None)


def _numbers(folder: Path) -> set[int]:
    """The label numbers that occur in the label maps of a folder."""
    found: set[int] = set()
    for path in _images(folder):
        with suppress(InputError):  # the check of the cases names it
            found |= set(np.unique(files.read_labels(path).array).tolist())
    return found - {0}


def _subtypes(folder: Path) -> dict[str, str]:
    """Class by case, from subtypes.json; its older form lists the cases of each class."""
    path = folder / "subtypes.json"
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no classes; expected an object of case and class.")
    if all(isinstance(entry, list) for entry in content.values()):
        return {str(case): str(kind) for kind, cases in content.items() for case in cases}
    return {str(case): str(kind) for case, kind in content.items()}
