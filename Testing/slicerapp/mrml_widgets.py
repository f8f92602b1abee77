"""Stand-ins for the widgets that know the MRML scene: containers, and the node selector."""

from __future__ import annotations

from typing import Any, ClassVar

import slicer
import vtk
from PySide6.QtCore import Property, Signal
from PySide6.QtWidgets import QWidget

from slicerapp.ctk_values import ctkDoubleSpinBox, ctkRangeWidget, ctkSliderWidget
from slicerapp.ctk_widgets import ctkComboBox, in_a_row, kept
from slicerapp.pythonqt import StandIn

BUSY_STATES = ("BatchProcessState", "CloseState", "ImportState", "RestoreState")


class qMRMLWidget(StandIn, QWidget):
    """A widget that hands its scene on to others, as the .ui file connects them."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerWidget(StandIn, QWidget):
    """The same for modules' own widgets."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class _WithQuantity:
    """What a widget of a quantity with a unit knows besides."""

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        self._scene = scene

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return getattr(self, "_scene", None)


class qMRMLSliderWidget(_WithQuantity, ctkSliderWidget):
    """A slider for a value with a unit."""

    quantity = kept(str, "quantity", "")


class qMRMLSpinBox(_WithQuantity, ctkDoubleSpinBox):
    """A spin box for a value with a unit."""

    quantity = kept(str, "quantity", "")


class qMRMLRangeWidget(ctkRangeWidget):
    """A range for values with a unit."""

    quantity = kept(str, "quantity", "")

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        self._scene = scene


class SceneObserver:
    """Calls back when nodes come and go, but once at the end while the scene closes, imports or works in a batch."""

    def __init__(self, added: Any, removed: Any, rebuild: Any) -> None:
        self._added, self._removed, self._rebuild = added, removed, rebuild
        self.scene: slicer.vtkMRMLScene | None = None
        self._tags: list[int] = []

    def observe(self, scene: slicer.vtkMRMLScene | None) -> None:
        """Watch this scene and no longer the one before."""
        for tag in self._tags:
            self.scene.RemoveObserver(tag)
        self._tags = []
        self.scene = scene
        if scene is None:
            return

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def onAdded(caller: vtk.vtkObject, event: str, node: slicer.vtkMRMLNode) -> None:
            if not self._busy():
                self._added(node)

        @vtk.calldata_type(vtk.VTK_OBJECT)
        def onRemoved(caller: vtk.vtkObject, event: str, node: slicer.vtkMRMLNode) -> None:
            if not self._busy():
                self._removed(node)

        def onEnd(caller: vtk.vtkObject, event: str) -> None:
            if not self._busy():
                self._rebuild()

        self._tags = [
            scene.AddObserver(scene.NodeAddedEvent, onAdded),
            scene.AddObserver(scene.NodeRemovedEvent, onRemoved),
            *(
                scene.AddObserver(event, onEnd)
                for event in (scene.EndCloseEvent, scene.EndImportEvent, scene.EndBatchProcessEvent)
            ),
        ]

    def _busy(self) -> bool:
        return any(self.scene.GetStates() & getattr(self.scene, state) for state in BUSY_STATES)


class qMRMLNodeComboBox(StandIn, QWidget):
    """A selector of nodes of some classes.

    It never selects a node by itself: code or the user does. A node asked for before the scene is set is selected
    when it is. When the selected node is removed, the one before it in the list is selected, as in Qt's combo box.
    """

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    currentNodeRenamed = Signal(str)
    _currentNodeValid = Signal(bool)
    _OVERLOADS: ClassVar[dict[str, str]] = {"currentNodeChanged(bool)": "_currentNodeValid"}

    addEnabled = kept(bool, "addEnabled", True)
    removeEnabled = kept(bool, "removeEnabled", True)
    editEnabled = kept(bool, "editEnabled", False)
    renameEnabled = kept(bool, "renameEnabled", False)
    selectNodeUponCreation = kept(bool, "selectNodeUponCreation", True)
    interactionNodeSingletonTag = kept(str, "interactionNodeSingletonTag", "Singleton")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._nodeTypes: list[str] = []
        self._attributes: dict[str, dict[str, Any]] = {}
        self._labels: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._noneEnabled = self._showHidden = False
        self._showChildTypes = True
        self._hiddenChildTypes: list[str] = []
        self._noneText = "None"
        self._requested = ""
        self._lastID: str | None = None
        self._nodeTags: dict[str, tuple[slicer.vtkMRMLNode, int]] = {}
        self._combo = ctkComboBox(self)
        in_a_row(self, self._combo)
        self._combo.connect("currentIndexChanged(int)", self._onIndexChanged)
        self._combo.connect("activated(int)", lambda index: self.nodeActivated.emit(self.currentNode()))
        self._observer = SceneObserver(self._onNodeAdded, self._onNodeRemoved, self._rebuild)
        self.enabled = False
        self.connect("destroyed()", self._stopObserving)

    # the list -----------------------------------------------------------------------------------------------------

    def _accepts(self, node: slicer.vtkMRMLNode) -> bool:
        kind = next((kind for kind in self._nodeTypes if node.IsA(kind)), None)
        if kind is None or (node.GetHideFromEditors() and not self._showHidden):
            return False
        exact = node.GetClassName() in self._nodeTypes
        if not exact and (not self._showChildTypes or any(node.IsA(hidden) for hidden in self._hiddenChildTypes)):
            return False
        wanted = self._attributes.get(kind, {}).items()
        return all(
            node.GetAttribute(name) is not None and (value is None or node.GetAttribute(name) == str(value))
            for name, value in wanted
        )

    def _rebuild(self) -> None:
        current = self.currentNodeID
        self._combo.blockSignals(True)
        self._unwatch(*self._nodeTags)
        self._combo.clear()
        if self._noneEnabled and self._observer.scene:
            self._combo.addItem(self._noneText, "")
        nodes = self._observer.scene.GetNodes() if self._observer.scene else ()
        for node in nodes:
            self._watch(node)
            if self._accepts(node):
                self._combo.addItem(node.GetName(), node.GetID())
        self._combo.setCurrentIndex(self._row(current))
        self._combo.blockSignals(False)
        self._onIndexChanged()

    def _row(self, nodeID: str) -> int:
        row = self._combo.findData(nodeID) if nodeID else -1
        return row if row >= 0 else (0 if self._noneEnabled and self._combo.count else -1)

    def _watch(self, node: slicer.vtkMRMLNode) -> None:
        if any(node.IsA(kind) for kind in self._nodeTypes) and node.GetID() not in self._nodeTags:
            tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._onNodeModified)
            self._nodeTags[node.GetID()] = (node, tag)

    def _unwatch(self, *nodeIDs: str) -> None:
        for nodeID in nodeIDs:
            node, tag = self._nodeTags.pop(nodeID, (None, 0))
            if node is not None:
                node.RemoveObserver(tag)

    def _onNodeAdded(self, node: slicer.vtkMRMLNode) -> None:
        self._watch(node)
        if self._accepts(node):
            self._insert(node)
            self.nodeAdded.emit(node)

    def _insert(self, node: slicer.vtkMRMLNode) -> None:
        index = self._combo.currentIndex
        self._combo.blockSignals(True)
        self._combo.addItem(node.GetName(), node.GetID())
        self._combo.setCurrentIndex(index)  # Qt selects the first item of an empty list; the real widget does not
        self._combo.blockSignals(False)

    def _onNodeRemoved(self, node: slicer.vtkMRMLNode) -> None:
        self._unwatch(node.GetID())
        row = self._combo.findData(node.GetID())
        if row >= 0:
            self.nodeAboutToBeRemoved.emit(node)
            self._combo.removeItem(row)

    def _onNodeModified(self, node: slicer.vtkMRMLNode, event: str) -> None:
        row = self._combo.findData(node.GetID())
        if (row >= 0) != self._accepts(node):
            self._rebuild()
        elif row >= 0 and self._combo.itemText(row) != node.GetName():
            self._combo.setItemText(row, node.GetName())

    def _stopObserving(self) -> None:
        self._unwatch(*self._nodeTags)
        self._observer.observe(None)

    # the selection ------------------------------------------------------------------------------------------------

    def _onIndexChanged(self) -> None:
        nodeID = self.currentNodeID
        if nodeID == self._lastID:
            return
        self._lastID = nodeID
        node = self.currentNode()
        self.currentNodeChanged.emit(node)
        self._currentNodeValid.emit(node is not None)
        self.currentNodeIDChanged.emit(nodeID)

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        if scene is self._observer.scene:
            return
        self._observer.observe(scene)
        self._rebuild()
        if scene is not None and self._requested:
            self.setCurrentNodeID(self._requested)
        self._requested = ""
        self.enabled = scene is not None

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._observer.scene

    def currentNode(self) -> slicer.vtkMRMLNode | None:
        nodeID = self.currentNodeID
        return self._observer.scene.GetNodeByID(nodeID) if nodeID and self._observer.scene else None

    def setCurrentNode(self, node: slicer.vtkMRMLNode | None) -> None:
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, nodeID: str | None) -> None:
        if self._observer.scene is None:
            self._requested = nodeID or ""
        self._combo.setCurrentIndex(self._row(nodeID or ""))

    currentNodeID = Property(str, lambda self: self._combo.currentData or "", setCurrentNodeID)

    def setCurrentNodeIndex(self, index: int) -> None:
        self._combo.setCurrentIndex((index if index < self.nodeCount() else -1) + self._noneEnabled)

    def nodeCount(self) -> int:
        return max(0, self._combo.count - self._noneEnabled)

    def nodeFromIndex(self, index: int) -> slicer.vtkMRMLNode | None:
        nodeID = self._combo.itemData(index + self._noneEnabled)
        return self._observer.scene.GetNodeByID(nodeID) if nodeID else None

    # making and removing nodes ------------------------------------------------------------------------------------

    def addNode(self, nodeType: str = "") -> slicer.vtkMRMLNode | None:
        """What choosing "Create new ..." does."""
        nodeType = nodeType or next(iter(self._nodeTypes), "")
        if nodeType not in self._nodeTypes:
            return None
        name = self._names.get(nodeType) or self._observer.scene.GetTypeDisplayNameByClassName(nodeType)
        node = self._observer.scene.CreateNodeByClass(nodeType)
        node.UnRegister(None)
        for attribute, value in self._attributes.get(nodeType, {}).items():
            node.SetAttribute(attribute, "" if value is None else str(value))
        node.SetName(self._observer.scene.GenerateUniqueName(name))
        node = self._observer.scene.AddNode(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """What choosing "Delete current ..." does."""
        self._observer.scene.RemoveNode(self.currentNode())

    # settings -----------------------------------------------------------------------------------------------------

    def addAttribute(self, nodeType: str, name: str, value: Any = None) -> None:
        self._attributes.setdefault(nodeType, {})[name] = value
        self._rebuild()

    def removeAttribute(self, nodeType: str, name: str) -> None:
        self._attributes.get(nodeType, {}).pop(name, None)
        self._rebuild()

    def setNodeTypeLabel(self, label: str, nodeType: str) -> None:
        self._labels[nodeType] = label

    def nodeTypeLabel(self, nodeType: str) -> str:
        return self._labels.get(nodeType) or slicer.mrmlScene.GetTypeDisplayNameByClassName(nodeType) or "node"

    def _setNodeTypes(self, nodeTypes: Any) -> None:
        self._nodeTypes = [kind for kind in nodeTypes if kind]
        self._rebuild()

    def _setNoneEnabled(self, enabled: bool) -> None:
        self._noneEnabled = enabled
        self._rebuild()

    def _setNoneDisplay(self, text: str) -> None:
        self._noneText = text
        self._rebuild()

    def _setShowHidden(self, show: bool) -> None:
        self._showHidden = show
        self._rebuild()

    def _setShowChildNodeTypes(self, show: bool) -> None:
        self._showChildTypes = show
        self._rebuild()

    def _setHideChildNodeTypes(self, nodeTypes: Any) -> None:
        self._hiddenChildTypes = list(nodeTypes)
        self._rebuild()

    def _setBaseName(self, name: str) -> None:
        self._names = dict.fromkeys(self._nodeTypes, name)

    nodeTypes = Property("QStringList", lambda self: tuple(self._nodeTypes), _setNodeTypes)
    noneEnabled = Property(bool, lambda self: self._noneEnabled, _setNoneEnabled)
    noneDisplay = Property(str, lambda self: self._noneText, _setNoneDisplay)
    showHidden = Property(bool, lambda self: self._showHidden, _setShowHidden)
    showChildNodeTypes = Property(bool, lambda self: self._showChildTypes, _setShowChildNodeTypes)
    hideChildNodeTypes = Property("QStringList", lambda self: tuple(self._hiddenChildTypes), _setHideChildNodeTypes)
    baseName = Property(str, lambda self: next(iter(self._names.values()), ""), _setBaseName)
