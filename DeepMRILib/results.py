"""What a job returns (images, tables, how they were made) and its folder, written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib import __version__, files
from DeepMRILib.errors import OutputError
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume
from DeepMRILib.writing import new_sibling, refusals_as_errors, replacing_folder

RESULT_FILE = "result.json"


@dataclass(frozen=True)
class Provenance:
    """How a result was made: enough to make it again.

    Attributes:
        job: the job's key, e.g. ``"ivim.fit"``.
        engine: the method and where it comes from, in words.
        options: every setting, as plain values.
        seed: the random seed, None where nothing is random.
        device: "cpu", "cuda" or "mps".
        seconds: wall time of the job's steps.
        weights_sha256: of the network's file, None where there is none.
        inputs: what went in (shape, spacing, b-values and the like), as plain values.
        notes: what a reader must know, one sentence each.
    """

    job: str
    engine: str
    options: dict[str, Any]
    seed: int | None = None
    device: str = "cpu"
    seconds: dict[str, float] = field(default_factory=dict)
    weights_sha256: str | None = None
    inputs: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    version: str = __version__


@dataclass(frozen=True)
class Result:
    """Base of all results. A subclass adds fields of these types, and each becomes files in the result's folder:

    - ``dict[str, Volume]``: one NIfTI per entry, named by its key
    - ``Volume``, ``DiffusionVolume``, ``LabelVolume``: one NIfTI named by the field (with .bval and .bvec, or .tsv)
    - ``Table``: one CSV named by the field
    - ``ndarray``: one .npy named by the field; ``dict[str, ndarray]``: one .npz
    - ``Provenance`` and plain values: entries of result.json, numbers with all their digits. JSON has no NaN and no
      infinity: they become ``null`` and ``"inf"``, ``"-inf"``.
    """

    provenance: Provenance

    def save(self, folder: Path | str, *, overwrite: bool = False) -> Path:
        """Write the result's files into a new folder, all or nothing.

        Raises:
            OutputError: the folder exists and ``overwrite`` is false, or it cannot be written.
        """
        with new_folder(folder, overwrite=overwrite) as partial:
            self.write_files(partial)
        return Path(folder)

    def write_files(self, folder: Path) -> None:
        """Write the files into an existing folder."""
        entries: dict[str, Any] = {}
        for item in dataclasses.fields(self):
            _write_field(folder, item.name, getattr(self, item.name), entries)
        text = json.dumps(_plain(entries), indent=2, allow_nan=False)
        (folder / RESULT_FILE).write_text(text + "\n", encoding="utf-8")


def _write_field(folder: Path, name: str, value: Any, entries: dict[str, Any]) -> None:
    if isinstance(value, Table):
        value.write_csv(folder / f"{name}.csv")
        entries[name] = {"file": f"{name}.csv", "units": value.units}
    elif isinstance(value, DiffusionVolume):
        files.write_diffusion(value, folder / f"{name}.nii.gz")
        entries[name] = {"file": f"{name}.nii.gz"}
    elif isinstance(value, LabelVolume):
        files.write_labels(value, folder / f"{name}.nii.gz")
        entries[name] = {"file": f"{name}.nii.gz"}
    elif isinstance(value, Volume):
        files.write_volume(value, folder / f"{name}.nii.gz")
        entries[name] = {"file": f"{name}.nii.gz"}
    elif isinstance(value, dict) and value and all(isinstance(entry, Volume) for entry in value.values()):
        entries[name] = {}
        for key, volume in value.items():
            _write_field(folder, key, volume, entries[name])
    elif isinstance(value, np.ndarray):
        files.write_array(value, folder / f"{name}.npy")
        entries[name] = {"file": f"{name}.npy"}
    elif isinstance(value, dict) and value and all(isinstance(entry, np.ndarray) for entry in value.values()):
        files.write_arrays(value, folder / f"{name}.npz")
        entries[name] = {"file": f"{name}.npz", "arrays": list(value)}
    elif dataclasses.is_dataclass(value):
        entries[name] = dataclasses.asdict(value)
    elif value is not None:
        entries[name] = value


def _plain(value: Any) -> Any:
    """A value as valid JSON can hold it."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def check_output(folder: Path | str, *, overwrite: bool = False) -> Path:
    """The output folder, if a result can be written there; said before the work, not after it.

    Raises:
        OutputError: it exists and may not be replaced, or its parent is missing or not writable.
    """
    folder = Path(folder)
    if folder.exists() or folder.is_symlink():
        if not overwrite:
            raise OutputError(f"The output {folder} exists. Choose another folder, or add --overwrite to replace it.")
        if (
            not folder.is_dir()
            or folder.is_symlink()
            or (any(folder.iterdir()) and not (folder / RESULT_FILE).is_file())
        ):
            raise OutputError(
                f"The output {folder} is not a result of DeepMRI and is not replaced. Choose another folder."
            )
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"The folder {parent} does not exist. Make it first, or choose another output.")
    with refusals_as_errors(f"{folder} cannot be written"):
        new_sibling(folder).rmdir()
    return folder


@contextmanager
def new_folder(folder: Path | str, *, overwrite: bool = False) -> Iterator[Path]:
    """A temporary sibling to write into, which takes the folder's name when all went well and vanishes otherwise.

    With ``overwrite`` the old folder goes only after the new one stands.
    """
    folder = check_output(folder, overwrite=overwrite)
    with refusals_as_errors(f"{folder} cannot be written"), replacing_folder(folder) as partial:
        yield partial
