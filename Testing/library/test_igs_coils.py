"""Sensitivities from the centre of k-space, and the combination of coils."""

from __future__ import annotations

from pathlib import Path

import igs_raw
import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.igs import DataOptions, read_dataset
from DeepMRILib.igs.coils import calibration_size, combined_dataset, estimated_sensitivities
from DeepMRILib.igs.kspace import to_kspace

RSS, SENSE = DataOptions(), DataOptions(coils="sense")


def lines(h: int, w: int, columns: range) -> np.ndarray:
    acquired = np.zeros((h, w), bool)
    acquired[:, list(columns)] = True
    return acquired


@pytest.mark.parametrize(
    ("columns", "size"),
    [
        (range(12, 20), (40, 8)),
        (range(11, 20), (40, 8)),  # even sizes reach one further to the negative side
        (range(12, 21), (40, 9)),
        (range(32), (40, 32)),
        (range(16, 32), (40, 1)),  # half of k-space: around DC there is one line
        (range(17, 32), (0, 0)),
    ],
)
def test_the_largest_block_around_dc(columns: range, size: tuple[int, int]) -> None:
    assert calibration_size(lines(40, 32, columns)) == size


def test_the_block_of_a_poisson_disc_is_its_square() -> None:
    acquired = np.random.default_rng(0).random((64, 48)) < 0.2
    acquired[24:40, 16:32] = True
    acquired[22:24] = acquired[40:42] = False
    acquired[:, 14:16] = acquired[:, 32:34] = False
    assert calibration_size(acquired) == (16, 16)


def test_sensitivities_are_those_of_the_coils() -> None:
    images = igs_raw.object_images(2, 64, 48)
    kspace = igs_raw.multi_coil(images, 6)[:, None]
    maps = estimated_sensitivities(kspace, np.ones((64, 48), bool))
    truth = igs_raw.coil_maps(6, 64, 48)
    inside = images[0] > 0.4
    # the phase that all coils share belongs to the image
    alike = np.abs((np.conj(truth) * maps[0]).sum(axis=0))[inside]
    assert np.percentile(alike, 5) > 0.99
    assert alike.min() > 0.95
    np.testing.assert_allclose(np.sqrt((np.abs(maps[0]) ** 2).sum(axis=0))[inside], 1, atol=1e-4)
    assert not maps[:, :, 0, 0].any()


def test_both_combinations_give_the_image() -> None:
    images = igs_raw.object_images(2, 64, 48)
    kspace = igs_raw.multi_coil(images, 6)[:, None]
    rss, sense = (combined_dataset(kspace, options, cases=["a", "b"]) for options in (RSS, SENSE))
    np.testing.assert_allclose(rss.images[:, 0], images, atol=1e-4)
    inside = images > 0.4
    assert np.abs(sense.images[:, 0] - images)[inside].max() < 0.05
    assert rss.sensitivities is None
    assert sense.sensitivities.shape == (2, 6, 64, 48)


def test_sense_leaves_less_noise_in_the_background() -> None:
    images = igs_raw.object_images(1, 64, 48)
    rng = np.random.default_rng(1)
    kspace = igs_raw.multi_coil(images, 6)[:, None]
    noisy = kspace + 0.02 * (rng.standard_normal(kspace.shape) + 1j * rng.standard_normal(kspace.shape))
    rss, sense = (combined_dataset(noisy, options, cases=["a"]).images[0, 0] for options in (RSS, SENSE))
    outside = images[0] == 0
    assert sense[outside].mean() < 0.8 * rss[outside].mean()


def test_raw_data_without_calibration_lines_cannot_be_combined_by_sense(tmp_path: Path) -> None:
    kspace = igs_raw.multi_coil(igs_raw.object_images(1, 32, 32), 4)
    kspace[..., 1::2] = 0
    np.save(tmp_path / "scan.npy", kspace)
    with pytest.raises(InputError, match="8 x 8 fully sampled calibration points .* have 32 x 1. Choose rss"):
        read_dataset(tmp_path / "scan.npy", SENSE)
    found = read_dataset(tmp_path / "scan.npy", RSS)
    assert any("50 % was acquired" in note for note in found.notes)


def test_contrasts_share_the_sensitivities_of_the_strongest() -> None:
    images = igs_raw.object_images(1, 64, 48)
    kspace = igs_raw.multi_coil(images, 4)
    weak = 1e-3 * np.random.default_rng(0).standard_normal(kspace.shape)
    maps = estimated_sensitivities(np.stack([weak, kspace], axis=1).astype(np.complex64), np.ones((64, 48), bool))
    alone = estimated_sensitivities(kspace[:, None], np.ones((64, 48), bool))
    np.testing.assert_allclose(maps, alone, atol=1e-6)


def test_a_3d_scan_has_sensitivities_along_all_axes() -> None:
    volume = igs_raw.object_images(16, 24, 20)
    coils = igs_raw.coil_maps(3, 24, 20)[:, None] * np.linspace(0.5, 1, 16)[:, None, None]
    kspace = to_kspace(volume * coils, (-3, -2, -1)).astype(np.complex64)[None, None]
    found = combined_dataset(kspace, SENSE, cases=["scan"], spacing=(3, 2, 1))
    assert found.sensitivities.shape == (16, 3, 24, 20)
    assert found.spacing == (2, 1)
    whole = combined_dataset(kspace, DataOptions(coils="sense", slice_axis="volume"), cases=["scan"], spacing=(3, 2, 1))
    assert whole.sensitivities.shape == (1, 3, 16, 24, 20)
    np.testing.assert_array_equal(whole.images[0, 0], found.images[:, 0])


def test_eight_real_coils(shared_data: Path) -> None:
    path = shared_data / "kspace_sigpy_brain8ch" / "cartesian_ksp.npy"
    rss, sense = (read_dataset(path, options) for options in (RSS, SENSE))
    assert rss.coil_images.shape == (1, 1, 8, 230, 180)
    assert any("12.4 % was acquired" in note for note in rss.notes)
    first, second = rss.images[0, 0], sense.images[0, 0]
    head = first > 0.2 * first.max()
    assert 0.3 < head.mean() < 0.7
    assert np.corrcoef(first[head], second[head])[0, 1] > 0.98
    air = np.zeros_like(head)
    air[:15, :15] = True
    assert second[air].mean() < 0.5 * first[air].mean()
