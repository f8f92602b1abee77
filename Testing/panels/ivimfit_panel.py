"""The IVIMFit panel as its tests drive it, and what they look at."""

from __future__ import annotations

import numpy as np

from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.volume import DiffusionVolume


class Panel:
    """The panel and what a user reads on it."""

    def __init__(self, loaded, wait_until) -> None:
        self.loaded, self.widget, self.ui, self.bar = loaded, loaded.widget, loaded.widget.ui, loaded.widget.bar
        self.parameters = loaded.logic.getParameterNode()
        self.wait = wait_until

    @property
    def train(self):
        """The training's button, progress and status."""
        return self.widget.sections[1].bar

    def apply(self) -> str:
        """Fit, and return what the status line says."""
        return self._press(self.bar, 60)

    def trainNow(self, within_s: float = 120) -> str:
        """Train, and return what the status line says."""
        return self._press(self.train, within_s)

    def _press(self, bar, within_s: float) -> str:
        assert bar.applyButton.enabled, bar.applyButton.toolTip
        bar.applyButton.click()
        self.wait(lambda: not self.widget.runner.isBusy(), within_s, "the job")
        return bar.statusLabel.text

    def choose(self, **settings: str) -> None:
        """Choose settings in their combo boxes."""
        for name, value in settings.items():
            getattr(self.ui, f"{name}Widget").setCurrentText(value)

    def settle(self) -> None:
        """Let what follows the point catch up."""
        timer = self.widget.inspector._follower._timer
        self.wait(lambda: not timer.isActive(), 5, "the inspector")


def a_series(factor: float = 1.0) -> DiffusionVolume:
    """The small example, brighter or darker."""
    series = fit_inputs()["volume"]
    return series.with_array(series.array * factor)


def a_node(name: str = "dwi", factor: float = 1.0):
    """The example in the scene."""
    from DeepMRILib.mrml.diffusion import nodeFromDiffusion

    return nodeFromDiffusion(a_series(factor), name)


def fit_of(series, method: str = "lsq", model: str = "biexp", network: str = ""):
    """The nodes of one fit of a series, as they are found in the scene."""
    from DeepMRILib.mrml.ivim_fits import FitKind, findFits

    return findFits(series)[FitKind(method, model, network)]


def voxels(node) -> np.ndarray:
    """(i, j, k): the voxels of a node."""
    import slicer

    return slicer.util.arrayFromVolume(node).transpose(2, 1, 0)


def sequence_of_series(count: int):
    """Exams of one patient: a sequence, its browser, and the proxy that shows one of them."""
    import slicer

    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "exams")
    for n in range(count):
        frame = a_node(f"exam {n}", n + 1.0)
        sequence.SetDataNodeAtValue(frame, str(n))
        slicer.mrmlScene.RemoveNode(frame)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return sequence, browser, browser.GetProxyNode(sequence)


TYPED = " ".join(f"{b:g}" for b in a_series().b_values)
