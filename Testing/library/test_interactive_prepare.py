"""The input of a network: the part around the points, on another grid, and the way back."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib import files
from DeepMRILib.errors import DeviceMemoryError, InputError
from DeepMRILib.interactive.network_plan import NetworkPlan, Normalisation
from DeepMRILib.interactive.prepare import looked_at, prepare, restore, seed_voxels
from DeepMRILib.interactive.prepare_grid import Geometry, Turn
from DeepMRILib.interactive.prepare_resample import sampled
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.volume import Volume

PLAN = NetworkPlan(
    channels=("MR",), labels=("lesion",), spacing=(1.0, 1.0, 1.0), normalisation=(Normalisation(),),
    kernels=((3, 3, 3),) * 4, strides=((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2)), filters=(4, 8, 16, 32), heads=1,
    divisible_by=(8, 8, 8),
)  # fmt: skip
THICK = replace(PLAN, spacing=(0.8, 0.8, 3.0), least_margin=(8, 8, 3))
UPSTREAM = replace(PLAN, orientation="file", geodesic="compat")
FIXED = replace(PLAN, fixed_shape=(48, 48, 48))
IMAGES_ONLY: dict = {"maps": ()}
"""For tests of where voxels lie: maps of the points take time."""
PLANS = {"1 mm": PLAN, "thick": THICK, "fixed": FIXED, "upstream": UPSTREAM}


def _oblique() -> np.ndarray:
    a, b = 0.3, 0.2
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt * (1.0, 1.2, 1.5)
    affine[:3, 3] = (10, -40, 3)
    return affine


AFFINES = {
    "oblique": _oblique(),
    "left-handed": np.diag([-1.0, 1.0, 2.0, 1.0]),
    "anisotropic": np.diag([0.8, 0.8, 3.5, 1.0]),
    "permuted": np.array([[0, 0, 1.6, 5], [-0.9, 0, 0, 9], [0, 0.9, 0, -7], [0, 0, 0, 1]]),
}


def _lesion(affine: np.ndarray, *, millimetres: tuple = (80.0, 76.0, 84.0)) -> tuple[Volume, Volume]:
    """An image and the label of a lumpy ellipsoid in its middle."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    shape = tuple(int(n) for n in np.array(millimetres) / spacing)
    places = np.indices(shape).transpose(1, 2, 3, 0) * spacing
    away = (places - np.array(shape) * spacing / 2) / (20.0, 17.0, 22.0)
    label = np.linalg.norm(away + 0.1 * np.sin(places / 5), axis=3) < 1
    image = np.random.default_rng(0).normal(100, 10, shape) + 60 * label
    return Volume(image.astype(np.float32), affine), Volume(label.astype(np.uint8), affine)


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def _one_hot(target: np.ndarray, count: int = 2) -> np.ndarray:
    return np.stack([target == number for number in range(count)]).astype(np.float32)


def _whole(found: np.ndarray, box: object, shape: tuple) -> np.ndarray:
    whole = np.zeros(shape, dtype=int)
    whole[box.slices] = found.argmax(axis=0)
    return whole


@pytest.mark.parametrize(("kind", "grid"), list(itertools.product(PLANS, AFFINES)))
def test_there_and_back(kind: str, grid: str) -> None:
    image, label = _lesion(AFFINES[grid])
    points = synthetic_points(label)
    ready = prepare([image], points, PLANS[kind], label=label)
    assert ready.input.shape == (2, *ready.target.shape)
    assert ready.input.dtype == np.float32
    assert all(n % 8 == 0 for n in ready.target.shape)
    found, box = restore(_one_hot(ready.target), ready.geometry)
    assert found.shape[1:] == box.shape
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    assert _dice(_whole(found, box, label.shape) == 1, label.array == 1) > 0.97
    # the points lie in the lesion there, too, and the geodesic map is 1 at them
    at = tuple(seed_voxels(points, ready.geometry, PLANS[kind]).T)
    assert ready.target[at].all()
    np.testing.assert_allclose(ready.input[1][at], 1)
    assert 0 <= ready.input[1].min() < 0.5


@pytest.mark.parametrize("how", ["probability", "weights", "label"])
def test_all_ways_back_agree_on_a_clear_answer(how: str) -> None:
    image, label = _lesion(AFFINES["oblique"])
    ready = prepare([image], synthetic_points(label), THICK, label=label)
    scale = 10 if how == "weights" else 1
    found, box = restore(scale * _one_hot(ready.target), ready.geometry, how=how)
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-4)
    assert found.min() >= -1e-5
    assert _dice(_whole(found, box, label.shape) == 1, label.array == 1) > 0.96


def test_a_soft_margin_comes_back_better_as_probability_than_as_label() -> None:
    image, label = _lesion(AFFINES["left-handed"], millimetres=(70.0, 64.0, 70.0))
    coarse = replace(PLAN, spacing=(3.0, 3.0, 3.0), least_margin=(3, 3, 3))
    ready = prepare([image], synthetic_points(label), coarse)
    shares = sampled(
        ready.geometry.turn.apply(ndimage.gaussian_filter(label.array.astype(np.float32), (1.5, 1.5, 0.75))),
        ready.geometry.start, ready.geometry.step, ready.geometry.grid, order=1,
    )  # fmt: skip
    soft = np.zeros(ready.geometry.shape, dtype=np.float32)
    soft[ready.geometry.inside] = shares
    scores = {}
    for how in ("probability", "label"):
        found, box = restore(np.stack([1 - soft, soft]), ready.geometry, how=how)
        scores[how] = _dice(_whole(found, box, label.shape) == 1, label.array == 1)
    assert scores["probability"] > scores["label"] + 0.01


def test_the_same_place_whatever_the_axes() -> None:
    image, label = _lesion(AFFINES["left-handed"])
    points = synthetic_points(label)
    turn = np.array([[0, 0, -1, image.shape[0] - 1], [1, 0, 0, 0], [0, -1, 0, image.shape[2] - 1], [0, 0, 0, 1.0]])
    turned = [Volume(_turned(volume.array), volume.affine @ turn) for volume in (image, label)]
    first = prepare([image], points, PLAN, label=label)
    second = prepare([turned[0]], points, PLAN, label=turned[1])
    np.testing.assert_array_equal(first.target, second.target)
    np.testing.assert_allclose(first.input, second.input, atol=2e-3)
    np.testing.assert_allclose(first.geometry.affine, second.geometry.affine, atol=1e-9)


def _turned(array: np.ndarray) -> np.ndarray:
    """The same image with voxel (j, K - k, I - i) where (i, j, k) was."""
    return array.transpose(1, 2, 0)[:, ::-1, ::-1].copy()


@pytest.mark.parametrize("spacing", [(0.78, 0.78, 6.5), (1.0, 1.0, 3.0)])
def test_a_real_lesion_in_thick_slices_comes_back(shared_data: Path, spacing: tuple) -> None:
    pytest.importorskip("nrrd")
    folder = shared_data / "seg_pyradiomics_mr"
    image, label = (files.read_volume(folder / f"brain1_{what}.nrrd") for what in ("image", "label"))
    label = label.like((label.array > 0).astype(np.uint8))
    plan = replace(THICK, spacing=spacing)
    ready = prepare([image], synthetic_points(label), plan, label=label)
    assert ready.geometry.slicewise == 2
    found, box = restore(_one_hot(ready.target), ready.geometry)
    assert label.array[box.slices].sum() == label.array.sum()
    assert _dice(_whole(found, box, label.shape) == 1, label.array == 1) > 0.97


def test_one_corner_of_the_image_does_not_read_the_rest() -> None:
    array = np.zeros((512, 512, 300), dtype=np.int16)
    array[200:280, 210:290, 100:180] = np.random.default_rng(0).integers(1, 99, (80, 80, 80))
    image = Volume(array, np.diag([-0.8, -0.8, 1.0, 1.0]))
    points = image.ras_from_voxel([[240, 250, 140]]) + 20 * np.vstack([np.eye(3), -np.eye(3)])
    plan = replace(PLAN, **IMAGES_ONLY)
    started = time.perf_counter()
    ready = prepare([image], points, plan)
    assert time.perf_counter() - started < 3.0
    assert max(ready.geometry.box.shape) < 120
    # the same grid: 185 voxels of 0.8 mm from the other end are whole millimetres
    alone = prepare([Volume(array[152:327, 152:327, 50:230], image.affine @ _shift(152, 152, 50))], points, plan)
    np.testing.assert_allclose(ready.input[0], alone.input[0], atol=1e-4)


def _shift(*voxels: float) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 3] = voxels
    return affine


def test_the_lesion_at_the_edge_of_the_image_is_padded_with_zeros() -> None:
    image, label = _lesion(AFFINES["left-handed"], millimetres=(34.0, 30.0, 36.0))
    ready = prepare([image], synthetic_points(label), PLAN, label=label)
    outside = np.ones(ready.target.shape, dtype=bool)
    outside[ready.geometry.inside] = False
    assert outside.any()
    assert not ready.input[:, outside].any()
    assert not ready.target[outside].any()
    found, box = restore(_one_hot(ready.target), ready.geometry)
    assert _dice(_whole(found, box, label.shape) == 1, label.array == 1) > 0.97


def test_points_in_one_voxel_remain_two() -> None:
    image, label = _lesion(AFFINES["left-handed"])
    points = synthetic_points(label)
    doubled = np.concatenate([points, points[:1] + 0.2])
    ready = prepare([image], doubled, PLAN)
    assert len(ready.points[0]) == 7
    np.testing.assert_allclose(
        ready.geometry.affine[:3, :3] @ (ready.points[0][6] - ready.points[0][0]), [0.2, 0.2, 0.2], atol=1e-9
    )


def test_several_images_labels_and_negative_points() -> None:
    image, label = _lesion(AFFINES["oblique"])
    two = label.like(np.where((label.array == 1) & (np.indices(label.shape)[0] > label.shape[0] // 2), 2, label.array))
    plan = replace(
        PLAN, channels=("T1", "T2"), labels=("left", "right"), normalisation=(Normalisation(),) * 2, negative=True
    )
    other = Volume(image.array[::2, ::2, ::2], image.affine @ np.diag([2, 2, 2, 1]))
    points = {"right": synthetic_points(two, label=2), "left": synthetic_points(two, label=1)}
    negative = image.ras_from_voxel([[label.shape[0] // 2 + 24, label.shape[1] // 2, label.shape[2] // 2], [0, 0, 0]])
    ready = prepare([image, other], points, plan, negative=negative, label=two)
    assert ready.input.shape[0] == plan.inputs == 5
    assert set(np.unique(ready.target)) == {0, 1, 2}
    for number, name in enumerate(plan.labels, start=1):
        at = tuple(seed_voxels(points[name], ready.geometry, plan).T)
        assert (ready.target[at] == number).all()
        np.testing.assert_allclose(ready.input[1 + number][at], 1)
    # one of the two negative points lies in the part
    assert np.count_nonzero(ready.input[4] == 1) == 1
    found, box = restore(_one_hot(ready.target, 3), ready.geometry)
    for number in (1, 2):
        assert _dice(_whole(found, box, two.shape) == number, two.array == number) > 0.97
    # the second image shows the same place: where the first is bright, so is it
    middle = ready.target > 0
    assert ready.input[1][middle].mean() > ready.input[1][(ready.target == 0) & (ready.input[1] != 0)].mean() + 1


def test_a_network_without_negative_points_says_that_it_took_none() -> None:
    image, label = _lesion(AFFINES["left-handed"])
    ready = prepare([image], synthetic_points(label), PLAN, negative=[[0, 0, 0]])
    assert ready.notes == ("The network takes no negative points; they were not used.",)


def test_mr_is_normalised_over_its_nonzero_voxels_and_ct_by_the_plan() -> None:
    image, label = _lesion(AFFINES["left-handed"])
    array = image.array.copy()
    array[: array.shape[0] // 2 - 12] = 0
    points = synthetic_points(label)
    values = prepare([Volume(array, image.affine)], points, PLAN).input[0]
    seen = values[values != 0]
    assert (seen.mean(), seen.std()) == (pytest.approx(0, abs=1e-4), pytest.approx(1, abs=1e-4))
    ct = replace(PLAN, channels=("CT",), normalisation=(Normalisation("fixed", 90.0, 150.0, 110.0, 20.0),))
    ready = prepare([image], points, ct)
    inside = ready.input[0][ready.geometry.inside]
    assert (inside.min(), inside.max()) == (pytest.approx(-1.0), pytest.approx(2.0))


def test_the_geodesic_map_of_ct_is_of_values_that_are_not_clipped() -> None:
    image, label = _lesion(AFFINES["left-handed"])
    bright = image.like(np.where(label.array, image.array + 500, image.array).astype(np.float32))
    ct = replace(PLAN, channels=("CT",), normalisation=(Normalisation("fixed", 0.0, 1.0, 0.0, 50.0),))
    points = synthetic_points(label)
    ready = prepare([bright], points, ct, label=label)
    around = ready.input[1][ready.geometry.inside][ready.target[ready.geometry.inside] == 0]
    assert around.max() < 0.1  # the step of 500 at the margin is not clipped away


# ---- InteractiveNet's own rules, done again in a plain way on the whole image


def _upstream_plainly(volume: Volume, points: np.ndarray, plan: NetworkPlan) -> tuple[np.ndarray, ...]:
    """The normalised crop, the voxels of the points, and these before rounding, as InteractiveNet makes them."""
    affines = pytest.importorskip("nibabel").affines
    spacing = np.array(volume.spacing)
    shape = [int(n * a / b + 1e-6) for n, a, b in zip(volume.shape, spacing, plan.spacing, strict=True)]
    thick = spacing.max() / spacing.min() >= 3 or max(plan.spacing) / min(plan.spacing) >= 3
    array = volume.array.astype(np.float64)
    if thick:
        slices = np.stack([_zoomed(array[:, :, k], shape[:2]) for k in range(array.shape[2])], axis=2)
        factors = (1, 1, shape[2] / slices.shape[2])
        array = ndimage.zoom(slices, factors, order=0, mode="grid-constant", grid_mode=True)
    else:
        array = _zoomed(array, shape)
    to = np.linalg.inv(affines.rescale_affine(volume.affine, volume.shape, plan.spacing, shape)) @ volume.affine
    places = affines.apply_affine(to, np.rint(volume.voxel_from_ras(points)))
    voxels = np.clip(np.rint(places).astype(int), 0, np.array(shape) - 1)
    begin, stop = [], []
    for axis, divisor in enumerate(plan.divisible_by):
        low, high = voxels[:, axis].min(), voxels[:, axis].max()
        margin = max(int(np.ceil((high - low) * plan.relax)), 3 if thick and axis == 2 else 8)
        first, end = max(low - margin, 0), min(high + margin, shape[axis])
        while (end - first) % divisor:
            missing = divisor - (end - first) % divisor
            if missing < 2:
                first, end = (first - 1, end) if first > 0 else (first, end + 1)
            else:
                first, end = max(first - 1, 0), min(end + 1, shape[axis])
        begin.append(first)
        stop.append(end)
    crop = array[tuple(map(slice, begin, stop))]
    nonzero = crop != 0
    crop[nonzero] = (crop[nonzero] - crop[nonzero].mean()) / crop[nonzero].std()
    return crop, voxels - begin, places


def _zoomed(array: np.ndarray, shape: list[int]) -> np.ndarray:
    """As scikit-image's resize, order 3, mode edge, clip, without anti-aliasing."""
    factors = np.array(shape) / array.shape
    return np.clip(ndimage.zoom(array, factors, order=3, mode="nearest", grid_mode=True), array.min(), array.max())


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.9, 0.9, 2.4), (1.0, 1.0, 3.2)])
@pytest.mark.parametrize("grid", AFFINES)
def test_upstream_rules_to_the_voxel(grid: str, spacing: tuple) -> None:
    image, label = _lesion(AFFINES[grid])
    points = synthetic_points(label)
    plan = replace(UPSTREAM, spacing=spacing, divisible_by=(8, 8, 4), **IMAGES_ONLY)
    expected, voxels, places = _upstream_plainly(image, points, plan)
    ready = prepare([image], points, plan)
    assert ready.input.shape[1:] == expected.shape
    np.testing.assert_allclose(ready.input[0], expected, atol=2e-4)
    # which way half a voxel is rounded hangs there on the last digits of two matrices
    clear = np.abs(places - np.floor(places) - 0.5) > 1e-6
    assert clear.mean() > 0.6
    np.testing.assert_array_equal(seed_voxels(points, ready.geometry, plan)[clear], voxels[clear])


def test_the_box_grows_until_it_can_be_divided_and_no_further_than_the_image() -> None:
    image, label = _lesion(AFFINES["left-handed"])
    for divisor in (1, 2, 5, 16, 32):
        plan = replace(PLAN, divisible_by=(divisor,) * 3, **IMAGES_ONLY)
        geometry = prepare([image], synthetic_points(label), plan).geometry
        assert all(n % divisor == 0 for n in geometry.shape)
        assert all(0 <= a < b <= n for a, b, n in zip(geometry.box.start, geometry.box.stop, image.shape, strict=True))


def test_looked_at_is_what_is_read() -> None:
    image, label = _lesion(AFFINES["permuted"])
    points = synthetic_points(label)
    for plan in (replace(each, **IMAGES_ONLY) for each in PLANS.values()):
        assert looked_at(points, image, plan) == prepare([image], points, plan).geometry.box


def test_geometry_survives_json() -> None:
    image, label = _lesion(AFFINES["permuted"])
    geometry = prepare([image], synthetic_points(label), THICK).geometry
    assert Geometry.from_json(json.loads(json.dumps(geometry.to_json()))) == geometry
    np.testing.assert_allclose(np.linalg.norm(geometry.affine[:3, :3], axis=0), geometry.spacing)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_turns_are_undone(order: tuple[int, int, int]) -> None:
    array = np.arange(2 * 3 * 4).reshape(2, 3, 4)
    for flips in itertools.product((False, True), repeat=3):
        turn = Turn(order, flips)
        turned = turn.apply(array)
        np.testing.assert_array_equal(turn.undo(turned[None])[0], array)
        index = np.array([1, 1, 1, 1])
        at = tuple((turn.matrix(array.shape) @ index)[:3].astype(int))
        assert turned[1, 1, 1] == array[at]


def test_canonical_axes_run_right_anterior_superior() -> None:
    for affine in AFFINES.values():
        shape = (5, 6, 7)
        turned = affine @ Turn.canonical(affine).matrix(shape)
        cosines = turned[:3, :3] / np.linalg.norm(turned[:3, :3], axis=0)
        assert (np.diag(cosines) > 0.9).all()


def test_holes_in_the_image_are_filled_before_interpolation() -> None:
    image, label = _lesion(AFFINES["oblique"])
    array = image.array.copy()
    array[tuple(n // 2 for n in array.shape)] = np.nan
    ready = prepare([image.like(array)], synthetic_points(label), PLAN)
    assert np.isfinite(ready.input).all()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"images": 2}, r"The network takes 1 image \(MR\); 2 were given"),
        ({"images": 0}, r"The network takes 1 image \(MR\); 0 were given"),
        ({"points": {"a": [[0, 0, 0]], "b": [[0, 0, 0]]}}, "There are points of a; the network segments lesion"),
        ({"points": np.zeros((0, 3))}, "There is no point"),
        ({"points": [[0, 0, 5000]]}, r"Point 1 of lesion at \(0.0, 0.0, 5000.0\) mm lies outside the image"),
        ({"points": [[np.nan, 0, 0]]}, "not a finite position"),
        ({"value": 3.0}, "The image MR holds only the value 3 around the points"),
        ({"label": 7}, "The label image holds the value 7; expected 0 for none and 1 to 1 for lesion"),
        ({"complex": True}, "Give its magnitude"),
    ],
)
def test_what_cannot_be_used(change: dict, sentence: str) -> None:
    image, label = _lesion(AFFINES["left-handed"], millimetres=(30.0, 30.0, 30.0))
    if "value" in change:
        image = image.like(np.full(image.shape, change["value"]))
    if change.get("complex"):
        image = image.like(image.array.astype(complex))
    points = change.get("points", synthetic_points(label))
    with pytest.raises(InputError, match=sentence):
        prepare([image] * change.get("images", 1), points, PLAN, label=label.like(label.array * change.get("label", 1)))


def test_voxels_that_no_memory_holds_are_said_before_they_are_made() -> None:
    pytest.importorskip("torch")
    from DeepMRILib.interactive.network_ask import prepared_within

    image, label = _lesion(AFFINES["left-handed"], millimetres=(30.0, 30.0, 30.0))
    tiny = replace(PLAN, spacing=(0.001, 0.001, 0.001))
    with pytest.raises(DeviceMemoryError, match=r"A part of \d+ x \d+ x \d+ voxels for the network needs .*Plan with"):
        prepare([image], synthetic_points(label), tiny, label=label)
    # a limit of memory makes them larger without making the small ones first
    with pytest.raises(InputError, match="memory_limit leaves room for 1000 voxels"):
        prepared_within([image], {"lesion": synthetic_points(label)}, tiny, 1000)


def test_another_image_must_reach_the_points() -> None:
    image, label = _lesion(AFFINES["left-handed"])
    plan = replace(PLAN, channels=("T1", "T2"), normalisation=(Normalisation(),) * 2)
    away = Volume(image.array, _shift(500, 0, 0) @ image.affine)
    with pytest.raises(InputError, match="The image T2 does not reach the points"):
        prepare([image, away], synthetic_points(label), plan)


def test_an_output_of_another_shape_is_refused() -> None:
    image, label = _lesion(AFFINES["left-handed"])
    geometry = prepare([image], synthetic_points(label), PLAN).geometry
    with pytest.raises(InputError, match="The network's output has shape"):
        restore(np.zeros((2, 4, 4, 4), dtype=np.float32), geometry)
