"""DICOM series written as each vendor writes them, in no order: weighting, places and volumes are found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from files_dicom_writer import (
    SYNTAXES,
    an_item,
    save,
    write_classic,
    write_enhanced,
    write_mosaic,
)
from files_samples import a_scanned_series as a_series
from files_samples import assert_same_series, assert_same_world
from pydicom.uid import generate_uid

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.files.dicom_bvalues import diffusion
from DeepMRILib.files.dicom_tags import numbers, private_element
from DeepMRILib.volume import DiffusionVolume, Volume

VENDORS = ["standard", "siemens", "siemens_csa", "ge", "philips", "uih"]


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


def test_an_enhanced_series_of_one_file_for_each_volume(tmp_path: Path, rng: np.random.Generator) -> None:
    """As Siemens writes them from XA on; the repeats differ in nothing but the number of the file."""
    series, uid = a_series(rng, (0, 400, 400, 800)), generate_uid()
    same = DiffusionVolume(series.array, series.affine, series.b_values, series.directions[[0, 1, 1, 3]])
    for n in (2, 0, 3, 1):
        one = DiffusionVolume(same.array[..., [n]], same.affine, same.b_values[[n]], same.directions[[n]])
        dataset = write_enhanced(tmp_path / f"{9 - n}.dcm", one, rng=rng, manufacturer="Siemens Healthineers")
        dataset.SeriesInstanceUID, dataset.InstanceNumber = uid, n + 1
        save(dataset, tmp_path / f"{9 - n}.dcm")
    assert_same_series(files.read_diffusion(tmp_path), same)


def test_uih_directions_come_from_its_own_element(tmp_path: Path, rng: np.random.Generator) -> None:
    """The standard element of these scanners was found not to follow the slices' orientation."""
    series = a_series(rng, (0, 800, 800))
    wrong = {"DiffusionGradientOrientation": lambda n, _: [1.0, 0.0, 0.0] if n else None}
    write_classic(tmp_path / "dicom", series, "uih", changes=wrong)
    assert_same_series(files.read_diffusion(tmp_path / "dicom"), series)


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
    with pytest.raises(InputError, match=r"has 2 volumes, and 2 of them carry no b-value"):
        files.read_diffusion(tmp_path / "a")


def test_private_elements_of_another_creator_are_not_trusted() -> None:
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
