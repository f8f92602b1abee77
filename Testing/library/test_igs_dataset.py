"""Datasets of slices: what belongs together is accepted, everything else is refused; and what a scanner would see."""

from __future__ import annotations

import numpy as np
import pytest
from igs_data import complex_noise, smooth_images, with_coils

from DeepMRILib.errors import InputError
from DeepMRILib.igs import Encoding, SliceDataset
from DeepMRILib.igs.dataset import MAGNITUDE_NOTE
from DeepMRILib.igs.measuring import combined, measured

IMAGES = np.arange(4 * 6 * 5, dtype=float).reshape(4, 1, 6, 5)


def test_tasks_and_classes() -> None:
    labels = np.zeros((4, 6, 5), dtype=np.uint8)
    labels[0, 0, 0] = 3
    assert SliceDataset(IMAGES).task == "reconstruction"
    assert SliceDataset(IMAGES).classes == 0
    segmentation = SliceDataset(IMAGES, labels, names={1: "RV", 4: "scar"})
    assert (segmentation.task, segmentation.classes) == ("segmentation", 5)
    assert (segmentation.name(1), segmentation.name(2)) == ("RV", "2")
    classification = SliceDataset(IMAGES, [0, 1.0, 1, 0])
    assert (classification.task, classification.classes) == ("classification", 2)
    assert SliceDataset(np.zeros((2, 1, 3, 4, 5)), np.zeros((2, 3, 4, 5))).spatial == 3


def test_a_part_keeps_the_number_of_classes_and_what_belongs_to_its_slices() -> None:
    labels = np.zeros((4, 6, 5), dtype=int)
    labels[3] = 2
    dataset = SliceDataset(IMAGES, labels, cases=["a", "a", "b", "b"], reference=IMAGES * 2)
    part = dataset.subset([0, 2])
    assert part.classes == 3
    assert part.cases.tolist() == ["a", "b"]
    np.testing.assert_array_equal(part.reference, 2 * IMAGES[[0, 2]])
    coils = with_coils((3, 1, 6, 5), 2, sense=True).subset([2])
    assert coils.coil_images.shape == (1, 1, 2, 6, 5)
    assert coils.sensitivities.shape == (1, 2, 6, 5)


def test_normalisation_is_of_each_full_magnitude() -> None:
    images = complex_noise((3, 2, 6, 5))
    mean, deviation = SliceDataset(images).normalisation()
    assert mean.shape == deviation.shape == (3, 2)
    assert mean[1, 1] == pytest.approx(np.abs(images[1, 1]).mean(), rel=1e-5)
    assert deviation[1, 1] == pytest.approx(np.abs(images[1, 1]).std(), rel=1e-5)


def test_simulated_k_space_is_noted() -> None:
    assert SliceDataset(IMAGES, notes=("One.",)).all_notes == ("One.", MAGNITUDE_NOTE)
    assert not SliceDataset(IMAGES + 1j).is_simulated
    assert not with_coils((2, 1, 6, 5), 2, sense=False).is_simulated


def test_the_digest_tells_data_apart() -> None:
    labels = np.zeros((4, 6, 5), dtype=int)
    digests = {
        dataset.digest()
        for dataset in (
            SliceDataset(IMAGES),
            SliceDataset(IMAGES + 1),
            SliceDataset(IMAGES, labels),
            SliceDataset(IMAGES.reshape(4, 1, 5, 6)),
            SliceDataset(IMAGES + 0j),
        )
    }
    assert len(digests) == 5
    assert SliceDataset(IMAGES).digest() == SliceDataset(IMAGES.astype(int)).digest()


def test_one_class_only_is_refused_where_a_task_needs_two() -> None:
    with pytest.raises(InputError, match="All pixels have the label 0"):
        SliceDataset(IMAGES, np.zeros((4, 6, 5))).require_classes()
    with pytest.raises(InputError, match="All slices are of the class 1"):
        SliceDataset(IMAGES, [1, 1, 1, 1]).require_classes()
    SliceDataset(IMAGES, [1, 0, 1, 1]).require_classes()


COILS = complex_noise((4, 1, 3, 6, 5))
BAD = {
    "three axes": ({"images": IMAGES[0]}, "cannot be used"),
    "six axes": ({"images": IMAGES[None, None]}, "cannot be used"),
    "nothing": ({"images": np.zeros((0, 1, 4, 4))}, "cannot be used"),
    "words": ({"images": np.full((1, 1, 2, 2), "x")}, "cannot be used"),
    "NaN": ({"images": np.full((1, 1, 2, 2), np.nan)}, "NaN or infinite"),
    "labels of another shape": ({"targets": np.zeros((4, 5, 6))}, r"The labels have shape \(4, 5, 6\)"),
    "classes of other slices": ({"targets": [0, 1]}, "The labels have shape"),
    "fractions of labels": ({"targets": [0.5, 0, 1, 1]}, "hold fractions"),
    "labels below 0": ({"targets": [-1, 0, 1, 1]}, "from 0 to 255"),
    "labels above 255": ({"targets": [256, 0, 1, 1]}, "from 0 to 255"),
    "labels that are NaN": ({"targets": [np.nan, 0, 1, 1]}, "fractions"),
    "cases of other slices": ({"cases": ["a"]}, "1 names of cases for 4 slices"),
    "spacing of other axes": ({"spacing": (1, 1, 1)}, "3 numbers for 2 spatial axes"),
    "coils of other slices": ({"coil_images": COILS[:2]}, "The coil images have shape"),
    "magnitudes of coils": ({"coil_images": np.abs(COILS)}, "are magnitudes"),
    "sensitivities alone": ({"sensitivities": COILS[:, 0]}, "without coil images"),
    "sensitivities of other coils": (
        {"coil_images": COILS, "sensitivities": COILS[:, 0, :2]},
        r"expected \(4, 3, 6, 5\)",
    ),
    "a complex reference": ({"reference": IMAGES + 1j}, "The reference images"),
    "a reference of another shape": ({"reference": IMAGES[:2]}, "The reference images"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_belong_together_is_refused(case: str) -> None:
    arguments, sentence = BAD[case]
    with pytest.raises(InputError, match=sentence):
        SliceDataset(**{"images": IMAGES, **arguments})


@pytest.mark.parametrize("shape", [(3, 2, 9, 7), (2, 1, 8, 10)])
def test_a_full_mask_leaves_the_image(shape: tuple[int, ...]) -> None:
    images = smooth_images(shape)
    for axis, second in ((-1, 0), (-2, 0), (-1, -2)):
        encoding = Encoding.of(shape, axis, second)
        seen = measured(SliceDataset(images), np.ones((1, *encoding.shape)), encoding)
        np.testing.assert_allclose(seen, np.abs(images), rtol=1e-4, atol=1e-4)
        assert seen.dtype == np.float32


def test_dc_alone_leaves_the_mean_of_each_row() -> None:
    images = np.abs(smooth_images((2, 1, 5, 9)))
    mask = np.zeros((1, 9))
    mask[0, 4] = 1
    seen = measured(SliceDataset(images), mask, Encoding((-1,), (9,)))
    np.testing.assert_allclose(seen, np.broadcast_to(images.mean(axis=3, keepdims=True), images.shape), rtol=1e-4)


def test_coils_are_combined_by_root_of_squares_or_sensitivities() -> None:
    plain = with_coils((2, 1, 6, 5), 3, sense=False)
    full = np.ones((1, 5))
    encoding = Encoding((-1,), (5,))
    expected = np.sqrt((np.abs(plain.coil_images) ** 2).sum(axis=2))
    np.testing.assert_allclose(measured(plain, full, encoding), expected, rtol=1e-4)
    image = complex_noise((2, 1, 6, 5), seed=7)
    maps = complex_noise((2, 3, 6, 5), seed=8)
    sense = SliceDataset(np.abs(image), coil_images=maps[:, None] * image[:, :, None], sensitivities=maps)
    np.testing.assert_allclose(measured(sense, full, encoding), np.abs(image), rtol=1e-4)
    np.testing.assert_allclose(combined(sense.coil_images, sense), np.abs(image), rtol=1e-4)


def test_contrasts_are_measured_with_masks_of_their_own() -> None:
    images = smooth_images((2, 2, 6, 8))
    encoding = Encoding((-1,), (8,))
    masks = np.zeros((2, 8), dtype=bool)
    masks[0, 2:6], masks[1, 4] = True, True
    both = measured(SliceDataset(images), masks, encoding)
    for contrast in (0, 1):
        alone = measured(SliceDataset(images[:, [contrast]]), masks[[contrast]], encoding)
        np.testing.assert_allclose(both[:, [contrast]], alone)
