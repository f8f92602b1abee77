"""Measures of patterns against cases worked out by hand, direct computation and MONAI."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from DeepMRILib.igs.measures import (
    HIGHEST_PSNR,
    Similarity,
    auc,
    auc_of_classes,
    dice,
    hausdorff_95,
    mean_of_known,
    nmse,
    outlines,
    psnr,
    ssim,
    weighted_auc,
)


def blobs(rng: np.random.Generator, slices: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Two masks of overlapping ellipses that nowhere are empty."""
    y, x = np.mgrid[:40, :32]
    masks = []
    for _ in range(2):
        centre = rng.uniform((15, 12), (25, 20), (slices, 2))
        size = rng.uniform(4, 9, (slices, 2))
        masks.append(
            np.stack(
                [((y - cy) / a) ** 2 + ((x - cx) / b) ** 2 < 1 for (cy, cx), (a, b) in zip(centre, size, strict=True)]
            )
        )
    return masks[0], masks[1]


def test_dice_of_a_case_pools_its_slices() -> None:
    truth = np.zeros((2, 4, 4), dtype=int)
    found = truth.copy()
    truth[0, :2], truth[1, 0, 0] = 1, 1  # 8 pixels and 1
    found[0, 1:3] = 1  # 8, of which 4 agree
    assert dice(found, truth, 2) == pytest.approx([2 * 4 / 17])


def test_structures_that_nobody_has_do_not_count_and_those_of_one_are_missed() -> None:
    truth, found = np.zeros((1, 4, 4), dtype=int), np.zeros((1, 4, 4), dtype=int)
    truth[0, 0, 0] = 1
    found[0, 3, 3] = 2
    scores = dice(found, truth, 5)
    assert scores[:2].tolist() == [0, 0]
    assert np.isnan(scores[2:]).all()
    assert mean_of_known(scores) == 0
    assert math.isnan(mean_of_known(scores[2:]))


@pytest.mark.torch
def test_dice_is_monais(rng: np.random.Generator) -> None:
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    found, truth = (rng.integers(0, 4, (2, 20, 20)) for _ in range(2))
    one_hot = [torch.tensor(np.eye(4)[labels].reshape(1, -1, 4).transpose(0, 2, 1)) for labels in (found, truth)]
    theirs = metrics.compute_dice(*one_hot, include_background=False)
    assert dice(found, truth, 4) == pytest.approx(theirs[0].numpy(), rel=1e-6)


def test_outline_is_the_rim_of_a_square_and_the_end_of_the_image() -> None:
    mask = np.zeros((2, 7, 7), dtype=bool)
    mask[0, 1:6, 1:6] = True  # 25 pixels, 9 within
    mask[1, :3, :3] = True  # at a corner: only the middle one is within
    rims = outlines(mask, (1.0, 2.0))
    assert [len(rim) for rim in rims] == [16, 8]
    assert rims[0].max(axis=0).tolist() == [5.0, 10.0]


@pytest.mark.torch
def test_distance_of_one_slice_is_monais(rng: np.random.Generator) -> None:
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    for _ in range(5):
        found, truth = (mask[:1] for mask in blobs(rng))
        theirs = metrics.compute_hausdorff_distance(
            torch.tensor(found[:, None]), torch.tensor(truth[:, None]), percentile=95, spacing=[1.5, 0.7],
            include_background=True,
        )  # fmt: skip
        assert hausdorff_95(found, truth, (1.5, 0.7)) == pytest.approx(float(theirs[0, 0]), rel=1e-5)


def test_distance_of_a_case_is_over_all_its_slices_and_in_mm(rng: np.random.Generator) -> None:
    found, truth = blobs(rng)
    there, back = [], []
    for one, other in zip(outlines(found, (1.0, 1.0)), outlines(truth, (1.0, 1.0)), strict=True):
        distances = cdist(one * (2.0, 0.5), other * (2.0, 0.5))
        there.append(distances.min(axis=1))
        back.append(distances.min(axis=0))
    expected = max(np.percentile(np.concatenate(way), 95) for way in (there, back))
    assert hausdorff_95(found, truth, (2.0, 0.5)) == pytest.approx(expected)
    assert hausdorff_95(truth, truth, (2.0, 0.5)) == 0


def test_distance_leaves_out_slices_without_a_pair(rng: np.random.Generator) -> None:
    found, truth = blobs(rng)
    with_a_gap = found.copy()
    with_a_gap[1] = False
    kept = [0, 2]
    assert hausdorff_95(with_a_gap, truth, (1, 1)) == hausdorff_95(found[kept], truth[kept], (1, 1))
    assert math.isnan(hausdorff_95(np.zeros_like(truth), truth, (1, 1)))


def test_distance_in_volumes() -> None:
    found, truth = np.zeros((2, 1, 5, 5, 5), dtype=bool)
    found[0, 1, 2, 2] = truth[0, 4, 2, 2] = True
    assert hausdorff_95(found, truth, (2.5, 1, 1)) == 7.5


def test_area_by_hand_with_ties_and_without_a_class() -> None:
    # pairs of 3 positives with 2 negatives: 0.8 beats both, 0.5 beats one and ties one, 0.2 ties one
    assert auc([0.8, 0.5, 0.2, 0.5, 0.2], [1, 1, 1, 0, 0]) == pytest.approx((2 + 1.5 + 0.5) / 6)
    assert auc([3.0] * 6, [0, 1, 0, 1, 1, 1]) == 0.5
    assert math.isnan(auc([0.1, 0.2], [1, 1]))


@pytest.mark.torch
def test_area_is_monais(rng: np.random.Generator) -> None:
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    truth = rng.integers(0, 3, 60)
    probabilities = rng.dirichlet((1, 1, 1), 60) + 0.3 * np.eye(3)[truth]
    probabilities = np.round(probabilities, 1)  # with ties
    theirs = metrics.compute_roc_auc(torch.tensor(probabilities), torch.tensor(np.eye(3)[truth]), average="macro")
    assert auc_of_classes(probabilities, truth)[0] == pytest.approx(theirs, rel=1e-6)


def test_weights_are_repetitions(rng: np.random.Generator) -> None:
    scores, positive = rng.integers(0, 6, 30).astype(float), rng.random(30) < 0.4
    weights = rng.integers(0, 4, (5, 30))
    expected = [auc(np.repeat(scores, row), np.repeat(positive, row)) for row in weights]
    assert weighted_auc(scores, positive, weights) == pytest.approx(expected)


def test_classes_that_do_not_occur_are_left_out_of_the_mean() -> None:
    truth = np.array([0, 1, 0, 1])
    probabilities = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.3, 0.4, 0.3], [0.1, 0.8, 0.1]])
    assert auc_of_classes(probabilities, truth)[0] == 1.0


def test_error_measures_by_hand() -> None:
    truth, found = np.array([[[2.0, 4.0]]]), np.array([[[2.0, 3.0]]])
    assert psnr(found, truth) == pytest.approx(10 * math.log10(16 / 0.5))
    assert nmse(found, truth) == pytest.approx(1 / 20)
    assert psnr(truth, truth) == HIGHEST_PSNR
    assert nmse(truth, truth) == 0
    assert math.isnan(psnr(found, 0 * truth))
    assert math.isnan(nmse(found, 0 * truth))


def direct_ssim(found: np.ndarray, truth: np.ndarray, window: int = 7) -> float:
    """The definition, window by window."""
    c1, c2 = (0.01 * truth.max()) ** 2, (0.03 * truth.max()) ** 2
    values = []
    for a, b in zip(found, truth, strict=True):
        for row in range(a.shape[0] - window + 1):
            for column in range(a.shape[1] - window + 1):
                one, other = (
                    image[row : row + window, column : column + window].astype(float).ravel() for image in (a, b)
                )
                (v1, c), (_, v2) = np.cov(one, other)
                m1, m2 = one.mean(), other.mean()
                values.append(
                    (2 * m1 * m2 + c1) * (2 * c + c2) / ((m1**2 + m2**2 + c1) * (v1 + v2 + c2)),
                )
    return float(np.mean(values))


def test_similarity_is_its_definition(rng: np.random.Generator) -> None:
    truth = rng.random((2, 13, 16)).astype(np.float32)
    found = (truth + 0.2 * rng.standard_normal(truth.shape)).astype(np.float32)
    assert ssim(found, truth) == pytest.approx(direct_ssim(found, truth), rel=1e-6)
    assert ssim(found[:, :5, :6], truth[:, :5, :6]) == pytest.approx(
        direct_ssim(found[:, :5, :6], truth[:, :5, :6], 5), rel=1e-6
    )
    assert ssim(truth, truth) == pytest.approx(1)
    assert math.isnan(ssim(found, 0 * truth))


@pytest.mark.torch
def test_similarity_is_near_monais_whose_variance_is_the_biased_one(rng: np.random.Generator) -> None:
    metrics = pytest.importorskip("monai.metrics")
    torch = pytest.importorskip("torch")
    y, x = np.mgrid[:48, :48]
    truth = (np.exp(-((y - 24.0) ** 2 + (x - 20.0) ** 2) / 90)[None]).astype(np.float32)
    found = (truth + 0.05 * rng.standard_normal(truth.shape)).astype(np.float32)
    measure = metrics.regression.SSIMMetric(
        2, data_range=float(truth.max()), kernel_type="uniform", win_size=7, reduction="none"
    )
    theirs = float(measure(torch.tensor(found[:, None]), torch.tensor(truth[:, None])))
    ours = Similarity(truth).of(found)
    assert ours < 0.9
    assert ours == pytest.approx(theirs, abs=5e-3)
