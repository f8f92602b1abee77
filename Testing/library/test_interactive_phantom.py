"""Generated lesions: the same from the same seed, on every grid; hard where they shall be hard; a task to train on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from interactive_baseline import ellipsoid
from real_data import lesion_phantoms
from scipy import ndimage

from DeepMRILib import files
from DeepMRILib.errors import Cancelled, InputError, OutputError
from DeepMRILib.interactive.dataset import open_dataset, read_case
from DeepMRILib.interactive.dataset_check import check_dataset
from DeepMRILib.interactive.measures import dice
from DeepMRILib.interactive.phantom import LesionPhantom, PhantomOptions, hard_tier, lesion_phantom, phantom
from DeepMRILib.interactive.phantom_dataset import phantom_dataset
from DeepMRILib.interactive.phantom_fields import Grid, smooth_field
from DeepMRILib.interactive.phantom_grid import grid_affine
from DeepMRILib.interactive.phantom_kinds import KINDS
from DeepMRILib.interactive.points import check_points
from DeepMRILib.interactive.segmenting import segment

SMALL = {"size": (40, 40, 32), "spacing": (1.6, 1.6, 2.0)}


@pytest.fixture(scope="module")
def hard() -> list[LesionPhantom]:
    return list(hard_tier((0, 1, 2, 6, 7)))


def inside(made: LesionPhantom) -> np.ndarray:
    return np.asarray(made.label.array) > 0


def test_the_same_seed_gives_the_same_lesion() -> None:
    first, again, other = (lesion_phantom("hard", seed, **SMALL) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.image.array, again.image.array)
    np.testing.assert_array_equal(first.points["lesion"], again.points["lesion"])
    assert dice(first.label.array, other.label.array) < 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_lesion_with_points_inside(kind: str) -> None:
    made = lesion_phantom(kind, 1, **SMALL)
    pieces, _ = ndimage.label(inside(made))
    assert np.bincount(pieces.ravel())[1:].max() > 0.98 * inside(made).sum()
    check_points(made.points["lesion"], made.image)
    at = np.rint(made.image.voxel_from_ras(made.points["lesion"])).astype(int)
    assert inside(made)[tuple(at.T)].all()
    assert made.image.array.dtype == np.float32


@pytest.mark.parametrize("grid", ["left-handed", "oblique", "oblique left-handed", "sagittal"])
def test_the_grid_moves_the_lesion_in_the_patient_and_nothing_else(grid: str) -> None:
    straight, other = lesion_phantom("homog", 2, **SMALL), lesion_phantom("homog", 2, grid=grid, **SMALL)
    np.testing.assert_array_equal(straight.image.array, other.image.array)
    assert other.image.spacing == pytest.approx(straight.image.spacing)
    assert (np.linalg.det(other.image.affine) < 0) == grid.endswith("left-handed")
    middle = [(n - 1) / 2 for n in straight.image.shape]
    np.testing.assert_allclose(*(made.image.ras_from_voxel(middle) for made in (straight, other)))
    check_points(other.points["lesion"], other.image)


def test_the_anatomy_does_not_depend_on_the_voxels() -> None:
    fine = lesion_phantom("homog", 5, size=(60, 60, 60), spacing=(1.2, 1.2, 1.2), volume=15)
    coarse = lesion_phantom("homog", 5, size=(30, 30, 30), spacing=(2.4, 2.4, 2.4), volume=15)
    halved = inside(fine).reshape(30, 2, 30, 2, 30, 2).mean(axis=(1, 3, 5)) >= 0.5
    assert dice(halved, inside(coarse)) > 0.95


def test_fields_have_unit_spread_and_their_width() -> None:
    field = smooth_field(Grid((64, 64, 64), (2.0, 2.0, 2.0)), 8.0, np.random.default_rng(0))
    assert field.std() == pytest.approx(1.0, abs=0.1)
    assert abs(field.mean()) < 0.1

    def alike(distance: int) -> float:
        return float(np.corrcoef(field[distance:].ravel(), field[:-distance].ravel())[0, 1])

    assert alike(1) > 0.9
    assert abs(alike(20)) < 0.1


def test_thick_slices_hold_partial_volume() -> None:
    made = lesion_phantom("aniso", 0)
    assert made.image.shape == (128, 128, 28)
    assert made.image.spacing == pytest.approx((0.9, 0.9, 4.5))


def test_easy_kinds_are_like_the_stored_ones(shared_data) -> None:
    stored = {lesion.name.rpartition("_")[0]: lesion for lesion in lesion_phantoms(shared_data)}
    for kind, lesion in stored.items():
        made = lesion_phantom(kind, 0)
        truth = np.asarray(lesion.truth.array) > 0
        assert made.image.array[inside(made)].mean() == pytest.approx(lesion.image.array[truth].mean(), abs=0.5), kind
        assert made.image.array[~inside(made)].std() == pytest.approx(lesion.image.array[~truth].std(), abs=0.08), kind
        assert np.sort(made.image.spacing) == pytest.approx(np.sort(lesion.image.spacing))


def test_the_hard_tier_is_hard(hard: list[LesionPhantom]) -> None:
    scores = [dice(ellipsoid(made.points["lesion"], made.image), inside(made)) for made in hard]
    assert 0.6 < np.mean(scores) < 0.8
    volumes = [inside(made).sum() * made.label.voxel_volume / 1000 for made in hard]
    assert min(volumes) > 13
    assert max(volumes) < 58
    assert sum(made.image.spacing[2] > 4 for made in hard) == 2
    for made in hard:
        level = np.median(made.image.array[inside(made)])
        alike = np.abs(made.image.array[~inside(made)] - level) < 0.3
        assert 0.12 < alike.mean() < 0.27


def test_a_second_image_shows_what_the_first_hides() -> None:
    made = lesion_phantom("hard", 0, images=2, **SMALL)
    assert made.image.array.shape == (40, 40, 32, 2)
    np.testing.assert_array_equal(made.image.array[..., 0], lesion_phantom("hard", 0, **SMALL).image.array)
    around = ndimage.binary_dilation(inside(made), iterations=6) & ~inside(made)
    level = np.median(made.image.array[inside(made)], axis=0)
    alike = [(np.abs(made.image.array[..., c][around] - level[c]) < 0.3).mean() for c in range(2)]
    assert alike[1] != pytest.approx(alike[0], abs=0.02)


def test_two_lesions_touch_and_have_points_of_their_own() -> None:
    for seed in range(4):
        made = lesion_phantom("homog", seed, lesions=2, **SMALL)
        assert made.label.names == {1: "lesion", 2: "second lesion"}
        first, second = (made.label.array == number for number in (1, 2))
        assert (ndimage.binary_dilation(first) & second).sum() > 20
        found = segment(made.image, made.points)
        assert min(dice(found.mask.array == n, made.label.array == n) for n in (1, 2)) > 0.75


def test_impossible_phantoms_are_refused() -> None:
    with pytest.raises(InputError, match="do not fit into an image of 105 ml: at most 13.1 ml each"):
        lesion_phantom(volume=90, size=(40, 40, 41), spacing=(1, 1, 1.6))
    with pytest.raises(InputError, match="needs too much memory"):
        lesion_phantom(size=(1024, 1024, 1024))
    with pytest.raises(InputError, match="kind is 'cube'"):
        lesion_phantom("cube")


def test_the_job_gives_files_that_segment_reads(tmp_path) -> None:
    result = phantom(PhantomOptions(images=2, size=(40, 40, 32), spacing=(1.6, 1.6, 2.0)))
    folder = result.save(tmp_path / "out")
    assert {path.name for path in folder.glob("*.nii.gz")} == {"image.nii.gz", "image_2.nii.gz", "label.nii.gz"}
    assert result.points.columns["segment"] == ["lesion"] * 6
    placed = files.read_prompts(folder / "points.csv")
    check_points(placed, files.read_volume(folder / "image.nii.gz"))


def test_the_job_can_be_stopped() -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        phantom(PhantomOptions(), progress=stop)


def test_grid_affines_keep_the_spacing() -> None:
    affine = grid_affine((5, 6, 7), (0.5, 1.0, 4.0), "oblique")
    np.testing.assert_allclose(affine[:3, :3].T @ affine[:3, :3], np.diag([0.25, 1.0, 16.0]), atol=1e-9)


def test_the_task_is_a_dataset_as_interactivenet_has_it(tmp_path) -> None:
    folder = phantom_dataset(tmp_path / "Task401_Phantom", cases=4, tests=2, seed=1)
    described = json.loads((folder / "dataset.json").read_text())
    assert len(described["training"]) == 4
    assert described["training"][0]["image"] == "./imagesTr/case_000_0000.nii.gz"
    assert [entry["class"] for entry in described["training"] + described["test"]] == ["easy", "hard"] * 3
    dataset = open_dataset(folder)
    assert check_dataset(dataset) == ()
    case = read_case(dataset.cases[0])
    (placed,) = case.points.values()
    made = lesion_phantom("hetero", 1000, **SMALL)
    order = np.lexsort(made.points["lesion"].T)
    np.testing.assert_allclose(placed[np.lexsort(placed.T)], made.points["lesion"][order], atol=1e-3)


def test_the_task_has_modalities_and_labels(tmp_path) -> None:
    folder = phantom_dataset(tmp_path / "both", cases=2, images=2, lesions=2, hard=0.0)
    dataset = open_dataset(folder)
    assert len(dataset.channels) == 2
    assert dataset.labels == {1: "lesion", 2: "second lesion"}
    assert check_dataset(dataset) == ()
    assert len(read_case(dataset.cases[1]).images) == 2


def test_the_task_replaces_nothing_and_needs_cases(tmp_path) -> None:
    with pytest.raises(OutputError, match="exists"):
        phantom_dataset(tmp_path, cases=1)
    with pytest.raises(InputError, match="0 cases"):
        phantom_dataset(tmp_path / "none", cases=0)
    assert not (tmp_path / "none").exists()
