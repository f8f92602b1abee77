"""Stand-ins for CTK's widgets: their names and behaviour as far as panels use them, drawn with plain Qt.

Properties, signals and methods have the real names only (``names.json``). In here, as everywhere after
``pythonqt.install``, a Qt property is an attribute: ``self._spin.value``.
"""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, QEvent, QFileInfo, QMargins, QRect, QSettings, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QColorDialog,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QMessageBox,
    QPushButton,
    QStyle,
    QStyleOptionButton,
    QToolButton,
    QWidget,
)

from slicerapp.pythonqt import StandIn

WANTED = "visibilityToParent"
"""CTK's property of what lies in a collapsible button: whether code wants it to be seen."""


def kept(kind: Any, name: str, default: Any) -> Property:
    """A property that the stand-in stores and does nothing with."""
    attribute = f"_kept_{name}"
    return Property(
        kind,
        lambda self: getattr(self, attribute, default),
        lambda self, value: setattr(self, attribute, value),
    )


def delegated(kind: Any, child: str, name: str) -> Property:
    """A property that is one of a child widget's."""
    return Property(
        kind,
        lambda self: getattr(getattr(self, child), name),
        lambda self, value: setattr(getattr(self, child), name, value),
    )


def in_a_row(parent: QWidget, *widgets: QWidget) -> None:
    row = QHBoxLayout(parent)
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        row.addWidget(widget)


class ctkCheckBox(StandIn, QCheckBox):
    """A check box that could have an icon as its indicator."""


class ctkComboBox(StandIn, QComboBox):
    """A combo box with a text for when nothing is selected."""

    forceDefault = kept(bool, "forceDefault", False)

    def _setDefaultText(self, text: str) -> None:
        self.placeholderText = text

    defaultText = Property(str, lambda self: self.placeholderText, _setDefaultText)


class ctkPushButton(StandIn, QPushButton):
    """A push button whose text and icon can be aligned."""

    elideMode = kept(int, "elideMode", 3)


class ctkCheckablePushButton(ctkPushButton):
    """A push button with a check box in it."""

    checkBoxControlsButton = kept(bool, "checkBoxControlsButton", True)
    checkBoxControlsButtonToggleState = kept(bool, "checkBoxControlsButtonToggleState", False)
    checkBoxUserCheckable = kept(bool, "checkBoxUserCheckable", True)
    checkBoxToggled = Signal(bool)


class ctkCollapsibleButton(StandIn, QAbstractButton):
    """A button whose contents lie below it and hide when it is collapsed; checked means open.

    As in CTK, a widget in it that code hides or shows while it is collapsed is so once it is open.
    """

    contentsCollapsed = Signal(bool)
    collapsedHeight = kept(int, "collapsedHeight", 10)
    flat = kept(bool, "flat", False)
    contentsLineWidth = kept(int, "contentsLineWidth", 1)
    contentsMidLineWidth = kept(int, "contentsMidLineWidth", 0)

    def __init__(self, *args: Any) -> None:
        text, *parent = args if args and isinstance(args[0], str) else ("", *args)
        super().__init__(*parent)
        self._collapsed = False
        self._forcing = False
        self.text = text
        self.checkable = True
        self.checked = True
        self.setContentsMargins(QMargins(0, self._headerHeight(), 0, 0))
        self.connect("toggled(bool)", lambda is_open: self._setCollapsed(not is_open))

    def _headerHeight(self) -> int:
        return self.fontMetrics().height() + 8

    def _setCollapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self.checked = not collapsed
        self.maximumHeight = self._headerHeight() if collapsed else 16777215
        for child in self.children():
            if child.isWidgetType():
                self._hideOrShow(child)
        self.contentsCollapsed.emit(collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, _setCollapsed)

    def _hideOrShow(self, child: QWidget) -> None:
        wanted = child.property(WANTED)
        self._forcing = True
        child.setVisible(not self._collapsed and wanted is not False)
        self._forcing = False
        if wanted is not False:
            # A later hide() must not be taken for one that has been done already.
            child.setAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)

    def childEvent(self, event: QEvent) -> None:
        child = event.child()
        if event.type() == QEvent.Type.ChildPolished and child.isWidgetType():
            if child.isHidden() and child.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide):
                child.setProperty(WANTED, False)
            child.installEventFilter(self)
            if self._collapsed:
                self._hideOrShow(child)

    def eventFilter(self, child: QWidget, event: QEvent) -> bool:
        if not self._forcing and event.type() == QEvent.Type.ShowToParent:
            child.setProperty(WANTED, True)
            if self._collapsed:
                self._hideOrShow(child)
        elif not self._forcing and event.type() == QEvent.Type.HideToParent:
            child.setProperty(WANTED, False)
        return False

    def paintEvent(self, event: QEvent) -> None:
        option = QStyleOptionButton()
        option.initFrom(self)
        option.rect = QRect(0, 0, self.width, self._headerHeight())
        painter = QPainter(self)
        self.style().drawControl(QStyle.ControlElement.CE_PushButtonBevel, option, painter, self)
        arrows = QStyle.PrimitiveElement
        arrow = arrows.PE_IndicatorArrowRight if self._collapsed else arrows.PE_IndicatorArrowDown
        text_rect = option.rect.adjusted(option.rect.height(), 0, 0, 0)
        option.rect = QRect(4, 4, option.rect.height() - 8, option.rect.height() - 8)
        self.style().drawPrimitive(arrow, option, painter, self)
        painter.drawText(text_rect, Qt.AlignmentFlag.AlignVCenter, self.text.replace("&&", "&"))
        painter.end()

    def hitButton(self, position: Any) -> bool:
        return position.y() < self._headerHeight()


class ctkPathLineEdit(StandIn, QWidget):
    """A line for a file or folder, with the paths used before."""

    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)
    Dirs, Files, Drives, NoSymLinks, AllEntries = 0x001, 0x002, 0x004, 0x008, 0x007
    Readable, Writable, Executable, Hidden, NoDot, NoDotDot = 0x010, 0x020, 0x040, 0x100, 0x2000, 0x4000

    label = kept(str, "label", "")
    filters = kept(int, "filters", AllEntries)
    nameFilters = kept("QStringList", "nameFilters", ())
    settingKey = kept(str, "settingKey", "")
    minimumContentsLength = kept(int, "minimumContentsLength", 0)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._combo = ctkComboBox(self)
        self._combo.editable = True
        self._button = QToolButton(self)
        self._button.text = "..."
        in_a_row(self, self._combo, self._button)
        self._combo.connect("currentTextChanged(QString)", self.currentPathChanged.emit)
        self._button.connect("clicked()", self.browse)

    def setCurrentPath(self, path: str) -> None:
        self._combo.setEditText(path)

    currentPath = Property(str, lambda self: self._combo.currentText, setCurrentPath)

    def _setShowBrowseButton(self, show: bool) -> None:
        self._button.setVisible(show)

    showBrowseButton = Property(bool, lambda self: not self._button.isHidden(), _setShowBrowseButton)
    showHistoryButton = kept(bool, "showHistoryButton", True)

    def comboBox(self) -> ctkComboBox:
        return self._combo

    def browse(self) -> None:
        """Ask for a folder, or for a file where files are allowed."""
        ask = QFileDialog.getOpenFileName if self.filters & self.Files else QFileDialog.getExistingDirectory
        answer = ask(self, self.label, self.currentPath)
        path = answer[0] if isinstance(answer, tuple) else answer
        if path:
            self.setCurrentPath(path)

    def addCurrentPathToHistory(self) -> None:
        """Keep the path for the next time, under the setting's key."""
        path = self.currentPath
        if self.settingKey and path:
            settings = QSettings()
            known = settings.value(self.settingKey) or []
            known = [known] if isinstance(known, str) else list(known)
            settings.setValue(self.settingKey, [path, *(item for item in known if item != path)])

    def retrieveHistory(self) -> None:
        """Offer the paths used before."""
        known = QSettings().value(self.settingKey) or []
        current = self.currentPath
        self._combo.clear()
        self._combo.addItems([known] if isinstance(known, str) else list(known))
        self.setCurrentPath(current or self._combo.itemText(0))


class ctkDirectoryButton(StandIn, QWidget):
    """A button that shows a folder and asks for another."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)
    caption = kept(str, "caption", "")

    def __init__(self, *args: Any) -> None:
        super().__init__(*[arg for arg in args if isinstance(arg, QWidget)])
        self._button = QPushButton(self)
        in_a_row(self, self._button)
        self._button.connect("clicked()", self.browse)

    def _setDirectory(self, path: str) -> None:
        if path in (self._button.text, self._button.text or "."):
            return
        path = QFileInfo(path).absoluteFilePath()
        if path != self._button.text:
            self._button.text = path
            self.directoryChanged.emit(path)

    directory = Property(str, lambda self: self._button.text, _setDirectory)

    def browse(self) -> None:
        """Ask for a folder."""
        path = QFileDialog.getExistingDirectory(self, self.caption, self.directory)
        if path:
            self._setDirectory(path)
            self.directorySelected.emit(path)


class ctkColorPickerButton(StandIn, QPushButton):
    """A button that shows a color and asks for another."""

    colorChanged = Signal(QColor)
    displayColorName = kept(bool, "displayColorName", True)

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._color = QColor("black")
        self.connect("clicked()", self.changeColor)

    def setColor(self, color: QColor) -> None:
        if color != self._color:
            self._color = QColor(color)
            self.colorChanged.emit(self._color)

    color = Property(QColor, lambda self: self._color, setColor)

    def changeColor(self) -> None:
        """Ask for a color."""
        color = QColorDialog.getColor(self._color, self)
        if color.isValid():
            self.setColor(color)


class ctkMessageBox(StandIn, QMessageBox):
    """A message box that can offer not to be shown again."""

    dontShowAgainSettingsKey = kept(str, "dontShowAgainSettingsKey", "")
    dontShowAgainVisible = kept(bool, "dontShowAgainVisible", False)
    dontShowAgain = kept(bool, "dontShowAgain", False)
