"""DICOM: stored values and encodings, the CSA header, and real files of five vendors."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from files_dicom_writer import (
    SYNTAXES,
    csa_header,
    write_classic,
)
from files_samples import a_scanned_series as a_series
from files_samples import assert_same_series, assert_same_world
from pydicom.data import get_testdata_file
from pydicom.uid import RLELossless

from DeepMRILib import files
from DeepMRILib.errors import DependencyError, InputError
from DeepMRILib.files.csa import csa_numbers, parse_csa
from DeepMRILib.volume import DiffusionVolume, Volume

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nibabel calls its own DICOM code experimental
    from nibabel.nicom import csareader, dicomwrappers


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "u4", "i4"])
def test_integer_types(tmp_path: Path, kind: str) -> None:
    limits = np.iinfo(kind)
    array = np.array([limits.min, limits.max, 0, 1], kind).reshape(2, 2, 1, 1)
    series = DiffusionVolume(array, np.diag([1.0, 1, 3, 1]), [0])
    write_classic(tmp_path / "dicom", series)
    volume = files.read_volume(tmp_path / "dicom")
    assert volume.array.dtype == kind
    assert_same_world(series.like(array[..., 0]), volume)


def test_rescale_may_differ_between_slices(tmp_path: Path, rng: np.random.Generator) -> None:
    """As in Philips' series; the private scaling there (2005,100E) is not applied: the standard one is."""
    series = a_series(rng, (0,))
    scaling = {"RescaleSlope": lambda _, k: f"{k + 1}.5", "RescaleIntercept": lambda _, k: str(-k)}
    write_classic(tmp_path / "dicom", series, changes=scaling)
    expected = series.array[..., 0] * (np.arange(4) + 1.5) - np.arange(4)
    volume = files.read_volume(tmp_path / "dicom")
    assert volume.array.dtype == np.float32
    assert_same_world(series.like(expected), volume, rtol=1e-6)


def test_run_length_encoded_pixels(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng, (0, 300))
    for path in write_classic(tmp_path / "dicom", series):
        dataset = pydicom.dcmread(path)
        dataset.compress(RLELossless, generate_instance_uid=False)
        dataset.save_as(path)
    assert_same_series(files.read_diffusion(tmp_path / "dicom"), series)


@pytest.mark.filterwarnings("ignore:The pixel data is 8320 bytes long")
@pytest.mark.parametrize(
    "name",
    ["MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_padded.dcm", "MR_small_expb.dcm"],
)
def test_encodings_of_one_real_image(name: str) -> None:
    reference = files.read_volume(get_testdata_file("MR_small.dcm"))
    volume = files.read_volume(get_testdata_file(name))
    np.testing.assert_array_equal(volume.array, reference.array)
    assert volume.same_grid(reference)
    assert reference.array.std() > 100


def test_a_truncated_real_image() -> None:
    with pytest.raises(InputError, match=r"MR_truncated\.dcm"):
        files.read_volume(get_testdata_file("MR_truncated.dcm"))


def test_a_file_without_preamble(tmp_path: Path, rng: np.random.Generator) -> None:
    """As some archives store them: the dataset alone, in whichever encoding."""
    series = a_series(rng, (0,))
    for syntax in SYNTAXES:
        paths = write_classic(tmp_path / syntax, series, syntax=syntax)
        whole = files.read_volume(tmp_path / syntax)
        for path in paths:
            path.write_bytes(_without_meta(path))
        assert_same_world(whole, files.read_volume(tmp_path / syntax))


def _without_meta(path: Path) -> bytes:
    content = path.read_bytes()
    length = int.from_bytes(content[140:144], "little")  # (0002,0000): what follows of the group
    return content[144 + length :]


def test_a_codec_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders import JPEG2000LosslessDecoder

    monkeypatch.setattr(JPEG2000LosslessDecoder, "_available", {})
    with pytest.raises(DependencyError, match=r"compressed \(JPEG 2000 .*pip install pylibjpeg"):
        files.read_volume(get_testdata_file("MR_small_jp2klossless.dcm"))


# The CSA header


@pytest.mark.parametrize("version", [1, 2])
def test_csa_headers_of_both_versions(version: int) -> None:
    content = csa_header({"B_value": ["800"], "DiffusionGradientDirection": ["0.6", "0", "0.8"]}, version=version)
    entries = parse_csa(content)
    assert csa_numbers(entries, "B_value") == [800]
    assert csa_numbers(entries, "DiffusionGradientDirection", 3) == [0.6, 0, 0.8]
    assert csa_numbers(entries, "absent") is None
    if version == 2:  # nibabel takes the second tag's count in version 1, where SPM takes the first's, and fails here
        theirs = csareader.read(content)["tags"]
        assert theirs["DiffusionGradientDirection"]["items"][:3] == [0.6, 0, 0.8]


def test_damaged_csa_headers_do_no_harm(rng: np.random.Generator) -> None:
    content = csa_header({"B_value": ["800"], "SliceNormalVector": ["0", "0", "1"]})
    for length in range(len(content)):
        assert set(parse_csa(content[:length])) <= {"B_value", "SliceNormalVector"}
    for _ in range(200):
        broken = bytearray(content)
        broken[rng.integers(8, len(broken))] = rng.integers(0, 256)
        parse_csa(bytes(broken))


def test_real_csa_headers_say_what_nibabel_finds(shared_data: Path) -> None:
    for path in sorted((shared_data / "dicom_iap" / "nih_siemens").glob("*.dcm")):
        content = pydicom.dcmread(path)[0x0029, 0x1010].value
        ours, theirs = parse_csa(content), csareader.read(content)["tags"]
        assert set(ours) == set(theirs)
        assert csa_numbers(ours, "SliceNormalVector", 3) == theirs["SliceNormalVector"]["items"][:3]
        assert csa_numbers(ours, "NumberOfImagesInMosaic") == theirs["NumberOfImagesInMosaic"]["items"][:1]


# Real files


def _truth(shared_data: Path) -> dict[str, dict[str, str]]:
    with (shared_data / "dicom_iap" / "labels.csv").open(encoding="utf-8-sig") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


UNUSABLE = {
    "nibabel/0.dcm": "is a Siemens mosaic without its private header",
    "nibabel/csa_slice_norm.dcm": "holds no DICOM image",
}


def test_every_real_file(shared_data: Path) -> None:
    """Values as pydicom decodes them, places as nibabel's independent DICOM code computes them."""
    names = _truth(shared_data)
    assert len(names) == 25
    for name in names:
        path = shared_data / "dicom_iap" / name
        if name in UNUSABLE:
            with pytest.raises(InputError, match=UNUSABLE[name]):
                files.read_volume(path)
            continue
        volume, theirs = files.read_volume(path), dicomwrappers.wrapper_from_file(str(path))
        if theirs.is_multiframe:  # nibabel sorts its frames by other rules; ITK is asked below
            continue
        # nibabel's first axis runs down the columns, ours along the rows; it too is in LPS
        affine = np.diag([-1, -1, 1, 1]) @ theirs.affine[:, [1, 0, 2, 3]]
        data = theirs.get_data()
        assert_same_world(Volume(np.swapaxes(data.reshape(*data.shape[:2], -1), 0, 1), affine), volume, rtol=1e-6)


def test_real_files_are_where_itk_says(shared_data: Path) -> None:
    itk = pytest.importorskip("SimpleITK")
    for name in ("uih_t1_3d/025.dcm", "ge_dwi/i26.MRDC.5.dcm", "pydicom/MR_small.dcm", "siemens_xa30/asl27.dcm"):
        path = shared_data / "dicom_iap" / name
        volume, image = files.read_volume(path), itk.ReadImage(str(path))
        array = itk.GetArrayFromImage(image).T.astype(float)
        indices = np.stack(np.meshgrid(*map(np.arange, array.shape), indexing="ij"), -1).reshape(-1, 3)[::97]
        lps = np.array([image.TransformIndexToPhysicalPoint([int(i) for i in index]) for index in indices])
        there = np.rint(volume.voxel_from_ras(lps * [-1, -1, 1])).astype(int)
        np.testing.assert_allclose(volume.ras_from_voxel(there), lps * [-1, -1, 1], atol=2e-3)
        np.testing.assert_allclose(volume.array[tuple(there.T)], array[tuple(indices.T)], rtol=1e-5)


def test_real_folders_that_are_not_whole(shared_data: Path) -> None:
    folder = shared_data / "dicom_iap"
    for name, sentence in {
        "ge_dwi": "is not complete: slice 2 of 2",
        "uih_t1_3d": "uneven slice distances: 90.00 mm between slices 2 and 3, 10.00 mm elsewhere",
        "nih_siemens": "several series.*EPI PE=AP, 1 image.*EPI PE=LR",
        "nih_ref_json": "holds no DICOM image",
    }.items():
        with pytest.raises(InputError, match=sentence):
            files.read_volume(folder / name)
    with pytest.raises(InputError, match="is not complete"):
        files.read_volume(folder / "nih_ge_epi", series=4)


def test_two_real_slices_with_their_b_value(shared_data: Path, tmp_path: Path) -> None:
    """Of a real GE series: two directions of one slice, told apart by nothing but the order; b = 1000."""
    for name in ("i29.MRDC.8.dcm", "i31.MRDC.10.dcm"):
        (tmp_path / name).write_bytes((shared_data / "dicom_iap" / "ge_dwi" / name).read_bytes())
    series = files.read_diffusion(tmp_path)
    np.testing.assert_array_equal(series.b_values, [1000, 1000])
    first = pydicom.dcmread(tmp_path / "i29.MRDC.8.dcm").pixel_array
    np.testing.assert_array_equal(series.array[:, :, 0, 0], first.T)
