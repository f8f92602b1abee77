"""A folder of cases to train on: images, label maps and the points of each lesion.

Two layouts are read: that of the Medical Segmentation Decathlon (a dataset.json with "training") and InteractiveNet's
``raw`` (imagesTr/<case>_0000.nii.gz, labelsTr, interactionsTr, and the same with Ts for tests), the latter also without
a dataset.json. Nothing in the folder is changed.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.files import nifti
from DeepMRILib.files.points import check_marked
from DeepMRILib.interactive.prepare_values import parted
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.volume import LabelVolume, Volume

POINT_SUFFIXES = (".mrk.json", ".json", ".fcsv", ".csv")


@dataclass(frozen=True)
class Case:
    """One patient's files.

    Attributes:
        name: unlike that of any other case.
        images: one file for each modality, or one file with all of them (4D, as in the Decathlon).
        label: the label map, None where there is none.
        interactions: the points: an image that is zero but at the points (there the label's number), or a points file.
        subtype: a class that folds are balanced by, empty for none.
        labels: name per number in the label map, without the background.
        channels: how many images there are to be.
        synthetic_seed: without ``interactions``, points are made from the label with this seed; None: they are not.
    """

    name: str
    images: tuple[Path, ...]
    label: Path | None = None
    interactions: Path | None = None
    subtype: str = ""
    labels: Mapping[int, str] = field(default_factory=lambda: {1: "lesion"})
    channels: int = 1
    synthetic_seed: int | None = None


@dataclass(frozen=True)
class Dataset:
    """Cases with the same images and the same labels.

    Attributes:
        folder: where it lies.
        name: of the task.
        channels: the modalities in order, e.g. ("CT",) or ("T1", "T2").
        labels: name per number in the label maps, without the background.
        cases: to train on.
        test_cases: held back for the test.
        notes: what was assumed, one sentence each.
    """

    folder: Path
    name: str
    channels: tuple[str, ...]
    labels: dict[int, str]
    cases: tuple[Case, ...]
    test_cases: tuple[Case, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels in the order in which ``read_case`` numbers them."""
        return tuple(self.labels[number] for number in sorted(self.labels))


class CaseData(NamedTuple):
    """A case in memory.

    Attributes:
        images: one 3D volume for each modality.
        label: (i, j, k), 0 none, 1 the first of ``Dataset.label_names``, ...; None without a label map.
        points: of each label that has some (n, 3) in RAS mm, by its name.
    """

    images: list[Volume]
    label: LabelVolume | None
    points: dict[str, NDArray]


def open_dataset(folder: Path | str, *, synthetic: int | None = None) -> Dataset:
    """What a dataset's folder holds. Files are named but not read: ``check_dataset`` looks into them.

    Args:
        folder: with dataset.json, or with imagesTr; "~" is the home folder.
        synthetic: a seed with which points are made from the label for cases that have none; None: they stay without.

    Raises:
        InputError: no such folder, no cases in it, or a dataset.json that is damaged or of another kind.
    """
    from DeepMRILib.interactive.dataset_layout import described, scanned

    place = Path(folder).expanduser()
    if not place.is_dir():
        raise InputError(f"There is no folder {place}. Give the folder of a dataset, with dataset.json or imagesTr.")
    dataset = described(place) if (place / "dataset.json").is_file() else scanned(place)
    if not dataset.cases and not dataset.test_cases:
        raise InputError(f"The dataset {place} holds no cases. Its images belong in imagesTr, its labels in labelsTr.")
    if synthetic is None:
        return dataset
    cases, made = _with_points(dataset.cases, synthetic)
    tests, made_tests = _with_points(dataset.test_cases, synthetic)
    if not made + made_tests:
        return dataset
    note = f"The points of {made + made_tests} cases are synthetic: made from the label with the seed {synthetic}."
    return replace(dataset, cases=cases, test_cases=tests, notes=(*dataset.notes, note))


def _with_points(cases: tuple[Case, ...], seed: int) -> tuple[tuple[Case, ...], int]:
    """Cases without points given a seed of their own, which does not hang on the other cases; and how many."""
    given = [case.interactions is None and case.label is not None for case in cases]
    own = [zlib.crc32(f"{seed} {case.name}".encode()) for case in cases]
    changed = tuple(
        replace(case, synthetic_seed=number) if lacks else case
        for case, lacks, number in zip(cases, given, own, strict=True)
    )
    return changed, sum(given)


def read_case(case: Case) -> CaseData:
    """The images, the label map and the points of a case.

    Raises:
        InputError: a file is missing or damaged, another number of images, or a label that the dataset does not name.
    """
    images = read_images(case)
    label = None if case.label is None else read_label(case)
    return CaseData(images, label, read_case_points(case, label))


def read_images(case: Case) -> list[Volume]:
    """The 3D images of a case, one for each modality.

    Raises:
        InputError: as ``read_case``.
    """
    images = parted([files.read_volume(path, components=True) for path in case.images])
    if len(images) != case.channels:
        raise InputError(
            f"The case {case.name} has {len(images)} image{'s' * (len(images) != 1)}; the dataset names "
            f"{case.channels} modalit{'y' if case.channels == 1 else 'ies'}. Add what is missing, or correct "
            "dataset.json."
        )
    return images


def read_label(case: Case) -> LabelVolume:
    """The label map of a case, its labels numbered 1, 2, ... in the order of their numbers in the file.

    Raises:
        InputError: as ``read_case``.
    """
    if case.label is None:
        raise InputError(f"The case {case.name} has no label map.")
    found = files.read_labels(case.label)
    array = np.asarray(found.array)
    unknown = sorted(set(np.unique(array[array != 0]).tolist()) - set(case.labels))
    if unknown:
        known = ", ".join(f"{number} ({name})" for number, name in sorted(case.labels.items()))
        raise InputError(
            f"The label map of {case.name} holds the value {unknown[0]}; the dataset names {known}. "
            "Correct the label map, or name the label in dataset.json."
        )
    numbers = sorted(case.labels)
    table = np.zeros(max(numbers) + 1, dtype=np.uint8)
    table[numbers] = range(1, len(numbers) + 1)
    return LabelVolume(table[array], found.affine, {n: case.labels[old] for n, old in enumerate(numbers, start=1)})


def read_case_points(case: Case, label: Volume | None) -> dict[str, NDArray]:
    """The points of a case in RAS mm by the name of their label; made from ``label`` where it asks for that.

    Raises:
        InputError: as ``read_case``.
    """
    names = [case.labels[number] for number in sorted(case.labels)]
    if case.interactions is None:
        if case.synthetic_seed is None or label is None:
            return {}
        present = set(np.unique(label.array).tolist())
        return {
            name: synthetic_points(label, label=number, seed=case.synthetic_seed)
            for number, name in enumerate(names, start=1)
            if number in present
        }
    if case.interactions.name.lower().endswith(POINT_SUFFIXES):
        return _from_points_file(case, names, label)
    return _from_image(case, names)


def _from_image(case: Case, names: list[str]) -> dict[str, NDArray]:
    volume = files.read_volume(case.interactions)
    check_marked(np.nan_to_num(volume.array) > 0.5, f"The interactions of {case.name}: {case.interactions.name}")
    voxels = np.argwhere(np.nan_to_num(volume.array) > 0.5)
    values = np.rint(volume.array[tuple(voxels.T)]).astype(int)
    points = volume.ras_from_voxel(voxels) if len(voxels) else np.zeros((0, 3))
    if len(names) == 1:
        return {names[0]: points} if len(points) else {}
    unknown = sorted(set(values.tolist()) - set(case.labels))
    if unknown:
        raise InputError(
            f"The interactions of {case.name} hold the value {unknown[0]}; each point's value is the number of its "
            f"label: {', '.join(map(str, sorted(case.labels)))}."
        )
    return {case.labels[number]: points[values == number] for number in sorted(set(values.tolist()))}


def _from_points_file(case: Case, names: list[str], label: Volume | None) -> dict[str, NDArray]:
    found = files.read_prompts(case.interactions)
    if isinstance(found, dict):
        known = {**{str(number): name for number, name in case.labels.items()}, **{name: name for name in names}}
        unknown = sorted(set(found) - set(known))
        if unknown and len(names) > 1:
            raise InputError(
                f"The points of {case.name} belong to {unknown[0]}; the dataset names {', '.join(names)}. "
                "Rename the list of points, or the label in dataset.json."
            )
        if not unknown:
            return {known[name]: points for name, points in found.items()}
        found = np.concatenate(list(found.values()))
    if len(names) == 1:
        return {names[0]: found}
    if label is None:
        raise InputError(
            f"The points of {case.name} do not say which label they belong to. "
            "Give a table with the columns segment, r, a, s."
        )
    numbers = label_at(found, label)
    return {name: found[numbers == n] for n, name in enumerate(names, start=1) if (numbers == n).any()}


def label_at(points: NDArray, label: Volume) -> NDArray:
    """The label (n,) at points (n, 3) in RAS mm; 0 outside the label map."""
    voxels = np.rint(label.voxel_from_ras(points)).astype(int)
    inside = ((voxels >= 0) & (voxels < label.shape)).all(axis=1)
    values = np.zeros(len(points), dtype=int)
    values[inside] = label.array[tuple(voxels[inside].T)]
    return values


def case_name(path: Path) -> str:
    """A case's name from the file of an image or label: without extension and without the modality's four digits.

    Example:
        >>> case_name(Path("imagesTr/lipoma_003_0000.nii.gz")), case_name(Path("labelsTr/lipoma_003.nii.gz"))
        ('lipoma_003', 'lipoma_003')
    """
    stem = nifti.stem(path)
    return stem[:-5] if len(stem) > 5 and stem[-5] == "_" and stem[-4:].isdecimal() else stem
