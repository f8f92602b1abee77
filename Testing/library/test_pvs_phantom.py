"""Generated perivascular spaces: where they lie, how they look, their truth, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.progress import Cancelled
from DeepMRILib.pvs import example
from DeepMRILib.pvs.head_labels import BASAL_GANGLIA, VENTRICLES, WHITE_MATTER
from DeepMRILib.pvs.phantom import PhantomResult, phantom
from DeepMRILib.pvs.phantom_options import PhantomOptions
from DeepMRILib.pvs.phantom_tissue import room_of_image
from DeepMRILib.volume import LabelVolume, Volume

COARSE = PhantomOptions(tubes=40, diameter=2.0, spacing=(2.4, 2.4, 2.4), snr=60.0, seed=4)


@pytest.fixture(scope="module")
def generated() -> PhantomResult:
    """T1 and FLAIR, oblique, with uneven voxels."""
    options = replace(COARSE, contrast="t1_flair", spacing=(2.1, 2.4, 2.4), oblique=True, wmh=4, lacunes=2)
    return phantom(options=options)


@pytest.fixture(scope="module")
def in_image() -> tuple[dict, PhantomResult]:
    """Tubes in an image that was given."""
    given = example.phantom_inputs()
    return given, phantom(**given, options=replace(COARSE, seed=8))


def test_the_same_seed_gives_the_same_images_and_another_seed_others(in_image):
    given, made = in_image
    again = phantom(**given, options=replace(COARSE, seed=8))
    other = phantom(**given, options=replace(COARSE, seed=9))
    assert np.array_equal(again.images["t1"].array, made.images["t1"].array)
    assert again.tubes == made.tubes
    assert not np.array_equal(other.truth.array, made.truth.array)


def test_a_generated_head_is_the_same_for_its_seed():
    options = replace(COARSE, tubes=10)
    once, again = phantom(options=options), phantom(options=options)
    assert np.array_equal(once.images["t1"].array, again.images["t1"].array)
    assert once.tubes == again.tubes


def test_truth_is_where_tubes_fill_enough_of_a_voxel(generated, in_image):
    for made in (generated, in_image[1]):
        assert np.array_equal(made.truth.array > 0, made.fraction.array >= 0.25)
        assert made.truth.same_grid(made.fraction)
    strict = phantom(**in_image[0], options=replace(COARSE, seed=8, truth=0.5))
    assert np.array_equal(strict.truth.array > 0, in_image[1].fraction.array >= 0.5)


def test_fractions_add_up_to_the_volumes_in_the_table(generated, in_image):
    for made in (generated, in_image[1]):
        total = sum(made.tubes.columns["volume"])
        assert made.fraction.array.sum() * made.fraction.voxel_volume == pytest.approx(total, rel=0.02)


def test_the_table_tells_where_each_tube_is(generated):
    columns, truth = generated.tubes.columns, generated.truth.array
    assert columns["number"] == list(range(1, len(generated.tubes) + 1))
    near = ndimage.maximum_filter(truth > 0, size=3)
    for n, voxels in enumerate(columns["voxels"]):
        assert voxels == np.count_nonzero(truth == n + 1)
        if voxels < 3:
            continue
        places = generated.truth.ras_from_voxel(np.argwhere(truth == n + 1))
        ends = np.array([[columns[f"{end}_{axis}"][n] for axis in "ras"] for end in ("start", "end")])
        away = np.linalg.norm(places[:, None] - ends, axis=2).min(axis=0)
        assert away.max() < 0.7 * columns["length"][n] + 4
        assert near[tuple(np.rint(generated.truth.voxel_from_ras(places.mean(0)[None])[0]).astype(int))]


def test_lengths_and_diameters_keep_to_the_settings(generated):
    columns = generated.tubes.columns
    assert min(columns["diameter"]) >= 0.4
    assert max(columns["diameter"]) <= 3.0
    assert 1.4 < np.median(columns["diameter"]) < 2.3
    assert min(columns["length"]) > 1.8
    assert max(columns["length"]) < 34


def test_tubes_lie_in_white_matter_and_basal_ganglia_away_from_ventricles(in_image):
    given, made = in_image
    labels = given["parcellation"].array
    inside = np.isin(labels, (*WHITE_MATTER, *BASAL_GANGLIA))
    truth = made.truth.array > 0
    assert inside[truth].mean() > 0.98
    assert not np.isin(labels[truth], VENTRICLES).any()
    away = ndimage.distance_transform_edt(~np.isin(labels, VENTRICLES), sampling=made.truth.spacing)
    assert away[truth].min() >= 2.0
    for number, region in zip(made.tubes.columns["number"], made.tubes.columns["region"], strict=True):
        mine = labels[made.truth.array == number]
        if region == "basal ganglia" and mine.size > 2:
            assert np.isin(mine, BASAL_GANGLIA).any()


def test_tubes_are_clusters_of_their_own(in_image):
    truth = in_image[1].truth.array
    _, clusters = ndimage.label(truth > 0, np.ones((3, 3, 3)))
    assert clusters >= 0.8 * len(np.unique(truth[truth > 0]))


def test_tubes_are_dark_on_t1_and_flair_and_bright_on_t2(generated):
    def of_white_matter(made: PhantomResult, name: str) -> float:
        image = made.images[name]
        index = np.argwhere(made.fraction.array > 0.6)
        assert len(index) > 3
        tube = image.voxel_from_ras(made.truth.ras_from_voxel(index)).T
        other = np.argwhere(np.isin(made.parcellation.array, (2, 41)) & (made.fraction.array == 0))
        tissue = image.voxel_from_ras(made.truth.ras_from_voxel(other)).T
        return np.median(ndimage.map_coordinates(image.array, tube, order=1)) / np.median(
            ndimage.map_coordinates(image.array, tissue, order=1)
        )

    assert of_white_matter(generated, "t1") < 0.75
    assert of_white_matter(generated, "flair") < 0.9
    assert not generated.images["flair"].same_grid(generated.images["t1"])
    assert of_white_matter(phantom(options=replace(COARSE, contrast="t2")), "t2") > 1.5


def test_an_image_changes_only_at_tubes_and_keeps_its_noise(in_image):
    given, made = in_image
    before, after = given["volume"].array, made.images["t1"].array
    white = np.median(before[np.isin(given["parcellation"].array, (2, 41))])
    change = (after - before) / white
    assert (change[made.fraction.array > 0.5] < -0.2).mean() > 0.9
    # beside a tube the scanner rings, and far from all there is nothing
    beside = ndimage.binary_dilation(made.fraction.array > 0, iterations=2)
    assert np.abs(change[~beside]).max() < 0.1
    assert np.abs(change[~ndimage.maximum_filter(beside, size=9)]).max() < 0.02
    assert (change[made.brain.array == 0] == 0).mean() > 0.9
    assert after is not before


def test_thick_tubes_have_more_contrast(generated):
    contrast, diameter = (np.array(generated.tubes.columns[name]) for name in ("contrast", "diameter"))
    assert np.corrcoef(contrast, diameter)[0, 1] > 0.6
    assert contrast.min() > 0
    assert contrast.max() < 1.2


def test_confounders_are_told_apart_from_tubes(generated):
    kinds = generated.confounders
    assert kinds.names == {1: "lacune", 2: "white matter hyperintensity"}
    assert not (generated.truth.array[kinds.array > 0] > 0).any()
    t1 = generated.images["t1"].array
    white = np.median(t1[np.isin(generated.parcellation.array, (2, 41)) & (kinds.array == 0)])
    assert np.median(t1[kinds.array == 1]) < 0.5 * white
    assert 0.6 * white < np.median(t1[kinds.array == 2]) < 0.95 * white


def test_without_confounders_there_is_no_image_of_them(in_image):
    assert in_image[1].confounders is None


def test_white_matter_is_found_by_brightness_without_a_parcellation(in_image):
    given, _ = in_image
    brain = given["brain_mask"].array > 0
    room = room_of_image(given["volume"].array.astype(np.float32), brain, given["volume"].affine, dark_fluid=True)
    # stem, cerebellum and pallidum are as bright
    true = np.isin(given["parcellation"].array, (2, 41, 7, 46, 10, 49, 13, 52, 16, 28, 60))
    assert np.count_nonzero(room.white & true) > 0.85 * np.count_nonzero(room.white)
    made = phantom(given["volume"], replace(COARSE, tubes=20), brain_mask=given["brain_mask"])
    assert made.parcellation is None
    assert set(made.tubes.columns["region"]) == {"white matter"}
    assert true[made.truth.array > 0].mean() > 0.7
    assert any("by brightness" in note for note in made.provenance.notes)


def test_motion_and_noise_change_the_image_and_not_the_truth():
    still = phantom(options=COARSE)
    moved = phantom(options=replace(COARSE, motion=4.0))
    noisy = phantom(options=replace(COARSE, snr=5.0))
    air = still.images["t1"].array[:6, :6, -6:]
    for other in (moved, noisy):
        assert np.array_equal(other.truth.array, still.truth.array)
    assert noisy.images["t1"].array[:6, :6, -6:].std() > 5 * air.std()
    inside = still.brain.array > 0
    assert np.abs(moved.images["t1"].array - still.images["t1"].array)[inside].mean() > 10


def test_size_and_spacing_of_a_generated_head_are_those_that_were_asked_for():
    made = phantom(options=replace(COARSE, size=(60, 70, 50), spacing=(2.5, 2.5, 3.0)))
    assert made.images["t1"].shape == (60, 70, 50)
    assert made.images["t1"].spacing == pytest.approx((2.5, 2.5, 3.0))
    assert made.brain.same_grid(made.images["t1"])
    assert made.parcellation.names[10] == "Left thalamus"


def test_it_is_saved_whole(in_image, tmp_path):
    folder = in_image[1].save(tmp_path / "phantom")
    names = {path.name for path in folder.iterdir()}
    assert {"t1.nii.gz", "truth.nii.gz", "fraction.nii.gz", "brain.nii.gz", "parcellation.nii.gz", "tubes.csv"} <= names


def test_too_little_room_gives_fewer_tubes_and_says_so(in_image):
    given, _ = in_image
    labels = given["parcellation"]
    some = np.zeros_like(labels.array)
    box = (slice(30, 34), slice(36, 52), slice(44, 54))
    some[box] = labels.array[box]
    some[labels.array == 16] = 16
    made = phantom(given["volume"], PhantomOptions(tubes=150, diameter=2.0), parcellation=labels.like(some))
    assert 0 < len(made.tubes) < 100
    assert any(f"There was room for {len(made.tubes)} of 150 tubes" in note for note in made.provenance.notes)


def test_it_can_be_stopped():
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        phantom(options=COARSE, progress=stop)


def test_what_cannot_be_used_is_refused_with_a_sentence(in_image):
    given, _ = in_image
    image, mask, labels = given["volume"], given["brain_mask"], given["parcellation"]
    with pytest.raises(InputError, match="without its brain"):
        phantom(image)
    with pytest.raises(InputError, match="tubes"):
        phantom(options=PhantomOptions(tubes=0))
    with pytest.raises(InputError, match="too coarse for perivascular spaces"):
        phantom(options=PhantomOptions(spacing=(3.0, 3.0, 3.0)))
    with pytest.raises(InputError, match="too coarse for perivascular spaces"):
        phantom(Volume(image.array, image.affine @ np.diag([2, 2, 2, 1])), brain_mask=mask)
    with pytest.raises(InputError, match="A FLAIR can only be made of a generated head"):
        phantom(image, PhantomOptions(contrast="t1_flair"), brain_mask=mask)
    with pytest.raises(InputError, match="without an image"):
        phantom(parcellation=labels)
    with pytest.raises(InputError, match="one brightness everywhere"):
        phantom(image.like(np.full(image.shape, 7.0)), brain_mask=mask)
    with pytest.raises(InputError, match="mask has"):
        phantom(image, brain_mask=Volume(mask.array[1:], mask.affine))
    with pytest.raises(InputError, match="empty"):
        phantom(image, brain_mask=mask.like(np.zeros(mask.shape)))
    with pytest.raises(InputError, match="There is no white matter|No tube fits"):
        phantom(image, parcellation=LabelVolume(np.where(labels.array == 16, 16, 0), labels.affine))
    with pytest.raises(InputError, match="one number for each voxel"):
        phantom(image.like(np.repeat(image.array[..., None], 2, axis=3)), brain_mask=mask)


def test_a_real_t1_gets_tubes_in_its_white_matter(shared_data):
    folder = shared_data / "seg_vxm_brain"
    t1 = nibabel.load(folder / "vxm_test_scan_t1.nii.gz")
    aseg = nibabel.load(folder / "vxm_test_scan_aseg.nii.gz")
    box = (slice(30, 130), slice(40, 130), slice(70, 160))
    affine = t1.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ [part.start for part in box]
    image = Volume(np.asarray(t1.dataobj)[box], affine)
    labels = LabelVolume(np.asarray(aseg.dataobj)[box].astype(np.int32), affine)
    made = phantom(image, PhantomOptions(tubes=60, seed=2), parcellation=labels)
    assert len(made.tubes) == 60
    inside = np.isin(labels.array, (*WHITE_MATTER, *BASAL_GANGLIA))
    truth = made.truth.array > 0
    assert inside[truth].mean() > 0.97
    assert made.images["t1"].array[truth].mean() < 0.8 * image.array[truth].mean()
    assert {"white matter", "basal ganglia"} == set(made.tubes.columns["region"])
