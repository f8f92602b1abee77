"""The section "points from a segment" of the InteractiveSeg panel: points as a user would place them."""

from __future__ import annotations

from typing import Any

import slicer
from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.interactive import syntheticPoints
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.panel.interactive_lesions import Lesions, newPoints
from DeepMRILib.panel.outcome import sayOutcome
from DeepMRILib.panel.segment_box import SegmentBox


class SourceSection:
    """Connects the section's widgets.

    Args:
        panel: the panel; its ``ui`` holds the section's widgets and its ``parameters`` what is chosen.
        lesions: the new points become a lesion of their own.
    """

    def __init__(self, panel: Any, lesions: Lesions) -> None:
        self._panel, self._lesions, self._ui = panel, lesions, panel.ui
        self._segments = SegmentBox(self._ui.sourceSegmentBox, self._onSegment)
        self._ui.sourceLabel.setVisible(False)
        self._ui.sourceButton.connect("clicked(bool)", lambda _checked=False: self.onMake())

    def refresh(self, parameters: Any) -> None:
        """Show the segments of the chosen segmentation."""
        chosen = self._segments.update(parameters.sourceSegmentation, parameters.sourceSegment)
        if chosen != parameters.sourceSegment:
            parameters.sourceSegment = chosen
        self._ui.sourceButton.setEnabled(parameters.inputVolume is not None and bool(chosen))

    def onMake(self) -> None:
        """Make a new lesion with six points inside the chosen segment, or say why there are none."""
        sayOutcome(self._ui.sourceLabel, lambda: self._make(self._panel.parameters))

    def _make(self, parameters: Any) -> str:
        if parameters.inputVolume is None:
            raise InputError(_("Choose an image first."))
        segmentation, segment = parameters.sourceSegmentation, parameters.sourceSegment
        found = segmentation.GetSegmentation().GetSegment(segment) if segmentation is not None else None
        if found is None:
            raise InputError(_("The chosen segment is no longer there. Choose another."))
        name = found.GetName()
        with transaction(slicer.mrmlScene):  # a segment without points leaves no empty list
            node = syntheticPoints(
                segmentation,
                segment,
                parameters.inputVolume,
                depth=parameters.depth,
                jitter=parameters.sourceJitter,
                seed=parameters.sourceSeed,
                existing=newPoints(parameters.inputVolume, _("{segment} points").format(segment=name)),
            )
        self._lesions.choose(parameters, node)
        return _("Six points of {segment}, {depth:g} mm inside its margin.").format(
            segment=name, depth=parameters.depth
        )

    def _onSegment(self, segmentId: str) -> None:
        self._panel.parameters.sourceSegment = segmentId
