"""What the InteractiveSeg panel reads out: what is running and how long it takes, and how large the lesion is."""

from __future__ import annotations

import html
from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.mrml.nodes import shortened
from DeepMRILib.panel.interactive_hints import FAULT_SIGN
from DeepMRILib.panel.interactive_live import LiveState

DIAMETERS = ("axial", "coronal", "sagittal")


def liveText(state: LiveState, isLive: bool) -> str:
    """The state of the live segmentation as rich text; "" where there is nothing to say."""
    if state.isError:
        return f"{FAULT_SIGN} {html.escape(state.text)}"
    if state.isBusy:
        about = "" if state.expectedSeconds is None else _(", about {s}").format(s=_seconds(state.expectedSeconds))
        return _("Segmenting{about}.").format(about=about)
    if state.isPreview:
        return _("Coarse preview; the full segmentation follows when the points rest.")
    if state.text:
        return html.escape(state.text)
    return _times(state) if isLive else ""


def sizeText(tableNode: Any, segment: str) -> str:
    """Volume and diameters of a segment (by its ID) from the table of results, as rich text; "" where it has none."""
    row = _row(tableNode, segment)
    if row is None:
        return ""
    diameters = "; ".join(f"{_planes()[name]} {row[f'diameter_{name}']:.1f} mm" for name in DIAMETERS)
    volume = _("{millilitres:.3g} ml ({cubic:.0f} mm³, {voxels:.0f} voxels)").format(
        millilitres=row["volume_ml"], cubic=row["volume"], voxels=row["voxels"]
    )
    return _("<b>{name}</b>: {volume}<br>Longest diameter: {diameters}").format(
        name=html.escape(shortened(str(row["segment"]))), volume=volume, diameters=diameters
    )


def _planes() -> dict[str, str]:
    return {"axial": _("axial"), "coronal": _("coronal"), "sagittal": _("sagittal")}


def _times(state: LiveState) -> str:
    if state.lastSeconds is not None:
        return _("Last run: {s}.").format(s=_seconds(state.lastSeconds))
    return "" if state.expectedSeconds is None else _("Takes about {s}.").format(s=_seconds(state.expectedSeconds))


def _seconds(value: float) -> str:
    return f"{value:.2g} s" if value < 100 else f"{value / 60:.1f} min"


def _row(tableNode: Any, segment: str) -> dict[str, Any] | None:
    """The row of a segment as numbers and texts by column."""
    if tableNode is None or not segment:
        return None
    table = tableNode.GetTable()
    columns = {table.GetColumnName(n): table.GetColumn(n) for n in range(table.GetNumberOfColumns())}
    wanted = {"id", "segment", "volume", "volume_ml", "voxels", *(f"diameter_{name}" for name in DIAMETERS)}
    if not wanted <= set(columns):
        return None
    for row in range(table.GetNumberOfRows()):
        if columns["id"].GetValue(row) == segment:
            return {name: column.GetValue(row) for name, column in columns.items()}
    return None
