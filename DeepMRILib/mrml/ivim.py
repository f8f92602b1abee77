"""IVIM on nodes: fits of a diffusion series to maps, a table of regions and a decay plot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.ivim import IVIMResult, PhantomOptions, phantom
from DeepMRILib.ivim.curves import region_curves
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.phantom_tissues import LABELS
from DeepMRILib.ivim.quantities import QUALITY, QUANTITIES
from DeepMRILib.mrml.bvalues import seriesSequence
from DeepMRILib.mrml.codes import setQuantity
from DeepMRILib.mrml.diffusion import nodeFromDiffusion
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import placeBeside, placeResult
from DeepMRILib.mrml.ivim_fits import FIT_ATTRIBUTE, MAP_ATTRIBUTE, FitKind, FitNodes, linkFit
from DeepMRILib.mrml.losses import chartFromLosses
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.plots import chartFromCurves
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.sequences import (
    browserOfProxy,
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

MOST_CURVES = 24
"""A plot with more cannot be read, and hundreds of series would stop Slicer for seconds; the table has them all."""
PREDICTED, TRAINING = "predicted", "training"
"""Results beside the maps: the fitted signal, and the loss curve of a network that was trained for the fit."""


@dataclass(frozen=True)
class _Target:
    """Beside which series results go, and of which fit they are."""

    seriesNode: Any
    kind: FitKind

    def name(self, what: str) -> str:
        """The name of a new node."""
        return f"{nodeName(self.seriesNode)} {what} {self.kind.short}"


def deliverFit(
    result: IVIMResult,
    seriesNode: Any,
    outputs: FitNodes,
    *,
    kind: FitKind | None = None,
    sdMaps: bool = False,
    qualityMaps: bool = False,
    frame: int | None = None,
) -> FitNodes:
    """Put a fit's maps, table and plot beside the series; nodes in ``outputs`` are updated, others are made.

    Where an output shows a sequence of maps that plays along with the series (after ``deliverFrames``), the map of the
    fitted frame is replaced there. An output that shows any other sequence is left alone, and a new node made.

    Args:
        kind: tells this fit from others of the same series; by default what the result's options say.
        sdMaps: also make maps of the parameters' standard deviations. Those that the fit's nodes have are updated.
        qualityMaps: the same of R2, RMSE and quality.
        frame: which frame of its sequence was fitted (``sequences.selectedFrame`` at that time), where the user may
            have moved on since; by default the one that the series shows now.
    """
    target = _Target(seriesNode, kind or FitKind.ofResult(result))
    frame = selectedFrame(seriesNode) if frame is None else frame

    def make(name: str, existing: Any) -> Any:
        return _mapNode(result, name, target, existing, frame)

    more = _wanted(result, outputs, sdMaps, qualityMaps)
    return _deliver(result, target, outputs, make, more=more, regions=result.regions)


def _deliver(
    result: IVIMResult,
    target: _Target,
    outputs: FitNodes,
    make: Callable[[str, Any], Any],
    *,
    more: Sequence[str],
    regions: Table,
) -> FitNodes:
    """Make or update all nodes of a fit, and tie them to its leading map."""
    nodes: dict[str, Any] = {
        f"{name}Map": make(name, getattr(outputs, f"{name}Map")) for name in MODELS[target.kind.model].parameters
    }
    nodes |= _numbers(result, regions, target, outputs)
    extra = {name: make(name, outputs.more.get(name)) for name in more}
    if result.training is not None:
        extra[TRAINING] = chartFromLosses(result.training, target.name("loss"), outputs.more.get(TRAINING))
        placeResult(extra[TRAINING], target.seriesNode)
    made = FitNodes(**nodes, more=extra)
    linkFit(made, target.kind)
    return made


def _wanted(result: IVIMResult, outputs: FitNodes, sdMaps: bool, qualityMaps: bool) -> list[str]:
    """The results beside the parameters and the numbers: those asked for, and those there are to update."""
    asked = {name: sdMaps for name in result.maps if name.endswith("_sd")} | dict.fromkeys(QUALITY, qualityMaps)
    wanted = [name for name, isAsked in asked.items() if isAsked or name in outputs.more]
    return wanted + ([PREDICTED] if result.predicted is not None else [])


def _numbers(result: IVIMResult, regions: Table, target: _Target, outputs: FitNodes) -> dict[str, Any]:
    """The nodes of the table and of the decay plot."""
    table = tableNodeFromTable(regions, target.name("IVIM regions"), outputs.regionsTable)
    chart = chartFromCurves(
        region_curves(result)[:MOST_CURVES],
        target.name("IVIM decay"),
        xTitle="b-value (s/mm²)",
        yTitle="Signal relative to S0",
        existing=outputs.decayChart,
    )
    for node in (table, chart):
        placeResult(node, target.seriesNode)
    return {"regionsTable": table, "decayChart": chart}


def _mapNode(result: IVIMResult, name: str, target: _Target, existing: Any, frame: int | None) -> Any:
    isProxy = browserOfProxy(existing) is not None
    if isProxy and not _belongs(existing, target.seriesNode, frame):
        # What is only written into a proxy is lost as soon as another frame is selected.
        existing, isProxy = None, False
    node = existing
    if not isProxy or frame == selectedFrame(existing):
        node = _filled(result, name, target, existing)
        if node.GetAttribute(MAP_ATTRIBUTE) != name:
            _show(node, name)
        _describe(node, result, name, target.kind)
    if isProxy:
        content = _frameMap(result, name, target)
        replaceFrame(node, frame, content)
        _discardFrames([content])
    placeResult(node, target.seriesNode)
    return node


def _filled(result: IVIMResult, name: str, target: _Target, existing: Any = None) -> Any:
    """The node with the voxels of one map, or with the images of the fitted signal."""
    if name == PREDICTED:
        return nodeFromDiffusion(result.predicted, target.name(name), existing)
    return nodeFromVolume(result.maps[name], target.name(name), existing)


def _belongs(proxy: Any, seriesNode: Any, frame: int | None) -> bool:
    """Whether a proxy shows the map of the frame that was fitted: a whole series, in step with it."""
    return (
        frame is not None
        and seriesSequence(seriesNode) is None
        and inStep(proxy, seriesNode)
        and hasFrame(proxy, frame)
    )


def _show(node: Any, name: str) -> None:
    if name != PREDICTED:
        showMap(node, QUANTITIES[name].colour, QUANTITIES[name].window)


def _describe(node: Any, result: IVIMResult, name: str, kind: FitKind) -> None:
    """Quantity and unit, and which method, engine, weights and version made the map."""
    made = result.provenance
    if name == PREDICTED:
        meaning = "Fitted signal"
    else:
        meaning = QUANTITIES[name].meaning
        setQuantity(node, name, QUANTITIES[name].unit)
    weights = f"weights {made.weights_sha256[:12]}" if made.weights_sha256 else ""
    parts = (meaning, kind.title, made.engine, weights, f"DeepMRI {made.version}")
    node.SetDescription("; ".join(filter(None, parts)))
    # Also of frames: a proxy takes over the attributes of the frame that it shows.
    node.SetAttribute(MAP_ATTRIBUTE, name)
    node.SetAttribute(FIT_ATTRIBUTE, kind.key)


def _frameMap(result: IVIMResult, name: str, target: _Target) -> Any:
    """One frame of a sequence of maps. Its proxy takes over its description at each change of frames."""
    node = _filled(result, name, target)
    _describe(node, result, name, target.kind)
    return node


def _discardFrames(frames: Sequence[Any]) -> None:
    """Remove what a sequence has copied."""
    for frame in frames:
        discard(frame.GetDisplayNode())
        discard(frame)


def deliverFrames(
    results: Sequence[IVIMResult],
    seriesNode: Any,
    outputs: FitNodes,
    *,
    kind: FitKind | None = None,
    sdMaps: bool = False,
    qualityMaps: bool = False,
) -> FitNodes:
    """Put the fits of all frames into the scene: each map a sequence in step with the series, the rest in one table.

    The returned maps are the proxies that show the selected frame; the plots show the first frame.

    Args:
        kind, sdMaps, qualityMaps: as for ``deliverFit``.

    Raises:
        InputError: the sequence that the series belonged to is gone, or has another number of frames by now.
    """
    target = _Target(seriesNode, kind or FitKind.ofResult(results[0]))
    source = sequenceOfProxy(seriesNode)
    if source is None:
        raise InputError(
            f"The sequence of {nodeName(seriesNode)} was deleted while its frames were fitted: the maps have no frames "
            "to belong to. Load the sequence again, or fit the one frame."
        )

    def make(name: str, existing: Any) -> Any:
        return _mapSequence(results, name, target, source, existing)

    rows = [
        {"frame": number, **dict(zip(result.regions.columns, row, strict=True))}
        for number, result in enumerate(results)
        for row in result.regions.rows
    ]
    table = Table.from_rows(rows, results[0].regions.units)
    more = _wanted(results[0], outputs, sdMaps, qualityMaps)
    return _deliver(results[0], target, outputs, make, more=more, regions=table)


def _mapSequence(results: Sequence[IVIMResult], name: str, target: _Target, source: Any, existing: Any) -> Any:
    known = sequenceOfProxy(existing) if inStep(existing, target.seriesNode) else None
    frames = [_frameMap(result, name, target) for result in results]
    sequence = sequenceFromFrames(frames, source, f"{target.name(name)} frames", known)
    _discardFrames(frames)
    proxy = proxyOfSequence(sequence)
    if known is None:
        _show(proxy, name)
    if name != PREDICTED:
        # Of the codes Slicer copies nothing from a frame to its proxy.
        setQuantity(proxy, name, QUANTITIES[name].unit)
    proxy.SetAttribute(MAP_ATTRIBUTE, name)
    placeResult(proxy, target.seriesNode)
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
