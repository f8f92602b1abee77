"""Slices of volumes and back, their targets, and what does not belong together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.igs import DataOptions, SliceDataset, read_dataset
from DeepMRILib.igs.phases import phase_in_radians
from DeepMRILib.igs.slicing import even_rows, fitted, pixel_spacing, slices_of, volume_of
from DeepMRILib.volume import LabelVolume, Volume

ALL = DataOptions()
AXES = ("i", "j", "k", "volume")


def oblique(handedness: int = 1) -> np.ndarray:
    """An affine with edges of 1, 2 and 3 mm, turned by 25 degrees."""
    a = np.deg2rad(25)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([handedness * 1.0, 2.0, 3.0])
    affine[:3, 3] = [-7, 4, 12]
    return affine


@pytest.fixture(params=[1, -1], ids=["right-handed", "left-handed"])
def image(request: pytest.FixtureRequest, rng: np.random.Generator) -> Volume:
    return Volume(rng.random((7, 9, 12), dtype=np.float32) + 0.1, oblique(request.param))


@pytest.fixture
def labels(image: Volume) -> LabelVolume:
    return LabelVolume((np.asarray(image) > 0.6).astype(np.uint8), image.affine, {1: "bright"})


def test_each_axis_has_its_rows_and_columns(image: Volume) -> None:
    array = np.asarray(image)
    across_k, across_i, across_j, whole = (
        slices_of(image, DataOptions(slice_axis=axis)) for axis in ("k", "i", "j", "volume")
    )
    np.testing.assert_array_equal(across_k[:, 0], array.transpose(2, 1, 0))
    np.testing.assert_array_equal(across_i[3, 0], array[3].T)  # rows k, columns j
    np.testing.assert_array_equal(across_j[4, 0], array[:, 4].T)  # rows k, columns i
    np.testing.assert_array_equal(whole[0, 0], array.transpose(2, 1, 0))
    spacings = [pixel_spacing(image, DataOptions(slice_axis=axis)) for axis in AXES]
    for found, wanted in zip(spacings, [(3, 2), (3, 1), (2, 1), (3, 2, 1)], strict=True):
        assert found == pytest.approx(wanted)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("size", [(0, 0), (16, 15)])
def test_slices_make_the_volume_again(image: Volume, axis: str, size: tuple[int, int]) -> None:
    options = DataOptions(slice_axis=axis, size=size)
    two = Volume(np.stack([image, -np.asarray(image)], axis=3), image.affine)
    for volume in (image, two):
        back = volume_of(slices_of(volume, options), volume, options)
        np.testing.assert_array_equal(back, volume)
        assert back.same_grid(image)


@pytest.mark.parametrize("axis", AXES)
def test_label_maps_make_a_volume_again(labels: LabelVolume, axis: str) -> None:
    options = DataOptions(slice_axis=axis)
    slices = slices_of(labels, options)[:, 0]
    back = volume_of(slices, labels, options)
    assert back.array.dtype == np.uint8
    np.testing.assert_array_equal(back, labels)


def test_what_was_not_taken_or_cut_is_0_in_the_volume(image: Volume) -> None:
    options = DataOptions(slices=4, size=(5, 4))
    slices = slices_of(image, options)
    assert slices.shape == (4, 1, 5, 4)
    back = np.asarray(volume_of(slices, image, options))
    kept = np.zeros(image.shape, bool)
    kept[1:5, 2:7, even_rows(12, 4)] = True  # centres n // 2 stay: of 7 columns 1 to 4, of 9 rows 2 to 6
    np.testing.assert_array_equal(back, np.where(kept, image, 0))


def test_the_centre_of_k_space_stays_when_sizes_change() -> None:
    for old in (4, 5, 8, 9):
        for new in (3, 4, 5, 8, 9, 12):
            delta = np.zeros(old)
            delta[old // 2] = 1
            assert fitted(delta, (new,)).argmax() == new // 2


def test_slices_of_another_image_are_refused(image: Volume) -> None:
    with pytest.raises(InputError, match=r"expected \(12, 1, 9, 7\)"):
        volume_of(np.zeros((11, 1, 9, 7)), image, ALL)


def test_a_volume_with_labels_becomes_a_dataset(image: Volume, labels: LabelVolume) -> None:
    found = read_dataset(image, ALL, labels=labels)
    assert found.task == "segmentation"
    assert found.names == {1: "bright"}
    assert found.spacing == pytest.approx((2, 1))
    np.testing.assert_array_equal(found.targets, np.asarray(labels).transpose(2, 1, 0))
    assert found.is_simulated
    whole = read_dataset(image, DataOptions(slice_axis="volume"), labels=labels)
    assert whole.targets.shape == (1, 12, 9, 7)


def test_slices_without_signal_go_and_slices_without_label_stay(image: Volume, labels: LabelVolume) -> None:
    array, marked = np.array(image), np.array(labels)
    array[..., :2] = 0
    marked[..., :5] = 0
    found = read_dataset(image.like(array), ALL, labels=image.like(marked))
    assert len(found) == 10
    assert not found.targets[:3].any()
    assert "2 of 12 slices hold no signal and were left out." in found.notes
    some = read_dataset(image.like(array), DataOptions(slices=3), labels=image.like(marked))
    np.testing.assert_array_equal(some.images[:, 0], array.transpose(2, 1, 0)[[3, 7, 10]])


def test_a_file_with_contrasts_and_labels(tmp_path: Path, image: Volume, labels: LabelVolume) -> None:
    two = Volume(np.stack([image, 2 * np.asarray(image)], axis=3), image.affine)
    files.write_volume(two, tmp_path / "scan.nii.gz")
    files.write_labels(labels, tmp_path / "labels.nii.gz")
    found = read_dataset(tmp_path / "scan.nii.gz", ALL, labels=tmp_path / "labels.nii.gz")
    assert found.images.shape == (12, 2, 9, 7)
    assert found.names == {1: "bright"}
    assert set(found.cases) == {"scan.nii.gz"}


def test_an_nrrd_file(tmp_path: Path, image: Volume) -> None:
    files.write_volume(image, tmp_path / "scan.nrrd")
    np.testing.assert_allclose(read_dataset(str(tmp_path / "scan.nrrd"), ALL).images, slices_of(image, ALL))


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (lambda radians: radians, "radians"),
        (lambda radians: np.rint(radians * 4096 / np.pi), "-4096 to 4095"),
        (lambda radians: np.rint((radians + np.pi) * 2048 / np.pi), "0 to 4095"),
        (lambda radians: np.rint(radians * 2048 / np.pi), "-2048 to 2047"),
        (lambda radians: np.rint(radians * 1000), "milliradians"),
        (lambda radians: np.rint(np.rad2deg(radians)), "degrees"),
    ],
)
def test_a_phase_image_in_any_unit_makes_complex_images(image: Volume, rng: np.random.Generator, unit, words) -> None:
    radians = rng.uniform(-np.pi, np.pi, image.shape)
    radians.flat[:2] = -np.pi, np.pi - 1e-3
    found = read_dataset(image, ALL, phase=image.like(unit(radians)))
    wanted = slices_of(image.like(np.asarray(image) * np.exp(1j * radians)), ALL)
    assert np.abs(found.images - wanted).max() < 0.02
    assert any(words in note for note in found.notes)
    assert not found.is_simulated


def test_a_phase_image_in_no_unit_is_refused() -> None:
    with pytest.raises(InputError, match="goes from 0 to 700"):
        phase_in_radians(np.array([0, 700]))
    with pytest.raises(InputError, match="NaN"):
        phase_in_radians(np.array([0, np.nan]))


def test_labels_of_another_shape_or_place_are_refused(image: Volume, labels: LabelVolume) -> None:
    with pytest.raises(InputError, match="The label map has 7 x 9 x 11 voxels and the image 7 x 9 x 12"):
        read_dataset(image, ALL, labels=labels.like(np.asarray(labels)[..., :-1]))
    moved = labels.affine.copy()
    moved[0, 3] += 2
    with pytest.raises(InputError, match="The label map has as many voxels as the image but lies elsewhere"):
        read_dataset(image, ALL, labels=LabelVolume(labels.array, moved))


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        (np.zeros((7, 9, 12)), "one class only"),
        (np.full((7, 9, 12), 0.5), "fractions"),
        (np.arange(7 * 9 * 12).reshape(7, 9, 12), "from 1 to 755"),
        (-np.ones((7, 9, 12), int), "from -1 to -1"),
        (np.zeros((7, 9, 12, 2)), "2 layers"),
        (np.zeros((7, 9, 12), complex), "complex"),
    ],
)
def test_label_maps_that_cannot_be_used_are_refused(image: Volume, marked: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_dataset(image, ALL, labels=image.like(marked))


def test_a_mask_of_255_is_one_of_1(image: Volume, labels: LabelVolume) -> None:
    found = read_dataset(image, ALL, labels=image.like(np.asarray(labels) * 255))
    assert set(np.unique(found.targets)) == {0, 1}
    assert "The label 255 is taken as 1." in found.notes


def test_images_that_cannot_be_used_are_refused(tmp_path: Path, image: Volume) -> None:
    array = np.array(image)
    with pytest.raises(InputError, match="no values below 0"):
        read_dataset(image.like(array - 0.5), ALL)
    with pytest.raises(InputError, match="0 everywhere"):
        read_dataset(image.like(array * 0), ALL)
    with pytest.raises(InputError, match="complex and has a phase of its own"):
        read_dataset(image.like(array + 0j), ALL, phase=image.like(array))
    with pytest.raises(InputError, match="complex and have a phase of their own"):
        read_dataset(image.like(array + 0j), DataOptions(smooth_phase=1.0))
    array[0, 0, 0] = np.nan
    files.write_volume(image.like(array), tmp_path / "holes.nii.gz")
    with pytest.raises(InputError, match="holes.nii.gz: The images hold NaN"):
        read_dataset(tmp_path / "holes.nii.gz", ALL)
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4, 2, 2), np.float32), np.eye(4)), tmp_path / "five.nii.gz")
    with pytest.raises(InputError, match="five.nii.gz has 5 axes"):
        read_dataset(tmp_path / "five.nii.gz", ALL)
    with pytest.raises(InputError, match="There is nothing at .*absent.nii.gz"):
        read_dataset(tmp_path / "absent.nii.gz", ALL)
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(InputError, match="notes.txt is of no kind"):
        read_dataset(tmp_path / "notes.txt", ALL)
    with pytest.raises(InputError, match="not ndarray"):
        read_dataset(array, ALL)


def test_ringing_below_0_is_cut_off(image: Volume) -> None:
    array = np.array(image)
    array[0, 0, :] = -0.01
    found = read_dataset(image.like(array), ALL)
    assert found.images.min() == 0
    assert any("Small negative" in note for note in found.notes)


def test_slices_as_they_are_pass_through(image: Volume) -> None:
    given = SliceDataset(slices_of(image, ALL), np.arange(12) % 2)
    assert read_dataset(given, ALL) is given
    with pytest.raises(InputError, match="Give labels with an image only"):
        read_dataset(given, ALL, labels=image)
    fewer = read_dataset(given, DataOptions(slices=4, size=(16, 16), part="train"))
    assert fewer.images.shape == (4, 1, 16, 16)
    assert fewer.targets.shape == (4,)


def test_reading_can_be_cancelled(image: Volume) -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_dataset(image, ALL, progress=stop)


def test_real_t1_slices_with_a_brain_mask(shared_data: Path) -> None:
    folder = shared_data / "t1_uih_A"
    options = DataOptions(slices=12, size=(256, 192), part="select")
    mask = folder / "uihA_approx_brainmask.nii.gz"
    found = read_dataset(folder / "uihA_t1_1mm_defaced.nii.gz", options, labels=mask)
    assert found.images.shape == (12, 1, 256, 192)
    assert found.task == "segmentation"
    assert 0.02 < found.targets.mean() < 0.5
    inside = found.images[:, 0][found.targets == 1].mean()
    assert inside > 2 * found.images[:, 0][found.targets == 0].mean()
    other = read_dataset(folder / "uihA_t1_1mm_defaced.nii.gz", replace(options, part="test"), labels=mask)
    assert not {one.tobytes() for one in found.images} & {one.tobytes() for one in other.images}
