"""The pages of IAPPredict: what they say is what was found, and every kind of result has one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from iap_models import HalvesModel, halves, volume_of, write_nifti
from test_report import Page

from DeepMRILib import iap
from DeepMRILib.iap import report as reports
from DeepMRILib.iap.evaluating import ALL
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.report_folder import strong_pairs
from DeepMRILib.iap.report_training import CONSTANT, GUESS, HARDLY, PARTLY, WELL, evaluate_report, skill, train_report
from DeepMRILib.iap.report_words import VERDICT_TONES, label_of, rows_of, value_text, verdict_text
from DeepMRILib.iap.result import EvaluationResult, IAPResult
from DeepMRILib.iap.verdicts import LOOKS, VERDICTS
from DeepMRILib.report_style import CSS, TONES
from DeepMRILib.tables import Table

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are looked at elsewhere: here they only have to be there."""
    monkeypatch.setattr("DeepMRILib.report.PIXEL_RATIO", 0.5)


def a_header(**values: Any) -> Header:
    return Header({**dict.fromkeys(BY_NAME), **values}, kind="bids")


def predicted(header: Header, **settings: Any) -> IAPResult:
    slices = [halves(0.8, 20 + n) for n in range(5)]
    return iap.predict(volume_of(slices), HalvesModel(), iap.PredictOptions(slices=0, **settings), header=header)


@pytest.fixture(scope="module")
def result() -> IAPResult:
    """Agrees on the vendor, disagrees on the echo time, lacks the field strength; searched for what decides."""
    header = a_header(manufacturer="SIEMENS", echo_time=95.0, averages=2.0, contrast_agent="OMNISCAN")
    return predicted(header, saliency="manufacturer")


def pictures_of(page: Page) -> int:
    assert all(image["alt"] for image in page.all("img"))
    assert all(int(image["width"]) <= 910 for image in page.all("img"))
    return len(page.all("img"))


def test_a_prediction_stands_beside_its_header_with_a_word_and_a_colour(result: IAPResult) -> None:
    page = Page(reports.predict_report(result).html())
    rows = rows_of(result.parameters)
    assert {row["verdict"] for row in rows} >= {"agree", "disagree", "missing in the header", "unseen class"}
    for row in rows:
        assert label_of(row["parameter"]) in page.words
        assert verdict_text(row["verdict"]) in page.words
        assert row["note"] in page.words
    tones = Counter(span["class"] for span in page.all("span") if span["class"].startswith("tone"))
    wanted = Counter(f"tone {VERDICT_TONES[row['verdict']]}" for row in rows if row["verdict"] in VERDICT_TONES)
    assert tones["tone orange"] == wanted["tone orange"]
    assert tones["tone yellow"] == wanted["tone yellow"]
    assert "research use only" in page.words.lower()


def test_a_prediction_has_its_intervals_slices_and_what_decides(result: IAPResult) -> None:
    page = Page(reports.predict_report(result).html())
    row = next(row for row in rows_of(result.parameters) if row["parameter"] == "echo_time")
    assert f"{value_text(row['low'])} to {value_text(row['high'])}" in page.words
    assert {str(one) for one in result.parameters.columns["slice"] if one is not None} <= set(result.pictures)
    assert result.pictures["saliency"].shape == next(iter(result.pictures.values())).shape
    assert pictures_of(page) == 4
    assert "What decides: manufacturer" in page.words


def test_pictures_are_the_slices_that_the_network_was_given(result: IAPResult) -> None:
    row = next(row for row in rows_of(result.parameters) if row["parameter"] == "manufacturer")
    given = halves(0.8, 20 + row["slice"])
    assert np.array_equal(result.pictures[str(row["slice"])], given)


def test_without_a_model_the_page_is_the_header_and_shows_slices() -> None:
    alone = iap.predict(volume_of([halves(0, 20)]), header=a_header(manufacturer=HOSTILE, echo_time=12.5))
    page = Page(reports.predict_report(alone).html())
    assert "12.5" in page.words
    assert HOSTILE in page.words
    assert "Image says" not in page.words
    row = next(row for row in rows_of(alone.parameters) if row["parameter"] == "model")
    assert row["verdict"] == "missing in the header"
    assert "Missing in the headerscanner model, field strength, sequence" in page.words
    tones = [span["class"] for span in page.all("span")]
    assert tones == ["tone yellow"] * alone.parameters.columns["verdict"].count("missing in the header")
    assert pictures_of(page) == 1


def test_images_unlike_the_training_are_marked() -> None:
    strange = iap.predict(volume_of([np.full((40, 40), 7, np.uint16) + np.eye(40, dtype=np.uint16)]), HalvesModel())
    page = Page(reports.predict_report(strange).html())
    assert "✗ bad" in page.words
    assert "may mean nothing" in page.words


def test_every_verdict_has_a_sign_and_those_that_matter_a_colour() -> None:
    assert tuple(LOOKS) == VERDICTS
    assert len({look.sign for look in LOOKS.values()}) == len({look.word for look in LOOKS.values()}) == len(LOOKS)
    assert set(VERDICT_TONES) == set(VERDICTS) - {"not predicted"}
    assert len(set(VERDICT_TONES.values())) == len(VERDICT_TONES)
    assert set(VERDICT_TONES.values()) <= set(TONES)
    assert all(f".tone.{tone} {{ background: {back}; color: {ink}; }}" in CSS for tone, (back, ink) in TONES.items())


def a_table(folder: Path) -> Path:
    """Headers of twelve series of six patients: vendor and field go together, one echo time is 0, one lies apart."""
    lines = ["series,patient,split,manufacturer,field_strength,echo_time,slice_thickness"]
    for n in range(12):
        vendor, field = (("SIEMENS", 3), ("GE", 1.5))[n % 2]
        echo = {3: 0, 4: 5000}.get(n, 12 + n)
        lines.append(f"s{n},P{n % 6},{'test' if n % 6 > 3 else 'train'},{vendor},{field},{echo},")
    (folder / "headers.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "headers.csv"


def test_an_audit_lists_its_findings_and_how_full_headers_are(tmp_path: Path) -> None:
    audited = iap.audit(a_table(tmp_path))
    page = Page(reports.audit_report(audited).html())
    kinds = Counter(audited.findings.columns["finding"])
    assert {"zero", "out of range", "missing"} <= set(kinds)
    for kind, count in kinds.items():
        assert f"{kind}{count}" in page.words
    missing = [row["label"] for row in rows_of(audited.coverage) if not row["present"]]
    assert f"In no header: {missing[0].lower()}" in page.words
    assert pictures_of(page) == 2
    quiet = replace(audited, findings=Table({"series": [], "finding": []}))
    assert "Nothing odd was found" in Page(reports.audit_report(quiet).html()).words


def test_what_could_not_be_read_is_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text('{"Modality": "MR", "EchoTime": 0.012, "RepetitionTime": 0.5}')
    (tmp_path / "bad.json").write_text('{"Modality": "MR", "EchoTime": ')
    audited = iap.audit(tmp_path)
    page = Page(reports.audit_report(audited).html())
    assert audited.unread.columns["reason"][0] in page.words
    assert "1 place could not be read" in page.words


def test_an_analysis_shows_splits_associations_and_leaks(tmp_path: Path) -> None:
    analysed = iap.analyse(a_table(tmp_path), iap.AnalyseOptions(split="split"))
    page = Page(reports.analyse_report(analysed).html())
    assert "None: every patient is in one split only." in page.words
    assert "Strongest: Field strength and manufacturer (1.00)" in page.words
    assert pictures_of(page) == 3
    text = (tmp_path / "headers.csv").read_text(encoding="utf-8")
    (tmp_path / "headers.csv").write_text(text.replace("s5,P5,test", "s5,P5,train"), encoding="utf-8")
    leaking = iap.analyse(tmp_path / "headers.csv", iap.AnalyseOptions(split="split"))
    page = Page(reports.analyse_report(leaking).html())
    assert "1 patient in more than one split" in page.words
    assert leaking.leakage.columns["splits"][0] in page.words


def test_strong_associations_are_named_strongest_first() -> None:
    values = np.array([[1, 0.85, 0.1], [0.85, 1, -0.95], [0.1, -0.95, 1]])
    assert strong_pairs(["a", "b", "c"], values) == [("c", "b", -0.95), ("b", "a", 0.85)]


def a_study(folder: Path) -> Path:
    """Three series with sidecars of two vendors; one says nothing of its vendor, one says it wrong."""
    for name, balance, sidecar in (
        ("a", 0.8, '{"Modality": "MR", "Manufacturer": "SIEMENS"}'),
        ("b", -0.8, '{"Modality": "MR", "EchoTime": 0.02}'),
        ("c", -0.8, '{"Modality": "MR", "Manufacturer": "SIEMENS", "MagneticFieldStrength": 3}'),
    ):
        write_nifti(folder, name, [halves(balance, 20), halves(balance, 21)], sidecar)
    return folder


def test_a_cohort_shows_domains_and_verdicts(tmp_path: Path) -> None:
    made = iap.sort_cohort(a_study(tmp_path), iap.SortOptions(by=("manufacturer",)), model=HalvesModel())
    page = Page(reports.cohort_report(made).html())
    assert set(made.series.columns["domain"]) == {"GE", "SIEMENS"}
    assert pictures_of(page) == 2
    for row in rows_of(made.series):
        assert row["path"] in page.words
        assert verdict_text(row["manufacturer_verdict"]) in page.words
    headers = iap.sort_cohort(tmp_path, iap.SortOptions(source="header"))
    alone = Page(reports.cohort_report(headers).html())
    assert pictures_of(alone) == 1
    assert "Verdicts" not in alone.words


def test_completed_sidecars_are_listed(tmp_path: Path) -> None:
    made = iap.complete(a_study(tmp_path), iap.CompleteOptions(probability=0), model=HalvesModel())
    page = Page(reports.cohort_report(made).html())
    assert "Completed sidecars" in page.words
    assert made.written.columns["path"]
    for path in made.written.columns["path"]:
        assert path in page.words


def test_a_simulation_shows_examples_and_what_is_amiss() -> None:
    made = iap.simulation(iap.SimulateOptions(subjects=2, series=2, slices=1, size=32, headers="gaps", seed=3))
    page = Page(reports.simulate_report(made).html())
    assert pictures_of(page) == 2
    amiss = sum(len(str(row["amiss"]).split("; ")) for row in rows_of(made.truth) if row["amiss"])
    assert amiss
    assert "What is amiss with the headers" in page.words
    full = iap.simulation(iap.SimulateOptions(subjects=1, series=1, slices=1, size=32))
    assert "What is amiss" not in Page(reports.simulate_report(full).html()).words


def known_series(n: int = 24) -> iap.SliceSet:
    """Vendors that ``HalvesModel`` tells right; echo times that it tells right of spin echoes, not at all of others."""
    random = np.random.default_rng(1)
    vendors = [("GE", "SIEMENS")[row % 2] for row in range(n)]
    families = [("SE", "GR", "IR")[row % 3] for row in range(n)]
    shown = random.uniform(5, 45, n)
    truth = [te + random.normal() if one == "SE" else random.uniform(5, 45)
             for te, one in zip(shown, families, strict=True)]  # fmt: skip
    slices = [halves(-0.8 if one == "GE" else 0.8, te) for one, te in zip(vendors, shown, strict=True)]
    names = np.array([f"s{row}" for row in range(n)])
    return iap.SliceSet(slices, {"manufacturer": vendors, "sequence": families, "echo_time": truth,
                                 "field_strength": [3.0] * n}, names, names)  # fmt: skip


@pytest.fixture(scope="module")
def evaluated() -> EvaluationResult:
    return iap.evaluate(HalvesModel(), known_series(), iap.EvaluateOptions(device="cpu"))


def scores(result: EvaluationResult, parameter: str, group: str = ALL) -> dict[str, Any]:
    return next(row for row in rows_of(result.scores) if (row["parameter"], row["group"]) == (parameter, group))


def test_an_evaluation_stands_beside_guesses(evaluated: EvaluationResult) -> None:
    page = Page(evaluate_report(evaluated).html())
    vendor = scores(evaluated, "manufacturer")
    for value in (vendor["accuracy"], vendor["balanced_accuracy"], vendor["majority"]):
        assert f"{value:.0%}" in page.words
    echo = scores(evaluated, "echo_time")
    assert f"{echo['r2']:.2f}" in page.words
    assert f"{echo['vendor_mean_r2']:.2f}" in page.words
    for words in ("The guess is", "Truth against answer", "hold the truth", "taken for what"):
        assert words in page.words
    assert pictures_of(page) == 4


def test_what_the_image_does_not_show_is_called_so(evaluated: EvaluationResult) -> None:
    assert skill(scores(evaluated, "manufacturer")) == WELL
    assert skill(scores(evaluated, "echo_time", "GR")) == GUESS
    assert skill(scores(evaluated, "field_strength")) == CONSTANT
    number = {"kind": "continuous", "r2": 0.6, "vendor_mean_r2": 0.1, "relative_width": 0.9}
    assert skill(number) == HARDLY
    assert skill({**number, "relative_width": 0.4}) == PARTLY
    words = {
        "kind": "categorical",
        "accuracy": 0.988,
        "majority": 0.98,
        "balanced_accuracy": 0.97,
        "relative_width": 0.5,
    }
    assert skill(words) == GUESS, "hardly more than the commonest class"


def test_parameters_that_physics_hides_are_explained() -> None:
    class Timer(HalvesModel):
        """Calls the echo time a repetition time."""

        def __init__(self) -> None:
            super().__init__()
            heads = [replace(one, parameter="repetition_time") if one.parameter == "echo_time" else one
                     for one in self.layout.heads]  # fmt: skip
            self.layout = iap.Layout(tuple(heads))

    known = known_series()
    known.values["repetition_time"] = known.values.pop("echo_time")
    page = Page(evaluate_report(iap.evaluate(Timer(), known, iap.EvaluateOptions(device="cpu"))).html())
    assert "What images cannot show" in page.words
    assert "Repetition time, GR" in page.words
    assert "Flip angle, GR" not in page.words, "which was not told"


def test_a_training_shows_its_loss_and_what_it_tells() -> None:
    pytest.importorskip("torch")
    from DeepMRILib.iap.example_training import QUICK

    data = iap.simulate(iap.SimulateOptions(subjects=5, series=2, slices=1, size=32, seed=4))
    trained = iap.train(data, replace(QUICK, epochs=2))
    page = Page(train_report(trained).html())
    assert pictures_of(page) == 1
    assert trained.name in page.words
    for head in trained.layout:
        assert label_of(head["parameter"]) in page.words
    for row in rows_of(trained.parts):
        assert row["part"] in page.words
