"""From what a user has (an image, a file, a folder of cases, raw data) to slices with k-space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.folders import found_at
from DeepMRILib.igs.images import slices_of_image
from DeepMRILib.igs.joining import resized, spread
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.reading import Source, as_scanned, read_sources
from DeepMRILib.igs.splitting import part_of
from DeepMRILib.progress import Progress, silent
from DeepMRILib.volume import Volume


def read_dataset(
    data: SliceDataset | Volume | Path | str,
    options: DataOptions,
    *,
    labels: Volume | Path | str | None = None,
    phase: Volume | Path | str | None = None,
    progress: Progress | None = None,
) -> SliceDataset:
    """Slices for a search, a training or a test, from whatever holds them.

    Slices without any signal are left out, those without a label are kept. Parts are taken by case where there are
    three or more (see ``splitting``), then slices are spread evenly over the cases, then phase and noise are added.

    Args:
        data: slices as they are (of which only part, number and size are changed, and phase and noise added); an image;
            or the path of an image, of k-space (.npy, .npz, fastMRI or ISMRMRD .h5), or of a folder.
        options: how it is read.
        labels: of an image, on its grid; folders hold their own.
        phase: of an image, on its grid, in radians or a scanner's units.
        progress: told case by case.

    Raises:
        InputError: nothing usable there, or parts that do not fit each other; one sentence that names the file.
        DependencyError: the package for this format is not installed.
    """
    report = progress or silent
    if isinstance(data, SliceDataset):
        _refuse_extras(labels, phase, "slices that have their own targets")
        dataset = spread(part_of(data, options.part, options.seed), options.slices)
        return as_scanned(resized(dataset, options.size), options)
    if isinstance(data, Volume):
        image, extras = data, {"labels": _volume(labels, files.read_labels), "phase": _volume(phase, files.read_volume)}
        sources = [Source("image", "The image", lambda _: slices_of_image(image, options, **extras))]
        return read_sources(sources, options, report)
    if not isinstance(data, (str, Path)):
        raise InputError(f"Give slices, an image, or the path of a file or folder, not {type(data).__name__}.")
    found = found_at(Path(data).expanduser(), options, _place(labels), _place(phase))
    return read_sources(found.sources, options, report, found.notes)


def _place(given: Volume | Path | str | None) -> Volume | Path | None:
    return Path(given).expanduser() if isinstance(given, (str, Path)) else given


def _volume(given: Volume | Path | str | None, read: Callable[[Path], Volume]) -> Volume | None:
    return read(Path(given).expanduser()) if isinstance(given, (str, Path)) else given


def _refuse_extras(labels: object, phase: object, what: str) -> None:
    for name, given in (("labels", labels), ("a phase image", phase)):
        if given is not None:
            raise InputError(f"Give {name} with an image only, not with {what}.")
