"""Folds of one design whose files only name things differently: brought to one structure, which is stored once."""

from __future__ import annotations

from DeepMRILib.pvs.importer.graph import Graph, Step


def aligned(graph: Graph, reference: Graph) -> Graph:
    """The network with the names of another of the same design; as it is where the design differs.

    Keras counts its layers on from one network to the next, so that fold 0 has ``conv3d`` and fold 1 ``conv3d_28``.

    Args:
        graph: a network.
        reference: one whose names it shall have.
    """
    names = _names(graph, reference)
    if names is None:
        return graph
    return Graph(
        inputs=reference.inputs,
        outputs=reference.outputs,
        steps=reference.steps,
        weights={names[name]: array for name, array in graph.weights.items()},
        layout=reference.layout,
    )


def _names(graph: Graph, reference: Graph) -> dict[str, str] | None:
    """Names of the one to names of the other, one to one; None where the designs differ."""
    counts = [(len(one.inputs), len(one.steps), len(one.weights), one.layout) for one in (graph, reference)]
    if counts[0] != counts[1] or [p.shape for p in graph.inputs] != [p.shape for p in reference.inputs]:
        return None
    names = {mine.name: other.name for mine, other in zip(graph.inputs, reference.inputs, strict=True)}
    for mine, other in zip(graph.steps, reference.steps, strict=True):
        if not _pair(mine, other, names, graph, reference):
            return None
    if tuple(names.get(name) for name in graph.outputs) != reference.outputs:
        return None
    # each weight has its counterpart, and none serves for two
    theirs = {names.get(name) for name in graph.weights}
    return names if theirs == set(reference.weights) else None


def _pair(mine: Step, other: Step, names: dict[str, str], graph: Graph, reference: Graph) -> bool:
    """Whether two steps do the same to the same; notes the names that they use first."""
    alike = (mine.op, dict(mine.attributes)) == (other.op, dict(other.attributes))
    if not alike or len(mine.inputs) != len(other.inputs) or len(mine.outputs) != len(other.outputs):
        return False
    for here, there in zip(mine.inputs, other.inputs, strict=True):
        if here in graph.weights:
            same = there in reference.weights and graph.weights[here].shape == reference.weights[there].shape
            if not same:
                return False
            names.setdefault(here, there)
        if names.get(here) != there:
            return False
    names.update(zip(mine.outputs, other.outputs, strict=True))
    return True
