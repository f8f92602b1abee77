"""From the images to the box of 1 mm and back: places, values, masks, parcellations."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.pvs.box import box_affine
from DeepMRILib.pvs.brainmask import BrainField
from DeepMRILib.pvs.conform import conformed_affine
from DeepMRILib.pvs.engine import BOX, Problem
from DeepMRILib.pvs.intensity import prepared
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.prepare import prepare
from DeepMRILib.pvs.resample import onto
from DeepMRILib.volume import Volume

OPTIONS = SegmentOptions()
CENTRE = np.array([7.3, -12.6, 21.4])
SPOTS = CENTRE + np.array([[0.0, 0, 0], [20.3, 5.1, -10.7], [-18.2, -15.9, 12.4], [3.3, 21.7, 17.9]])


def turned(*degrees: float) -> np.ndarray:
    """Rotations about x, y and z, one after the other."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        a, b = [i for i in range(3) if i != axis]
        step = np.eye(3)
        step[a, a] = step[b, b] = np.cos(angle)
        step[a, b], step[b, a] = -np.sin(angle), np.sin(angle)
        matrix = step @ matrix
    return matrix


def grid(directions: np.ndarray, spacing: tuple[float, ...], size: float = 104.0) -> tuple[np.ndarray, tuple[int, ...]]:
    """Affine and shape of an image of ``size`` mm around the brain's centre."""
    shape = tuple(int(np.ceil(size / edge)) for edge in spacing)
    affine = np.eye(4)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = CENTRE - affine[:3, :3] @ (np.array(shape) / 2 - 0.3)
    return affine, shape


def radii(affine: np.ndarray, shape: tuple[int, ...], centre: np.ndarray) -> np.ndarray:
    """Distance in mm of every voxel from a point."""
    ijk = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return np.linalg.norm(ijk @ affine[:3, :3].T + affine[:3, 3] - centre, axis=-1)


def ball(affine: np.ndarray, shape: tuple[int, ...], width: float = 2.5) -> tuple[Volume, Volume]:
    """A small brain, a ball of 44 mm with bright spots, and its mask."""
    brain = radii(affine, shape, CENTRE) < 44
    spots = sum(np.exp(-((radii(affine, shape, spot) / width) ** 2) / 2) for spot in SPOTS)
    return Volume((100 * brain + 300 * spots).astype(np.float32), affine), Volume(brain.astype(np.uint8), affine)


GRIDS = {
    "RAS 1 mm": (np.eye(3), (1.0, 1.0, 1.0)),
    "LPS 0.8 mm": (np.diag([-1.0, -1, 1]), (0.8, 0.8, 0.8)),
    "left-handed 1.2 mm": (np.array([[0, 0, -1.0], [0, 1, 0], [-1, 0, 0]]) @ np.diag([1, 1, -1.0]), (1.2, 1.2, 1.2)),
    "sagittal, oblique": (turned(12, -7, 9) @ np.array([[0, 0, 1.0], [-1, 0, 0], [0, -1, 0]]), (0.9, 0.9, 1.1)),
    "turned by 40 degrees": (turned(40, 20, -30), (1.0, 1.0, 1.0)),
    "slices of 5 mm": (turned(8, 0, 5) @ np.diag([-1.0, -1, 1]), (2.0, 2.0, 5.0)),
}


@pytest.mark.parametrize("name", GRIDS)
def test_spots_come_back_where_they_were(name: str) -> None:
    affine, shape = grid(*GRIDS[name])
    image, mask = ball(affine, shape, width=4.0 if "5 mm" in name else 2.5)
    ready = prepare({"t1": image}, OPTIONS, brain_mask=mask)
    probability = np.clip((ready.problem.images["t1"] - 150) / 250, 0, 1)
    for values, where in ((probability, ready.problem.affine), (ready.to_native(probability), affine)):
        parts, count = ndimage.label(values > 0.05)
        centres = np.array(ndimage.center_of_mass(values, parts, range(1, count + 1)))
        found = centres @ where[:3, :3].T + where[:3, 3]
        apart = np.linalg.norm(found[:, None] - SPOTS, axis=2)
        assert count == len(SPOTS)
        assert apart.min(axis=1).max() < 0.5
        assert sorted(apart.argmin(axis=1)) == list(range(len(SPOTS)))


@pytest.mark.parametrize("name", GRIDS)
def test_the_brain_lies_in_the_middle_of_the_box(name: str) -> None:
    affine, shape = grid(*GRIDS[name])
    image, mask = ball(affine, shape)
    ready = prepare({"t1": image}, OPTIONS, brain_mask=mask)
    box = ready.problem
    assert box.brain.shape == box.images["t1"].shape == BOX
    assert box.images["t1"].dtype == np.float32
    assert box.affine[:3, :3].T @ box.affine[:3, :3] == pytest.approx(np.eye(3), abs=1e-12)
    assert np.linalg.det(box.affine[:3, :3]) == pytest.approx(1)
    centre = ndimage.center_of_mass(box.brain)
    assert (np.array([80, 107, 88]) - centre < 1.0).all()  # the centre is rounded up
    assert (np.array([80, 107, 88]) - centre > -1e-6).all()
    assert np.array_equal(ready.brain, mask.array > 0)
    assert ready.given_brain
    assert box.brain.sum() == pytest.approx((mask.array > 0).sum() * mask.voxel_volume, rel=0.02)


@pytest.mark.parametrize(
    ("axes", "signs"),
    [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)), ((1, 0, 2), (1, 1, 1)), ((0, 2, 1), (-1, -1, 1))],
)
def test_axes_that_are_only_flipped_and_swapped_are_copied(axes: tuple[int, ...], signs: tuple[int, ...]) -> None:
    affine, shape = grid(np.diag(np.array(signs, dtype=float))[:, list(axes)], (1.0, 1.0, 1.0))
    image, mask = ball(affine, shape)
    noisy = image.like(image.array + np.random.default_rng(0).standard_normal(shape).astype(np.float32))
    ready = prepare({"t1": noisy}, OPTIONS, brain_mask=mask)
    assert np.array_equal(ready.to_native(ready.problem.images["t1"]), noisy.array)
    assert np.array_equal(ready.to_native(ready.problem.brain, order=0) != 0, mask.array != 0)


@pytest.mark.parametrize("shape", [(160, 230, 256), (181, 217, 101), (300, 320, 90)])
@pytest.mark.parametrize("name", GRIDS)
def test_the_conformed_grid_is_that_of_nibabel(name: str, shape: tuple[int, int, int]) -> None:
    nibabel = pytest.importorskip("nibabel")
    from nibabel.processing import conform

    affine, _ = grid(*GRIDS[name])
    image = nibabel.Nifti1Image(np.zeros(shape, dtype=np.uint8), affine)
    # conform itself takes seconds; its affine does not
    expected = conform(image, order=0).affine if name == "RAS 1 mm" and shape[2] == 101 else _conformed(image)
    assert conformed_affine(affine, shape) == pytest.approx(expected, abs=1e-9)


def _conformed(image) -> np.ndarray:
    """The affine of nibabel's ``conform`` without its resampling, which takes seconds."""
    import nibabel

    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(image.affine), nibabel.orientations.axcodes2ornt("RAS")
    )
    upright = image.as_reoriented(turn)
    return nibabel.affines.rescale_affine(upright.affine, upright.shape, (1, 1, 1), (256, 256, 256))


def test_the_box_goes_up_where_the_brain_would_reach_out() -> None:
    conformed = np.eye(4)
    conformed[:3, 3] = (-90, -120, -70)
    tall = np.zeros((256, 256, 256), dtype=bool)
    tall[100:140, 100:140, 20:120] = 1
    tall[118:122, 118:122, 120:200] = 1

    affine = box_affine(conformed, BrainField(tall, conformed))
    mean = np.array([axis.mean() for axis in np.nonzero(tall)])
    first = np.ceil(mean) - (80, 107, 88)
    assert first[2] + 176 <= 199
    first[2] += 199 - (first[2] + 176) + 5
    assert affine[:3, 3] - conformed[:3, 3] == pytest.approx(first)


def test_fine_tubes_keep_their_mass() -> None:
    """A tube of 0.5 mm in voxels of 0.5 mm: wherever it lies, as much of it must be left at 1 mm."""
    masses = []
    for shift in itertools.product((0, 1), repeat=2):
        fine = np.zeros((80, 80, 80), dtype=np.float32)
        fine[40 + shift[0], 40 + shift[1], 10:70] = 1
        coarse = onto(fine, np.diag([0.5, 0.5, 0.5, 1]), np.eye(4), (40, 40, 40), antialias=True)
        masses.append(coarse.sum())
    assert np.array(masses) == pytest.approx(60 * 0.5**3, rel=0.12)
    assert np.mean(masses) == pytest.approx(60 * 0.5**3, rel=0.01)
    sharp = onto(fine, np.diag([0.5, 0.5, 0.5, 1]), np.eye(4), (40, 40, 40))
    assert sharp.sum() < 0.2 * 60 * 0.5**3  # without it, a tube between the voxels is lost


def test_values_stay_in_the_range_of_the_image() -> None:
    step = np.zeros((60, 60, 60), dtype=np.int16)
    step[30:] = 1000
    target = np.eye(4)
    target[:3, :3] = turned(5, 10, 15) * 0.7
    values = onto(step, np.eye(4), target, (50, 40, 40))
    assert values.min() == 0
    assert values.max() == 1000


def test_outside_the_image_is_zero_and_its_outer_half_voxels_are_inside() -> None:
    ones = np.ones((10, 10, 10), dtype=np.float32)
    target = np.diag([0.5, 1, 1, 1.0])
    target[0, 3] = -2.0
    line = onto(ones, np.eye(4), target, (30, 1, 1), order=1).ravel()
    coordinates = -2 + 0.5 * np.arange(30)
    assert np.array_equal(line, ((coordinates >= -0.5) & (coordinates <= 9.5)).astype(np.float32))


def test_shear_is_followed_and_told() -> None:
    affine, shape = grid(np.eye(3), (1.0, 1.0, 1.0))
    affine[0, 1] = 0.03
    affine[:3, 3] = CENTRE - affine[:3, :3] @ (np.array(shape) / 2)
    image, mask = ball(affine, shape)
    ready = prepare({"t1": image}, OPTIONS, brain_mask=mask)
    assert any("right angles" in note for note in ready.notes)
    values = ready.problem.images["t1"]
    parts, count = ndimage.label(values > 250)
    found = np.array(ndimage.center_of_mass(values, parts, range(1, count + 1)))
    found = found @ ready.problem.affine[:3, :3].T + ready.problem.affine[:3, 3]
    assert np.linalg.norm(found[:, None] - SPOTS, axis=2).min(axis=1).max() < 0.3


def test_a_parcellation_on_its_own_grid() -> None:
    affine, shape = grid(np.eye(3), (1.0, 1.0, 1.0))
    image, mask = ball(affine, shape)
    other, size = grid(turned(0, 0, 90), (1.5, 1.0, 1.2))
    away = radii(other, size, CENTRE)
    labels = np.select([away < 20, away < 40, away < 43], [10, 2, 24], 0).astype(np.float32)
    ready = prepare({"t1": image}, OPTIONS, brain_mask=mask, parcellation=Volume(labels, other))
    assert ready.problem.labels.dtype == np.int32
    for found, where in ((ready.problem.labels, ready.problem.affine), (ready.labels_native, affine)):
        apart = radii(where, found.shape, CENTRE)
        assert (found[apart < 18.5] == 10).all()
        assert (found[(apart > 21.5) & (apart < 38.5)] == 2).all()
        assert (found[apart > 44.5] == 0).all()
    alone = prepare({"t1": image}, OPTIONS, parcellation=Volume(labels, other))
    assert not alone.given_brain
    apart = radii(affine, shape, CENTRE)
    assert alone.brain[apart < 38.5].all()
    assert not alone.brain[apart > 41.5].any()  # fluid around the brain, 24, is no brain
    assert any("parcellation" in note for note in alone.notes)


def test_parcellations_that_do_not_fit_are_refused() -> None:
    affine, shape = grid(np.eye(3), (1.0, 1.0, 1.0))
    image, mask = ball(affine, shape)
    half = np.where(np.arange(shape[0])[:, None, None] < 40, mask.array * 2, 0)
    half[:2] = 41
    with pytest.raises(InputError, match="covers .* of the brain; expected at least half"):
        prepare({"t1": image}, OPTIONS, brain_mask=mask, parcellation=Volume(half, affine))
    with pytest.raises(InputError, match="none of the labels"):
        prepare({"t1": image}, OPTIONS, brain_mask=mask, parcellation=Volume(mask.array, affine))
    with pytest.raises(InputError, match="fractions"):
        prepare({"t1": image}, OPTIONS, brain_mask=mask, parcellation=Volume(half * 1.5, affine))


def _problem(values: np.ndarray, brain: np.ndarray, modality: str = "t1") -> Problem:
    return Problem({modality: values.astype(np.float32)}, brain, None, np.eye(4), OPTIONS)


def test_brightness_rules() -> None:
    values = np.random.default_rng(1).uniform(-20, 400, (20, 20, 20))
    brain = np.zeros(values.shape, dtype=bool)
    brain[3:17, 3:17, 3:17] = True
    p99 = np.percentile(np.maximum(values, 0).astype(np.float32)[brain], 99)
    expected = np.clip(np.maximum(values, 0) / p99, 0, 1.3) / 1.3
    assert prepared(_problem(values, brain), "t1", "shivai_1.3") == pytest.approx(expected, abs=1e-6)
    assert prepared(_problem(values, brain), "t1", "p99_to_1") == pytest.approx(
        np.clip(np.maximum(values, 0) / p99, 0, 1), abs=1e-6
    )
    inverted = np.where(brain, 1 - expected, expected)
    assert prepared(_problem(values, brain, "t2"), "t2", "shivai_1.3") == pytest.approx(inverted, abs=1e-6)
    with pytest.raises(InputError, match="99th percentile is 0"):
        prepared(_problem(np.zeros_like(values), brain), "t1", "p99_to_1")


def test_progress_runs_to_one_and_can_stop() -> None:
    affine, shape = grid(np.eye(3), (2.0, 2.0, 2.0))
    image, mask = ball(affine, shape)
    seen: list[float] = []
    prepare({"t1": image}, OPTIONS, brain_mask=mask, progress=lambda fraction, _: seen.append(fraction))
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.0, 1.0)

    def stop(fraction: float, _: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        prepare({"t1": image}, OPTIONS, brain_mask=mask, progress=stop)


def test_quality_rows_are_whole() -> None:
    affine, shape = grid(np.eye(3), (1.0, 1.0, 1.0))
    image, mask = ball(affine, shape)
    noise = np.random.default_rng(2).standard_normal(shape).astype(np.float32)
    away = radii(affine, shape, CENTRE)
    tissue = np.select([away < 10, away < 30, away < 44], [20, 100, 70], 0)
    ready = prepare({"t1": image.like(tissue + 3 * noise)}, OPTIONS, brain_mask=mask)
    rows = {row["check"]: row for row in ready.qc}
    assert all(set(row) == {"check", "value", "unit", "verdict", "meaning"} for row in ready.qc)
    assert all(row["verdict"] in ("good", "look", "bad", "") and row["meaning"].endswith(".") for row in ready.qc)
    assert rows["brain volume"]["value"] == pytest.approx(4 / 3 * np.pi * 4.4**3, rel=0.01)
    assert rows["brain volume"]["verdict"] == "bad"
    assert rows["noise"]["value"] == pytest.approx(3.0, rel=0.15)
    assert rows["contrast to noise"]["value"] == pytest.approx(10, rel=0.2)
    assert rows["brain outside the box"]["value"] == pytest.approx(0, abs=0.1)


def test_the_users_image_stays_as_it_was() -> None:
    affine, shape = grid(np.eye(3), (0.8, 0.8, 1.0), size=130.0)
    array = np.random.default_rng(3).integers(0, 500, shape).astype(np.int16)
    image = Volume(array.copy(), affine)
    inside = radii(affine, shape, CENTRE) < 60
    ready = prepare({"t1": image}, OPTIONS, brain_mask=Volume(inside, affine))
    assert ready.to_native(ready.problem.images["t1"]).shape == shape
    assert image.array.dtype == np.int16
    np.testing.assert_array_equal(image.array, array)


def test_real_images(shared_data: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    files = [shared_data / "t1_uih_A" / name for name in ("uihA_t1_1mm_defaced", "uihA_approx_brainmask")]
    image, mask = (
        Volume(np.asanyarray(loaded.dataobj), loaded.affine)
        for loaded in (nibabel.load(path.with_suffix(".nii.gz")) for path in files)
    )
    given = prepare({"t1": image}, OPTIONS, brain_mask=mask)
    assert np.array_equal(given.to_native(given.problem.images["t1"])[given.brain], image.array[given.brain])
    found = prepare({"t1": image}, OPTIONS)
    assert any("approximate" in note for note in found.notes)
    # the mask of the data is itself only a warped template
    both = 2 * (found.brain & given.brain).sum() / (found.brain.sum() + given.brain.sum())
    assert both > 0.88
