"""Phantoms: seeded, with the structures that they promise, and stripes that only their own lines hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib import files, igs
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.igs.kspace import from_kspace, to_kspace
from DeepMRILib.igs.sources import read_dataset

PHANTOMS = (igs.ring_phantom, igs.lesion_phantom, igs.stripe_phantom)


@pytest.mark.parametrize("make", PHANTOMS)
def test_a_seed_gives_the_same_slices_and_another_one_others(make):
    first, again, other = make(3, 64, seed=5), make(3, 64, seed=5), make(3, 64, seed=6)
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.targets, again.targets)
    assert not np.allclose(np.abs(first.images), np.abs(other.images), atol=0.1)
    assert len({image.tobytes() for image in first.images}) == 3


@pytest.mark.parametrize("make", PHANTOMS)
def test_the_first_slices_of_a_larger_set_are_those_of_a_smaller_one(make):
    np.testing.assert_array_equal(make(2, 48).images, make(5, 48).images[:2])


@pytest.mark.parametrize("make", PHANTOMS)
@pytest.mark.parametrize("size", [47, 96])
def test_every_slice_has_every_structure(make, size):
    made = make(12, size)
    assert made.images.shape == (12, 1, size, size)
    for target in made.targets:
        assert set(np.unique(target)) == {0, *made.names}
    assert made.spacing[0] == pytest.approx(made.spacing[1])


def test_the_ring_is_thin_and_encloses_the_left_ventricle():
    made = igs.ring_phantom(20, 128)
    for target in made.targets:
        outside = ndimage.label(target != 1)[0]
        cavity = target == 2
        # the muscle parts the cavity from everything else
        assert not set(np.unique(outside[cavity])) & set(np.unique(outside[(target == 0) | (target == 3)]))
        across = 2 * ndimage.distance_transform_edt(target == 1).max()
        assert 2 <= across <= 6
        assert (ndimage.binary_dilation(target == 1) & (target == 3)).any()


def test_heart_muscle_is_dark_between_bright_blood():
    made = igs.ring_phantom(12, 128, phase=False)
    mean = lambda label: made.images[:, 0][made.targets == label].mean()  # noqa: E731
    assert mean(2) > 1.7 * mean(1)
    assert mean(3) > 1.7 * mean(1)


def test_the_phase_is_smooth_and_can_be_left_out():
    made = igs.ring_phantom(4, 128, noise=0)
    bright = made.magnitude() > 0.3
    steps = np.abs(np.angle(made.images[..., 1:] * np.conj(made.images[..., :-1])))
    assert steps[bright[..., 1:] & bright[..., :-1]].max() < 0.2
    kspace = to_kspace(made.images, (-1,))
    mirrored = np.conj(kspace[..., :0:-1])
    assert np.abs(kspace[..., 1:] - mirrored).mean() > 0.1 * np.abs(kspace).mean()
    plain = igs.ring_phantom(4, 128, phase=False, noise=0)
    assert plain.images.dtype == np.float32
    assert plain.is_simulated
    np.testing.assert_allclose(plain.images, made.magnitude(), atol=1e-5)


def test_noise_is_as_strong_as_said():
    clean, noisy = (igs.ring_phantom(6, 64, noise=noise).images for noise in (0, 0.05))
    assert (noisy - clean).real.std() == pytest.approx(0.05, rel=0.03)
    assert (noisy - clean).imag.std() == pytest.approx(0.05, rel=0.03)


def test_lesions_are_small():
    made = igs.lesion_phantom(12, 128)
    for target in made.targets:
        count = ndimage.label(target == 2)[1]
        assert 1 <= count <= 7
        assert (target == 2).sum() < 8 * np.pi * 6**2


@pytest.mark.parametrize(("frequency", "another"), [(14, 28), (24, 10)])
def test_the_stripes_lie_in_their_own_lines_only(frequency, another):
    # of the same seed the rest of the image is the same, so that the difference is the stripes
    made, other = igs.stripe_phantom(12, 64, frequency), igs.stripe_phantom(12, 64, another)
    np.testing.assert_array_equal(made.targets, other.targets)
    energy = (np.abs(to_kspace(made.images - other.images, (-1,))) ** 2).sum(axis=(0, 1, 2))
    offset = np.abs(np.arange(64) - 32)
    own, others = (np.abs(offset - cycles) <= 5 for cycles in (frequency, another))
    assert energy[own].sum() > 0.9 * energy[~others].sum()
    assert energy[32] < 0.005 * energy[own].sum()


def test_the_centre_does_not_tell_the_striped_region():
    made = igs.stripe_phantom(24, 64)
    clean, inside = made.images[:, 0], made.targets == 1
    body = ndimage.uniform_filter(clean, (0, 5, 5)) > 0.5
    around = ndimage.binary_dilation(inside, np.ones((1, 15, 15))) & ~inside & body
    assert clean[inside].mean() == pytest.approx(clean[around].mean(), rel=0.08)
    centre = np.abs(np.arange(64) - 32) <= 8
    blurred = from_kspace(to_kspace(clean, (-1,)) * centre, (-1,)).real
    details = np.abs(clean - blurred)
    assert details[inside].mean() > 3 * np.abs(blurred - ndimage.uniform_filter(blurred, (0, 3, 3)))[inside].mean()


@pytest.mark.parametrize(
    ("given", "sentence"), [((0, 64), "0 slices"), ((4, 8), "8 x 8"), ((20_000, 128), "at most 100 million")]
)
def test_what_cannot_be_made_is_refused(given, sentence):
    with pytest.raises(InputError, match=sentence):
        igs.ring_phantom(*given)


def test_a_frequency_that_pixels_cannot_show_is_refused():
    with pytest.raises(InputError, match="Stripes of 32 cycles cannot be shown with 64 columns. Choose 1 to 31"):
        igs.stripe_phantom(1, 64, 32)


@pytest.mark.parametrize("kind", ["ring", "lesions", "stripe"])
def test_a_sample_is_saved_and_read_as_data_again(kind, tmp_path):
    made = igs.sample(igs.SampleOptions(kind=kind, cases=5, size=40, seed=2))
    folder = made.save(tmp_path / "sample")
    image, labels = files.read_volume(folder / "image.nii.gz"), files.read_labels(folder / "labels.nii.gz")
    assert image.shape == (40, 40, 5)
    assert image.same_grid(labels)
    assert labels.names == made.labels.names
    assert (folder / "phase.nii.gz").exists() == (kind != "stripe")
    dataset = read_dataset(folder, igs.DataOptions())
    np.testing.assert_allclose(dataset.magnitude(), made.image.array.transpose(2, 1, 0)[:, None], atol=1e-5)
    np.testing.assert_array_equal(dataset.targets, made.labels.array.transpose(2, 1, 0))
    assert np.iscomplexobj(dataset.images) == (kind != "stripe")
    assert len(set(dataset.cases)) == 5


def test_a_sample_lies_as_in_a_patient():
    made = igs.sample(igs.SampleOptions(cases=3, size=64))
    assert made.image.spacing == pytest.approx((345 / 64, 345 / 64, 8))
    left = made.image.ras_from_voxel([[63, 0, 0]]) - made.image.ras_from_voxel([[0, 0, 0]])
    assert left[0, 0] < -300  # the last column is at the patient's left
    np.testing.assert_allclose(made.image.ras_from_voxel([[31.5, 31.5, 1]]), 0, atol=1e-9)


def test_making_a_sample_can_be_stopped():
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        igs.sample(igs.SampleOptions(cases=10, size=32), progress=stop)
