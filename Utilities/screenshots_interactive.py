"""The README's pictures of InteractiveSeg: the panel with its points, and the segments in slice and 3D views."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import slicerapp
from make_screenshots import FOLDER, beside, grid, scene, settle
from slicerapp import view3d, views

VIEW = (420, 410)
ORDER = (3, 0, 5, 1, 4, 2)
"""Anterior, left, superior, right, inferior, posterior: any order does."""
ZOOM = 1.2


def draw() -> None:
    """Run the panel on the sample data and draw everything."""
    with tempfile.TemporaryDirectory() as folder:
        panel = Panel(Path(folder))
        panel.draw_three_points()
        panel.draw_six_points()
        panel.draw_two_lesions()
        panel.loaded.close()


class Panel:
    """The panel on the sample data.

    Args:
        place: for files that go into pictures.
    """

    def __init__(self, place: Path) -> None:
        from DeepMRILib.interactive.points import hints
        from DeepMRILib.interactive.synthetic import synthetic_points
        from DeepMRILib.mrml.segments import labelsFromSegmentation

        self.place = place
        self.loaded = slicerapp.load_module("InteractiveSeg")
        self.loaded.enter()
        self.widget, self.ui = self.loaded.widget, self.loaded.widget.ui
        self.image, self.truth = self.loaded.python.loadSample()
        self.parameters = self.loaded.logic.getParameterNode()
        self.parameters.inputVolume = self.image
        self.labels = labelsFromSegmentation(self.truth, self.image)[0]
        self.points = []
        for number in (1, 2):
            drawn = (synthetic_points(self.labels, label=number, seed=seed) for seed in range(20))
            self.points.append(next(points for points in drawn if not hints(points, self.labels)))
        self.middle = self.points[0].mean(axis=0)

    def click(self, positions: Iterable[np.ndarray]) -> Any:
        """Points as clicks place them."""
        import vtk

        node = self.parameters.points
        for position in positions:
            node.AddControlPointWorld(vtk.vtkVector3d(*position))
            settle()
        return node

    def wait(self) -> None:
        """Let the segmentation catch up."""
        live = self.widget.live
        settle()
        slicerapp.wait_until(lambda: not (live.state.isBusy or live.state.isPreview), 60, "the segmentation")
        time.sleep(0.1)
        settle()

    def draw_three_points(self) -> None:
        """Hints while points are placed."""
        self.ui.placeButton.click()
        first = self.points[0][list(ORDER[:3])]
        self.click([*first, first[2] + (2.0, 1.0, 0.0)])
        self.loaded.grab(FOLDER / "InteractiveSeg-hints.png")
        self.parameters.points.RemoveNthControlPoint(3)

    def draw_six_points(self) -> None:
        """One lesion from six points: where it reaches into its neighbour, and how it gives way."""
        self.click(self.points[0][list(ORDER[3:])])
        self.wait()
        panel = self.loaded.grab(self.place / "panel.png")
        before = self.views("six")
        beside(panel, before, FOLDER / "InteractiveSeg.png")
        self.ui.placeNegativeButton.click()
        self.parameters.negativePoints.AddControlPointWorld(*map(float, self.too_far()))
        self.ui.placeNegativeButton.click()
        self.wait()
        pictures = [("six points", before[0]), ("and one outside", self.views("outside")[0])]
        grid(pictures, FOLDER / "InteractiveSeg-outside.png", columns=1)

    def too_far(self) -> np.ndarray:
        """(3,) RAS mm: the middle of what the segmentation has taken of the other lesion."""
        from scipy.ndimage import distance_transform_edt

        from DeepMRILib.mrml.segments import maskFromSegment

        found = maskFromSegment(self.parameters.segmentation, self.parameters.segment, self.image)
        depth = distance_transform_edt((found.array > 0) & (self.labels.array != 1))
        return found.ras_from_voxel(np.unravel_index(depth.argmax(), depth.shape))[0]

    def draw_two_lesions(self) -> None:
        """Two lesions with points of their own, segmented together."""
        first = self.parameters.points
        slicerapp.start().processEvents()
        self.ui.newLesionButton.click()
        self.click(self.points[1][list(ORDER)])
        self.wait()
        self.parameters.otherPoints = [first]
        self.widget.bar.applyButton.click()
        slicerapp.wait_until(lambda: not self.widget.runner.isBusy(), 60, "the job")
        self.wait()
        panel = self.loaded.grab(self.place / "panel.png")
        beside(panel, self.views("two"), FOLDER / "InteractiveSeg-two.png")

    def views(self, name: str) -> list[Path]:
        """Three slices through the lesion, and the 3D view."""
        node = self.parameters.segmentation
        node.CreateClosedSurfaceRepresentation()
        node.GetDisplayNode().SetOpacity3D(0.7)
        node.GetDisplayNode().SetOpacity2DFill(0.3)
        slices = self.place / f"{name}-slices.png"
        views.renderSlices(scene(), self.image, slices, ("Axial", "Coronal"), at=self.middle, zoom=ZOOM, size=VIEW)
        solid = self.place / f"{name}-3d.png"
        view3d.renderView3D(scene(), solid, middle=self.middle, distance=190.0, size=(2 * VIEW[0], 440))
        return [slices, solid]
