"""Tubes: their geometry, how much of each voxel they fill, and what a scanner sees of them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from DeepMRILib.pvs.tubes import STEP_MM, Tube, filled, shaped, walks
from DeepMRILib.volume import Volume

BLUR = (0.8, 0.9, 1.0)
OBLIQUE = Rotation.from_euler("xyz", (20, -15, 30), degrees=True).as_matrix()


def grid(spacing: tuple[float, float, float], length: float = 60.0, turn: np.ndarray = OBLIQUE) -> Volume:
    shape = [round(length / edge) for edge in spacing]
    affine = np.eye(4)
    affine[:3, :3] = turn * spacing
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Volume(np.zeros(shape), affine)


def straight(radius: float, length: float, *, power: float = 0.0, ratio: float = 1.0) -> Tube:
    """A tube along R through the origin with its broad side along A."""
    x = np.arange(-length / 2, length / 2 + STEP_MM / 2, STEP_MM)
    line = np.stack([x, 0 * x, 0 * x], axis=1)
    broad = np.tile([0.0, 1.0, 0.0], (len(x), 1))
    return Tube(line, np.full(len(x), radius), broad, ratio, power, 2 * radius, "white matter")


def some_tubes(count: int = 25, seed: int = 3) -> list[Tube]:
    rng = np.random.default_rng(seed)
    starts = rng.uniform(-8, 8, (count, 3))
    lines = walks(starts, rng.uniform(4, 20, count), lambda points: np.tile([0.0, 0.0, 1.0], (len(points), 1)), rng)
    return [shaped(line, rng.uniform(0.5, 2.8), "white matter", rng) for line in lines]


def test_a_straight_parabola_has_the_volume_of_a_cylinder_of_its_half_width():
    assert straight(1.0, 10.0).volume == pytest.approx(np.pi * 10, rel=1e-6)
    assert straight(1.0, 10.0).length == pytest.approx(10)


def test_a_profile_is_one_half_at_its_radius_and_one_at_its_middle():
    fine = grid((0.25, 0.25, 0.25), 16.0, np.eye(3))
    fine = Volume(fine.array, fine.affine)
    for power in (0.0, 3.0):
        tube = straight(2.0, 10.0, power=power, ratio=1.44)  # half axes 2.4 mm along A and 1.67 mm along S
        part = filled(tube, fine.affine, fine.shape, BLUR)
        whole = np.zeros(fine.shape)
        whole[part.box] = part.fraction
        for offset, expected in (((0, 0, 0), 1.0), ((0, 2.4, 0), 0.5), ((0, 0, 2 / 1.2), 0.5), ((0, 0, 3.2), 0.0)):
            index = np.rint(fine.voxel_from_ras([offset])[0]).astype(int)
            around = whole[tuple(slice(i - 1, i + 2) for i in index)].mean()
            assert around == pytest.approx(expected, abs=0.09), (power, offset)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 0.8, 2.0), (0.6, 1.1, 0.9)])
def test_what_voxels_hold_adds_up_to_the_volume(spacing):
    image = grid(spacing)
    total = 0.0
    tubes = some_tubes()
    for tube in tubes:
        part = filled(tube, image.affine, image.shape, BLUR)
        found = part.fraction.sum() * image.voxel_volume
        total += found
        assert found == pytest.approx(tube.volume, rel=0.05)
        assert part.seen.sum() * image.voxel_volume == pytest.approx(tube.volume, rel=0.05)
        assert part.fraction.min() >= 0
        assert part.fraction.max() <= 1 + 1e-6
    assert total == pytest.approx(sum(tube.volume for tube in tubes), rel=0.01)


def test_a_tube_lies_where_its_line_is_on_any_grid():
    tube = some_tubes(1)[0]
    image = grid((0.7, 1.0, 1.6))
    part = filled(tube, image.affine, image.shape, BLUR)
    whole = np.zeros(image.shape)
    whole[part.box] = part.fraction
    weights = tube.radii**2
    index = np.argwhere(whole > 0)
    middle = np.average(image.ras_from_voxel(index), axis=0, weights=whole[whole > 0])
    assert middle == pytest.approx(np.average(tube.line, axis=0, weights=weights), abs=0.15)


def test_the_scanner_blurs_and_rings():
    image = grid((1.0, 1.0, 1.0))
    part = filled(straight(0.6, 12.0, power=4.0), image.affine, image.shape, BLUR)
    assert part.seen.max() < part.fraction.max()
    assert part.seen.min() < -0.005  # truncated k-space
    wider = filled(straight(0.6, 12.0, power=4.0), image.affine, image.shape, (2.0, 2.0, 2.0))
    assert wider.seen.max() < 0.7 * part.seen.max()
    assert wider.seen.min() > part.seen.min()


def test_a_tube_beyond_the_image_fills_nothing_and_one_at_its_edge_only_what_is_inside():
    image = grid((1.0, 1.0, 1.0), 20.0, np.eye(3))
    away = straight(1.0, 6.0)
    moved = Tube(
        away.line + np.array([0, 0, 300]), away.radii, away.broad, away.ratio, away.power, away.diameter, away.region
    )
    assert filled(moved, image.affine, image.shape, BLUR) is None
    edge = Tube(
        away.line + np.array([10, 0, 0]), away.radii, away.broad, away.ratio, away.power, away.diameter, away.region
    )
    part = filled(edge, image.affine, image.shape, BLUR)
    assert part.fraction.sum() == pytest.approx(away.volume / 2, rel=0.05)


def test_walks_are_smooth_go_where_they_are_drawn_and_have_their_length():
    rng = np.random.default_rng(1)
    lengths = rng.uniform(10, 25, 200)
    lines = walks(np.zeros((200, 3)), lengths, lambda points: np.tile([0.0, 0.0, 1.0], (len(points), 1)), rng)
    for line, length in zip(lines, lengths, strict=True):
        steps = np.diff(line, axis=0)
        assert np.linalg.norm(steps, axis=1).sum() == pytest.approx(length, rel=0.15)
        turns = np.sum(steps[1:] * steps[:-1], axis=1) / np.prod(
            [np.linalg.norm(s, axis=1) for s in (steps[1:], steps[:-1])], axis=0
        )
        assert turns.min() > np.cos(np.radians(25))  # no kinks
    ends = np.array([line[-1] for line in lines])
    assert np.mean(ends[:, 2] > 0) > 0.95
    assert ends[:, :2].std() > 2  # and none is like another


def test_ends_are_thinner_and_some_tubes_are_beaded():
    tubes = some_tubes(60)
    assert all(tube.radii[0] < 0.6 * tube.radii.max() for tube in tubes)
    middle = [tube.radii[len(tube.radii) // 3 : -len(tube.radii) // 3] for tube in tubes]
    uneven = [np.ptp(radii) / radii.mean() > 0.15 for radii in middle if len(radii) > 20]
    assert 0 < sum(uneven) < len(uneven) / 2
    assert {tube.power == 0 for tube in tubes} == {True, False}
