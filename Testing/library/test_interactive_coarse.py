"""A preview is the same answer on half the resolution, in the same place."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.coarse import interpolated, steps_of, thinned
from DeepMRILib.interactive.engine import Problem
from DeepMRILib.interactive.measures import dice
from DeepMRILib.interactive.phantom import lesion_phantom
from DeepMRILib.volume import Volume


def a_problem(shape=(41, 30, 27), spacing=(1.0, 1.2, 1.1)) -> Problem:
    rng = np.random.default_rng(0)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = (3, -4, 5)
    return Problem(
        image=rng.normal(size=(*shape, 2)).astype(np.float32),
        affine=affine,
        spacing=spacing,
        points=(rng.uniform(2, 20, (6, 3)),),
        negative=rng.uniform(2, 20, (2, 3)),
        prior=None,
        options=SegmentOptions(),
    )


def test_everything_stays_where_it_is() -> None:
    problem = a_problem()
    coarse = thinned(problem, (2, 2, 2))
    assert coarse.image.shape == (21, 15, 14, 2)
    for fine, few in zip((*problem.points, problem.negative), (*coarse.points, coarse.negative), strict=True):
        there = Volume(coarse.image[..., 0], coarse.affine).ras_from_voxel(few)
        assert np.allclose(there, Volume(problem.image[..., 0], problem.affine).ras_from_voxel(fine))
    assert np.allclose(coarse.image[3, 4, 5], problem.image[6:8, 8:10, 10:12].mean(axis=(0, 1, 2)), atol=1e-6)
    assert np.allclose(coarse.spacing, np.array(problem.spacing) * 2)


def test_points_at_the_edge_stay_inside() -> None:
    problem = dataclasses.replace(a_problem(), points=(np.array([[0.0, 0, 0], [40, 29, 26]]),))
    coarse = thinned(problem, (2, 2, 2))
    at = np.rint(coarse.points[0])
    assert (at >= 0).all()
    assert (at < coarse.shape).all()


def test_thick_slices_and_small_parts_are_kept() -> None:
    assert steps_of(a_problem((40, 40, 40), (0.9, 0.9, 4.5))) == (2, 2, 1)
    assert steps_of(a_problem((40, 20, 40))) == (2, 1, 2)
    assert steps_of(a_problem((12, 12, 12))) == (1, 1, 1)


def test_memberships_come_back_on_all_voxels() -> None:
    rng = np.random.default_rng(1)
    ramp = np.broadcast_to(np.linspace(0, 1, 21)[:, None, None], (21, 15, 14))
    share = np.stack([1 - ramp, 0.7 * ramp, 0.3 * ramp]).astype(np.float32)
    back = interpolated(share, (41, 30, 27), (2, 2, 2))
    assert back.shape == (3, 41, 30, 27)
    assert np.allclose(back.sum(axis=0), 1, atol=1e-6)
    assert back.min() >= 0
    # the mean of two voxels lies between them
    middle = (np.arange(1, 40) - 0.5) / 2 / 20
    assert np.allclose(1 - back[0, 1:40, 9, 9], middle, atol=1e-5)
    same = rng.uniform(size=(2, 5, 6, 7)).astype(np.float32)
    same[0] = 1 - same[1]
    assert np.allclose(interpolated(same, (5, 6, 7), (1, 1, 1)), same, atol=1e-6)


@pytest.mark.parametrize("kind", ["homog", "lobulated", "aniso"])
def test_a_preview_is_nearly_the_full_answer(kind: str) -> None:
    lesion = lesion_phantom(kind)
    full = segment(lesion.image, lesion.points, SegmentOptions())
    coarse = segment(lesion.image, lesion.points, SegmentOptions(resolution="preview"))
    assert dice(coarse.mask.array == 1, full.mask.array == 1) > 0.93
    assert not np.array_equal(coarse.mask.array, full.mask.array)
    assert "A coarse preview." in coarse.provenance.notes
    assert "A coarse preview." not in full.provenance.notes
