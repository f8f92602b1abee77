"""``iap.load_model``: a network from a model's folder or name, or the published checkpoint under any file name."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from DeepMRILib.device import Device
from DeepMRILib.errors import InputError, WeightsError, require
from DeepMRILib.iap.layout import Layout, published_layout
from DeepMRILib.iap.model import Model
from DeepMRILib.iap.preprocessing import PREPROCESSING
from DeepMRILib.iap.published import (
    KIND,
    LICENCE,
    OTHER_LABELS,
    SOURCE,
    TRAINING_DATA,
    PublishedModel,
    checked_weights,
    outputs_of,
)
from DeepMRILib.iap.trained import KIND as OWN
from DeepMRILib.iap.trained import METHOD, IAPModel, TrainedModel
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import CARD, WEIGHTS, ModelStore, find_model
from DeepMRILib.model_store import Model as StoredModel
from DeepMRILib.weight_files import load_torch_file, sha256_of

if TYPE_CHECKING:
    import torch

LARGEST_FILE = 1024**3
"""Bytes; the published checkpoint has 45 MB, with an optimiser's state it would have 135 MB."""
LARGEST_LABELS = 1024**2
_OTHER_KINDS = {
    b"\x89HDF": "an HDF5 file, as Keras writes; the published checkpoint is a file of PyTorch, though it is called .h5",
    b"DICM": "an image",
    b"\x1f\x8b": "a gzipped file, such as a NIfTI image",
}


def open_model_or_checkpoint(
    place: Path | str | Any, *, labels: Path | str | None = None, device: Device = "auto"
) -> Model:
    """Open a network; see ``model.load_model``.

    Args:
        place: a model's folder or name, a checkpoint's file, a ``TrainedModel``, or a model that is open already.
        labels: of a checkpoint, the JSON file that says what its outputs stand for. Without it, that file is looked
            for beside the checkpoint: ``net.json`` or ``net.h5.json`` of ``net.h5``.
        device: where it computes.

    Raises:
        WeightsError, InputError, DependencyError: as ``model.load_model``.
    """
    if isinstance(place, TrainedModel):
        return place.model(device)
    if hasattr(place, "logits"):
        return place
    if not str(place).strip():
        raise InputError("No model was given. Give a model's folder or name, or the file of a checkpoint.")
    file = _checkpoint(place)
    if file is not None:
        return _of_checkpoint(file, labels, device)
    if labels is not None:
        raise InputError(f"{place} is a model of DeepMRI, which knows what its outputs stand for: leave labels out.")
    stored = find_model(_folder_of(place), METHOD)
    kind = stored.card.extra.get("kind")
    if kind == OWN:
        return IAPModel.load(stored.folder, device=device)
    if kind == KIND:
        return _of_folder(stored, device)
    raise WeightsError(
        f"The model {stored.card.name} is no network for acquisition parameters that is known here (its kind is "
        f"{kind!r}). Choose another, or update DeepMRI."
    )


def keep_checkpoint(
    path: Path | str,
    name: str,
    *,
    labels: Path | str | None = None,
    store: ModelStore | None = None,
    overwrite: bool = False,
) -> StoredModel:
    """Put a checkpoint into the store of models, where it has a name; the file itself can go afterwards.

    Args:
        path: the checkpoint.
        name: by which it is known.
        labels: as of ``open_model_or_checkpoint``.
        store: the user's when None.
        overwrite: replace a model of that name.

    Raises:
        WeightsError, InputError: as ``open_model_or_checkpoint``.
        OutputError: there is a model of that name, or no space or right to write.
    """
    weights, layout, notes = _read_checkpoint(Path(path), labels)
    card = ModelCard(
        name=name,
        method=METHOD,
        version="1",
        licence=LICENCE,
        source=SOURCE,
        preprocessing=PREPROCESSING,
        training_data=TRAINING_DATA,
        extra={"kind": KIND, "format": 1, "layout": layout.to_json(), "notes": list(notes)},
    )
    return (ModelStore() if store is None else store).save(card, weights, overwrite=overwrite)


def _checkpoint(place: Path | str) -> Path | None:
    """A file of another program; None for models of ours and their names."""
    path = Path(place).expanduser()
    if not os.path.isfile(path):  # noqa: PTH113 - Path's own raises where a name is too long
        _check_there(path, str(place))
        return None
    ours = path.name in (CARD, WEIGHTS) and (path.parent / CARD).is_file()
    named = path.name == str(place) and any(model.card.name == path.name for model in ModelStore().list(METHOD))
    return None if ours or named else path


def _check_there(path: Path, given: str) -> None:
    """A path that leads nowhere is told as such, not as a model's name that is not known."""
    if path.name != given and not os.path.lexists(path):
        raise WeightsError(f"There is no file or folder {path}. Check the path.")
    if os.path.isdir(path) and not (path / CARD).is_file() and path.name != given:  # noqa: PTH112 - as above
        raise WeightsError(f"The folder {path} holds no model (no {CARD}). Of a checkpoint give the file itself.")


def _folder_of(place: Path | str) -> Path | str:
    """The folder, where one of a model's two files was given."""
    path = Path(place).expanduser()
    return path.parent if os.path.isfile(path) and path.name in (CARD, WEIGHTS) else path  # noqa: PTH113 - as above


def _of_checkpoint(file: Path, labels: Path | str | None, device: Device) -> PublishedModel:
    weights, layout, notes = _read_checkpoint(file, labels)
    return PublishedModel(weights, layout, name=file.name, weights_sha256=sha256_of(file), notes=notes, device=device)


def _of_folder(stored: StoredModel, device: Device) -> PublishedModel:
    """A checkpoint that was kept under a name."""
    card = stored.card
    weights = checked_weights(stored.load_weights("torch"), card.name)
    layout, notes = card.extra.get("layout"), card.extra.get("notes", [])
    try:
        layout = Layout.from_json(layout)
    except InputError as error:
        raise WeightsError(f"The model.json of {card.name} is not usable. {error}") from error
    _check_outputs(layout, weights, card.name)
    notes = tuple(str(note) for note in notes) if isinstance(notes, list) else ()
    return PublishedModel(weights, layout, name=card.name, weights_sha256=card.sha256, notes=notes, device=device)


def _read_checkpoint(file: Path, labels: Path | str | None) -> tuple[dict[str, torch.Tensor], Layout, tuple[str, ...]]:
    require("torch", "Reading a checkpoint")
    _check_file(file)
    state = _state_of(load_torch_file(file), file.name)
    outputs = outputs_of(state, file.name)
    layout = published_layout(outputs)
    labels = _labels_beside(file) if labels is None and layout is None else labels
    if labels is None and layout is None:
        raise WeightsError(
            f"The network in {file.name} has {outputs} outputs; the published ones have 96 or 47. Write a JSON file "
            f"that says what they stand for, in the form of DeepMRILib/iap/data/duke_96.json, and name it "
            f"{file.name}.json beside the checkpoint, or give it as labels."
        )
    weights = checked_weights(state, file.name)
    if labels is None:
        return weights, layout, ()
    given = read_labels(labels)
    _check_outputs(given, weights, Path(labels).name)
    return weights, given, (OTHER_LABELS,)


def _check_file(file: Path) -> None:
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(132)
    except OSError as error:
        raise WeightsError(
            f"The checkpoint {file} cannot be read ({error}). Copy it to a folder of your own."
        ) from error
    if size == 0 or size > LARGEST_FILE:
        raise WeightsError(
            f"{file.name} has {size} bytes; the published checkpoint has about 45 million. Give that file, or download "
            "it again."
        )
    for magic, kind in _OTHER_KINDS.items():
        if start.startswith(magic) or start[128:] == magic:
            raise WeightsError(f"{file.name} is {kind}. Give the checkpoint as it was downloaded.")


def _state_of(content: Any, file: str) -> dict[str, torch.Tensor]:
    """The weights by name in what a file of PyTorch holds: under ``net``, as published, or where others keep them."""
    import torch

    places = [content]
    if isinstance(content, Mapping):
        places = [content.get(key) for key in ("net", "state_dict", "model_state_dict", "model")] + places
    for found in places:
        named = isinstance(found, Mapping) and found and all(isinstance(name, str) for name in found)
        if named and all(isinstance(value, torch.Tensor) for value in found.values()):
            return dict(found)
    raise WeightsError(
        f"{file} holds no weights: expected them under net, as in the published checkpoint. Give that file."
    )


def _labels_beside(file: Path) -> Path | None:
    places = (file.with_name(f"{file.name}.json"), file.with_suffix(".json"))
    return next((place for place in places if place.is_file()), None)


def read_labels(path: Path | str) -> Layout:
    """What outputs stand for, of a JSON file: an object with ``heads`` as ``Layout.to_json`` gives them, or their list.

    Raises:
        InputError: no such file, not JSON, or no layout.
    """
    path = Path(path).expanduser()
    try:
        if path.stat().st_size > LARGEST_LABELS:
            raise InputError(f"The labels {path} have more than a megabyte. Give the JSON file of the layout.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"The labels {path} cannot be read ({error}). Give a JSON file.") from error
    heads = values.get("heads") if isinstance(values, dict) else values
    if not isinstance(heads, list) or not heads:
        raise InputError(
            f"The labels {path} name no heads. Write them in the form of DeepMRILib/iap/data/duke_96.json."
        )
    try:
        return Layout.from_json(heads)
    except InputError as error:
        raise InputError(f"The labels {path} are not usable. {error}") from error


def _check_outputs(layout: Layout, weights: Mapping[str, torch.Tensor], where: str) -> None:
    outputs = int(weights["fc.weight"].shape[0])
    if layout.outputs != outputs:
        raise InputError(
            f"The labels in {where} stand for {layout.outputs} outputs, and the network has {outputs}. Give labels for "
            "all of them, in their order."
        )
