"""Volumes know where they are, and refuse what cannot be an image."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.volume import (
    DiffusionVolume,
    LabelVolume,
    Volume,
    checked_b_values,
    checked_labels,
    checked_mask,
    unique_names,
)

OBLIQUE = np.array([[-1.9, 0.3, 0, 80], [0.3, 1.9, 0.4, -60], [0, -0.3, 5.9, 10], [0, 0, 0, 1]], dtype=float)


def test_voxels_and_millimetres_are_inverse_on_an_oblique_left_handed_grid(rng) -> None:
    volume = Volume(np.zeros((4, 5, 6)), OBLIQUE)
    points = rng.uniform(-50, 50, (7, 3))
    assert np.linalg.det(OBLIQUE[:3, :3]) < 0
    assert np.allclose(volume.ras_from_voxel(volume.voxel_from_ras(points)), points)
    assert np.allclose(volume.ras_from_voxel([[0, 0, 0]]), OBLIQUE[:3, 3])
    assert volume.voxel_volume == pytest.approx(abs(np.linalg.det(OBLIQUE[:3, :3])))


def test_numpy_takes_a_volume_as_its_array() -> None:
    volume = Volume(np.full((2, 2, 2), 3))
    assert np.mean(volume) == 3
    assert np.asarray(volume, dtype=float).dtype == float


def test_same_grid_tolerates_rounding_of_file_formats_and_nothing_more() -> None:
    volume = Volume(np.zeros((64, 64, 30)), OBLIQUE)
    assert volume.same_grid(Volume(np.ones((64, 64, 30)), OBLIQUE.astype(np.float32)))
    moved = OBLIQUE.copy()
    moved[0, 3] += 0.1
    assert not volume.same_grid(Volume(np.ones((64, 64, 30)), moved))
    turned = OBLIQUE.copy()
    turned[:3, 0] *= -1
    assert not volume.same_grid(Volume(np.ones((64, 64, 30)), turned))
    assert not volume.same_grid(Volume(np.zeros((64, 64, 31)), OBLIQUE))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Volume(np.zeros((3, 3))), "expected 3 axes"),
        (lambda: Volume(np.zeros((3, 0, 3))), "none of them empty"),
        (lambda: Volume(np.zeros((3, 3, 3)), np.zeros((4, 4))), "invertible 4 x 4"),
        (lambda: Volume(np.zeros((3, 3, 3)), np.eye(3)), "invertible 4 x 4"),
        (lambda: DiffusionVolume(np.zeros((3, 3, 3)), np.eye(4), [0]), "this image is 3D"),
        (lambda: DiffusionVolume(np.zeros((3, 3, 3, 2)), np.eye(4), []), "b-values are missing"),
        (lambda: DiffusionVolume(np.zeros((3, 3, 3, 2)), np.eye(4), [0, 1, 2]), "3 b-values for 2 images"),
        (lambda: DiffusionVolume(np.zeros((3, 3, 3, 2)), np.eye(4), [0, -5]), "contain -5"),
        (lambda: DiffusionVolume(np.zeros((3, 3, 3, 2)), np.eye(4), [0, np.nan]), "NaN"),
        (lambda: DiffusionVolume(np.zeros((3, 3, 3, 2)), np.eye(4), ["a", "b"]), "must be numbers"),
        (lambda: DiffusionVolume(np.zeros((3, 3, 3, 2)), np.eye(4), [0, 1], np.eye(3)), r"expected \(2, 3\)"),
        (lambda: LabelVolume(np.full((2, 2, 2), 0.5)), "holds fractions"),
        (lambda: LabelVolume(np.zeros((2, 2, 2, 2), dtype=int)), "3D image of whole numbers"),
    ],
)
def test_what_cannot_be_an_image_is_refused_in_one_sentence(make, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_masks_are_checked_for_shape_place_and_content() -> None:
    volume = Volume(np.zeros((3, 4, 5)), OBLIQUE)
    assert checked_mask(None, volume).all()
    assert checked_mask(volume.like(np.ones((3, 4, 5))), volume).all()
    assert checked_mask(np.ones((3, 4, 5, 1)), volume).shape == (3, 4, 5)
    with pytest.raises(InputError, match="mask has 3 x 4 x 6 voxels and the image 3 x 4 x 5"):
        checked_mask(np.ones((3, 4, 6)), volume)
    with pytest.raises(InputError, match="lies elsewhere in space"):
        checked_mask(Volume(np.ones((3, 4, 5))), volume)
    for empty in (np.zeros((3, 4, 5)), np.full((3, 4, 5), np.nan)):
        with pytest.raises(InputError, match="mask is empty"):
            checked_mask(empty, volume)


def test_regions_of_one_name_are_told_apart() -> None:
    array = np.arange(5).reshape(1, 1, 5)
    named = {1: "kidney", 2: "kidney", 3: "kidney (2)", 4: "kidney"}
    labels = LabelVolume(array, np.eye(4), named)
    assert labels.names == {1: "kidney", 2: "kidney (3)", 3: "kidney (2)", 4: "kidney (4)"}
    assert LabelVolume(array, np.eye(4), labels.names).names == labels.names
    # A label that does not occur takes no name away; one without a name may meet its number as another's name.
    assert LabelVolume(array, np.eye(4), {3: "4", 9: "3"}).names == {1: "1", 2: "2", 3: "4", 4: "4 (2)"}
    assert unique_names({}) == {}


def test_a_wrong_count_of_b_values_says_where_they_stand() -> None:
    with pytest.raises(InputError, match=r"3 b-values for 2 images \(found in dwi\.bval\)"):
        checked_b_values([0, 1, 2], 2, "dwi.bval")


def test_labels_come_from_anything_that_holds_whole_numbers() -> None:
    volume = Volume(np.zeros((2, 2, 2)), OBLIQUE)
    for labels in (np.eye(2)[..., None].repeat(2, 2), volume.like(np.ones((2, 2, 2), np.uint8))):
        found = checked_labels(labels, volume)
        assert isinstance(found, LabelVolume)
        assert found.same_grid(volume)
    for labels, words in (
        (np.zeros((2, 2, 2)), "regions are empty"),
        (np.ones((3, 2, 2)), "region image has 3 x 2 x 2 voxels"),
        (np.full((2, 2, 2), "a"), "holds values of type"),
    ):
        with pytest.raises(InputError, match=words):
            checked_labels(labels, volume)


def test_a_masked_array_is_outside_where_it_is_masked() -> None:
    volume = Volume(np.zeros((2, 1, 1)))
    mask = np.ma.array(np.ones((2, 1, 1)), mask=[[[True]], [[False]]])
    assert checked_mask(mask, volume).ravel().tolist() == [False, True]
