"""A FLAIR brought onto the T1 of the same head."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.errors import InputError, require
from DeepMRILib.pvs.resample import onto
from DeepMRILib.volume import Volume

LEAST_FIT = 0.15
"""Agreement of edges below this is another head or a failed registration: see ``edge_agreement``."""
_BINS, _SAMPLES = 48, 60_000
_LEVELS = ((4, 4.0), (2, 2.0), (1, 1.0))
"""Shrink factor and smoothing in mm, coarse to fine."""
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
_FRAME = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


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
    """The rigid movement that brings a FLAIR onto a T1: the most mutual information (Mattes, IEEE TMI 2003;22:120).

    Coarse to fine, from two starts: both images' centres of mass on each other, and the positions in the files.

    Args:
        fixed: the T1 in the box.
        moving: the FLAIR as it was given.
        brain: bool, on the grid of the T1.
        seed: of the voxels that are compared.
    """
    sitk = require("SimpleITK", "Registering a FLAIR")
    near = ndimage.binary_dilation(brain[::2, ::2, ::2], iterations=5).astype(np.uint8)
    mask = _image(sitk, Volume(np.kron(near, np.ones((2, 2, 2), np.uint8)), fixed.affine))
    target, source = _image(sitk, _within_range(fixed)), _image(sitk, _within_range(_at_1mm(moving)))
    pair = (target, source, mask)
    initial = sitk.CenteredTransformInitializerFilter.MOMENTS
    by_mass = sitk.CenteredTransformInitializer(target, source, sitk.Euler3DTransform(), initial)
    as_filed = sitk.Euler3DTransform()
    as_filed.SetCenter(by_mass.GetCenter())
    coarse = [_optimised(sitk, pair, start, _LEVELS[:1], seed) for start in (by_mass, as_filed)]
    best = min(coarse, key=lambda found: found[1])[0]
    final = _optimised(sitk, pair, best, _LEVELS[1:], seed)[0]
    return _rigid(np.array([final.TransformPoint(point) for point in _FRAME]), fixed, brain)


def _optimised(
    sitk: ModuleType, pair: tuple[Any, Any, Any], start: Any, levels: tuple[tuple[int, float], ...], seed: int
) -> tuple[Any, float]:
    """The transform and its cost (minus the mutual information), of two images and the first's mask."""
    target, source, mask = pair
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricFixedMask(mask)
    method.SetMetricSamplingStrategy(method.RANDOM)
    shares = [min(1.0, _SAMPLES * shrink**3 / target.GetNumberOfPixels()) for shrink, _ in levels]
    method.SetMetricSamplingPercentagePerLevel(shares, seed + 1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-3, 150, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([shrink for shrink, _ in levels])
    method.SetSmoothingSigmasPerLevel([sigma for _, sigma in levels])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    moving = sitk.Euler3DTransform(start)
    method.SetInitialTransform(moving, inPlace=True)
    try:
        method.Execute(target, source)
    except RuntimeError:  # images that do not overlap: the worst of starts
        return moving, 0.0
    return moving, float(method.GetMetricValue())


def edge_agreement(fixed: NDArray, moving: NDArray, brain: NDArray) -> float:
    """How well the edges of two images of the box lie on each other, 0 by chance to 1.

    The normalised gradient fields' agreement (Haber and Modersitzki, MICCAI 2006), the mean of cos^2 of the angle
    between the gradients, weighted by their strengths, over the voxels of the brain; its value by chance, 1/3, is set
    to 0. It does not ask which tissue is the brighter one.

    Args:
        fixed: (i, j, k) of the T1.
        moving: (i, j, k) of the FLAIR.
        brain: bool (i, j, k).
    """
    where = ndimage.find_objects(brain.view(np.uint8))[0]
    inner = ndimage.binary_erosion(brain[where], iterations=3)
    first, second = (_gradient(image[where], inner) for image in (fixed, moving))
    strengths = [np.linalg.norm(gradient, axis=0) for gradient in (first, second)]
    weight = strengths[0] * strengths[1]
    if not weight.sum():
        return 0.0
    cosine = (first * second).sum(axis=0) / np.maximum(weight, 1e-12)
    return float(max(0.0, (float((weight * cosine**2).sum() / weight.sum()) - 1 / 3) * 1.5))


def check_fit(fixed: NDArray, moving: NDArray, brain: NDArray, registered: bool) -> float:
    """The agreement of a FLAIR with a T1 in the box.

    Raises:
        InputError: the FLAIR shows another head, lies elsewhere, or its registration failed.
    """
    seen = float((moving[brain] != 0).mean()) if brain.any() else 0.0
    fit = edge_agreement(fixed, moving, brain)
    if fit >= LEAST_FIT and seen >= 0.5:
        return fit
    what = "could not be brought onto the T1" if registered else "does not lie on the T1"
    help_ = "" if registered else ", or let it be registered"
    raise InputError(
        f"The FLAIR {what}: their edges agree by {fit:.2f} (expected at least {LEAST_FIT:g}) and it shows "
        f"{100 * seen:.0f} % of the brain. Check that both are of the same head{help_}; a T1 alone works too."
    )


def _gradient(image: NDArray, inside: NDArray) -> NDArray:
    """Gradients (3, n) inside a mask, of a slightly blurred image; the strongest are cut: vessels say little."""
    blurred = ndimage.gaussian_filter(image, 1.5)
    gradient = np.stack([part[inside] for part in np.gradient(blurred)])
    strength = np.linalg.norm(gradient, axis=0)
    limit = np.percentile(strength, 80) if strength.size else 0.0
    return gradient * np.minimum(1.0, limit / np.maximum(strength, 1e-12))


def _rigid(frame: NDArray, fixed: Volume, brain: NDArray) -> Rigid:
    lps = np.eye(4)
    lps[:3, 3] = frame[0]
    lps[:3, :3] = (frame[1:] - frame[0]).T
    matrix = _FLIP @ lps @ _FLIP
    r = matrix[:3, :3]
    angles = (np.arctan2(r[2, 1], r[2, 2]), np.arcsin(np.clip(-r[2, 0], -1, 1)), np.arctan2(r[1, 0], r[0, 0]))
    centre = np.append(fixed.ras_from_voxel(np.argwhere(brain).mean(axis=0))[0], 1.0)
    moved = np.linalg.norm((matrix @ centre - centre)[:3])
    return Rigid(matrix, float(np.abs(np.degrees(angles)).sum()), float(moved))


def _at_1mm(volume: Volume) -> Volume:
    """The image with axes at right angles and voxels of 1 mm or more: no more of a fine one is needed."""
    step = np.maximum(1.0, 1.0 / np.array(volume.spacing))
    shape = tuple(int(n) for n in np.maximum(1, np.floor(np.array(volume.shape) / step)))
    affine = volume.affine.copy()
    affine[:3, :3] *= step
    affine[:3, 3] += volume.affine[:3, :3] @ ((step - 1) / 2)
    return Volume(onto(volume.array, volume.affine, affine, shape, order=1, antialias=True), affine)


def _within_range(volume: Volume) -> Volume:
    """The image with its darkest and brightest 0.5 % cut: the histogram's bins are for what is between."""
    low, high = np.percentile(volume.array, (0.5, 99.5))
    return Volume(np.clip(volume.array, low, high), volume.affine)


def _image(sitk: ModuleType, volume: Volume) -> Any:
    kind = np.uint8 if volume.array.dtype == np.uint8 else np.float32
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array.astype(kind, copy=False).transpose(2, 1, 0)))
    lps = _FLIP @ volume.affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    left, _, right = np.linalg.svd(lps[:3, :3] / spacing)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((left @ right).ravel().tolist())
    return image
