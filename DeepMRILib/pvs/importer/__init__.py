"""Networks of Keras, TensorFlow and ONNX as PyTorch modules, read without TensorFlow and without running their code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from DeepMRILib.pvs.importer.lambdas import Lambdas
from DeepMRILib.pvs.importer.reading import read_network

if TYPE_CHECKING:
    import torch

__all__ = ["load_keras", "read_network"]


def load_keras(path: str | Path, lambdas: Lambdas | None = None) -> torch.nn.Module:
    """A network of Keras as a PyTorch module in evaluation mode: images (n, c, x, y, z) in and out, float32.

    Several inputs are several arguments, several outputs a tuple. Reads ``.h5`` and ``.keras`` files, SavedModels and
    ONNX alike; batch normalisation and the like are folded into the convolutions.

    Args:
        path: the file, or the folder of a SavedModel.
        lambdas: what Lambda layers do, by name: a function of tensors (n, x, y, z, c), or ``"swish"``, ``"pad"``.

    Raises:
        InputError: there is no such file.
        WeightsError: it is damaged, or holds layers that are not understood.
    """
    graph = read_network(path, lambdas=lambdas)
    from DeepMRILib.pvs.importer.graph_fold import fold
    from DeepMRILib.pvs.importer.network_graph import ImageNetwork

    return ImageNetwork(fold(graph)).eval()
