"""DICOM series: real files of five vendors, and series written as each vendor writes them, in no order."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from files_dicom_writer import (
    SYNTAXES,
    add_pixels,
    an_item,
    csa_header,
    save,
    write_classic,
    write_enhanced,
    write_mosaic,
)
from files_samples import assert_same_world, rotation
from pydicom.data import get_testdata_file
from pydicom.uid import RLELossless, generate_uid

from DeepMRILib import files
from DeepMRILib.errors import DependencyError, InputError
from DeepMRILib.files.csa import csa_numbers, parse_csa
from DeepMRILib.files.directions import unit
from DeepMRILib.volume import DiffusionVolume, Volume

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nibabel calls its own DICOM code experimental
    from nibabel.nicom import csareader, dicomwrappers

VENDORS = ["standard", "siemens", "siemens_csa", "ge", "philips", "uih"]


def a_series(rng: np.random.Generator, b_values: tuple[float, ...] = (0, 50, 400, 400, 800)) -> DiffusionVolume:
    """An oblique, anisotropic series as a scanner makes it: the slice axis is the cross product of the other two."""
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = rotation(rng) * [1.5, 2.0, 4.5], rng.uniform(-90, 90, 3)
    directions = unit(rng.normal(size=(len(b_values), 3))) * (np.array(b_values) > 0)[:, None]
    array = rng.integers(0, 3000, (6, 5, 4, len(b_values))).astype(np.int16)
    return DiffusionVolume(array, affine, b_values, directions)


def assert_same_series(read: DiffusionVolume, written: DiffusionVolume, *, directions: bool = True) -> None:
    np.testing.assert_allclose(read.b_values, written.b_values, rtol=1e-6)
    if directions:
        np.testing.assert_allclose(read.directions, written.directions, atol=1e-6)
    else:
        assert read.directions is None
    for image in range(written.array.shape[3]):
        assert_same_world(written.like(written.array[..., image]), read.like(read.array[..., image]))


# Every vendor's way


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_classic_series_there_and_back(
    tmp_path: Path, rng: np.random.Generator, vendor: str, raw: bool, syntax: str
) -> None:
    series = a_series(rng)
    write_classic(tmp_path / "dicom", series, vendor, rng=rng, raw=raw, syntax=syntax)
    read = files.read_diffusion(tmp_path / "dicom")
    assert read.array.dtype == np.int16
    assert_same_series(read, series, directions=vendor != "ge")


@pytest.mark.parametrize("seed", range(6))
def test_any_orientation(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = a_series(rng)
    if seed % 2:  # slices numbered against the normal, as in many coronal series
        affine = series.affine.copy()
        affine[:3, 2] *= -1
        series = DiffusionVolume(series.array, affine, series.b_values, series.directions)
    write_classic(tmp_path / "dicom", series, "standard", rng=rng)
    assert_same_series(files.read_diffusion(tmp_path / "dicom"), series)


def test_a_mosaic_series_there_and_back(tmp_path: Path, rng: np.random.Generator) -> None:
    for tag, sign in ((True, 1), (False, 1), (True, -1)):
        series = a_series(rng)
        affine = series.affine.copy()
        affine[:3, 2] *= sign
        series = DiffusionVolume(series.array, affine, series.b_values, series.directions)
        folder = tmp_path / f"{tag}{sign}"
        write_mosaic(folder, series, tag=tag)
        assert_same_series(files.read_diffusion(folder), series)


def test_an_enhanced_series_there_and_back(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng)
    write_enhanced(tmp_path / "e.dcm", series, rng=rng)
    read = files.read_diffusion(tmp_path / "e.dcm")
    order = [int(np.flatnonzero(np.isclose(read.b_values, b) & _near(read, d))[0]) for b, d in _scheme(series)]
    assert sorted(order) == list(range(5))
    again = DiffusionVolume(read.array[..., order], read.affine, read.b_values[order], read.directions[order])
    assert_same_series(again, series)


def _scheme(series: DiffusionVolume) -> list[tuple[float, Any]]:
    return list(zip(series.b_values, series.directions, strict=True))


def _near(series: DiffusionVolume, direction: Any) -> Any:
    return np.abs(series.directions - direction).max(axis=1) < 1e-6


def test_isotropic_frames_have_no_direction(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng, (0, 1000, 500))
    write_enhanced(tmp_path / "e.dcm", series, rng=rng, isotropic=[2], slope=2.5)
    read = files.read_diffusion(tmp_path / "e.dcm")
    assert sorted(read.b_values) == [0, 500, 1000]
    assert not read.directions[list(read.b_values).index(500)].any()
    assert read.directions[list(read.b_values).index(1000)].any()
    image = read.array[..., list(read.b_values).index(500)]
    assert_same_world(series.like(series.array[..., 2] * 2.5), read.like(image))
    write_enhanced(tmp_path / "trace.dcm", series, rng=rng, isotropic=[1, 2])
    assert files.read_diffusion(tmp_path / "trace.dcm").directions is None


def test_diffusion_sequence_in_a_classic_image(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng, (0, 700))
    sequence = {"MRDiffusionSequence": lambda n, _: an_item(DiffusionBValue=float(series.b_values[n]))}
    write_classic(tmp_path / "dicom", series, weighted=False, changes=sequence)
    np.testing.assert_array_equal(files.read_diffusion(tmp_path / "dicom").b_values, [0, 700])


def test_ge_writes_b_values_plainly_and_with_an_offset(tmp_path: Path, rng: np.random.Generator) -> None:
    from DeepMRILib.files.dicom_bvalues import diffusion

    dataset = pydicom.Dataset()
    dataset.Manufacturer = "GE MEDICAL SYSTEMS"
    block = dataset.private_block(0x0043, "GEMS_PARM_01", create=True)
    block.add_new(0x39, "IS", [1_000_000_750, 8, 0, 0])
    assert diffusion(dataset).b_value == 750
    for written, meant in (([15_000, 8, 0, 0], 15_000), ([1_000_015_000, 8, 0, 0], 15_000), ([0, 8, 0, 0], 0)):
        dataset[0x0043, 0x1039].value = written
        assert diffusion(dataset).b_value == meant


@pytest.mark.parametrize("vendor", ["siemens", "ge", "philips", "uih"])
def test_private_elements_of_another_vendor_are_not_trusted(
    tmp_path: Path, rng: np.random.Generator, vendor: str
) -> None:
    series = a_series(rng, (0, 800))
    write_classic(tmp_path / "a", series, vendor, changes={"Manufacturer": "Canon"})
    with pytest.raises(InputError, match=r"2 of them carry no b-value|this image is 3D|twice|2 images"):
        files.read_diffusion(tmp_path / "a")


def test_private_elements_of_another_creator_are_not_trusted() -> None:
    from DeepMRILib.files.dicom_tags import numbers, private_element

    dataset = pydicom.Dataset()
    dataset.private_block(0x0019, "SOMEONE ELSE", create=True).add_new(0x0C, "IS", 999)
    assert private_element(dataset, 0x0019, "SIEMENS MR HEADER", 0x0C) is None
    dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", 50)
    assert numbers(private_element(dataset, 0x0019, "SIEMENS MR HEADER", 0x0C)) == [50]  # in its second block
    stripped = pydicom.Dataset()
    stripped.add_new((0x0019, 0x100C), "UN", b"800 ")
    assert numbers(private_element(stripped, 0x0019, "SIEMENS MR HEADER", 0x0C)) == [800]


@pytest.mark.parametrize(
    ("value", "count", "expected"),
    [
        (b"1000 ", 1, [1000]),
        (b"800\\8\\0\\0", 1, [800]),
        (b"800\\8", 3, None),
        (np.float32(800).tobytes(), 1, [800]),
        (np.array([0.6, 0, 0.8]).tobytes(), 3, [0.6, 0, 0.8]),
        (b"\x01\x02\x03", 1, None),
        (b"", 1, None),
        (b"text", 2, None),
    ],
)
def test_unknown_representations(value: bytes, count: int, expected: list[float] | None) -> None:
    from DeepMRILib.files.dicom_tags import numbers

    assert numbers(pydicom.DataElement((0x0019, 0x100C), "UN", value), count) == expected


# Which image belongs where


def test_repeated_b_values_are_kept_apart(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng, (0, 0, 400, 400))
    same = DiffusionVolume(series.array, series.affine, series.b_values)
    for name, changes in {
        "acquisition": {"AcquisitionNumber": lambda n, _: n + 1, "InstanceNumber": 1},
        "temporal": {"TemporalPositionIdentifier": lambda n, _: n + 1, "InstanceNumber": 1},
        "instance": {},
    }.items():
        write_classic(tmp_path / name, same, "standard", changes=changes)
        read = files.read_diffusion(tmp_path / name)
        np.testing.assert_array_equal(np.sort(read.b_values), [0, 0, 400, 400])
        order = sorted(range(4), key=lambda n, at=read: (at.b_values[n], _rank(series, at, n)))
        assert_same_series(
            DiffusionVolume(read.array[..., order], read.affine, read.b_values[order]), same, directions=False
        )


def _rank(series: DiffusionVolume, read: DiffusionVolume, image: int) -> int:
    """Which image of the series this one is, by its sum."""
    sums = series.array.sum(axis=(0, 1, 2), dtype=int)
    return int(np.abs(sums - read.array[..., image].sum(dtype=int)).argmin())


def test_acquisition_numbers_that_change_between_slices_do_not_split_a_volume(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    series = a_series(rng)
    write_classic(tmp_path / "dicom", series, changes={"AcquisitionNumber": lambda _, k: k % 2})
    assert_same_series(files.read_diffusion(tmp_path / "dicom"), series)


def test_phase_images_are_left_out(tmp_path: Path, rng: np.random.Generator) -> None:
    series, uid = a_series(rng, (0, 100)), generate_uid()
    write_classic(tmp_path / "dicom", series, series_uid=uid)
    (tmp_path / "dicom" / "more").mkdir()
    phase = {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]}
    write_classic(
        tmp_path / "dicom" / "more", series.with_array(series.array[::-1].copy()), series_uid=uid, changes=phase
    )
    assert_same_series(files.read_diffusion(tmp_path / "dicom"), series)


def test_a_plain_series(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng, (0,))
    write_classic(tmp_path / "dicom", series, weighted=False, rng=rng)
    (tmp_path / "dicom" / "README.txt").write_text("no image " * 100)
    (tmp_path / "dicom" / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + bytes(10))
    (tmp_path / "dicom" / ".hidden").write_bytes(b"x")
    assert_same_world(Volume(series.array[..., 0], series.affine), files.read_volume(tmp_path / "dicom"))


def test_one_file_is_one_slice(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng, (0,))
    paths = write_classic(tmp_path / "dicom", series)
    volume = files.read_volume(paths[2])
    assert volume.shape == (6, 5, 1)
    whole = Volume(series.array[..., 0], series.affine)
    place = np.rint(whole.voxel_from_ras(volume.ras_from_voxel([[3, 2, 0]]))).astype(int)[0]
    assert volume.array[3, 2, 0] == whole.array[tuple(place)]
    assert place[2] == 2
    np.testing.assert_allclose(volume.spacing, series.spacing, rtol=1e-6)


def test_several_series(tmp_path: Path, rng: np.random.Generator) -> None:
    plain, weighted = a_series(rng, (0,)), a_series(rng)
    write_classic(tmp_path, plain, changes={"SeriesNumber": 3, "SeriesDescription": "t2_tse"}, weighted=False)
    (tmp_path / "b").mkdir()
    write_classic(tmp_path / "b", weighted)
    with pytest.raises(InputError) as caught:
        files.read_volume(tmp_path)
    assert "several series" in str(caught.value)
    assert "3 (t2_tse, 4 images); 7 (ep2d_diff, 20 images)" in str(caught.value)
    assert "series=" in str(caught.value)
    for choice in (3, "3", "t2_tse"):
        assert_same_world(Volume(plain.array[..., 0], plain.affine), files.read_volume(tmp_path, series=choice))
    assert_same_series(files.read_diffusion(tmp_path), weighted)  # the only one that is a diffusion series
    with pytest.raises(InputError, match="holds no series 99. It holds: 3"):
        files.read_volume(tmp_path, series=99)
    (tmp_path / "c").mkdir()
    write_classic(tmp_path / "c", weighted)
    with pytest.raises(InputError, match="holds several series '7'"):
        files.read_volume(tmp_path, series="7")
    with pytest.raises(InputError, match="holds several series. It holds"):
        files.read_diffusion(tmp_path)


def test_no_diffusion_series_among_several(tmp_path: Path, rng: np.random.Generator) -> None:
    for number in (1, 2):
        write_classic(tmp_path / str(number), a_series(rng, (0,)), changes={"SeriesNumber": number})
    with pytest.raises(InputError, match="holds no series with several diffusion weightings"):
        files.read_diffusion(tmp_path)


def test_b_values_given_by_hand(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng, (0, 100))
    acquisition = {"AcquisitionNumber": lambda n, _: n + 1}
    write_classic(tmp_path / "dicom", series, weighted=False, changes=acquisition)
    with pytest.raises(InputError, match=r"2 volumes, and 2 of them carry no b-value .* --bvals"):
        files.read_diffusion(tmp_path / "dicom")
    read = files.read_diffusion(tmp_path / "dicom", [0, 100])
    assert_same_series(read, series, directions=False)
    with pytest.raises(InputError, match="There are 3 b-values for the 2 images"):
        files.read_diffusion(tmp_path / "dicom", [0, 1, 2])


# What cannot be read

Change = Callable[[list[Path]], None]


def _edit(path: Path, **changes: Any) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def _copy(path: Path, **changes: Any) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    _edit(copy, **changes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda paths: paths[1].unlink(),
            r"is not complete: slice \d of 4 \(at .* mm\) has 4 images where others have 5",
        ),
        (
            lambda paths: [paths[k].unlink() for k in range(1, 20, 4)],
            r"has uneven slice distances: .* mm between slices",
        ),
        (lambda paths: _copy(paths[0]), r"are the same DICOM image \(one SOPInstanceUID\)"),
        (lambda paths: _copy(paths[0], SOPInstanceUID=generate_uid()), "has 6 images where others have 5"),
        (lambda paths: _edit(paths[0], DiffusionBValue=123.0), "its slices do not all have the same b-values"),
        (lambda paths: _edit(paths[0], ImageOrientationPatient=[1, 0, 0, 0, 0, 1]), "images of several orientations"),
        (lambda paths: _edit(paths[0], PixelSpacing=[9, 9]), r"images of several sizes \(.* and .*\)"),
        (lambda paths: _edit(paths[0], SamplesPerPixel=3), "is a colour image"),
        (lambda paths: _edit(paths[0], ImageOrientationPatient=None), "does not say where its image lies"),
        (lambda paths: _edit(paths[0], ImageOrientationPatient=[1, 0, 0, 1, 0, 0]), "impossible orientation"),
        (
            lambda paths: _edit(paths[0], ImageType=["ORIGINAL", "PRIMARY", "MOSAIC"], Manufacturer="SIEMENS"),
            "mosaic without",
        ),
        (
            lambda paths: _edit(paths[0], ImageType=["ORIGINAL", "PRIMARY", "VFRAME"], Manufacturer="UIH"),
            "is a UIH grid",
        ),
        (lambda paths: _edit(paths[0], Rows=60_000, Columns=60_000), r"claims 1 x 60000 x 60000 values \(7.2 GB\)"),
        (
            lambda paths: paths[0].write_bytes(paths[0].read_bytes()[:-30]),
            "claims 1 x 5 x 6 values|is not a complete DICOM file",
        ),
        (
            lambda paths: paths[0].write_bytes(paths[0].read_bytes()[:150]),
            "has 4 images where others have 5|not a complete",
        ),
    ],
)
def test_series_that_are_not_whole(tmp_path: Path, rng: np.random.Generator, change: Change, sentence: str) -> None:
    paths = write_classic(tmp_path / "dicom", a_series(rng))
    assert files.read_diffusion(tmp_path / "dicom").array.shape == (6, 5, 4, 5)
    change(paths)
    with pytest.raises(InputError, match=sentence) as caught:
        files.read_diffusion(tmp_path / "dicom")
    assert "\n" not in str(caught.value)


def test_every_slice_twice_with_nothing_to_tell_them_apart(tmp_path: Path, rng: np.random.Generator) -> None:
    series, uid = a_series(rng, (0,)), generate_uid()
    for name in ("a", "b"):
        write_classic(tmp_path / name, series, series_uid=uid)
    with pytest.raises(InputError, match=r"holds slice 1 twice, with nothing that tells the images apart"):
        files.read_volume(tmp_path)


def test_a_shifted_slab(tmp_path: Path, rng: np.random.Generator) -> None:
    series = a_series(rng, (0,))
    paths = write_classic(tmp_path / "dicom", series)
    dataset = pydicom.dcmread(paths[1])
    across = np.array(dataset.ImageOrientationPatient[:3], dtype=float)
    _edit(paths[1], ImagePositionPatient=list(np.round(np.array(dataset.ImagePositionPatient, float) + 5 * across, 6)))
    with pytest.raises(InputError, match=r"slices that do not lie in one line \(one is 5\.00 mm off\)"):
        files.read_volume(tmp_path / "dicom")


def test_several_volumes_where_one_is_asked(tmp_path: Path, rng: np.random.Generator) -> None:
    write_classic(tmp_path / "dicom", a_series(rng))
    with pytest.raises(InputError, match=r"dicom is a series of 5 images \(4D\); one 3D image was expected"):
        files.read_volume(tmp_path / "dicom")
    assert files.read_volume(tmp_path / "dicom", components=True).array.shape == (6, 5, 4, 5)


def test_one_volume_where_several_are_asked(tmp_path: Path, rng: np.random.Generator) -> None:
    write_classic(tmp_path / "dicom", a_series(rng, (0,)))
    with pytest.raises(InputError, match=r"A diffusion series has 4 axes .* this image is 3D, of shape \(6, 5, 4\)"):
        files.read_diffusion(tmp_path / "dicom")


def test_folders_and_files_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The folder .* holds no DICOM image"):
        files.read_volume(tmp_path)
    (tmp_path / "x.dcm").write_bytes(b"text")
    with pytest.raises(InputError, match=r"x\.dcm is not an image that can be read"):
        files.read_volume(tmp_path / "x.dcm")
    report = get_testdata_file("reportsi.dcm")
    with pytest.raises(InputError, match=r"reportsi\.dcm holds no DICOM image"):
        files.read_volume(report)
    (tmp_path / "y.dcm").write_bytes(bytes(128) + b"DICM" + b"\x08\x00\x05\x00CS\xff\xff")
    with pytest.raises(InputError, match=r"y\.dcm"):
        files.read_volume(tmp_path / "y.dcm")


def test_an_enhanced_image_that_describes_fewer_frames(tmp_path: Path, rng: np.random.Generator) -> None:
    dataset = write_enhanced(tmp_path / "e.dcm", a_series(rng), rng=rng)
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    save(dataset, tmp_path / "e.dcm")
    with pytest.raises(InputError, match=r"e\.dcm describes 19 of its 20 images"):
        files.read_diffusion(tmp_path / "e.dcm")


def test_missing_slices_of_an_enhanced_image(tmp_path: Path, rng: np.random.Generator) -> None:
    dataset = write_enhanced(tmp_path / "e.dcm", a_series(rng), rng=rng)
    pixels = dataset.pixel_array[:-1]
    del dataset.PerFrameFunctionalGroupsSequence[-1]
    dataset.NumberOfFrames = len(pixels)
    add_pixels(dataset, pixels)
    save(dataset, tmp_path / "e.dcm")
    with pytest.raises(InputError, match=r"e\.dcm is not complete: slice \d of 4"):
        files.read_diffusion(tmp_path / "e.dcm")


# Stored values


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
