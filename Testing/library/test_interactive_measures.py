"""Sizes and distances against direct computation, on straight, oblique and sheared grids."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from real_data import real_lesions
from scipy.spatial.distance import cdist, pdist

from DeepMRILib.interactive.measures import (
    dice,
    hausdorff,
    size_of,
    slice_planes,
    surface_distance,
    surface_distances,
    volume_error,
)
from DeepMRILib.interactive.phantom_grid import grid_affine

DIAMETERS = ("diameter_axial", "diameter_coronal", "diameter_sagittal")
SHEAR = np.array([[0.9, 0.3, 0.1, 5], [-0.2, 1.1, 0.4, -7], [0.05, -0.3, 3.0, 11], [0, 0, 0, 1.0]])
AFFINES = {
    "straight": np.diag([1.0, 1.0, 1.0, 1.0]),
    "thick left-handed": np.diag([-0.8, 0.8, 6.5, 1.0]),
    "oblique": grid_affine((9, 9, 9), (0.9, 1.2, 4.5), "oblique left-handed"),
    "sagittal": grid_affine((9, 9, 9), (0.9, 1.2, 4.5), "sagittal"),
    "sheared": SHEAR,
}


def face_middles(mask: np.ndarray, axes: list[int]) -> np.ndarray:
    """Middles of all faces of all voxels across the given axes."""
    at = np.argwhere(mask).astype(float)
    steps = [side * np.eye(3)[axis] for axis in axes for side in (-0.5, 0.5)]
    return np.concatenate([at + step for step in steps]) if len(at) else np.zeros((0, 3))


def direct_diameters(mask: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    """The longest distance over all pairs, slice by slice."""
    found = {}
    for axis, plane in enumerate(slice_planes(affine)):
        others = [other for other in range(3) if other != axis]
        longest = [0.0]
        for place in range(mask.shape[axis]):
            only = np.zeros_like(mask)
            index = tuple(place if other == axis else slice(None) for other in range(3))
            only[index] = mask[index]
            middles = face_middles(only, others) @ affine[:3, :3].T
            longest.append(pdist(middles).max() if len(middles) else 0.0)
        found[f"diameter_{plane}"] = max(longest)
    return found


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("density", [0.02, 0.3, 0.95])
def test_diameters_are_the_longest_distances_within_a_slice(affine: np.ndarray, density: float) -> None:
    rng = np.random.default_rng(int(100 * density))
    for shape in ((7, 9, 5), (1, 12, 3), (11, 1, 1), (2, 6, 14)):
        mask = rng.random(shape) < density
        expected = direct_diameters(mask, affine)
        found = size_of(mask, affine)
        assert {name: found[name] for name in DIAMETERS} == pytest.approx(expected, abs=1e-9)


def test_a_row_of_voxels_is_as_long_as_its_voxels() -> None:
    row = np.zeros((9, 5, 5), dtype=bool)
    row[1:8, 2, 2] = True
    found = size_of(row, np.diag([2.0, 0.5, 1.0, 1.0]))
    assert found == {
        "voxels": 7,
        "volume": pytest.approx(7.0),
        "volume_ml": pytest.approx(0.007),
        "diameter_axial": pytest.approx(14.0),
        "diameter_coronal": pytest.approx(14.0),
        "diameter_sagittal": pytest.approx(1.0),
    }


@pytest.mark.parametrize("radius", [15.0, 25.0])
def test_a_ball_has_its_diameter_on_every_grid(radius: float) -> None:
    for name, affine in AFFINES.items():
        reach = np.ceil(1.3 * radius / np.linalg.svd(affine[:3, :3])[1].min()).astype(int)
        grid = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1)
        ball = np.linalg.norm(grid @ affine[:3, :3].T, axis=-1) <= radius
        found = size_of(ball, affine)
        slack = max(np.linalg.norm(affine[:3, :3], axis=0))
        assert [found[key] for key in DIAMETERS] == pytest.approx([2 * radius] * 3, abs=slack), name
        assert found["volume"] == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.1), name


def test_the_planes_follow_the_anatomy_not_the_order_of_the_axes() -> None:
    flat = np.zeros((20, 20, 20), dtype=bool)
    flat[2:18, 2:18, 9] = True
    straight = size_of(flat, np.eye(4))
    assert straight["diameter_axial"] > straight["diameter_coronal"] == straight["diameter_sagittal"]
    turned = size_of(flat, grid_affine((20, 20, 20), (1, 1, 1), "sagittal"))
    assert turned["diameter_sagittal"] == straight["diameter_axial"]
    assert turned["diameter_axial"] == straight["diameter_coronal"]


def test_the_size_does_not_change_with_the_grids_name() -> None:
    mask = np.random.default_rng(0).random((9, 8, 7)) < 0.4
    spacing = (0.9, 1.3, 4.0)
    straight = size_of(mask, grid_affine(mask.shape, spacing, "straight"))
    for name in ("left-handed", "oblique", "oblique left-handed"):
        assert size_of(mask, grid_affine(mask.shape, spacing, name)) == pytest.approx(straight)


def test_an_empty_mask_has_no_size() -> None:
    assert set(size_of(np.zeros((4, 5, 6)), np.eye(4)).values()) == {0}


def test_a_large_lesion_is_measured_in_a_moment() -> None:
    grid = np.indices((80, 80, 80)) - 39.5
    ball = (grid**2).sum(axis=0) < 39.5**2
    rough = ball & (np.random.default_rng(0).random(ball.shape) < 0.5)
    for mask in (ball, rough, np.ones_like(ball)):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            size_of(mask, np.eye(4))
            times.append(time.perf_counter() - started)
        assert min(times) < 0.15  # 10 ms on an idle core


def direct_distances(a: np.ndarray, b: np.ndarray, affine: np.ndarray) -> dict[str, float]:
    surfaces = []
    for mask in (a, b):
        padded = np.pad(mask, 1)
        inner = np.logical_and.reduce([np.roll(padded, side, axis) for axis in range(3) for side in (-1, 1)])
        surfaces.append(np.argwhere((padded & ~inner)[1:-1, 1:-1, 1:-1]) @ affine[:3, :3].T)
    between = cdist(*surfaces)
    there, back = between.min(axis=1), between.min(axis=0)
    return {
        "hausdorff": max(there.max(), back.max()),
        "hausdorff_95": max(np.percentile(there, 95), np.percentile(back, 95)),
        "surface_distance": (there.sum() + back.sum()) / (len(there) + len(back)),
    }


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_surface_distances_are_those_between_all_pairs(affine: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    for density in (0.05, 0.6, 0.97):
        a, b = (rng.random((8, 9, 6)) < density for _ in range(2))
        assert surface_distances(a, b, affine) == pytest.approx(direct_distances(a, b, affine), abs=1e-9)


def test_distances_are_in_mm() -> None:
    a, b = np.zeros((2, 9, 9, 9), dtype=bool)
    a[2:4, 2:4, 2], b[2:4, 2:4, 5] = True, True
    affine = np.diag([1.0, 1.0, 4.5, 1.0])
    assert hausdorff(a, b, affine) == pytest.approx(13.5)
    assert surface_distance(a, b, affine) == pytest.approx(13.5)
    assert surface_distance(a, a, affine) == 0.0


def test_overlap_and_volume_error() -> None:
    a, b = np.zeros((2, 4, 4, 4), dtype=np.uint8)
    a[:2], b[1:4] = 3, 1
    assert dice(a, b) == pytest.approx(2 * 16 / (32 + 48))
    assert volume_error(a, b, np.diag([-1.0, 2.0, 3.0, 1.0])) == pytest.approx(-96.0)
    assert dice(a, a) == 1.0


def test_empty_masks_have_no_distance() -> None:
    empty, full = np.zeros((3, 3, 3), dtype=bool), np.ones((3, 3, 3), dtype=bool)
    assert math.isnan(dice(empty, empty))
    assert dice(empty, full) == 0.0
    assert volume_error(empty, full, np.eye(4)) == -27.0
    for pair in ((empty, full), (full, empty), (empty, empty)):
        assert all(math.isnan(value) for value in surface_distances(*pair, np.eye(4)).values())


def test_real_lesions_are_measured(shared_data) -> None:
    for lesion in real_lesions(shared_data):
        mask = np.asarray(lesion.truth.array) > 0
        low, high = np.argwhere(mask).min(axis=0), np.argwhere(mask).max(axis=0) + 1
        part = mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        found = size_of(mask, lesion.truth.affine)
        assert {name: found[name] for name in DIAMETERS} == pytest.approx(direct_diameters(part, lesion.truth.affine))
