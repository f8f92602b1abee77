"""Grids and images that the tests of nodes share."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk
from numpy.typing import NDArray

from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import Volume


def _rotation(x: float, y: float, z: float) -> NDArray:
    transform = vtk.vtkTransform()
    for angle, turn in ((x, transform.RotateX), (y, transform.RotateY), (z, transform.RotateZ)):
        turn(angle)
    return slicer.util.arrayFromVTKMatrix(transform.GetMatrix())


def _grid(rotation: NDArray, spacing: tuple[float, float, float], origin: tuple[float, float, float]) -> NDArray:
    affine = rotation @ np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


AFFINES = {
    "plain": _grid(np.eye(4), (1, 1, 1), (0, 0, 0)),
    "anisotropic": _grid(np.eye(4), (0.8, 1.3, 5), (10, -20, 30)),
    "left-handed": _grid(np.diag([-1.0, 1, 1, 1]), (2, 2, 3), (40, -35, 7)),
    "oblique": _grid(_rotation(20, -35, 50), (1.5, 0.9, 4), (-12, 3, 55)),
    "left-handed oblique": _grid(_rotation(-70, 15, 30) @ np.diag([1.0, 1, -1, 1]), (1.1, 2.2, 3.3), (5, 6, -70)),
}

SHAPE = (7, 6, 5)


def noise(*shape: int, seed: int = 0) -> NDArray:
    return np.random.default_rng(seed).uniform(1, 100, shape).astype(np.float32)


def block() -> NDArray:
    """Labels 1 and 3 without any symmetry, so that a swapped or flipped axis shows."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:4, 2:4, 1:3] = 1
    labels[5:, 1:, 3:] = 3
    labels[1, 2, 1] = 0
    return labels


def volumeNode(affine: NDArray | None = None, name: str = "image", seed: int = 0) -> slicer.vtkMRMLScalarVolumeNode:
    return nodeFromVolume(Volume(noise(*SHAPE, seed=seed), AFFINES["plain"] if affine is None else affine), name)


def transformNode(matrix: NDArray) -> slicer.vtkMRMLLinearTransformNode:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


def aTransform() -> NDArray:
    matrix = _rotation(10, 25, -40)
    matrix[:3, 3] = (15, -4, 9)
    return matrix


def deformationNode() -> slicer.vtkMRMLTransformNode:
    """A smooth bend of a few millimetres."""
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for x in (-100, 100):
        for y in (-100, 100):
            for z in (-100, 100):
                source.InsertNextPoint(x, y, z)
                target.InsertNextPoint(x, y, z + 0.0003 * x * y)
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(spline)
    return node


def throughBundle(scene: slicer.vtkMRMLScene, path) -> None:
    """Save everything as an MRB, and read it into the emptied scene."""
    assert scene.WriteToMRB(str(path), None)
    scene.Clear(0)
    assert scene.ReadFromMRB(str(path), False)


def countNodes(scene: slicer.vtkMRMLScene) -> int:
    return scene.GetNumberOfNodes()
