"""What the PVSSegment panel offers to look at: 3D, overlay, crop box, tables with the plot, and the report."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from DeepMRILib.errors import InputError
from DeepMRILib.jobs import load
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.pvs import isShown3D, show3D
from DeepMRILib.mrml.pvs_box import boxCentre, boxNode
from DeepMRILib.mrml.pvs_inputs import maskOn
from DeepMRILib.mrml.pvs_record import recordOf
from DeepMRILib.mrml.pvs_report import resultFromNodes
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.panel.dependencies import ensurePackages
from DeepMRILib.panel.outcome import plainName, sayOutcome
from DeepMRILib.panel.pvs_task import mainImage
from DeepMRILib.panel.pvs_views import showOverlay
from DeepMRILib.panel.runner import temporaryFolder
from DeepMRILib.panel.views import showNumbers, showPlotLayout

REPORT_PACKAGES = ("matplotlib>=3.8",)


class ShowSection:
    """Connects the buttons that show things.

    Args:
        panel: its ``ui`` holds the widgets, its ``parameters`` what is chosen, its ``logic`` the last result.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        self._ui.show3DButton.connect("toggled(bool)", self.on3D)
        self._ui.overlayButton.connect("toggled(bool)", self.onOverlay)
        self._ui.boxButton.connect("toggled(bool)", self.onBox)
        self._ui.numbersButton.connect("clicked(bool)", lambda _checked=False: self.onNumbers())
        self._ui.reportButton.connect("clicked(bool)", lambda _checked=False: self.onReport())
        self._ui.showLabel.setVisible(False)
        self._boxed: Any = None

    def refresh(self, parameters: Any) -> None:
        """Enable what there is something of; call it from ``updatePanel``."""
        made = recordOf(parameters.segmentation) is not None
        image = mainImage(parameters)
        self._press(self._ui.show3DButton, made, made and isShown3D(parameters.segmentation))
        self._press(self._ui.overlayButton, parameters.probabilityMap is not None, self._isOverlaid(parameters))
        self._press(self._ui.boxButton, image is not None, _isVisible(parameters.cropBox))
        self._ui.numbersButton.setEnabled(parameters.regionsTable is not None or parameters.sizeChart is not None)
        self._ui.reportButton.setEnabled(made)
        if _isVisible(parameters.cropBox) and self._boxed != _boxKey(parameters):
            self._say(self._showBox)

    def on3D(self, shown: bool) -> None:
        """Show the spaces in 3D views."""
        node = self._panel.parameters.segmentation
        if node is not None:
            show3D(node, shown)

    def onOverlay(self, shown: bool) -> None:
        """Lay the probability over the image, or show the image alone."""
        parameters = self._panel.parameters
        overlay = parameters.probabilityMap
        if overlay is not None:
            showOverlay(sourceOf(overlay) or mainImage(parameters), overlay if shown else None)

    def onBox(self, shown: bool) -> None:
        """Show the box that the engines look at."""
        parameters = self._panel.parameters
        if not shown:
            if parameters.cropBox is not None and parameters.cropBox.GetDisplayNode() is not None:
                parameters.cropBox.GetDisplayNode().SetVisibility(False)
            return
        self._say(self._showBox)
        self._panel.refresh()

    def onNumbers(self) -> None:
        """Show the table of regions and the plot, in a layout with a plot where there is none."""
        parameters = self._panel.parameters
        showNumbers(parameters.regionsTable, parameters.sizeChart)
        showPlotLayout(parameters.sizeChart)

    def onReport(self) -> None:
        """Write the report and open it in the browser."""
        with slicer.util.WaitCursor():
            self._say(self._report)

    def _showBox(self) -> str:
        parameters = self._panel.parameters
        image, segmentation = mainImage(parameters), parameters.segmentation
        self._boxed = _boxKey(parameters)
        if image is None:
            raise InputError(_("Choose an image first."))
        done = segmentation if segmentation is not None and sourceOf(segmentation) is image else None
        mask = None
        if parameters.maskSegmentation is not None:
            mask = maskOn(parameters.maskSegmentation, parameters.maskSegment, image).array
        centre = boxCentre(image, done, mask)
        with transaction(slicer.mrmlScene):
            parameters.cropBox = boxNode(image, centre, parameters.cropBox)
        parameters.cropBox.GetDisplayNode().SetVisibility(True)
        if recordOf(done) is not None:
            return ""
        return _("Where the box will lie, roughly: it is centred on the brain when Apply has found it.")

    def _report(self) -> str:
        parameters = self._panel.parameters
        ensurePackages(REPORT_PACKAGES, self._panel.title)
        segmentation = parameters.segmentation
        last = self._panel.logic.last
        known = last[1] if last is not None and last[0] == segmentation.GetID() else None
        result = resultFromNodes(segmentation, known)
        path = self._reportPath(segmentation)
        load(self._panel.logic.job.report)(result).write(path)
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))
        self._ui.reportFolderEdit.addCurrentPathToHistory()
        return _("The report is {path}.").format(path=path)

    def _reportPath(self, segmentation: Any) -> Path:
        """A new name in the chosen folder, or in Slicer's temporary one."""
        chosen = self._ui.reportFolderEdit.currentPath.strip()
        folder = Path(chosen).expanduser() if chosen else temporaryFolder()
        if not folder.is_dir():
            raise InputError(_("There is no folder {folder}. Choose another for the report.").format(folder=folder))
        moment = datetime.now().astimezone()
        return folder / f"{plainName(segmentation.GetName())}-report-{moment:%Y%m%d-%H%M%S}.html"

    def _say(self, action: Callable[[], str]) -> None:
        sayOutcome(self._ui.showLabel, action)

    @staticmethod
    def _press(button: Any, enabled: bool, checked: bool) -> None:
        blocked = button.blockSignals(True)
        button.setEnabled(enabled)
        button.setChecked(checked)
        button.blockSignals(blocked)

    @staticmethod
    def _isOverlaid(parameters: Any) -> bool:
        node = parameters.probabilityMap
        layers = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        return node is not None and any(layer.GetForegroundVolumeID() == node.GetID() for layer in layers)


def _boxKey(parameters: Any) -> tuple[Any, ...]:
    """What the place of the box depends on."""
    record = recordOf(parameters.segmentation)
    nodes = (mainImage(parameters), parameters.maskSegmentation, parameters.segmentation)
    ids = tuple(node.GetID() if node is not None else "" for node in nodes)
    return *ids, parameters.maskSegment, str(record.box) if record is not None else ""


def _isVisible(node: Any) -> bool:
    return node is not None and node.GetDisplayNode() is not None and bool(node.GetDisplayNode().GetVisibility())
