"""Points: what is refused and how, the sides they mark whatever their order, hints, and points made from a mask."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from real_data import lesion_phantoms, real_lesions

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.files import read_prompts
from DeepMRILib.interactive.example import points_inputs, segment_inputs
from DeepMRILib.interactive.phantom_grid import grid_affine
from DeepMRILib.interactive.points import (
    SIDES,
    check_points,
    coincident,
    hints,
    missing_sides,
    points_table,
    side_names,
)
from DeepMRILib.interactive.points_job import PointsOptions, points
from DeepMRILib.interactive.synthetic import anatomical_axes, displaced, synthetic_negative_points, synthetic_points
from DeepMRILib.volume import LabelVolume, Volume

GRIDS = ("straight", "left-handed", "oblique", "oblique left-handed", "sagittal")
OUTWARD = np.array([[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1.0]])
GOOD = 15 + 10 * OUTWARD


def image(shape: tuple[int, ...] = (31, 31, 31)) -> Volume:
    return Volume(np.zeros(shape, dtype=np.float32))


def box(shape: tuple[int, int, int], affine: np.ndarray | None = None) -> Volume:
    array = np.zeros((24, 24, 24), dtype=np.uint8)
    array[tuple(slice(4, 4 + n) for n in shape)] = 1
    return Volume(array, np.eye(4) if affine is None else affine)


def values_at(mask: Volume, placed: np.ndarray) -> np.ndarray:
    return np.asarray(mask.array)[tuple(np.rint(mask.voxel_from_ras(placed)).astype(int).T)]


def test_good_points_pass() -> None:
    check_points(GOOD, image())
    check_points(GOOD, image((31, 31, 31, 2)))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_fewer_than_six_are_refused(count: int) -> None:
    with pytest.raises(
        InputError, match=f"{('No points', '1 point')[count] if count < 2 else '5 points'} of cyst given; expected at"
    ):
        check_points(GOOD[:count], image(), name="cyst")


@pytest.mark.parametrize(("place", "distance"), [(-4.0, "3.5 mm"), (34.0, "3.5 mm"), (-100.0, "100 mm")])
def test_a_point_outside_is_named_with_its_side_and_its_distance(place: float, distance: str) -> None:
    given = GOOD.copy()
    given[2, 1] = place
    side = "posterior" if place < 0 else "anterior"
    with pytest.raises(InputError, match=rf"^Point 3 \({side}\) lies outside the image, {distance} beyond its edge\."):
        check_points(given, image())


def test_the_distance_outside_is_in_mm_on_any_grid() -> None:
    affine = grid_affine((31, 31, 31), (0.5, 0.5, 4.0), "oblique left-handed")
    volume = Volume(np.zeros((31, 31, 31)), affine)
    given = volume.ras_from_voxel(GOOD)
    given[5] = volume.ras_from_voxel([[15, 15, 33]])[0]
    with pytest.raises(InputError, match=r"Point 6 \(superior\) lies outside the image, 10 mm beyond"):
        check_points(given, volume)


def test_the_outer_half_of_the_outermost_voxels_is_inside() -> None:
    given = GOOD.copy()
    given[0, 0], given[1, 0] = -0.49, 30.49
    check_points(given, image())
    given[0, 0] = -0.51
    with pytest.raises(InputError, match="0.1 mm beyond"):
        check_points(given, image())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_point_without_a_value_is_refused(value: float) -> None:
    array = np.zeros((31, 31, 31, 2))
    array[5, 15, 15, 1] = value
    with pytest.raises(InputError, match=r"Point 1 \(left\) of liver lies where the image has no finite value"):
        check_points(GOOD, Volume(array), name="liver")
    array[5, 15, 15, 1], array[0, 0, 0, 0] = 0, value
    check_points(GOOD, Volume(array))


def test_two_points_in_one_place_are_both_named() -> None:
    given = np.r_[GOOD, GOOD[3:4] + 0.1]
    with pytest.raises(InputError, match=r"Point 4 \(\w+\) and point 7 \(\w+\) lie in the same place, 0.2 mm apart"):
        check_points(given, image())


def test_points_a_voxel_apart_are_two_places() -> None:
    check_points(np.concatenate([GOOD, GOOD[3:4] + 0.6]), image())


@pytest.mark.parametrize("grid", GRIDS)
def test_points_in_one_plane_or_line_are_refused(grid: str) -> None:
    volume = Volume(np.zeros((31, 31, 31)), grid_affine((31, 31, 31), (1, 1, 3), grid))
    flat = GOOD.copy()
    flat[4:, 2] = 15
    flat[4:, 0] += [3, -3]
    with pytest.raises(InputError, match="All 6 points lie in one plane. Spread them over the three axes"):
        check_points(volume.ras_from_voxel(flat), volume)
    line = 15 + np.linspace(-10, 10, 6)[:, None] * np.ones(3)
    with pytest.raises(InputError, match="lie in one line"):
        check_points(volume.ras_from_voxel(line), volume)
    flat[4:, 2] += [1, 0]  # in two slices
    check_points(volume.ras_from_voxel(flat), volume)


def test_the_size_of_the_image_does_not_matter(tmp_path) -> None:
    array = np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.float32, (512, 512, 300))
    started = time.perf_counter()
    check_points(GOOD, Volume(array))
    hints(GOOD, Volume(array))
    assert time.perf_counter() - started < 0.1


def test_every_order_of_six_points_gets_the_same_names() -> None:
    uneven = GOOD + np.random.default_rng(1).uniform(-4, 4, GOOD.shape)
    for order in itertools.permutations(range(6)):
        assert side_names(uneven[list(order)]) == [SIDES[n] for n in order]


def test_each_side_is_named_once_and_inner_points_are_extra() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        names = side_names(rng.normal(size=(9, 3)) * [30, 3, 10])
        assert sorted(names) == sorted([*SIDES, "extra", "extra", "extra"])
    assert side_names(np.r_[15 + 2 * OUTWARD[:2], GOOD])[:2] == ["extra", "extra"]


def test_the_sides_of_stored_points_are_found(shared_data) -> None:
    # they are stored from below to above, from back to front, from left to right
    for lesion in lesion_phantoms(shared_data):
        assert side_names(lesion.points) == ["inferior", "superior", "posterior", "anterior", "left", "right"]


def test_what_is_still_to_be_placed() -> None:
    assert missing_sides(np.zeros((0, 3))) == list(SIDES)
    assert missing_sides(GOOD[[0, 1, 3]] - 15) == ["posterior", "inferior", "superior"]
    assert len(missing_sides(GOOD[:1])) == 5
    assert missing_sides(GOOD) == []


def test_good_points_need_no_hint() -> None:
    assert hints(GOOD, image()) == []
    assert hints(np.zeros((0, 3)), image()) == []


def test_hints_name_the_points_that_they_are_about() -> None:
    given = GOOD.copy()
    given[4, 2] = -20
    assert [(hint.kind, hint.points) for hint in hints(given, image())] == [("outside", (4,))]
    array = np.zeros((31, 31, 31))
    array[5, 15, 15] = np.nan
    assert [(hint.kind, hint.points) for hint in hints(GOOD[:2], Volume(array))] == [("no value", (0,))]
    near = np.array([[15, 15, 15], [17, 15, 15.0]])
    assert [(hint.kind, hint.points) for hint in hints(near, image())] == [("close", (0, 1))]


def test_a_second_point_on_one_side_is_noticed() -> None:
    given = GOOD.copy()
    given[1] = given[0] + [0, 2, 1]
    found = hints(given, image())
    assert [(hint.kind, hint.points) for hint in found] == [("side", (0, 1))]
    assert "Is the right side marked?" in found[0].text


def test_points_nearly_in_one_plane_are_noticed() -> None:
    given = GOOD.copy()
    given[4:, 2] = [15.5, 14.5]
    given[4:, :2] += [[4, 4], [-4, -4]]
    check_points(given, image())
    assert [hint.kind for hint in hints(given, image())] == ["flat"]


def test_true_points_are_seldom_doubted_and_wrong_ones_mostly_noticed(shared_data) -> None:
    doubted, noticed, total = 0, 0, 0
    for lesion in lesion_phantoms(shared_data):
        for seed in range(5):
            true = synthetic_points(lesion.truth, seed=seed, jitter=2.0)
            other = synthetic_points(lesion.truth, seed=seed + 100, jitter=2.0)
            wrong = np.r_[true[:1], other[:1], true[2:]]  # two on the left
            doubted += any(hint.kind == "side" for hint in hints(true, lesion.image))
            noticed += any(hint.kind == "side" for hint in hints(wrong, lesion.image))
            total += 1
    assert doubted <= 0.1 * total
    assert noticed >= 0.6 * total


@pytest.mark.parametrize("grid", GRIDS)
def test_synthetic_points_lie_on_their_sides_at_their_depth(grid: str) -> None:
    affine = grid_affine((24, 24, 24), (1.0, 1.0, 3.0), grid)
    away = np.linalg.norm((np.indices((24, 24, 24)).transpose(1, 2, 3, 0) - [12, 12, 12]) / [9, 8, 6], axis=3)
    mask = Volume((away <= 1).astype(np.uint8), affine)
    placed = synthetic_points(mask, depth=3.0)
    assert (values_at(mask, placed) == 1).all()
    assert side_names(placed) == list(SIDES)
    corners = mask.voxel_from_ras(placed)
    low, high = np.array([3, 4, 6]), np.array([21, 20, 18])
    to_face = np.minimum(corners - low, high - corners) * mask.spacing
    axes = [axis for axis, _ in anatomical_axes(affine) for _ in range(2)]
    assert to_face[np.arange(6), axes] == pytest.approx(3.0)


def test_synthetic_points_follow_from_the_seed() -> None:
    mask = points_inputs()["mask"]
    np.testing.assert_array_equal(
        synthetic_points(mask, seed=3, jitter=2.0), synthetic_points(mask, seed=3, jitter=2.0)
    )
    assert not np.array_equal(synthetic_points(mask, seed=3), synthetic_points(mask, seed=4))


def test_synthetic_points_of_lesions_can_be_used(shared_data) -> None:
    for lesion in [*lesion_phantoms(shared_data), *real_lesions(shared_data)]:
        for seed in range(4):
            placed = synthetic_points(lesion.truth, seed=seed)
            check_points(placed, lesion.image)
            assert (values_at(lesion.truth, placed) == 1).all()
            check_points(displaced(placed, 2.0, lesion.image, seed=seed), lesion.image)


@pytest.mark.parametrize(
    ("shape", "usable"),
    [
        ((1, 1, 1), False),
        ((2, 1, 1), False),
        ((5, 1, 1), False),
        ((2, 2, 2), True),
        ((3, 3, 1), True),
        ((9, 9, 1), True),
    ],
)
def test_lesions_of_a_few_voxels_get_points_as_far_apart_as_they_allow(
    shape: tuple[int, int, int], usable: bool
) -> None:
    mask = box(shape, np.diag([-1.0, 1.0, 4.0, 1.0]))
    placed = synthetic_points(mask)
    assert (values_at(mask, placed) == 1).all()
    if usable:
        check_points(placed, mask)
    result = points(LabelVolume(mask.array, mask.affine, {1: "spot"}))
    assert bool(result.provenance.notes) != usable
    assert all("spot is so small" in note for note in result.provenance.notes)


def test_thin_lesions_keep_points_of_two_sides_apart() -> None:
    mask = box((18, 18, 6))
    placed = synthetic_points(mask, depth=5.0)
    assert placed[4, 2] < placed[5, 2]


@pytest.mark.parametrize("error", ["fixed", "gaussian", "uniform"])
def test_displacements_are_as_large_as_asked(error: str) -> None:
    volume = image((200, 200, 200))
    start = 100 + 40 * np.random.default_rng(0).uniform(-1, 1, (400, 3))
    moved = displaced(start, 2.0, volume, error=error, seed=2)
    lengths = np.linalg.norm(moved - start, axis=1)
    expected = {"fixed": 2.0, "gaussian": 2.0 * np.sqrt(8 / np.pi), "uniform": 1.5}[error]
    assert lengths.mean() == pytest.approx(expected, rel=0.06)
    assert abs((moved - start).mean(axis=0)).max() < 0.25
    if error == "fixed":
        np.testing.assert_allclose(lengths, 2.0)
    if error == "uniform":
        assert lengths.max() <= 2.0


def test_displaced_points_stay_in_the_image_and_apart() -> None:
    corner = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [30, 30, 30], [29, 30, 30]])
    for seed in range(20):
        moved = displaced(corner, 2.0, image(), seed=seed)
        assert {hint.kind for hint in hints(moved, image())} <= {"close", "side", "flat"}
        assert list(coincident(moved, image())) == []


def test_further_points_lie_deep_inside_and_negative_ones_around() -> None:
    mask = points_inputs()["mask"]
    placed = synthetic_points(mask, depth=3.0, extra=4)
    assert len(placed) == 10
    assert side_names(placed).count("extra") == 4
    outside = synthetic_negative_points(mask, count=8, distance=6.0)
    assert (values_at(mask, outside) == 0).all()
    inside = mask.ras_from_voxel(np.argwhere(mask.array == 1))
    gaps = np.linalg.norm(outside[:, None] - inside[None], axis=2).min(axis=1)
    assert gaps.min() >= 6.0 - 1e-6
    assert gaps.max() <= 6.0 + max(mask.spacing) + 1e-6


def test_without_background_there_are_no_negative_points() -> None:
    assert synthetic_negative_points(Volume(np.ones((4, 4, 4), dtype=np.uint8))).shape == (0, 3)


def test_a_label_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="No voxel of the segmentation has the label 4"):
        synthetic_points(box((3, 3, 3)), label=4)


def two_lesions() -> LabelVolume:
    array = np.zeros((40, 30, 30), dtype=np.int16)
    array[4:18, 6:24, 6:24], array[20:36, 6:24, 6:24] = 3, 7
    return LabelVolume(array, np.diag([-1.0, 1.0, 1.0, 1.0]), {3: "first", 7: "second"})


def test_the_job_places_points_of_every_label_and_marks_them() -> None:
    labels = two_lesions()
    result = points(labels, PointsOptions(depth=3.0, extra=1, negative=2))
    table = result.points.columns
    assert table["segment"] == ["first"] * 7 + ["second"] * 7 + [""] * 4
    assert table["name"][-1] == "negative"
    marked = result.interactions.array
    assert set(np.unique(marked)) == {0, 3, 7}
    assert (labels.array[marked > 0] == marked[marked > 0]).all()
    assert np.count_nonzero(marked) == 14


def test_the_jobs_table_is_read_back_as_points(tmp_path) -> None:
    result = points(two_lesions(), PointsOptions(negative=1))
    folder = result.save(tmp_path / "out")
    read = read_prompts(folder / "points.csv")
    assert {name: len(found) for name, found in read.items()} == {"first": 6, "second": 6}
    np.testing.assert_allclose(read["first"], synthetic_points(two_lesions(), label=3, seed=3), atol=1e-6)
    marked = read_prompts(folder / "interactions.nii.gz")
    assert {name: len(found) for name, found in marked.items()} == {"first": 6, "second": 6}


def test_the_job_refuses_an_empty_segmentation_and_a_missing_label() -> None:
    with pytest.raises(InputError, match="The segmentation is empty"):
        points(LabelVolume(np.zeros((3, 3, 3), dtype=np.uint8)))
    with pytest.raises(InputError, match="No voxel has the label 2; the segmentation holds 3, 7"):
        points(two_lesions(), PointsOptions(label=2))
    with pytest.raises(InputError, match="depth is 99 mm"):
        points(two_lesions(), PointsOptions(depth=99))


def test_the_job_can_be_stopped() -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        points(two_lesions(), progress=stop)


def test_the_table_of_points_has_negative_ones_last() -> None:
    table = points_table({"a": GOOD}, [[1, 2, 3]])
    assert table.rows[-1] == ("", "negative", 1.0, 2.0, 3.0)
    assert table.columns["name"][:6] == list(SIDES)


def test_example_inputs_are_made_at_once_and_lie_left_handed_and_oblique() -> None:
    given = segment_inputs()
    edges = given["volume"].affine[:3, :3]
    assert np.linalg.det(edges) < 0
    assert np.abs(edges / np.linalg.norm(edges, axis=0)).max() < 0.99
    check_points(given["points_ras"], given["volume"])
    assert (values_at(points_inputs()["mask"], given["negative_points"]) == 0).all()


def test_an_image_given_as_a_segmentation_is_refused_at_once() -> None:
    from DeepMRILib.interactive.points_job import points

    image = LabelVolume(np.arange(12**3).reshape(12, 12, 12), np.eye(4))
    with pytest.raises(InputError, match="1727 different numbers; it looks like an image"):
        points(image)
