"""What the path that a user gives leads to: an image, k-space, raw data, or a folder of cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.igs import hdf5
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.images import slices_of_image
from DeepMRILib.igs.layouts import IMAGE_SUFFIXES, FolderCase, Layout, listed, names_in_maps, read_case
from DeepMRILib.igs.layouts_known import acdc, brats, decathlon, sample
from DeepMRILib.igs.layouts_plain import one_folder, pairs, table, two_folders
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.raw_arrays import NAME as ARRAY_NAME
from DeepMRILib.igs.raw_arrays import slices_of_array
from DeepMRILib.igs.raw_fastmri import is_fastmri, patient, slices_of_fastmri
from DeepMRILib.igs.raw_ismrmrd import is_ismrmrd, slices_of_ismrmrd
from DeepMRILib.igs.reading import Source
from DeepMRILib.volume import Volume

_LAYOUTS = (sample, decathlon, table, acdc, brats, two_folders, one_folder)
_KINDS = (
    "images (NIfTI, NRRD, MetaImage, DICOM), k-space (.npy, .npz), raw data (fastMRI or ISMRMRD .h5), or a folder of "
    "these"
)


class Found(NamedTuple):
    """What a path leads to: the sources, and what was assumed."""

    sources: list[Source]
    notes: tuple[str, ...] = ()


def found_at(path: Path, options: DataOptions, labels: Path | Volume | None, phase: Path | Volume | None) -> Found:
    """The sources of slices at a path.

    Args:
        path: of a file or folder.
        options: how slices are read.
        labels: of an image file; or a folder of label maps for a folder of images.
        phase: of an image file.

    Raises:
        InputError: nothing usable there, or labels where the data hold their own.
    """
    if ARRAY_NAME.search(path.name):
        _refuse(path, labels, phase)
        return Found([_raw(path, options, slices_of_array)])
    if path.is_dir():
        return _in_folder(path, options, labels, phase)
    if path.suffix.lower() in hdf5.SUFFIXES:
        _refuse(path, labels, phase)
        return Found([_hdf5(path, options)])
    return Found([_image(path, options, labels, phase)])


def _in_folder(folder: Path, options: DataOptions, labels: Path | Volume | None, phase: Path | Volume | None) -> Found:
    if not listed(folder):
        raise InputError(f"The folder {folder} is empty. Give one with {_KINDS}.")
    if isinstance(labels, Path) and labels.is_dir():
        return _with_layout(pairs(folder, labels), options)
    for recognised in _LAYOUTS:
        if (layout := recognised(folder)) is not None:
            _refuse(folder, labels, phase)
            return _with_layout(layout, options)
    arrays = [_raw(path, options, slices_of_array) for path in listed(folder) if ARRAY_NAME.search(path.name)]
    raw = [_hdf5(path, options) for path in listed(folder) if path.suffix.lower() in hdf5.SUFFIXES]
    if arrays or raw:
        _refuse(folder, labels, phase)
        many = len(arrays) + len(raw)
        return Found([*arrays, *raw], (f"The folder was read as {many} file{'s' * (many > 1)} of raw data.",))
    if any(files.looks_like_dicom(path) for path in listed(folder) if path.is_file()):
        return Found([_image(folder, options, labels, phase)])
    raise InputError(f"The folder {folder} holds nothing that can be used. Give one with {_KINDS}.")


def _with_layout(layout: Layout, options: DataOptions) -> Found:
    if options.part != "all" and not layout.names:  # parts need not hold every label, and must agree on their number
        layout = replace(layout, names=names_in_maps(layout.cases))

    def reader(case: FolderCase) -> Callable[[int], SliceDataset]:
        return lambda _: read_case(layout, case, options)

    sources = [Source(case.case, case.name, reader(case), case.kind) for case in layout.cases]
    count = len({source.case for source in sources})
    images = "1 image" if len(sources) == 1 else f"{len(sources)} images"
    of = "" if layout.each_a_case else f" of {count} case{'s' * (count != 1)}"
    note = f"The folder was read as {layout.title}: {images}{of}."
    return Found(sources, (note, *layout.notes))


def _hdf5(path: Path, options: DataOptions) -> Source:
    """An HDF5 file: of fastMRI the patient's name is in it."""
    with hdf5.opened(path) as file:
        if is_fastmri(file):
            return _raw(path, options, slices_of_fastmri, patient(file))
        if is_ismrmrd(file):
            return _raw(path, options, slices_of_ismrmrd)
        inside = ", ".join(sorted(file)[:5]) or "nothing"
    raise InputError(
        f"{path.name} is neither of fastMRI, which holds kspace, nor of ISMRMRD, which holds a dataset with xml and "
        f"data. It holds {inside}."
    )


def _raw(
    path: Path, options: DataOptions, read: Callable[[Path, DataOptions, int], SliceDataset], case: str = ""
) -> Source:
    return Source(case or path.stem, path.name, lambda most: read(path, options, most))


def _image(path: Path, options: DataOptions, labels: Path | Volume | None, phase: Path | Volume | None) -> Source:
    if not path.exists():
        raise InputError(f"There is nothing at {path}. Give {_KINDS}.")
    known = path.name.lower().endswith(IMAGE_SUFFIXES) or path.is_dir()
    if not known and not (path.is_file() and files.looks_like_dicom(path)):
        raise InputError(f"{path.name} is of no kind that can be read. Give {_KINDS}.")

    def read(_: int) -> SliceDataset:
        image = files.read_volume(path, components=True)
        marked = files.read_labels(labels) if isinstance(labels, Path) else labels
        turned = files.read_volume(phase, components=True) if isinstance(phase, Path) else phase
        return slices_of_image(image, options, labels=marked, phase=turned, case=path.name)

    return Source(path.name, path.name, read)


def _refuse(path: Path, labels: object, phase: object) -> None:
    for what, given in (("Labels", labels), ("A phase image", phase)):
        if given is not None:
            raise InputError(f"{what} can be given with one image; {path.name} is read with what it holds itself.")
