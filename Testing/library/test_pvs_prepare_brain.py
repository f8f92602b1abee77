"""The approximate brain mask, on whole heads whose brain is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pvs_prepare_heads import dice, label_map, rendered, true_brain
from scipy import ndimage

from DeepMRILib.pvs.brainmask import approximate_brain
from DeepMRILib.volume import Volume


@pytest.fixture(scope="module")
def labels(request: pytest.FixtureRequest) -> Volume:
    return label_map(request.getfixturevalue("shared_data"))


@pytest.fixture(scope="module")
def brain(labels: Volume) -> np.ndarray:
    return true_brain(labels)


@pytest.mark.parametrize(("contrast", "seed", "bar"), [("t1", 11, 0.93), ("t2", 12, 0.92)])
def test_the_brain_of_a_whole_head(
    shared_data: Path, labels: Volume, brain: np.ndarray, contrast: str, seed: int, bar: float
) -> None:
    head = rendered(labels, contrast, seed)
    found = approximate_brain(head, fluid_bright=contrast == "t2").on(head.affine, head.shape)
    assert dice(found, brain) > bar
    # some of the eye sockets lies against the brain; none of the scalp may be inside
    sockets, skin = labels.array == 507, labels.array == 511
    assert (found & sockets).sum() < 0.06 * found.sum()
    assert (found & skin).sum() < 0.002 * found.sum()


def test_thick_slices_and_any_scale(shared_data: Path, labels: Volume, brain: np.ndarray) -> None:
    head = rendered(labels, "t1", 13)
    # slices along the second axis of the file, from top to bottom
    thick = head.array.reshape(256, 64, 4, 256).mean(axis=2)[::2, :, ::2]
    affine = head.affine @ np.diag([2.0, 4.0, 2.0, 1.0])
    affine[:3, 3] += head.affine[:3, 1] * 1.5
    found = approximate_brain(Volume(thick - thick.mean(), affine)).on(affine, thick.shape)
    assert dice(found, brain[::2, 1::4, ::2]) > 0.9


def test_of_a_brain_without_skull_all_that_is_not_zero() -> None:
    shape = (90, 110, 90)
    away = np.linalg.norm((np.moveaxis(np.indices(shape), 0, -1) - 45) / np.array([34, 42, 33]), axis=-1)
    brain = away < 1
    values = np.where(brain, 80 + np.random.default_rng(0).standard_normal(shape), 0)
    values[(away < 0.2) & brain] = 0  # ventricles
    speck = values.copy()
    speck[2:5, 2:5, 2:5] = 50
    volume = Volume(speck.astype(np.float32), np.diag([-2.0, -2, 2, 1]))
    found = approximate_brain(volume).on(volume.affine, shape)
    assert dice(found, ndimage.binary_fill_holes(brain)) > 0.98
    assert not found[2:5, 2:5, 2:5].any()
