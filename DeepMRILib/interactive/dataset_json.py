"""Writing the dataset.json of a folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.interactive.dataset import Case, Dataset
from DeepMRILib.interactive.dataset_layout import scanned
from DeepMRILib.writing import replacing


def write_dataset_json(
    folder: Path | str,
    *,
    name: str = "",
    channels: Sequence[str] = (),
    labels: Mapping[int, str] | None = None,
    description: str = "",
    reference: str = "",
    licence: str = "",
    release: str = "0.0",
) -> Path:
    """Write the dataset.json of a folder that has none, from the files in it.

    It holds what the Decathlon's readers ask for ("training") and what InteractiveNet's do ("train").

    Args:
        folder: with imagesTr; "~" is the home folder.
        name: of the task; by default the folder's.
        channels: what the images are, in the order of their four digits; by default MR.
        labels: name per number without the background; by default those that occur, and "lesion" for a single one.
        description, reference, licence, release: free texts.

    Raises:
        InputError: no such folder, no cases, or another number of modalities than there are images.
        OutputError: it has a dataset.json already, or cannot be written to.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise InputError(f"There is no folder {place}. Give the folder that holds imagesTr.")
    path = place / "dataset.json"
    if path.exists():
        raise OutputError(f"{path} is there already and is not replaced. Edit it, or move it away.")
    found = scanned(place)
    if not found.cases and not found.test_cases:
        raise InputError(f"{place} holds no cases. Its images belong in imagesTr, its labels in labelsTr.")
    given = tuple(channels) or found.channels
    if len(given) != len(found.channels):
        raise InputError(
            f"{len(given)} modalities were named; the cases of {place.name} have {len(found.channels)} images each."
        )
    texts = {"description": description, "reference": reference, "licence": licence, "release": release}
    named = {number: text for number, text in (labels or found.labels).items() if number > 0}
    return write_json(
        path,
        description_of(Dataset(place, name or found.name, given, named, found.cases, found.test_cases), texts),
    )


def write_json(path: Path, content: Mapping[str, Any]) -> Path:
    """Write a JSON file whole or not at all."""
    with replacing(path) as (sibling,):
        sibling.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def description_of(dataset: Dataset, texts: Mapping[str, str]) -> dict[str, Any]:
    """The content of a dataset.json."""
    train = [entry_of(case, dataset.folder) for case in dataset.cases]
    return {
        "name": dataset.name,
        **texts,
        "modality": {str(number): channel for number, channel in enumerate(dataset.channels)},
        "labels": {"0": "background", **{str(number): text for number, text in sorted(dataset.labels.items())}},
        "numTraining": len(train),
        "numTest": len(dataset.test_cases),
        "training": train,
        "train": train,
        "test": [entry_of(case, dataset.folder) for case in dataset.test_cases],
    }


def entry_of(case: Case, folder: Path) -> dict[str, str]:
    """A case's entry, its paths relative to the folder; of several images the first stands for all."""
    paths = {"image": case.images[0], "label": case.label, "interaction": case.interactions}
    entry = {key: f"./{path.relative_to(folder).as_posix()}" for key, path in paths.items() if path is not None}
    return {**entry, "class": case.subtype}
