"""Stand-ins for CTK's sliders, ranges and float spin box."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QDoubleSpinBox, QSlider, QWidget

from slicerapp.ctk_widgets import delegated, in_a_row, kept
from slicerapp.pythonqt import StandIn


class ctkDoubleSpinBox(StandIn, QWidget):
    """A spin box for float values."""

    valueChanged = Signal(float)
    editingFinished = Signal()
    decimalsChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spin = QDoubleSpinBox(self)
        in_a_row(self, self._spin)
        self._spin.connect("valueChanged(double)", self.valueChanged.emit)
        self._spin.connect("editingFinished()", self.editingFinished.emit)

    value = delegated(float, "_spin", "value")
    minimum = delegated(float, "_spin", "minimum")
    maximum = delegated(float, "_spin", "maximum")
    singleStep = delegated(float, "_spin", "singleStep")
    decimals = delegated(int, "_spin", "decimals")
    prefix = delegated(str, "_spin", "prefix")
    suffix = delegated(str, "_spin", "suffix")

    def setValue(self, value: float) -> None:
        self.value = value


class ctkDoubleSlider(StandIn, QWidget):
    """A slider for float values."""

    valueChanged = Signal(float)
    orientation = kept(int, "orientation", 1)
    pageStep = kept(float, "pageStep", 10.0)
    tickInterval = kept(float, "tickInterval", 0.0)
    tracking = kept(bool, "tracking", True)

    def __init__(self, *args: Any) -> None:
        super().__init__(*[arg for arg in args if isinstance(arg, QWidget)])
        self._spin = QDoubleSpinBox()  # holds range and value, is never shown
        self._spin.decimals = 6
        self._spin.maximum = 99.0
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        in_a_row(self, self._slider)
        self._spin.connect("valueChanged(double)", self.valueChanged.emit)

    value = delegated(float, "_spin", "value")
    minimum = delegated(float, "_spin", "minimum")
    maximum = delegated(float, "_spin", "maximum")
    singleStep = delegated(float, "_spin", "singleStep")

    def setValue(self, value: float) -> None:
        self.value = value


class ctkSliderWidget(StandIn, QWidget):
    """A slider with a spin box beside it: 0 to 99 with two decimals unless told."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)
    pageStep = kept(float, "pageStep", 10.0)
    tickInterval = kept(float, "tickInterval", 0.0)
    tracking = kept(bool, "tracking", True)
    popupSlider = kept(bool, "popupSlider", False)
    invertedAppearance = kept(bool, "invertedAppearance", False)
    invertedControls = kept(bool, "invertedControls", False)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._spin = QDoubleSpinBox(self)
        self._spin.maximum = 99.0
        self._slider = QSlider(Qt.Orientation.Horizontal, self)
        self._slider.maximum = 1000
        in_a_row(self, self._slider, self._spin)
        self._spin.connect("valueChanged(double)", self._onSpinBox)
        self._slider.connect("sliderMoved(int)", self._onSlider)

    def _onSpinBox(self, value: float) -> None:
        span = self._spin.maximum - self._spin.minimum
        self._slider.value = round(1000 * (value - self._spin.minimum) / span) if 0 < span < float("inf") else 0
        self.valueChanged.emit(value)

    def _onSlider(self, position: int) -> None:
        self._spin.value = self._spin.minimum + position / 1000 * (self._spin.maximum - self._spin.minimum)

    value = delegated(float, "_spin", "value")
    minimum = delegated(float, "_spin", "minimum")
    maximum = delegated(float, "_spin", "maximum")
    singleStep = delegated(float, "_spin", "singleStep")
    decimals = delegated(int, "_spin", "decimals")
    prefix = delegated(str, "_spin", "prefix")
    suffix = delegated(str, "_spin", "suffix")

    def setValue(self, value: float) -> None:
        self.value = value

    def setDecimals(self, decimals: int) -> None:
        self.decimals = decimals

    def reset(self) -> None:
        """Back to the minimum."""
        self.value = self.minimum

    def setSpinBoxVisible(self, visible: bool) -> None:
        self._spin.setVisible(visible)

    spinBoxVisible = Property(bool, lambda self: not self._spin.isHidden(), setSpinBoxVisible)


class _Range(StandIn, QWidget):
    """Two values in a range, the lower never above the upper."""

    valuesChanged = Signal(float, float)
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)
    rangeChanged = Signal(float, float)
    tickInterval = kept(float, "tickInterval", 0.0)
    tracking = kept(bool, "tracking", True)
    symmetricMoves = kept(bool, "symmetricMoves", False)

    def __init__(self, *args: Any) -> None:
        super().__init__(*[arg for arg in args if isinstance(arg, QWidget)])
        self._low, self._high = QDoubleSpinBox(self), QDoubleSpinBox(self)
        in_a_row(self, self._low, self._high)
        self.setRange(0.0, 99.0)
        self._high.value = 99.0
        self._low.connect("valueChanged(double)", lambda low: self.setValues(low, max(low, self._high.value)))
        self._high.connect("valueChanged(double)", lambda high: self.setValues(min(self._low.value, high), high))
        self._last = (0.0, 99.0)

    def setRange(self, minimum: float, maximum: float) -> None:
        self._low.setRange(minimum, maximum)
        self._high.setRange(minimum, maximum)
        self.rangeChanged.emit(minimum, maximum)

    def setValues(self, low: float, high: float) -> None:
        for spin, value in ((self._low, low), (self._high, high)):
            spin.blockSignals(True)
            spin.value = value
            spin.blockSignals(False)
        values = (self._low.value, self._high.value)
        changed = [new != old for new, old in zip(values, self._last, strict=True)]
        self._last = values
        if changed[0]:
            self.minimumValueChanged.emit(values[0])
        if changed[1]:
            self.maximumValueChanged.emit(values[1])
        if any(changed):
            self.valuesChanged.emit(*values)

    def setMinimumValue(self, value: float) -> None:
        self.setValues(value, max(value, self._high.value))

    def setMaximumValue(self, value: float) -> None:
        self.setValues(min(self._low.value, value), value)

    minimumValue = Property(float, lambda self: self._low.value, setMinimumValue)
    maximumValue = Property(float, lambda self: self._high.value, setMaximumValue)
    minimum = Property(float, lambda self: self._low.minimum, lambda self, v: self.setRange(v, self._low.maximum))
    maximum = Property(float, lambda self: self._low.maximum, lambda self, v: self.setRange(self._low.minimum, v))

    def _setSingleStep(self, step: float) -> None:
        self._low.singleStep = self._high.singleStep = step

    singleStep = Property(float, lambda self: self._low.singleStep, _setSingleStep)


class ctkRangeWidget(_Range):
    """A range slider with two spin boxes."""

    def setDecimals(self, decimals: int) -> None:
        self._low.decimals = self._high.decimals = decimals

    decimals = Property(int, lambda self: self._low.decimals, setDecimals)


class ctkDoubleRangeSlider(_Range):
    """A range slider."""

    orientation = kept(int, "orientation", 1)
