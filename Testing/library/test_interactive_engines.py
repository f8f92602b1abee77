"""The engines without weights: how good they are, and that they do what points, labels and priors say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled
from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.engines import ENGINES
from DeepMRILib.interactive.graphcut import least_cut
from DeepMRILib.interactive.measures import dice
from DeepMRILib.interactive.phantom import lesion_phantom
from DeepMRILib.interactive.resolution import Coarser
from DeepMRILib.volume import Volume

BOTH = pytest.mark.parametrize("engine", sorted(ENGINES))


def stored(folder: Path) -> list[tuple[str, Volume, np.ndarray, np.ndarray]]:
    """Names, images, truths and points in RAS mm of the stored phantoms."""
    cases = []
    for row in json.loads((folder / "lesion_phantoms" / "manifest.json").read_text()):
        with np.load(folder / "lesion_phantoms" / row["file"]) as data:
            volume = Volume(data["image"], np.diag([*data["spacing"].astype(float), 1.0]))
            cases.append((row["file"], volume, data["label"] > 0, volume.ras_from_voxel(data["points"])))
    return cases


def of(kind: str = "hetero", **change) -> tuple[Volume, np.ndarray, np.ndarray]:
    found = lesion_phantom(kind, **change)
    return found.image, found.label.array, next(iter(found.points.values()))


@BOTH
def test_stored_phantoms(shared_data: Path, engine: str) -> None:
    scores = {}
    for name, volume, truth, points in stored(shared_data):
        result = segment(volume, points, SegmentOptions(engine=engine))
        scores[name] = dice(result.mask.array > 0, truth)
    assert np.mean(list(scores.values())) >= 0.975, scores
    assert min(scores.values()) >= 0.95, scores


@BOTH
def test_a_preview_is_nearly_as_good(engine: str) -> None:
    volume, truth, points = of("homog", seed=7)
    assert dice(segment(volume, points, SegmentOptions(engine=engine, resolution="preview")).mask.array, truth) > 0.93


@BOTH
def test_left_handed_and_oblique_images_give_the_same(engine: str) -> None:
    volume, truth, points = of(seed=5)
    options = SegmentOptions(engine=engine)
    straight = dice(segment(volume, points, options).mask.array, truth)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    indices = volume.voxel_from_ras(points)
    for order, flips, direction in (((2, 0, 1), (1, -1, 1), turn), ((1, 0, 2), (-1, 1, -1), np.diag([1, -1, 1.0]))):
        array = volume.array.transpose(order)[tuple(slice(None, None, flip) for flip in flips)]
        moved_truth = truth.transpose(order)[tuple(slice(None, None, flip) for flip in flips)]
        affine = np.eye(4)
        affine[:3, :3] = direction @ np.diag(np.array(volume.spacing)[list(order)])
        affine[:3, 3] = (10, -20, 30)
        at = indices[:, order]
        at = np.where(np.array(flips) < 0, np.array(array.shape) - 1 - at, at)
        moved = Volume(array, affine)
        found = segment(moved, moved.ras_from_voxel(at), options)
        assert abs(dice(found.mask.array, moved_truth) - straight) < 0.005


@BOTH
def test_a_negative_point_makes_the_lesion_give_way(engine: str) -> None:
    volume, truth, points = of("homog", seed=2)
    inside = np.argwhere(truth)
    extreme = inside[inside[:, 0].argmax()]
    middle = inside.mean(axis=0)
    wrong = volume.ras_from_voxel(middle + 0.5 * (extreme - middle))
    options = SegmentOptions(engine=engine)
    before = segment(volume, points, options).mask.array > 0
    after = segment(volume, points, options, negative_points=wrong).mask.array > 0
    at = tuple(np.rint(volume.voxel_from_ras(wrong))[0].astype(int))
    assert before[at]
    assert not after[at]
    assert (before & ~after).sum() > 30


@BOTH
def test_a_further_point_brings_its_place_in(engine: str) -> None:
    """A part of the lesion that is as dark as its surroundings is left out until a point says otherwise."""
    volume, truth, points = of("homog", seed=2)
    inside = np.argwhere(truth)
    middle = inside.mean(axis=0)
    far = inside[((inside - middle) @ [0.6, 0.6, 0.5]).argmax()]
    place = middle + 0.75 * (far - middle)
    near = np.linalg.norm(np.argwhere(np.ones(truth.shape)) - place, axis=1).reshape(truth.shape) < 6
    array = volume.array.copy()
    array[near] = 0.65 + np.random.default_rng(0).normal(0, 0.15, int(near.sum()))
    dark = Volume(array, volume.affine)
    options = SegmentOptions(engine=engine)
    before = segment(dark, points, options).mask.array > 0
    after = segment(dark, np.concatenate([points, volume.ras_from_voxel(place)]), options).mask.array > 0
    assert (after & near & truth).sum() > (before & near & truth).sum()
    assert after[tuple(np.rint(place).astype(int))]


@BOTH
def test_two_lesions_compete(engine: str) -> None:
    found = lesion_phantom("homog", 4, lesions=2)
    result = segment(found.image, found.points, SegmentOptions(engine=engine))
    for number in (1, 2):
        assert dice(result.mask.array == number, found.label.array == number) > 0.9
    assert list(result.mask.names.values()) == list(found.points)


@BOTH
def test_an_earlier_segmentation_shapes_the_answer(engine: str) -> None:
    volume, truth, points = of("hard", seed=5)
    options = SegmentOptions(engine=engine)
    alone = dice(segment(volume, points, options).mask.array, truth)
    prior = Volume(truth.astype(np.uint8), volume.affine)
    assert dice(segment(volume, points, options, prior=prior).mask.array, truth) > alone + 0.01


def test_a_second_image_helps_where_the_first_does_not() -> None:
    found = lesion_phantom("hard", 5, images=2)
    points = found.points
    both = segment(found.image, points)
    first = segment(Volume(found.image.array[..., 0], found.image.affine), points)
    truth = found.label.array
    assert dice(both.mask.array, truth) > dice(first.mask.array, truth)


@BOTH
@pytest.mark.parametrize("shape", [(9, 9, 3), (12, 12, 1), (6, 30, 30)])
def test_small_and_thin_lesions(engine: str, shape: tuple[int, int, int]) -> None:
    """A few voxels, and one to three slices, give something where the points are."""
    rng = np.random.default_rng(0)
    size = np.array(shape)
    array = rng.normal(0, 0.1, tuple(size + 8)).astype(np.float32)
    inside = tuple(slice(4, 4 + n) for n in shape)
    array[inside] += 1
    truth = np.zeros(array.shape, dtype=bool)
    truth[inside] = True
    volume = Volume(array, np.diag([1.0, 1.0, 4.0 if shape[2] < 4 else 1.0, 1.0]))
    middle = (size - 1) / 2 + 4
    steps = np.maximum(size / 2 - 2, 0.4)
    points = np.concatenate([middle + side * np.diag(steps) for side in (-1, 1)])
    points = np.clip(points, 0, np.array(array.shape) - 1)
    result = segment(volume, volume.ras_from_voxel(points), SegmentOptions(engine=engine, depth=2.0))
    assert dice(result.mask.array, truth) > 0.6


@BOTH
def test_memberships_add_up(engine: str) -> None:
    from DeepMRILib.interactive.engine import Problem

    found = lesion_phantom("homog", 4, lesions=2, size=(48, 48, 48), spacing=(2, 2, 2))
    image = found.image
    problem = Problem(
        image=image.array[..., None].astype(np.float32),
        affine=image.affine,
        spacing=image.spacing,
        points=tuple(image.voxel_from_ras(points) for points in found.points.values()),
        negative=np.zeros((0, 3)),
        prior=None,
        options=SegmentOptions(engine=engine),
    )
    messages = []
    answer = ENGINES[engine](problem, lambda fraction, message: messages.append((fraction, message)))
    assert answer.membership.dtype == np.float32
    assert answer.membership.shape == (3, *image.shape)
    assert np.allclose(answer.membership.sum(axis=0), 1, atol=1e-5)
    assert answer.membership.min() >= 0
    fractions = [fraction for fraction, _ in messages]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    again = ENGINES[engine](dataclasses.replace(problem), lambda fraction, message: None)
    assert np.array_equal(again.membership, answer.membership)


@BOTH
def test_it_can_be_stopped(engine: str) -> None:
    volume, _, points = of("homog")

    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        segment(volume, points, SegmentOptions(engine=engine), progress=stop)


@pytest.mark.parametrize(("shape", "spacing"), [((40, 40, 10), (1.0, 1.0, 4.0)), ((90, 31, 64), (0.7, 0.7, 0.7))])
def test_a_coarser_grid_lies_in_the_same_place(shape: tuple, spacing: tuple) -> None:
    grid = Coarser.of(shape, spacing, 6000)
    assert 3000 < np.prod(grid.coarse) < 9000
    assert all(coarse <= fine for coarse, fine in zip(grid.coarse, grid.fine, strict=True))
    ramp = np.add.outer(np.add.outer(np.arange(shape[0]), 2 * np.arange(shape[1])), 3 * np.arange(shape[2]))
    down = grid._means(ramp.astype(np.float32)[..., None])[..., 0]
    assert down.mean() == pytest.approx(ramp.mean(), rel=1e-4)
    back = grid.back(down)
    room = tuple(slice(4, -4) if n > 10 else slice(None) for n in shape)
    # the slope is up to 6 a voxel: within a twentieth of one
    assert np.allclose(back[room], ramp[room], atol=0.3)


def test_the_least_cut_is_the_least_of_all() -> None:
    rng = np.random.default_rng(0)
    evidence = rng.normal(0, 1, (2, 3, 2))
    links = tuple(rng.uniform(0, 1, [n - (a == b) for b, n in enumerate((2, 3, 2))]) for a in range(3))
    open_ = np.ones(evidence.shape, dtype=bool)
    open_[0, 0, 0] = open_[1, 2, 1] = False
    inside = evidence > 0

    def energy(region: np.ndarray) -> float:
        cut = sum((links[a] * np.abs(np.diff(region.astype(float), axis=a))).sum() for a in range(3))
        return float(cut - (evidence * region * open_).sum())

    regions = []
    for code in range(2 ** int(open_.sum())):
        region = inside.copy()
        region[open_] = [(code >> bit) & 1 for bit in range(int(open_.sum()))]
        regions.append(region)
    best = min(regions, key=energy)
    assert np.array_equal(least_cut(evidence, open_, inside, links), best)
