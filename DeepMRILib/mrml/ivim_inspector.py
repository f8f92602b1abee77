"""What a diffusion series and the fits to it say at a point that the user drags, or in a segment."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer.util
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.inspection import Inspection, inspect_voxels
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.mrml.bvalues import seriesSequence
from DeepMRILib.mrml.hierarchy import placeResult
from DeepMRILib.mrml.ivim_fits import FitKind, FitNodes, findFits
from DeepMRILib.mrml.ivim_series import referenceVolume, seriesBValues
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.plots import chartFromCurves, clearChart
from DeepMRILib.mrml.points import pointsFromFiducials
from DeepMRILib.mrml.segments import maskFromSegment
from DeepMRILib.mrml.sequences import frameNodes
from DeepMRILib.mrml.volumes import affineFromNode

Voxels = tuple[ArrayLike, ArrayLike, ArrayLike]
"""Indices (k, j, i) into Slicer's arrays, each (n,)."""


def inspect(seriesNode: Any, targetNode: Any, segment: str = "", typed: str = "") -> Inspection:
    """The measured signal and all fits of a series at the first point of a point list, or in a segment.

    Only the voxels looked at are read, so that this keeps up with a point that is being dragged. Of a series that is
    a frame of a sequence, the frame is taken that is shown, and of its fits as well.

    Args:
        seriesNode: as for a fit.
        targetNode: a list of points, or a segmentation; transforms of it and of the series are followed.
        segment: ID of the segment; by default the first.
        typed: b-values as typed, in place of those found with the series.

    Raises:
        InputError: no point was placed, it lies outside of the series, the segment is empty there, or the b-values of
            the series are not known.
    """
    values, place = seriesBValues(seriesNode, typed)
    if values is None:
        raise InputError(place)
    reference = referenceVolume(seriesNode)
    if targetNode.IsA("vtkMRMLSegmentationNode"):
        voxels = _segmentVoxels(targetNode, segment, reference)
    else:
        voxels = _pointVoxel(targetNode, seriesNode, reference)
    fits = {
        kind.title: (kind.model, _valuesOf(kind, nodes, voxels))
        for kind, nodes in findFits(seriesNode).items()
        if _isWhole(kind, nodes, reference)
    }
    return inspect_voxels(_signals(seriesNode, voxels), values, fits)


def showInspection(inspection: Inspection | None, seriesNode: Any, targetNode: Any, existing: Any = None) -> Any:
    """The chart of an inspection: ``existing`` with new content, or a new one; empty where nothing is to be seen."""
    if inspection is None:
        if existing is not None:
            clearChart(existing)
        return existing
    title = f"{nodeName(seriesNode)} at {nodeName(targetNode)}"
    chart = chartFromCurves(inspection.curves, title, xTitle="b-value (s/mm²)", yTitle="Signal", existing=existing)
    chart.SetTitle(title)
    placeResult(chart, seriesNode)
    return chart


def _pointVoxel(pointsNode: Any, seriesNode: Any, reference: Any) -> Voxels:
    points = pointsFromFiducials(pointsNode, reference)
    if not len(points):
        raise InputError("Click in a slice view to place the point.")
    affine = affineFromNode(reference)
    index = np.rint(np.linalg.inv(affine) @ [*points[0], 1.0])[:3].astype(int)
    if (index < 0).any() or (index >= reference.GetImageData().GetDimensions()).any():
        raise InputError(f"The point lies outside of {nodeName(seriesNode)}. Drag it into the image.")
    i, j, k = index
    return [k], [j], [i]


def _segmentVoxels(segmentation: Any, segment: str, reference: Any) -> Voxels:
    segment = segment or segmentation.GetSegmentation().GetNthSegmentID(0)
    if not segment:
        raise InputError(f"{nodeName(segmentation)} has no segment. Add one, or choose a point.")
    return np.nonzero(maskFromSegment(segmentation, segment, reference).array)[::-1]


def _signals(seriesNode: Any, voxels: Voxels) -> NDArray:
    """(voxels, n): of each voxel its signal in every image."""
    sequence = seriesSequence(seriesNode)
    if sequence is None:
        return slicer.util.arrayFromVolume(seriesNode)[voxels]
    frames = frameNodes(sequence)
    if len({frame.GetImageData().GetDimensions() for frame in frames}) > 1:
        raise InputError(f"The images of {nodeName(sequence)} lie on different grids. Resample them to one.")
    return np.stack([slicer.util.arrayFromVolume(frame)[voxels] for frame in frames], axis=-1)


def _isWhole(kind: FitKind, nodes: FitNodes, reference: Any) -> bool:
    """Whether all parameters of a fit are there, on the grid of the series."""
    maps = [getattr(nodes, f"{name}Map") for name in MODELS[kind.model].parameters]
    size = reference.GetImageData().GetDimensions()
    return all(node is not None and node.GetImageData() is not None for node in maps) and all(
        node.GetImageData().GetDimensions() == size for node in maps
    )


def _valuesOf(kind: FitKind, nodes: FitNodes, voxels: Voxels) -> dict[str, NDArray]:
    maps = {name: getattr(nodes, f"{name}Map") for name in MODELS[kind.model].parameters}
    maps |= {name: node for name, node in nodes.more.items() if name.endswith("_sd")}
    return {name: slicer.util.arrayFromVolume(node)[voxels] for name, node in maps.items()}
