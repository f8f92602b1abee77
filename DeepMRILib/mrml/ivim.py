"""IVIM on nodes: a diffusion series in; maps, a table of regions and a decay plot out."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import slicer.util
from numpy.typing import ArrayLike, NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.files.bvalues import parse_b_values
from DeepMRILib.ivim import FitOptions, IVIMResult, PhantomOptions, phantom
from DeepMRILib.ivim.curves import region_curves
from DeepMRILib.ivim.phantom_tissues import LABELS
from DeepMRILib.ivim.prepare import check_b_values
from DeepMRILib.ivim.quantities import PARAMETERS, QUANTITIES
from DeepMRILib.mrml.bvalues import findBValues, imageCount, seriesSequence
from DeepMRILib.mrml.codes import setQuantity
from DeepMRILib.mrml.diffusion import diffusionFromNode, nodeFromDiffusion
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import placeBeside, placeResult
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.plots import chartFromCurves
from DeepMRILib.mrml.segments import labelsFromSegmentation, maskFromSegment, segmentationFromLabels
from DeepMRILib.mrml.sequences import (
    browserOfProxy,
    frameNodes,
    hasFrame,
    inStep,
    proxyOfSequence,
    replaceFrame,
    selectedFrame,
    sequenceFromFrames,
    sequenceOfProxy,
)
from DeepMRILib.mrml.tables import tableNodeFromTable
from DeepMRILib.mrml.terminology import PHANTOM_TERMS, terminologyEntry
from DeepMRILib.mrml.transaction import discard
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.tables import Table
from DeepMRILib.volume import checked_b_values

MAP_ATTRIBUTE = "DeepMRI.Map"
"""Says which map a node holds: a second run leaves its colours and window as the user has set them."""
MOST_CURVES = 24
"""A plot with more cannot be read, and hundreds of series would stop Slicer for seconds; the table has them all."""
QUALITY = ("R2", "RMSE")
SERIES_CLASSES = ("vtkMRMLDiffusionWeightedVolumeNode", "vtkMRMLVectorVolumeNode", "vtkMRMLSequenceNode")


@dataclass(frozen=True)
class FitNodes:
    """The nodes of one fit's results; None where there is none yet, or none was asked for."""

    DMap: Any = None
    fMap: Any = None
    D_starMap: Any = None
    S0Map: Any = None
    R2Map: Any = None
    RMSEMap: Any = None
    regionsTable: Any = None
    decayChart: Any = None

    @classmethod
    def names(cls) -> list[str]:
        """The fields' names, which are those of the module's parameters."""
        return [item.name for item in dataclasses.fields(cls)]


# ---- inputs


def firstSeries() -> Any:
    """The scene's first series whose b-values are known, None when there is none."""
    for className in SERIES_CLASSES:
        for node in slicer.util.getNodesByClass(className):
            if imageCount(node) > 1 and findBValues(node)[0] is not None:
                return node
    return None


def typedBValues(bValues: ArrayLike | str | None) -> Any:
    """b-values as numbers from what a user typed; None when nothing was.

    Raises:
        InputError: it holds something that is no number.
    """
    if bValues is None or (isinstance(bValues, str) and not bValues.strip()):
        return None
    return parse_b_values(bValues) if isinstance(bValues, str) else np.asarray(bValues, dtype=float)


def describeBValues(node: Any, typed: str) -> str:
    """What the panel says about a series: how many images, which b-values, and where they come from."""
    if node is None:
        return ""
    values, place = _bValues(node, typed)
    if values is None:
        return place
    shown = ", ".join(f"{value:g}" for value in np.unique(values))
    return f"{imageCount(node)} images, b = {shown} s/mm² ({place})"


def missingBValues(node: Any, typed: str) -> str:
    """Why the series cannot be fitted for want of b-values, in a sentence or two; "" when it can."""
    values, place = _bValues(node, typed)
    if values is None:
        return place if typed.strip() else f"{place} Type the b-values above."
    try:
        check_b_values(values, FitOptions(fit_s0=False))
    except InputError as error:
        return str(error)
    return ""


def _bValues(node: Any, typed: str) -> tuple[NDArray | None, str]:
    """The b-values typed, or else found, and where they come from; or None and what is wrong."""
    try:
        values = typedBValues(typed)
        return findBValues(node) if values is None else (checked_b_values(values, imageCount(node)), "typed")
    except InputError as error:
        return None, str(error)


def seriesFrames(node: Any) -> list[Any]:
    """The series of a sequence of series, of which ``node`` shows one; [] when it is a series by itself."""
    if node is None or node.IsA("vtkMRMLSequenceNode") or imageCount(node) < 2:
        return []
    sequence = sequenceOfProxy(node)
    frames = frameNodes(sequence) if sequence is not None else []
    several = [frame for frame in frames if frame.GetImageData().GetNumberOfScalarComponents() > 1]
    return several if len(several) == len(frames) else []


def fitInputs(
    seriesNode: Any,
    bValues: ArrayLike | str | None = None,
    maskSegmentation: Any = None,
    maskSegment: str = "",
    regionsSegmentation: Any = None,
    *,
    geometryNode: Any = None,
) -> dict[str, Any]:
    """The inputs of the job ``ivim.fit`` from nodes.

    Args:
        seriesNode: diffusion-weighted volume, vector volume, sequence of volumes, or a proxy of one.
        bValues: in s/mm2, numbers or typed text; by default those found with the series.
        maskSegmentation, maskSegment: node and segment ID of the mask; the first segment when no ID is given.
        regionsSegmentation: its segments are the regions.
        geometryNode: the node in the scene on whose grid the segments are taken, when the series itself is a frame
            of a sequence and so is not in the scene.

    Raises:
        InputError: the nodes do not hold what is needed.
    """
    inputs: dict[str, Any] = {"volume": diffusionFromNode(seriesNode, typedBValues(bValues))}
    reference = referenceVolume(geometryNode if geometryNode is not None else seriesNode)
    if maskSegmentation is not None:
        segment = maskSegment or maskSegmentation.GetSegmentation().GetNthSegmentID(0)
        inputs["mask"] = maskFromSegment(maskSegmentation, segment, reference)
    if regionsSegmentation is not None:
        inputs["labels"] = labelsFromSegmentation(regionsSegmentation, reference)[0]
    return inputs


def referenceVolume(seriesNode: Any) -> Any:
    """A volume node with the series' grid and transform: itself, or what shows its frames."""
    if not seriesNode.IsA("vtkMRMLSequenceNode"):
        return seriesNode
    return proxyOfSequence(seriesNode) or frameNodes(seriesNode)[0]


# ---- outputs


def deliverFit(
    result: IVIMResult, seriesNode: Any, outputs: FitNodes, *, qualityMaps: bool = False, frame: int | None = None
) -> FitNodes:
    """Put a fit's maps, table and plot beside the series; nodes in ``outputs`` are updated, others are made.

    Where an output shows a sequence of maps that plays along with the series (after ``deliverFrames``), the map of the
    fitted frame is replaced there. An output that shows any other sequence is left alone, and a new node made.

    Args:
        frame: which frame of its sequence was fitted (``sequences.selectedFrame`` at that time), where the user may
            have moved on since; by default the one that the series shows now.
    """
    frame = selectedFrame(seriesNode) if frame is None else frame
    made = {
        f"{name}Map": _mapNode(result, name, seriesNode, getattr(outputs, f"{name}Map"), frame)
        for name in _mapNames(qualityMaps)
    }
    return dataclasses.replace(outputs, **made, **_numbers(result, result.regions, seriesNode, outputs))


def _numbers(result: IVIMResult, regions: Table, seriesNode: Any, outputs: FitNodes) -> dict[str, Any]:
    """The nodes of the table and of the decay plot."""
    table = tableNodeFromTable(regions, f"{nodeName(seriesNode)} IVIM regions", outputs.regionsTable)
    chart = chartFromCurves(
        region_curves(result)[:MOST_CURVES],
        f"{nodeName(seriesNode)} IVIM decay",
        xTitle="b-value (s/mm²)",
        yTitle="Signal relative to S0",
        existing=outputs.decayChart,
    )
    for node in (table, chart):
        placeResult(node, seriesNode)
    return {"regionsTable": table, "decayChart": chart}


def _mapNames(qualityMaps: bool) -> tuple[str, ...]:
    return PARAMETERS + (QUALITY if qualityMaps else ())


def _mapNode(result: IVIMResult, name: str, seriesNode: Any, existing: Any, frame: int | None) -> Any:
    isProxy = browserOfProxy(existing) is not None
    if isProxy and not _belongs(existing, seriesNode, frame):
        # What is only written into a proxy is lost as soon as another frame is selected.
        existing, isProxy = None, False
    node = existing
    if not isProxy or frame == selectedFrame(existing):
        node = nodeFromVolume(result.maps[name], f"{nodeName(seriesNode)} {name}", existing)
        if node.GetAttribute(MAP_ATTRIBUTE) != name:
            _show(node, name)
        _describe(node, result, name)
    if isProxy:
        content = _frameMap(result, name, seriesNode)
        replaceFrame(node, frame, content)
        _discardFrames([content])
    placeResult(node, seriesNode)
    return node


def _belongs(proxy: Any, seriesNode: Any, frame: int | None) -> bool:
    """Whether a proxy shows the map of the frame that was fitted: a whole series, in step with it."""
    return (
        frame is not None
        and seriesSequence(seriesNode) is None
        and inStep(proxy, seriesNode)
        and hasFrame(proxy, frame)
    )


def _show(node: Any, name: str) -> None:
    showMap(node, QUANTITIES[name].colour, QUANTITIES[name].window)


def _describe(node: Any, result: IVIMResult, name: str) -> None:
    """Quantity and unit, and which engine and version made the map."""
    quantity = QUANTITIES[name]
    setQuantity(node, name, quantity.unit)
    node.SetDescription(f"{quantity.meaning}; {result.provenance.engine}; DeepMRI {result.provenance.version}")
    node.SetAttribute(MAP_ATTRIBUTE, name)


def _frameMap(result: IVIMResult, name: str, seriesNode: Any) -> Any:
    """One frame of a sequence of maps. Its proxy takes over its description at each change of frames."""
    node = nodeFromVolume(result.maps[name], f"{nodeName(seriesNode)} {name}")
    _describe(node, result, name)
    return node


def _discardFrames(frames: Sequence[Any]) -> None:
    """Remove what a sequence has copied."""
    for frame in frames:
        discard(frame.GetDisplayNode())
        discard(frame)


def deliverFrames(
    results: Sequence[IVIMResult], seriesNode: Any, outputs: FitNodes, *, qualityMaps: bool = False
) -> FitNodes:
    """Put the fits of all frames into the scene: each map a sequence in step with the series, the rest in one table.

    The returned maps are the proxies that show the selected frame; the plot shows the first frame.

    Raises:
        InputError: the sequence that the series belonged to is gone, or has another number of frames by now.
    """
    source = sequenceOfProxy(seriesNode)
    if source is None:
        raise InputError(
            f"The sequence of {nodeName(seriesNode)} was deleted while its frames were fitted: the maps have no frames "
            "to belong to. Load the sequence again, or fit the one frame."
        )
    made = {
        f"{name}Map": _mapSequence(results, name, seriesNode, source, getattr(outputs, f"{name}Map"))
        for name in _mapNames(qualityMaps)
    }
    rows = [
        {"frame": number, **dict(zip(result.regions.columns, row, strict=True))}
        for number, result in enumerate(results)
        for row in result.regions.rows
    ]
    table = Table.from_rows(rows, results[0].regions.units)
    return dataclasses.replace(outputs, **made, **_numbers(results[0], table, seriesNode, outputs))


def _mapSequence(results: Sequence[IVIMResult], name: str, seriesNode: Any, source: Any, existing: Any) -> Any:
    known = sequenceOfProxy(existing) if inStep(existing, seriesNode) else None
    frames = [_frameMap(result, name, seriesNode) for result in results]
    sequence = sequenceFromFrames(frames, source, f"{nodeName(seriesNode)} {name} frames", known)
    _discardFrames(frames)
    proxy = proxyOfSequence(sequence)
    if known is None:
        _show(proxy, name)
    # Of the codes Slicer copies nothing from a frame to its proxy.
    setQuantity(proxy, name, QUANTITIES[name].unit)
    placeResult(proxy, seriesNode)
    return proxy


def summary(results: Sequence[IVIMResult]) -> str:
    """What the panel says when it is done."""
    voxels = sum(result.provenance.inputs["voxels_fitted"] for result in results)
    seconds = sum(result.provenance.seconds["fit"] for result in results)
    frames = f" in {len(results)} frames" if len(results) > 1 else ""
    notes = " ".join(dict.fromkeys(note for result in results for note in result.provenance.notes))
    return f"Fitted {voxels:,} voxels{frames} in {seconds:.2f} s. {notes}".strip()


def regionMedian(tableNode: Any, region: str, name: str) -> float:
    """The median of a parameter in one region of the table that a fit has made."""
    table = tableNode.GetTable()
    regions = table.GetColumnByName("region")
    row = next(n for n in range(table.GetNumberOfRows()) if regions.GetValue(n) == region)
    return table.GetColumnByName(f"{name}_median").GetTuple1(row)


# ---- sample data


def phantomNodes(options: PhantomOptions | None = None) -> tuple[Any, Any]:
    """Compute the abdomen phantom; returns its diffusion-weighted volume node and its organs' segmentation node."""
    made = phantom(options or PhantomOptions())
    series = nodeFromDiffusion(made.dwi, "IVIMFitAbdomenPhantom")
    organs = segmentationFromLabels(
        made.labels,
        made.labels.names,
        name="IVIMFitAbdomenPhantom organs",
        source=series,
        terminology={LABELS[tissue]: terminologyEntry(*codes) for tissue, codes in PHANTOM_TERMS.items()},
    )
    placeBeside(organs, series)
    return series, organs
