"""A small training task of generated lesions, in InteractiveNet's layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.dataset import Case, Dataset
from DeepMRILib.interactive.dataset_json import description_of, write_json
from DeepMRILib.interactive.phantom import LesionPhantom, lesion_phantom
from DeepMRILib.interactive.phantom_kinds import KindName
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import new_folder
from DeepMRILib.volume import Volume

EASY: tuple[KindName, ...] = ("hetero", "lobulated", "lowcontrast")
_MODALITIES = ("MR", "MR second contrast")
_TEXTS = {
    "description": "Generated lesions in a background of two tissues; no patient",
    "reference": "DeepMRI",
    "licence": "Apache-2.0",
    "release": "1.0",
}


def phantom_dataset(
    folder: Path | str,
    *,
    cases: int = 20,
    tests: int = 0,
    hard: float = 0.5,
    seed: int = 0,
    size: Sequence[int] = (40, 40, 32),
    spacing: Sequence[float] = (1.6, 1.6, 2.0),
    images: int = 1,
    lesions: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write a dataset of generated lesions: imagesTr, labelsTr, interactionsTr and dataset.json, whole or not at all.

    Every case has a class, ``hard`` or ``easy``, by which folds are balanced and scores can be told apart. Lesions are
    of 12 to 25 ml, so that a small network learns the task on a processor in minutes.

    Args:
        folder: of the dataset; it must not exist.
        cases: to train on.
        tests: held back, in folders that end in Ts.
        hard: fraction of the cases of the kind ``hard``.
        seed: the same seed gives the same files; another one other lesions.
        size, spacing: of the images in voxels and mm.
        images: of different contrast, 1 or 2, each a modality.
        lesions: that touch, 1 or 2, each a label.
        progress: told how far it is.

    Raises:
        InputError: no cases, or settings that ``lesion_phantom`` refuses.
        OutputError: the folder exists or cannot be written.
    """
    if cases < 1 or tests < 0 or not 0 <= hard <= 1:
        raise InputError(
            f"{cases} cases, {tests} tests and {hard:g} of them hard make no dataset: give at least one case, and a "
            "fraction from 0 to 1."
        )
    report = part(progress, 0.0, 1.0)
    place = Path(folder).expanduser()
    with new_folder(place) as partial:
        found: dict[str, list[Case]] = {"Tr": [], "Ts": []}
        for number in range(cases + tests):
            report(number / (cases + tests), f"Case {number + 1} of {cases + tests}")
            # fractions of whole numbers: of any run of cases the same share is hard
            is_hard = int((number + 1) * hard) > int(number * hard)
            made = lesion_phantom(
                "hard" if is_hard else EASY[number % len(EASY)],
                1000 * seed + number,
                size=size,
                spacing=spacing,
                images=images,
                lesions=lesions,
            )
            end = "Tr" if number < cases else "Ts"
            found[end].append(_written(partial, f"case_{number:03d}", end, made))
        names = dict(enumerate(made.points, start=1))
        described = Dataset(partial, place.name, _MODALITIES[:images], names, tuple(found["Tr"]), tuple(found["Ts"]))
        write_json(partial / "dataset.json", description_of(described, _TEXTS))
    return place


def _written(folder: Path, name: str, end: str, made: LesionPhantom) -> Case:
    """A case's files."""
    kinds = ("images", "labels", "interactions")
    images, labels, interactions = (folder / f"{kind}{end}" for kind in kinds)
    for place in (images, labels, interactions):
        place.mkdir(exist_ok=True)
    arrays = np.moveaxis(made.image.array.reshape(*made.image.shape, -1), -1, 0)
    paths = [images / f"{name}_{channel:04d}.nii.gz" for channel in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        files.write_volume(made.image.like(array), path)
    marks = np.zeros(made.label.shape, dtype=np.uint8)
    for number, points in enumerate(made.points.values(), start=1):
        marks[tuple(np.rint(made.label.voxel_from_ras(points)).astype(int).T)] = number
    plain = Volume(made.label.array, made.label.affine)
    files.write_volume(plain, labels / f"{name}.nii.gz")
    files.write_volume(plain.like(marks), interactions / f"{name}.nii.gz")
    return Case(
        name,
        tuple(paths),
        labels / f"{name}.nii.gz",
        interactions / f"{name}.nii.gz",
        subtype="hard" if made.kind == "hard" else "easy",
    )
