"""A FLAIR on the T1: brought there, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from test_pvs_prepare import turned

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.options import SegmentOptions
from DeepMRILib.pvs.prepare import prepare
from DeepMRILib.pvs.registration import edge_agreement
from DeepMRILib.volume import Volume

SHAPE = (72, 88, 72)
AFFINE = np.diag([2.0, 2.0, 2.0, 1.0])
AFFINE[:3, 3] = (-72, -90, -60)
MIDDLE = np.array([0.0, -2.0, 12.0])


def head(seed: int) -> tuple[Volume, Volume, Volume]:
    """T1, FLAIR and brain of a head of 2 mm whose tissue has the pattern of a seed."""
    rng = np.random.default_rng(seed)
    away = (np.moveaxis(np.indices(SHAPE), 0, -1) - (np.array(SHAPE) - 1) / 2) / np.array([28.0, 35.0, 27.0])
    depth = np.linalg.norm(away, axis=-1)
    pattern = ndimage.gaussian_filter(rng.standard_normal(SHAPE), 2.2)
    brain = depth < 1
    tissue = np.select([pattern > 0.5 * pattern.std(), pattern < -1.2 * pattern.std()], [2, 0], 1)
    t1 = np.select([brain, depth < 1.08, depth < 1.2], [np.array([30, 70, 100])[tissue], 8, 110], 0)
    flair = np.select([brain, depth < 1.08, depth < 1.2], [np.array([15, 95, 75])[tissue], 6, 60], 0)
    noisy = [
        ndimage.gaussian_filter(values.astype(np.float32), 0.6) + 2 * rng.standard_normal(SHAPE).astype(np.float32)
        for values in (t1, flair)
    ]
    return Volume(noisy[0], AFFINE), Volume(noisy[1], AFFINE), Volume(brain, AFFINE)


def moved(volume: Volume, degrees: tuple[float, ...], shift: tuple[float, ...]) -> Volume:
    """A volume turned about the head's middle and shifted."""
    move = np.eye(4)
    move[:3, :3] = turned(*degrees)
    move[:3, 3] = MIDDLE - move[:3, :3] @ MIDDLE + shift
    return Volume(volume.array, move @ volume.affine)


@pytest.mark.parametrize(("degrees", "shift"), [((15, -4, 3), (20, -20, 8)), ((-5, 8, -15), (-12, 9, 26))])
def test_the_same_head_is_found_again(degrees: tuple[float, ...], shift: tuple[float, ...]) -> None:
    t1, flair, brain = head(0)
    away = moved(flair, degrees, shift)
    ready = prepare({"t1": t1, "flair": away}, SegmentOptions(), brain_mask=brain)
    rows = {row["check"]: row for row in ready.qc}
    assert rows["FLAIR translation"]["value"] == pytest.approx(np.linalg.norm(shift), abs=0.5)
    assert rows["FLAIR rotation"]["value"] == pytest.approx(np.abs(degrees).sum(), abs=2.0)
    assert rows["FLAIR fit"]["verdict"] == "good"
    straight = prepare({"t1": t1, "flair": flair}, SegmentOptions(register_flair=False), brain_mask=brain)
    inside = ready.problem.brain
    known, found = straight.problem.images["flair"][inside], ready.problem.images["flair"][inside]
    assert np.corrcoef(known, found)[0, 1] > 0.97


def test_another_head_is_refused() -> None:
    t1, _, brain = head(0)
    _, other, _ = head(7)
    with pytest.raises(InputError, match="could not be brought onto the T1"):
        prepare({"t1": t1, "flair": other}, SegmentOptions(), brain_mask=brain)


def test_a_flair_elsewhere_is_refused_without_registration() -> None:
    t1, flair, brain = head(0)
    away = moved(flair, (0, 0, 0), (12, 0, 0))
    with pytest.raises(InputError, match="does not lie on the T1.*or let it be registered"):
        prepare({"t1": t1, "flair": away}, SegmentOptions(register_flair=False), brain_mask=brain)
    far = moved(flair, (0, 0, 0), (400, 0, 0))
    with pytest.raises(InputError, match="shows 0 % of the brain"):
        prepare({"t1": t1, "flair": far}, SegmentOptions(register_flair=False), brain_mask=brain)


def test_edges_agree_whatever_is_brighter() -> None:
    rng = np.random.default_rng(4)
    image = ndimage.gaussian_filter(rng.standard_normal((60, 60, 60)), 3)
    brain = np.ones(image.shape, dtype=bool)
    other = ndimage.gaussian_filter(rng.standard_normal((60, 60, 60)), 3)
    assert edge_agreement(image, -3 * image, brain) == pytest.approx(1)
    assert edge_agreement(image, other, brain) < 0.05
    assert edge_agreement(image, np.ones_like(image), brain) == 0
