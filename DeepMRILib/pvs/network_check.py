"""Whether a network of another program can look for perivascular spaces: its input, its output, told before it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.pvs.importer.graph import Graph, Step
from DeepMRILib.pvs.importer.network_forecast import shapes_of
from DeepMRILib.pvs.importer.network_graph import PYTHON

Box = tuple[int, int, int]

_MOVING = {"identity", "cast", "reshape", "transpose", "squeeze", "expand", "crop", "pad", "slice", "concat"}
"""Operations after which values are as they were."""
_UNBOUNDED = {
    "conv", "conv_transpose", "dense", "scale_shift", "batch_norm", "normalise", "group_norm", "relu", "leaky_relu",
    "prelu", "elu", "selu", "silu", "gelu", "mish", "softplus", "tanh", "log_softmax", "log_sigmoid",
}  # fmt: skip
"""Operations whose values are no probabilities."""


@dataclass(frozen=True)
class Fit:
    """How a network is used.

    Attributes:
        channels: images that it takes.
        classes: channels that it returns.
        notes: what a reader must know.
    """

    channels: int
    classes: int
    notes: tuple[str, ...] = ()


def check_network(graph: Graph, name: str, box: Box) -> Fit:
    """How many images a network takes and what it returns.

    Args:
        graph: the network.
        name: of its file, for the sentences.
        box: the voxels that it is given.

    Raises:
        InputError: it takes or returns something else than images and probabilities of this box.
        WeightsError: it cannot be run.
    """
    if any(step.op == PYTHON for step in graph.steps):
        raise InputError(
            f"{name} was read with functions of Python for its Lambda layers, which cannot be stored. Name what they "
            'do instead, for example lambdas={"layer": "swish"}.'
        )
    channels = _channels(graph, name, box)
    shape = _output_shape(graph, name, (1, *box, channels) if graph.layout == "last" else (1, channels, *box))
    classes = _classes(shape, graph.layout, box)
    if classes is None:
        raise InputError(
            f"{name} returns an array of shape {shape}; expected a probability for each voxel of the box, "
            f"{(1, *box, 1) if graph.layout == 'last' else (1, 1, *box)}."
        )
    return Fit(channels, classes, _check_values(graph, name, classes))


def _channels(graph: Graph, name: str, box: Box) -> int:
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise InputError(
            f"{name} has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs; expected one of each, the images "
            "as its channels. Networks of another form cannot be used here."
        )
    shape = graph.inputs[0].shape
    if len(shape) != 5:
        raise InputError(
            f"{name} takes arrays of {len(shape)} axes; expected five: batch, three of space, channels. It is no "
            "network for volumes."
        )
    batch, spatial, channels = shape[0], shape[1:4], shape[4]
    if graph.layout == "first":
        spatial, channels = shape[2:], shape[1]
    if any(size not in (None, wanted) for size, wanted in zip(spatial, box, strict=True)) or batch not in (None, 1):
        raise InputError(
            f"{name} takes {_words(spatial)} voxels in batches of {'any size' if batch is None else batch}; only "
            f"networks for {_words(box)} voxels of 1 mm, one brain at a time, can be used here, or for any size."
        )
    if channels is None:
        raise InputError(f"{name} does not say how many images it takes. Export it with a fixed number of channels.")
    return channels


def _output_shape(graph: Graph, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Found without computing."""
    try:
        return shapes_of(graph, [shape]).outputs[0]
    except WeightsError as error:
        raise WeightsError(f"{name} cannot be run on an input of shape {shape}. {error}") from error


def _classes(shape: Sequence[int], layout: str, box: Box) -> int | None:
    """The channels of an output; None where it is no map of the box."""
    if tuple(shape) == (1, *box):
        return 1
    if len(shape) != 5 or shape[0] != 1:
        return None
    spatial, channels = (shape[1:4], shape[4]) if layout == "last" else (shape[2:], shape[1])
    return channels if tuple(spatial) == box and channels > 0 else None


def _check_values(graph: Graph, name: str, classes: int) -> tuple[str, ...]:
    """Refuse outputs that are no probabilities; where the steps do not tell, the values do when it runs."""
    step = _last(graph)
    op = step.op if step is not None else ""
    if step is None or op in _UNBOUNDED or (op in ("add", "sub") and any(n in graph.weights for n in step.inputs)):
        raise InputError(
            f"{name} returns values of any size, not probabilities: its last operation is {op or 'none'}. Export it "
            "with its sigmoid or softmax."
        )
    if classes == 1:
        return ()
    axes = (-1, 4) if graph.layout == "last" else (1, -4)
    if op != "softmax" or step.attributes.get("axis", -1) not in axes:
        raise InputError(
            f"{name} returns {classes} values for each voxel without a softmax; it is not known which of them means "
            "perivascular space. Expected one probability, or classes of which the first is background."
        )
    return (
        f"The network tells {classes} classes apart; the first was taken for background, and the sum of the others for "
        "the probability of a space.",
    )


def _last(graph: Graph) -> Step | None:
    """The step that makes the values of the output, before those that only move them."""
    made_by = {name: step for step in graph.steps for name in step.outputs}
    step = made_by.get(graph.outputs[0])
    while step is not None and step.op in _MOVING:
        step = made_by.get(step.inputs[0])
    return step


def _words(sizes: Sequence[int | None]) -> str:
    return " x ".join("any" if size is None else str(size) for size in sizes)
