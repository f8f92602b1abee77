"""The pages of KSpaceIGS: what they say is what was found, and every kind of data has one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_report import Page

from DeepMRILib import igs
from DeepMRILib.igs import report as reports
from DeepMRILib.igs.report_figures import data_in_words, examples_figure, legend_words, rows_of
from DeepMRILib.igs.report_masks import look_of, masks_figure, word_of
from DeepMRILib.igs.report_testing import difference_table, masks_by_lines, score_table
from DeepMRILib.report import Report

ALL = {"part": "all", "device": "cpu"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def coarse_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are looked at elsewhere: here they only have to be there."""
    monkeypatch.setattr("DeepMRILib.report.PIXEL_RATIO", 0.5)


@pytest.fixture(scope="module")
def hearts() -> igs.SliceDataset:
    return igs.ring_phantom(6, 48)


@pytest.fixture(scope="module")
def found(hearts: igs.SliceDataset) -> igs.PatternResult:
    return igs.find(hearts, igs.FindOptions(lines=8, **ALL))


@pytest.fixture(scope="module")
def tested(found: igs.PatternResult, hearts: igs.SliceDataset) -> igs.Evaluation:
    return igs.test(found, hearts, igs.TestOptions(draws=2, **ALL))


def test_a_search_has_its_winner_in_words_and_an_animation(found: igs.PatternResult) -> None:
    page = Page(reports.find_report(found).html())
    assert word_of(found.pattern.recommended()) in page.words
    assert "8 of 48 across columns, acceleration 6" in page.words
    for note in found.provenance.notes:
        assert note in page.words
    kinds = [image["src"].partition(";")[0] for image in page.all("img")]
    assert kinds == ["data:image/png"] * 3 + ["data:image/gif"]
    assert all(image["alt"] for image in page.all("img"))
    assert all(int(image["width"]) <= 910 for image in page.all("img"))


def test_without_rivals_there_is_nothing_to_choose(hearts: igs.SliceDataset) -> None:
    alone = igs.find(hearts, igs.FindOptions(lines=4, rivals=False, **ALL))
    page = Page(reports.find_report(alone).html())
    assert "not compared" in page.words


def test_a_comparison_has_the_numbers_of_the_summary(tested: igs.Evaluation) -> None:
    page = Page(reports.test_report(tested).html())
    rows = [row for row in rows_of(tested) if (row["measure"], row["pattern"], row["lines"]) == ("ssim", "random", 8)]
    assert f"{rows[0]['mean']:.3f} ({rows[0]['low']:.3f}–{rows[0]['high']:.3f})" in page.words
    assert f"{rows[0]['difference']:+.3f}" in page.words
    assert "very slices" in page.words
    assert "sign-flip" in page.words


def test_the_best_of_each_number_of_lines_stands_out(tested: igs.Evaluation) -> None:
    for measure, best in (("ssim", max), ("nmse", min)):
        rows = [row for row in rows_of(tested) if row["measure"] == measure]
        table, marked = score_table(rows, measure)
        winner = best((row["mean"], row["pattern"]) for row in rows if row["lines"] == 8)[1]
        column = next(name for name in table.columns if name.startswith("8 "))
        names = [table.columns["pattern"][n] for n, name in marked if name == column]
        assert word_of(winner) in names
        assert 0 < len(names) < len(table)
        ticked = [row[0] for row in table.rows if str(row[list(table.columns).index(column)]).endswith("✓")]
        assert ticked == [word_of(tested.about["recommended"]["8"])]


def test_differences_are_listed_but_for_the_recommended(tested: igs.Evaluation) -> None:
    rows = [row for row in rows_of(tested) if row["measure"] == "ssim"]
    table = difference_table(rows, "ssim")
    assert len(table) == sum(not row["recommended"] and row["pattern"] != "full" for row in rows)
    for name, lines in zip(table.columns["against"], table.columns["lines"], strict=True):
        assert name != word_of(tested.about["recommended"][str(lines)])


@pytest.mark.torch
@pytest.mark.parametrize("task", ["segmentation", "classification", "reconstruction"])
def test_each_task_has_its_sections(task: str) -> None:
    torch = pytest.importorskip("torch")
    networks = pytest.importorskip("igs_networks")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    data, network = {
        "segmentation": lambda: (networks.discs(), networks.Brighter()),
        "classification": lambda: (networks.stripes(), networks.Sharpness()),
        "reconstruction": lambda: (igs.SliceDataset(networks.discs().images), networks.Same()),
    }[task]()
    result = igs.find(data, igs.FindOptions(lines=8, **ALL), network=network)
    compared = igs.test(result, data, igs.TestOptions(draws=2, baselines=("random", "centre"), **ALL), network=network)
    page = Page(reports.test_report(compared).html())
    heading = {
        "segmentation": "Segmentation",
        "classification": "Classes",
        "reconstruction": "Reconstructions by the network",
    }
    assert heading[task] in page.words
    assert ("Without looking (background everywhere): 0.000" in page.words) == (task == "segmentation")
    assert ("the most frequent class" in page.words) == (task == "classification")
    torch.set_num_threads(before)


@pytest.mark.parametrize("kind", ["points", "contrasts", "volumes", "rows"])
def test_other_data_have_pages_too(kind: str, rng: np.random.Generator) -> None:
    random = lambda *shape: rng.random(shape) + 0.2  # noqa: E731
    data, settings = {
        "points": (random(4, 1, 16, 20), {"second_axis": -2, "lines": 40}),
        "contrasts": (random(4, 2, 16, 20), {"per_contrast": True, "lines": 8}),
        "volumes": (random(4, 1, 8, 16, 20), {"axis": -3, "lines": 4}),
        "rows": (random(4, 1, 16, 20), {"axis": -2, "lines": 8}),
    }[kind]
    dataset = igs.SliceDataset(data, view=(-2, 1), spacing=(2.0,) * (data.ndim - 3) + (1.0,))
    result = igs.find(dataset, igs.FindOptions(**settings, **ALL))
    compared = igs.test(result, dataset, igs.TestOptions(draws=2, baselines=("random", "centre"), **ALL))
    assert Page(reports.find_report(result).html()).all("img")
    assert masks_figure(*masks_by_lines(compared)).axes
    assert examples_figure(compared).axes


def test_exports_samples_and_images_have_pages(found: igs.PatternResult) -> None:
    exported = igs.export(found.pattern, igs.ExportOptions(echo_train=4, formats=("npy",)))
    page = Page(reports.export_report(exported).html())
    assert "Scan time" in page.words
    assert "Echo trains" in page.words
    sample = igs.sample(igs.SampleOptions(cases=4, size=48))
    page = Page(reports.sample_report(sample).html())
    assert "48 x 48" in page.words
    applied = igs.apply(sample.image, found.pattern, igs.ApplyOptions(lines=4))
    page = Page(reports.apply_report(applied).html())
    assert "Undersampled" in page.words
    assert "12" in page.words  # the acceleration


def test_names_of_labels_and_cases_are_text(found: igs.PatternResult, hearts: igs.SliceDataset) -> None:
    from dataclasses import replace

    named = replace(hearts, names={1: HOSTILE, 2: "mean", 3: "image"}, cases=np.array([HOSTILE] * 6))
    compared = igs.test(found, named, igs.TestOptions(draws=1, **ALL))
    page = reports.test_report(compared).html()
    assert "<script" not in page


def test_barcodes_have_a_row_for_each_pattern_and_keep_their_colours() -> None:
    masks = {name: igs.baseline(name, 32, 8)[None] for name in ("centre", "random")}
    figure = masks_figure({"8 lines": masks}, {"8 lines": "random"})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["centre", "random"]
    assert [text.get_text() for text in axes.texts] == ["✓"]
    # as many bars as lines
    assert sum(len(bars.get_paths()) for bars in axes.collections) == 16
    assert look_of("centre") != look_of("random")
    assert look_of("centre") == look_of("centre")


def test_data_and_colours_in_words() -> None:
    inputs = {"images": [4, 2, 8, 9], "cases": 1, "coils": 8, "complex": True}
    assert data_in_words(inputs) == "4 slices of 1 case, 8 x 9, 2 contrasts, 8 coils, complex"
    assert legend_words({"1": "ring", "2": "cavity"}) == "blue ring, orange cavity"


def test_an_animation_is_embedded_with_its_size(found: igs.PatternResult) -> None:
    from DeepMRILib.igs.growth_frames import frames_of, gif

    frames = frames_of(found)
    report = Report("Test")
    report.animation(gif(frames), HOSTILE)
    (image,) = Page(report.html()).all("img")
    assert (int(image["width"]), int(image["height"])) == frames[0].shape[1::-1]
    assert "<script" not in report.html()


def test_words_of_patterns(tested: igs.Evaluation) -> None:
    known: dict[str, Any] = tested.about["patterns"]
    assert known["igs"] == "search (IGS)"
    assert word_of("my_own") == "my own"
