"""The section "decay at a point or in a segment" of the IVIM panel: it follows a point while the user drags it."""

from __future__ import annotations

import html
from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.ivim.inspection import Inspection
from DeepMRILib.mrml.hierarchy import seenNode
from DeepMRILib.mrml.ivim_inspector import inspect, showInspection
from DeepMRILib.mrml.nodes import newNode
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.segment_box import SegmentBox
from DeepMRILib.panel.views import placePoint, showNumbers, showPlotLayout

POINT_EVENTS = (
    "PointModifiedEvent",
    "PointPositionDefinedEvent",
    "PointPositionUndefinedEvent",
    "PointRemovedEvent",
    "TransformModifiedEvent",
)
SEGMENT_EVENTS = ("SegmentAdded", "SegmentRemoved", "SegmentModified", "SourceRepresentationModified")


class InspectorSection:
    """Connects the section's widgets, the point or segment, and the chart.

    Args:
        panel: the panel; its ``ui`` holds the section's widgets and its ``parameters`` what is chosen.
    """

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self._ui = panel.ui
        self._segments = SegmentBox(self._ui.inspectorSegmentBox, self._onSegment)
        self._ui.inspectorLabel.setVisible(False)
        self._ui.showPlotButton.setEnabled(False)
        self._follower = Follower(self.update)
        self._ui.placePointButton.connect("clicked(bool)", lambda _checked=False: self.onPlacePoint())
        self._ui.showPlotButton.connect("clicked(bool)", lambda _checked=False: self.onShowPlot())

    def refresh(self, parameters: Any) -> None:
        """Follow what is chosen now."""
        target = parameters.inspectorTarget
        isSegmentation = target is not None and target.IsA("vtkMRMLSegmentationNode")
        chosen = self._segments.update(target if isSegmentation else None, parameters.inspectorSegment)
        if isSegmentation and chosen != parameters.inspectorSegment:
            parameters.inspectorSegment = chosen
        for widget in (self._ui.inspectorSegmentBox, self._ui.inspectorSegmentBoxLabel):
            widget.setVisible(isSegmentation)
        self._ui.placePointButton.setEnabled(parameters.inputSeries is not None)
        self._follower.watch(_events(parameters.inputSeries, target))
        self._follower.poke()

    def update(self) -> None:
        """Look at the point or segment again: text and chart."""
        parameters = self._panel.parameters
        series, target = parameters.inputSeries, parameters.inspectorTarget
        if series is None or target is None:
            self._say("")
            return
        inspection = None
        try:
            inspection = inspect(series, target, parameters.inspectorSegment, parameters.bValues)
            self._say(_describe(inspection))
        except DeepMRIError as error:
            self._say(html.escape(str(error)))
        chart = showInspection(inspection, series, target, parameters.inspectorChart)
        if chart is not parameters.inspectorChart:
            parameters.inspectorChart = chart
            showNumbers(chartNode=chart)

    def onPlacePoint(self) -> None:
        """Let the next click in a view place the point; a new point list is made where none is chosen."""
        parameters = self._panel.parameters
        target = parameters.inspectorTarget
        if target is None or not target.IsA("vtkMRMLMarkupsFiducialNode"):
            target = newNode("vtkMRMLMarkupsFiducialNode", _("IVIM point"))
            target.SetMaximumNumberOfControlPoints(1)
            target.CreateDefaultDisplayNodes()
            parameters.inspectorTarget = target
        elif target.GetMaximumNumberOfControlPoints() == 1:
            target.RemoveAllControlPoints()
        placePoint(target)

    def onShowPlot(self) -> None:
        """Show the chart in a view."""
        showNumbers(chartNode=self._panel.parameters.inspectorChart)
        showPlotLayout(self._panel.parameters.inspectorChart)

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere."""
        self._follower.stop()

    def dispose(self) -> None:
        """The panel goes."""
        self._follower.dispose()

    def _onSegment(self, segmentId: str) -> None:
        self._panel.parameters.inspectorSegment = segmentId

    def _say(self, text: str) -> None:
        if self._ui.inspectorLabel.text != text:
            self._ui.inspectorLabel.setText(text)
        self._ui.inspectorLabel.setVisible(bool(text))
        self._ui.showPlotButton.setEnabled(self._panel.parameters.inspectorChart is not None)


def _events(series: Any, target: Any) -> list[tuple[Any, Any]]:
    """What changes the decay that is shown: the image, its place, and the point or segment."""
    if series is None or target is None:
        return []
    image, events = seenNode(series), []
    if image.IsA("vtkMRMLVolumeNode"):
        events = [(image, image.TransformModifiedEvent), (image, image.ImageDataModifiedEvent)]
    if target.IsA("vtkMRMLSegmentationNode"):
        segmentation = target.GetSegmentation()
        return events + [(segmentation, getattr(segmentation, name)) for name in SEGMENT_EVENTS]
    return events + [(target, getattr(target, name)) for name in POINT_EVENTS]


def _describe(inspection: Inspection) -> str:
    """One line for each fit, as rich text."""
    if not inspection.fits:
        return _("Nothing is fitted here yet: press Apply.")
    lines = [f"<b>{html.escape(name)}</b>: {html.escape(fit.text)}" for name, fit in inspection.fits.items()]
    unit = _("D and D* in 10⁻³ mm²/s")
    if inspection.voxels > 1:
        several = _("mean ± standard deviation of {count:,} voxels").format(count=inspection.voxels)
        unit = f"{unit}; {several}"
    lines.append(f"<i>{unit}</i>")
    return "<br>".join(lines)
