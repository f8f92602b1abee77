"""Another threshold in the scene: the spaces, their tables and their chart anew from the probability that is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import slicer.util
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.interactive_segments import checkWritable, orientedImage, writeSegment
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.pvs_record import PVSNodes, keepRecord, linkedNodes, recordOf
from DeepMRILib.mrml.pvs_sizes import sizeChart
from DeepMRILib.mrml.segment_voxels import filledBox
from DeepMRILib.mrml.tables import tableNodeFromTable
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.pvs.options import RelabelOptions
from DeepMRILib.pvs.relabel import Relabelled, relabelled
from DeepMRILib.volume import LabelVolume, Volume

SEEN_FROM = 0.5
"""The overlay shows probabilities above this fraction of the threshold: what a lower one would add."""


@dataclass(frozen=True, eq=False)
class Source:
    """What labelling needs, cut to the box that holds the brain and all that may be a space.

    Attributes:
        probability: (i, j, k) of the box.
        brain: (i, j, k) bool.
        regions: of the tables; None where there are none.
        affine: (4, 4) of the whole image, whose voxel ``start`` is the box's first.
        key: the state of the nodes that it was read from.
    """

    probability: Volume
    brain: NDArray
    regions: LabelVolume | None
    affine: NDArray
    start: NDArray
    key: tuple[Any, ...]


def sourceFromNodes(segmentation: Any, known: Source | None = None) -> Source:
    """Read what labelling needs from the nodes that a segmentation refers to.

    Args:
        known: what was read before; it is taken where the nodes have not changed since.

    Raises:
        InputError: the segmentation was not made by PVSSegment, or one of the nodes is gone.
    """
    record, nodes = recordOf(segmentation), linkedNodes(segmentation)
    if record is None:
        raise InputError(f"{nodeName(segmentation)} was not made by this module. Press Apply to segment the image.")
    for node, what in ((nodes.probabilityMap, "probability map"), (nodes.brainMap, "brain mask")):
        if node is None or node.GetImageData() is None:
            raise InputError(f"The {what} of {nodeName(segmentation)} is gone. Press Apply to make it anew.")
    maps = (nodes.probabilityMap, nodes.brainMap, nodes.regionsMap)
    key = tuple(_state(node) for node in maps)
    if known is not None and known.key == key:
        return known
    probability, brain = (volumeFromNode(node) for node in maps[:2])
    regions = volumeFromNode(nodes.regionsMap) if nodes.regionsMap is not None else None
    for volume, node in ((brain, nodes.brainMap), (regions, nodes.regionsMap)):
        if volume is not None and not volume.same_grid(probability):
            raise InputError(
                f"{nodeName(node)} has another grid than {nodeName(nodes.probabilityMap)}: one of them was changed. "
                "Press Apply to make both anew."
            )
    return _cut(probability, np.asarray(brain.array) != 0, regions, record.regionNames, key)


def _cut(
    probability: Volume, brain: NDArray, regions: Volume | None, names: dict[int, str], key: tuple[Any, ...]
) -> Source:
    array = np.asarray(probability.array)
    inside = brain | (array > 0)
    if regions is not None:
        inside |= np.asarray(regions.array) != 0
    box = filledBox(inside)
    if not inside.any():
        box = (slice(0, 1),) * 3
    start = np.array([along.start for along in box])
    affine = probability.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ start
    cut = Volume(np.ascontiguousarray(array[box]), affine)
    labels = None
    if regions is not None:
        labels = LabelVolume(np.ascontiguousarray(np.asarray(regions.array)[box]), affine, names)
    return Source(cut, np.ascontiguousarray(brain[box]), labels, probability.affine, start, key)


def _state(node: Any) -> tuple[Any, ...] | None:
    if node is None:
        return None
    image = node.GetImageData()
    scalars = image.GetPointData().GetScalars()
    return node.GetID(), image.GetMTime(), scalars.GetMTime() if scalars is not None else 0


def relabelSegmentation(
    segmentation: Any, options: RelabelOptions, known: Source | None = None, *, surface: bool = True
) -> tuple[Relabelled, Source]:
    """Label a segmentation anew, and update its tables, its chart and its overlay.

    Args:
        segmentation: made by PVSSegment; its own voxels are not read.
        options: threshold and sizes.
        known: as for ``sourceFromNodes``.
        surface: also make the segment's surface anew, where the segmentation is shown in 3D.

    Returns:
        The labels in the box of the source, with the tables; and the source, for the next time.

    Raises:
        InputError: something that is needed is gone; nothing was changed.
    """
    source = sourceFromNodes(segmentation, known)
    record, nodes = recordOf(segmentation), linkedNodes(segmentation)
    checkWritable(segmentation)
    if segmentation.GetSegmentation().GetSegment(record.segment) is None:
        raise InputError(f"The segment of {nodeName(segmentation)} was deleted. Press Apply to make it anew.")
    found = relabelled(source.probability, source.brain, source.regions, options)
    mask = np.asarray(found.segmentation.array) > 0
    writeSegment(segmentation, record.segment, orientedImage(mask, source.affine, source.start), surface=surface)
    updateNumbers(nodes, found)
    thresholdOverlay(nodes.probabilityMap, options.threshold)
    keepRecord(segmentation, replace(record, **asdict(options)))
    return found, source


def updateNumbers(nodes: PVSNodes, found: Relabelled) -> None:
    """Update the tables and the chart that there are."""
    if nodes.censusTable is not None:
        tableNodeFromTable(found.census, "", nodes.censusTable)
    if nodes.regionsTable is not None:
        tableNodeFromTable(found.statistics, "", nodes.regionsTable)
    if nodes.sizeChart is not None:
        sizeChart(found.census, nodes.sizeChart.GetName(), nodes.sizeChart)


def thresholdOverlay(node: Any, threshold: float) -> None:
    """Hide what lies far below the threshold, so that the image shows through."""
    if not isNode(node, "vtkMRMLScalarVolumeNode") or node.GetDisplayNode() is None:
        return
    display = node.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.AutoThresholdOff()
        display.SetThreshold(max(SEEN_FROM * threshold, 0.01), 1.0)
        display.ApplyThresholdOn()
