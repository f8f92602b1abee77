"""Acquisition parameters on nodes: what header and image say as tables and a strip plot, tied to each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer.util

from DeepMRILib.iap.result import IAPResult
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import placeResult, sourceOf
from DeepMRILib.mrml.iap_charts import stripChart, stripParameters
from DeepMRILib.mrml.iap_record import IAPNodes, IAPRecord, keepRecord, linkedNodes, linkNodes, recordOf
from DeepMRILib.mrml.iap_rows import ParameterRow, rowsOf, shownTable, valueText
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.pvs_report import tableFromNode
from DeepMRILib.mrml.tables import tableNodeFromTable
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.tables import Table

COLOURS = "Inferno"
MAP_ATTRIBUTE = "DeepMRI.Map"
ASK_FOR_A_LOOK = ("disagree", "missing in the header", "unseen class", "unsure")
"""Verdicts that the closing sentence counts."""


@dataclass(frozen=True)
class _Target:
    """Beside which image the results go, and which nodes there are already."""

    image: Any
    old: IAPNodes

    def name(self, what: str) -> str:
        """The name of a new node."""
        return f"{nodeName(self.image)} {what}"

    def place(self, node: Any) -> Any:
        """Put a result beside the image."""
        placeResult(node, self.image)
        return node

    def table(self, table: Table, what: str, name: str) -> Any:
        """A table of the result, beside the image."""
        return self.place(tableNodeFromTable(table, self.name(what), getattr(self.old, name)))


def deliverResult(
    result: IAPResult, imageNode: Any, outputs: IAPNodes | None = None, *, record: IAPRecord | None = None
) -> IAPNodes:
    """Put a result beside its image; nodes in ``outputs`` are updated, others are made.

    Args:
        imageNode: the volume that was looked at.
        outputs: those that are None, and belong to the table that is updated, are found by themselves.
        record: how slices are counted, and what was asked for.

    Raises:
        InputError: an output that cannot hold the result.
    """
    target = _Target(imageNode, _known(outputs or IAPNodes()))
    parameters = target.table(shownTable(result.parameters), "parameters", "parametersTable")
    slices = target.table(_plain(result.slices), "slices", "slicesTable") if len(result.slices) else None
    outside = target.table(result.outside, "checks", "outsideTable") if len(result.outside) else None
    saliency = target.old.saliencyVolume
    if saliency is not None and sourceOf(saliency) is not imageNode:
        saliency = None  # of another image
    if result.saliency is not None:
        saliency = deliverSaliency(result, imageNode, saliency)
    chosen = firstToLookAt(rowsOf(parameters), stripParameters(slices))
    chart = None
    if chosen is not None:
        chart = target.place(stripChart(slices, chosen, target.name("strip plot"), target.old.stripChart))
    nodes = IAPNodes(parameters, slices, outside, chart, saliency)
    keepRecord(parameters, record or IAPRecord(notes=list(result.provenance.notes)))
    linkNodes(nodes)
    return nodes


def _known(outputs: IAPNodes) -> IAPNodes:
    """The nodes to update: those given, and the others of the same run where the user has chosen none."""
    if recordOf(outputs.parametersTable) is None:
        return outputs
    linked = linkedNodes(outputs.parametersTable)
    return IAPNodes(**{name: getattr(outputs, name) or getattr(linked, name) for name in IAPNodes.names()})


def _plain(slices: Table) -> Table:
    """What slices say, as texts that one column can hold."""
    columns = dict(slices.columns)
    columns["predicted"] = [valueText(value) for value in columns["predicted"]]
    columns["probability"] = [np.nan if value is None else float(value) for value in columns["probability"]]
    return Table(columns, slices.units)


def deliverSaliency(result: IAPResult, imageNode: Any, existing: Any = None) -> Any:
    """How much the answer changes where the image is hidden, as a volume beside the image.

    It lies where the image lies: DICOM files are stacked as Slicer stacks them, or the other way round.
    """
    node = nodeFromVolume(result.saliency, f"{nodeName(imageNode)} what decides", existing)
    options = result.provenance.options
    node.SetDescription(f"What decides about {options.get('saliency', 'the parameter')}; {result.provenance.engine}")
    node.SetAttribute(MAP_ATTRIBUTE, "iap saliency")
    showMap(node, COLOURS, saliencyWindow(result.saliency.array))
    placeResult(node, imageNode)
    return node


def saliencyWindow(array: Any) -> tuple[float, float]:
    """From 0 to nearly the highest value: below 0 the answer became surer."""
    values = np.asarray(array, dtype=float)
    high = float(np.percentile(values[np.isfinite(values)], 99.8)) if np.isfinite(values).any() else 1.0
    return 0.0, high if high > 0 else 1.0


def drawStrip(table: Any, parameter: str, existing: Any = None) -> Any:
    """The strip plot of another parameter of a table; None where slices say nothing about it."""
    nodes = linkedNodes(table)
    row = next((row for row in rowsOf(table) if row.parameter == parameter), None)
    if row is None or nodes.slicesTable is None:
        return None
    image = sourceOf(table)
    name = f"{nodeName(image)} strip plot" if image is not None else "strip plot"
    chart = stripChart(nodes.slicesTable, row, name, existing or nodes.stripChart)
    if chart is not None and image is not None:
        placeResult(chart, image)
    return chart


def isTableOf(table: Any, imageNode: Any) -> bool:
    """Whether a table has the parameters of an image."""
    return recordOf(table) is not None and sourceOf(table) is imageNode


def tableOf(imageNode: Any) -> Any:
    """The latest table of an image's parameters; None where there is none."""
    if imageNode is None:
        return None
    tables = slicer.util.getNodesByClass("vtkMRMLTableNode")
    return next((node for node in reversed(tables) if isTableOf(node, imageNode)), None)


def toldParameters(table: Any) -> list[str]:
    """The parameters of a table that slices say something about."""
    return stripParameters(linkedNodes(table).slicesTable)


def shownFirst(nodes: IAPNodes) -> str:
    """The parameter whose row is chosen after a run; "" where there is none."""
    row = firstToLookAt(rowsOf(nodes.parametersTable), stripParameters(nodes.slicesTable))
    return row.parameter if row is not None else ""


def firstToLookAt(rows: list[ParameterRow], among: list[str]) -> ParameterRow | None:
    """The row that is shown first: one where header and image disagree, else the first that slices tell of."""
    told = [row for row in rows if row.parameter in among]
    return next((row for row in told if row.verdict == "disagree"), next(iter(told), None))


def slicePosition(table: Any, number: int) -> np.ndarray | None:
    """(3,) RAS mm in the world of the middle of a slice of the image; None where the image is gone or has no such."""
    image, record = sourceOf(table), recordOf(table)
    if image is None or image.GetImageData() is None or record is None:
        return None
    volume = volumeFromNode(image)
    axis = "ijk".index(record.axis)
    count = volume.shape[axis]
    if not 0 <= number < count:
        return None
    middle = (np.array(volume.shape[:3], dtype=float) - 1) / 2
    middle[axis] = count - 1 - number if record.reversed else number
    world = [0.0, 0.0, 0.0]
    image.TransformPointToWorld(volume.ras_from_voxel(middle)[0].tolist(), world)
    return np.array(world)


def warningText(outsideTable: Any) -> str:
    """Whether the images are unlike those of the training, in one clear sentence; empty when nothing is odd."""
    if outsideTable is None:
        return ""
    table = tableFromNode(outsideTable)
    if not {"check", "state"} <= set(table.columns):
        return ""
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    odd = {state: [str(row["check"]) for row in rows if row["state"] == state] for state in ("bad", "look")}
    if odd["bad"]:
        return (
            f"These images are unlike those that the model was trained on ({', '.join(odd['bad'])}): "
            "do not rely on what it says about them."
        )
    return f"Look at the images before you rely on this: {', '.join(odd['look'])}." if odd["look"] else ""


def summary(result: IAPResult, told: Sequence[str] = ()) -> str:
    """What the panel says when it is done: how many verdicts there are of which kind, and what a reader must know.

    Args:
        told: notes that stand elsewhere already.
    """
    verdicts = [str(verdict) for verdict in result.parameters.columns.get("verdict", [])]
    counts = [f"{verdicts.count('agree')} agree"] if "agree" in verdicts else []
    counts += [f"{verdicts.count(kind)} {kind}" for kind in ASK_FOR_A_LOOK if kind in verdicts]
    text = f"{len(verdicts)} parameters: {', '.join(counts)}." if counts else f"{len(verdicts)} parameters."
    return " ".join((text, *(note for note in result.provenance.notes if note not in told)))
