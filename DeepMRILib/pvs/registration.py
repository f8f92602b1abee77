"""A FLAIR brought onto the T1 of the same head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import require
from DeepMRILib.pvs.resample import onto
from DeepMRILib.volume import Volume


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rigid movement.

    Attributes:
        matrix: (4, 4), RAS mm of the T1 to RAS mm of the FLAIR.
        rotation: sum of the absolute Euler angles in degrees.
        translation: length in mm of the movement of the centre of the brain.
    """

    matrix: NDArray
    rotation: float
    translation: float


def register(fixed: Volume, moving: Volume, brain: NDArray, seed: int = 0) -> Rigid:
    """The rigid movement that brings a FLAIR onto a T1, by mutual information.

    Args:
        fixed: the T1 in the box.
        moving: the FLAIR as it was given.
        brain: bool, on the grid of the T1.
        seed: of the samples that are drawn.
    """
    sitk = require("SimpleITK", "Registering a FLAIR")
    target, source = _image(sitk, fixed), _image(sitk, _at_1mm(moving))
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(64)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1, seed + 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 200, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([4.0, 2.0, 0.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    start = sitk.CenteredTransformInitializer(
        target, source, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.MOMENTS
    )
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(target, source)
    return _rigid(np.array([found.TransformPoint(point) for point in _FRAME]), fixed, brain)


_FRAME = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def _rigid(frame: NDArray, fixed: Volume, brain: NDArray) -> Rigid:
    lps = np.eye(4)
    lps[:3, 3] = frame[0]
    lps[:3, :3] = (frame[1:] - frame[0]).T
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    matrix = flip @ lps @ flip
    r = matrix[:3, :3]
    angles = np.degrees(
        [np.arctan2(r[2, 1], r[2, 2]), np.arcsin(np.clip(-r[2, 0], -1, 1)), np.arctan2(r[1, 0], r[0, 0])]
    )
    centre = np.append(fixed.ras_from_voxel(np.argwhere(brain).mean(axis=0))[0], 1.0)
    return Rigid(matrix, float(np.abs(angles).sum()), float(np.linalg.norm((matrix @ centre - centre)[:3])))


def _at_1mm(volume: Volume) -> Volume:
    """The image at about 1 mm at least: no more of a fine one is needed."""
    spacing = np.array(volume.spacing)
    step = np.maximum(1.0, 1.0 / spacing)
    shape = tuple(int(n) for n in np.maximum(1, np.floor(np.array(volume.shape) / step)))
    affine = volume.affine.copy()
    affine[:3, :3] *= step
    affine[:3, 3] += volume.affine[:3, :3] @ ((step - 1) / 2)
    return Volume(onto(volume.array, volume.affine, affine, shape, order=1, antialias=True), affine)


def _image(sitk: object, volume: Volume) -> object:
    array = np.ascontiguousarray(volume.array.astype(np.float32).transpose(2, 1, 0))
    image = sitk.GetImageFromArray(array)
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image
