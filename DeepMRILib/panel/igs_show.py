"""What the KSpaceIGS panel offers to look at: image, undersampled image, k-space, growth, tables and charts."""

from __future__ import annotations

from typing import Any

from DeepMRILib.mrml.igs_growth import isPlaying, play
from DeepMRILib.panel.views import showNumbers, showPlotLayout, showVolume


class ShowSection:
    """Connects the buttons that show things.

    Args:
        panel: its ``ui`` holds the widgets, its ``parameters`` what is chosen.
    """

    def __init__(self, panel: Any) -> None:
        self._panel, self._ui = panel, panel.ui
        for name, button in self._views.items():
            button.connect("clicked(bool)", lambda _checked=False, name=name: self.onView(name))
        self._ui.growthButton.connect("toggled(bool)", self.onGrowth)
        self._ui.numbersButton.connect("clicked(bool)", lambda _checked=False: self.onNumbers())

    @property
    def _views(self) -> dict[str, Any]:
        return {
            "inputVolume": self._ui.fullButton,
            "undersampledVolume": self._ui.undersampledButton,
            "maskVolume": self._ui.maskButton,
        }

    def refresh(self, parameters: Any) -> None:
        """Enable what there is something of; call it from ``updatePanel``."""
        for name, button in self._views.items():
            button.setEnabled(getattr(parameters, name) is not None)
        growth = parameters.growthSequence
        blocked = self._ui.growthButton.blockSignals(True)
        self._ui.growthButton.setEnabled(growth is not None)
        self._ui.growthButton.setChecked(isPlaying(growth))
        self._ui.growthButton.blockSignals(blocked)
        shown = (parameters.linesTable, parameters.lossChart, parameters.summaryTable)
        self._ui.numbersButton.setEnabled(any(node is not None for node in shown))

    def onView(self, name: str) -> None:
        """Show an image in the slice views."""
        showVolume(getattr(self._panel.parameters, name))

    def onGrowth(self, playing: bool) -> None:
        """Play the growth in the slice views, or stop it."""
        from DeepMRILib.mrml.sequences import proxyOfSequence

        sequence = self._panel.parameters.growthSequence
        if sequence is not None:
            if playing:
                showVolume(proxyOfSequence(sequence))
            play(sequence, playing)

    def onNumbers(self) -> None:
        """Show the table of lines and the loss, or the comparison once there is one."""
        parameters = self._panel.parameters
        compared = parameters.summaryTable is not None and parameters.scoreChart is not None
        table = parameters.summaryTable if compared else parameters.linesTable
        chart = parameters.scoreChart if compared else parameters.lossChart
        showNumbers(table, chart)
        showPlotLayout(chart)
