"""What is wrong with a dataset: one sentence per fault, that names the case and the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.dataset import (
    POINT_SUFFIXES,
    Case,
    CaseData,
    Dataset,
    label_at,
    read_case_points,
    read_images,
    read_label,
)
from DeepMRILib.interactive.points import FEWEST
from DeepMRILib.progress import Progress, silent
from DeepMRILib.volume import LabelVolume, Volume


@dataclass(frozen=True)
class Fault:
    """Something wrong with a case.

    Attributes:
        case: its name, empty for the whole dataset.
        text: one sentence.
        fatal: nothing can be trained with it; else it may be meant so.
    """

    case: str
    text: str
    fatal: bool = True

    def __str__(self) -> str:
        return self.text


def check_dataset(dataset: Dataset, *, progress: Progress = silent) -> tuple[Fault, ...]:
    """All faults of a dataset; empty where there is none. Every file is read."""
    faults = list(whole_faults(dataset))
    cases = dataset.cases + dataset.test_cases
    for number, case in enumerate(cases):
        progress(number / len(cases), f"Checking {case.name}")
        faults += inspected(case)[0]
    return tuple(faults)


def whole_faults(dataset: Dataset) -> Iterator[Fault]:
    """Faults that need no file: no cases, names that occur twice."""
    if not dataset.cases:
        yield Fault("", f"The dataset {dataset.name} has no cases to train on.")
    counts = Counter(case.name for case in dataset.cases + dataset.test_cases)
    for name, count in counts.items():
        if count > 1:
            yield Fault(name, f"{name}: {count} cases have this name. Give each a name of its own.")


def inspected(case: Case) -> tuple[list[Fault], CaseData | None]:
    """The faults of a case, and the case itself where it could be read."""
    missing = [Fault(case.name, f"{case.name}: there is no file {path}.") for path in _missing(case)]
    if missing:
        return missing, None
    try:
        images = read_images(case)
        label = None if case.label is None else read_label(case)
        points = read_case_points(case, label)
    except InputError as error:
        text = str(error)
        return [Fault(case.name, text if case.name in text else f"{case.name}: {text}")], None
    faults = [*_image_faults(case, images), *_label_faults(case, images[0], label), *_point_grid(case, images[0])]
    faults += _point_faults(case, images[0], label, points)
    return faults, CaseData(images, label, points)


def difference(other: Volume, image: Volume) -> str:
    """How the grid of a volume differs from that of an image, in words; empty where it does not.

    Example:
        >>> moved = np.eye(4)
        >>> moved[2, 3] = 3.2
        >>> difference(Volume(np.zeros((2, 2, 2)), moved), Volume(np.zeros((2, 2, 2))))
        'its origin differs by 3.2 mm'
    """
    if other.shape != image.shape:
        return f"it has {_times(other.shape)} voxels and the image {_times(image.shape)}"
    if other.same_grid(image):
        return ""
    if not np.allclose(other.spacing, image.spacing, rtol=1e-3):
        return f"its spacing is {_times(other.spacing)} mm and the image's {_times(image.spacing)} mm"
    angles = [_angle(other.affine[:3, axis], image.affine[:3, axis]) for axis in range(3)]
    if max(angles) > 0.01:
        return f"its axes are turned by {max(angles):.3g} degrees"
    apart = float(np.linalg.norm(other.affine[:3, 3] - image.affine[:3, 3]))
    return f"its origin differs by {apart:.3g} mm"


def _missing(case: Case) -> list[Path]:
    named = [*case.images, case.label, case.interactions]
    return [path for path in named if path is not None and not path.is_file()]


def _image_faults(case: Case, images: list[Volume]) -> Iterator[Fault]:
    for number, image in enumerate(images[1:], start=2):
        if words := difference(image, images[0]):
            words = words.replace("the image", "the first image")
            yield Fault(case.name, f"{case.name}: image {number} does not lie on the first image: {words}.")
    for number, image in enumerate(images, start=1):
        if not np.isfinite(np.asarray(image.array)).any():
            yield Fault(case.name, f"{case.name}: image {number} holds no finite value.")


def _label_faults(case: Case, image: Volume, label: LabelVolume | None) -> Iterator[Fault]:
    if label is None:
        return
    if words := difference(label, image):
        yield Fault(case.name, f"{case.name}: the label map does not lie on the image: {words}.")
    if not label.array.any():
        yield Fault(case.name, f"{case.name}: the label map is empty.")


def _point_grid(case: Case, image: Volume) -> Iterator[Fault]:
    if case.interactions is None or case.interactions.name.lower().endswith(POINT_SUFFIXES):
        return
    if words := difference(_grid_of(case.interactions), image):
        yield Fault(case.name, f"{case.name}: the interactions do not lie on the image: {words}.")


def _grid_of(path: Path) -> Volume:
    return files.read_volume(path)


def _point_faults(case: Case, image: Volume, label: LabelVolume | None, points: dict[str, NDArray]) -> Iterator[Fault]:
    if not sum(map(len, points.values())):
        words = "Add them to the interactions folder, or ask for synthetic points."
        yield Fault(case.name, f"{case.name}: there are no points. {words}", fatal=label is not None)
        return
    names = [case.labels[number] for number in sorted(case.labels)]
    for number, name in enumerate(names, start=1):
        placed = points.get(name, np.zeros((0, 3)))
        drawn = label is not None and bool((label.array == number).any())
        what = f" of {name}" if len(names) > 1 else ""
        if drawn and not len(placed):
            yield Fault(case.name, f"{case.name}: there are no points{what}, which the label map shows.")
        if not len(placed):
            continue
        if len(placed) < FEWEST:
            yield Fault(case.name, f"{case.name}: there are {len(placed)} points{what}; six are expected.", fatal=False)
        voxels = image.voxel_from_ras(placed)
        outside = ((voxels < -0.5) | (voxels > np.array(image.shape) - 0.5)).any(axis=1)
        if outside.any():
            yield Fault(case.name, f"{case.name}: {_count(outside)}{what} outside the image.")
        elif drawn and (astray := label_at(placed, label) != number).any():
            yield Fault(case.name, f"{case.name}: {_count(astray)}{what} outside the label.", fatal=False)


def _count(which: NDArray) -> str:
    count = int(which.sum())
    return f"{count} of {len(which)} points {'lies' if count == 1 else 'lie'}"


def _angle(first: NDArray, second: NDArray) -> float:
    cosine = first @ second / (np.linalg.norm(first) * np.linalg.norm(second))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
