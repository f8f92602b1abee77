"""Networks of other programs as graphs, whatever file they are in."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from DeepMRILib.errors import InputError, WeightsError, require
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.lambdas import LambdaRules, Lambdas

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"


def read_network(path: str | Path, *, lambdas: Lambdas | None = None, known: bool | Mapping[str, str] = False) -> Graph:
    """The network of a file or folder, told by its content: no code of it is run, no other file is opened.

    Args:
        path: Keras (``.h5``, ``.keras``), a TensorFlow SavedModel (a folder), or ONNX.
        lambdas: what Lambda layers of Keras do, by name: an activation (``"swish"``), ``"pad"``, ``"identity"``, or a
            function of tensors in the network's layout (the graph can then not be stored).
        known: True for a published SHIVA file: its Lambdas are swish or padding; or what each of them does.

    Raises:
        InputError: there is no such file.
        WeightsError: it is damaged, not safe, or holds what is not understood.
    """
    path = Path(path)
    rules = LambdaRules(dict(lambdas or {}), known)
    require("torch", "Importing a network")
    try:
        graph = _read(path, rules)
        _try(graph)
    except (RecursionError, MemoryError) as error:
        raise WeightsError(f"{path.name} is damaged or not to be trusted: it is nested without end.") from error
    return graph


def _read(path: Path, rules: LambdaRules) -> Graph:
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise WeightsError(f"{path.name} is no SavedModel: the folder lacks saved_model.pb.")
        from DeepMRILib.pvs.importer.savedmodel import read_savedmodel

        return read_savedmodel(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    with path.open("rb") as stream:
        start = stream.read(len(_HDF5))
    if start == _HDF5:
        from DeepMRILib.pvs.importer.keras_h5 import read_keras_h5

        return read_keras_h5(path, rules)
    if start.startswith(_ZIP):
        return _archive(path, rules)
    if start[:1] == b"\x08":  # the first field of a ModelProto is the version of the format
        from DeepMRILib.pvs.importer.onnx import read_onnx

        return read_onnx(path)
    raise WeightsError(
        f"{path.name} is no network that can be read: a model of Keras (.h5, .keras), a TensorFlow SavedModel (folder) "
        "or ONNX is expected."
    )


def _archive(path: Path, rules: LambdaRules) -> Graph:
    from DeepMRILib.pvs.importer.keras_archive import CONFIG, read_keras_archive

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise WeightsError(f"{path.name} is damaged: it cannot be read as an archive. Get it again.") from error
    if CONFIG in names:
        return read_keras_archive(path, rules)
    if any(name.endswith("saved_model.pb") for name in names):
        raise WeightsError(f"{path.name} is a packed SavedModel: unpack it and give the folder.")
    if any(name.endswith("data.pkl") for name in names):
        raise WeightsError(f"{path.name} is a file of PyTorch that may run code; export the network as ONNX instead.")
    raise WeightsError(
        f"{path.name} is an archive without a model of Keras in it. Unpack it and give the network's file."
    )


def _try(graph: Graph) -> None:
    """Prove that the steps fit together and stay within bounds, where the size of the images is fixed."""
    from DeepMRILib.pvs.importer.network_forecast import shapes_of

    if all(None not in port.shape[1:] for port in graph.inputs):
        shapes_of(graph)
