"""What is refused of images, masks and parcellations, each with its sentence."""

from __future__ import annotations

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.checks import checked_images
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.prepare import prepare
from DeepMRILib.volume import Volume

SHAPE = (50, 50, 50)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
BALL = np.linalg.norm(np.moveaxis(np.indices(SHAPE), 0, -1) - 24.5, axis=-1) < 20
OPTIONS = SegmentOptions()


def image(affine: np.ndarray = AFFINE) -> Volume:
    return Volume((100 * BALL + np.random.default_rng(0).integers(0, 9, SHAPE)).astype(np.float32), affine)


def spaced(*spacing: float) -> np.ndarray:
    return np.diag([*spacing, 1.0])


def with_values(value: float, count: int, inside: bool) -> Volume:
    changed = image()
    where = np.argwhere(inside == BALL)[:: max(1, int((inside == BALL).sum() // count))][:count]
    changed.array[tuple(where.T)] = value
    return changed


CHOICES = {
    "There is no image": {"t1": None},
    "a T1 and a T2": {"t1": image(), "t2": image()},
    "a FLAIR without a T1": {"flair": image(), "t2": image()},
    "called t1, flair or t2; got 'pd'": {"pd": image()},
}


@pytest.mark.parametrize("sentence", CHOICES)
def test_images_that_do_not_go_together(sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        checked_images(CHOICES[sentence])


def ct() -> Volume:
    return Volume(np.where(BALL, 40, -1000).astype(np.int16), AFFINE)


BAD = {
    "holds 3 values per voxel": lambda: Volume(np.zeros((*SHAPE, 3)), AFFINE),
    "holds complex numbers": lambda: Volume(image().array + 1j, AFFINE),
    "at least 10 slices": lambda: Volume(np.random.rand(60, 60, 9), spaced(2, 2, 5)),
    "50 x 50 x 1 voxels": lambda: Volume(np.random.rand(50, 50, 1), AFFINE),
    "more than 6 mm": lambda: image(spaced(2, 2, 6.5)),
    "covers 50 x 100 x 100 mm": lambda: image(spaced(1, 2, 2)),
    "another unit than millimetres": lambda: image(spaced(0.002, 0.002, 0.002)),
    "looks like a CT": ct,
    "All voxels of the T1 are 7": lambda: Volume(np.full(SHAPE, 7.0), AFFINE),
    "NaN or infinite; at most 0.1 %": lambda: with_values(np.nan, 500, inside=False),
    "NaN or infinite inside the brain": lambda: with_values(np.inf, 3, inside=True),
}


@pytest.mark.parametrize("sentence", BAD)
def test_images_that_cannot_be_used(sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        prepare({"t1": BAD[sentence]()}, OPTIONS, brain_mask=Volume(BALL, BAD[sentence]().affine))


def test_every_value_unknown_is_refused() -> None:
    with pytest.raises(InputError, match="^100 % of the T1's voxels are NaN or infinite"):
        checked_images({"t1": Volume(np.full(SHAPE, np.nan), AFFINE)})


def test_few_unknown_values_outside_the_brain_count_as_zero() -> None:
    ready = prepare({"t1": with_values(np.nan, 20, inside=False)}, OPTIONS, brain_mask=Volume(BALL, AFFINE))
    assert np.isfinite(ready.problem.images["t1"]).all()
    assert any("20 voxels outside the brain" in note for note in ready.notes)


def test_unknown_values_of_a_flair_are_told() -> None:
    flair = with_values(np.nan, 20, inside=False)
    with pytest.raises(InputError, match="FLAIR's voxels are NaN or infinite; at most"):
        prepare({"t1": image(), "flair": with_values(np.nan, 900, inside=False)}, OPTIONS, brain_mask=_mask())
    ready = prepare({"t1": image(), "flair": flair}, SegmentOptions(register_flair=False), brain_mask=_mask())
    assert np.isfinite(ready.problem.images["flair"]).all()
    assert any("20 voxels of the FLAIR" in note for note in ready.notes)


def _mask() -> Volume:
    return Volume(BALL, AFFINE)


MASKS = {
    "The mask is empty": Volume(np.zeros(SHAPE), AFFINE),
    "lies elsewhere in space": Volume(BALL, spaced(2, 2, 2.1)),
    "50 x 50 x 40 voxels": Volume(BALL[..., :40], AFFINE),
}


@pytest.mark.parametrize("sentence", MASKS)
def test_masks_that_cannot_be_used(sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        prepare({"t1": image()}, OPTIONS, brain_mask=MASKS[sentence])


def test_masks_too_small_or_too_large_for_a_brain() -> None:
    thin = BALL & (np.abs(np.arange(50) - 24) < 3)
    with pytest.raises(InputError, match=r"The brain mask holds \d\d ml; expected the brain, of 100 to 3000 ml"):
        prepare({"t1": image()}, OPTIONS, brain_mask=Volume(thin, AFFINE))
    wide = spaced(5.5, 5.5, 5.5)
    with pytest.raises(InputError, match="ml; expected the brain"):
        prepare({"t1": image(wide)}, OPTIONS, brain_mask=Volume(BALL, wide))


def test_one_component_and_whole_numbers_are_fine() -> None:
    single = Volume(image().array[..., None].astype(np.int16), AFFINE)
    assert checked_images({"t2": single})["t2"].array.shape == SHAPE


def test_an_image_without_a_head_shows_no_brain() -> None:
    point = np.zeros(SHAPE, dtype=np.float32)
    point[25, 25, 25] = 1
    for values in (point, -point):
        with pytest.raises(InputError, match="No brain was found"):
            prepare({"t1": Volume(values, AFFINE)}, OPTIONS)
