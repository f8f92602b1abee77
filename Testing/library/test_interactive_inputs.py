"""What a segmentation is given: points, the part of the image around them, further images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.channels import stacked
from DeepMRILib.interactive.crop import Box, box_around, cropped
from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.interactive.prompts import MOST_LABELS, Prompts
from DeepMRILib.volume import Volume

LEFT_HANDED_OBLIQUE = np.array([[-0.9, 0.1, 0.2, 40], [0.1, 0.9, -0.3, -20], [-0.1, 0.2, 3.0, 5], [0, 0, 0, 1]])


def an_image(shape: tuple[int, ...] = (40, 44, 20), affine: np.ndarray = LEFT_HANDED_OBLIQUE) -> Volume:
    return Volume(np.random.default_rng(3).normal(100, 10, shape).astype(np.float32), affine)


def moved(affine: np.ndarray, by: tuple[float, ...]) -> np.ndarray:
    """The affine of the same grid elsewhere."""
    there = affine.copy()
    there[:3, 3] += by
    return there


def elsewhere() -> Volume:
    return Volume(an_image().array, moved(LEFT_HANDED_OBLIQUE, (500, 0, 0)))


def six_points(volume: Volume) -> np.ndarray:
    low, high = np.array([12, 14, 6]), np.array([26, 28, 13])
    middle = (low + high) / 2
    indices = [np.where(np.arange(3) == axis, end[axis], middle) for axis in range(3) for end in (low, high)]
    return volume.ras_from_voxel(indices)


# Points


def test_points_of_one_label_and_of_several() -> None:
    volume = an_image()
    points = six_points(volume)
    alone = Prompts.of(points.tolist(), None, volume)
    assert list(alone.positive) == ["lesion"]
    assert alone.negative.shape == (0, 3)
    several = Prompts.of({"a": points, "b": points + 0.5}, points[:2] + 3, volume)
    assert several.all_positive.shape == (12, 3)
    np.testing.assert_array_equal(several.negative, points[:2] + 3)


def test_one_place_cannot_belong_to_two() -> None:
    volume = an_image()
    points = six_points(volume)
    with pytest.raises(InputError, match="Point 2 and negative point 1 lie in the same place"):
        Prompts.of(points, points[1:2] + 0.1, volume)
    with pytest.raises(InputError, match="Point 6 of a and point 1 of b lie in the same place"):
        Prompts.of({"a": points, "b": [points[5], *(points[:5] + 2)]}, None, volume)


def test_a_single_slice_is_no_volume() -> None:
    with pytest.raises(InputError, match=r"single slice \(40 x 44 x 1 voxels\).*Give the whole volume"):
        Prompts.of(np.zeros((6, 3)), None, an_image((40, 44, 1)))


def test_negative_points_outside_the_image_say_nothing() -> None:
    volume = an_image()
    outside = volume.ras_from_voxel([[-3, 5, 5], [5, 5, 5]])
    np.testing.assert_allclose(Prompts.of(six_points(volume), outside, volume).negative, outside[1:])


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        (np.zeros((6, 2)), r"The points of lesion have shape \(6, 2\); expected \(n, 3\) in RAS mm"),
        (np.zeros(3), r"have shape \(3,\)"),
        ("six", "are no numbers"),
        (np.zeros((6, 3)) + 1j, "are no numbers"),
        ({1: np.eye(3), "1": np.eye(3)}, "Two labels have one name: 1, 1"),
        ([[1, 2, np.nan]] * 6, "Point 1 of lesion is not a finite position"),
        ([[1, 2, 3], [1, 1e308, 1e308]], "Point 2 of lesion lies kilometres away"),
        ({}, r"0 labels were given; from 1 to \d+ can be"),
        ({str(n): np.zeros((6, 3)) for n in range(MOST_LABELS + 1)}, "labels were given"),
    ],
)
def test_points_that_are_none_are_one_sentence(points: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Prompts.of(points, None, an_image())


# The part of the image


def test_the_part_keeps_its_place_and_is_a_view() -> None:
    volume = an_image()
    box = box_around(volume.voxel_from_ras(six_points(volume)), volume, SegmentOptions())
    part = cropped(volume, box)
    assert np.shares_memory(part.array, volume.array)
    index = np.array([[2.0, 3.0, 1.0]])
    np.testing.assert_allclose(part.ras_from_voxel(index), volume.ras_from_voxel(index + box.start))


def test_the_margin_is_in_mm_and_stays_in_the_image() -> None:
    volume = an_image()
    indices = volume.voxel_from_ras(six_points(volume))
    box = box_around(indices, volume, SegmentOptions(margin=9.0, margin_fraction=0.0))
    for axis, edge in enumerate(volume.spacing):
        assert (indices[:, axis].min() - box.start[axis]) * edge == pytest.approx(9.0, abs=edge)
        assert (box.stop[axis] - 1 - indices[:, axis].max()) * edge == pytest.approx(9.0, abs=edge)
    everything = box_around(indices, volume, SegmentOptions(margin=100.0))
    assert everything == Box((0, 0, 0), volume.shape)


# Images


def test_further_images_are_brought_onto_the_grid() -> None:
    volume = an_image((20, 20, 20), np.eye(4))
    x, y, z = np.meshgrid(*[np.arange(30.0)] * 3, indexing="ij")
    slope = Volume(x + 2 * y - z, moved(np.diag([0.5, 0.8, 0.9, 1.0]), (-1, -1, -1)))
    found = stacked(Volume(volume.array[2:9, 3:9, 4:9], moved(np.eye(4), (2, 3, 4))), [slope])
    place = np.array([2.0 + 3, 3.0 + 2, 4.0 + 1]) + 1
    expected = place[0] / 0.5 + 2 * place[1] / 0.8 - place[2] / 0.9
    assert found.shape == (7, 6, 5, 2)
    assert found[3, 2, 1, 1] == pytest.approx(expected, rel=1e-5)


def test_images_come_from_files_and_from_a_fourth_axis(tmp_path: Path) -> None:
    volume = an_image((10, 11, 12, 2), np.eye(4))
    files.write_volume(Volume(volume.array[..., 0], volume.affine), tmp_path / "other.nii.gz")
    found = stacked(volume, [tmp_path / "other.nii.gz"])
    assert found.shape == (10, 11, 12, 3)
    np.testing.assert_allclose(found[..., 2], found[..., 0], rtol=1e-5)


def test_what_is_not_finite_becomes_the_lowest_value() -> None:
    volume = an_image()
    volume.array[3, 4, 5] = np.nan
    found = stacked(volume, [])
    assert np.isfinite(found).all()
    assert found[3, 4, 5, 0] == found.min()
    assert np.isnan(volume.array[3, 4, 5])


@pytest.mark.parametrize(
    ("volume", "others", "sentence"),
    [
        (Volume(np.zeros((5, 5, 5))), [], "Image 1 holds only the value 0 around the points"),
        (Volume(np.full((5, 5, 5), np.nan)), [], "Image 1 holds no finite value"),
        (Volume(np.ones((5, 5, 5), np.complex64)), [], "complex numbers. Give its magnitude"),
        (an_image(), [an_image().like(an_image().array + 1j)], "The image 2 holds complex numbers. Give its magnitude"),
        (an_image(), [Volume(np.zeros((5, 5, 5, 2)))], "Image 2 has several values per voxel"),
        (an_image(), [an_image().array], "The image 2 is of the type ndarray; expected a Volume"),
        (Volume(np.full((5, 5, 5), "a")), [], "The image holds values of type <U1; expected numbers"),
        (an_image(), [elsewhere()], "Image 2 does not reach the points"),
        (an_image(), [an_image((3, 3, 3)).like(np.zeros((3, 3, 3)))], "Image 2 holds only the value 0"),
    ],
)  # fmt: skip
def test_images_that_cannot_be_used_are_one_sentence(volume: Volume, others: list, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        stacked(volume, others)
