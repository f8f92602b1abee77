"""Affines, images and comparisons that the tests of reading and writing share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.files.directions import unit
from DeepMRILib.volume import DiffusionVolume, Volume


def rotation(rng: np.random.Generator) -> NDArray:
    """A random rotation matrix (3, 3)."""
    matrix = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return matrix if np.linalg.det(matrix) > 0 else matrix * [1, 1, -1]


def random_affine(rng: np.random.Generator) -> NDArray:
    """Oblique, anisotropic, and in half of the cases left-handed or with permuted axes."""
    matrix = rotation(rng)[:, rng.permutation(3)] * rng.choice([-1, 1], 3) * rng.uniform(0.5, 6, 3)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = matrix, rng.uniform(-200, 200, 3)
    return affine


def assert_same_world(first: Volume, second: Volume, rtol: float = 0, atol: float = 0) -> None:
    """Every voxel centre of one holds the other's value there; the arrays may be stored in another order."""
    indices = np.stack(np.meshgrid(*map(np.arange, first.shape), indexing="ij"), -1).reshape(-1, 3)
    there = second.voxel_from_ras(first.ras_from_voxel(indices))
    nearest = np.rint(there).astype(int)
    np.testing.assert_allclose(there, nearest, atol=2e-3)
    assert sorted(first.shape) == sorted(second.shape)
    np.testing.assert_allclose(
        second.array[tuple(nearest.T)].astype(complex), first.array[tuple(indices.T)], rtol=rtol, atol=atol
    )


def a_scanned_series(rng: np.random.Generator, b_values: tuple[float, ...] = (0, 50, 400, 400, 800)) -> DiffusionVolume:
    """An oblique, anisotropic series as a scanner makes it: the slice axis is the cross product of the other two."""
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = rotation(rng) * [1.5, 2.0, 4.5], rng.uniform(-90, 90, 3)
    directions = unit(rng.normal(size=(len(b_values), 3))) * (np.array(b_values) > 0)[:, None]
    array = rng.integers(0, 3000, (6, 5, 4, len(b_values))).astype(np.int16)
    return DiffusionVolume(array, affine, b_values, directions)


def assert_same_series(read: DiffusionVolume, written: DiffusionVolume, *, directions: bool = True) -> None:
    np.testing.assert_allclose(read.b_values, written.b_values, rtol=1e-6)
    if directions:
        np.testing.assert_allclose(read.directions, written.directions, atol=1e-6)
    else:
        assert read.directions is None
    for image in range(written.array.shape[3]):
        assert_same_world(written.like(written.array[..., image]), read.like(read.array[..., image]))


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter and read: pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


@contextmanager
def without_root() -> Iterator[None]:
    """File modes count in the block even where the tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
