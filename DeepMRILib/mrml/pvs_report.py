"""The result of a run as it is in the scene now, with the threshold that was chosen last: for its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.pvs_record import PVSRecord, linkedNodes, recordOf
from DeepMRILib.mrml.volumes import volumeFromNode
from DeepMRILib.pvs.engine import BOX
from DeepMRILib.pvs.relabel import relabel
from DeepMRILib.pvs.resample import onto
from DeepMRILib.pvs.result import PVSResult
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

ANEW = "The numbers on voxels of 1 mm were computed anew from the saved scene."


def resultFromNodes(segmentation: Any, conformed: Mapping[str, Volume] | None = None) -> PVSResult:
    """The result that a segmentation's nodes hold.

    Args:
        conformed: of the run (``PVSResult.conformed``), where it is still in memory; otherwise its images are made
            anew from the nodes.

    Raises:
        InputError: the segmentation was not made by PVSSegment, or one of its nodes is gone.
    """
    record, nodes = recordOf(segmentation), linkedNodes(segmentation)
    if record is None:
        raise InputError(f"{nodeName(segmentation)} was not made by this module. Press Apply to segment an image.")
    image = sourceOf(segmentation)
    wanted = {"image": image, "probability map": nodes.probabilityMap, "brain mask": nodes.brainMap}
    for what, node in wanted.items():
        if node is None or node.GetImageData() is None:
            raise InputError(f"The {what} of {nodeName(segmentation)} is gone. Press Apply to make it anew.")
    probability, brain = volumeFromNode(nodes.probabilityMap), volumeFromNode(nodes.brainMap)
    regions = _regions(nodes.regionsMap, record)
    made = _provenance(record)
    if not conformed:
        main = "t2_1mm" if "t2" in made.inputs.get("images", ()) else "t1_1mm"
        conformed = {main: _onBox(volumeFromNode(image), record, 3), **_conformed(probability, brain, regions, record)}
        made = replace(made, notes=(*made.notes, ANEW))
    result = PVSResult(
        provenance=made,
        probability=probability,
        brain=LabelVolume(brain.array, brain.affine, {1: "Brain"}),
        regions=regions,
        qc=tableFromNode(nodes.qcTable) if nodes.qcTable is not None else Table({}),
        conformed=dict(conformed),
    )
    return relabel(result, record.options)


def _provenance(record: PVSRecord) -> Provenance:
    known = {item.name for item in fields(Provenance)}
    values = {name: value for name, value in record.provenance.items() if name in known}
    if not {"job", "engine", "options"} <= set(values):
        raise InputError("The segmentation does not say how it was made. Press Apply to segment the image anew.")
    values["notes"] = tuple(values.get("notes", ()))
    return Provenance(**values)


def _regions(node: Any, record: PVSRecord) -> LabelVolume | None:
    if node is None or node.GetImageData() is None:
        return None
    volume = volumeFromNode(node)
    return LabelVolume(volume.array, volume.affine, record.regionNames)


def _conformed(probability: Volume, brain: Volume, regions: Volume | None, record: PVSRecord) -> dict[str, Volume]:
    """The maps on the 1 mm box of the run."""
    boxed = _onBox(brain, record, 0)
    return {
        "brain_1mm": boxed,
        "regions_1mm": boxed if regions is None else _onBox(regions, record, 0),
        "probability_1mm": _onBox(probability, record, 1),
    }


def _onBox(volume: Volume, record: PVSRecord, order: int) -> Volume:
    """A volume on the box of the run; 0 beyond its field of view."""
    if np.shape(record.box) != (4, 4):
        raise InputError("The segmentation does not say where its box lay. Press Apply to segment the image anew.")
    affine = np.array(record.box, dtype=float)
    return Volume(onto(volume.array, volume.affine, affine, BOX, order=order, antialias=order > 1), affine)


def tableFromNode(node: Any) -> Table:
    """The columns and units of a table node."""
    table = node.GetTable()
    columns, units = {}, {}
    for n in range(table.GetNumberOfColumns()):
        column = table.GetColumn(n)
        name = column.GetName()
        columns[name] = [column.GetValue(row) for row in range(column.GetNumberOfValues())]
        if node.GetColumnUnitLabel(name):
            units[name] = node.GetColumnUnitLabel(name)
    return Table(columns, units)
