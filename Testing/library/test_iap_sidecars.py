"""Headers of BIDS sidecars, beside an image and alone, in all their habits."""

from __future__ import annotations

import json
from pathlib import Path

import iap_files as made
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.iap.header import read_header


def test_a_sidecar_in_seconds_beside_its_image(tmp_path: Path) -> None:
    made.write_image(tmp_path / "sub-07" / "anat" / "sub-07_T1w.nii.gz")
    sidecar = made.write_sidecar(tmp_path / "sub-07" / "anat" / "sub-07_T1w.json", BaseResolution=256,
                                 AcquisitionMatrixPE=192)  # fmt: skip
    for source in (sidecar, tmp_path / "sub-07" / "anat" / "sub-07_T1w.nii.gz", tmp_path / "sub-07"):
        header = read_header(source)
        expected = {
            "manufacturer": "SIEMENS", "model": "Prisma fit", "field_strength": 3.0, "sequence": "GR\\IR",
            "variant": "MP\\SK\\SP", "scan_options": "EPI_GEMS\\PFF", "repetition_time": 2300.0, "echo_time": 2.98,
            "inversion_time": 900.0, "flip_angle": 9.0, "slice_thickness": 1.0, "slice_spacing": 2.0,
            "pixel_spacing": 1.0, "field_of_view": 6.0, "matrix": "256x192", "contrast_agent": None,
        }  # fmt: skip
        assert {name: header[name] for name in expected} == expected
        assert (header.patient, header.kind, header.description) == ("sub-07", "bids", "mprage")


def test_sidecars_of_other_habits(tmp_path: Path) -> None:
    header = read_header(made.write_sidecar(tmp_path / "a.json", EchoTime=30, RepetitionTime=[2.0, 2.1], FlipAngle="9",
                                            ScanningSequence=["GR", "IR"], ManufacturersModelName=None,
                                            ManufacturerModelName="Skyra"))  # fmt: skip
    assert (header["echo_time"], header["repetition_time"], header["flip_angle"]) == (30.0, 2000.0, 9.0)
    assert (header["sequence"], header["model"]) == ("GR\\IR", "Skyra")
    assert any("too long for seconds" in note for note in header.notes)
    assert any("Repetition time has 2 values" in note for note in header.notes)


def test_an_image_without_a_sidecar_has_its_grid_alone(tmp_path: Path) -> None:
    made.write_image(tmp_path / "scan.nii")
    header = read_header(tmp_path / "scan.nii")
    assert {name for name, value in header.values.items() if value is not None} == {
        "slice_spacing", "pixel_spacing", "field_of_view"}  # fmt: skip
    assert "There is no sidecar scan.json beside the image" in header.notes[0]
    (tmp_path / "scan.json").write_text('{"Sources": ["a"]}')
    header = read_header(tmp_path / "scan.nii")
    assert header["field_of_view"] == 6.0
    assert "scan.json holds no acquisition parameter beside the image" in header.notes[0]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not valid JSON"),
        ("[1, 2]", "holds no JSON object"),
        ('{"Name": "a data set"}', "holds no acquisition parameter"),
        (json.dumps({**made.SIDECAR, "Modality": "CT"}), "its modality is CT"),
        ("\ufeff[" * 100_000, "is not valid JSON"),
    ],
)
def test_bad_sidecars(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        read_header(tmp_path / "a.json")
