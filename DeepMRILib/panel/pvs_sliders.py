"""The two sliders of the PVSSegment panel, kept in step with the settings that they stand for."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from DeepMRILib.options import settings
from DeepMRILib.pvs.options import RelabelOptions

LARGEST_MM3 = 50.0
"""Clusters are mostly smaller; where the setting is larger, the slider grows with it."""


class Sliders:
    """Connects the sliders to the settings ``threshold`` and ``min_size``.

    They are not bound by SlicerParameterName: the settings' own widgets are, which stay hidden.

    Args:
        panel: its ``ui`` holds the sliders, its ``parameters`` the settings.
    """

    def __init__(self, panel: Any) -> None:
        self._sliders = {"threshold": panel.ui.thresholdSlider, "min_size": panel.ui.minSizeSlider}
        labels = {"threshold": panel.ui.thresholdSliderLabel, "min_size": panel.ui.minSizeSliderLabel}
        tips = {setting.name: setting.tooltip for setting in settings(RelabelOptions)}
        for name, slider in self._sliders.items():
            for widget in (slider, labels[name]):
                widget.setToolTip(_("{help} Takes effect at once.").format(help=_(tips[name])))

            def keep(value: float, name: str = name) -> None:
                setattr(panel.parameters, name, value)

            slider.connect("valueChanged(double)", keep)

    def refresh(self, parameters: Any) -> None:
        """Show the settings; call it from ``updatePanel``."""
        for name, slider in self._sliders.items():
            value = getattr(parameters, name)
            blocked = slider.blockSignals(True)
            if name == "min_size":
                slider.maximum = max(LARGEST_MM3, value)
            if abs(slider.value - value) > 1e-9:
                slider.value = value
            slider.blockSignals(blocked)
