"""Models of Keras in HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.keras_antspynet import antspynet_graph
from DeepMRILib.pvs.importer.keras_build import build_graph
from DeepMRILib.pvs.importer.keras_config import parse_model, parse_text
from DeepMRILib.pvs.importer.keras_hdf5 import MOST_BYTES, Hdf5
from DeepMRILib.pvs.importer.keras_weights import by_name
from DeepMRILib.pvs.importer.lambdas import LambdaRules

WEIGHTS = "model_weights"


def read_keras_h5(path: Path, rules: LambdaRules) -> Graph:
    """The network of an ``.h5`` file, or of a file of weights alone as ANTsPyNet publishes them for SHIVA's v1.

    Raises:
        WeightsError: the file is damaged, or holds what is not understood.
    """
    if path.stat().st_size > MOST_BYTES:
        raise WeightsError(f"{path.name} has more than {MOST_BYTES // 2**30} GB; networks of that size are not read.")
    with Hdf5(path) as file:
        root = file.group()
        config = file.text(root, "model_config")
        if config is None:
            return antspynet_graph(file)
        model = parse_model(parse_text(config))
        keras = keras_version(file.text(root, "keras_version"))
        if file.group(WEIGHTS) is None:
            raise WeightsError(f"{path.name} holds a model without its weights.")
        return build_graph(model, by_name(file, (WEIGHTS,), model), rules, keras)


def keras_version(text: Any) -> int:
    """2 or 3, by the version that a file names; 2 where it names none."""
    first = str(text or "2").partition(".")[0]
    return 3 if first == "3" else 2
