"""The generated head: an anatomy that holds together, the same on every grid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.head import Head, generated_head
from DeepMRILib.pvs.head_labels import BRIGHTNESS, LABELS, NAMES, OUTSIDE, VENTRICLES
from DeepMRILib.volume import Volume

SPACING = 2.0


@pytest.fixture(scope="module")
def a_head() -> Head:
    return generated_head(5, spacing=SPACING)


def millilitres(head: Head, *names: str) -> float:
    numbers = [number for name in names for number in LABELS[name]]
    return float(np.isin(head.labels, numbers).sum() * SPACING**3 / 1000)


def test_the_same_seed_gives_the_same_head_and_another_seed_another_one(a_head):
    again, other = generated_head(5, spacing=SPACING), generated_head(6, spacing=SPACING)
    assert np.array_equal(again.labels, a_head.labels)
    assert np.mean(other.labels != a_head.labels) > 0.05


def test_the_head_is_the_same_on_a_coarser_grid(a_head):
    coarse = generated_head(5, spacing=4.0)
    inner = np.argwhere(np.ones(coarse.labels.shape, bool))
    places = Volume(coarse.labels, coarse.affine).ras_from_voxel(inner)
    index = np.rint(Volume(a_head.labels, a_head.affine).voxel_from_ras(places) - 1e-6).astype(int)
    inside = ((index >= 0) & (index < a_head.labels.shape)).all(axis=1)
    fine = a_head.labels[tuple(index[inside].T)]
    assert np.mean(fine == coarse.labels[tuple(inner[inside].T)]) > 0.8


def test_parts_have_the_volumes_of_an_adult_s(a_head):
    assert 380 < millilitres(a_head, "cerebral white matter") < 750
    assert 350 < millilitres(a_head, "cerebral cortex", "insula") < 700
    assert 8 < millilitres(a_head, "lateral ventricle") < 60
    assert 80 < millilitres(a_head, "cerebellum cortex", "cerebellum white matter") < 200
    for name, low, high in (("thalamus", 5, 20), ("putamen", 5, 16), ("caudate", 3, 12), ("hippocampus", 3, 11)):
        assert low < millilitres(a_head, name) < high, name
    assert 1000 < a_head.brain.array.sum() * SPACING**3 / 1000 < 1800


def test_every_part_has_a_name_a_brightness_and_a_place(a_head):
    assert set(np.unique(a_head.labels)) - {0} == set(NAMES)
    assert set(BRIGHTNESS) == set(LABELS)


def test_left_is_left(a_head):
    grid = Volume(a_head.labels, a_head.affine)
    for name in ("cerebral white matter", "putamen", "lateral ventricle", "insula"):
        left, right = (
            grid.ras_from_voxel(np.argwhere(a_head.labels == number))[:, 0].mean() for number in LABELS[name]
        )
        assert left < -5, name
        assert right > 5, name
        assert NAMES[LABELS[name][0]].startswith("Left")


def test_brain_and_parcellation_end_at_the_skull(a_head):
    brain, parcels = a_head.brain.array > 0, a_head.parcellation
    assert not np.isin(a_head.labels[brain], OUTSIDE).any()
    assert not np.isin(parcels.array, OUTSIDE).any()
    assert brain[np.isin(a_head.labels, VENTRICLES)].all()
    assert parcels.names[2] == "Left cerebral white matter"


def test_grey_matter_lies_between_white_matter_and_the_fluid_of_the_folds(a_head):
    white = np.isin(a_head.labels, LABELS["cerebral white matter"])
    beside_fluid = ndimage.binary_dilation(a_head.labels == LABELS["CSF"][0])
    assert np.mean(beside_fluid[white]) < 0.03
    # folds: far more of the cortex lies at fluid than the smooth hull has surface
    cortex = np.isin(a_head.labels, LABELS["cerebral cortex"])
    hull = a_head.brain.array > 0
    rim = hull & ~ndimage.binary_erosion(hull)
    assert np.count_nonzero(cortex & beside_fluid) > 1.3 * np.count_nonzero(rim)


def test_a_small_shape_is_the_middle_of_the_head(a_head):
    small = generated_head(5, shape=(20, 24, 22), spacing=SPACING)
    start = [(whole - part) // 2 for whole, part in zip(a_head.labels.shape, small.labels.shape, strict=True)]
    middle = a_head.labels[tuple(slice(s, s + n) for s, n in zip(start, small.labels.shape, strict=True))]
    assert np.mean(middle == small.labels) > 0.9


@pytest.mark.parametrize("spacing", [0.1, 9.0, float("nan")])
def test_voxels_that_cannot_show_a_head_are_refused(spacing):
    with pytest.raises(InputError, match="A head is drawn with voxels of 0.4 to 6 mm"):
        generated_head(spacing=spacing)


@pytest.mark.parametrize("shape", [(0, 10, 10), (5000, 5000, 5000)])
def test_a_size_that_cannot_be_drawn_is_refused(shape):
    with pytest.raises(InputError, match="cannot be drawn"):
        generated_head(shape=shape)
