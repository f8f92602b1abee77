"""Cards, sidecars, words and names of files that nobody meant: one sentence, or the text as far as it can be shown."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from iap_models import HalvesModel, halves, row_of, write_nifti

from DeepMRILib import iap
from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.iap import report as reports
from DeepMRILib.iap.header_bids import read_json
from DeepMRILib.iap.heads import planned_heads, read_plan
from DeepMRILib.iap.labelled import labelled, read_table

SIDECAR = '{"Modality": "MR", "EchoTime": 0.0%d, "RepetitionTime": 1, "Manufacturer": "%s"}'


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    data = iap.simulate(iap.SimulateOptions(subjects=6, series=2, slices=1, size=32, seed=4))
    options = iap.TrainOptions(epochs=1, size=32, channels=(4, 4, 4, 4), device="cpu", name="hostile")
    return iap.train(data, options).save(tmp_path_factory.mktemp("models") / "hostile")


def _heads(card: dict[str, Any], **values: Any) -> None:
    heads = card["calibration"]["heads"]
    heads[next(iter(heads))] |= values


SPOILED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no heads": lambda card: card.update(layout=[]),
    "features that fill the memory": lambda card: card["design"].update(channels=[1e9] * 4),
    "no size": lambda card: card["design"].update(size=0),
    "a size that fills the memory": lambda card: card["design"].update(size=10**7),
    "a limit in words": lambda card: card["calibration"]["outside"].update(limit="far"),
    "a temperature of 0": lambda card: _heads(card, temperature=0),
    "scores that do not ascend": lambda card: _heads(card, scores=[0.5, 0.1]),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_spoiled_card_is_refused(what: str, network: Path) -> None:
    path = network / "model.json"
    good = path.read_text(encoding="utf-8")
    card = json.loads(good)
    SPOILED[what](card["extra"])
    path.write_text(json.dumps(card), encoding="utf-8")
    try:
        with pytest.raises(WeightsError, match="damaged"):
            iap.load_model(network)
    finally:
        path.write_text(good, encoding="utf-8")
    assert iap.load_model(network).name == "hostile"


def test_a_layout_has_heads() -> None:
    with pytest.raises(InputError, match="one head or more"):
        iap.Layout(())


def test_half_a_character_in_a_sidecar_does_not_stop_a_folder(tmp_path: Path) -> None:
    for number in range(3):
        image = write_nifti(tmp_path, f"scan{number}", [halves(0.3, 20)], SIDECAR % (number + 1, r"\ud800 x"))
    assert "?" in read_json(image.with_name("scan2.json"))["Manufacturer"]
    result = iap.audit(tmp_path)
    assert len(result.series) == 3
    result.save(tmp_path / "out")
    reports.audit_report(result).html()


def test_whole_characters_written_as_two_halves_stay(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(r'{"EchoTime": 0.01, "Manufacturer": "\ud83e\uddf2"}', encoding="utf-8")
    assert read_json(tmp_path / "a.json")["Manufacturer"] == "\N{MAGNET}"


def test_dollar_signs_in_headers_are_no_formula(tmp_path: Path) -> None:
    for number in range(6):
        word = rf"A$\\frac{{$B{number % 2}"
        (tmp_path / f"s{number}.json").write_text(SIDECAR % (number + 1, word), encoding="utf-8")
    assert "<img" in reports.audit_report(iap.audit(tmp_path)).html()
    assert "<img" in reports.analyse_report(iap.analyse(tmp_path)).html()


@pytest.mark.skipif(sys.platform != "linux", reason="names of files are text there")
def test_names_of_files_that_are_no_text_are_written_as_far_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    for number, name in enumerate((b"s\xff.json", b"t\xfe.dcm", b"u.json")):
        content = SIDECAR % (number + 1, "GE") if name.endswith(b"json") else "no image"
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text(content, encoding="utf-8")
    result = iap.audit(folder)
    result.save(tmp_path / "out")
    assert "s?.json" in (tmp_path / "out" / "series.csv").read_text(encoding="utf-8")
    assert "t?.dcm" in (tmp_path / "out" / "unread.csv").read_text(encoding="utf-8")
    assert np.all([row is not None for row in result.series.columns["path"]])
    reports.audit_report(result).write(tmp_path / "page.html")


ENTRIES = {
    '["echo_time", "echo_time"]': "twice",
    '[{"parameter": ["echo_time"]}]': "is not known",
    '[{"parameter": "manufacturer", "classes": 5}]': "are no list",
    '[{"parameter": "echo_time", "kind": "ordinal", "classes": ["a", "b"]}]': "no numbers",
}


@pytest.mark.parametrize("text", ENTRIES)
def test_a_list_of_parameters_that_cannot_be_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text(text, encoding="utf-8")
    values = {"echo_time": [10.0, 20.0], "manufacturer": ["GE", "SIEMENS"]}
    with pytest.raises(InputError, match=ENTRIES[text]):
        planned_heads(values, read_plan(tmp_path / "plan.json"))


def test_classes_of_a_list_stand_in_ascending_order() -> None:
    plan = {"parameter": "slice_thickness", "classes": [3, 1, 2, 2]}
    assert planned_heads({"slice_thickness": [1.0, 2.0]}, [plan]).heads[0].classes == (1.0, 2.0, 3.0)


def test_a_table_with_rows_of_other_lengths_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("series,echo_time\na,10,20,30\n", encoding="utf-8")
    with pytest.raises(InputError, match="Row 2"):
        read_table(tmp_path / "table.csv")


def test_a_table_with_a_series_twice_or_with_what_is_no_number_is_refused(tmp_path: Path) -> None:
    image = write_nifti(tmp_path, "scan", [halves(0.3, 20)], SIDECAR % (2, "Siemens"))
    table = tmp_path / "table.csv"
    table.write_text("series,echo_time\na,10\na,20\n", encoding="utf-8")
    with pytest.raises(InputError, match="has 2 rows for 'a'"):
        read_table(table)
    for text in ("long", "inf", "-3", "0"):
        table.write_text(f"file,echo_time\n{image.name},{text}\n", encoding="utf-8")
        with pytest.raises(InputError, match=f"says '{text}' of echo_time, which is no number above 0"):
            labelled(tmp_path, table=table)
    table.write_text(f"file,echo_time\n{image.name},NaN\n", encoding="utf-8")
    assert labelled(tmp_path, table=table)[0].values["echo_time"] == [None]


def test_a_table_without_the_column_of_the_split_says_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("EchoTime,Manufacturer\n0.03,GE\n", encoding="utf-8")
    with pytest.raises(InputError, match="it has only parameters"):
        iap.analyse(tmp_path / "table.csv", iap.AnalyseOptions(split="fold"))


def test_an_inversion_time_is_told_only_of_sequences_that_have_one() -> None:
    values = {"sequence": ["SE", "IR", "GR\\IR", "SE"], "inversion_time": [None, 900.0, 700.0, None]}
    assert planned_heads(values).head("inversion_time").only == ("sequence", ("GR\\IR", "IR"))
    assert planned_heads({"inversion_time": [900.0, 700.0]}).head("inversion_time").only == ("", ())


def test_a_folder_of_junk_holds_no_series(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("this is text")
    (tmp_path / "array.json").write_text("[1, 2, 3]")
    (tmp_path / "image.nii.gz").write_bytes(b"\x1f\x8bjunk")
    for job, sentence in (
        (lambda: iap.predict(tmp_path), "holds no MR series"),
        (lambda: iap.predict(tmp_path / "image.nii.gz"), r"^image\.nii\.gz cannot be read \(.+\)\. Copy or export"),
        (lambda: iap.audit(tmp_path), "holds no header of an MR series"),
        (lambda: iap.sort_cohort(tmp_path, iap.SortOptions(source="header")), "no series in .+ that can be used"),
    ):
        with pytest.raises(InputError, match=sentence):
            job()


def test_an_unreadable_image_with_a_sidecar_has_a_header(tmp_path: Path) -> None:
    (tmp_path / "image.nii.gz").write_bytes(b"\x1f\x8bjunk")
    (tmp_path / "image.json").write_text(SIDECAR % (2, "Siemens"))
    header = iap.read_header(tmp_path / "image.nii.gz")
    assert header["manufacturer"] == "SIEMENS"
    assert header.notes[0].startswith("image.nii.gz cannot be read")


@pytest.mark.parametrize("entry", ["[" * 600 + "1" + "]" * 600, '{"a":' * 600 + "1" + "}" * 600])
def test_endless_lists_in_a_sidecar_do_not_stop_a_folder(entry: str, tmp_path: Path) -> None:
    for number in range(2):
        write_nifti(tmp_path, f"scan{number}", [halves(0.3, 20)], SIDECAR % (number + 1, "Siemens"))
    deep = tmp_path / "deep.json"
    deep.write_text(f'{{"EchoTime": {entry}, "Manufacturer": "Siemens"}}')
    with pytest.raises(InputError, match=r"deep\.json holds lists within lists, endlessly"):
        iap.read_header(deep)
    result = iap.audit(tmp_path)
    assert len(result.series) == 2
    assert [Path(path).name for path in result.unread.columns["path"]] == ["deep.json"]


def test_endless_texts_are_quoted_in_brief(tmp_path: Path) -> None:
    long = {"SeriesDescription": "d" * 10**6, "EchoTime": "1" * 10**6, "Manufacturer": "a" * 10**6}
    (tmp_path / "scan.json").write_text(json.dumps(long))
    iap.audit(tmp_path).save(tmp_path / "out")
    assert max(file.stat().st_size for file in (tmp_path / "out").iterdir()) < 100_000


@pytest.mark.parametrize("shape", [(1, 32), (7, 40)])
def test_a_few_pixels_are_no_image(shape: tuple[int, int], tmp_path: Path) -> None:
    path = write_nifti(tmp_path, "scan", [np.arange(np.prod(shape)).reshape(shape)], SIDECAR % (2, "Siemens"))
    with pytest.raises(InputError, match=f"The slices have {shape[0]} x {shape[1]} pixels: that is no image"):
        iap.predict(path, HalvesModel())
    assert row_of(iap.predict(path), "echo_time")["header"] == 20


@pytest.mark.parametrize(
    "change",
    [{"mean": "x"}, {"deviation": 0}, {"deviation": -1.0}, {"mean": float("nan")}, {"logarithm": "no"}, {"kind": "x"},
     {"only": ["echo_time", ["3"]]}, {"only": ["sequence", []]}, {"only": ["colour", ["red"]]}],
)  # fmt: skip
def test_a_damaged_head_is_refused(change: dict) -> None:
    head = {"parameter": "echo_time", "kind": "continuous", "start": 0, "stop": 2}
    assert iap.Layout.from_json([head]).outputs == 2
    with pytest.raises(InputError, match="echo_time"):
        iap.Layout.from_json([{**head, **change}])


def test_a_class_that_stands_twice_is_refused() -> None:
    head = {"parameter": "manufacturer", "kind": "categorical", "start": 0, "stop": 2, "classes": ["A", "A"]}
    with pytest.raises(InputError, match="twice"):
        iap.Layout.from_json([head])
