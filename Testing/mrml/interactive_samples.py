"""A bright ball in noise with six points inside its margin, as nodes, and deformations of a few millimetres."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk
from mrml_samples import AFFINES
from numpy.typing import NDArray

from DeepMRILib.mrml.points import fiducialsFromPoints
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import Volume

SHAPE = (48, 44, 40)
RADIUS = 13.0
DEPTH = 3.0


def ball(affine: NDArray, centre: tuple[float, float, float] = (23.3, 21.1, 19.7)) -> tuple[Volume, NDArray, NDArray]:
    """An image, the truth (i, j, k), and six points in no order, all in the image's frame."""
    empty = Volume(np.zeros(SHAPE, np.uint8), affine)
    middle = empty.ras_from_voxel([centre])[0]
    places = empty.ras_from_voxel(np.indices(SHAPE).reshape(3, -1).T)
    inside = (np.linalg.norm(places - middle, axis=1) < RADIUS).reshape(SHAPE)
    noise = np.random.default_rng(3).normal(0, 6, SHAPE)
    image = Volume((70 + 60 * inside + noise).astype(np.int16), affine)
    around = np.concatenate([np.eye(3), -np.eye(3)])[[3, 1, 5, 0, 4, 2]]
    return image, inside, middle + (RADIUS - DEPTH) * around


def fine(name: str) -> NDArray:
    """One of the grids of ``mrml_samples`` with small voxels, so that the ball fits into the image."""
    affine = AFFINES[name].copy()
    affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0) / [1.0, 1.1, 1.3]
    return affine


def ballNodes(name: str = "plain"):
    """The image's node, the truth, and the point list in the world; nothing is under a transform yet."""
    image, inside, points = ball(fine(name))
    return nodeFromVolume(image, "image"), inside, fiducialsFromPoints(points, "lesion")


def splineNode() -> slicer.vtkMRMLTransformNode:
    """A thin-plate spline of a few millimetres, around the ball."""
    rng = np.random.default_rng(8)
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for x in (-80, 0, 80):
        for y in (-80, 0, 80):
            for z in (-80, 0, 80):
                source.InsertNextPoint(x, y, z)
                target.InsertNextPoint(*(np.array([x, y, z]) + rng.uniform(-3, 3, 3)))
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(spline)
    return node


def gridNode() -> slicer.vtkMRMLGridTransformNode:
    """A displacement field of a few millimetres."""
    image = vtk.vtkImageData()
    image.SetDimensions(9, 9, 9)
    image.SetSpacing(30, 30, 30)
    image.SetOrigin(-120, -120, -120)
    image.AllocateScalars(vtk.VTK_DOUBLE, 3)
    field = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    field[...] = np.random.default_rng(2).uniform(-3, 3, field.shape)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    transform.SetInterpolationModeToCubic()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    node.SetAndObserveTransformFromParent(transform)
    return node


def splineGridNode() -> slicer.vtkMRMLBSplineTransformNode:
    """A B-spline deformation of a few millimetres."""
    image = vtk.vtkImageData()
    image.SetDimensions(9, 9, 9)
    image.SetSpacing(40, 40, 40)
    image.SetOrigin(-160, -160, -160)
    image.AllocateScalars(vtk.VTK_DOUBLE, 3)
    field = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    field[...] = np.random.default_rng(4).uniform(-4, 4, field.shape)
    transform = slicer.vtkOrientedBSplineTransform()
    transform.SetCoefficientData(image)
    transform.SetBorderModeToZero()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    node.SetAndObserveTransformFromParent(transform)
    return node
