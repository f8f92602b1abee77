"""A model for perivascular spaces, ready to be run: from the store, the extension, a folder, or a downloaded file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import CARD, WEIGHTS, Model, ModelStore, find_model, open_model
from DeepMRILib.progress import Progress
from DeepMRILib.pvs.engine import BOX, Modality
from DeepMRILib.pvs.imported import FORMAT, METHOD
from DeepMRILib.pvs.imported import KIND as GRAPH
from DeepMRILib.pvs.importing import import_checked
from DeepMRILib.pvs.options import ImportOptions, IntensityRule

SHIPPED = "pvs-small"
"""The network that DeepMRI brings along."""
UNET = "unet"
MOST_FOLDS = 100
_AGAIN = "Import or get the model again."


@dataclass(frozen=True)
class OpenedNetworks:
    """What a model's description says, checked, and where its weights lie.

    Attributes:
        card: the whole description.
        folder: holds the weights.
        kind: a ``graph`` that was imported, or a ``unet`` of ours.
        folds: numbers of the networks.
        images: what they take, in this order.
        intensity: how brightness is scaled.
        masked_input: they are given nothing but the brain.
        takes_t2: networks for a T1 that also work on an inverted T2.
        notes: what a reader must know, one sentence each.
    """

    card: ModelCard
    folder: Path
    kind: str
    folds: tuple[int, ...]
    images: tuple[Modality, ...]
    intensity: IntensityRule
    masked_input: bool
    takes_t2: bool
    notes: tuple[str, ...] = ()

    @property
    def weights(self) -> Path:
        """The file of weights."""
        return self.folder / WEIGHTS


@contextmanager
def opened(
    place: Path | str | None, *, box: tuple[int, int, int] = BOX, progress: Progress | None = None
) -> Iterator[OpenedNetworks]:
    """A model to be used meanwhile; its weights are proven to be those of its description.

    A network of another program is imported into a folder that goes away afterwards.

    Args:
        place: a model's folder or name, a file or folder of another program such as a downloaded SHIVA set, or None
            for the network that DeepMRI ships.
        box: voxels of the input, for networks of another program.
        progress: of an import; may raise ``Cancelled``.

    Raises:
        InputError: nothing there, or a network that cannot be used.
        WeightsError: damaged, of another kind, or for another method.
        DependencyError: PyTorch or safetensors is not installed.
    """
    foreign = _foreign(place)
    if foreign is None:
        yield _checked(_shipped() if place is None else find_model(place, METHOD))
        return
    with tempfile.TemporaryDirectory(prefix="deepmri-") as folder:
        notes = _import(foreign, Path(folder) / "model", box, progress)
        yield _checked(open_model(Path(folder) / "model", METHOD), notes)


def _foreign(place: Path | str | None) -> Path | None:
    """A file or folder of another program; None for models of ours and their names."""
    if place is None:
        return None
    path = Path(place).expanduser()
    try:
        there, ours = path.exists(), (path / CARD).is_file()
    except OSError:  # a name that is too long
        return None
    if not there or ours or (path.name == str(place) and _is_known(path.name)):
        return None
    return path


def _is_known(name: str) -> bool:
    """Whether a model of ours has this name: it is meant then, not a folder that happens to be called so."""
    return any(model.card.name == name for model in ModelStore().list(METHOD))


def check_place(place: Path | str | None) -> None:
    """Refuse a place without a model before any work is done; the weights are not read yet.

    Raises:
        InputError: there is nothing of that name.
        WeightsError: as ``model_store.find_model``.
    """
    if place is None:
        _shipped()
    elif _foreign(place) is None:
        find_model(place, METHOD)


def _import(path: Path, folder: Path, box: tuple[int, int, int], progress: Progress | None) -> tuple[str, ...]:
    networks = import_checked(path, ImportOptions(), progress=progress, box=box, licence_as_note=True)
    networks.save(folder)
    return networks.provenance.notes


def _shipped() -> Model:
    try:
        return ModelStore().find(SHIPPED, METHOD)
    except WeightsError as error:
        raise InputError(
            "The engine network needs a trained network, and this copy of DeepMRI has none of its own "
            f"({SHIPPED}). Give the name or folder of one, or a SHIVA set that you have downloaded; deepmri pvs models "
            "lists where they are."
        ) from error


def _checked(model: Model, notes: tuple[str, ...] = ()) -> OpenedNetworks:
    model.check()
    card = model.card
    kind, version = card.extra.get("kind"), card.extra.get("format", FORMAT)
    if kind not in (GRAPH, UNET):
        raise WeightsError(
            f"The model {card.name} is no network for perivascular spaces that is known here (its kind is {kind!r}). "
            "Choose another, or update DeepMRI."
        )
    if version != FORMAT:
        raise WeightsError(
            f"The network {card.name} was written in format {version!r}, and this version of DeepMRI reads format "
            f"{FORMAT}. Update DeepMRI, or import the network again."
        )
    images = tuple(_entry(card, "images", card.preprocessing.get("images")))
    intensity = card.preprocessing.get("intensity")
    if not images or not all(image in get_args(Modality) for image in images):
        raise _unusable(card, f"its images are {list(images)!r}")
    if intensity not in get_args(IntensityRule):
        raise _unusable(card, f"its intensity is {intensity!r}")
    return OpenedNetworks(
        card=card,
        folder=model.folder,
        kind=kind,
        folds=_folds(card),
        images=images,
        intensity=intensity,
        masked_input=card.preprocessing.get("masked_input") is True,
        takes_t2=card.extra.get("takes_t2", kind == UNET) is True,
        notes=notes or tuple(_licence_note(card)),
    )


def _licence_note(card: ModelCard) -> Iterator[str]:
    if card.extra.get("published"):
        yield f"The weights are those of others, licence {card.licence}; not for clinical purposes."


def _folds(card: ModelCard) -> tuple[int, ...]:
    folds = _entry(card, "folds", card.extra.get("folds", [0]))
    usable = all(type(fold) is int and fold >= 0 for fold in folds) and len(set(folds)) == len(folds)
    if not usable or not 1 <= len(folds) <= MOST_FOLDS:
        raise _unusable(card, f"its folds are {folds!r}")
    return tuple(folds)


def _entry(card: ModelCard, name: str, entry: Any) -> list[Any]:
    if not isinstance(entry, list):
        raise _unusable(card, f"its {name} are {entry!r}, no list")
    return entry


def _unusable(card: ModelCard, fault: str) -> WeightsError:
    return WeightsError(f"The model.json of {card.name} is not usable: {fault}. {_AGAIN}")
