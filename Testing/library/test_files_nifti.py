"""NIfTI images: values and places survive, whatever the affine; damaged files end in one sentence."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
from files_samples import assert_same_world, open_folder, random_affine, without_root

from DeepMRILib import files
from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.volume import Volume


@pytest.fixture
def a_volume(rng: np.random.Generator) -> Volume:
    return Volume(rng.integers(0, 1000, (5, 6, 7)).astype(np.int16), random_affine(rng))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("seed", range(8))
def test_every_voxel_keeps_its_place(tmp_path: Path, suffix: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    volume = Volume(rng.normal(size=(4, 5, 6)).astype(np.float32), random_affine(rng))
    files.write_volume(volume, tmp_path / f"v{suffix}")
    back = files.read_volume(tmp_path / f"v{suffix}")
    assert_same_world(volume, back)
    assert back.same_grid(volume)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_itk_puts_every_voxel_where_we_do(tmp_path: Path, suffix: str, seed: int) -> None:
    itk = pytest.importorskip("SimpleITK")
    rng = np.random.default_rng(seed)
    volume = Volume(rng.normal(size=(4, 5, 6)).astype(np.float32), random_affine(rng))
    files.write_volume(volume, tmp_path / f"v{suffix}")
    image = itk.ReadImage(str(tmp_path / f"v{suffix}"))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    theirs = Volume(itk.GetArrayFromImage(image).T, np.diag([-1, -1, 1, 1]) @ affine)
    assert_same_world(volume, theirs)


def test_sheared_affine_is_kept_and_not_contradicted_by_a_qform(tmp_path: Path) -> None:
    affine = np.diag([2.0, 2, 3, 1])
    affine[0, 2] = 1.0
    files.write_volume(Volume(np.ones((3, 4, 5), np.uint8), affine), tmp_path / "v.nii")
    np.testing.assert_allclose(files.read_volume(tmp_path / "v.nii").affine, affine)
    assert nibabel.load(tmp_path / "v.nii").header["qform_code"] == 0


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("bool", "uint8"),
        ("uint8", "uint8"),
        ("int8", "int8"),
        ("uint16", "uint16"),
        ("int32", "int32"),
        ("int64", "int32"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float32"),
        (">f4", "float32"),
    ],
)
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_types_in_files(tmp_path: Path, suffix: str, given: str, written: str) -> None:
    values = np.array([[[0, 1], [1, 0]]] * 2).astype(given)
    files.write_volume(Volume(values), tmp_path / f"v{suffix}")
    back = files.read_volume(tmp_path / f"v{suffix}").array
    assert back.dtype == written
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, values)


def test_float64_and_large_integers_on_request(tmp_path: Path) -> None:
    files.write_volume(Volume(np.full((2, 2, 2), np.pi)), tmp_path / "v.nii", dtype=float)
    assert files.read_volume(tmp_path / "v.nii").array[0, 0, 0] == np.pi
    files.write_volume(Volume(np.full((2, 2, 2), 2**40)), tmp_path / "w.nii")
    assert files.read_volume(tmp_path / "w.nii").array[0, 0, 0] == 2**40


def test_complex_images(tmp_path: Path) -> None:
    values = np.full((2, 3, 4), 1 + 2j)
    files.write_volume(Volume(values), tmp_path / "v.nii.gz")
    np.testing.assert_array_equal(files.read_volume(tmp_path / "v.nii.gz").array, values)
    with pytest.raises(OutputError, match=r"v\.nrrd cannot hold values of type complex64"):
        files.write_volume(Volume(values), tmp_path / "v.nrrd")
    assert [file.name for file in tmp_path.iterdir()] == ["v.nii.gz"]


@pytest.mark.parametrize("stored", ["int16", "uint8", "int32"])
def test_scaling_in_the_header_is_applied(tmp_path: Path, stored: str) -> None:
    image = nibabel.Nifti1Image(np.arange(24).reshape(2, 3, 4).astype(stored), np.eye(4), dtype=stored)
    image.header.set_slope_inter(0.5, -3)
    nibabel.save(image, tmp_path / "v.nii.gz")
    raw = np.asarray(nibabel.load(tmp_path / "v.nii.gz").dataobj)
    back = files.read_volume(tmp_path / "v.nii.gz").array
    np.testing.assert_allclose(back, raw)
    assert back.dtype == (np.float64 if stored == "int32" else np.float32)


def test_sform_goes_before_qform_and_either_alone_is_enough(tmp_path: Path, rng: np.random.Generator) -> None:
    affines = {"sform": random_affine(rng), "qform": random_affine(rng)}
    for codes, expected in (((1, 1), "sform"), ((1, 0), "sform"), ((0, 1), "qform")):
        image = nibabel.Nifti1Image(np.ones((2, 3, 4), np.uint8), None)
        image.set_sform(affines["sform"] if codes[0] else None, codes[0])
        image.set_qform(affines["qform"] if codes[1] else None, codes[1])
        nibabel.save(image, tmp_path / "v.nii")
        np.testing.assert_allclose(files.read_volume(tmp_path / "v.nii").affine, affines[expected], atol=1e-3)


def test_without_any_form_the_spacing_is_what_counts(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.ones((3, 4, 5), np.uint8), None)
    image.header.set_zooms((1.0, 2.0, 3.0))
    nibabel.save(image, tmp_path / "v.nii")
    volume = files.read_volume(tmp_path / "v.nii")
    assert volume.spacing == (1.0, 2.0, 3.0)
    np.testing.assert_allclose(volume.ras_from_voxel([[1, 1.5, 2]]), 0, atol=1e-6)


@pytest.mark.parametrize(("units", "factor"), [("mm", 1), ("meter", 1000), ("micron", 1e-3), (None, 1)])
def test_units_of_the_header(tmp_path: Path, units: str | None, factor: float) -> None:
    image = nibabel.Nifti1Image(np.ones((2, 2, 2), np.uint8), np.diag([2.0, 2, 2, 1]))
    image.header.set_xyzt_units(units)
    nibabel.save(image, tmp_path / "v.nii")
    assert files.read_volume(tmp_path / "v.nii").spacing == pytest.approx((2 * factor,) * 3)


def test_images_of_two_axes_become_one_slice(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5), np.uint8), np.eye(4)), tmp_path / "v.nii")
    assert files.read_volume(tmp_path / "v.nii").shape == (4, 5, 1)


def test_components(tmp_path: Path, rng: np.random.Generator) -> None:
    volume = Volume(rng.normal(size=(3, 4, 5, 2)).astype(np.float32), random_affine(rng))
    for suffix in (".nii.gz", ".nrrd"):
        files.write_volume(volume, tmp_path / f"v{suffix}")
        back = files.read_volume(tmp_path / f"v{suffix}", components=True)
        np.testing.assert_array_equal(back.array, volume.array)
        assert back.same_grid(volume)
        with pytest.raises(InputError, match=r"is a series of 2 images \(4D\); one 3D image was expected"):
            files.read_volume(tmp_path / f"v{suffix}")
    vectors = nibabel.Nifti1Image(volume.array[:, :, :, None], volume.affine)
    nibabel.save(vectors, tmp_path / "vectors.nii")
    assert files.read_volume(tmp_path / "vectors.nii", components=True).array.shape == (3, 4, 5, 2)


def test_real_images_are_where_nibabel_says(shared_data: Path) -> None:
    for name in (
        "seg_sct_cord/t2s.nii.gz",
        "seg_vxm_brain/vxm_test_scan_t1.nii.gz",
        "ivim_cord7T/cord_seg_dilated.nii.gz",
    ):
        image, volume = nibabel.load(shared_data / name), files.read_volume(shared_data / name)
        np.testing.assert_array_equal(volume.array, np.asarray(image.dataobj))
        np.testing.assert_array_equal(volume.affine, image.affine)


# What cannot be read


def test_colour_is_refused(tmp_path: Path) -> None:
    colour = np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(colour, np.eye(4)), tmp_path / "v.nii")
    with pytest.raises(InputError, match=r"v\.nii is a colour image; a grey one"):
        files.read_volume(tmp_path / "v.nii")


@pytest.mark.parametrize("name", ["v.nii", "v.nii.gz"])
def test_a_spacing_of_zero_is_refused_where_no_sform_gives_another(tmp_path: Path, name: str) -> None:
    image = nibabel.Nifti1Image(np.ones((4, 5, 6), np.uint8), None)
    image.to_filename(tmp_path / "whole.nii")
    content = bytearray((tmp_path / "whole.nii").read_bytes())
    content[80:84] = np.float32(0).tobytes()  # pixdim[1]
    write = gzip.open if name.endswith(".gz") else open
    with write(tmp_path / name, "wb") as stream:
        stream.write(content)
    with pytest.raises(InputError, match=rf"{name} has a voxel spacing of 0 x 1 x 1 mm; lengths above 0"):
        files.read_volume(tmp_path / name)
    content[254:256] = np.int16(1).tobytes()  # sform_code
    content[280:328] = np.eye(4, dtype=np.float32)[:3].tobytes()
    with write(tmp_path / name, "wb") as stream:
        stream.write(content)
    assert files.read_volume(tmp_path / name).spacing == (1, 1, 1)


def test_five_axes_are_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(np.zeros((2, 2, 2, 3, 2), np.uint8), np.eye(4)), tmp_path / "v.nii")
    with pytest.raises(InputError, match=r"v\.nii has 5 axes \(2 x 2 x 2 x 3 x 2\)"):
        files.read_volume(tmp_path / "v.nii")


def test_nothing_there_a_folder_and_another_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no NIfTI image .*v\.nii\. Check the path"):
        files.read_volume(tmp_path / "v.nii")
    with pytest.raises(InputError, match="There is no image .*v.xyz"):
        files.read_volume(tmp_path / "v.xyz")
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(InputError, match=r"The folder .*folder\.nii holds no DICOM image"):
        files.read_volume(tmp_path / "folder.nii")
    (tmp_path / "v.png").write_bytes(b"\x89PNG" + bytes(500))
    with pytest.raises(InputError, match=r"v\.png is not an image that can be read.*\.nii, \.nii\.gz, \.nrrd.*DICOM"):
        files.read_volume(tmp_path / "v.png")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("part", [0.0, 0.2, 0.6, 0.95])
def test_truncated_files(tmp_path: Path, rng: np.random.Generator, suffix: str, part: float) -> None:
    path = tmp_path / f"v{suffix}"
    files.write_volume(Volume(rng.integers(0, 999, (9, 9, 9)).astype(np.int16)), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(InputError, match=r"v\.nii.*(is not a complete NIfTI file|truncated or damaged)") as caught:
        files.read_volume(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_wrong_magic(tmp_path: Path, suffix: str) -> None:
    for content in (b"NRRD0005\n" + bytes(600), gzip.compress(b"x" * 600), bytes(348)):
        path = tmp_path / f"v{suffix}"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"v\.nii.*is not a complete NIfTI file"):
            files.read_volume(path)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("shape", [(10_000, 10_000, 10_000), (30_000, 30_000, 30_000, 30_000)])
def test_a_header_that_claims_too_much(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float64)
    header.set_data_shape(shape)
    content = header.binaryblock + bytes(4) + bytes(1000)
    (tmp_path / f"v{suffix}").write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    with pytest.raises(InputError, match=r"claims 10000 x 10000|claims 30000 x 30000"):
        files.read_volume(tmp_path / f"v{suffix}")


@pytest.mark.parametrize("bad", [0, -3])
def test_a_header_that_claims_nothing(tmp_path: Path, a_volume: Volume, bad: int) -> None:
    files.write_volume(a_volume, tmp_path / "v.nii")
    content = bytearray((tmp_path / "v.nii").read_bytes())
    content[42:44] = int(bad).to_bytes(2, "little", signed=True)  # dim[1]
    (tmp_path / "v.nii").write_bytes(content)
    with pytest.raises(InputError, match=r"v\.nii"):
        files.read_volume(tmp_path / "v.nii")


def test_an_affine_that_is_no_place(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.ones((2, 2, 2), np.uint8), None)
    image.header["srow_x"], image.header["sform_code"] = [0, 0, 0, 0], 1
    nibabel.save(image, tmp_path / "v.nii")
    with pytest.raises(InputError, match="The affine must be an invertible"):
        files.read_volume(tmp_path / "v.nii")


# Writing: whole or not at all


def test_a_missing_folder_another_extension_and_a_folder_in_the_way(tmp_path: Path, a_volume: Volume) -> None:
    with pytest.raises(OutputError, match="The folder .*nowhere does not exist"):
        files.write_volume(a_volume, tmp_path / "nowhere" / "v.nii.gz")
    with pytest.raises(OutputError, match=r"v\.mha cannot be written: choose a name that ends in \.nii"):
        files.write_volume(a_volume, tmp_path / "v.mha")
    (tmp_path / "v.nii").mkdir()
    with pytest.raises(OutputError, match=r"v\.nii is a folder"):
        files.write_volume(a_volume, tmp_path / "v.nii")
    assert [file.name for file in tmp_path.iterdir()] == ["v.nii"]


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="file modes are POSIX's")
def test_no_right_to_read_or_write(a_volume: Volume) -> None:
    with open_folder() as folder:
        files.write_volume(a_volume, folder / "v.nii")
        (folder / "v.nii").chmod(0)
        folder.chmod(0o555)
        with without_root():
            with pytest.raises(InputError, match=r"v\.nii cannot be read \(Permission denied\)"):
                files.read_volume(folder / "v.nii")
            with pytest.raises(OutputError, match=r"w\.nii\.gz cannot be written: you have no right to write"):
                files.write_volume(a_volume, folder / "w.nii.gz")
        assert [file.name for file in folder.iterdir()] == ["v.nii"]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, rng: np.random.Generator) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    old = Volume(np.ones((2, 2, 2), np.uint8))
    for suffix in (".nii", ".nii.gz", ".nrrd"):
        files.write_volume(old, tmp_path / f"v{suffix}")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        for suffix in (".nii", ".nii.gz", ".nrrd"):
            with pytest.raises(OutputError, match=rf"v\{suffix[:4]}.* cannot be written: File too large"):
                files.write_volume(Volume(rng.normal(size=(40, 40, 40))), tmp_path / f"v{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["v.nii", "v.nii.gz", "v.nrrd"]
    for suffix in (".nii", ".nii.gz", ".nrrd"):
        np.testing.assert_array_equal(files.read_volume(tmp_path / f"v{suffix}").array, old.array)


@pytest.mark.parametrize("place", ["values", "checksum", "length", "cut"])
def test_a_compressed_image_is_read_to_its_checksum(tmp_path: Path, place: str) -> None:
    path = tmp_path / "a.nii.gz"
    values = np.random.default_rng(0).integers(0, 30_000, (20, 20, 20)).astype(np.int16)
    plain = nibabel.Nifti1Image(values, np.eye(4)).to_bytes()
    # Stored, not deflated: a flipped bit in the values breaks nothing but the checksum
    content = bytearray(gzip.compress(plain, compresslevel=0))
    if place == "cut":
        content = content[:-4]
    else:
        content[{"values": len(content) // 2, "checksum": -8, "length": -4}[place]] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="a.nii.gz is not a complete NIfTI file"):
        files.read_volume(path)


def test_a_scaled_compressed_image_has_the_values_of_the_plain_one(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, -3)
    for name in ("a.nii", "a.nii.gz"):
        image.to_filename(tmp_path / name)
    plain, packed = (files.read_volume(tmp_path / name).array for name in ("a.nii", "a.nii.gz"))
    assert plain.dtype == packed.dtype
    assert np.array_equal(plain, packed)
    assert plain.max() > plain.min()


def test_a_series_is_chosen_of_dicom_alone(tmp_path: Path) -> None:
    files.write_volume(Volume(np.ones((2, 2, 2)), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(InputError, match="a.nii is no DICOM file, so there is no series to choose"):
        files.read_volume(tmp_path / "a.nii", series="3")
