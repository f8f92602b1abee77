"""What a live segmentation is asked: how two questions are told apart, and what the worker is given."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import vtk

from DeepMRILib.interactive import SegmentOptions
from DeepMRILib.interactive.prompts import Prompts


@dataclass(frozen=True, eq=False)
class Request:
    """The points and settings of one moment.

    Attributes:
        key: equal for equal questions.
        images: the images that it is asked of, see ``imagesOf``.
    """

    key: tuple[Any, ...]
    images: tuple[Any, ...]
    _task: Any
    _parameters: Any
    _prompts: Prompts
    _options: SegmentOptions

    @classmethod
    def of(cls, task: Any, parameters: Any) -> Request:
        """What the panel asks now.

        Raises:
            InputError: points or settings with which nothing can be segmented.
        """
        prompts, options = task.prompts(parameters), task.options(parameters)
        images = imagesOf(parameters)
        key = (
            tuple((name, points.tobytes()) for name, points in prompts.positive.items()),
            prompts.negative.tobytes(),
            images,
            options,
            (parameters.model, parameters.keepOthers, parameters.refine, parameters.wantConfidence),
        )
        return cls(key, images, task, parameters, prompts, options)

    def inputs(self) -> dict[str, Any]:
        """The job's inputs."""
        return self._task.inputsOf(self._parameters, self._prompts)

    def options(self, isFull: bool) -> SegmentOptions:
        """The settings of the full or of the coarse answer."""
        return self._options if isFull else dataclasses.replace(self._options, resolution="preview")


def targetOf(parameters: Any) -> tuple[Any, ...]:
    """Which nodes and, last, which segment are worked on: with others everything begins anew."""
    first = (parameters.inputVolume, parameters.segmentation, parameters.points)
    nodes = (*first, parameters.negativePoints, *parameters.otherPoints)
    return (*(node.GetID() if node is not None else "" for node in nodes), parameters.segment)


def imagesOf(parameters: Any) -> tuple[Any, ...]:
    """The images that are looked at, as they are now: another value when voxels or their places have changed."""
    images = [node for node in (parameters.inputVolume, *parameters.channels) if node is not None]
    return tuple(imageKey(image) for image in images)


def imageKey(image: Any) -> tuple[Any, ...]:
    """An image as it is now: another value when its voxels or their places have changed; () for none."""
    return () if image is None else (image.GetID(), _voxels(image), _places(image))


def _voxels(image: Any) -> int:
    """A number that grows when an image's voxels change."""
    data = image.GetImageData()
    scalars = data.GetPointData().GetScalars() if data is not None else None
    return scalars.GetMTime() if scalars is not None else 0


def _places(image: Any) -> tuple[float, ...]:
    """Where an image's voxels lie in its own frame."""
    matrix = vtk.vtkMatrix4x4()
    image.GetIJKToRASMatrix(matrix)
    return tuple(matrix.GetElement(row, column) for row in range(3) for column in range(4))
