"""Perivascular spaces on nodes: the segment, its probability, its tables and its chart, tied to each other."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer

from DeepMRILib.mrml.codes import Code
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import placeResult
from DeepMRILib.mrml.interactive_segments import checkWritable
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.pvs_record import PVSNodes, PVSRecord, keepRecord, linkedNodes, linkNodes, recordOf
from DeepMRILib.mrml.pvs_relabel import thresholdOverlay
from DeepMRILib.mrml.pvs_sizes import sizeChart
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.tables import tableNodeFromTable
from DeepMRILib.mrml.terminology import ANATOMY, terminologyEntry
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.tables import Table

SEGMENT_NAME = "Perivascular spaces"
SEGMENT_COLOUR = (0.95, 0.55, 0.15)
SPACE: Code = ("0014930", "UBERON", "Perivascular space")
BRAIN: Code = ("12738006", "SCT", "Brain")
"""SNOMED CT as Slicer lists it knows no perivascular space; the anatomy ontology Uberon does."""
COLOURS, WINDOW = "Inferno", (0.0, 1.0)
FOLDER = "Perivascular spaces: maps"
MAP_ATTRIBUTE = "DeepMRI.Map"
TRUSTED = ("good", "")
"""Verdicts of the quality control that need no word."""
SMOOTHING = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule.GetSmoothingFactorParameterName()
"""Of surfaces; Slicer's usual half lets tubes of one voxel shrink to nothing."""


@dataclass(frozen=True)
class _Target:
    """Beside which image the results go, and which nodes there are already."""

    image: Any
    old: PVSNodes

    def name(self, what: str) -> str:
        """The name of a new node."""
        return f"{nodeName(self.image)} {what}"

    def place(self, node: Any, folder: str | None = None) -> Any:
        """Put a result beside the image."""
        placeResult(node, self.image, folder)
        return node


def deliverResult(result: PVSResult, imageNode: Any, outputs: PVSNodes | None = None) -> PVSNodes:
    """Put a result beside its image; nodes in ``outputs`` are updated, others are made.

    Args:
        imageNode: the T1, or the T2, on whose grid the result is.
        outputs: those that are None, and belong to the segmentation that is updated, are found by themselves.

    Raises:
        InputError: an output that cannot hold the result, such as a segmentation that is kept as surfaces.
    """
    target = _Target(imageNode, _known(outputs or PVSNodes()))
    options = result.provenance.options
    segmentation = _segmentation(result, target)
    nodes = PVSNodes(
        segmentation=segmentation,
        probabilityMap=_probability(result, target),
        regionsTable=_table(result.statistics, "PVS regions", target, "regionsTable"),
        censusTable=_table(result.census, "PVS census", target, "censusTable"),
        qcTable=_table(result.qc, "PVS quality control", target, "qcTable"),
        sizeChart=target.place(sizeChart(result.census, target.name("PVS sizes"), target.old.sizeChart)),
        brainMap=_labels(result.brain, "PVS brain mask", target, "brainMap"),
        regionsMap=_labels(result.regions, "PVS regions map", target, "regionsMap"),
    )
    thresholdOverlay(nodes.probabilityMap, options["threshold"])
    keepRecord(segmentation, _record(result, segmentation))
    linkNodes(nodes)
    return nodes


def _known(outputs: PVSNodes) -> PVSNodes:
    """The nodes to update: those given, and the others of the same run where the user has chosen none."""
    if recordOf(outputs.segmentation) is None:
        return outputs
    linked = linkedNodes(outputs.segmentation)
    names = PVSNodes.names()
    return PVSNodes(**{name: getattr(outputs, name) or getattr(linked, name) for name in names})


def _segmentation(result: PVSResult, target: _Target) -> Any:
    existing = target.old.segmentation
    if existing is not None:
        checkWritable(existing)
    node = segmentationFromLabels(
        result.segmentation,
        {1: SEGMENT_NAME},
        {1: SEGMENT_COLOUR} if existing is None else None,
        name=target.name("PVS"),
        existing=existing,
        source=target.image,
        terminology={1: terminologyEntry(ANATOMY, SPACE, BRAIN)},
    )
    return target.place(node)


def _record(result: PVSResult, segmentation: Any) -> PVSRecord:
    made = result.provenance
    segments = segmentation.GetSegmentation()
    box = next((volume.affine.tolist() for volume in result.conformed.values()), [])
    return PVSRecord(
        segment=segments.GetSegmentIdBySegmentName(SEGMENT_NAME),
        threshold=made.options["threshold"],
        min_size=made.options["min_size"],
        max_outside=made.options["max_outside"],
        regions={str(label): name for label, name in (result.regions.names if result.regions else {}).items()},
        provenance=dataclasses.asdict(made),
        box=box,
    )


def _probability(result: PVSResult, target: _Target) -> Any:
    existing = target.old.probabilityMap
    node = nodeFromVolume(result.probability, target.name("PVS probability"), existing)
    if node.GetAttribute(MAP_ATTRIBUTE) is None:  # later the user's colours stay
        showMap(node, COLOURS, WINDOW)
        node.SetAttribute(MAP_ATTRIBUTE, "pvs probability")
    made = result.provenance
    weights = f"weights {made.weights_sha256[:12]}" if made.weights_sha256 else ""
    parts = ("Probability of a perivascular space, 0 to 1", made.engine, weights, f"DeepMRI {made.version}")
    node.SetDescription("; ".join(filter(None, parts)))
    return target.place(node)


def _labels(volume: Any, what: str, target: _Target, name: str) -> Any:
    """A label map, out of the way in a folder: it is there for labelling anew."""
    if volume is None:
        return None
    node = nodeFromVolume(volume, target.name(what), getattr(target.old, name))
    return target.place(node, FOLDER)


def _table(table: Table, what: str, target: _Target, name: str) -> Any:
    return target.place(tableNodeFromTable(table, target.name(what), getattr(target.old, name)))


def summary(result: PVSResult) -> str:
    """What the panel says when it is done: how many there are, what to look at, and what a reader must know."""
    seconds = result.provenance.seconds.get("segment")
    took = f" in {seconds:.0f} s" if seconds is not None else ""
    sentences = (f"{countText(result.statistics)}{took}.", qualityText(result.qc), *result.provenance.notes)
    return " ".join(filter(None, sentences))


def countText(statistics: Table) -> str:
    """How many spaces there are and how large they are together: the first row of the table of regions."""
    if not len(statistics):
        return "No perivascular spaces"
    row = dict(zip(statistics.columns, statistics.rows[0], strict=True))
    if not row["clusters"]:
        return "No perivascular spaces"
    spaces = "space" if row["clusters"] == 1 else "spaces"
    return f"{row['clusters']:,} perivascular {spaces}, {row['total']:,.0f} mm³"


def qualityText(qc: Table) -> str:
    """Which checks of the quality control ask for a look; empty when none does."""
    rows = [dict(zip(qc.columns, row, strict=True)) for row in qc.rows]
    found = [
        f"{row['check']} ({row['value']:.3g} {row['unit']})".replace(" )", ")")
        for row in rows
        if row["verdict"] not in TRUSTED
    ]
    return f"Look at: {', '.join(found)}." if found else ""


def show3D(segmentation: Any, shown: bool) -> None:
    """Show a segmentation's surfaces in 3D views, or no longer."""
    display = segmentation.GetDisplayNode()
    if shown:
        segmentation.GetSegmentation().SetConversionParameter(SMOOTHING, "0.0")
        segmentation.CreateClosedSurfaceRepresentation()
        display.SetVisibility(True)
        display.SetVisibility3D(True)
    else:
        segmentation.RemoveClosedSurfaceRepresentation()


def isShown3D(segmentation: Any) -> bool:
    """Whether a segmentation has surfaces that 3D views show."""
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    display = segmentation.GetDisplayNode()
    there = segmentation.GetSegmentation().ContainsRepresentation(surface)
    return bool(there and display is not None and display.GetVisibility() and display.GetVisibility3D())


def clusterPosition(segmentation: Any, position: tuple[float, float, float]) -> np.ndarray:
    """(3,) RAS mm in the world of a place in the segmentation's own frame, as the census has it."""
    world = [0.0, 0.0, 0.0]
    segmentation.TransformPointToWorld(list(position), world)
    return np.array(world)
