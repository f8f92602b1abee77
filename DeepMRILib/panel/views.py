"""What Slicer's views show after a job: the one place that touches them, and quietly nothing where there are none."""

from __future__ import annotations

from typing import Any

import slicer


def showVolume(node: Any) -> None:
    """Show a volume in the slice views, as loading one does."""
    if node is not None and slicer.app.layoutManager() is not None:
        slicer.util.setSliceViewerLayers(background=node, fit=True)


def showNumbers(tableNode: Any = None, chartNode: Any = None) -> None:
    """Choose a table and a plot for the views that show tables and plots; the user's layout stays."""
    logic = slicer.app.applicationLogic()
    selection = logic.GetSelectionNode() if logic is not None else None
    if selection is None:
        return
    if tableNode is not None:
        selection.SetActiveTableID(tableNode.GetID())
        logic.PropagateTableSelection()
    if chartNode is not None:
        selection.SetActivePlotChartID(chartNode.GetID())
        logic.PropagatePlotChartSelection()


def showPlotLayout(chartNode: Any) -> None:
    """Show a chart, in a layout with a plot where the user's has none; only on the user's wish."""
    if chartNode is not None and slicer.app.layoutManager() is not None:
        slicer.modules.plots.logic().ShowChartInLayout(chartNode)


def placePoint(pointsNode: Any) -> None:
    """Let the user's next click in a view place a point of a point list."""
    logic = slicer.modules.markups.logic()
    logic.SetActiveList(pointsNode)
    logic.StartPlaceMode(False)


def jumpToPoint(pointsNode: Any, index: int) -> None:
    """Move all slice views to a point of a point list."""
    slicer.modules.markups.logic().JumpSlicesToNthPointInMarkup(pointsNode.GetID(), index, True)
