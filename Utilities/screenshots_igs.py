"""The README's pictures of KSpaceIGS: the panel, what the slider shows, and the comparison with the usual patterns."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import slicerapp
from make_screenshots import FOLDER, beside, grid, scene, settle
from screenshots_pvs import shrink
from slicerapp import views

VIEW, PLOT = (400, 400), (800, 460)
LINES, EPOCHS = 32, 0
"""What is searched, and how long the network learns: three steps an epoch on half of 48 slices."""
SHOWN = (32, 16, 8)
"""Numbers of lines of the picture of the slider: acceleration 4, 8 and 16."""
KINDS = ("recommended", "centre")
PATIENCE = 1800
"""Seconds: trainings on a busy computer take their time."""
SECTIONS = ("inputs", "settings", "advanced", "pattern", "compare", "train", "tune", "export", "outputs")
TRAIN, COMPARE = 2, 1
"""Sections of the panel."""


def draw() -> None:
    """Run the panel on the sample data and draw everything; without PyTorch the lines serve the image."""
    with tempfile.TemporaryDirectory() as folder:
        from DeepMRILib.panel.machine import setMachineSetting

        setMachineSetting("model_folder", folder)
        panel = Panel(Path(folder))
        if importlib.util.find_spec("torch") is not None:
            panel.train()
        panel.run()
        panel.draw_panel()
        panel.draw_growth()
        panel.draw_comparison()
        panel.loaded.close()


class Panel:
    """The panel on the drawn hearts.

    Args:
        place: for files that go into pictures.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        self.loaded = slicerapp.load_module("KSpaceIGS")
        self.loaded.enter()
        self.widget, self.ui = self.loaded.widget, self.loaded.widget.ui
        self.image, self.labels, self.phase = self.loaded.python.loadSample()
        self.parameters = self.loaded.logic.getParameterNode()
        self.parameters.inputVolume, self.parameters.labelsSegmentation = self.image, self.labels
        self.parameters.phaseVolume = self.phase
        self.parameters.lines = LINES

    def press(self, section: int = 0) -> None:
        """Press a section's button, and wait for it and for the network."""
        self.widget.sections[section].bar.applyButton.click()
        self.wait()

    def wait(self) -> None:
        """Until nothing is computed any more."""
        settle()
        slicerapp.wait_until(lambda: not self.widget.runner.isBusy(), PATIENCE, "the job")
        settle()
        slicerapp.wait_until(lambda: not self.widget.runner.isBusy(), PATIENCE, "the network")
        settle()

    def train(self) -> None:
        """A network for the labels."""
        self.parameters.train_epochs = EPOCHS
        self.only("train")
        self.press(TRAIN)
        picture = self.loaded.grab(self.place / "train.png")
        chart = views.renderChart(self.parameters.trainingChart, self.place / "loss.png", size=PLOT)
        beside(picture, [chart], FOLDER / "KSpaceIGS-train.png")

    def only(self, *names: str) -> None:
        """Open these sections and close the others."""
        for name in SECTIONS:
            getattr(self.ui, f"{name}CollapsibleButton").collapsed = name not in names

    def run(self) -> None:
        """Find lines; then show a quarter of them."""
        self.press()
        self.slide(SHOWN[1])

    def slide(self, lines: int) -> None:
        """Move the slider."""
        self.ui.linesSlider.value = lines
        self.wait()

    def draw_panel(self) -> None:
        """The panel beside the image, what is left of it with what the network finds there, the lines, and the loss."""
        self.only("inputs", "settings", "pattern")
        panel = self.loaded.grab(self.place / "panel.png")
        pictures = [
            ("all lines, true labels", self.slice("full", self.image, self.labels)),
            ("k-space", self.slice("mask", self.parameters.maskVolume)),
            *((f"{n} lines, x{128 // n}", self.at(n, "recommended")) for n in (SHOWN[1], SHOWN[2])),
        ]
        grid(pictures, self.place / "views.png", columns=2)
        plot = views.renderChart(self.parameters.lossChart, self.place / "loss.png", size=PLOT)
        beside(panel, [self.place / "views.png", plot], FOLDER / "KSpaceIGS.png")
        shrink(FOLDER / "KSpaceIGS.png")

    def draw_growth(self) -> None:
        """The image with what the network finds in it, at several places of the slider, for two patterns."""
        pictures = [(f"{n} lines, {kind}", self.at(n, kind)) for kind in KINDS for n in SHOWN]
        grid(pictures, FOLDER / "KSpaceIGS-growth.png", columns=len(SHOWN))
        shrink(FOLDER / "KSpaceIGS-growth.png")

    def draw_comparison(self) -> None:
        """The section that compares, and its chart."""
        self.only("compare", "export")
        self.press(COMPARE)
        panel = self.loaded.grab(self.place / "compare.png")
        plot = views.renderChart(self.parameters.scoreChart, self.place / "scores.png", size=PLOT)
        beside(panel, [plot], FOLDER / "KSpaceIGS-compare.png")

    def at(self, lines: int, kind: str) -> Path:
        """The image that so many lines of a pattern give, with what the network finds in it."""
        self.parameters.shownKind = kind
        self.slide(lines)
        return self.slice(f"{kind}{lines}", self.parameters.undersampledVolume, self.parameters.liveSegmentation)

    def slice(self, name: str, node: Any, segmentation: Any = None) -> Path:
        """An axial picture of a slice in the middle, with the outlines of a segmentation."""
        for each in (self.labels, self.parameters.liveSegmentation):
            if each is not None:
                each.GetDisplayNode().SetVisibility(each is segmentation)
                each.GetDisplayNode().SetVisibility2DFill(False)
                each.GetDisplayNode().SetSliceIntersectionThickness(2)
        path = self.place / f"{name}.png"
        return views.renderSlices(scene(), node, path, ("Axial",), at=self.middle(), zoom=1.25, size=VIEW)

    def middle(self) -> np.ndarray:
        """(3,) RAS mm: the middle of the image, on a slice."""
        from DeepMRILib.mrml.volumes import volumeFromNode

        volume = volumeFromNode(self.image)
        i, j, k = (n // 2 for n in volume.shape)
        return volume.ras_from_voxel([i, j, k])[0]
