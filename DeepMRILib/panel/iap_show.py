"""What the IAPPredict panel offers to look at: table and strip plot, and what decides laid over the image."""

from __future__ import annotations

from typing import Any

import slicer.util
from slicer.i18n import tr as _

from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.panel.pvs_views import showOverlay
from DeepMRILib.panel.views import showNumbers, showPlotLayout


class ShowSection:
    """Connects the buttons that show things.

    Args:
        panel: its ``ui`` holds the widgets, its ``parameters`` what is chosen.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._ui.numbersButton.connect("clicked(bool)", lambda _checked=False: self.onNumbers())
        self._ui.overlayButton.connect("toggled(bool)", self.onOverlay)

    def refresh(self, parameters: Any) -> None:
        """Enable what there is something of; call it from ``updatePanel``."""
        self._ui.numbersButton.setEnabled(parameters.parametersTable is not None)
        overlay = parameters.saliencyVolume
        blocked = self._ui.overlayButton.blockSignals(True)
        self._ui.overlayButton.setEnabled(overlay is not None)
        self._ui.overlayButton.setChecked(_isOverlaid(overlay))
        self._ui.overlayButton.blockSignals(blocked)
        known = BY_NAME.get(parameters.shownParameter)
        text = _("Hides one patch of the image after the other and sees how the answer changes, for: {name}.")
        self._ui.saliencyLabel.setText(text.format(name=known.label) if known else "")
        self._ui.saliencyLabel.setVisible(known is not None)

    def onNumbers(self) -> None:
        """Show the table and the strip plot, in a layout with a plot where there is none."""
        parameters = self._panel.parameters
        showNumbers(parameters.parametersTable, parameters.stripChart)
        showPlotLayout(parameters.stripChart)

    def onOverlay(self, shown: bool) -> None:
        """Lay what decides over the image, or show the image alone."""
        overlay = self._panel.parameters.saliencyVolume
        if overlay is not None:
            showOverlay(sourceOf(overlay) or self._panel.parameters.inputVolume, overlay if shown else None)


def _isOverlaid(node: Any) -> bool:
    layers = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    return node is not None and any(layer.GetForegroundVolumeID() == node.GetID() for layer in layers)
