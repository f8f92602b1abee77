"""The models on this computer: found, checked, added, listed and deleted.

A model is a folder with ``model.json`` (a ``ModelCard``) and ``model.safetensors``. The user's own models lie
outside the extension, which an update deletes; the models that the extension ships lie in
``DeepMRILib/<method>/data/<name>/`` and are only read.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError, OutputError, WeightsError
from DeepMRILib.model_card import ModelCard, check_name, read_card
from DeepMRILib.model_download import MAX_DOWNLOAD_BYTES, fetch
from DeepMRILib.progress import Progress
from DeepMRILib.weight_files import (
    Framework,
    check_kind,
    check_regular,
    load_state_dict,
    load_torch_file,
    read_safetensors,
    sha256_of,
    write_safetensors,
)
from DeepMRILib.writing import move_aside, refusals_as_errors, replacing_folder

__all__ = [
    "Model",
    "ModelCard",
    "ModelStore",
    "default_folder",
    "find_model",
    "load_state_dict",
    "load_torch_file",
    "open_model",
]

CARD, WEIGHTS, LICENCE = "model.json", "model.safetensors", "LICENSE.txt"
_LIBRARY = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Model:
    """One model on disk.

    Attributes:
        card: what is known of it.
        folder: where it lies.
        shipped: it came with the extension and is not the user's to delete.
    """

    card: ModelCard
    folder: Path
    shipped: bool = False

    def check(self) -> None:
        """Prove that the weights are the ones that the card speaks of.

        Raises:
            WeightsError: missing, of another kind of file, or not of the sha256 in the card.
        """
        check_kind(self.folder / WEIGHTS)
        if not self.card.sha256:
            raise WeightsError(f"The model.json of {self.card.name} names no sha256, so its weights cannot be checked.")
        if sha256_of(self.folder / WEIGHTS) != self.card.sha256:
            raise WeightsError(
                f"The weights of model {self.card.name} are damaged or are others than its model.json names "
                "(the sha256 differs). Get the model again."
            )

    def load_weights(self, framework: Framework = "numpy", device: str = "cpu") -> dict[str, Any]:
        """The checked weights by name: numpy arrays, or torch tensors on a resolved device.

        Raises:
            WeightsError: as ``check``, or not a safetensors file.
        """
        self.check()
        return read_safetensors(self.folder / WEIGHTS, framework, device)


def default_folder() -> Path:
    """Where a user's models are: ``$DEEPMRI_HOME/models``, or DeepMRI/models in the system's folder for such data."""
    home = os.environ.get("DEEPMRI_HOME")
    return (Path(home).expanduser() if home else _data_home() / "DeepMRI") / "models"


def _data_home() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")


def open_model(folder: Path, method: str | None = None, *, shipped: bool = False) -> Model:
    """The model in a folder, wherever that is.

    Args:
        folder: holds model.json and model.safetensors.
        method: the method that is going to use it, when known.
        shipped: whether it came with the extension.

    Raises:
        WeightsError: no model there, not readable, or one for another method.
    """
    folder = Path(folder)
    model = Model(read_card(folder / CARD), folder, shipped)
    if method is not None and model.card.method != method:
        raise WeightsError(
            f"The model {model.card.name} is for {model.card.method}, not for {method}. Choose a model for {method}."
        )
    return model


def _open_named(folder: Path, method: str | None = None, *, shipped: bool = False) -> Model:
    """The model in a folder of the store, which bears the model's name: under another it would not be found."""
    model = open_model(folder, method, shipped=shipped)
    if model.card.name != folder.name:
        raise WeightsError(
            f"The folder {folder} holds the model {model.card.name}: it was renamed, or its model.json is damaged. "
            f"Name the folder {model.card.name} again, or add the model again."
        )
    return model


def find_model(place: Path | str, method: str | None = None) -> Model:
    """The model in a folder, or the one of that name in the user's store; a folder here is meant before a name.

    Raises:
        InputError: neither a folder nor a name.
        WeightsError: there is none, it cannot be read, or it is for another method.
    """
    path = Path(place)
    is_name = path.name == str(path) and not os.path.isfile(path / CARD)  # noqa: PTH113 - Path's own raises on long ones
    return ModelStore().find(str(path), method) if is_name else open_model(path, method)


def _check_within(path: Path, folder: Path) -> None:
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link to itself
        inside = False
    if not inside:
        raise WeightsError(f"{path} is a link that leads out of the model's folder. Put the file itself there.")


class ModelStore:
    """The models that a user can choose from.

    Args:
        folder: the user's models; ``default_folder()`` when None. It is made when the first model is added.
        library: the folder whose ``<method>/data/<name>/`` hold the shipped models.

    Raises:
        InputError: the folder lies inside the library, where an update would delete the models.

    A model is saved once and then known by its name::

        card = ModelCard("net-1", "ivim", "1.0", "Apache-2.0", "this project")
        ModelStore().save(card, network.state_dict())
        weights = ModelStore().load_weights("net-1", "ivim", "torch")

    Example:
        >>> ModelStore(Path("my models")).list("no such method")
        []
    """

    def __init__(self, folder: Path | None = None, library: Path = _LIBRARY) -> None:
        self.folder = Path(folder).expanduser() if folder is not None else default_folder()
        self._library = library.resolve()
        if self.folder.resolve().is_relative_to(self._library):
            raise InputError(
                f"Models cannot be kept in {self.folder}: an update of the extension deletes that folder. "
                "Choose another, or leave DEEPMRI_HOME unset."
            )

    def list(self, method: str | None = None) -> list[Model]:
        """The models by name, all or those of one method; folders that are no readable model are left out."""
        models = [*self._readable(self._shipped_folders(), shipped=True), *self._readable(self._own_folders())]
        chosen = [model for model in models if method in (None, model.card.method)]
        return sorted(chosen, key=lambda model: model.card.name)

    def find(self, name: str, method: str | None = None) -> Model:
        """The model of that name.

        Raises:
            InputError: the name is no name.
            WeightsError: there is none, it cannot be read, or it is for another method.
        """
        shipped = self._shipped_folder(check_name(name))
        if shipped is not None:
            return _open_named(shipped, method, shipped=True)
        folder = self.folder / name
        if not folder.is_dir():
            known = ", ".join(model.card.name for model in self.list(method)) or "none yet"
            raise WeightsError(f"There is no model {name!r} in {self.folder}. Models here: {known}.")
        return _open_named(folder, method)

    def check(self, name: str) -> Model:
        """Read everything of a model once and compare it with its card.

        Raises:
            WeightsError: any part is missing, damaged or of another kind.
        """
        model = self.find(name)
        model.load_weights()
        return model

    def load_weights(
        self, name: str, method: str | None = None, framework: Framework = "numpy", device: str = "cpu"
    ) -> dict[str, Any]:
        """A model's checked weights by name; see ``Model.load_weights``."""
        return self.find(name, method).load_weights(framework, device)

    def save(self, card: ModelCard, weights: Mapping[str, Any], *, overwrite: bool = False) -> Model:
        """Store a new model: all of it, or nothing.

        Args:
            card: its description; the sha256 is filled in.
            weights: numpy arrays or torch tensors by name.
            overwrite: replace a model of that name.

        Raises:
            InputError: no weights, or values that are no arrays of numbers.
            OutputError: there is a model of that name, or no space or right to write.
        """

        def fill(folder: Path) -> None:
            write_safetensors(folder / WEIGHTS, weights)
            finished = replace(card, sha256=sha256_of(folder / WEIGHTS))
            (folder / CARD).write_text(finished.to_json(), encoding="utf-8")

        return self._put(card.name, fill, overwrite=overwrite)

    def add(self, source: Path, *, overwrite: bool = False) -> Model:
        """Copy a model folder into the store, after it has been checked.

        Only model.json, model.safetensors and LICENSE.txt are taken.

        Raises:
            WeightsError: the folder holds no sound model, or links to files elsewhere.
            OutputError: there is a model of that name, or no space or right to write.
        """
        source = Path(source)
        for name in (CARD, WEIGHTS, LICENCE):
            _check_within(source / name, source)
            check_regular(source / name)
        model = open_model(source)

        def fill(folder: Path) -> None:
            for name in (CARD, WEIGHTS, LICENCE):
                if (source / name).exists() or name != LICENCE:
                    shutil.copyfile(source / name, folder / name)
            open_model(folder).load_weights()

        model.check()
        return self._put(model.card.name, fill, overwrite=overwrite)

    def download(
        self,
        url: str,
        card: ModelCard,
        *,
        licence_accepted: bool = False,
        overwrite: bool = False,
        max_bytes: int = MAX_DOWNLOAD_BYTES,
        progress: Progress | None = None,
    ) -> Model:
        """Get a model's weights from the network. Nothing else here does so, and nothing does it by itself.

        Args:
            url: of the safetensors file: https, or file.
            card: the model's description; its sha256 says which file is expected.
            licence_accepted: the user has seen ``card.licence`` and agreed.
            overwrite: replace a model of that name.
            max_bytes: stop when the file turns out larger.
            progress: told how much has arrived; may cancel.

        Raises:
            InputError: licence not accepted, no sha256, another kind of address.
            WeightsError: not to be had, too large, or another file than expected.
            Cancelled: by ``progress``; nothing is left behind.
        """
        if not licence_accepted:
            raise InputError(
                f"The model {card.name} from {card.source} comes under this licence: {card.licence}. "
                "Read it, and accept it to download the model."
            )
        if not card.sha256:
            raise InputError(f"The description of model {card.name} names no sha256; nothing unchecked is downloaded.")

        def fill(folder: Path) -> None:
            (folder / CARD).write_text(card.to_json(), encoding="utf-8")
            fetch(url, folder / WEIGHTS, max_bytes=max_bytes, progress=progress)
            open_model(folder).load_weights()

        return self._put(card.name, fill, overwrite=overwrite)

    def delete(self, name: str) -> None:
        """Delete a model of the user's.

        Raises:
            WeightsError: there is none of that name.
            OutputError: it is shipped with the extension, or may not be deleted.
        """
        if self._shipped_folder(check_name(name)) is not None:
            raise OutputError(f"The model {name} comes with the extension and cannot be deleted.")
        folder = self.folder / name
        if not folder.is_dir():
            raise WeightsError(f"There is no model {name!r} in {self.folder}.")
        with refusals_as_errors(f"The model {name} cannot be deleted"):
            # its name goes first, in one step: no half-deleted model is ever seen
            shutil.rmtree(move_aside(folder).parent)

    def _put(self, name: str, fill: Callable[[Path], None], *, overwrite: bool) -> Model:
        """Let ``fill`` write a model into a hidden sibling, then give it its name in one step."""
        target = self.folder / check_name(name)
        if self._shipped_folder(name) is not None:
            raise OutputError(f"The name {name} belongs to a model of the extension; choose another.")
        taken = f"There is already a model {name} in {self.folder}. Choose another name, or overwrite."
        if os.path.lexists(target) and not overwrite:
            raise OutputError(taken)
        with refusals_as_errors(f"The model {name} cannot be written to {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                with replacing_folder(target, overwrite=overwrite) as part:
                    fill(part)
                    card = read_card(part / CARD)
            except FileExistsError as error:  # put there by another while this one was written
                raise OutputError(taken) from error
        return Model(card, target)

    def _own_folders(self) -> Iterator[Path]:
        if self.folder.is_dir():
            yield from (entry for entry in sorted(self.folder.iterdir()) if not entry.name.startswith("."))

    def _shipped_folders(self) -> Iterator[Path]:
        return (card.parent for card in sorted(self._library.glob(f"*/data/*/{CARD}")))

    def _shipped_folder(self, name: str) -> Path | None:
        return next((folder for folder in self._shipped_folders() if folder.name == name), None)

    @staticmethod
    def _readable(folders: Iterator[Path], *, shipped: bool = False) -> Iterator[Model]:
        for folder in folders:
            with contextlib.suppress(WeightsError):
                yield _open_named(folder, shipped=shipped)
