"""Stand-ins for the widgets that place and list control points.

There are no views here: place mode is switched on in the real selection and interaction nodes, and tests place the
points on the markups node.
"""

from __future__ import annotations

import slicer
import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QTableWidget, QTableWidgetItem, QToolButton, QVBoxLayout, QWidget

from slicerapp.ctk_widgets import in_a_row, kept
from slicerapp.mrml_widgets import qMRMLNodeComboBox, qSlicerWidget

SINGLETON = "Singleton"
MARKUPS_EVENTS = (
    "PointAddedEvent",
    "PointRemovedEvent",
    "PointModifiedEvent",
    "PointPositionDefinedEvent",
    "PointPositionUndefinedEvent",
)


class qSlicerMarkupsPlaceWidget(qSlicerWidget):
    """Buttons that place and delete the control points of one markups node."""

    activeMarkupsPlaceModeChanged = Signal(bool)
    activeMarkupsFiducialPlaceModeChanged = Signal(bool)
    ShowPlaceMultipleMarkupsOption, HidePlaceMultipleMarkupsOption = 0, 1
    ForcePlaceSingleMarkup, ForcePlaceMultipleMarkups = 2, 3

    deleteAllControlPointsOptionVisible = kept(bool, "deleteAllControlPointsOptionVisible", True)
    unsetLastControlPointOptionVisible = kept(bool, "unsetLastControlPointOptionVisible", False)
    unsetAllControlPointsOptionVisible = kept(bool, "unsetAllControlPointsOptionVisible", False)
    placeMultipleMarkups = kept(int, "placeMultipleMarkups", 0)
    placeModePersistency = kept(bool, "placeModePersistency", False)
    nodeColor = kept(QColor, "nodeColor", QColor())
    defaultNodeColor = kept(QColor, "defaultNodeColor", QColor())

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: slicer.vtkMRMLMarkupsNode | None = None
        self._observed: tuple[slicer.vtkMRMLNode, int] | None = None
        self._active = False
        self._place, self._delete = QToolButton(self), QToolButton(self)
        self._place.text, self._delete.text = "Place", "Delete"
        self._place.checkable = True
        in_a_row(self, self._place, self._delete)
        self._place.connect("toggled(bool)", self.setPlaceModeEnabled)
        self._delete.connect("clicked()", self.deleteLastPoint)
        self.connect("destroyed()", self._stopObserving)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        super().setMRMLScene(scene)
        self._stopObserving()
        interaction = self.interactionNode()
        if interaction is not None:
            tag = interaction.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._update())
            self._observed = (interaction, tag)
        self._update()

    def _stopObserving(self) -> None:
        if self._observed is not None:
            self._observed[0].RemoveObserver(self._observed[1])
            self._observed = None

    def interactionNode(self) -> slicer.vtkMRMLInteractionNode | None:
        return self._scene.GetSingletonNode(SINGLETON, "vtkMRMLInteractionNode") if self._scene else None

    def selectionNode(self) -> slicer.vtkMRMLSelectionNode | None:
        return self._scene.GetSingletonNode(SINGLETON, "vtkMRMLSelectionNode") if self._scene else None

    def currentNode(self) -> slicer.vtkMRMLMarkupsNode | None:
        return self._node

    currentMarkupsNode = currentNode

    def setCurrentNode(self, node: slicer.vtkMRMLMarkupsNode | None) -> None:
        self._node = node
        self._update()

    def _isActive(self) -> bool:
        selection = self.selectionNode()
        return bool(self._node and selection and selection.GetActivePlaceNodeID() == self._node.GetID())

    def setCurrentNodeActive(self, active: bool) -> None:
        selection = self.selectionNode()
        if selection is None or self._node is None:
            return
        selection.SetReferenceActivePlaceNodeClassName(self._node.GetClassName())
        selection.SetActivePlaceNodeID(self._node.GetID() if active else None)
        self._update()

    currentNodeActive = Property(bool, _isActive, setCurrentNodeActive)

    def _isPlacing(self) -> bool:
        interaction = self.interactionNode()
        placing = interaction is not None and interaction.GetCurrentInteractionMode() == interaction.Place
        return placing and self._isActive()

    def setPlaceModeEnabled(self, enabled: bool) -> None:
        interaction = self.interactionNode()
        if interaction is None or self._node is None or enabled == self._isPlacing():
            self._update()
            return
        if enabled:
            self.setCurrentNodeActive(True)
            interaction.SetPlaceModePersistence(int(self.placeModePersistency))
        interaction.SetCurrentInteractionMode(interaction.Place if enabled else interaction.ViewTransform)
        self._update()

    placeModeEnabled = Property(bool, _isPlacing, setPlaceModeEnabled)

    def setPlaceModePersistency(self, persistent: bool) -> None:
        self.placeModePersistency = persistent

    def _update(self) -> None:
        placing = self._isPlacing()
        for button in (self._place, self._delete):
            button.enabled = self._node is not None
        self._place.blockSignals(True)
        self._place.checked = placing
        self._place.blockSignals(False)
        if placing != self._active:
            self._active = placing
            self.activeMarkupsPlaceModeChanged.emit(placing)
            self.activeMarkupsFiducialPlaceModeChanged.emit(placing)

    def placeButton(self) -> QToolButton:
        return self._place

    def deleteButton(self) -> QToolButton:
        return self._delete

    def setButtonsVisible(self, visible: bool) -> None:
        self._place.setVisible(visible)
        self._delete.setVisible(visible)

    buttonsVisible = Property(bool, lambda self: not self._place.isHidden(), setButtonsVisible)

    def deleteLastPoint(self) -> None:
        if self._node is not None and self._node.GetNumberOfControlPoints():
            self._node.RemoveNthControlPoint(self._node.GetNumberOfControlPoints() - 1)

    def deleteAllPoints(self) -> None:
        if self._node is not None:
            self._node.RemoveAllControlPoints()

    def unsetLastDefinedPoint(self) -> None:
        for index in reversed(range(self._node.GetNumberOfControlPoints() if self._node else 0)):
            if self._node.GetNthControlPointPositionStatus(index) == self._node.PositionDefined:
                self._node.UnsetNthControlPointPosition(index)
                return

    def unsetAllPoints(self) -> None:
        if self._node is not None:
            self._node.UnsetAllControlPoints()


class qSlicerSimpleMarkupsWidget(qSlicerWidget):
    """A markups selector, a place widget and a table of the points."""

    markupsNodeChanged = Signal()
    markupsFiducialNodeChanged = Signal()
    updateFinished = Signal()
    activeMarkupsPlaceModeChanged = Signal(bool)
    currentMarkupsControlPointSelectionChanged = Signal(int)

    enterPlaceModeOnNodeChange = kept(bool, "enterPlaceModeOnNodeChange", True)
    jumpToSliceEnabled = kept(bool, "jumpToSliceEnabled", False)
    optionsVisible = kept(bool, "optionsVisible", True)
    positionStatusColumnVisible = kept(bool, "positionStatusColumnVisible", True)
    nodeColor = kept(QColor, "nodeColor", QColor())
    defaultNodeColor = kept(QColor, "defaultNodeColor", QColor())
    viewGroup = kept(int, "viewGroup", -1)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tags: list[tuple[slicer.vtkMRMLNode, int]] = []
        self._selector = qMRMLNodeComboBox(self)
        self._selector.nodeTypes = ["vtkMRMLMarkupsFiducialNode"]
        self._selector.noneEnabled = True
        self._place = qSlicerMarkupsPlaceWidget(self)
        self._table = QTableWidget(0, 4, self)
        self._table.setHorizontalHeaderLabels(["Name", "R", "A", "S"])
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.addWidget(self._selector)
        row.addWidget(self._place)
        column.addLayout(row)
        column.addWidget(self._table)
        self._selector.connect("currentNodeChanged(vtkMRMLNode*)", self._onNodeChanged)
        self._place.connect("activeMarkupsPlaceModeChanged(bool)", self.activeMarkupsPlaceModeChanged.emit)
        self._table.connect("itemSelectionChanged()", self._onSelection)
        self.connect("destroyed()", self._stopObserving)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        super().setMRMLScene(scene)
        self._place.setMRMLScene(scene)
        self._selector.setMRMLScene(scene)

    def _onSelection(self) -> None:
        self.currentMarkupsControlPointSelectionChanged.emit(self._table.currentRow())

    def _onNodeChanged(self, node: slicer.vtkMRMLMarkupsNode | None) -> None:
        self._stopObserving()
        if node is not None:
            events = [getattr(node, name) for name in MARKUPS_EVENTS]
            self._tags = [(node, node.AddObserver(event, lambda *_: self._updateTable())) for event in events]
        self._place.setCurrentNode(node)
        self._updateTable()
        self.markupsNodeChanged.emit()
        self.markupsFiducialNodeChanged.emit()

    def _stopObserving(self) -> None:
        for node, tag in self._tags:
            node.RemoveObserver(tag)
        self._tags = []

    def _updateTable(self) -> None:
        node = self.currentNode()
        self._table.setRowCount(node.GetNumberOfControlPoints() if node else 0)
        for row in range(self._table.rowCount):
            position = node.GetNthControlPointPositionWorld(row)
            texts = [node.GetNthControlPointLabel(row), *(f"{value:.3f}" for value in position)]
            for column, text in enumerate(texts):
                self._table.setItem(row, column, QTableWidgetItem(text))
        self.updateFinished.emit()

    def currentNode(self) -> slicer.vtkMRMLMarkupsNode | None:
        return self._selector.currentNode()

    getCurrentNode = currentNode

    def setCurrentNode(self, node: slicer.vtkMRMLMarkupsNode | None) -> None:
        self._selector.setCurrentNode(node)

    def setNodeBaseName(self, name: str) -> None:
        self._selector.baseName = name

    def markupsSelectorComboBox(self) -> qMRMLNodeComboBox:
        return self._selector

    def markupsPlaceWidget(self) -> qSlicerMarkupsPlaceWidget:
        return self._place

    def tableWidget(self) -> QTableWidget:
        return self._table

    def setNodeSelectorVisible(self, visible: bool) -> None:
        self._selector.setVisible(visible)

    nodeSelectorVisible = Property(bool, lambda self: not self._selector.isHidden(), setNodeSelectorVisible)
