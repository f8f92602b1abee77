"""Folders of series: sorted into domains, and with sidecars that say what was predicted; nothing of it is changed."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest
from iap_models import HalvesModel, halves, write_nifti

from DeepMRILib import iap
from DeepMRILib.errors import Cancelled, InputError, OutputError
from DeepMRILib.iap.completing import BLOCK, USE

SERIES = {
    "sub-1/anat/sub-1_T1w": (0.6, 20, {"Manufacturer": "Siemens", "EchoTime": 0.020, "Other": [1, "ä"]}),
    "sub-2/anat/sub-2_T1w": (0.7, 22, {"EchoTime": 0.022, "ContrastBolusAgent": "Gadovist"}),
    "sub-3/anat/sub-3_T1w": (-0.6, 40, {"Manufacturer": "GE MEDICAL SYSTEMS", "EchoTime": ""}),
    "sub-4/anat/sub-4_T1w": (0.0, 41, {"Manufacturer": "Siemens", "FlipAngle": 9}),
}


@pytest.fixture
def study(tmp_path) -> Path:
    folder = tmp_path / "study"
    for name, (balance, echo, sidecar) in SERIES.items():
        path = folder / name
        slices = [halves(balance, echo + 0.1 * number) for number in range(3)]
        write_nifti(path.parent, path.name, slices, json.dumps(sidecar))
    return folder


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def columns(result: iap.CohortResult, *names: str) -> list[tuple]:
    return list(zip(*(result.series.columns[name] for name in names), strict=True))


class TestSorting:
    def test_domains_by_what_images_say(self, study, tmp_path):
        before = digests(study)
        result = iap.sort_cohort(study, model=HalvesModel())
        assert columns(result, "patient", "domain", "batch") == [
            ("sub-1", "SIEMENS", 2),
            ("sub-2", "SIEMENS", 2),
            ("sub-3", "GE", 1),
            ("sub-4", "GE", 1),
        ]
        assert result.series.columns["path"][0] == "sub-1/anat/sub-1_T1w.nii.gz"
        assert result.series.columns["manufacturer_verdict"] == [
            "agree",
            "missing in the header",
            "agree",
            "unsure",
        ], "the image of the last cannot tell GE from SIEMENS at this level"
        assert ("manufacturer", "SIEMENS", "GE", 1) in result.confusion.rows
        assert len(result.written) == 0
        result.save(tmp_path / "sorted")
        with (tmp_path / "sorted" / "series.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        assert [row["batch"] for row in rows] == ["2", "2", "1", "1"]
        assert digests(study) == before
        iap.sort_cohort(study, model=HalvesModel()).save(tmp_path / "sorted", overwrite=True)

    def test_several_parameters_and_near_numbers(self, study):
        options = iap.SortOptions(by=("field_strength", "echo_time"))
        result = iap.sort_cohort(study, options, model=HalvesModel())
        domains = result.series.columns["domain"]
        assert domains[0] == domains[1] == "1.5 T, 20.1 to 22.1 ms"
        assert domains[2] == domains[3]
        assert domains[2].startswith("1.5 T, 4")

    def test_by_headers_alone_and_filled(self, study):
        by_header = iap.sort_cohort(study, iap.SortOptions(source="header"))
        assert by_header.series.columns["domain"] == ["SIEMENS", "unknown", "GE", "SIEMENS"]
        assert any("stand under unknown" in note for note in by_header.provenance.notes)
        filled = iap.sort_cohort(study, iap.SortOptions(source="filled"), model=HalvesModel())
        assert filled.series.columns["domain"] == ["SIEMENS", "SIEMENS", "GE", "SIEMENS"]

    @pytest.mark.parametrize("files", ["copy", "link"])
    def test_files_go_into_a_folder_for_each_domain(self, study, tmp_path, files):
        before = digests(study)
        result = iap.sort_cohort(study, iap.SortOptions(files=files), model=HalvesModel())
        result.save(tmp_path / "sorted")
        found = sorted((tmp_path / "sorted" / "domains" / "SIEMENS").iterdir())
        assert [path.name for path in found] == [
            "sub-1_anat_sub-1_T1w.json",
            "sub-1_anat_sub-1_T1w.nii.gz",
            "sub-2_anat_sub-2_T1w.json",
            "sub-2_anat_sub-2_T1w.nii.gz",
        ]
        assert all(path.is_symlink() == (files == "link") for path in found)
        assert found[0].read_bytes() == (study / "sub-1/anat/sub-1_T1w.json").read_bytes()
        assert len(result.written) == 8
        assert (tmp_path / "sorted" / result.written.columns["path"][0]).exists()
        assert digests(study) == before

    def test_files_of_dicom_series_stay_together(self, tmp_path):
        pytest.importorskip("pydicom")
        made = iap.simulation(iap.SimulateOptions(subjects=2, series=2, slices=2, size=40)).save(tmp_path / "made")
        result = iap.sort_cohort(made / "series", iap.SortOptions(files="copy"), model=HalvesModel())
        result.save(tmp_path / "sorted")
        folders = {path.parent for path in (tmp_path / "sorted").rglob("*.dcm")}
        assert len(folders) == 4
        assert all(len(list(folder.iterdir())) == 2 for folder in folders)

    def test_what_cannot_be_read_is_listed_and_the_rest_done(self, study):
        broken = study / "sub-2/anat/sub-2_T1w.nii.gz"
        broken.write_bytes(broken.read_bytes()[:200])
        (study / "sub-3/anat/sub-3_T1w.json").write_text("{ not json")
        (study / "half.dcm").write_bytes(b"no image")
        result = iap.sort_cohort(study, model=HalvesModel())
        assert result.series.columns["patient"] == ["sub-1", "sub-4"]
        reasons = {Path(row[0]).name: row[1] for row in result.unread.rows}
        assert set(reasons) == {"sub-2_T1w.nii.gz", "sub-3_T1w.nii.gz", "half.dcm"}
        assert all(reason for reason in reasons.values())

    def test_cancelling_leaves_nothing(self, study, tmp_path):
        before = digests(tmp_path)

        def stop(fraction: float, message: str) -> None:
            if message.startswith("Series 3"):
                raise Cancelled

        with pytest.raises(Cancelled):
            iap.sort_cohort(study, iap.SortOptions(files="copy"), model=HalvesModel(), progress=stop)
        assert digests(tmp_path) == before

    def test_a_file_that_vanishes_leaves_no_half_result(self, study, tmp_path):
        result = iap.sort_cohort(study, iap.SortOptions(files="copy"), model=HalvesModel())
        (study / "sub-3/anat/sub-3_T1w.nii.gz").unlink()
        with pytest.raises(OutputError, match="sub-3_T1w"):
            result.save(tmp_path / "sorted")
        assert not (tmp_path / "sorted").exists()

    def test_bad_requests_are_told(self, study, tmp_path):
        (tmp_path / "empty").mkdir()
        for folder, options, model, sentence in (
            (study, iap.SortOptions(), None, "needs a model. Give one, or set source to header"),
            (study, iap.SortOptions(by=("vendor",)), HalvesModel(), "'vendor' is no acquisition parameter"),
            (study, iap.SortOptions(by=()), HalvesModel(), "No parameter makes the domains"),
            (study, iap.SortOptions(by=("flip_angle",)), HalvesModel(), "does not tell 'flip_angle'"),
            (tmp_path / "empty", iap.SortOptions(), HalvesModel(), "There is no series in"),
            (tmp_path / "missing", iap.SortOptions(), HalvesModel(), "There is no folder"),
        ):
            with pytest.raises(InputError, match=sentence):
                iap.sort_cohort(folder, options, model=model)


class TestCompleting:
    def test_only_what_lacks_and_only_in_the_block(self, study, tmp_path):
        before = digests(study)
        result = iap.complete(study, iap.CompleteOptions(probability=0.5), model=HalvesModel())
        result.save(tmp_path / "out")
        assert digests(study) == before
        new = json.loads((tmp_path / "out/sidecars/sub-3/anat/sub-3_T1w.json").read_text(encoding="utf-8"))
        old = json.loads((study / "sub-3/anat/sub-3_T1w.json").read_text(encoding="utf-8"))
        assert {key: value for key, value in new.items() if key != BLOCK} == old
        block = new[BLOCK]
        assert set(block["Values"]) == {"EchoTime", "InversionTime", "MagneticFieldStrength"}
        echo = block["Values"]["EchoTime"]
        assert echo["Value"] == pytest.approx(0.0401, abs=2e-4)
        assert echo["Unit"] == "s"
        assert echo["Interval"][0] < echo["Value"] < echo["Interval"][1] < 0.05
        assert echo["Level"] == 0.9
        assert block["Values"]["MagneticFieldStrength"]["Set"] == ["1.5", "3"]
        assert block["Model"] == "halves"
        assert block["ModelSHA256"] == "ab" * 32
        assert block["Use"] == USE
        assert {"Software", "Version", "Date"} <= set(block)
        kept = json.loads((tmp_path / "out/sidecars/sub-1/anat/sub-1_T1w.json").read_text(encoding="utf-8"))
        assert kept["Other"] == [1, "ä"]
        assert "EchoTime" not in kept[BLOCK]["Values"]
        assert result.series.columns["filled"][0] == "MagneticFieldStrength"

    def test_unsure_answers_are_not_filled_in(self, study):
        result = iap.complete(
            study, iap.CompleteOptions(probability=0.99, parameters=("field_strength",)), model=HalvesModel()
        )
        assert result.series.columns["filled"] == ["", "", "", ""]
        assert len(result.written) == 0

    def test_the_contrast_agent_only_where_it_is_asked_for(self, study):
        usual = iap.complete(study, iap.CompleteOptions(probability=0), model=HalvesModel())
        assert not any("ContrastBolusAgent" in names for names in usual.series.columns["filled"])
        asked = iap.CompleteOptions(probability=0, parameters=("contrast_agent",))
        filled = iap.complete(study, asked, model=HalvesModel()).series.columns["filled"]
        assert filled == ["ContrastBolusAgent", "", "ContrastBolusAgent", "ContrastBolusAgent"]

    def test_nothing_of_images_unlike_the_training(self, tmp_path):
        write_nifti(tmp_path / "in", "far", [halves(0.6, 400)] * 3, json.dumps({"FlipAngle": 9}))
        result = iap.complete(tmp_path / "in", model=HalvesModel())
        assert len(result.written) == 0
        assert any("1 of 1 series are unlike" in note for note in result.provenance.notes)

    def test_dicom_gets_a_sidecar_and_stays_as_it_is(self, tmp_path):
        pytest.importorskip("pydicom")
        options = iap.SimulateOptions(subjects=1, series=1, slices=2, size=40)
        made = iap.simulation(options).save(tmp_path / "made") / "series"
        import pydicom

        for path in made.rglob("*.dcm"):
            dataset = pydicom.dcmread(path)
            dataset.MagneticFieldStrength = None
            dataset.PixelData = halves(0.6, 20).astype("<u2").tobytes()
            dataset.save_as(path)
        before = digests(made)
        result = iap.complete(made, iap.CompleteOptions(probability=0.5), model=HalvesModel())
        result.save(tmp_path / "out")
        assert digests(made) == before
        (path,) = (tmp_path / "out" / "sidecars").rglob("*.json")
        new = json.loads(path.read_text(encoding="utf-8"))
        assert new["RepetitionTime"] < 30, "seconds"
        assert new[BLOCK]["Values"]["MagneticFieldStrength"]["Value"] == 1.5
        assert "MagneticFieldStrength" not in new

    def test_one_sidecar(self, study):
        path = study / "sub-3/anat/sub-3_T1w.json"
        prediction = iap.predict(path.with_name("sub-3_T1w.nii.gz"), HalvesModel())
        options = iap.CompleteOptions(parameters=("echo_time",))
        new = iap.complete_sidecar(path, prediction, options)
        assert set(new[BLOCK]["Values"]) == {"EchoTime"}
        assert new["EchoTime"] == ""
        again = iap.complete_sidecar(new, prediction, iap.CompleteOptions(parameters=("inversion_time",)))
        assert set(again[BLOCK]["Values"]) == {"InversionTime"}
        whole = {"EchoTime": 0.03, "InversionTime": 0.9}
        assert iap.complete_sidecar(whole, prediction, iap.CompleteOptions(parameters=("echo_time",))) == whole

    def test_bad_requests_are_told(self, study):
        header_alone = iap.predict(study / "sub-3/anat/sub-3_T1w.nii.gz")
        for call, sentence in (
            (lambda: iap.complete_sidecar({}, header_alone), "without a model"),
            (lambda: iap.complete(study, model=None), "needs a model"),
            (
                lambda: iap.complete(study, iap.CompleteOptions(parameters=("flip_angle",)), model=HalvesModel()),
                "does not tell 'flip_angle'",
            ),
        ):
            with pytest.raises(InputError, match=sentence):
                call()


def test_numbers_without_a_narrow_interval_are_not_filled_in_unless_they_are_named() -> None:
    from DeepMRILib.iap.completing import _is_told

    assert _is_told({"low": 20.0, "high": 50.0}, named=False)
    assert not _is_told({"low": 4.0, "high": 317.0}, named=True)
    assert not _is_told({"low": 0.0, "high": 1.0}, named=False)
    assert not _is_told({"low": None, "high": None}, named=False)
    assert _is_told({"low": None, "high": None}, named=True)
