"""Whether a network that is traced for certain sizes of its images does for others too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.network_trace import MOST_ELEMENTS, same

Shapes = Sequence[Sequence["int | None"]]
Traced = Callable[[Sequence[Sequence[int]], Shapes, int], Graph]
"""Makes the graph for inputs of these sizes, whose ports get these shapes; the number is the largest value's size."""

_FREE_SIZES = ((64, 96), (256, 320), (512, 640))
"""Sizes that are tried where the file leaves them open: a network that halves its image often needs a large one."""


def any_size(traced: Traced, shapes: Shapes) -> Graph:
    """The graph; its ports keep None in ``shapes`` where the steps are the same for two sizes.

    Raises:
        WeightsError: it cannot be traced, or the sizes are open and the steps depend on them.
    """
    open_sizes = any(None in sizes[1:] for sizes in shapes)
    most = MOST_ELEMENTS << (10 if open_sizes else 0)

    def made(batch: int, size: int, kept: Shapes) -> Graph:
        filled = [[_size(axis, n, batch, size) for axis, n in enumerate(sizes)] for sizes in shapes]
        return traced(filled, kept, most)

    choices = _FREE_SIZES if open_sizes else ((0, 0),)
    graph, (size, other) = _first_possible(lambda size: made(1, size, shapes), choices)
    try:
        if same(graph, made(2, other, shapes)):
            return graph
    except WeightsError:
        # A network for single images cannot be given two; whatever else fails, fails below too.
        pass
    if open_sizes and not same(graph, made(1, other, shapes)):
        raise WeightsError(
            "The network takes images of any size and computes with that size, which is not read. "
            "Export it with a fixed input size."
        )
    single = [[1 if axis == 0 and n is None else n for axis, n in enumerate(sizes)] for sizes in shapes]
    return made(1, size, single)


def _first_possible(made: Callable[[int], Graph], choices: Sequence[tuple[int, int]]) -> tuple[Graph, tuple[int, int]]:
    """The graph for the first of the sizes that it can be computed for."""
    sizes, *others = choices
    if not others:
        return made(sizes[0]), sizes
    try:
        return made(sizes[0]), sizes
    except WeightsError:
        return _first_possible(made, others)


def _size(axis: int, given: int | None, batch: int, free: int) -> int:
    if given is not None:
        return given
    return batch if axis == 0 else free
