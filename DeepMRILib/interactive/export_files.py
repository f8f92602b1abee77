"""Adding a case to a dataset's folder: its files, and its entry in dataset.json, all or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.dataset import POINT_SUFFIXES, Case, Dataset, case_name
from DeepMRILib.interactive.dataset_json import description_of, entry_of
from DeepMRILib.interactive.dataset_layout import described, read_json, scanned
from DeepMRILib.interactive.prepare_resample import sampled_elsewhere
from DeepMRILib.interactive.prepare_values import check_inside, parted
from DeepMRILib.interactive.prompts import DEFAULT_LABEL, as_points, inside_only
from DeepMRILib.volume import LabelVolume, Volume
from DeepMRILib.writing import refusals_as_errors, replacing

Subset = Literal["train", "test"]
ENDS: dict[Subset, str] = {"train": "Tr", "test": "Ts"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MOST_CHARACTERS = 100


@dataclass(frozen=True, eq=False)
class CaseFiles:
    """What the files of a case hold, all on the grid of its first image.

    Attributes:
        images: one for each modality.
        interactions: (i, j, k) uint8: at the points the number of their label, else 0.
        label: the label map in the dataset's numbers, or None.
        negative: (m, 3) in RAS mm.
        notes: what a reader must know, one sentence each.
    """

    images: tuple[Volume, ...]
    interactions: Volume
    label: LabelVolume | None
    negative: NDArray
    notes: tuple[str, ...] = ()


def check_case_name(name: str) -> str:
    """A name that files can have and that is not taken for another case's modality."""
    if not _NAME.fullmatch(name) or len(name) > _MOST_CHARACTERS or re.search(r"_\d{4}$", name):
        raise InputError(
            f"{name!r} cannot name a case: use letters, digits, dots, dashes and underscores, and no underscore with "
            "four digits at the end, as these number the modalities."
        )
    return name


def case_files(
    volumes: Sequence[Volume],
    points: Mapping[str, ArrayLike] | ArrayLike,
    mask: Volume | None,
    labels: Mapping[int, str],
    *,
    negative: ArrayLike | None = None,
) -> CaseFiles:
    """What the files of a case are to hold.

    Args:
        volumes: the images, at least one; others are brought onto the grid of the first.
        points: (n, 3) in RAS mm, or such points by the name of their label.
        mask: on the grid of the first image: 0 none, 1 the first label of ``points``, ...; of a ``LabelVolume`` the
            names tell.
        labels: name per number, as the dataset has it.
        negative: (m, 3) in RAS mm, where no label is.

    Raises:
        InputError: no points, points outside the image or of an unknown label, a mask on another grid, empty or with
            unknown labels.
    """
    images = parted(volumes)
    first = images[0]
    given = _numbered_points(points, labels)
    for name, (_, some) in given.items():
        check_inside(some, first, name)
    array = np.zeros(first.shape, dtype=np.uint8)
    for number, some in given.values():
        array[tuple(np.clip(np.rint(first.voxel_from_ras(some)).astype(int), 0, np.array(first.shape) - 1).T)] = number
    total = sum(len(some) for _, some in given.values())
    notes = []
    if (fused := total - np.count_nonzero(array)) > 0:
        notes.append(f"{fused} of {total} points share their voxel with another and are one in the file.")
    outside = inside_only(as_points(() if negative is None else negative, "negative points"), first)
    return CaseFiles(
        images=(first, *(_onto(image, first) for image in images[1:])),
        interactions=Volume(array, first.affine),
        label=None if mask is None else _label(mask, first, labels, list(given)),
        negative=outside,
        notes=tuple(notes),
    )


def labels_for(points: Mapping[str, ArrayLike] | ArrayLike, mask: Volume | None) -> dict[int, str]:
    """Name per number for a new dataset: the labels of the points in their order."""
    if isinstance(points, Mapping):
        return dict(enumerate(map(str, points), start=1))
    names = mask.names if isinstance(mask, LabelVolume) else {}
    only = next(iter(names.values())) if len(names) == 1 else ""
    return {1: DEFAULT_LABEL if only.isdecimal() or not only else only}


def existing(folder: Path) -> Dataset | None:
    """The dataset in a folder, None where there is none yet."""
    if (folder / "dataset.json").is_file():
        return described(folder)
    if not folder.is_dir():
        return None
    found = scanned(folder)
    return found if found.cases or found.test_cases else None


def check_fits(dataset: Dataset, name: str, images: int, *, overwrite: bool) -> None:
    """Refuse a case that a dataset has already, or with another number of images."""
    if images != len(dataset.channels):
        cases = f"{len(dataset.channels)} image{'s' * (len(dataset.channels) != 1)} of each case"
        raise InputError(
            f"The dataset {dataset.name} has {cases} ({', '.join(dataset.channels)}), and {images} "
            f"{'was' if images == 1 else 'were'} given. Give as many, in this order."
        )
    if not overwrite and any(case.name == name for case in dataset.cases + dataset.test_cases):
        raise InputError(
            f"The dataset {dataset.name} has a case {name} already. Choose another name, or ask to replace it."
        )


def write_case(case: Case, held: CaseFiles, subset: Subset, dataset: Dataset) -> Case:
    """Write the files of a case and then dataset.json; what stood there of the case goes when all is written.

    Args:
        case: its name and subtype.
        held: what its files hold.
        subset: where it goes.
        dataset: what is there, with the name, channels and labels that a new description gets; its folder is made if
            absent.

    Raises:
        OutputError: the folder cannot be written to.
    """
    folder, end = dataset.folder, ENDS[subset]
    written = replace(
        case,
        images=tuple(folder / f"images{end}" / f"{case.name}_{n:04d}.nii.gz" for n in range(len(held.images))),
        label=folder / f"labels{end}" / f"{case.name}.nii.gz" if held.label is not None else None,
        interactions=folder / f"interactions{end}" / f"{case.name}.nii.gz",
    )
    negative = folder / f"negative{end}" / f"{case.name}.csv"
    volumes: dict[Path, Volume] = dict(zip(written.images, held.images, strict=True))
    volumes[written.interactions] = held.interactions
    if written.label is not None:
        volumes[written.label] = Volume(held.label.array, held.label.affine)
    texts = {folder / "dataset.json": json.dumps(_description(written, subset, dataset), indent=2) + "\n"}
    if len(held.negative):
        rows = "\n".join(",".join(repr(value) for value in row) for row in held.negative.tolist())
        texts = {negative: f"r,a,s\n{rows}\n", **texts}
    targets = [*volumes, *texts]
    with refusals_as_errors(f"The dataset {folder} cannot be written to"):
        for target in targets:
            target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(*targets) as siblings:  # in this order they take their places: dataset.json is the last
        for (target, volume), sibling in zip(volumes.items(), siblings, strict=False):
            dtype = None if target in written.images else np.uint8
            files.write_volume(volume, sibling, dtype=dtype)
        for text, sibling in zip(texts.values(), siblings[len(volumes) :], strict=True):
            sibling.write_text(text, encoding="utf-8")
    _remove_older(folder, case.name, keep=set(targets))
    return written


def _remove_older(folder: Path, name: str, *, keep: set[Path]) -> None:
    """Files of a case that was replaced and that the new one does not have."""
    suffixes = (".nii.gz", ".nii", *POINT_SUFFIXES)
    places = [folder / f"{kind}{end}" for kind in ("labels", "interactions", "negative") for end in ENDS.values()]
    old = {place / f"{name}{suffix}" for place in places for suffix in suffixes}
    for end in ENDS.values():
        old |= set((folder / f"images{end}").glob(f"{name}_[0-9][0-9][0-9][0-9].nii*"))
    for path in old - keep:
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def _description(case: Case, subset: Subset, dataset: Dataset) -> dict[str, Any]:
    """The content of dataset.json with the case; all else in it stays as it is."""
    path = dataset.folder / "dataset.json"
    if not path.is_file():
        kept = {
            "cases": tuple(other for other in dataset.cases if other.name != case.name),
            "test_cases": tuple(other for other in dataset.test_cases if other.name != case.name),
        }
        kept["cases" if subset == "train" else "test_cases"] += (case,)
        texts = {"description": "", "reference": "", "licence": "", "release": "0.0"}
        return description_of(replace(dataset, **kept), texts)
    content = dict(read_json(path))
    entry = entry_of(case, dataset.folder)
    for key in ("training", "train", "test"):
        if isinstance(content.get(key), list):
            content[key] = [other for other in content[key] if not _is_of(other, case.name)]
    keys = [key for key in ("training", "train") if key in content] if subset == "train" else ["test"]
    for key in keys:
        content[key] = [*content.get(key, []), entry]
    content["numTraining"] = len(content.get("training", content.get("train", [])))
    content["numTest"] = len(content.get("test", []))
    return content


def _is_of(entry: Any, name: str) -> bool:
    paths = [entry.get("label"), entry.get("image")] if isinstance(entry, dict) else [entry]
    first = next((path for path in paths if path), None)
    first = first[0] if isinstance(first, list) and first else first
    return isinstance(first, str) and case_name(Path(first)) == name


def _numbered_points(
    points: Mapping[str, ArrayLike] | ArrayLike, labels: Mapping[int, str]
) -> dict[str, tuple[int, NDArray]]:
    """The dataset's number and the points (n, 3) of each label that is given."""
    given = dict(points) if isinstance(points, Mapping) else {DEFAULT_LABEL: points}
    numbers = {name: number for number, name in labels.items()}
    if len(given) == len(labels) == 1:
        number, name = next(iter(labels.items()))
        found = {name: (number, as_points(next(iter(given.values())), name))}
    else:
        unknown = sorted(set(map(str, given)) - set(numbers))
        if unknown:
            raise InputError(
                f"There are points of {unknown[0]}; the dataset's labels are {', '.join(labels.values())}. "
                "Give the points by these names."
            )
        found = {str(name): (numbers[str(name)], as_points(some, str(name))) for name, some in given.items()}
    if not any(len(some) for _, some in found.values()):
        raise InputError("There is no point. Place six points just inside the lesion's margin.")
    return {name: entry for name, entry in found.items() if len(entry[1])}


def _label(mask: Volume, image: Volume, labels: Mapping[int, str], given: list[str]) -> LabelVolume:
    """The mask in the dataset's numbers."""
    found = LabelVolume(mask.array, mask.affine, mask.names if isinstance(mask, LabelVolume) else {})
    if not found.same_grid(image):
        raise InputError("The mask does not lie on the image's grid. Resample it to the image, or draw it there.")
    if not found.names:
        raise InputError("The mask is empty: no voxel is inside. Draw the lesion, or leave the mask out.")
    numbers = {name: number for number, name in labels.items()}
    order = {n: numbers[name] for n, name in enumerate(given, start=1)}
    if len(labels) == 1 and len(found.names) == 1:
        order = dict.fromkeys(found.names, next(iter(labels)))
    array = np.zeros(found.shape, dtype=np.uint8)
    for value, name in found.names.items():
        number = numbers.get(name, order.get(value))
        if number is None:
            raise InputError(
                f"The mask holds the label {value} ({name}); the dataset's labels are {', '.join(labels.values())}."
            )
        array[found.array == value] = number
    return LabelVolume(array, found.affine, dict(labels))


def _onto(other: Volume, first: Volume) -> Volume:
    """Another image, linearly interpolated onto the grid of the first where it has another."""
    if other.same_grid(first):
        return Volume(other.array, first.affine)
    matrix = np.linalg.solve(other.affine, first.affine)
    return Volume(sampled_elsewhere(other.array, matrix, first.shape, order=1), first.affine)
