"""Headers of DICOM: five vendors, enhanced and damaged ones; every value read right or reported missing."""

from __future__ import annotations

import ast
import csv
import gzip
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import iap_files as made
import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.iap import aliases, header_values
from DeepMRILib.iap.header import read_header
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.verdicts import same

pydicom = pytest.importorskip("pydicom")
COLUMNS = {parameter.keyword: parameter.name for parameter in BY_NAME.values() if parameter.keyword}
NESTED = {
    "repetition_time": 4800.0,
    "echo_time": 11.0,
    "flip_angle": 90.0,
    "echo_train": 48.0,
    "averages": 2.0,
    "bandwidth": 3005.0,
    "slice_thickness": 6.0,
    "pixel_spacing": 4.0,
    "sequence": "EP\\GR",
    "matrix": "64x64",
}
"""What labels.csv, made of top-level elements, does not have of the enhanced file."""


def _truth(name: str, text: str) -> Any:
    """A cell of labels.csv as a value."""
    if text in ("", "None"):
        return None
    cell = ast.literal_eval(text) if text.startswith("[") else text
    if name == "matrix":
        frequency, phase = [n for n in cell if n]
        return f"{frequency}x{phase}"
    if name == "pixel_spacing":
        return float(cell[0])
    if BY_NAME[name].kind == "categorical":
        return "\\".join(cell) if isinstance(cell, list) else cell
    return float(cell)


def test_every_value_of_the_real_files_is_right_or_reported_missing(shared_data: Path) -> None:
    folder = shared_data / "dicom_iap"
    compared = 0
    with (folder / "labels.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            header = read_header(folder / row["file"])
            for column, name in COLUMNS.items():
                truth, value = _truth(name, row[column]), header[name]
                compared += 1
                if truth is not None:
                    assert same(name, truth, value), (row["file"], name, truth, value)
                    if BY_NAME[name].kind != "categorical" and name != "field_strength":
                        assert value == pytest.approx(truth, rel=1e-9)
                elif name == "contrast_agent":
                    assert value == "none"
                elif "asl27" in row["file"] and name in NESTED:
                    assert value == NESTED[name]
                else:
                    assert value is None, (row["file"], name, value)
    assert compared == 25 * len(COLUMNS)


@pytest.mark.parametrize(
    ("name", "field_of_view", "kind"),
    [
        ("nih_siemens/s3_epi_pe_ap-00001.dcm", 216.0, "dicom"),  # a mosaic: of one tile, not of all
        ("nibabel/csa_slice_norm.dcm", 96.0, "dicom"),  # a header without pixels
        ("uih_t1_3d/025.dcm", 256.0, "dicom"),
        ("siemens_xa30/asl27.dcm", 256.0, "enhanced"),
    ],
)
def test_fields_of_view_of_real_files(shared_data: Path, name: str, field_of_view: float, kind: str) -> None:
    header = read_header(shared_data / "dicom_iap" / name)
    assert header["field_of_view"] == pytest.approx(field_of_view)
    assert header.kind == kind


def test_sidecars_say_what_the_dicom_files_say(shared_data: Path) -> None:
    folder = shared_data / "dicom_iap"
    pairs = [("EPI_PE=AP_3", "nih_siemens/s3_epi_pe_ap-00001"), ("EPI_PE=LR_6", "nih_siemens/s6_epi_pe_lr-00001"),
             ("DCM2NIIX_regression_test_4", "nih_ge_epi/s4_axial_epi_fmri_interleaved_i_to_s-00046")]  # fmt: skip
    for sidecar, dicom in pairs:
        left, right = read_header(folder / "nih_ref_json" / f"{sidecar}.json"), read_header(folder / f"{dicom}.dcm")
        both = [name for name in BY_NAME if left[name] is not None]
        assert len(both) >= 13
        assert left.kind == "bids"
        for name in both:
            assert same(name, right[name], left[name]), (sidecar, name)


def test_pydicoms_own_files_in_all_encodings() -> None:
    from pydicom.data import get_testdata_file

    expected = read_header(get_testdata_file("MR_small.dcm"))
    assert (expected["repetition_time"], expected["echo_time"]) == (4000.0, 240.0)
    assert expected["field_strength"] is None
    for name in ("MR_small_bigendian.dcm", "MR_small_implicit.dcm", "MR_small_RLE.dcm", "MR_small_padded.dcm"):
        assert read_header(get_testdata_file(name, download=False)).values == expected.values, name
    overlay = read_header(get_testdata_file("examples_overlay.dcm", download=False))
    assert overlay["field_strength"] == 1.5
    assert (overlay["contrast_agent"], overlay["matrix"]) == ("OMNISCAN", "256x134")
    assert overlay.raw["contrast_agent"] == "11 ml Omniscan"


def test_nibabels_enhanced_and_empty_files(tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    folder = Path(nibabel.__file__).parent / "nicom" / "tests" / "data"
    if not folder.is_dir():
        pytest.skip("nibabel is installed without its test files")
    path = tmp_path / "philips.dcm"
    path.write_bytes(gzip.decompress((folder / "philips_mprage.dcm.gz").read_bytes()))
    header = read_header(path)
    assert header.kind == "enhanced"
    found = [header[name] for name in ("repetition_time", "echo_time", "flip_angle", "slice_thickness", "matrix")]
    assert found == [pytest.approx(7.5693, rel=1e-4), pytest.approx(3.513), 7.0, 1.0, "256x256"]
    assert header["sequence"] == "GR"  # in Philips' private groups
    empty = read_header(folder / "slicethickness_empty_string.dcm")
    assert empty["slice_thickness"] is None
    assert empty["matrix"] == "384x202"


def test_all_of_a_classic_header(tmp_path: Path) -> None:
    paths = made.write_series(tmp_path / "series", 3)
    for source in (tmp_path / "series", paths[1], str(paths[1]), pydicom.dcmread(paths[1])):
        header = read_header(source)
        assert header.values == {
            "manufacturer": "SIEMENS",
            "model": "Avanto",
            "field_strength": 1.5,
            "sequence": "SE",
            "acquisition_type": "2D",
            "variant": "SK\\SP",
            "scan_options": "PFP\\FS",
            "patient_position": "HFS",
            "contrast_agent": "none",
            "repetition_time": 500.0,
            "echo_time": 12.5,
            "inversion_time": None,
            "flip_angle": 90.0,
            "echo_train": 1.0,
            "averages": 2.0,
            "bandwidth": 130.0,
            "slice_thickness": 4.0,
            "slice_spacing": 5.0,
            "pixel_spacing": 1.5,
            "field_of_view": 36.0,
            "matrix": "16x12",
        }
        assert (header.patient, header.description, header.kind) == ("P1", "t1 se", "dicom")
        assert header.notes == ()
    assert read_header(tmp_path / "series").files == 3
    assert read_header(tmp_path / "series").raw["field_strength"] == "1.494"
    assert read_header(header) is header


@pytest.mark.parametrize(
    ("name", "text", "value", "note"),
    [
        ("repetition_time", " 3.50 ", 3.5, None),
        ("repetition_time", "1,494", 1.494, None),
        ("repetition_time", "5e2", 500.0, None),
        ("repetition_time", "0", None, "Repetition time is 0"),
        ("repetition_time", "-4", None, "Repetition time is -4"),
        ("repetition_time", "fast", None, "Repetition time is no number in the header: 'fast'"),
        ("repetition_time", "nan", None, None),
        ("repetition_time", "1e999", None, "is no number"),
        ("repetition_time", "", None, None),
        ("repetition_time", "***", None, None),
        ("echo_time", "10\\20", 10.0, "Echo time has 2 values"),
        ("echo_time", "[10, 10]", 10.0, None),
        ("inversion_time", "0", None, None),
        ("echo_train", "0", None, None),
        ("field_strength", "2.8936", 3.0, None),
        ("field_strength", "15000", 1.5, None),
        ("field_strength", "2.35", 2.35, None),
        ("matrix", "0\\384\\202\\0", "384x202", None),
        ("matrix", "256\\0\\0\\134", "256x134", None),
        ("matrix", "0\\256\\0\\230", "256x230", None),
        ("matrix", "[128, 0, 0, 96]", "128x96", None),
        ("matrix", "256 x 192", "256x192", None),
        ("matrix", "256\\256\\256\\256", None, "two of its numbers"),
        ("matrix", "0\\0\\0\\0", None, None),
        ("matrix", "large", None, "cannot be read"),
        ("manufacturer", "Siemens Healthineers", "SIEMENS", None),
        ("manufacturer", "GE MEDICAL SYSTEMS", "GE", None),
        ("manufacturer", "GEneric Scanners", "GENERIC SCANNERS", None),
        ("manufacturer", "Philips Healthcare", "PHILIPS", None),
        ("manufacturer", "TOSHIBA_MEC", "CANON", None),
        ("manufacturer", "Hitachi Medical Corporation", "FUJIFILM", None),
        ("manufacturer", "UNKNOWN", None, None),
        ("model", "DISCOVERY_MR750", "DISCOVERY MR750", None),
        ("sequence", "['GR', 'IR']", "GR\\IR", None),
        ("sequence", "IR_GR", "GR\\IR", None),
        ("sequence", "SE\\EP", "EP\\SE", None),
        ("variant", "NONE", "NONE", None),
        ("variant", "NONE\\SK", "SK", None),
        ("scan_options", "FAST_GEMS\\SAT_GEMS\\PFP\\FS", "FAST_GEMS\\SAT_GEMS\\PFP\\FS", None),
        ("contrast_agent", "12cc Gadavist", "GADAVIST", None),
        ("patient_position", "hfs ", "HFS", None),
    ],
)
def test_texts_become_values(name: str, text: str, value: Any, note: str | None) -> None:
    values, notes = header_values.values_of({name: text})
    assert values[name] == value
    if note is None:
        assert notes == []
    else:
        assert len(notes) == 1
        assert note in notes[0]
    assert {key for key, found in values.items() if found is not None} <= {name}


def test_planes_and_fields_of_view() -> None:
    def of(**raw: str) -> tuple[Any, Any, list[str]]:
        values, notes = header_values.values_of(raw)
        return values["pixel_spacing"], values["field_of_view"], notes

    assert of(pixel_spacing="0.5\\0.5", rows="512", columns="460") == (0.5, 256.0, [])
    assert of(pixel_spacing="3\\3", rows="216", columns="216", tile="3")[1] == 216.0
    assert of(pixel_spacing="3\\3", rows="216", columns="216", tile="0")[1] is None
    assert of(reconstruction_diameter="350") == (None, 350.0, [])
    assert of(pixel_spacing="0\\0", rows="16", columns="16")[:2] == (None, None)
    spacing, field, notes = of(pixel_spacing="1\\2", rows="10", columns="20")
    assert (spacing, field) == (1.0, 40.0)
    assert notes == ["Pixels are not square: 1 x 2 mm."]


def test_elements_that_the_standard_does_not_allow(tmp_path: Path) -> None:
    path = made.write_raw(tmp_path / "a.dcm", made.a_dataset(), "EchoTime", b"12.5ms??")
    header = read_header(path)
    assert header["echo_time"] is None
    assert header["repetition_time"] == 500.0
    assert "Echo time is no number in the header: '12.5ms??'." in header.notes


def test_missing_and_empty_elements(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    made.writer.save(made.a_dataset(Manufacturer="", EchoTime=None, RepetitionTime="", AcquisitionMatrix=None), path)
    header = read_header(path)
    for name in ("manufacturer", "echo_time", "repetition_time", "matrix"):
        assert header[name] is None
    assert header.raw["repetition_time"] == ""
    assert "echo_time" not in header.raw
    assert header["contrast_agent"] == "none"
    assert "contrast_agent" not in header.raw


def test_an_enhanced_header_with_a_frame_of_another_echo_time(tmp_path: Path) -> None:
    made.writer.save(made.an_enhanced(3, [3.5, 3.5, 7.0]), tmp_path / "e.dcm")
    header = read_header(tmp_path / "e.dcm")
    expected = {
        "manufacturer": "PHILIPS", "sequence": "GR\\IR", "repetition_time": 7.5, "echo_time": 3.5,
        "inversion_time": 950.0, "flip_angle": 8.0, "echo_train": 225.0, "averages": 1.0, "bandwidth": 190.0,
        "slice_thickness": 1.2, "slice_spacing": 0.6, "pixel_spacing": 0.9, "field_of_view": 27.0, "matrix": "256x192",
        "field_strength": 3.0, "patient_position": "HFS",
    }  # fmt: skip
    assert {name: header[name] for name in expected} == expected
    assert header.notes == ("Echo time differs from frame to frame; that of the first is taken.",)


def test_classic_elements_that_a_conversion_left_over(tmp_path: Path) -> None:
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence as Items

    dataset = made.an_enhanced(1)
    shared = dataset.SharedFunctionalGroupsSequence[0]
    del shared.MRTimingAndRelatedParametersSequence
    del dataset.EchoPulseSequence
    item = Dataset()
    item.ScanningSequence, item.RepetitionTime, item.ScanOptions = "SE", 620.0, ["FS"]
    shared.UnassignedSharedConvertedAttributesSequence = Items([item])
    made.writer.save(dataset, tmp_path / "e.dcm")
    header = read_header(tmp_path / "e.dcm")
    assert (header["sequence"], header["repetition_time"], header["scan_options"]) == ("SE", 620.0, "FS")


def test_images_that_differ_are_told(tmp_path: Path) -> None:
    made.write_series(tmp_path / "s", 3, EchoTime=lambda n: str(10 * n), PatientID=lambda n: f"P{n}")
    header = read_header(tmp_path / "s")
    assert header["echo_time"] == 10.0
    assert "Echo time differs within the series of 3 images: 10, 20, 30 ms." in header.notes
    assert "Its images are of several patients: P1, P2, P3." in header.notes


def test_what_is_no_mr_header(tmp_path: Path) -> None:
    ct = made.a_dataset(Modality="CT")
    made.writer.save(ct, tmp_path / "ct.dcm")
    (tmp_path / "notes.txt").write_text("hello " * 100)
    (tmp_path / "empty").mkdir()
    for path, sentence in [
        (tmp_path / "ct.dcm", r"ct\.dcm is no MR image \(its modality is CT\)"),
        (tmp_path / "notes.txt", "has no header with acquisition parameters"),
        (tmp_path / "absent.dcm", "There is no DICOM file, image or sidecar"),
        (tmp_path / "empty", "holds no MR series"),
    ]:
        with pytest.raises(InputError, match=sentence):
            read_header(path)


def test_a_cut_file_keeps_what_it_still_says(tmp_path: Path) -> None:
    made.writer.save(made.a_dataset(), tmp_path / "a.dcm")
    content = (tmp_path / "a.dcm").read_bytes()
    outcomes = set()
    for length in np.linspace(140, len(content) - 1, 40).astype(int):
        (tmp_path / "cut.dcm").write_bytes(content[:length])
        try:
            header = read_header(tmp_path / "cut.dcm")
        except InputError:
            outcomes.add("sentence")
        else:
            outcomes.add("header")
            assert header["manufacturer"] in (None, "SIEMENS")
    assert outcomes == {"sentence", "header"}


def test_changed_bytes_give_a_header_or_a_sentence(tmp_path: Path) -> None:
    made.writer.save(made.an_enhanced(2), tmp_path / "a.dcm")
    content = bytearray((tmp_path / "a.dcm").read_bytes())
    random, whole = np.random.default_rng(0), 0
    for _ in range(100):
        changed = bytearray(content)
        for place in random.integers(132, len(content), 3):
            changed[place] = int(random.integers(256))
        (tmp_path / "changed.dcm").write_bytes(changed)
        try:
            header = read_header(tmp_path / "changed.dcm")
        except InputError:
            continue
        assert set(header.values) == set(BY_NAME)
        whole += 1
    assert whole > 30


def test_keys_group_what_is_the_same() -> None:
    assert aliases.key_of("scan_options", "FS\\PFP") == aliases.key_of("scan_options", "PFP\\FS")
    assert aliases.key_of("field_strength", 1.494) == aliases.key_of("field_strength", 1.5)
    assert aliases.key_of("echo_time", None) is None
    assert [aliases.sequence_family(one) for one in ("SE", "GR", "EP\\GR", "IR\\SE", "RM", "")] == [
        "SE", "GRE", "EPI", "IR", "RM", ""]  # fmt: skip


@pytest.mark.parametrize("letters", ["SIEMENS ", "GEMS_", "x\\\\", "magnetom ", "_", "[", "\\0"])
def test_of_endless_words_only_the_beginning_is_looked_at(letters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counting(function: Any) -> Any:
        def counted(*given: Any, **named: Any) -> Any:
            seen.append(max(len(one) for one in given))
            return function(*given, **named)

        return counted

    functions = {name: counting(getattr(re, name)) for name in ("sub", "search", "split", "match")}
    monkeypatch.setattr(aliases, "re", SimpleNamespace(IGNORECASE=re.IGNORECASE, **functions))
    text = letters * (1_000_000 // len(letters))
    categorical = [name for name, parameter in BY_NAME.items() if parameter.kind == "categorical"]
    values, _ = header_values.values_of(dict.fromkeys(categorical, text))
    assert all(len(values[name] or "") <= aliases.LONGEST for name in categorical)
    for name in categorical:
        aliases.key_of(name, text)
    for function in (aliases.vendor, aliases.model, aliases.agent, aliases.words, aliases.sequence_family):
        function(text)
    assert len(seen) > len(categorical)
    assert max(seen) <= aliases.LONGEST
    assert values["manufacturer"] == aliases.word_value("manufacturer", text[: aliases.LONGEST])
