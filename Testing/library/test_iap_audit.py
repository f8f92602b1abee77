"""Audits of folders and tables of headers: what is missing, odd, contradictory or does not fit together."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import iap_files as made
import numpy as np
import pytest
from iap_files import a_table

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.iap.audit import audit
from DeepMRILib.iap.audit_groups import clusters
from DeepMRILib.iap.example import audit_inputs
from DeepMRILib.iap.header_table import read_rows
from DeepMRILib.iap.options import AuditOptions
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.result import AuditResult

ROOT = Path(__file__).resolve().parents[2]


def found(result: AuditResult) -> set[tuple[str, str, str]]:
    """Series, parameter and finding."""
    columns = result.findings.columns
    return set(zip(columns["series"], columns["parameter"], columns["finding"], strict=True))


def test_a_uniform_table_has_no_findings(tmp_path: Path) -> None:
    result = audit(a_table(tmp_path / "t.csv", [{}] * 6))
    assert found(result) == set()
    assert result.groups.rows == [
        ("SIEMENS, Avanto, 1.5 T, SE", "SIEMENS", "Avanto", 1.5, "SE", 500.0, 10.0, 90.0, 4.0, 6, 6)
    ]
    assert result.series.columns["matrix"] == ["256x192"] * 6
    assert result.findings.columns.keys() == {"series", "parameter", "value", "finding", "expected"}
    assert result.unread.columns == {"path": [], "reason": []}


@pytest.mark.parametrize(
    ("change", "parameter", "finding"),
    [
        ({"EchoTime": "0"}, "echo_time", "zero"),
        ({"EchoTime": "-3"}, "echo_time", "cannot be"),
        ({"EchoTime": "ten"}, "echo_time", "no number"),
        ({"EchoTime": ""}, "echo_time", "missing"),
        ({"EchoTime": "600"}, "echo_time", "contradiction"),
        ({"EchoTime": "11"}, "echo_time", "rare in its group"),
        ({"EchoTime": "10\\20"}, "echo_time", "several values"),
        ({"RepetitionTime": "90000"}, "repetition_time", "out of range"),
        ({"FlipAngle": "270"}, "flip_angle", "out of range"),
        ({"MagneticFieldStrength": "3"}, "field_strength", "not that of its model"),
        ({"Manufacturer": "GE"}, "manufacturer", "not that of its model"),
        ({"AcquisitionMatrix": ""}, "matrix", "missing, others of its group have it"),
        ({"AcquisitionMatrix": "a"}, "matrix", "cannot be read"),
        ({"MRAcquisitionType": "4D"}, "acquisition_type", "unknown word"),
        ({"ScanningSequence": "IR"}, "inversion_time", "missing"),
        ({"ScanningSequence": "IR", "InversionTime": "800"}, "inversion_time", "contradiction"),
    ],
)
def test_one_odd_series_among_many(tmp_path: Path, change: dict[str, str], parameter: str, finding: str) -> None:
    result = audit(a_table(tmp_path / "t.csv", [{}] * 5 + [change] + [{}] * 5))
    assert ("s5", parameter, finding) in found(result)
    assert {series for series, _, _ in found(result)} == {"s5"}
    row = next(row for row in result.findings.rows if row[1] == parameter)
    assert row[4]  # what was expected


def test_values_within_the_tolerance_are_not_rare(tmp_path: Path) -> None:
    assert found(audit(a_table(tmp_path / "t.csv", [{}] * 9 + [{"EchoTime": "10.4"}]))) == set()


def test_rare_is_a_fraction_of_the_group(tmp_path: Path) -> None:
    table = a_table(tmp_path / "t.csv", [{}] * 47 + [{"FlipAngle": "120"}] * 3)
    rare = {("s47", "flip_angle", "rare in its group"), ("s48", "flip_angle", "rare in its group"),
            ("s49", "flip_angle", "rare in its group")}  # fmt: skip
    assert found(audit(table, AuditOptions(rare=0.07))) == rare
    assert found(audit(table, AuditOptions(rare=0.05))) == set()
    assert found(audit(table, AuditOptions(rare=0.0))) == set()


def test_what_most_series_lack_is_told_once(tmp_path: Path) -> None:
    result = audit(a_table(tmp_path / "t.csv", [{"SliceThickness": ""}] * 5 + [{}]))
    missing = [row for row in result.findings.rows if row[3] == "missing"]
    assert missing == [("", "slice_thickness", "", "missing", "it is missing in 5 of 6 series")]
    assert "s5" not in {row[0] for row in missing}


def test_spellings_and_rows_that_occur_twice(tmp_path: Path) -> None:
    result = audit(a_table(tmp_path / "t.csv", [{}] * 3 + [{"Manufacturer": "Siemens Healthineers", "series": "s0"}]))
    assert ("", "manufacturer", "several spellings") in found(result)
    assert ("s0", "", "listed several times") in found(result)
    assert result.series.columns["manufacturer"] == ["SIEMENS"] * 4
    assert len(result.groups) == 1


def test_groups_by_other_parameters(tmp_path: Path) -> None:
    table = a_table(tmp_path / "t.csv", [{}, {"EchoTime": "80"}, {"EchoTime": "80.0"}])
    result = audit(table, AuditOptions(group_by=("echo_time",)))
    assert result.groups.columns["series"] == [2, 1]
    assert result.groups.columns["group"] == ["80 ms", "10 ms"]
    with pytest.raises(InputError, match="--group-by names 'echo', which is no parameter"):
        audit(table, AuditOptions(group_by=("echo",)))


def test_coverage_counts_what_is_there(tmp_path: Path) -> None:
    result = audit(a_table(tmp_path / "t.csv", [{}, {"EchoTime": "80"}, {"EchoTime": ""}]))
    row = dict(zip(result.coverage.columns, result.coverage.rows[list(BY_NAME).index("echo_time")], strict=True))
    assert row == {
        "parameter": "echo_time", "label": "Echo time", "unit": "ms", "present": 2, "missing": 1, "values": 2,
        "commonest": 10.0, "lowest": 10.0, "highest": 80.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "te", "tr", "phrase"),
    [
        (("EchoTime", "RepetitionTime", "ManufacturersModelName"), "0.03", "2", "seconds, as the names of columns"),
        (("EchoTime", "RepetitionTime", "ManufacturerModelName"), "30", "2000", "milliseconds, as the names"),
        (("EchoTime", "RepetitionTime", "site"), "0.03", "2", "seconds, as the middle one of echo time is 0.03"),
        (("echo_time", "repetition_time", "site"), "30", "2000", "milliseconds, as the middle one"),
        (("TE (s)", "TR (s)", "site"), "0.03", "2", "seconds, as its name says"),
        (("TE_ms", "TR_ms", "site"), "30", "2000", "milliseconds, as its name says"),
        (("EchoTime", "RepetitionTime", "sidecar"), "30", "2000", "milliseconds, as the middle one"),
    ],
)
def test_times_of_tables_in_seconds_or_not(tmp_path: Path, columns: Any, te: str, tr: str, phrase: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",".join(columns) + f"\n{te},{tr},x\n{te},{tr},x\n")
    table = read_rows(path)
    assert [(row.header["echo_time"], row.header["repetition_time"]) for row in table.rows] == [(30.0, 2000.0)] * 2
    assert phrase in table.notes[0]


def test_real_sidecars_as_a_table(shared_data: Path) -> None:
    path = shared_data / "bids_sidecar_params" / "params.csv"
    result = audit(path)
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for name, key, factor in (("echo_time", "EchoTime", 1e3), ("repetition_time", "RepetitionTime", 1e3),
                              ("inversion_time", "InversionTime", 1e3), ("flip_angle", "FlipAngle", 1.0),
                              ("bandwidth", "PixelBandwidth", 1.0)):  # fmt: skip
        expected = [float(row[key]) * factor if row[key] else None for row in rows]
        for value, truth in zip(result.series.columns[name], expected, strict=True):
            assert (value is None) == (truth is None)
            assert value is None or value == pytest.approx(truth, rel=1e-9)
    assert set(result.series.columns["manufacturer"]) == {"SIEMENS", "PHILIPS", "GE", None}
    assert set(result.series.columns["sequence"]) == {"EP", "GR\\IR", "IR\\SE", "SE", "GR", "RM", None}
    spelled = [row for row in result.findings.rows if row[3] == "several spellings"]
    assert {row[1] for row in spelled} == {"manufacturer", "model"}


def test_real_dicom_labels_as_a_table_give_what_the_files_give(shared_data: Path) -> None:
    folder = shared_data / "dicom_iap"
    table, files = audit(folder / "labels.csv"), audit(folder)
    assert files.unread.rows == []
    assert files.provenance.inputs["files"] == 25 + 8
    by_name = {Path(path).name: row for path, row in zip(files.series.columns["path"], files.series.rows, strict=True)}
    names = list(files.series.columns)
    compared = 0
    for number, name in enumerate(table.series.columns["series"]):
        row = by_name.get(Path(name).name)
        for column in ("echo_time", "repetition_time", "matrix", "manufacturer", "pixel_spacing", "field_of_view"):
            value = table.series.columns[column][number]
            if row is not None and value is not None:
                compared += 1
                assert row[names.index(column)] == value, (name, column)
    assert compared > 40


def test_a_tree_of_dicom_and_sidecars(tmp_path: Path) -> None:
    for patient in range(5):
        made.write_series(tmp_path / f"p{patient}", 2, PatientID=f"P{patient}")
    made.write_series(tmp_path / "odd", 2, PatientID="P9", EchoTime=lambda n: str(10 * n), AcquisitionMatrix=None)
    made.write_sidecar(tmp_path / "sub-1" / "sub-1_T1w.json")
    (tmp_path / "broken.dcm").write_bytes(b"nothing")
    result = audit(tmp_path)
    assert len(result.series) == 7
    assert result.series.columns["files"].count(2) == 6
    assert ("odd", "echo_time", "differs within the series") in found(result)
    assert ("odd", "matrix", "missing, others of its group have it") in found(result)
    assert [Path(path).name for path in result.unread.columns["path"]] == ["broken.dcm"]
    assert result.groups.columns["patients"] == [6, 1]


def test_it_saves_itself(tmp_path: Path) -> None:
    result = audit(a_table(tmp_path / "t.csv", [{}, {"EchoTime": "0"}]))
    result.save(tmp_path / "out")
    assert {"series.csv", "findings.csv", "groups.csv", "coverage.csv", "unread.csv", "result.json"} <= {
        path.name for path in (tmp_path / "out").iterdir()
    }


def test_the_example_has_wrong_headers_that_are_found() -> None:
    result = audit(**audit_inputs())
    assert len(result.series) == 18
    assert result.series.columns["kind"] == ["bids"] * 18
    assert any(finding in ("contradiction", "out of range", "rare in its group") for _, _, finding in found(result))


def test_clusters_end_where_values_are_no_longer_the_same() -> None:
    labels, values = clusters(BY_NAME["echo_time"], [10.0, 10.4, None, 10.6, 10.0, 20.0])
    assert labels.tolist() == [0, 0, -1, 1, 0, 2]
    assert values == [10.0, 10.6, 20.0]
    labels, values = clusters(BY_NAME["manufacturer"], ["GE", None, "Siemens", "SIEMENS"])
    assert labels.tolist() == [0, -1, 1, 1]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", "x,y\n1,2\n", "No column of a.csv is an acquisition parameter"),
        ("a.csv", "EchoTime\n", "a.csv holds no rows"),
        ("a.csv", "", "a.csv holds no rows"),
        ("a.csv", "EchoTime,site\n1\n", "Row 2 of a.csv has 1 columns, and the first line 2"),
        ("a.tsv", "\xff\xfe", "is not a text file in UTF-8"),
        ("a.txt", "words", "holds no header of an MR series"),
    ],
)
def test_bad_tables_and_files(tmp_path: Path, name: str, content: str, sentence: str) -> None:
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=sentence):
        audit(tmp_path / name)


def test_bad_folders_and_cancelling(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        audit(tmp_path / "absent")
    (tmp_path / "broken.dcm").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"holds no header of an MR series.*broken\.dcm is no DICOM file"):
        audit(tmp_path)
    table = a_table(tmp_path / "t.tsv", [{}] * 3, delimiter="\t")
    assert len(audit(table).series) == 3

    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        audit(table, progress=stop)


def test_thousands_of_rows_take_a_moment(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    changes = [{"EchoTime": f"{random.uniform(5, 100):.2f}", "RepetitionTime": f"{random.uniform(400, 4000):.1f}"}
               for _ in range(2000)]  # fmt: skip
    table = a_table(tmp_path / "t.csv", changes)
    start = time.process_time()
    assert len(audit(table).series) == 2000
    assert time.process_time() - start < 4.0  # 5,000 take 0.5 s of processor time on the machine it was written on


def test_nothing_but_numpy_is_loaded(tmp_path: Path) -> None:
    table = a_table(tmp_path / "t.csv", [{}] * 3)
    code = (
        "import sys; from DeepMRILib.iap.audit import audit; from DeepMRILib.iap.analysing import analyse; "
        f"audit({str(table)!r}); analyse({str(table)!r}); "
        "print([name for name in ('torch', 'monai', 'pydicom', 'nibabel', 'matplotlib') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
