"""Volume nodes to volumes and back."""

from __future__ import annotations

import numpy as np
import slicer
import slicer.util
import vtk
import vtk.util.numpy_support
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.nodes import isNode, newNode, nodeName
from DeepMRILib.mrml.transaction import remember
from DeepMRILib.volume import LabelVolume, Volume


def volumeFromNode(node: slicer.vtkMRMLVolumeNode) -> Volume:
    """The voxels of a scalar, labelmap, vector or diffusion-weighted volume node, without a copy.

    Slicer keeps voxels as (k, j, i) or (k, j, i, c); the array is that memory seen as (i, j, k) or (i, j, k, c), so
    writing to it changes the node. The affine is the node's IJK to RAS.

    A parent transform is left out on purpose: image and affine stay in the node's own frame, and results are put under
    the same transform (``hierarchy.placeBeside``). So a result fits its input to the voxel under any transform, a
    deformation too. Only what comes from other nodes (segments, points) is brought into that frame.

    Raises:
        InputError: nothing chosen, no image loaded, or a tensor volume.
    """
    array = _nodeArray(node)
    return Volume(array.transpose(2, 1, 0, *range(3, array.ndim)), affineFromNode(node))


def affineFromNode(node: slicer.vtkMRMLVolumeNode) -> NDArray:
    """(4, 4): index into the node's voxel array (i, j, k) to RAS mm in the node's own frame."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    affine = slicer.util.arrayFromVTKMatrix(matrix)
    if node.GetImageData() is not None:
        # A cropped image may count its voxels from another number than 0.
        first = np.array(node.GetImageData().GetExtent()[::2], dtype=float)
        affine[:3, 3] += affine[:3, :3] @ first
    return affine


def nodeFromVolume(
    volume: Volume,
    name: str,
    existing: slicer.vtkMRMLVolumeNode | None = None,
    nodeClass: str | None = None,
) -> slicer.vtkMRMLVolumeNode:
    """A volume node that holds a copy of ``volume``: ``existing`` with new content, or a new node.

    An existing node keeps its name, display, place and references, so that a second run updates what the user chose.

    Args:
        volume: any real type; those that Slicer cannot save (bool, int8, float16, 64-bit integers) become the nearest
            that it can.
        name: of a new node; made unique in the scene.
        nodeClass: of a new node; by default labelmap for a ``LabelVolume``, vector for several values per voxel, else
            scalar.

    Raises:
        InputError: complex voxels, or an existing node of a kind that cannot hold them.
    """
    array = _storable(volume.array)
    wanted = nodeClass or _nodeClass(volume)
    if existing is not None:
        _checkHolds(existing, wanted)
        remember(existing)
    image = imageFromArray(array)
    node = existing if existing is not None else newNode(wanted, name)
    with slicer.util.NodeModify(node):
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(volume.affine))
        node.SetAndObserveImageData(image)
        if node.GetDisplayNode() is None:
            node.CreateDefaultDisplayNodes()
        _makeStorable(node)
    return node


def _makeStorable(node: slicer.vtkMRMLVolumeNode) -> None:
    """The storage that Slicer makes by default saves one or three values per voxel; others make saving a scene fail."""
    if node.GetImageData().GetNumberOfScalarComponents() in (1, 3) or node.GetStorageNode() is not None:
        return
    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLNRRDStorageNode")
    node.SetAndObserveStorageNodeID(storage.GetID())


def _nodeArray(node: slicer.vtkMRMLVolumeNode | None) -> NDArray:
    if not isNode(node, "vtkMRMLVolumeNode"):
        raise InputError(f"{nodeName(node)} is not a volume. Choose a volume.")
    image = node.GetImageData()
    if image is None or image.GetPointData() is None or 0 in image.GetDimensions():
        raise InputError(f"The volume {nodeName(node)} holds no image. Load an image, or choose another volume.")
    if image.GetPointData().GetTensors() is not None and image.GetPointData().GetScalars() is None:
        raise InputError(f"{nodeName(node)} holds tensors. Choose the diffusion-weighted image they were made from.")
    array = slicer.util.arrayFromVolume(node)
    if array is None:
        raise InputError(f"The volume {nodeName(node)} has no voxel values. Load it again, or choose another volume.")
    return array


def _nodeClass(volume: Volume) -> str:
    if isinstance(volume, LabelVolume):
        return "vtkMRMLLabelMapVolumeNode"
    return "vtkMRMLVectorVolumeNode" if volume.array.ndim == 4 else "vtkMRMLScalarVolumeNode"


_HOLDERS = {
    "vtkMRMLScalarVolumeNode": ("vtkMRMLScalarVolumeNode",),
    "vtkMRMLLabelMapVolumeNode": ("vtkMRMLLabelMapVolumeNode", "vtkMRMLScalarVolumeNode"),
    "vtkMRMLVectorVolumeNode": ("vtkMRMLVectorVolumeNode",),
}
"""What a node must be to hold the content of another class; fractions do not fit into a label map, labels fit both."""


def _checkHolds(node: slicer.vtkMRMLNode, wanted: str) -> None:
    if node.GetClassName() not in _HOLDERS.get(wanted, (wanted,)):
        kind = wanted.removeprefix("vtkMRML").removesuffix("VolumeNode").lower()
        raise InputError(
            f"The output {nodeName(node)} is not a {kind} volume and cannot hold the result. "
            "Choose another output, or create a new one."
        )


def _storable(array: NDArray) -> NDArray:
    if np.iscomplexobj(array):
        raise InputError("A volume node holds real numbers; this image is complex. Show its magnitude or its phase.")
    if array.dtype == bool:
        return array.astype(np.uint8)
    if array.dtype == np.int8:
        return array.astype(np.int16)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype in (np.int64, np.uint64):
        limits = np.iinfo(np.int32)
        small = array.size == 0 or (array.min() >= limits.min and array.max() <= limits.max)
        return array.astype(np.int32 if small else np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def imageFromArray(array: NDArray) -> vtk.vtkImageData:
    """A VTK image of an array (i, j, k) or (i, j, k, c): the one copy on the way into the scene."""
    components = array.shape[3] if array.ndim == 4 else 1
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[:3])
    image.AllocateScalars(vtk.util.numpy_support.get_vtk_array_type(array.dtype), components)
    voxels = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    # VTK counts i fastest and keeps the components of a voxel together.
    voxels.reshape(*array.shape[2::-1], *array.shape[3:])[...] = array.transpose(2, 1, 0, *range(3, array.ndim))
    return image
