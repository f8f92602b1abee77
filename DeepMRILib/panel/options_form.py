"""Widgets for a job's settings, made from its options class and bound by SlicerParameterName."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import ctk
import qt
from slicer.i18n import tr as _

from DeepMRILib.jobs import Job
from DeepMRILib.options import Setting, settings
from DeepMRILib.panel.machine import machineSettings, setMachineSetting
from DeepMRILib.panel.parameters import MACHINE_SETTINGS, sceneSettings

PARAMETER_PROPERTY = "SlicerParameterName"
MODEL_FOLDER = Setting(
    name="model_folder",
    kind=Path,
    default=Path(),
    help="Folder of your trained networks; empty takes the usual place for such data",
    unit="",
    range=None,
    choices=(),
    length=None,
    advanced=True,
    label="Folder of networks",
)
"""Where models are kept, for every job that takes one."""


@dataclass(frozen=True)
class Row:
    """One setting in a form."""

    label: Any
    widget: Any

    def setVisible(self, visible: bool) -> None:
        """Show or hide both."""
        self.label.setVisible(visible)
        self.widget.setVisible(visible)


def addOptions(optionsType: type, mainLayout: Any, advancedLayout: Any, prefix: str = "") -> dict[str, Row]:
    """Add a row for each setting to one of two form layouts, and return the rows by the settings' names.

    Args:
        prefix: what stands before the settings' names in the parameter node.
    """
    rows = {}
    for setting in sceneSettings(optionsType):
        widget = settingWidget(setting, prefix)
        label = qt.QLabel(_(setting.label) + ":")
        for each in (widget, label):
            each.setToolTip(_(setting.tooltip))
        label.setBuddy(widget)
        (advancedLayout if setting.advanced else mainLayout).addRow(label, widget)
        rows[setting.name] = Row(label, widget)
    return rows


def addMachineSettings(
    job: Job, layout: Any, prefix: str = "", onChanged: Callable[[], None] = lambda: None
) -> dict[str, Row]:
    """Add a row for each setting that belongs to the computer; it is kept in Slicer's settings, not in the scene.

    These are the job's options of that kind, and the folder of the models where the job takes a model.

    Args:
        onChanged: called when the user has changed one.
    """
    known = {setting.name: setting for setting in settings(job.options_type) if setting.name in MACHINE_SETTINGS}
    if not job.stores and any(item.kind in ("model", "network") for item in job.inputs):
        known.setdefault("model_folder", MODEL_FOLDER)
    rows = {}
    for setting in known.values():
        widget = _plainWidget(setting)
        widget.setObjectName(f"{prefix}{setting.name}Widget")
        widget.setToolTip(_(setting.tooltip))
        signal = "currentTextChanged(QString)" if setting.kind is Literal else "currentPathChanged(QString)"

        def keep(text: str, name: str = setting.name) -> None:
            setMachineSetting(name, text)
            onChanged()

        widget.connect(signal, keep)
        rows[setting.name] = Row(qt.QLabel(_(setting.label) + ":"), widget)
        layout.addRow(rows[setting.name].label, widget)
    refreshMachineSettings(rows)
    return rows


def addRow(layout: Any, place: int, label: str, help: str) -> Row:  # noqa: A002 - as of settings
    """A row with a combo box among those of a form, for a choice that is no setting of the job.

    Args:
        place: how many rows stand above it.
    """
    row = Row(qt.QLabel(label + ":"), qt.QComboBox())
    for widget in (row.label, row.widget):
        widget.setToolTip(help)
    row.label.setBuddy(row.widget)
    layout.insertRow(place, row.label, row.widget)
    return row


def refreshMachineSettings(rows: Mapping[str, Row]) -> None:
    """Show the settings of the computer as they are now: another panel may have changed them."""
    for name, widget in ((name, row.widget) for name, row in rows.items()):
        blocked = widget.blockSignals(True)
        current = str(machineSettings()[name])
        if widget.className() == "QComboBox":
            widget.setCurrentIndex(max(0, widget.findText(current)))
        elif widget.currentPath != current:
            widget.currentPath = current
        widget.blockSignals(blocked)


def settingWidget(setting: Setting, prefix: str = "") -> Any:
    """The widget for one setting, named after it and bound to its parameter."""
    widget = _plainWidget(setting)
    widget.setObjectName(f"{prefix}{setting.name}Widget")
    widget.setProperty(PARAMETER_PROPERTY, prefix + setting.name)
    return widget


def _plainWidget(setting: Setting) -> Any:
    if setting.length is not None or setting.kind is str:
        return qt.QLineEdit()
    if setting.kind is bool:
        return qt.QCheckBox()
    if setting.kind is Path:
        edit = ctk.ctkPathLineEdit()
        if setting is MODEL_FOLDER:
            edit.filters = ctk.ctkPathLineEdit.Dirs
        return edit
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
