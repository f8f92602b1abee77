"""Points that a user placed, in the world."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import (
    AFFINES,
    aTransform,
    countNodes,
    deformationNode,
    throughBundle,
    transformNode,
    volumeNode,
)

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.points import fiducialsFromPoints, pointLabels, pointsFromFiducials
from DeepMRILib.mrml.volumes import volumeFromNode

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


@pytest.mark.parametrize("moved", ["image", "points", "both", "nothing"])
def test_points_in_the_frame_of_a_volume(moved):
    """What is clicked on a voxel is that voxel's index, whatever transform the image or the points are under."""
    image = volumeNode(AFFINES["left-handed oblique"])
    matrix = aTransform()
    if moved in ("image", "both"):
        image.SetAndObserveTransformNodeID(transformNode(matrix).GetID())
    indices = np.array([[1.0, 2, 3], [4, 0, 2]])
    inWorld = volumeFromNode(image).ras_from_voxel(indices)
    if moved in ("image", "both"):
        inWorld = inWorld @ matrix[:3, :3].T + matrix[:3, 3]
    node = fiducialsFromPoints(inWorld, "clicked")
    if moved in ("points", "both"):
        node.SetAndObserveTransformNodeID(transformNode(aTransform() @ aTransform()).GetID())
        fiducialsFromPoints(inWorld, "clicked", existing=node)
    found = pointsFromFiducials(node, image)
    assert np.allclose(volumeFromNode(image).voxel_from_ras(found), indices)
    again = fiducialsFromPoints(found, "again", referenceVolume=image)
    assert np.allclose(pointsFromFiducials(again), inWorld)


def test_points_in_the_frame_of_a_deformed_volume():
    """A linear transform above a deformation: both are followed, in the right order."""
    image = volumeNode(AFFINES["oblique"])
    bend, matrix = deformationNode(), aTransform()
    bend.SetAndObserveTransformNodeID(transformNode(matrix).GetID())
    image.SetAndObserveTransformNodeID(bend.GetID())
    ownFrame = POINTS * 10
    bent = np.array([bend.GetTransformToParent().TransformPoint(point) for point in ownFrame])
    assert np.abs(bent - ownFrame).max() > 0.5
    node = fiducialsFromPoints(ownFrame, "points", referenceVolume=image)
    assert np.allclose(pointsFromFiducials(node), bent @ matrix[:3, :3].T + matrix[:3, 3], atol=1e-3)
    assert np.allclose(pointsFromFiducials(node, image), ownFrame, atol=1e-2)


def test_second_run_updates_the_node(scene):
    node = fiducialsFromPoints(POINTS, "points")
    nodes = countNodes(scene)
    assert fiducialsFromPoints(POINTS[:2] + 1, "points", existing=node) is node
    assert countNodes(scene) == nodes
    assert np.array_equal(pointsFromFiducials(node), POINTS[:2] + 1)


def test_no_points():
    image = volumeNode()
    image.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
    node = fiducialsFromPoints(np.zeros((0, 3)), "none", referenceVolume=image)
    assert pointsFromFiducials(node).shape == pointsFromFiducials(node, image).shape == (0, 3)


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
    node = fiducialsFromPoints(POINTS, "points")
    with pytest.raises(InputError, match="not a volume"):
        pointsFromFiducials(node, node)
