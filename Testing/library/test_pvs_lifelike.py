"""Life-like patches: seeded, within range, with spaces where tissue has them and dark on the image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.pvs.example_training import ball
from DeepMRILib.pvs.lifelike import LEAST_SHARE, lifelike_patch
from DeepMRILib.pvs.lifelike_anatomy import HALF_MM, Anatomy, Tissue, tissues, view
from DeepMRILib.pvs.lifelike_contrast import contrast
from DeepMRILib.pvs.lifelike_disease import add_confounders
from DeepMRILib.pvs.lifelike_heads import OFTEN, heads_of, label_maps, read_head
from DeepMRILib.pvs.lifelike_imaging import WHITE_AT, imaged
from DeepMRILib.pvs.lifelike_shapes import filled, lookup, plate, tubes
from DeepMRILib.pvs.lifelike_spaces import home, spaces
from DeepMRILib.volume import LabelVolume


@pytest.fixture(scope="module")
def head() -> Anatomy:
    """A ball of white matter."""
    return Anatomy.of_labels(ball())


def silent(fraction: float, message: str) -> None:
    """Nobody listens."""


# -- heads --


def test_labels_of_freesurfer_and_synthseg_become_tissues() -> None:
    labels = np.array([0, 2, 41, 77, 3, 1035, 24, 4, 43, 7, 8, 10, 50, 12, 13, 16, 53, 251, 3001])
    names = [Tissue(int(kind)).name for kind in tissues(labels)]
    assert names == [
        "AIR", "WHITE", "WHITE", "WHITE", "CORTEX", "CORTEX", "SULCUS", "VENTRICLE", "VENTRICLE", "CEREBELLAR_WHITE",
        "CEREBELLAR_CORTEX", "THALAMUS", "CAUDATE", "PUTAMEN", "PALLIDUM", "BRAINSTEM", "HIPPOCAMPUS", "WHITE", "WHITE",
    ]  # fmt: skip
    outside = tissues(np.array([165, 258, 507, 530]))
    assert (outside >= Tissue.OTHER).all()
    assert len(set(outside.tolist())) > 1


def test_a_head_knows_how_far_its_ventricles_are(head: Anatomy) -> None:
    middle = np.array(head.tissue.shape) // 2
    assert head.tissue[tuple(middle)] == Tissue.VENTRICLE
    inside = np.argwhere(head.tissue == Tissue.VENTRICLE)
    for point in np.argwhere(head.tissue == Tissue.WHITE)[::5000]:
        nearest = np.linalg.norm(inside - point, axis=1).min()
        assert head.ventricle[tuple(point)] == pytest.approx(HALF_MM * nearest, abs=1)


def test_a_map_without_white_matter_or_ventricles_is_refused() -> None:
    with pytest.raises(InputError, match="label numbers of FreeSurfer"):
        Anatomy.of_labels(np.full((9, 9, 9), 2))


def test_a_head_is_read_along_r_a_and_s_whatever_the_file_has(tmp_path: Path) -> None:
    labels = ball(40)
    labels[:, :, 30:] = 0  # cut off at the top
    files.write_labels(LabelVolume(labels, np.eye(4)), tmp_path / "a.nii.gz")
    turned = np.ascontiguousarray(labels[::-1].transpose(0, 2, 1))
    affine = np.array([[-1.0, 0, 0, 39], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    files.write_labels(LabelVolume(turned, affine), tmp_path / "b.nii.gz")
    first, second = (read_head(path) for path in label_maps(tmp_path))
    assert np.array_equal(first.tissue, second.tissue)
    assert first.tissue.shape[2] < first.tissue.shape[0]


def test_voxels_of_2_mm_become_voxels_of_1_mm(tmp_path: Path) -> None:
    files.write_labels(LabelVolume(ball(24), np.diag([2.0, 2, 2, 1])), tmp_path / "a.nii.gz")
    head = read_head(tmp_path / "a.nii.gz")
    expected = 8 * np.count_nonzero(ball(24) == 2)
    assert np.count_nonzero(head.tissue == Tissue.WHITE) == pytest.approx(expected, rel=0.02)


def test_a_folder_without_label_maps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no label map"):
        label_maps(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        label_maps(tmp_path / "absent")
    with pytest.raises(InputError, match="no heads"):
        heads_of(None, 0, 0, silent)


def test_of_three_label_maps_the_last_is_held_out(tmp_path: Path) -> None:
    for number, edge in enumerate((30, 34, 38)):
        files.write_labels(LabelVolume(ball(edge), np.eye(4)), tmp_path / f"{number}.nii.gz")
    heads = heads_of(tmp_path, 0, 0, silent)
    assert len(heads.training) == 2 * OFTEN
    assert [head.tissue.shape[0] for head in heads.held_out] == [36]  # of 38, without the air
    assert heads.names[-1] == "2.nii.gz (held out)"
    assert not heads.notes
    (tmp_path / "2.nii.gz").unlink()
    fewer = heads_of(tmp_path, 0, 0, silent)
    assert len(fewer.training) == OFTEN * len(fewer.held_out) == 2 * OFTEN
    assert "the same heads" in fewer.notes[0]
    assert fewer.digest != heads.digest


# -- shapes --


def test_a_tube_fills_the_volume_of_its_cylinder() -> None:
    random = np.random.default_rng(0)
    count = 200
    starts = np.full((count, 3), 20.0)
    directions = np.tile([0.0, 0.6, 0.8], (count, 1))
    made = tubes(random, starts, directions, np.full(count, 12.0), np.full(count, 1.5))
    volumes = [filled(p, w, (50, 50, 50)).sum() for p, w in zip(made.points, made.weights, strict=True)]
    # tapered, with round ends, some beaded or interrupted: less than a cylinder's
    assert 0.75 * np.pi * 0.75**2 * 12 < np.median(volumes) < np.pi * 0.75**2 * 12
    ends = made.points[:, -1].mean(axis=1) - made.points[:, 0].mean(axis=1)
    assert np.linalg.norm(ends, axis=1) == pytest.approx(np.full(count, 12.0), rel=0.15)


def test_a_plate_fills_the_volume_of_its_ellipse() -> None:
    normal = np.array([0.0, 0.0, 1.0])
    points = plate(np.random.default_rng(1), np.full(3, 20.0), normal, (16.0, 10.0), 2.0)
    assert filled(points, 1 / 64, (40, 40, 40)).sum() == pytest.approx(np.pi / 4 * 16 * 10 * 2, rel=0.1)


def test_points_beyond_the_edges_are_nowhere() -> None:
    points = np.array([[-5.0, 0, 0], [1.0, 1, 1], [99.0, 1, 1]])
    assert filled(points, 1.0, (3, 3, 3)).sum() == 1
    assert lookup(np.ones((3, 3, 3), bool), points).tolist() == [False, True, False]


# -- patches --


def test_a_patch_is_the_same_for_the_same_seed_and_another_for_another(head: Anatomy) -> None:
    first, again, other = (lifelike_patch(head, seed, 24) for seed in (1, 1, 2))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.share, again.share)
    assert not np.array_equal(first.image, other.image)


def test_patches_are_images_of_the_range_of_prepared_ones(head: Anatomy) -> None:
    for seed in range(12):
        patch = lifelike_patch(head, seed, 24)
        assert patch.image.shape == patch.share.shape == patch.room.shape == (24, 24, 24)
        assert patch.image.dtype == patch.share.dtype == np.float32
        assert np.isfinite(patch.image).all()
        assert patch.image.min() >= 0
        assert patch.image.max() <= 1
        assert patch.share.min() >= 0
        assert patch.share.max() <= 1
        assert np.array_equal(patch.truth, patch.share >= LEAST_SHARE)


def test_spaces_are_darker_than_what_is_around_them(head: Anatomy) -> None:
    darker = []
    for seed in range(40):
        patch = lifelike_patch(head, seed, 32)
        white = patch.room & (patch.share == 0)
        full = patch.share > 0.6
        if full.sum() > 5 and white.any():
            darker.append(patch.image[full].mean() < np.median(patch.image[white]))
    assert len(darker) >= 10
    assert np.mean(darker) > 0.95


def test_spaces_lie_in_tissue_that_has_them_and_some_patches_have_none(head: Anatomy) -> None:
    empty = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        seen = view(random, head, 40)
        found = spaces(random, seen)
        if found is None:
            empty += 1
            continue
        share = filled(found.points, found.weights, seen.tissue.shape)
        assert not share[~home(seen)].any()
    assert 2 <= empty <= 25


def test_fluid_is_darker_than_grey_matter_and_that_than_white(head: Anatomy) -> None:
    for seed in range(50):
        chosen = contrast(np.random.default_rng(seed))
        assert 0 < chosen.csf < chosen.grey < 1
        assert chosen.of[Tissue.WHITE] == 1
        assert chosen.of[Tissue.VENTRICLE] == np.float32(chosen.csf)


def test_what_resembles_spaces_changes_the_image_but_makes_no_truth(head: Anatomy) -> None:
    changed = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        seen = view(random, head, 32)
        chosen = contrast(random)
        image = chosen.of[seen.tissue].copy()
        before = image.copy()
        holes = add_confounders(random, seen, chosen, image)
        assert holes.shape == image.shape
        assert not holes[seen.tissue == Tissue.AIR].any()
        changed += not np.array_equal(image, before)
    assert changed >= 12


def test_a_scanner_keeps_the_brightness_of_a_uniform_patch() -> None:
    for seed in range(20):
        image = imaged(np.random.default_rng(seed), np.ones((32, 32, 32), np.float32), 4)
        assert image.shape == (24, 24, 24)
        assert 0.6 * WHITE_AT[0] < image.mean() <= min(1.6 * WHITE_AT[1], 1)
        assert image.std() < 0.35 * image.mean()


def test_a_bright_point_stays_where_it_is() -> None:
    places = []
    for seed in range(30):
        scene = np.full((32, 32, 32), 0.1, np.float32)
        scene[14:18, 15:19, 13:17] = 1
        image = imaged(np.random.default_rng(seed), scene, 4)
        weights = np.clip(image - np.median(image) - 0.1, 0, None)
        if weights.sum() > 1:
            grid = np.indices(image.shape).reshape(3, -1)
            places.append((grid * weights.ravel()).sum(axis=1) / weights.sum())
    assert len(places) > 15
    assert np.median(places, axis=0) == pytest.approx([11.5, 12.5, 10.5], abs=0.3)
