"""Layouts of public datasets and of our own sample: ACDC, BraTS 2020, the Medical Segmentation Decathlon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.files import nifti
from DeepMRILib.igs.layouts import FolderCase, Layout, folders_in, images_in, read_json

SAMPLE_JOB = "igs.sample"
_ACDC_FRAME = re.compile(r"(patient\d+)_frame\d+\.nii(\.gz)?$", re.IGNORECASE)
_ACDC_NAMES = {1: "RV cavity", 2: "LV myocardium", 3: "LV cavity"}
_BRATS_CONTRASTS = ("flair", "t1", "t1ce", "t2")
_BRATS_NAMES = {1: "NCR/NET", 2: "ED", 3: "ET"}
_BRATS_FILE = re.compile(r"(.+)_flair\.nii(\.gz)?$", re.IGNORECASE)
_CHANNEL = re.compile(r"_\d{4}$")
_DEPTH = 3
_LARGEST_LABEL = 255


def sample(folder: Path) -> Layout | None:
    """Our own sample: image, labels and phase of slices that have nothing to do with each other."""
    description, image = folder / "result.json", folder / "image.nii.gz"
    if not (description.is_file() and image.is_file()):
        return None
    content = read_json(description)
    provenance = content.get("provenance") if isinstance(content, dict) else None
    if not isinstance(provenance, dict) or provenance.get("job") != SAMPLE_JOB:
        return None
    labels, phase = folder / "labels.nii.gz", folder / "phase.nii.gz"
    case = FolderCase("sample", (image,), labels if labels.is_file() else None, phase if phase.is_file() else None)
    said = provenance.get("notes")
    notes = tuple(str(note) for note in said) if isinstance(said, list) else ()
    return Layout("a sample of DeepMRI", (case,), notes=notes, each_a_case=True)


def acdc(folder: Path) -> Layout | None:
    """ACDC: patientXXX/patientXXX_frameYY.nii.gz, end-diastole and end-systole, with _gt beside each."""
    cases = []
    for place in folders_in(folder, _DEPTH):
        for path in images_in(place):
            if match := _ACDC_FRAME.match(path.name):
                cases.append(FolderCase(match[1], (path,), _beside(path, "_gt")))  # noqa: PERF401
    if not cases:
        return None
    labelled = tuple(case for case in cases if case.labels is not None)
    return Layout("ACDC", labelled or tuple(cases), _ACDC_NAMES, notes=_unlabelled(len(cases), len(labelled)))


def brats(folder: Path) -> Layout | None:
    """BraTS 2020: <case>/<case>_flair, _t1, _t1ce, _t2 and _seg."""
    cases = []
    for place in folders_in(folder, _DEPTH):
        for path in images_in(place):
            if match := _BRATS_FILE.match(path.name):
                cases.append(_brats_case(place, match[1], path))  # noqa: PERF401
    if not cases:
        return None
    labelled = tuple(case for case in cases if case.labels is not None)
    notes = (
        "Contrasts: flair, t1, t1ce, t2. Label 4 is stored as 3. The regions of the challenge are sums of labels: "
        "whole tumour 1 + 2 + 3, tumour core 1 + 3, enhancing tumour 3.",
        *_unlabelled(len(cases), len(labelled)),
    )
    return Layout("BraTS 2020", labelled or tuple(cases), _BRATS_NAMES, {4: 3}, notes)


def _brats_case(place: Path, name: str, flair: Path) -> FolderCase:
    end = flair.name[len(name) + len("_flair") :]
    images = tuple(place / f"{name}_{contrast}{end}" for contrast in _BRATS_CONTRASTS)
    for path in images:
        if not path.is_file():
            raise InputError(
                f"{place.name} has no {path.name}; of BraTS all of {', '.join(_BRATS_CONTRASTS)} are used."
            )
    # one case of BraTS 2020 was published with its segmentation under another name
    others = [path for path in images_in(place) if nifti.stem(path).lower().endswith("segm")]
    return FolderCase(name, images, _beside(flair, "_seg", name) or (others[0] if len(others) == 1 else None))


def decathlon(folder: Path) -> Layout | None:
    """The Medical Segmentation Decathlon and nnU-Net: dataset.json, imagesTr, labelsTr."""
    path = folder / "dataset.json"
    if not path.is_file():
        return None
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("labels"), dict):
        raise InputError(f"{path} describes no segmentation: expected labels and training, as in the Decathlon.")
    training = content.get("training")
    cases = [_entry(folder, entry) for entry in training] if isinstance(training, list) else channels_and_labels(folder)
    if not cases:
        raise InputError(f"{path} lists no cases, and imagesTr beside it holds none with a label map in labelsTr.")
    modality = content.get("modality") or content.get("channel_names") or {}
    listed = ", ".join(str(modality[key]) for key in modality) if isinstance(modality, dict) else str(modality)
    notes = (f"Contrasts: {listed}.",) if listed else ()
    return Layout(
        "the Medical Segmentation Decathlon", tuple(cases), _label_names(path, content["labels"]), notes=notes
    )


def _entry(folder: Path, entry: Any) -> FolderCase:
    image = entry.get("image") if isinstance(entry, dict) else None
    label = entry.get("label") if isinstance(entry, dict) else None
    if not (isinstance(image, str) and isinstance(label, str)):
        raise InputError(f"dataset.json of {folder.name} has the entry {entry!r}; expected an image and a label.")
    return FolderCase(nifti.stem(Path(image)), (folder / image,), folder / label)


def channels_and_labels(folder: Path) -> list[FolderCase]:
    """The cases of imagesTr and labelsTr; images that end in four digits are contrasts of one case."""
    found: dict[str, list[Path]] = {}
    for path in images_in(folder / "imagesTr"):
        found.setdefault(_CHANNEL.sub("", nifti.stem(path)), []).append(path)
    labels = {nifti.stem(path): path for path in images_in(folder / "labelsTr")}
    return [FolderCase(name, tuple(paths), labels[name]) for name, paths in found.items() if name in labels]


def _label_names(path: Path, labels: Mapping[str, Any]) -> dict[int, str]:
    """Name per number, from {"1": "liver"} or {"liver": 1}, without the background."""
    names = {}
    for key, value in labels.items():
        number, name = (key, value) if str(key).isdecimal() else (value, key)
        if not str(number).isdecimal() or int(number) > _LARGEST_LABEL:
            raise InputError(f"{path} names the label {key!r}: {value!r}; expected numbers from 0 to {_LARGEST_LABEL}.")
        names[int(number)] = str(name)
    return {number: name for number, name in sorted(names.items()) if number}


def _beside(path: Path, suffix: str, name: str | None = None) -> Path | None:
    """The image beside another, with a suffix to its name, packed or not."""
    stem = nifti.stem(path) if name is None else name
    candidates = (path.with_name(f"{stem}{suffix}{end}") for end in nifti.SUFFIXES)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _unlabelled(count: int, labelled: int) -> tuple[str, ...]:
    if labelled == count:
        return ()
    if not labelled:
        return ("No case has labels: the images themselves are the target (reconstruction).",)
    return (f"{count - labelled} of {count} images have no labels and were left out.",)
