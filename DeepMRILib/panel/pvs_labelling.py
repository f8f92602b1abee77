"""The sliders of the PVSSegment panel: threshold and smallest size, which take effect at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import slicer
import slicer.util

from DeepMRILib.errors import DeepMRIError
from DeepMRILib.mrml.pvs import countText
from DeepMRILib.mrml.pvs_record import recordOf
from DeepMRILib.mrml.pvs_relabel import Source, relabelSegmentation, sourceFromNodes
from DeepMRILib.mrml.segment_voxels import SURFACE
from DeepMRILib.panel.follower import Follower
from DeepMRILib.panel.timers import onceAfter
from DeepMRILib.pvs.options import RelabelOptions

REST_MS = 300
"""A hand that has not moved for that long has found its place: the surfaces follow then."""
SETTINGS = ("threshold", "min_size", "max_outside")


class Labelling:
    """Keeps the chosen segmentation in step with the sliders.

    Args:
        panel: its ``parameters`` hold the settings and the segmentation.
        onState: called with a text (how many spaces there are, or why it cannot be said) and whether it is an error.
    """

    def __init__(self, panel: Any, onState: Callable[[str, bool], None]) -> None:
        self._panel, self._onState = panel, onState
        self._source: Source | None = None
        self._segmentation = ""
        self._done: RelabelOptions | None = None
        self._failed: RelabelOptions | None = None
        self._soon = Follower(self._advance)
        self._rest = onceAfter(REST_MS, self._finish)
        self._warm = onceAfter(0, self._prepare)
        self.seconds = 0.0

    def refresh(self, parameters: Any) -> None:
        """Follow what is chosen now; call it from ``updatePanel``."""
        record = recordOf(parameters.segmentation)
        if record is None:
            self.forget()
            return
        if self._segmentation != parameters.segmentation.GetID():
            self._adopt(parameters, record.options)
        if wanted(parameters) not in (self._done, self._failed):
            self._soon.poke()

    def delivered(self, segmentation: Any) -> None:
        """A run has written a segmentation; sliders that were moved meanwhile count afterwards."""
        self._segmentation, self._source = segmentation.GetID(), None
        self._done, self._failed = recordOf(segmentation).options, None
        self._onState("", False)
        self._warm.start()

    def forget(self) -> None:
        """There is nothing to label."""
        if self._segmentation:
            self._segmentation, self._source, self._done, self._failed = "", None, None, None
            self._onState("", False)

    def stop(self) -> None:
        """Follow nothing while the user is elsewhere."""
        self._soon.stop()
        self._finish_now()

    def dispose(self) -> None:
        """The panel goes."""
        self._soon.dispose()
        for timer in (self._rest, self._warm):
            timer.stop()
            timer.deleteLater()

    def _adopt(self, parameters: Any, options: RelabelOptions) -> None:
        """Another segmentation: the sliders show what it was labelled with, and nothing changes."""
        self._finish_now()
        self._segmentation, self._source = parameters.segmentation.GetID(), None
        self._done, self._failed = options, None
        self._onState("", False)
        with slicer.util.NodeModify(parameters):
            for name in SETTINGS:
                setattr(parameters, name, getattr(options, name))

    def _prepare(self) -> None:
        """Read the probability before the first move of a slider: a second for a large image."""
        node = self._node()
        if node is None:
            return
        try:
            self._source = sourceFromNodes(node, self._source)
        except DeepMRIError:  # the first move says so
            self._source = None

    def _node(self) -> Any:
        parameters = self._panel.parameters
        node = parameters.segmentation
        return node if node is not None and node.GetID() == self._segmentation else None

    def _advance(self) -> None:
        node = self._node()
        options = wanted(self._panel.parameters)
        if node is None or options in (self._done, self._failed):
            return
        started = time.perf_counter()
        if self._label(node, options, surface=False):
            self.seconds = time.perf_counter() - started
            if node.GetSegmentation().ContainsRepresentation(SURFACE):
                self._rest.start()

    def _finish(self) -> None:
        """Bring the surfaces up to date: those of the segmentation that was labelled, whichever is chosen by now."""
        node = slicer.mrmlScene.GetNodeByID(self._segmentation) if self._segmentation else None
        if node is not None and self._done is not None:
            self._label(node, self._done, surface=True)

    def _finish_now(self) -> None:
        """Not wait for the hand to rest: the user goes elsewhere."""
        if self._rest.isActive():
            self._rest.stop()
            self._finish()

    def _label(self, node: Any, options: RelabelOptions, *, surface: bool) -> bool:
        try:
            found, self._source = relabelSegmentation(node, options, self._source, surface=surface)
        except DeepMRIError as error:
            self._failed = options
            self._onState(str(error), True)
            return False
        self._done, self._failed = options, None
        self._onState(f"{countText(found.statistics)}.", False)
        return True


def wanted(parameters: Any) -> RelabelOptions:
    """What the sliders say."""
    return RelabelOptions(**{name: getattr(parameters, name) for name in SETTINGS})
