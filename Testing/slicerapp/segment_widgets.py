"""Stand-in for the widget that chooses a segment."""

from __future__ import annotations

from typing import ClassVar

import slicer
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QWidget

from slicerapp.ctk_widgets import ctkComboBox, in_a_row, kept
from slicerapp.mrml_widgets import qMRMLNodeComboBox, qMRMLWidget


class qMRMLSegmentSelectorWidget(qMRMLWidget):
    """A segmentation selector and the selector of one of its segments.

    As the real one: the first segment is selected by itself unless none was chosen and none is allowed, and
    ``currentSegmentID`` keeps its last value when the segmentation is unselected or emptied.
    """

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)
    _currentNodeValid = Signal(bool)
    _OVERLOADS: ClassVar[dict[str, str]] = {"currentNodeChanged(bool)": "_currentNodeValid"}

    editEnabled = kept(bool, "editEnabled", False)
    horizontalLayout = kept(bool, "horizontalLayout", True)
    selectNodeUponCreation = kept(bool, "selectNodeUponCreation", True)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._noneEnabled = False
        self._currentID = ""
        self._tags: list[int] = []
        self._observed: slicer.vtkSegmentation | None = None
        self._nodes = qMRMLNodeComboBox(self)
        self._nodes.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._nodes.addEnabled = False
        self._segments = ctkComboBox(self)
        in_a_row(self, self._nodes, self._segments)
        self._nodes.connect("currentNodeChanged(vtkMRMLNode*)", self._onNodeChanged)
        self._segments.connect("currentIndexChanged(int)", self._onSegmentChanged)
        self.connect("destroyed()", self._stopObserving)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        super().setMRMLScene(scene)
        self._nodes.setMRMLScene(scene)

    def _onNodeChanged(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        self._stopObserving()
        if node is not None:
            self._observed = node.GetSegmentation()
            events = (self._observed.SegmentAdded, self._observed.SegmentRemoved, self._observed.SegmentModified)
            self._tags = [self._observed.AddObserver(event, lambda *_: self._populate()) for event in events]
        self._populate()
        self.currentNodeChanged.emit(node)
        self._currentNodeValid.emit(node is not None)

    def _stopObserving(self) -> None:
        for tag in self._tags:
            self._observed.RemoveObserver(tag)
        self._tags, self._observed = [], None

    def _populate(self) -> None:
        self._segments.blockSignals(True)
        self._segments.clear()
        segmentIDs = self.segmentIDs()
        if segmentIDs and self._noneEnabled:
            self._segments.addItem("None", "")
        for segmentID in segmentIDs:
            self._segments.addItem(self._observed.GetSegment(segmentID).GetName(), segmentID)
        self._segments.setCurrentIndex(self._segments.findData(self._currentID))
        self._segments.blockSignals(False)
        if segmentIDs and self._segments.currentIndex < 0:
            self._segments.setCurrentIndex(1 if self._noneEnabled else 0)

    def _onSegmentChanged(self, index: int) -> None:
        self._currentID = self._segments.itemData(index) or ""
        self.currentSegmentChanged.emit(self._currentID)

    def currentNode(self) -> slicer.vtkMRMLSegmentationNode | None:
        return self._nodes.currentNode()

    def currentNodeID(self) -> str:
        return self._nodes.currentNodeID

    def setCurrentNode(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:
        self._nodes.setCurrentNode(node)

    def setCurrentNodeID(self, nodeID: str) -> None:
        self._nodes.setCurrentNodeID(nodeID)

    def segmentIDs(self) -> tuple[str, ...]:
        return self._observed.GetSegmentIDs() if self._observed is not None else ()

    def currentSegmentID(self) -> str:
        return self._currentID

    def setCurrentSegmentID(self, segmentID: str) -> None:
        row = self._segments.findData(segmentID)
        if row >= 0:
            self._segments.setCurrentIndex(row)

    def _setNoneEnabled(self, enabled: bool) -> None:
        self._noneEnabled = self._nodes.noneEnabled = enabled
        self._populate()

    noneEnabled = Property(bool, lambda self: self._noneEnabled, _setNoneEnabled)

    def _setSelectorVisible(self, visible: bool) -> None:
        self._nodes.setVisible(visible)

    segmentationNodeSelectorVisible = Property(bool, lambda self: not self._nodes.isHidden(), _setSelectorVisible)
