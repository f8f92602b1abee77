"""The README's pictures of PVSSegment: the panel with what it has found, and the spaces in slice and 3D views."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import slicerapp
from make_screenshots import FOLDER, beside, grid, scene, settle
from PIL import Image
from slicerapp import view3d, views

VIEW, BAND = (420, 450), (840, 450)
ZOOM, DISTANCE = 1.35, 330.0
BRAIN_COLOUR, BRAIN_OPACITY = (0.75, 0.75, 0.80), 0.15
"""Of the brain's surface, so that one sees where in it the spaces lie."""


def draw() -> None:
    """Run the panel on the sample data and draw everything."""
    with tempfile.TemporaryDirectory() as folder:
        panel = Panel(Path(folder))
        panel.run()
        panel.draw_panel()
        panel.draw_found()
        panel.loaded.close()


class Panel:
    """The panel on the generated head.

    Args:
        place: for files that go into pictures.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        scene().AddNewNodeByClass("vtkMRMLSliceCompositeNode")  # of a slice view, where the overlay is shown
        self.loaded = slicerapp.load_module("PVSSegment")
        self.loaded.enter()
        self.widget, self.ui = self.loaded.widget, self.loaded.widget.ui
        self.image, self.brain, parcellation, _truth = self.loaded.python.loadSample()
        self.parameters = self.loaded.logic.getParameterNode()
        self.parameters.t1Volume, self.parameters.parcellationSegmentation = self.image, parcellation

    def run(self) -> None:
        """Press Apply and wait; then show the spaces in 3D."""
        self.widget.bar.applyButton.click()
        slicerapp.wait_until(lambda: not self.widget.runner.isBusy(), 600, "the job")
        settle()
        self.ui.show3DButton.click()
        settle()
        self.middle = self.busiest()

    def busiest(self) -> np.ndarray:
        """(3,) RAS mm: the slices through it that show most of what was found."""
        from DeepMRILib.mrml.volumes import volumeFromNode

        probability = volumeFromNode(self.parameters.probabilityMap)
        found = probability.ras_from_voxel(np.argwhere(probability.array > self.parameters.threshold))
        low = found.min(axis=0)
        return low + [np.bincount(at.round().astype(int)).argmax() for at in (found - low).T]

    def draw_panel(self) -> None:
        """The panel beside slices with the probability over them, and the plot of sizes."""
        panel = self.loaded.grab(self.place / "panel.png")
        display = self.parameters.segmentation.GetDisplayNode()
        display.SetVisibility2DFill(False)  # it would hide the probability
        slices = self.slices("overlay", foreground=self.parameters.probabilityMap)
        display.SetVisibility2DFill(True)
        plot = views.renderChart(self.parameters.sizeChart, self.place / "sizes.png", size=BAND)
        beside(panel, [slices, plot], FOLDER / "PVSSegment.png")
        shrink(FOLDER / "PVSSegment.png")

    def draw_found(self) -> None:
        """The spaces in slices, and as surfaces in the brain."""
        slices = self.slices("found")
        solid = self.place / "solid.png"
        view3d.renderView3D(scene(), solid, middle=self.show_brain(), distance=DISTANCE, size=BAND)
        grid([("", slices), ("", solid)], FOLDER / "PVSSegment-found.png", columns=1)
        shrink(FOLDER / "PVSSegment-found.png")

    def slices(self, name: str, **layers: Any) -> Path:
        """An axial and a coronal slice through where most was found."""
        path = self.place / f"{name}.png"
        return views.renderSlices(
            scene(), self.image, path, ("Axial", "Coronal"), at=self.middle, zoom=ZOOM, size=VIEW, **layers
        )

    def show_brain(self) -> np.ndarray:
        """Show the brain mask as a faint surface; returns its middle, (3,) RAS mm."""
        from DeepMRILib.mrml.segments import segmentationFromLabels
        from DeepMRILib.mrml.volumes import volumeFromNode
        from DeepMRILib.volume import LabelVolume

        mask = volumeFromNode(self.brain)
        labels = LabelVolume((mask.array > 0).astype(np.uint8), mask.affine, {1: "Brain"})
        node = segmentationFromLabels(labels, labels.names, {1: BRAIN_COLOUR}, name="Brain")
        node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetVisibility2D(False)
        node.GetDisplayNode().SetOpacity3D(BRAIN_OPACITY)
        return mask.ras_from_voxel(np.argwhere(mask.array > 0)).mean(axis=0)


def shrink(path: Path) -> None:
    """Store a picture without its opacity, which is 1 everywhere: noise of voxels packs badly."""
    Image.open(path).convert("RGB").save(path, optimize=True)
