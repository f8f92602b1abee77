"""Models of Keras in ``.keras`` archives: a zip file with a description and the weights."""

from __future__ import annotations

import stat
import zipfile
import zlib
from io import BytesIO
from pathlib import Path

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.keras_build import build_graph
from DeepMRILib.pvs.importer.keras_config import MOST_TEXT, parse_model, parse_text
from DeepMRILib.pvs.importer.keras_h5 import keras_version
from DeepMRILib.pvs.importer.keras_hdf5 import MOST_BYTES, Hdf5
from DeepMRILib.pvs.importer.keras_weights import by_place
from DeepMRILib.pvs.importer.lambdas import LambdaRules

CONFIG = "config.json"
METADATA = "metadata.json"
WEIGHTS = "model.weights.h5"
_SMALL = 16 * 2**20
_MOST_RATIO = 20  # weights hardly shrink
_MOST_MEMBERS = 10_000
_DAMAGE = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, NotImplementedError, KeyError)


def read_keras_archive(path: Path, rules: LambdaRules) -> Graph:
    """The network of a ``.keras`` file; nothing is unpacked to the disk.

    Raises:
        WeightsError: the file is damaged, or holds what is not understood.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive)
            config = _member(archive, CONFIG, MOST_TEXT)
            metadata = _member(archive, METADATA, MOST_TEXT) if METADATA in archive.namelist() else b"{}"
            weights = _member(archive, WEIGHTS, MOST_BYTES)
    except _DAMAGE as error:
        raise WeightsError(
            f"{path.name} is damaged: it cannot be read as an archive of Keras. Get it again."
        ) from error
    model = parse_model(parse_text(config))
    described = parse_text(metadata, "The archive's metadata")
    version = described.get("keras_version") if isinstance(described, dict) else None
    with Hdf5(BytesIO(weights)) as file:
        return build_graph(model, by_place(file, model), rules, keras_version(version or "3"))


def _check(archive: zipfile.ZipFile) -> None:
    """Names that lead elsewhere, twice the same, and links have no place here, even where nothing is unpacked."""
    members = archive.infolist()
    names = [member.filename for member in members]
    if len(members) > _MOST_MEMBERS or len(set(names)) != len(names):
        raise WeightsError("The archive holds too many files, or one twice: it is not from Keras.")
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        link = stat.S_ISLNK(member.external_attr >> 16)
        if ".." in parts or parts[0] == "" or ":" in parts[0] or link:
            raise WeightsError(
                f"The archive holds {member.filename[:80]}, which leads out of it: it is not from Keras."
            )


def _member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if name not in archive.namelist():
        raise WeightsError(f"The archive lacks {name}: it is no model of Keras, or incomplete.")
    member = archive.getinfo(name)
    size, stored = member.file_size, member.compress_size
    if size > most or (size > _SMALL and size > _MOST_RATIO * max(stored, 1)):
        raise WeightsError(f"The archive's {name} claims {size / 2**20:.0f} MB: that is not read.")
    with archive.open(member) as stream:
        data = stream.read(size + 1)
    if len(data) != size:
        raise WeightsError(f"The archive is damaged: its {name} has another size than it says. Get it again.")
    return data
