"""``pvs.import``: networks of Keras, TensorFlow or ONNX, such as SHIVA's, as a model of ours.

Nothing in such a file is run: its layers are read as a list of known operations (``importer``).
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from DeepMRILib.errors import InputError, OutputError, WeightsError, require
from DeepMRILib.model_card import check_name
from DeepMRILib.model_store import Model, ModelStore
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.pvs.engine import BOX, Modality
from DeepMRILib.pvs.graph_names import aligned
from DeepMRILib.pvs.imported import ImportedNetworks
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.options import ImportOptions, IntensityRule
from DeepMRILib.pvs.published import AUTHORS, CITATION, LICENCE, LICENCE_TEXT, SETS, PublishedSet
from DeepMRILib.pvs.sources import Source, Sources, find_sources
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.trained import LICENCE as NOT_STATED
from DeepMRILib.writing import refusals_as_errors

_BY_COUNT: dict[int, tuple[Modality, ...]] = {1: ("t1",), 2: ("t1", "flair")}


def import_networks(
    source: Path,
    options: ImportOptions | None = None,
    *,
    lambdas: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> ImportedNetworks:
    """Networks of another program as a model: a SHIVA set, or any network for the same box of voxels.

    Args:
        source: an HDF5 file (.h5), a SavedModel folder, a .keras or .onnx file, or a folder that holds several of
            them, which are averaged.
        options: see ``ImportOptions``.
        lambdas: what Lambda layers of Keras do, by name (``importer.reading.read_network``); those of published sets
            are known.
        progress: may raise ``Cancelled``.

    Raises:
        InputError: no network there, folds missing or of different networks, a published set whose licence was not
            accepted, or a network for other images.
        WeightsError: a file is damaged, or has layers that are not known.
        DependencyError: a package to read it is not installed.
        Cancelled: by ``progress``.
    """
    return import_checked(source, options, lambdas=lambdas, progress=progress)


def import_checked(
    source: Path,
    options: ImportOptions | None = None,
    *,
    lambdas: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    box: tuple[int, int, int] = BOX,
    sets: Sequence[PublishedSet] = SETS,
    licence_as_note: bool = False,
) -> ImportedNetworks:
    """``import_networks`` for a box of another size or other published sets.

    Args:
        source, options, lambdas, progress: as there.
        box: voxels of the networks' input.
        sets: those that are recognised.
        licence_as_note: a licence that was not accepted becomes a note instead of an error: for networks that are
            used from where they lie and not kept.

    Raises:
        As ``import_networks``.
    """
    options = validate(ImportOptions() if options is None else options)
    require("torch", "Reading a network")
    require("safetensors", "Keeping a network")
    source = Path(source).expanduser()
    told = part(progress, 0.0, 1.0)
    told(0.0, "Looking for networks")
    sources = find_sources(source, sets=sets)
    notes = _licence_notes(sources.published, options, as_note=licence_as_note)
    name = check_name(options.name or _default_name(source, sources))
    folds = _read_all(sources, options, lambdas or {}, box, told)
    told(1.0, "Imported")
    return _networks(name, source, options, sources, folds, notes=notes)


def import_model(
    path: Path,
    options: ImportOptions | None = None,
    *,
    store: ModelStore | None = None,
    overwrite: bool = False,
    lambdas: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Model:
    """``import_networks``, put into the store of models.

    Args:
        path, options, lambdas, progress: as ``import_networks``.
        store: the user's when None.
        overwrite: replace a model of that name.

    Raises:
        OutputError: there is a model of that name, or no space or right to write.
        Others: as ``import_networks``.
    """
    store = ModelStore() if store is None else store
    return store_checked(path, options, store, overwrite=overwrite, lambdas=lambdas, progress=progress)


def store_checked(
    path: Path,
    options: ImportOptions | None,
    store: ModelStore,
    *,
    overwrite: bool = False,
    lambdas: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    box: tuple[int, int, int] = BOX,
    sets: Sequence[PublishedSet] = SETS,
) -> Model:
    """``import_model`` for a box of another size or other published sets."""

    def write(folder: Path) -> Path:  # what is imported is let go before the store reads it again
        told = part(progress, 0.0, 0.9)
        networks = import_checked(path, options, lambdas=lambdas, progress=told, box=box, sets=sets)
        if os.path.lexists(store.folder / networks.name) and not overwrite:
            raise OutputError(
                f"There is already a model {networks.name} in {store.folder}. Choose another name, or overwrite."
            )
        return networks.save(folder / networks.name)

    with refusals_as_errors(f"A model cannot be written to {store.folder}"):
        store.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".import-", dir=store.folder) as folder:
            return store.add(write(Path(folder)), overwrite=overwrite)


@dataclass(frozen=True, eq=False)
class _Folds:
    """What was read: one structure for all folds of the same design."""

    weights: dict[str, NDArray]
    structures: tuple[str, ...]
    structure_of: tuple[int, ...]
    images: tuple[Modality, ...]
    classes: int
    notes: tuple[str, ...]


def _licence_notes(published: PublishedSet | None, options: ImportOptions, *, as_note: bool) -> tuple[str, ...]:
    if published is None or options.accept_licence:
        return ()
    stated = f"The weights of {published.title} come under this licence: {LICENCE_TEXT}"
    if as_note:
        return (stated,)
    raise InputError(f"{stated} Read it; if you agree, import them with accept_licence (--accept-licence).")


def _default_name(source: Path, sources: Sources) -> str:
    if sources.published is not None:
        return sources.published.key
    stem = source.resolve().stem if source.is_file() else source.resolve().name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:64].rstrip("-._") or "network"


def _read_all(
    sources: Sources, options: ImportOptions, lambdas: Mapping[str, str], box: tuple[int, int, int], told: Progress
) -> _Folds:
    from DeepMRILib.pvs.network_check import Fit, check_network

    weights: dict[str, NDArray] = {}
    structures: list[str] = []
    structure_of: list[int] = []
    graphs: list[Graph] = []  # of the structures, without weights but the last one's
    first: Fit | None = None
    for number, source in enumerate(sources.folds):
        told(number / len(sources.folds), f"Reading {source.path.name}, {number + 1} of {len(sources.folds)}")
        graph = _read(source, sources.published, lambdas)
        fit = check_network(graph, source.path.name, box)
        _check_alike(first, fit, sources.folds[0].path, source.path)
        first = first or fit
        for reference in graphs:
            graph = aligned(graph, reference)
        text = _as_text(graph, source.path.name)
        if text not in structures:
            structures.append(text)
            graphs.append(graph)
        structure_of.append(structures.index(text))
        weights |= {f"fold{source.fold}.{name}": array for name, array in graph.weights.items()}
    assert first is not None  # noqa: S101 - there is a network: find_sources has seen to it
    images = _images(options.images, sources.published, first.channels, sources.folds[0].path)
    return _Folds(weights, tuple(structures), tuple(structure_of), images, first.classes, first.notes)


def _as_text(graph: Graph, name: str) -> str:
    """The structure as it is stored."""
    try:
        return json.dumps(graph.structure(), separators=(",", ":"), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise WeightsError(
            f"{name} cannot be stored: a setting of one of its operations is infinite or no number ({error}). Export "
            "the network without it."
        ) from error


def _read(source: Source, published: PublishedSet | None, lambdas: Mapping[str, str]) -> Graph:
    from DeepMRILib.pvs.importer.reading import read_network

    try:
        return read_network(source.path, lambdas=lambdas, known=published is not None)
    except WeightsError as error:
        if source.path.name in str(error):
            raise
        raise WeightsError(f"{source.path.name}: {error}") from error


def _check_alike(first: object, fit: object, first_path: Path, path: Path) -> None:
    if first is not None and fit != first:
        raise InputError(
            f"{path.name} is another kind of network than {first_path.name}: their inputs or outputs differ, so they "
            "cannot be averaged. Import them one by one, each from its own file."
        )


def _images(
    chosen: tuple[Modality, ...], published: PublishedSet | None, channels: int, path: Path
) -> tuple[Modality, ...]:
    """The images that the network takes, in their order."""
    images = chosen or (published.images if published is not None else _BY_COUNT.get(channels, ()))
    if len(set(images)) < len(images) or ("t2" in images and len(images) > 1):
        raise InputError(f"images is {' '.join(images)}; expected t1, t1 flair, flair t1, or t2.")
    if len(images) != channels:
        said = " ".join(images) or "none"
        raise InputError(
            f"{path.name} takes {channels} {'image' if channels == 1 else 'images'}, and images names {said}. Name as "
            "many, of t1, flair and t2, in their order; there are no networks for more than two here."
        )
    return images


def _networks(
    name: str, source: Path, options: ImportOptions, sources: Sources, folds: _Folds, *, notes: tuple[str, ...]
) -> ImportedNetworks:
    published = sources.published
    return ImportedNetworks(
        provenance=Provenance(
            job="pvs.import-model",
            engine=f"{published.title}; {CITATION}" if published else "a network that was trained elsewhere",
            options=to_json(options),
            inputs={"networks": len(sources.folds), "made_from": [one.path.name for one in sources.folds]},
            notes=(*notes, *folds.notes, *_assumed(options, sources, folds)),
        ),
        name=name,
        version=published.version if published else "1",
        images=folds.images,
        intensity=_intensity(options, published),
        takes_t2=bool(published and published.takes_t2),
        classes=folds.classes,
        folds=tuple(one.fold for one in sources.folds),
        weights=folds.weights,
        structures=folds.structures,
        structure_of=folds.structure_of,
        networks=Table.from_rows(
            {"fold": one.fold, "file": one.path.name, "recognised": one.by or "no"} for one in sources.folds
        ),
        licence=LICENCE if published else options.licence or NOT_STATED,
        source=_source(source, options, published),
        licence_text=_licence_text(published),
        published=published.key if published else "",
        paper=CITATION if published else "",
    )


def _intensity(options: ImportOptions, published: PublishedSet | None) -> IntensityRule:
    if options.intensity != "known":
        return options.intensity
    return published.intensity if published else "shivai_1.3"


def _source(source: Path, options: ImportOptions, published: PublishedSet | None) -> str:
    if published is None:
        return options.source or f"Imported from {source.resolve().name}; who trained it is not stated"
    return f"{published.title}, {AUTHORS}, {published.date}, {published.page}"


def _licence_text(published: PublishedSet | None) -> str:
    if published is None:
        return ""
    return (
        f"{published.title}\n{AUTHORS}\n{published.page}\n\nThe weights in this folder were converted from the "
        f"published files; they come under the licence of these:\n{LICENCE_TEXT}\n\nPlease cite:\n{CITATION}\n"
    )


def _assumed(options: ImportOptions, sources: Sources, folds: _Folds) -> tuple[str, ...]:
    """What was taken for granted, one sentence each."""
    published, notes = sources.published, []
    if published is not None:
        if any(one.by == "name" for one in sources.folds):
            notes.append(
                f"The files were taken for {published.title} by their names: the authors give no check sums of them."
            )
        if folds.images != published.images:
            notes.append(f"Published for {' '.join(published.images)}, used for {' '.join(folds.images)} as was asked.")
        if options.intensity not in ("known", published.intensity):
            notes.append(f"The brightness rule is {options.intensity} as was asked, not {published.intensity}.")
        return tuple(notes)
    if not options.images:
        notes.append(f"The network was assumed to take {' and '.join(folds.images)}, from the number of its images.")
    if options.intensity == "known":
        notes.append("The network was assumed to expect the brightness rule shivai_1.3.")
    if not options.licence:
        notes.append("The licence of the network is not stated.")
    return tuple(notes)
