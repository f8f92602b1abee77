"""Sequences: the frames behind a node that shows one of them, and output sequences that play along with the input's."""

from __future__ import annotations

from collections.abc import Sequence

import slicer
import slicer.util

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import newNode, nodeName
from DeepMRILib.mrml.transaction import remember


def browserOfProxy(node: slicer.vtkMRMLNode | None) -> slicer.vtkMRMLSequenceBrowserNode | None:
    """The sequence browser that shows its current frame in ``node``; None when no browser does."""
    # The frames inside a sequence have IDs of their own scene, which may be those of other nodes here.
    if node is None or node.GetScene() is not slicer.mrmlScene:
        return None
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    return next((browser for browser in browsers if browser.IsProxyNodeID(node.GetID())), None)


def sequenceOfProxy(node: slicer.vtkMRMLNode | None) -> slicer.vtkMRMLSequenceNode | None:
    """The sequence of which ``node`` shows one frame; None when it shows none."""
    browser = browserOfProxy(node)
    return None if browser is None else browser.GetSequenceNode(node)


def sourceNodes(seriesNode: slicer.vtkMRMLNode | None) -> list[slicer.vtkMRMLNode]:
    """The nodes that a run on ``seriesNode`` depends on: itself, and its sequence when it shows a frame of one."""
    nodes = (seriesNode, sequenceOfProxy(seriesNode))
    return [node for node in nodes if node is not None]


def selectedFrame(node: slicer.vtkMRMLNode | None) -> int | None:
    """Which frame of its sequence ``node`` shows, counted from 0; None when it shows none."""
    browser = browserOfProxy(node)
    return browser.GetSelectedItemNumber() if browser is not None and browser.GetNumberOfItems() else None


def inStep(proxy: slicer.vtkMRMLNode | None, source: slicer.vtkMRMLNode) -> bool:
    """Whether ``proxy`` shows what belongs to the frame that ``source`` shows: one browser moves both."""
    browser = browserOfProxy(proxy)
    if browser is None or browser is not browserOfProxy(source):
        return False
    return browser.GetSequenceNode(proxy) is not browser.GetSequenceNode(source)


def hasFrame(proxy: slicer.vtkMRMLNode, number: int) -> bool:
    """Whether the sequence that ``proxy`` shows has something at frame ``number`` of its browser."""
    if not 0 <= number < browserOfProxy(proxy).GetNumberOfItems():
        return False
    return sequenceOfProxy(proxy).GetDataNodeAtValue(_indexValue(proxy, number)) is not None


def replaceFrame(proxy: slicer.vtkMRMLNode, number: int, content: slicer.vtkMRMLNode) -> None:
    """Copy ``content`` into frame ``number`` of the sequence that ``proxy`` shows; the proxy itself stays as it is."""
    sequence = sequenceOfProxy(proxy)
    remember(sequence)
    sequence.UpdateDataNodeAtValue(content, _indexValue(proxy, number))


def frameNodes(sequence: slicer.vtkMRMLSequenceNode) -> list[slicer.vtkMRMLNode]:
    """The data nodes of a sequence in their order.

    They live in the sequence's own scene: read them, but show or change a proxy instead.
    """
    return [sequence.GetNthDataNode(n) for n in range(sequence.GetNumberOfDataNodes())]


def frameValues(sequence: slicer.vtkMRMLSequenceNode) -> list[str]:
    """The index values of a sequence in their order, e.g. times or b-values, as text."""
    return [sequence.GetNthIndexValue(n) for n in range(sequence.GetNumberOfDataNodes())]


def sequenceFromFrames(
    nodes: Sequence[slicer.vtkMRMLNode],
    source: slicer.vtkMRMLSequenceNode,
    name: str,
    existing: slicer.vtkMRMLSequenceNode | None = None,
) -> slicer.vtkMRMLSequenceNode:
    """A sequence of results, one for each frame of ``source`` and with its index values.

    If a browser shows the source, the results are synchronised with it: one proxy node shows the result of the frame
    that is selected. A second run with ``existing`` replaces the frames and keeps sequence, proxy and display.

    Args:
        nodes: the result of each frame, in order; copied, so they may be removed afterwards.
        name: of a new sequence and of its proxy.

    Raises:
        InputError: another number of results than of frames, or results of different kinds.
    """
    values = frameValues(source)
    if len(nodes) != len(values) or not nodes:
        raise InputError(f"There are {len(nodes)} results for the {len(values)} frames of {nodeName(source)}.")
    if len({node.GetClassName() for node in nodes}) != 1:
        raise InputError("The frames of a sequence must be of one kind; these results are of several.")
    if existing is not None:
        remember(existing)
    sequence = existing if existing is not None else newNode("vtkMRMLSequenceNode", name)
    with slicer.util.NodeModify(sequence):
        sequence.RemoveAllDataNodes()
        sequence.SetIndexName(source.GetIndexName())
        sequence.SetIndexUnit(source.GetIndexUnit())
        sequence.SetIndexType(source.GetIndexType())
        for node, value in zip(nodes, values, strict=True):
            sequence.SetDataNodeAtValue(node, value)
    _synchronise(sequence, source)
    return sequence


def proxyOfSequence(sequence: slicer.vtkMRMLSequenceNode) -> slicer.vtkMRMLNode | None:
    """The node in the scene that shows the selected frame of ``sequence``; None when no browser shows it."""
    for browser in _browsersOf(sequence):
        proxy = browser.GetProxyNode(sequence)
        if proxy is not None:
            return proxy
    return None


def _indexValue(proxy: slicer.vtkMRMLNode, number: int) -> str:
    """Frames are counted in the browser's first sequence; those of the others belong to it by their index value."""
    return browserOfProxy(proxy).GetMasterSequenceNode().GetNthIndexValue(number)


def _browsersOf(sequence: slicer.vtkMRMLSequenceNode) -> list[slicer.vtkMRMLSequenceBrowserNode]:
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    return [browser for browser in browsers if browser.IsSynchronizedSequenceNodeID(sequence.GetID(), True)]


def _synchronise(sequence: slicer.vtkMRMLSequenceNode, source: slicer.vtkMRMLSequenceNode) -> None:
    for browser in _browsersOf(source):
        if not browser.IsSynchronizedSequenceNodeID(sequence.GetID(), True):
            remember(browser)
            browser.AddSynchronizedSequenceNode(sequence)
        # Without this each new frame would rename the proxy.
        browser.SetOverwriteProxyName(sequence, False)
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
        proxy = browser.GetProxyNode(sequence)
        if proxy is not None and proxy.IsA("vtkMRMLDisplayableNode") and proxy.GetDisplayNode() is None:
            proxy.CreateDefaultDisplayNodes()
