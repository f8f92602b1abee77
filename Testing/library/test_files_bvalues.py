"""b-values and gradient directions: typed, in files, next to images, and in the axes in which they were measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from files_samples import assert_same_world, random_affine, rotation
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.files.directions import fsl_from_ras, ras_from_fsl, unit
from DeepMRILib.volume import DiffusionVolume, Volume


def a_series(rng: np.random.Generator, count: int = 4, *, with_directions: bool = True) -> DiffusionVolume:
    """An oblique series of ``count`` images; the first has b = 0."""
    b_values = np.linspace(0, 800, count)
    directions = unit(rng.normal(size=(count, 3))) * (b_values > 0)[:, None] if with_directions else None
    array = rng.normal(size=(4, 3, 5, count)).astype(np.float32)
    return DiffusionVolume(array, random_affine(rng), b_values, directions)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0, 50 100;200", [0, 50, 100, 200]),
        ("0\n50\r\n100\t", [0, 50, 100]),
        (" 1e3,,2.5 ", [1000, 2.5]),
        ("5", [5]),
    ],
)
def test_typed_b_values(text: str, expected: list[float]) -> None:
    np.testing.assert_array_equal(files.parse_b_values(text), expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0 abc 50", "The b-values contain 'abc', which is not a number"),
        ("0 -50", "The b-values contain -50; b-values are zero or positive"),
        (" ,; ", "The b-values are missing"),
        ("0 nan", "NaN or infinite"),
        ("0 0x10", "'0x10', which is not a number"),
    ],
)
def test_typed_b_values_that_are_none(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        files.parse_b_values(text)


@pytest.mark.parametrize(
    "content", ["0 50 100\n", "0\n50\n100", "0,50,100", "\ufeff0 50 100", "0\t50\t100 \r\n", "0.0 5e1 100.0"]
)
def test_b_value_files(tmp_path: Path, content: str) -> None:
    (tmp_path / "b.txt").write_text(content, encoding="utf-8")
    np.testing.assert_array_equal(files.read_b_values(tmp_path / "b.txt"), [0, 50, 100])


def test_b_values_are_written_in_one_row(tmp_path: Path) -> None:
    files.write_b_values(tmp_path / "b.bval", [0, 50, 1000.5])
    assert (tmp_path / "b.bval").read_text() == "0 50 1000.5\n"
    with pytest.raises(OutputError, match="does not exist"):
        files.write_b_values(tmp_path / "nowhere" / "b.bval", [0])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", r"b\.bval: The b-values are missing"),
        (b"0 fifty", r"b\.bval contains 'fifty', which is not a number"),
        (b"0 -1", r"b\.bval: The b-values contain -1"),
        (b"\xff\xfe\x00\x80", r"b\.bval is not a text file"),
        (b"0 " * 5_000_001, r"b\.bval is too large"),
    ],
)
def test_b_value_files_that_are_none(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "b.bval").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        files.read_b_values(tmp_path / "b.bval")


def test_no_b_value_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no b-value file .*b\.bval\. Check the path"):
        files.read_b_values(tmp_path / "b.bval")
    with pytest.raises(InputError, match="is a folder; a b-value file was expected"):
        files.read_b_values(tmp_path)


def test_direction_files_in_rows_and_in_columns(tmp_path: Path, rng: np.random.Generator) -> None:
    vectors = unit(rng.normal(size=(5, 3)))
    files.write_directions(tmp_path / "v.bvec", vectors)
    assert len((tmp_path / "v.bvec").read_text().splitlines()) == 3
    np.testing.assert_allclose(files.read_directions(tmp_path / "v.bvec"), vectors, atol=1e-8)
    np.savetxt(tmp_path / "columns.bvec", vectors)
    np.testing.assert_allclose(files.read_directions(tmp_path / "columns.bvec"), vectors)
    np.savetxt(tmp_path / "nan.bvec", np.where(np.arange(5)[:, None] == 0, np.nan, vectors))
    np.testing.assert_array_equal(files.read_directions(tmp_path / "nan.bvec")[0], 0)


@pytest.mark.parametrize("content", ["1 0\n0 1\n", "1 0 0 0\n0 1 0\n0 0 1\n", "", "1 0 0 1\n" * 4])
def test_direction_files_of_another_shape(tmp_path: Path, content: str) -> None:
    (tmp_path / "v.bvec").write_text(content)
    with pytest.raises(InputError, match=r"v\.bvec holds \d rows of .* numbers; gradient directions stand in three"):
        files.read_directions(tmp_path / "v.bvec")


# The axes of .bvec files


@pytest.mark.parametrize("seed", range(10))
def test_directions_there_and_back(seed: int) -> None:
    rng = np.random.default_rng(seed)
    directions, affine = unit(rng.normal(size=(20, 3))), random_affine(rng)
    np.testing.assert_allclose(ras_from_fsl(fsl_from_ras(directions, affine), affine), directions, atol=1e-12)
    np.testing.assert_allclose(fsl_from_ras(ras_from_fsl(directions, affine), affine), directions, atol=1e-12)


def test_fsl_rule_word_for_word() -> None:
    """x is reversed where the determinant is positive, and the axes are the voxels', not the patient's."""
    oblique = np.eye(4)
    oblique[:3, :3] = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]) * [2.0, 3, 4]  # i runs to A, j to L: det > 0
    np.testing.assert_allclose(ras_from_fsl(np.eye(3), oblique), [[0, -1, 0], [-1, 0, 0], [0, 0, 1]])
    radiological = np.diag([-2.0, 3, 4, 1])  # det < 0: no reversal, and i runs to L
    np.testing.assert_allclose(ras_from_fsl(np.eye(3), radiological), [[-1, 0, 0], [0, 1, 0], [0, 0, 1]])


def _stored_differently(volume: DiffusionVolume, axes: list[int], flips: list[int]) -> DiffusionVolume:
    """The same patient with the voxels stored in another order: nothing in the world moves."""
    array, affine = np.transpose(volume.array, [*axes, 3]), volume.affine[:, [*axes, 3]].copy()
    for axis in flips:
        affine[:, 3] += affine[:, axis] * (array.shape[axis] - 1)
        affine[:, axis] *= -1
        array = np.flip(array, axis)
    return DiffusionVolume(array, affine, volume.b_values, volume.directions)


@pytest.mark.parametrize("axes", [[0, 1, 2], [1, 0, 2], [2, 1, 0], [1, 2, 0]])
@pytest.mark.parametrize("flips", [[], [0], [1, 2], [0, 1, 2]])
def test_another_order_of_voxels_is_the_same_measurement(
    tmp_path: Path, rng: np.random.Generator, axes: list[int], flips: list[int]
) -> None:
    series = a_series(rng)
    files.write_diffusion(series, tmp_path / "a.nii.gz")
    files.write_diffusion(_stored_differently(series, axes, flips), tmp_path / "b.nii.gz")
    first, second = files.read_diffusion(tmp_path / "a.nii.gz"), files.read_diffusion(tmp_path / "b.nii.gz")
    np.testing.assert_allclose(second.directions, series.directions, atol=1e-6)
    for image in range(4):
        assert_same_world(first.like(first.array[..., image]), second.like(second.array[..., image]))


def test_a_tensor_fitted_in_any_grid_points_the_same_way(tmp_path: Path, rng: np.random.Generator) -> None:
    """Physics: the fibre that makes the signal is found again, in RAS, from every way of storing it."""
    fibre = unit(rng.normal(size=(1, 3)))[0]
    gradients = np.vstack([np.zeros(3), unit(rng.normal(size=(30, 3)))])
    b_values = np.array([0.0] + [1000.0] * 30)
    signal = np.exp(-b_values * (3e-4 + 1.4e-3 * (gradients @ fibre) ** 2))
    for seed in range(5):
        affine = random_affine(np.random.default_rng(seed))
        volume = DiffusionVolume(np.broadcast_to(signal, (3, 3, 2, 31)), affine, b_values, gradients)
        files.write_diffusion(volume, tmp_path / "t.nii.gz", dtype=float)
        back = files.read_diffusion(tmp_path / "t.nii.gz")
        np.testing.assert_allclose(np.abs(_main_axis(back) @ fibre), 1, atol=1e-6)


def _main_axis(volume: DiffusionVolume) -> NDArray:
    """The main eigenvector of a linear tensor fit to the first voxel."""
    g, signal = volume.directions[1:], volume.array[0, 0, 0]
    design = np.column_stack(
        [g[:, 0] ** 2, g[:, 1] ** 2, g[:, 2] ** 2, *(2 * g[:, i] * g[:, j] for i, j in ((0, 1), (0, 2), (1, 2)))]
    )
    xx, yy, zz, xy, xz, yz = np.linalg.lstsq(design, -np.log(signal[1:] / signal[0]) / volume.b_values[1:], rcond=None)[
        0
    ]
    return np.linalg.eigh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])[1][:, -1]


def test_rotating_the_head_rotates_the_directions(rng: np.random.Generator) -> None:
    turn, affine = rotation(rng), random_affine(rng)
    turned = affine.copy()
    turned[:3] = turn @ affine[:3]
    vectors = unit(rng.normal(size=(6, 3)))
    np.testing.assert_allclose(ras_from_fsl(vectors, turned), ras_from_fsl(vectors, affine) @ turn.T, atol=1e-12)


# Diffusion series


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("seed", range(5))
def test_a_series_there_and_back(tmp_path: Path, suffix: str, seed: int) -> None:
    series = a_series(np.random.default_rng(seed), count=5)
    files.write_diffusion(series, tmp_path / f"dwi{suffix}")
    back = files.read_diffusion(tmp_path / f"dwi{suffix}")
    np.testing.assert_array_equal(back.array, series.array)
    np.testing.assert_allclose(back.b_values, series.b_values, rtol=1e-9)
    np.testing.assert_allclose(back.directions, series.directions, atol=1e-6)
    assert back.same_grid(Volume(series.array, series.affine))


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_a_series_without_directions(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    files.write_diffusion(a_series(rng), tmp_path / f"dwi{suffix}")
    series = a_series(rng, with_directions=False)
    files.write_diffusion(series, tmp_path / f"dwi{suffix}")
    back = files.read_diffusion(tmp_path / f"dwi{suffix}")
    assert back.directions is None
    np.testing.assert_allclose(back.b_values, series.b_values)
    expected = ["dwi.bval", "dwi.nii.gz"] if suffix == ".nii.gz" else ["dwi.nrrd"]
    assert sorted(file.name for file in tmp_path.iterdir()) == expected  # the old .bvec would now be wrong


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_trace_images_among_directional_ones(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    directions = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0.0], [1, 0, 0]])
    series = DiffusionVolume(np.ones((2, 2, 2, 4)), random_affine(rng), [0, 500, 1000, 1000], directions)
    files.write_diffusion(series, tmp_path / f"dwi{suffix}")
    back = files.read_diffusion(tmp_path / f"dwi{suffix}")
    np.testing.assert_allclose(back.directions, directions, atol=1e-6)
    np.testing.assert_allclose(back.b_values, series.b_values)


@pytest.mark.parametrize("name", ["dwi.bval", "dwi.bvals", "dwi_bval.txt", "dwi_bvals.txt", "bvals", "bval.txt"])
@pytest.mark.parametrize("form", [" ", "\n"])
def test_sidecars(tmp_path: Path, rng: np.random.Generator, name: str, form: str) -> None:
    files.write_volume(Volume(rng.normal(size=(2, 2, 2, 3))), tmp_path / "dwi.nii.gz")
    (tmp_path / name).write_text(form.join(["0", "50", "800"]))
    np.testing.assert_array_equal(files.read_diffusion(tmp_path / "dwi.nii.gz").b_values, [0, 50, 800])


def test_given_files_and_numbers_go_before_sidecars(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng)
    files.write_diffusion(series, tmp_path / "dwi.nii.gz")
    files.write_b_values(tmp_path / "other.txt", [1, 2, 3, 4])
    files.write_directions(tmp_path / "other.bvec", np.roll(np.eye(4, 3), 1, axis=0))
    image = tmp_path / "dwi.nii.gz"
    np.testing.assert_array_equal(files.read_diffusion(image, tmp_path / "other.txt").b_values, [1, 2, 3, 4])
    np.testing.assert_array_equal(files.read_diffusion(image, str(tmp_path / "other.txt")).b_values, [1, 2, 3, 4])
    back = files.read_diffusion(image, [0, 5, 6, 7], tmp_path / "other.bvec")
    np.testing.assert_array_equal(back.b_values, [0, 5, 6, 7])
    np.testing.assert_allclose(back.directions[1:], ras_from_fsl(np.eye(3), series.affine), atol=1e-6)
    ras = np.vstack([np.zeros(3), np.eye(3)])
    np.testing.assert_allclose(files.read_diffusion(image, directions=ras).directions, ras)


def test_no_b_values_anywhere(tmp_path: Path, rng: np.random.Generator) -> None:
    files.write_volume(Volume(rng.normal(size=(2, 2, 2, 3))), tmp_path / "dwi.nii.gz")
    with pytest.raises(InputError) as caught:
        files.read_diffusion(tmp_path / "dwi.nii.gz")
    assert "none of dwi.bval, dwi.bvals, dwi_bval.txt" in str(caught.value)
    assert "--bvals" in str(caught.value)


def test_wrong_counts(tmp_path: Path, rng: np.random.Generator) -> None:
    files.write_diffusion(a_series(rng), tmp_path / "dwi.nii.gz")
    files.write_b_values(tmp_path / "dwi.bval", [0, 1, 2])
    with pytest.raises(InputError, match=r"There are 3 b-values in dwi\.bval for the 4 images of dwi\.nii\.gz"):
        files.read_diffusion(tmp_path / "dwi.nii.gz")
    with pytest.raises(InputError, match=r"There are 5 b-values for the 4 images"):
        files.read_diffusion(tmp_path / "dwi.nii.gz", range(5))
    files.write_b_values(tmp_path / "dwi.bval", range(4))
    files.write_directions(tmp_path / "dwi.bvec", np.eye(5, 3))
    with pytest.raises(InputError, match=r"dwi\.bvec holds 5 gradient directions for 4 images"):
        files.read_diffusion(tmp_path / "dwi.nii.gz")
    with pytest.raises(InputError, match=r"have shape \(2, 3\); expected \(4, 3\)"):
        files.read_diffusion(tmp_path / "dwi.nii.gz", directions=np.eye(3)[:2])


def test_one_image_is_no_series(tmp_path: Path) -> None:
    files.write_volume(Volume(np.ones((3, 4, 5))), tmp_path / "t1.nii.gz")
    with pytest.raises(InputError, match=r"A diffusion series has 4 axes .* this image is 3D, of shape \(3, 4, 5\)"):
        files.read_diffusion(tmp_path / "t1.nii.gz")
    with pytest.raises(InputError, match=r"t1\.mha is not a complete MetaImage file|There is no MetaImage"):
        files.read_diffusion(tmp_path / "t1.mha")


def test_a_series_is_written_whole_or_not_at_all(tmp_path: Path, rng: np.random.Generator) -> None:
    old = a_series(rng)
    files.write_diffusion(old, tmp_path / "dwi.nii.gz")
    (tmp_path / "dwi.bvec").unlink()
    (tmp_path / "dwi.bvec").mkdir()  # in the way: the third of three files cannot be written
    with pytest.raises(OutputError, match=r"dwi\.bvec is a folder"):
        files.write_diffusion(a_series(rng), tmp_path / "dwi.nii.gz")
    (tmp_path / "dwi.bvec").rmdir()
    np.testing.assert_array_equal(files.read_diffusion(tmp_path / "dwi.nii.gz").array, old.array)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["dwi.bval", "dwi.nii.gz"]


def test_dipy_data(shared_data: Path) -> None:
    """dipy keeps the vectors of this image as FSL has them; the affine is oblique with permuted axes."""
    folder = shared_data / "dwi_dipy_small"
    series = files.read_diffusion(folder / "small_64D.nii")
    np.testing.assert_allclose(series.b_values, np.load(folder / "small_64D.bvals.npy"))
    gradients = np.nan_to_num(np.load(folder / "small_64D.gradients.npy"))
    np.testing.assert_allclose(fsl_from_ras(series.directions, series.affine), gradients, atol=1e-3)
    assert np.linalg.det(series.affine[:3, :3]) < 0  # so x is not reversed, and the axes are the voxels'
    rotated = gradients @ (series.affine[:3, :3] / series.spacing).T
    np.testing.assert_allclose(series.directions, rotated, atol=1e-3)
    other = files.read_diffusion(folder / "small_101D.nii.gz")
    assert other.array.shape == (6, 10, 10, 102)
    assert other.b_values[0] == 15
    np.testing.assert_allclose(np.linalg.norm(other.directions, axis=1), 1)


def test_cord_data(shared_data: Path) -> None:
    folder = shared_data / "ivim_cord7T"
    series = files.read_diffusion(folder / "dwi_rl.nii.gz", folder / "bval_rl.txt")
    np.testing.assert_array_equal(series.b_values, [5, 10, 20, 30, 50, 75, 150, 250, 600, 700, 800])
    with pytest.raises(InputError, match=r"There are no b-values for dwi_rl\.nii\.gz"):
        files.read_diffusion(folder / "dwi_rl.nii.gz")


def test_b_values_that_no_scanner_makes(tmp_path: Path) -> None:
    files.write_volume(Volume(np.ones((2, 2, 2, 2)), np.eye(4)), tmp_path / "a.nii")
    assert files.read_diffusion(tmp_path / "a.nii", [0, 1e6]).b_values.max() == 1e6
    (tmp_path / "a.bval").write_text("0 8e8")
    for given in (None, [0, 1.1e6], [0, 1e300]):
        with pytest.raises(InputError, match="a.nii has a b-value of .*above 1e.06. Give b-values in s/mm2"):
            files.read_diffusion(tmp_path / "a.nii", given)
