"""``interactive.export``: a segmented case into the folder of a dataset that networks are trained on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from numpy.typing import ArrayLike

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.dataset import Case, Dataset
from DeepMRILib.interactive.export_files import (
    CaseFiles,
    Subset,
    case_files,
    check_case_name,
    check_fits,
    existing,
    labels_for,
    write_case,
)
from DeepMRILib.interactive.options_pipeline import ExportOptions
from DeepMRILib.interactive.prepare_values import parted
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance, Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

Points = Mapping[str, ArrayLike] | ArrayLike


@dataclass(frozen=True)
class ExportResult(Result):
    """What was exported.

    Attributes:
        table: one row per file of the case: ``file`` (its path), ``holds`` (an image's modality, ``label``,
            ``interactions``).
        images: the images, by ``image_1``, ...; empty where the case went into a dataset.
        interactions: zero but at the points, there the number of their label; None where it went into a dataset.
        label: the label map; None without one, or where it went into a dataset.
    """

    table: Table = field(default_factory=lambda: Table({}))
    images: dict[str, Volume] = field(default_factory=dict)
    interactions: Volume | None = None
    label: LabelVolume | None = None


def export(
    volume: Volume,
    points_ras: Points,
    options: ExportOptions | None = None,
    *,
    mask: Volume | None = None,
    negative_points: ArrayLike | None = None,
    channels: Sequence[Volume | Path] | None = None,
    progress: Progress | None = None,
) -> ExportResult:
    """Add a case to a dataset, in InteractiveNet's layout; without a dataset its files become those of the result.

    Args:
        volume: (i, j, k), or several images of the same place (i, j, k, c).
        points_ras: (n, 3) in RAS mm, or such points by the name of their label.
        options: see ``ExportOptions``.
        mask: the segmentation on the grid of ``volume``; without one the case can be tested on, but not trained.
        negative_points: (m, 3) in RAS mm, where no label is.
        channels: further images of the same place; brought onto the grid of ``volume``.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: images, points or mask that cannot be used or do not fit the dataset, or a name that is taken.
        OutputError: the dataset cannot be written to.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(ExportOptions() if options is None else options)
    report = part(progress, 0.0, 1.0)
    report(0.0, "Reading the images")
    others = [files.read_volume(other) if isinstance(other, Path) else other for other in channels or ()]
    volumes = [volume, *others]
    report(0.3, "Writing the case")
    if options.dataset:
        case, held, names = _added(
            Path(options.dataset), options.case, volumes, points_ras, mask, negative=negative_points,
            subset=options.subset, modalities=options.modalities, subtype=options.subtype,
            overwrite=options.replace,
        )  # fmt: skip
        result = {"table": _table(case, names)}
    else:
        check_case_name(options.case)
        held = case_files(volumes, points_ras, mask, labels_for(points_ras, mask), negative=negative_points)
        names = _channels(None, options.modalities, len(held.images))
        images = {f"image_{number}": image for number, image in enumerate(held.images, start=1)}
        rows = [{"file": f"{key}.nii.gz", "holds": name} for key, name in zip(images, names, strict=True)]
        rows += [{"file": "label.nii.gz", "holds": "label"}] if held.label is not None else []
        rows.append({"file": "interactions.nii.gz", "holds": "interactions"})
        parts = {"images": images, "interactions": held.interactions, "label": held.label}
        result = {"table": Table.from_rows(rows), **parts}
    report(1.0, "Exported")
    provenance = Provenance(
        job="interactive.export",
        engine="the Decathlon's layout with InteractiveNet's interactions",
        options=to_json(options),
        seconds={"export": time.perf_counter() - started},
        inputs={
            "shape": list(volume.shape),
            "images": len(held.images),
            "points": int((held.interactions.array > 0).sum()),
            "mask": mask is not None,
        },
        notes=held.notes,
    )
    return ExportResult(provenance, **result)


def export_case(
    dataset: Path | str,
    name: str,
    volumes: Volume | Sequence[Volume],
    points: Points,
    mask: Volume | None = None,
    *,
    negative: ArrayLike | None = None,
    subset: Subset = "train",
    modalities: Sequence[str] = (),
    subtype: str = "",
    overwrite: bool = False,
) -> Case:
    """Add a case to a dataset, which is made if absent, and tell where its files are.

    Files are written under temporary names and take their own when all are written, dataset.json last.

    Args:
        dataset: its folder; "~" is the home folder.
        name: of the case.
        volumes: one image for each modality; others are brought onto the grid of the first.
        points: (n, 3) in RAS mm, or such points by the name of their label.
        mask: on the grid of the first image.
        negative: (m, 3) in RAS mm, where no label is: a table in negativeTr, which InteractiveNet does not read.
        subset: to train on, or held back for the test.
        modalities: what the images are; by default those of the dataset, or MR.
        subtype: class of the lesion.
        overwrite: replace a case of that name.

    Raises:
        InputError: as ``export``.
        OutputError: the folder cannot be written to.
    """
    several = [volumes] if isinstance(volumes, Volume) else list(volumes)
    return _added(
        Path(dataset), name, several, points, mask, negative=negative, subset=subset, modalities=modalities,
        subtype=subtype, overwrite=overwrite,
    )[0]  # fmt: skip


def _added(
    place: Path,
    name: str,
    volumes: Sequence[Volume],
    points: Points,
    mask: Volume | None,
    *,
    negative: ArrayLike | None,
    subset: Subset,
    modalities: Sequence[str],
    subtype: str,
    overwrite: bool,
) -> tuple[Case, CaseFiles, tuple[str, ...]]:
    """The case, what its files hold, and the modalities of the dataset."""
    folder = place.expanduser()
    check_case_name(name)
    dataset = existing(folder)
    count = len(parted(volumes))
    if not count:
        raise InputError("There is no image. Give at least one.")
    channels = _channels(dataset, tuple(modalities), count)
    labels = dataset.labels if dataset is not None else labels_for(points, mask)
    if dataset is not None:
        check_fits(dataset, name, count, overwrite=overwrite)
    held = case_files(volumes, points, mask, labels, negative=negative)
    case = Case(name, (), subtype=subtype, labels=labels, channels=count)
    known = dataset or Dataset(folder, folder.resolve().name, channels, labels, ())
    return write_case(case, held, subset, replace(known, channels=channels)), held, channels


def _channels(dataset: Dataset | None, modalities: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The modalities of the dataset as it will be."""
    described = dataset is not None and (dataset.folder / "dataset.json").is_file()
    if described and modalities and modalities != dataset.channels:
        raise InputError(
            f"The modalities {', '.join(modalities)} were named, and the dataset {dataset.name} has "
            f"{', '.join(dataset.channels)}. Leave them out, or choose another dataset."
        )
    if described:
        return dataset.channels
    if modalities and len(modalities) != count:
        raise InputError(f"{len(modalities)} modalities were named for {count} images. Name one for each.")
    return modalities or (("MR",) if count == 1 else tuple(f"MR {number}" for number in range(1, count + 1)))


def _table(case: Case, names: Sequence[str]) -> Table:
    rows = [{"file": str(path), "holds": name} for path, name in zip(case.images, names, strict=True)]
    if case.label is not None:
        rows.append({"file": str(case.label), "holds": "label"})
    return Table.from_rows([*rows, {"file": str(case.interactions), "holds": "interactions"}])
