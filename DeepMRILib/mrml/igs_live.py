"""What the slider shows: the lines of a pattern as a picture, the image that they give, and its segmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import slicer.util
from numpy.typing import NDArray

from DeepMRILib.igs.applying import check_fit
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.images import slices_of_image
from DeepMRILib.igs.joining import resized
from DeepMRILib.igs.kspace import from_kspace, to_kspace
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.scanner import with_noise, with_phase
from DeepMRILib.igs.slicing import volume_of
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import placeResult
from DeepMRILib.mrml.igs_inputs import dataInputs
from DeepMRILib.mrml.igs_pictures import inSliceOf
from DeepMRILib.mrml.igs_terms import coloursOf, termsOf
from DeepMRILib.mrml.nodes import nodeName
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import LabelVolume, Volume

MAP_ATTRIBUTE = "DeepMRI.Map"
"""Says what a node of ours shows: a second run leaves its colours and window as the user has set them."""


@dataclass(frozen=True, eq=False)
class LiveImage:
    """An image in k-space, ready to be seen through any mask.

    Attributes:
        volume: the image as it is in the scene.
        kspace: (n, 1, h, w) complex64, transformed along the encoded axes only.
        encoding: the encoded axes.
        options: how the image was cut into slices.
    """

    volume: Volume
    kspace: NDArray
    encoding: Encoding
    options: DataOptions

    @classmethod
    def of(cls, imageNode: Any, phaseNode: Any, pattern: Pattern, options: DataOptions) -> LiveImage:
        """Transform an image once, in the way it was for the search.

        Raises:
            InputError: an image that the pattern does not fit, or one that cannot be used.
        """
        dataset = datasetOf(imageNode, phaseNode, pattern, options)
        kspace = to_kspace(dataset.images.astype(np.complex64, copy=False), pattern.axes)
        return cls(volumeFromNode(imageNode), kspace, pattern.encoding, options)

    @property
    def shape(self) -> tuple[int, ...]:
        """(h, w) of a slice, or (d, h, w) of a volume."""
        return self.kspace.shape[2:]

    def through(self, masks: NDArray) -> Volume:
        """The magnitudes that a mask leaves, as an image."""
        spread = self.encoding.spread(masks.astype(np.float32), len(self.shape))
        seen = np.abs(from_kspace(self.kspace * spread, self.encoding.axes))
        return volume_of(seen.astype(np.float32, copy=False), self.volume, self.options)


def datasetOf(imageNode: Any, phaseNode: Any, pattern: Pattern, options: DataOptions) -> SliceDataset:
    """All slices of an image with k-space as it was for the search, empty ones too.

    Raises:
        InputError: an image that the pattern does not fit, or one that cannot be used.
    """
    inputs = dataInputs(imageNode, phaseNode=phaseNode)
    dataset = resized(slices_of_image(inputs["data"], options, phase=inputs["phase"]), options.size)
    check_fit(pattern, dataset.images.shape)
    dataset = with_phase(dataset, options.smooth_phase, options.seed) if options.smooth_phase else dataset
    return with_noise(dataset, options.noise, options.seed) if options.noise else dataset


def showMask(picture: NDArray, imageNode: Any, options: DataOptions, existing: Any = None) -> Any:
    """A picture of the k-space that is acquired: ``existing`` with new voxels, or a new node beside the image.

    Args:
        picture: (contrasts, h, w) or (contrasts, d, h, w), as of ``maskPicture``.
        imageNode: beside which it goes; None for a pattern that was found for a folder.
        options: how the image is cut into slices.
    """
    if picture.ndim == 4:  # a volume's k-space is a volume of its own
        affine = volumeFromNode(imageNode).affine if imageNode is not None else np.eye(4)
        volume = Volume(picture[0].transpose(2, 1, 0), affine)
    elif len(picture) > 1:
        volume = Volume(picture.transpose(2, 1, 0), np.diag([-1.0, -1.0, 1.0, 1.0]))
    else:
        volume = inSliceOf(picture[0], imageNode, options)
    node = nodeFromVolume(volume, nameBeside(imageNode, "k-space mask"), existing)
    if node.GetAttribute(MAP_ATTRIBUTE) is None:
        showMap(node, "Grey", (0.0, 1.0))
        node.GetDisplayNode().SetInterpolate(False)
        node.SetAttribute(MAP_ATTRIBUTE, "k-space mask")
    if imageNode is not None:
        placeResult(node, imageNode)
    return node


def showImage(image: LiveImage, masks: NDArray, imageNode: Any, existing: Any = None) -> Any:
    """The undersampled image: ``existing`` with new voxels, or a new node beside the image with its window."""
    node = nodeFromVolume(image.through(masks), nameBeside(imageNode, "undersampled"), existing)
    if node.GetAttribute(MAP_ATTRIBUTE) is None:
        _copyWindow(imageNode, node)
        node.SetAttribute(MAP_ATTRIBUTE, "undersampled")
    placeResult(node, imageNode)
    return node


def showReconstruction(volume: Volume, imageNode: Any, existing: Any = None) -> Any:
    """What a network makes of the undersampled image: ``existing`` with new voxels, or a new node beside the image."""
    node = nodeFromVolume(volume, nameBeside(imageNode, "reconstructed"), existing)
    if node.GetAttribute(MAP_ATTRIBUTE) is None:
        _copyWindow(imageNode, node)
        node.SetAttribute(MAP_ATTRIBUTE, "reconstructed")
    placeResult(node, imageNode)
    return node


def showSegmentation(labels: LabelVolume, names: Mapping[int, str], imageNode: Any, existing: Any = None) -> Any:
    """What a network sees in the undersampled image: its segments in ``existing``, or in a new node beside the image.

    Args:
        names: of all its labels, those that it did not find too; others by their number.
    """
    known = {label: names.get(label, labels.names.get(label, str(label))) for label in sorted({*names, *labels.names})}
    node = segmentationFromLabels(
        labels,
        known,
        coloursOf(known) if existing is None else None,
        name=nameBeside(imageNode, "IGS segmentation"),
        existing=existing,
        source=imageNode,
        terminology=termsOf(known),
    )
    placeResult(node, imageNode)
    return node


def agreement(labels: LabelVolume, truth: LabelVolume | None, names: Mapping[int, str]) -> dict[str, float]:
    """Dice of each structure that a network tells and that is known, by its name.

    Args:
        names: of all labels of the network.
    """
    if truth is None or truth.shape != labels.shape:
        return {}
    numbers = {name: label for label, name in names.items()}
    found = {}
    for label, name in truth.names.items():
        if name in numbers:
            known, seen = truth.array == label, labels.array == numbers[name]
            found[name] = 2 * float((known & seen).sum()) / max(float(known.sum() + seen.sum()), 1.0)
    return found


def pictureShape(pattern: Pattern, maskNode: Any) -> tuple[int, ...]:
    """(h, w) of the picture of k-space where there is no image: that of the earlier one, else a square."""
    size = max(pattern.shape)
    shape = [size, size]
    if maskNode is not None and maskNode.GetImageData() is not None:
        width, height, _depth = maskNode.GetImageData().GetDimensions()
        shape = [height, width]
    for axis, n in zip(pattern.axes, pattern.shape, strict=True):
        shape[max(axis, -len(shape))] = n
    return tuple(shape)


def nameBeside(imageNode: Any, what: str) -> str:
    """The name of a new node."""
    return f"{nodeName(imageNode)} {what}" if imageNode is not None else what


def _copyWindow(source: Any, target: Any) -> None:
    """Window, level and colours of the image, so that both can be compared."""
    given, display = source.GetDisplayNode(), target.GetDisplayNode()
    if given is None:
        return
    with slicer.util.NodeModify(display):
        display.SetAndObserveColorNodeID(given.GetColorNodeID())
        display.SetAutoWindowLevel(False)
        display.SetWindowLevel(given.GetWindow(), given.GetLevel())
