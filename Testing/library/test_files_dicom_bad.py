"""DICOM series that are not whole, or no series at all: one sentence each."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from files_dicom_writer import (
    add_pixels,
    save,
    write_classic,
    write_enhanced,
)
from files_samples import a_scanned_series as a_series
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

from DeepMRILib import files
from DeepMRILib.errors import InputError

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


@pytest.mark.filterwarnings("ignore")  # pydicom's remarks on what it meets
def test_random_bytes_that_begin_as_dicom_are_a_sentence(tmp_path: Path, rng: np.random.Generator) -> None:
    refused = 0
    for length in (133, 140, 200, 1000):
        for _ in range(50):
            for start in (bytes(128) + b"DICM", b"\x08\x00\x05\x00" + bytes(128)):
                (tmp_path / "x").write_bytes(start + rng.bytes(length))
                with pytest.raises(InputError) as caught:
                    files.read_volume(tmp_path / "x")
                refused += "\n" not in str(caught.value)
    assert refused == 400


def test_what_struct_refuses_is_a_sentence(tmp_path: Path) -> None:
    from DeepMRILib.files.dicom_series import reading

    with pytest.raises(InputError, match="x.dcm is not a complete DICOM file"), reading(tmp_path / "x.dcm"):
        struct.unpack("<H", b"1")
