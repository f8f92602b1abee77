"""Perivascular spaces by vesselness: tissues, gates, shapes, and the whole on a made brain."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib.errors import InputError
from DeepMRILib.progress import silent
from DeepMRILib.pvs import gates, shapes, tissue
from DeepMRILib.pvs.engine import Answer, Problem
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.vesselness_engine import NO_CONTRAST, NO_PARCELLATION, NO_TISSUE, SCORE, segment_by_vesselness

SHAPE = (72, 84, 76)
BRIGHTNESS = {0: 150.0, 3: 550.0, 2: 750.0, 4: 150.0, 12: 600.0}
CHANCE_TIMES = 100


@lru_cache(maxsize=1)
def a_head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Nested ellipsoids with a folded cortex and tubes: labels, the tubes' fraction, and the image without noise."""
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in SHAPE], indexing="ij"))
    folds = 0.05 * np.sin(14 * grid[0]) * np.sin(14 * grid[1] + 1) * np.sin(14 * grid[2])
    radius = np.sqrt((grid**2).sum(axis=0)) + folds
    labels = np.zeros(SHAPE, np.int32)
    labels[radius < 0.92] = 3
    labels[radius < 0.82] = 2
    ventricle = ((grid[0] / 0.12) ** 2 + (grid[1] / 0.35) ** 2 + ((grid[2] - 0.15) / 0.15) ** 2) < 1
    nucleus = (((np.abs(grid[0]) - 0.3) / 0.13) ** 2 + (grid[1] / 0.25) ** 2 + (grid[2] / 0.2) ** 2) < 1
    labels[nucleus], labels[ventricle] = 12, 4
    fraction = _tubes(labels, rng)
    image = np.select([labels == number for number in BRIGHTNESS], list(BRIGHTNESS.values()))
    image = image * (1 - fraction) + BRIGHTNESS[4] * fraction
    return labels, fraction, ndimage.gaussian_filter(image, 0.45)


def _tubes(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """How much of each voxel straight tubes of 1 to 2.4 mm fill, drawn three times as fine."""
    fraction = np.zeros(SHAPE)
    inside = np.argwhere(ndimage.binary_erosion(np.isin(labels, (2, 12)), iterations=6))
    for start in inside[rng.integers(len(inside), size=30)]:
        unit = rng.normal(size=3)
        unit /= np.linalg.norm(unit)
        box = tuple(slice(int(c) - 7, int(c) + 8) for c in start)
        fine = np.stack(np.meshgrid(*[np.arange(-7 + 1 / 3 - 2 / 3, 7.5, 1 / 3)[:45]] * 3, indexing="ij"), -1)
        along = fine @ unit
        across = np.sqrt(np.maximum((fine**2).sum(-1) - along**2, 0))
        hit = (np.abs(along) < rng.uniform(3, 7)) & (across < rng.uniform(0.5, 1.2))
        share = hit.reshape(15, 3, 15, 3, 15, 3).mean(axis=(1, 3, 5))
        fraction[box] = np.maximum(fraction[box], share)
    return fraction * np.isin(labels, (2, 12))


def a_problem(
    *, labelled: bool = True, turned: bool = False, image: np.ndarray | None = None, **changes: object
) -> Problem:
    labels, _, clean = a_head()
    if image is None:
        image = clean + np.random.default_rng(6).normal(0, 15, SHAPE)
    if turned:
        image = 900 - image
    brain = labels > 0
    return Problem(
        {"t2" if turned else "t1": image.astype(np.float32)},
        brain,
        labels if labelled else None,
        np.eye(4),
        SegmentOptions(**changes),
    )


def segmented(**changes: object) -> Answer:
    return segment_by_vesselness(a_problem(**changes), silent)


def average_precision(score: np.ndarray, truth: np.ndarray) -> float:
    """Area under precision over recall; what scores 0 is never found."""
    order = np.argsort(-score, axis=None, kind="stable")
    right = truth.ravel()[order]
    precision = np.cumsum(right) / np.arange(1, right.size + 1)
    return float((precision * right * (score.ravel()[order] > 0)).sum() / right.sum())


class TestWhole:
    @pytest.mark.parametrize("name", ["frangi", "jerman"])
    @pytest.mark.parametrize("labelled", [True, False])
    def test_far_better_than_chance(self, name: str, labelled: bool) -> None:
        truth = a_head()[1] >= 0.25
        found = segmented(filter=name, labelled=labelled).probability
        assert found.shape == SHAPE
        assert found.dtype == np.float32
        assert found.min() >= 0
        assert found.max() <= 1
        chance = truth.sum() / (a_head()[0] > 0).sum()
        assert average_precision(found, truth) > max(CHANCE_TIMES * chance, 0.5)

    def test_half_is_a_sensible_threshold(self) -> None:
        truth = a_head()[1] >= 0.25
        found = segmented().probability > 0.5
        assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.55

    @pytest.mark.parametrize("labelled", [True, False])
    def test_an_inverted_t1_as_t2_gives_the_same(self, labelled: bool) -> None:
        t1, t2 = segmented(labelled=labelled).probability, segmented(labelled=labelled, turned=True).probability
        both = ((t1 > 0.5) & (t2 > 0.5)).sum()
        assert 2 * both / ((t1 > 0.5).sum() + (t2 > 0.5).sum()) > 0.95

    def test_shading_of_the_coils_changes_little(self) -> None:
        _, fraction, image = a_head()
        shading = np.linspace(0.75, 1.25, SHAPE[1])[None, :, None]
        noise = np.random.default_rng(6).normal(0, 15, SHAPE)
        found = segmented(labelled=False, image=(image + noise) * shading).probability
        assert average_precision(found, fraction >= 0.25) > 0.5

    def test_units_make_no_difference(self) -> None:
        image = a_problem().images["t1"]
        small = segmented(image=image / 700).probability
        np.testing.assert_allclose(small, segmented(image=image).probability, atol=2e-3)

    def test_what_lies_outside_the_brain_makes_no_difference(self) -> None:
        problem = a_problem(labelled=False)
        skull = np.where(problem.brain, problem.images["t1"], 1500)
        np.testing.assert_array_equal(
            segmented(labelled=False, image=skull).probability, segment_by_vesselness(problem, silent).probability
        )

    def test_notes_say_that_it_is_a_score(self) -> None:
        assert segmented().notes == (SCORE,)
        answer = segmented(labelled=False, filter="jerman")
        assert answer.notes == (SCORE, NO_PARCELLATION)
        assert "Jerman" in answer.engine

    def test_progress_runs_to_the_end(self) -> None:
        seen: list[float] = []
        segment_by_vesselness(a_problem(), lambda fraction, _: seen.append(fraction))
        assert seen == sorted(seen)
        assert (seen[0], seen[-1]) == (0, 1)


class TestNothingToSee:
    def test_an_even_image(self) -> None:
        for labelled in (True, False):
            answer = segmented(image=np.full(SHAPE, 5.0), labelled=labelled)
            assert not answer.probability.any()
            assert NO_CONTRAST in answer.notes

    def test_no_brain(self) -> None:
        image = np.zeros(SHAPE, np.float32)
        problem = Problem({"t1": image}, np.zeros(SHAPE, bool), None, np.eye(4), SegmentOptions())
        answer = segment_by_vesselness(problem, silent)
        assert not answer.probability.any()
        assert NO_TISSUE in answer.notes

    def test_a_parcellation_without_white_matter(self) -> None:
        problem = a_problem()
        labels = np.where(np.isin(problem.labels, (2, 12)), 3, problem.labels)
        answer = segment_by_vesselness(
            Problem(problem.images, problem.brain, labels, np.eye(4), SegmentOptions()), silent
        )
        assert not answer.probability.any()
        assert NO_TISSUE in answer.notes

    def test_a_t2_called_t1(self) -> None:
        with pytest.raises(InputError, match="In this T1 the parcellation's ventricles are brighter"):
            segmented(image=900 - a_head()[2])

    def test_no_scales(self) -> None:
        with pytest.raises(InputError, match="scales"):
            segmented(scales=())


class TestTissue:
    def test_three_classes(self) -> None:
        rng = np.random.default_rng(0)
        values = np.concatenate(
            [rng.normal(m, s, n) for m, s, n in ((100, 20, 2000), (500, 40, 9000), (760, 30, 8000))]
        )
        means, deviations, shares = tissue.three_classes(values)
        np.testing.assert_allclose(means, (100, 500, 760), atol=8)
        np.testing.assert_allclose(deviations, (20, 40, 30), rtol=0.3)
        np.testing.assert_allclose(shares, np.array([2, 9, 8]) / 19, atol=0.02)

    @pytest.mark.parametrize("dark", [True, False])
    def test_darkness_is_the_fraction_of_fluid(self, dark: bool) -> None:
        labels, _, image = a_head()
        levels, white = tissue.levels_and_white((image if dark else 900 - image).astype(np.float32), labels > 0, dark)
        darkness = levels.darkness(image if dark else 900 - image)
        assert np.median(darkness[labels == 2]) == pytest.approx(0, abs=0.04)
        assert np.median(darkness[labels == 4]) == pytest.approx(1, abs=0.15)
        truth = labels == 2
        assert 2 * (white & truth).sum() / (white.sum() + truth.sum()) > 0.85

    def test_smoothing_sees_only_the_region(self) -> None:
        image = np.zeros((20, 20, 20), np.float32)
        image[:10] = 5
        inside = np.zeros(image.shape, bool)
        inside[:10] = True
        np.testing.assert_allclose(tissue.smoothed_inside(image, inside, 2.0)[:14], 5, rtol=1e-3)


class TestGates:
    def test_distances_are_kept(self) -> None:
        labels, _, _ = a_head()
        region = gates.region_of_labels(labels, labels > 0, 2.0, 3.0)
        assert region.any()
        assert set(np.unique(labels[region])) == {2, 12}
        to_cortex = ndimage.distance_transform_edt(~np.isin(labels, (0, 3)))
        to_ventricle = ndimage.distance_transform_edt(labels != 4)
        assert to_cortex[region].min() > 2
        assert to_ventricle[region].min() > 3
        allowed = np.isin(labels, (2, 12)) & (to_cortex > 2) & (to_ventricle > 3)
        np.testing.assert_array_equal(region, allowed)

    def test_spaces_labelled_as_something_else_are_part_of_white_matter(self) -> None:
        labels = np.full((30, 30, 30), 2, np.int32)
        labels[14:16, 14:16, 5:25] = 24
        labels[5:8, 5:8, 5:8] = 77
        region = gates.region_of_labels(labels, np.ones(labels.shape, bool), 1.0, 2.0)
        assert region.all()

    def test_parts_of_the_cortex(self) -> None:
        np.testing.assert_array_equal(
            gates.is_cortex(np.array([2, 3, 42, 1035, 2001, 255])), [False, True, True, True, True, False]
        )

    @pytest.mark.parametrize("radius", [0.0, 1.0, 1.5, 2.0, 2.9, 4.0])
    def test_dilation_is_by_a_ball(self, radius: float) -> None:
        mask = np.random.default_rng(0).random((24, 20, 18)) > 0.995
        mask[3, 3, 3] = True
        expected = ndimage.distance_transform_edt(~mask) <= radius
        np.testing.assert_array_equal(gates.dilated(mask, radius), expected if radius >= 1 else mask)

    def test_without_a_parcellation_ventricles_and_cortex_are_out(self) -> None:
        labels, _, image = a_head()
        levels, white = tissue.levels_and_white(image.astype(np.float32), labels > 0, True)
        region = gates.region_of_brightness(white, levels.darkness(image), labels > 0, 1.0, 2.0)
        assert not (region & (labels == 4)).any()
        assert (region & (labels == 3)).sum() < 0.03 * region.sum()
        assert (region & (labels == 12)).sum() > 0.4 * (labels == 12).sum()


class TestShapes:
    def test_hysteresis_at_every_threshold(self) -> None:
        rng = np.random.default_rng(2)
        score = ndimage.gaussian_filter(rng.random((30, 30, 30)), 1.5)
        score = ((score - score.min()) / np.ptp(score)).astype(np.float32) ** 2
        found = shapes.continued(score, 0.5)
        for threshold in (0.2, 0.5, 0.8):
            labels, _ = ndimage.label(score > 0.5 * threshold, np.ones((3, 3, 3)))
            expected = np.isin(labels, np.setdiff1d(labels[score > threshold], [0]))
            np.testing.assert_array_equal(found > threshold, expected)

    def test_hysteresis_of_one_changes_nothing(self) -> None:
        score = np.random.default_rng(3).random((9, 9, 9)).astype(np.float32)
        np.testing.assert_array_equal(shapes.continued(score, 1.0), score)

    def test_only_what_looks_like_a_tube_stays(self) -> None:
        score = np.zeros((60, 60, 60), np.float32)
        line, ball, slab, dot = (np.zeros(score.shape, bool) for _ in range(4))
        line[5:7, 5:7, 5:25] = True
        ball[30:33, 30:33, 5:8] = True
        slab[10:50, 10:50, 40:42] = True
        dot[50, 5, 5:7] = True
        score[line | ball | slab | dot] = 0.8
        found = shapes.only_tubes(score, SegmentOptions())
        np.testing.assert_array_equal(found > 0, line)

    def test_thick_ones_go(self) -> None:
        score = np.zeros((40, 40, 60), np.float32)
        score[10:17, 10:17, 5:55] = 0.8
        assert not shapes.only_tubes(score, SegmentOptions(max_size=1e5)).any()
        assert shapes.only_tubes(score, SegmentOptions(max_size=1e5, max_width=10.0)).any()

    def test_a_space_beside_something_large_is_cut_off(self) -> None:
        score = np.zeros((60, 60, 60), np.float32)
        score[5:45, 5:45, 5:8] = 0.4
        score[20, 20, 8:10] = 0.3
        score[20:22, 20:22, 10:30] = 0.9
        found = shapes.only_tubes(score, SegmentOptions()) > 0
        assert found[20:22, 20:22, 10:30].all()
        assert not found[..., :9].any()

    def test_a_line_is_long_and_a_cube_is_not(self) -> None:
        labels = np.zeros((20, 20, 20), np.int32)
        labels[2, 2, 2:12] = 1
        labels[10:14, 10:14, 10:14] = 2
        size, elongation = shapes.measured(labels, 2)
        assert size.tolist() == [0, 10, 64]
        np.testing.assert_allclose(elongation[1:], [10, 1], rtol=1e-6)
