"""Generated lesions: seeded, in one piece, and seen in training as they are in use."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib.interactive import lesions as lesions_module
from DeepMRILib.interactive.lesions import generated_lesion
from DeepMRILib.interactive.lesions_points import drawn_negative_points, drawn_points
from DeepMRILib.interactive.lesions_samples import PLAN, Samples, network_input, visibility
from DeepMRILib.interactive.prepare import prepare
from DeepMRILib.interactive.prepare_maps import MAPS, Place, heat
from DeepMRILib.random_fields import Grid, octaves, rotation, smooth_noise
from DeepMRILib.volume import Volume

SEEDS = range(41, 47)


@pytest.fixture(scope="module")
def lesions():
    return [generated_lesion(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def samples():
    return Samples.of(range(40, 43), 2)


def test_the_same_seed_gives_the_same_lesion_and_another_seed_another(lesions):
    again = generated_lesion(SEEDS[0])
    np.testing.assert_array_equal(again.image, lesions[0].image)
    np.testing.assert_array_equal(again.label, lesions[0].label)
    assert len({lesion.image.tobytes() for lesion in lesions}) == len(lesions)


def test_lesions_are_in_one_piece_and_of_the_sizes_and_spacings_that_are_named(lesions):
    for lesion in lesions:
        assert ndimage.label(lesion.label)[1] == 1
        assert np.isfinite(lesion.image).all()
        assert lesion.image.std() > 0
        assert 0.1 < lesion.label.sum() * np.prod(lesion.spacing) / 1000 < 180
        assert 0.2 < min(lesion.spacing) <= max(lesion.spacing) < 8


def test_they_differ_in_spacing_size_and_contrast(lesions):
    volumes = [lesion.label.sum() * np.prod(lesion.spacing) for lesion in lesions]
    thick = [max(lesion.spacing) > 2 * min(lesion.spacing) for lesion in lesions]
    brighter = [np.median(x.image[x.label]) > np.median(x.image[~x.label]) for x in lesions]
    assert max(volumes) > 5 * min(volumes)
    assert {False, True} == set(thick) == set(map(bool, brighter))


def test_points_lie_in_the_lesion_or_a_few_mm_from_it_and_mark_its_six_sides(lesions):
    for number, lesion in enumerate(lesions):
        points = drawn_points(np.random.default_rng(number), lesion)
        assert len(points) >= 6
        distance = ndimage.distance_transform_edt(~lesion.label, sampling=lesion.spacing)
        nearest = np.rint(points).astype(int)
        assert distance[tuple(nearest.T)].max() < 8
        where = np.argwhere(lesion.label)
        middle, reach = where.mean(axis=0), np.ptp(where, axis=0) * np.array(lesion.spacing)
        for axis in np.flatnonzero(reach > 30):
            assert points[2 * axis, axis] < middle[axis] < points[2 * axis + 1, axis]


def test_negative_points_lie_outside(lesions):
    drawn = [drawn_negative_points(np.random.default_rng(number), lesion) for number, lesion in enumerate(lesions)]
    assert 0 < sum(len(points) > 0 for points in drawn) < len(drawn)
    for lesion, points in zip(lesions, drawn, strict=True):
        assert not lesion.label[tuple(points.astype(int).T)].any()


def test_smooth_noise_has_the_scale_and_the_spread_that_are_asked_for():
    grid = Grid.centred(np.full(3, 40.0), 1.0)
    fields = [smooth_noise(np.random.default_rng(seed), grid, 8.0) for seed in range(6)]
    assert np.std(fields) == pytest.approx(1, abs=0.1)
    field = fields[0]
    near, far = (np.mean(field[d:] * field[:-d]) / field.var() for d in (2, 24))
    assert near > 0.85
    assert abs(far) < 0.4
    assert np.std(octaves(np.random.default_rng(0), grid, 10, 3, 0.6)) == pytest.approx(1, abs=0.2)


def test_a_field_with_reach_is_the_same_field_on_every_grid():
    coarse, fine = Grid.centred(np.full(3, 2.0), 0.5), Grid.centred(np.full(3, 2.0), 0.25)
    one, two = (smooth_noise(np.random.default_rng(3), grid, 0.7, 3.0) for grid in (coarse, fine))
    np.testing.assert_allclose(one, two[::2, ::2, ::2], atol=1e-5)


def test_rotations_are_rotations():
    for seed in range(5):
        matrix = rotation(np.random.default_rng(seed))
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(1)


def test_training_sees_what_prediction_sees(samples):
    """The input of a sample is what ``prepare`` makes of the same image and points, up to 16-bit storage."""
    lesion = generated_lesion(41)
    random = np.random.default_rng([41, 21])
    points, negative = drawn_points(random, lesion), drawn_negative_points(random, lesion)
    volume = Volume(lesion.image, np.diag([*lesion.spacing, 1.0]))
    label = volume.like(lesion.label.astype(np.uint8))
    ready = prepare([volume], points * lesion.spacing, PLAN, negative=negative * np.array(lesion.spacing), label=label)
    values, target = network_input(samples, 2)
    assert values.shape == ready.input.shape == (PLAN.inputs, *PLAN.fixed_shape)
    np.testing.assert_allclose(values[0], ready.input[0], atol=3e-3)
    # a value at the edge of a histogram's bin may fall into the next one
    assert np.mean(np.abs(values - ready.input) > 1e-2) < 5e-3
    np.testing.assert_array_equal(target >= 0.5, ready.target == 1)


def test_augmentation_turns_image_target_and_points_alike(samples):
    for number in range(len(samples)):
        plain, target = network_input(samples, number)
        turned, moved = network_input(samples, number, np.random.default_rng(number))
        assert np.sort(moved, axis=None) == pytest.approx(np.sort(target, axis=None))
        # of each map: as high inside the lesion as before
        for channel in (1, 2, 3):
            before = (plain[channel] * target).sum() / target.sum()
            after = (turned[channel] * moved).sum() / moved.sum()
            assert after == pytest.approx(before, abs=1e-3)


def test_some_samples_are_inverted_by_augmentation(samples):
    signs = set()
    for seed in range(12):
        plain, target = network_input(samples, 0)
        turned, moved = network_input(samples, 0, np.random.default_rng(seed))
        contrast = [(v[0][t >= 0.5].mean() - v[0][t < 0.5].mean()) for v, t in ((plain, target), (turned, moved))]
        signs.add(bool(np.sign(contrast[0]) == np.sign(contrast[1])))
    assert signs == {True, False}


BALL = np.linalg.norm(np.indices((33, 33, 33)) - 16, axis=0)
PLACE = Place((33, 33, 33), 16 + 5.0 * np.concatenate([np.eye(3), -np.eye(3)]), (1.0, 1.0, 1.0))
"""Points of a ball of 10 mm, 5 mm inside its margin."""


def test_maps_tell_where_the_lesion_is_to_be_expected():
    image = np.where(BALL <= 10, 1.0, -1.0).astype(np.float32)
    maps = {name: make(PLACE, image) for name, make in MAPS.items()}
    assert all(each.shape == image.shape for each in maps.values())
    assert maps["points"][21, 16, 16] == pytest.approx(1)
    assert maps["points"][25, 16, 16] == pytest.approx(np.exp(-0.5), abs=1e-3)
    assert maps["box"][26, 16, 16] == pytest.approx(0, abs=1e-6)
    assert maps["box"][31, 16, 16] == pytest.approx(0.5)
    assert maps["ellipsoid"][16, 26, 16] == pytest.approx(0, abs=1e-6)
    assert maps["ellipsoid"][16, 16, 16] == pytest.approx(1)
    assert maps["likelihood"][BALL <= 10].min() > 0.9 > 0.1 > maps["likelihood"][BALL > 10].max()
    # on every second voxel: within two voxels of the margin it may be either
    assert maps["sides"][BALL < 8].min() > 0.5 > maps["sides"][BALL > 12].max()


def test_the_map_of_both_sides_hears_negative_points():
    image = np.where(BALL <= 10, 1.0, -1.0).astype(np.float32)
    told = Place(PLACE.shape, PLACE.points, PLACE.spacing, np.array([[16.0, 16.0, 24.0]]))
    free, held = MAPS["sides"](PLACE, image), MAPS["sides"](told, image)
    assert held[16, 16, 24] < 0.5 < free[16, 16, 24]


def test_no_map_of_no_points():
    assert not heat(Place((4, 5, 6), np.zeros((0, 3)), (1.0, 1.0, 1.0))).any()


@pytest.mark.parametrize("shape", [(5, 6, 7), (1, 4, 2), (8, 8, 8)])
def test_the_map_of_both_sides_has_the_grid_of_the_image(shape):
    points = np.array(np.meshgrid(*[(0, n - 1) for n in shape])).reshape(3, -1).T.astype(float)
    image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    found = MAPS["sides"](Place(shape, points, (1.0, 1.0, 4.0)), image)
    assert found.shape == shape
    assert np.isfinite(found).all()


def test_lesions_that_cannot_be_seen_are_left_out():
    label = np.zeros((24, 24, 24), dtype=np.uint8)
    label[6:18, 6:18, 6:18] = 255
    noise = np.random.default_rng(0).standard_normal(label.shape).astype(np.float32)
    seen, faint = 2.0 * (label > 0) - 1 + 0.2 * noise, noise
    assert visibility(seen, label) > 0.95
    assert visibility(faint, label) < 0.2
    points = np.full((2, 16, 3), np.nan, dtype=np.float32)
    both = Samples(np.stack([seen, faint]), np.stack([label, label]), points, points[:, :4], np.ones((2, 3)))
    np.testing.assert_array_equal(both.visible().image, seen[None])


def test_generated_lesions_share_no_code_with_the_phantoms_that_engines_are_scored_on():
    files = sorted(Path(lesions_module.__file__).parent.glob("lesions*.py"))
    assert len(files) >= 5
    imported = [
        name
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (getattr(node, "module", None) or "", *(alias.name for alias in node.names))
    ]
    assert any("lesions_shapes" in name for name in imported)
    assert not [name for name in imported if "phantom" in name or name.split(".")[0] in ("torch", "monai")]
