"""Simulated phase and noise, and the division of cases."""

from __future__ import annotations

from dataclasses import replace

import igs_raw
import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.igs import DataOptions, SliceDataset, read_dataset
from DeepMRILib.igs.coils import combined_dataset
from DeepMRILib.igs.kspace import to_kspace
from DeepMRILib.igs.scanner import with_noise, with_phase
from DeepMRILib.igs.splitting import case_parts, part_of


@pytest.fixture
def slices() -> SliceDataset:
    images = igs_raw.object_images(6, 33, 28)
    return SliceDataset(np.stack([images, 3 * images], axis=1), (images > 0.8).astype(int), cases=list("aaabbb"))


def test_phase_is_smooth_and_as_large_as_said(slices: SliceDataset) -> None:
    found = with_phase(slices, 2.0, seed=1)
    np.testing.assert_allclose(found.magnitude(), slices.images, rtol=1e-5)
    ones = with_phase(SliceDataset(np.ones((4, 1, 64, 64))), 2.0, seed=1)
    phase = np.angle(ones.images)
    np.testing.assert_allclose(np.abs(phase).max(axis=(1, 2, 3)), 2.0, rtol=1e-5)
    assert np.abs(np.diff(phase, axis=-1)).max() < 0.5
    assert not np.allclose(phase[0], phase[1])
    assert not found.is_simulated


def test_a_slice_has_the_same_phase_and_noise_whichever_part_it_is_read_with(slices: SliceDataset) -> None:
    later = slices.subset([3, 4, 5])
    for added in (lambda one: with_phase(one, 2.0, seed=1), lambda one: with_noise(one.subset([0, 1, 2]), 0.1, seed=1)):
        alone, together = added(later).images, added(slices.subset([3, 4, 5, 0])).images[:3]
        np.testing.assert_array_equal(alone, together)
    first = with_phase(slices.subset([0, 1, 2]), 2.0, seed=1)
    assert not np.allclose(np.angle(first.images), np.angle(with_phase(later, 2.0, seed=1).images), atol=0.1)


def test_phase_takes_the_mirror_symmetry_from_k_space() -> None:
    images = SliceDataset(igs_raw.object_images(2, 33, 29)[:, None])  # of odd sizes the mirror image is a flip

    def asymmetry(dataset: SliceDataset) -> float:
        size = np.abs(to_kspace(dataset.images, (-2, -1)))
        return float(np.abs(size - size[..., ::-1, ::-1]).sum() / size.sum())

    assert asymmetry(images) < 1e-5
    assert asymmetry(with_phase(images, 2.0, seed=0)) > 0.1


def test_noise_is_as_strong_as_said_and_keeps_the_clean_image(slices: SliceDataset) -> None:
    ones = SliceDataset(np.full((4, 2, 64, 64), [[[[1.0]], [[3.0]]]]))
    found = with_noise(ones, 0.1, seed=3)
    for part in (np.real, np.imag):
        left = to_kspace(found.images - ones.images, (-2, -1))
        np.testing.assert_allclose(part(left).std(axis=(0, 2, 3)), [0.1, 0.3], rtol=0.03)
    np.testing.assert_array_equal(found.truth(), ones.images)
    np.testing.assert_array_equal(with_noise(slices, 0.1, seed=3).images, with_noise(slices, 0.1, seed=3).images)
    assert not np.allclose(with_noise(slices, 0.1, seed=4).images, with_noise(slices, 0.1, seed=3).images)


def test_every_slice_of_a_case_gets_the_same_noise_level() -> None:
    images = np.ones((4, 1, 64, 64))
    images[1] *= 9  # one case: mean 5; the other: mean 1
    found = with_noise(SliceDataset(images, cases=list("aabb")), 0.1, seed=0)
    np.testing.assert_allclose((found.images - images).real.std(axis=(1, 2, 3)), [0.5, 0.5, 0.1, 0.1], rtol=0.05)


@pytest.mark.parametrize("coils", ["rss", "sense"])
def test_each_coil_has_noise_of_its_own(coils: str) -> None:
    kspace = igs_raw.multi_coil(igs_raw.object_images(2, 48, 40), 4)[:, None]
    clean = combined_dataset(kspace, DataOptions(coils=coils), cases=["a", "a"])
    found = with_noise(clean, 0.2, seed=0)
    wanted = 0.2 * clean.images.mean()
    added = (found.coil_images - clean.coil_images).real
    np.testing.assert_allclose(added.std(axis=(0, 1, 3, 4)), wanted, rtol=0.05)
    assert abs(np.corrcoef(added[0, 0].reshape(4, -1)) - np.eye(4)).max() < 0.1
    np.testing.assert_array_equal(found.truth(), clean.images)
    assert np.abs(found.images - clean.images).max() > 0


def test_phase_and_noise_are_added_when_data_are_read(slices: SliceDataset) -> None:
    options = DataOptions(smooth_phase=1.0, noise=0.05, seed=7)
    found = read_dataset(slices, options)
    assert np.iscomplexobj(found.images)
    np.testing.assert_allclose(found.truth(), slices.images, rtol=1e-5)
    np.testing.assert_array_equal(found.images, read_dataset(slices, options).images)
    assert len(found.notes) == 2
    with pytest.raises(InputError, match="phase of their own"):
        with_phase(found, 1.0, seed=0)


@pytest.mark.parametrize(("cases", "sizes"), [(3, (1, 1, 1)), (4, (2, 1, 1)), (8, (4, 2, 2)), (100, (50, 25, 25))])
def test_cases_are_dealt_half_and_quarters(cases: int, sizes: tuple[int, ...]) -> None:
    parts = case_parts([str(case) for case in range(cases)], seed=0)
    assert tuple(list(parts.values()).count(part) for part in ("train", "select", "test")) == sizes
    assert parts == case_parts([str(case) for case in reversed(range(cases))], seed=0)
    if cases > 8:
        assert parts != case_parts([str(case) for case in range(cases)], seed=1)


def test_classes_are_shared_evenly() -> None:
    names = [str(case) for case in range(40)]
    classes = {name: int(int(name) < 8) for name in names}
    for seed in range(5):
        parts = case_parts(names, seed, classes)
        rare = [parts[name] for name in names if classes[name]]
        assert [rare.count(part) for part in ("train", "select", "test")] == [4, 2, 2]


def of_cases(*counts: int) -> SliceDataset:
    names = [name for name, count in zip("abcdef", counts, strict=False) for _ in range(count)]
    images = np.arange(1.0, len(names) + 1)[:, None, None, None] * np.ones((1, 1, 4, 4))
    return SliceDataset(images, cases=names)


def rows(dataset: SliceDataset) -> list[int]:
    return (dataset.images[:, 0, 0, 0] - 1).astype(int).tolist()


@pytest.mark.parametrize("counts", [(16,), (5,), (4,), (9, 7), (2, 6), (3, 3, 3), (1, 1, 1, 1)])
def test_parts_do_not_overlap_and_miss_nothing(counts: tuple[int, ...]) -> None:
    dataset = of_cases(*counts)
    parts = {part: part_of(dataset, part, 0) for part in ("train", "select", "test")}
    assert sorted(row for part in parts.values() for row in rows(part)) == list(range(sum(counts)))
    assert all(part.notes for part in parts.values())
    assert part_of(dataset, "all", 0) is dataset


def test_one_case_is_dealt_in_runs_and_said_to_be_dependent() -> None:
    found = part_of(of_cases(16), "train", 0)
    assert rows(found) == [0, 1, 4, 5, 8, 9, 12, 13]
    assert "not independent" in found.notes[0]


def test_of_two_cases_one_is_held_back() -> None:
    parts = [set(part_of(of_cases(8, 8), part, 0).cases) for part in ("train", "select", "test")]
    assert parts[0] == parts[1]
    assert not parts[0] & parts[2]


def test_too_few_slices_serve_in_every_part() -> None:
    for part in ("train", "select", "test"):
        found = part_of(of_cases(2), part, 0)
        assert rows(found) == [0, 1]
        assert "nothing to divide" in found.notes[0]


def test_parts_keep_targets_names_and_coils(slices: SliceDataset) -> None:
    named = replace(slices, names={1: "ring", 2: "absent"}, cases=list("abcdef"))
    found = part_of(named, "test", 0)
    assert found.classes == 3
    assert found.targets.shape == (len(found), 33, 28)
