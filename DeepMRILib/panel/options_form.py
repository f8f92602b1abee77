"""Widgets for a job's settings, made from its options class and bound by SlicerParameterName."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import ctk
import qt
from slicer.i18n import tr as _

from DeepMRILib.options import Setting, settings
from DeepMRILib.panel.machine import machineSettings, setMachineSetting
from DeepMRILib.panel.parameters import MACHINE_SETTINGS, sceneSettings

PARAMETER_PROPERTY = "SlicerParameterName"


def addOptions(optionsType: type, mainLayout: Any, advancedLayout: Any) -> dict[str, Any]:
    """Add a row for each setting to one of two form layouts, and return the widgets by the settings' names."""
    widgets = {}
    for setting in sceneSettings(optionsType):
        widget = settingWidget(setting)
        label = qt.QLabel(_(setting.label) + ":")
        for each in (widget, label):
            each.setToolTip(_(setting.tooltip))
        label.setBuddy(widget)
        (advancedLayout if setting.advanced else mainLayout).addRow(label, widget)
        widgets[setting.name] = widget
    return widgets


def addMachineSettings(optionsType: type, layout: Any) -> dict[str, Any]:
    """Add a row for each setting that belongs to the computer; it is kept in Slicer's settings, not in the scene."""
    widgets = {}
    for setting in settings(optionsType):
        if setting.name not in MACHINE_SETTINGS:
            continue
        widget = _plainWidget(setting)
        widget.setObjectName(f"{setting.name}Widget")
        widget.setToolTip(_(setting.tooltip))
        signal = "currentTextChanged(QString)" if setting.kind is Literal else "currentPathChanged(QString)"
        widget.connect(signal, lambda text, name=setting.name: setMachineSetting(name, text))
        layout.addRow(qt.QLabel(_(setting.label) + ":"), widget)
        widgets[setting.name] = widget
    refreshMachineSettings(widgets)
    return widgets


def refreshMachineSettings(widgets: Mapping[str, Any]) -> None:
    """Show the settings of the computer as they are now: another panel may have changed them."""
    for name, widget in widgets.items():
        blocked = widget.blockSignals(True)
        current = str(machineSettings()[name])
        if widget.className() == "QComboBox":
            widget.setCurrentIndex(max(0, widget.findText(current)))
        else:
            widget.currentPath = current
        widget.blockSignals(blocked)


def settingWidget(setting: Setting) -> Any:
    """The widget for one setting, named after it and bound to its parameter."""
    widget = _plainWidget(setting)
    widget.setObjectName(f"{setting.name}Widget")
    widget.setProperty(PARAMETER_PROPERTY, setting.name)
    return widget


def _plainWidget(setting: Setting) -> Any:
    if setting.length is not None or setting.kind is str:
        return qt.QLineEdit()
    if setting.kind is bool:
        return qt.QCheckBox()
    if setting.kind is Path:
        return ctk.ctkPathLineEdit()
    if setting.kind is Literal:
        box = qt.QComboBox()
        for choice in setting.choices:
            box.addItem(str(choice))
        return box
    return _numberBox(setting)


def _numberBox(setting: Setting) -> Any:
    box = qt.QSpinBox() if setting.kind is int else qt.QDoubleSpinBox()
    if setting.kind is float:
        decimals = _decimals(setting)
        box.setDecimals(decimals)
        box.setSingleStep(10.0 ** (1 - decimals) if setting.default and abs(setting.default) < 1 else 1.0)
    low, high = setting.range or (-(2**31), 2**31 - 1)
    box.setRange(setting.kind(low), setting.kind(high))
    if setting.unit:
        box.setSuffix(f" {setting.unit}")
    return box


def _decimals(setting: Setting) -> int:
    """One digit more than the default and both ends of the range have."""
    numbers = [setting.default, *(setting.range or ())]
    digits = [len(f"{number:.8f}".rstrip("0").partition(".")[2]) for number in numbers]
    return 1 + max(1, *digits)
