"""Slices of DICOM series, NIfTI images and volumes; the series of folders; bad input of each kind."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import iap_files as made
import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import DependencyError, InputError
from DeepMRILib.iap.header import read_header
from DeepMRILib.iap.series import Turn, find_series, read_series, spread
from DeepMRILib.volume import Volume

pydicom = pytest.importorskip("pydicom")


def test_slices_of_a_dicom_folder_in_their_order(tmp_path: Path) -> None:
    made.write_series(tmp_path / "s", 5)
    series = read_series(tmp_path / "s")
    assert [int(image[0, 0]) for image in series.slices] == [10, 20, 30, 40, 50]
    assert series.slices[0].dtype == np.uint16
    assert series.slices[0].shape == (16, 24)
    assert series.indices == [0, 1, 2, 3, 4]
    assert (series.count, series.pixel_spacing, series.colour, series.photometric, series.notes) == (
        5, (1.5, 1.5), False, "MONOCHROME2", ())  # fmt: skip
    assert len(set(series.names)) == 5
    assert series.header["echo_time"] == 12.5
    assert series.volume is None
    one = read_series(tmp_path / "s" / "im000")
    assert (one.count, int(one.slices[0][0, 0])) == (1, 50)
    assert "The series has one slice" in one.notes[0]


def test_only_the_slices_asked_for_are_opened(tmp_path: Path) -> None:
    paths = made.write_series(tmp_path / "s", 20)
    chosen = spread(20, 4)
    for number, path in enumerate(paths):
        if number not in chosen:  # its header is whole, its pixels are not
            path.write_bytes(path.read_bytes()[:-100])
    (tmp_path / "s").rename(tmp_path / "cut")
    with pytest.raises(InputError):
        read_series(tmp_path / "cut")
    series = read_series(tmp_path / "cut", most=4)
    assert series.count == 20
    assert [int(image[0, 0]) for image in series.slices] == [10 * (number + 1) for number in chosen]


def test_spread_takes_the_middle() -> None:
    for count in (1, 2, 5, 20, 161):
        for most in (0, 1, 2, 4, 24, 200):
            chosen = spread(count, most)
            assert len(chosen) == (min(count, most) or count)
            assert chosen == sorted(set(chosen))
            assert 0 <= chosen[0] <= chosen[-1] < count
    assert spread(160, 24)[0] >= 24
    assert spread(160, 24)[-1] <= 135


@pytest.mark.parametrize("name", ["siemens_xa30/asl27.dcm", "nih_siemens/s3_epi_pe_ap-00001.dcm"])
def test_real_enhanced_and_mosaic_slices_lie_as_in_the_volume(shared_data: Path, name: str) -> None:
    series = read_series(shared_data / "dicom_iap" / name)
    volume = series.whole()
    assert volume.shape[2] == series.count == len(series.slices)
    for k, image in zip(series.indices, series.slices, strict=True):
        stored, shown = image.ravel().astype(float), volume.array[:, :, k].T.ravel().astype(float)
        slope, intercept = np.polyfit(stored, shown, 1)
        assert np.allclose(slope * stored + intercept, shown, atol=1e-3 * np.abs(shown).max())
    marked = series.on_volume({2: np.ones(series.slices[2].shape)})
    assert [bool(marked.array[:, :, k].any()) for k in range(4)] == [False, False, True, False]


def test_all_real_files_give_slices_or_a_sentence(shared_data: Path) -> None:
    import csv

    folder = shared_data / "dicom_iap"
    with (folder / "labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        path = folder / row["file"]
        if row["pixel_ok"] == "0":
            with pytest.raises(InputError, match="holds a header without pixels"):
                read_series(path)
            continue
        series = read_series(path, most=3)
        assert all(image.ndim == 2 and image.dtype.kind in "ui" for image in series.slices)
        empty = any("empty (all zero)" in note for note in series.notes)
        assert empty == (not any(image.any() for image in series.slices))
    assert any("decimal_rescale" in row["file"] for row in rows)


def test_enhanced_frames_from_low_to_high(tmp_path: Path) -> None:
    made.writer.save(made.an_enhanced(4), tmp_path / "e.dcm")
    series = read_series(tmp_path / "e.dcm")
    assert [int(image[0, 0]) for image in series.slices] == [4, 3, 2, 1]  # frame 1 lies highest
    assert series.names[0].endswith("frame 4")
    assert series.pixel_spacing == (0.9, 0.9)


def test_repeated_places_and_localizers(tmp_path: Path) -> None:
    uid = "1.2.3.4"
    made.write_series(tmp_path / "two", 3, uid)
    for number in range(3):
        again = made.a_dataset(uid, number + 4, ImagePositionPatient=[0, 0, 5.0 * (number + 1)])
        made.writer.save(again, tmp_path / "two" / f"again{number}")
    series = read_series(tmp_path / "two")
    assert [int(image[0, 0]) for image in series.slices] == [10, 20, 30]
    assert any("6 images at 3 places" in note for note in series.notes)
    made.write_series(tmp_path / "loc", 3, ImageOrientationPatient=lambda n: [1, 0, 0, 0, n % 2, 1 - n % 2])
    assert any("do not lie in one direction" in note for note in read_series(tmp_path / "loc").notes)


@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_volumes_and_back(tmp_path: Path, axis: str) -> None:
    affine = np.array([[0, 0.1, 3.0, 5], [1.0, 0, 0, 6], [0.1, -2.0, 0, 7], [0, 0, 0, 1]])  # sagittal, RAS
    volume = made.write_image(tmp_path / "s.nii.gz", (6, 5, 4), affine)
    from_file, in_memory = read_series(tmp_path / "s.nii.gz", slice_axis=axis), read_series(volume, slice_axis=axis)
    for left, right in zip(from_file.slices, in_memory.slices, strict=True):
        assert np.array_equal(left, right)
    back = from_file.on_volume(dict(zip(from_file.indices, from_file.slices, strict=True)))
    assert np.array_equal(back.array, volume.array)
    assert np.allclose(back.affine, volume.affine)
    assert from_file.count == volume.shape["ijk".index(axis)]


def test_slices_of_dicom_and_of_its_nifti_are_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made.write_series(tmp_path / "s", 4, pixels=lambda n: rng.integers(0, 900, (16, 24)).astype(np.uint16))
    expected = read_series(tmp_path / "s")
    volume = files.read_volume(tmp_path / "s")
    for turned in (
        volume,
        _flipped(volume, 0),
        _flipped(volume, 1),
        _flipped(_flipped(volume, 1), 0),
        _swapped(volume),
    ):
        files.write_volume(turned, tmp_path / "s.nii.gz")
        found = read_series(tmp_path / "s.nii.gz")
        assert all(np.array_equal(a, b) for a, b in zip(expected.slices, found.slices, strict=True))
        assert found.pixel_spacing == pytest.approx(expected.pixel_spacing)


def _flipped(volume: Volume, axis: int) -> Volume:
    change = np.eye(4)
    change[axis, axis], change[axis, 3] = -1, volume.shape[axis] - 1
    return Volume(np.flip(volume.array, axis), volume.affine @ change)


def _swapped(volume: Volume) -> Volume:
    return Volume(volume.array.swapaxes(0, 1), volume.affine @ np.eye(4)[[1, 0, 2, 3]])


def test_prone_volumes_stay_as_they_are(tmp_path: Path) -> None:
    volume = made.write_image(tmp_path / "s.nii.gz", affine=np.diag([1.0, 1, 2, 1]))
    made.write_sidecar(tmp_path / "s.json", PatientPosition="HFP")
    series = read_series(tmp_path / "s.nii.gz")
    assert series.turn == Turn(2)
    assert np.array_equal(series.slices[1], volume.array[:, :, 1].T)
    supine = read_series(volume)
    assert np.array_equal(supine.slices[1], volume.array[::-1, ::-1, 1].T)
    assert any("turned to the usual display" in note for note in supine.notes)


def test_series_of_four_axes_and_of_complex_numbers() -> None:
    array = np.ones((4, 5, 3, 2)) * [3 + 4j, 0]
    series = read_series(Volume(array))
    assert np.allclose(series.slices[0], 5)
    assert any("2 volumes; the first one is used" in note for note in series.notes)
    assert any("complex; its magnitude" in note for note in series.notes)
    assert "The image came without a header." in series.notes


def test_a_header_from_elsewhere(tmp_path: Path) -> None:
    volume = made.write_image(tmp_path / "s.nii.gz")
    other = made.write_sidecar(tmp_path / "other.json")
    for source in (volume, tmp_path / "s.nii.gz"):
        assert read_series(source, header=other).header["echo_time"] == 2.98
        assert read_series(source, header=read_header(other)).header["echo_time"] == 2.98


def test_odd_images_are_told(tmp_path: Path) -> None:
    made.write_series(tmp_path / "s", 2, PixelSpacing=["1", "2"], PhotometricInterpretation="MONOCHROME1",
                      pixels=lambda n: np.zeros((8, 8), np.uint16))  # fmt: skip
    notes = " ".join(read_series(tmp_path / "s").notes)
    for phrase in ("Pixels are not square: 1 x 2 mm.", "MONOCHROME1", "All slices are empty (all zero)."):
        assert phrase in notes
    assert notes.count("not square") == 1


def test_a_mosaic_without_its_private_header(tmp_path: Path) -> None:
    mosaic = np.zeros((48, 48), np.uint16)
    for tile in range(5):
        mosaic[tile // 3 * 16 : tile // 3 * 16 + 16, tile % 3 * 16 : tile % 3 * 16 + 16] = tile + 1
    one = made.a_dataset(pixels=mosaic, ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"],
                         AcquisitionMatrix=[16, 0, 0, 16])  # fmt: skip
    made.writer.save(one, tmp_path / "m.dcm")
    series = read_series(tmp_path / "m.dcm")
    assert [int(image[3, 3]) for image in series.slices] == [1, 2, 3, 4, 5]
    assert series.header["field_of_view"] == 24.0


def test_bad_dicom_has_its_sentence(tmp_path: Path) -> None:
    colour = made.a_dataset(SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
                            pixels=np.zeros((4, 4), np.uint8))  # fmt: skip
    colour.PixelData = bytes(48)
    bare = made.a_dataset()
    del bare.PixelData
    cases: list[tuple[str, Any, str]] = [
        ("colour", colour, "is a colour image"),
        ("bare", bare, "holds a header without pixels"),
        ("ct", made.a_dataset(Modality="CT"), r"is no MR image \(its modality is CT\)"),
        ("empty", made.a_dataset(Rows=0, Columns=0), "holds no image"),
        ("huge", made.a_dataset(NumberOfFrames=2_000_000_000), "claims 2000000000 x 16 x 24"),
    ]
    for name, dataset, sentence in cases:
        made.writer.save(dataset, tmp_path / f"{name}.dcm")
        with pytest.raises(InputError, match=sentence):
            read_series(tmp_path / f"{name}.dcm")


def test_compressed_pixels_are_decoded_or_the_package_is_named() -> None:
    from pydicom.data import get_testdata_file

    plain = read_series(get_testdata_file("MR_small.dcm")).slices[0]
    assert np.array_equal(read_series(get_testdata_file("MR_small_RLE.dcm", download=False)).slices[0], plain)
    path = get_testdata_file("MR_small_jpeg_ls_lossless.dcm", download=False)
    assert read_header(path)["echo_time"] == 240.0
    if importlib.util.find_spec("jpeg_ls") or importlib.util.find_spec("pylibjpeg"):
        assert np.array_equal(read_series(path).slices[0], plain)
    else:
        with pytest.raises(DependencyError, match="compressed .JPEG-LS.*pip install pylibjpeg"):
            read_series(path)


def test_folders_of_several_series_and_patients(tmp_path: Path) -> None:
    made.write_series(tmp_path / "a", PatientID="P1")
    made.write_series(tmp_path / "b", PatientID="P2", SeriesDescription="t2 tse")
    with pytest.raises(InputError, match=r"holds 2 series of 2 patients.*a \(t1 se\); b \(t2 tse\).*cohort"):
        read_series(tmp_path)
    made.write_series(tmp_path / "mixed", PatientID=lambda n: f"P{n}")
    with pytest.raises(InputError, match="Its images are of several patients: P1, P2, P3"):
        read_series(tmp_path / "mixed")
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="holds no MR series"):
        read_series(tmp_path / "none")
    made.write_sidecar(tmp_path / "s.json")
    with pytest.raises(InputError, match=r"s\.json is a sidecar. Give the image"):
        read_series(tmp_path / "s.json")


def test_a_tree_with_everything_in_it(tmp_path: Path) -> None:
    made.write_series(tmp_path / "p1" / "t1", 3, PatientID="P1")
    for path in made.write_series(tmp_path / "p3", 2, PatientID="P1", SeriesDescription="t2 tse", EchoTime="90"):
        path.rename(tmp_path / "p1" / "t1" / f"t2_{path.name}")
    for number, path in enumerate(made.write_series(tmp_path / "p2", 3, PatientID="P2")):
        path.rename(path.with_name(f"second{number}"))
    made.write_image(tmp_path / "sub-3" / "anat" / "sub-3_T1w.nii.gz")
    made.write_sidecar(tmp_path / "sub-3" / "anat" / "sub-3_T1w.json")
    made.write_image(tmp_path / "alone.nii")
    made.write_sidecar(tmp_path / "only.json")
    (tmp_path / "dataset_description.json").write_text('{"Name": "a set", "BIDSVersion": "1.8.0"}')
    (tmp_path / "readme.txt").write_text("words")
    (tmp_path / "broken.dcm").write_bytes(b"DICM" * 100)
    (tmp_path / "bad.json").write_text("{")
    made.writer.save(made.a_dataset(Modality="SR"), tmp_path / "report.dcm")
    found = find_series(tmp_path)
    assert [(place.name, place.kind, len(place.files)) for place in found] == [
        ("alone.nii", "image", 1),
        ("p1/t1 [1]", "dicom", 3),
        ("p1/t1 [2]", "dicom", 2),
        ("p2", "dicom", 3),
        ("sub-3/anat/sub-3_T1w.nii.gz", "image", 1),
    ]
    assert {one.path.name for one in found.unread} == {"broken.dcm", "report.dcm"}
    assert [place.patient for place in found[1:]] == ["P1", "P1", "P2", "sub-3"]
    with_sidecars = find_series(tmp_path, sidecars=True)
    assert "only.json" in [place.name for place in with_sidecars]
    assert {one.path.name for one in with_sidecars.unread} == {"broken.dcm", "report.dcm", "bad.json"}
    for place in found:
        assert len(read_series(place).slices) == read_series(place).count


def test_patients_that_no_header_names(tmp_path: Path) -> None:
    for folder in ("p1/a", "p1/b", "p2/a", "c"):
        made.write_series(tmp_path / folder, 2, PatientID=None)
    assert [place.patient for place in find_series(tmp_path)] == ["c", "p1", "p1", "p2"]


def test_copies_of_one_image_are_taken_once(tmp_path: Path) -> None:
    paths = made.write_series(tmp_path / "s", 3)
    (tmp_path / "s" / "copy").write_bytes(paths[0].read_bytes())
    found = find_series(tmp_path)
    assert [len(place.files) for place in found] == [3]
    assert "same image as" in found.unread[0].reason


def test_progress_can_stop_the_search(tmp_path: Path) -> None:
    from DeepMRILib.errors import Cancelled

    made.write_series(tmp_path / "s", 2)

    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        find_series(tmp_path, progress=stop)
    with pytest.raises(InputError, match="There is no folder"):
        find_series(tmp_path / "absent")
