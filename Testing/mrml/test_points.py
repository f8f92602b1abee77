"""Points that a user placed, in the world."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import aTransform, countNodes, throughBundle, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.points import fiducialsFromPoints, pointLabels, pointsFromFiducials

pytestmark = pytest.mark.usefixtures("scene")

POINTS = np.array([[1.0, 2, 3], [-4, 5, 6], [7, -8, 9.5]])


def test_round_trip():
    node = fiducialsFromPoints(POINTS, "points", ["a", "b", "c"])
    assert np.array_equal(pointsFromFiducials(node), POINTS)
    assert pointLabels(node) == ["a", "b", "c"]


def test_only_placed_points_count():
    node = fiducialsFromPoints(POINTS, "points")
    node.UnsetNthControlPointPosition(1)
    assert node.GetNumberOfControlPoints() == 3
    assert np.array_equal(pointsFromFiducials(node), POINTS[[0, 2]])
    assert len(pointLabels(node)) == 2


def test_a_point_that_is_being_placed_does_not_count():
    node = fiducialsFromPoints(POINTS, "points")
    node.SetNthControlPointPositionWorld(0, 9, 9, 9, slicer.vtkMRMLMarkupsNode.PositionPreview)
    assert np.array_equal(pointsFromFiducials(node), POINTS[1:])


def test_positions_are_those_in_the_world():
    node = fiducialsFromPoints(POINTS, "points")
    matrix = aTransform()
    node.SetAndObserveTransformNodeID(transformNode(matrix).GetID())
    moved = POINTS @ matrix[:3, :3].T + matrix[:3, 3]
    assert np.allclose(pointsFromFiducials(node), moved)
    fiducialsFromPoints(POINTS, "points", existing=node)
    assert np.allclose(pointsFromFiducials(node), POINTS)


def test_second_run_updates_the_node(scene):
    node = fiducialsFromPoints(POINTS, "points")
    nodes = countNodes(scene)
    assert fiducialsFromPoints(POINTS[:2] + 1, "points", existing=node) is node
    assert countNodes(scene) == nodes
    assert np.array_equal(pointsFromFiducials(node), POINTS[:2] + 1)


def test_no_points():
    assert pointsFromFiducials(fiducialsFromPoints(np.zeros((0, 3)), "none")).shape == (0, 3)


def test_bundle(scene, tmp_path):
    fiducialsFromPoints(POINTS, "points", ["a", "b", "c"])
    throughBundle(scene, tmp_path / "scene.mrb")
    node = slicer.util.getNode("points")
    assert np.allclose(pointsFromFiducials(node), POINTS)
    assert pointLabels(node) == ["a", "b", "c"]


def test_bad_points():
    with pytest.raises(InputError, match="not a list of points"):
        pointsFromFiducials(None)
    with pytest.raises(InputError, match="array \\(n, 3\\)"):
        fiducialsFromPoints([[1, 2]], "points")
    with pytest.raises(InputError, match="2 labels for 3 points"):
        fiducialsFromPoints(POINTS, "points", ["a", "b"])
