"""Reading .ui files with the stand-ins in place of CTK's and Slicer's widgets; whatever is not known is an error."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any, ClassVar

from PySide6.QtCore import Property, QBuffer, QIODevice, QObject
from PySide6.QtUiTools import QUiLoader as NativeLoader
from PySide6.QtWidgets import QWidget

import slicerapp.pythonqt as pythonqt

QT_CLASSES = frozenset(NativeLoader().availableWidgets()) | {"QWidget", "Line"}


class QUiLoader(NativeLoader):
    """Takes the place of ``qt.QUiLoader``; ``STAND_INS`` holds the widgets that it makes besides Qt's own."""

    STAND_INS: ClassVar[dict[str, type[QWidget]]] = {}

    def createWidget(self, className: str, parent: QWidget | None = None, name: str = "") -> QWidget:
        if className not in self.STAND_INS:
            return super().createWidget(className, parent, name)
        widget = self.STAND_INS[className](parent) if parent is not None else self.STAND_INS[className]()
        widget.setObjectName(name)
        self._made.append(widget)  # Python must not delete what Qt has not given a parent yet
        return widget

    def load(self, source: QIODevice, parent: QWidget | None = None) -> QWidget:
        """The widget of an opened .ui file.

        Raises:
            RuntimeError: a widget class, property, signal or slot that the real widgets do not have or that has no
                stand-in.
        """
        if not source.isOpen():
            source.open(QIODevice.OpenModeFlag.ReadOnly)
        root = ElementTree.fromstring(bytes(source.readAll().data()))
        values = self._check(root)
        self._made: list[QWidget] = []
        connections = root.find("connections")
        if connections is not None:  # Qt would not find the signals that carry MRML objects
            root.remove(connections)
        buffer = QBuffer()
        buffer.setData(ElementTree.tostring(root))
        with pythonqt.dropping_new_attributes():  # PySide6 would set every child as an attribute of the top widget
            widget = super().load(buffer, parent)
        if widget is None:
            raise RuntimeError(f"Qt cannot read this .ui file: {self.errorString()}")
        for name, attribute, value in values:
            setattr(_named(widget, name), attribute, value)
        for connection in connections if connections is not None else ():
            self._connect(widget, connection)
        return widget

    def _check(self, root: ElementTree.Element) -> list[tuple[str, str, Any]]:
        """Check all classes and properties; returns the stand-ins' flags, taken out because Qt cannot set them."""
        values = []
        for element in root.iter("widget"):
            name, cls = element.get("name", ""), self._class(element.get("class", ""))
            known = pythonqt.property_names(cls) | {"buttonGroup"}
            is_standin = issubclass(cls, pythonqt.StandIn)
            for item in list(element.findall("property")):
                prop = item.get("name", "")
                if item.get("stdset") == "0" and prop not in known:
                    continue
                if prop not in known and not (is_standin and hasattr(cls, prop)):
                    raise RuntimeError(_unknown("property", prop, cls, name))
                flags = item.find("set") if item.find("set") is not None else item.find("enum")
                if is_standin and flags is not None and isinstance(pythonqt.class_attribute(cls, prop), Property):
                    element.remove(item)
                    values.append((name, prop, _flags(cls, flags.text or "")))
        return values

    def _class(self, name: str) -> type[QWidget]:
        if name in self.STAND_INS:
            return self.STAND_INS[name]
        if name in QT_CLASSES:
            import qt

            return getattr(qt, "QFrame" if name == "Line" else name)
        raise RuntimeError(
            f"{name} has no stand-in. Use another widget, or add it to Testing/slicerapp and its names to names.json"
        )

    def _connect(self, root: QWidget, connection: ElementTree.Element) -> None:
        sender, signal, receiver, slot = (connection.findtext(tag) for tag in ("sender", "signal", "receiver", "slot"))
        _named(root, sender).connect(signal, _named(root, receiver), slot)


def _named(root: QWidget, name: str | None) -> QObject:
    found = root if root.objectName == name else root.findChild(QObject, name)
    if found is None:
        raise RuntimeError(f"a connection of the .ui file names {name}, which is not in it")
    return found


def _flags(cls: type, text: str) -> int:
    value = 0
    for part in text.split("|"):
        value |= int(getattr(cls, part.strip().rpartition("::")[2]))
    return value


def _unknown(kind: str, name: str, cls: type, widget: str) -> str:
    if issubclass(cls, pythonqt.StandIn) and name in pythonqt.real_names(cls, "properties"):
        return f"the real {cls.__name__} has the {kind} {name}, its stand-in here does not, yet (widget {widget})"
    return f"{cls.__name__} has no {kind} {name} (widget {widget} of the .ui file)"
