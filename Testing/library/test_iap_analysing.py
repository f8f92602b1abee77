"""Folders described: histograms, associations, combinations, splits and patients in several of them."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from iap_files import a_table
from scipy import stats

from DeepMRILib.errors import InputError
from DeepMRILib.iap.analysing import BINS, analyse
from DeepMRILib.iap.association import association, correlation_ratio, cramers_v, ranks, spearman
from DeepMRILib.iap.example import analyse_inputs
from DeepMRILib.iap.options import AnalyseOptions
from DeepMRILib.iap.result import AnalysisResult


def counts(result: AnalysisResult, parameter: str) -> dict[Any, int]:
    """Value and split to count."""
    rows = [row for row in result.histograms.rows if row[0] == parameter]
    return {(value, split): count for _, value, _, _, count, split in rows}


def test_cramers_v_is_that_of_the_formula() -> None:
    random = np.random.default_rng(1)
    for r, c, n in ((2, 2, 30), (3, 4, 80), (5, 2, 200)):
        left = random.integers(0, r, n)
        right = np.where(random.uniform(size=n) < 0.5, left % c, random.integers(0, c, n))
        table = np.zeros((r, c))
        np.add.at(table, (left, right), 1)
        chi2 = stats.chi2_contingency(table, correction=False).statistic
        phi2 = max(0.0, chi2 / n - (r - 1) * (c - 1) / (n - 1))
        expected = np.sqrt(phi2 / (min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1))
        assert cramers_v(left, right) == pytest.approx(expected)
        assert cramers_v(right, left) == pytest.approx(expected)


def test_cramers_v_has_no_bias_where_there_is_no_association() -> None:
    random = np.random.default_rng(2)
    corrected, plain = [], []
    for _ in range(200):
        left, right = random.integers(0, 5, 60), random.integers(0, 5, 60)
        table = np.zeros((5, 5))
        np.add.at(table, (left, right), 1)
        corrected.append(cramers_v(left, right))
        plain.append(stats.contingency.association(table.astype(int), method="cramer"))
    assert np.mean(corrected) < 0.08 < 0.2 < np.mean(plain)


def test_spearman_and_ranks_are_those_of_scipy() -> None:
    random = np.random.default_rng(3)
    left = random.integers(0, 6, 50).astype(float)
    right = left + random.normal(0, 2, 50).round()
    assert np.array_equal(ranks(left), stats.rankdata(left))
    assert spearman(left, right) == pytest.approx(stats.spearmanr(left, right).statistic)


def test_the_correlation_ratio_is_the_part_between_classes() -> None:
    random = np.random.default_rng(4)
    classes = random.integers(0, 3, 90)
    numbers = classes * 2.0 + random.normal(size=90)
    groups = [numbers[classes == one] for one in range(3)]
    f = stats.f_oneway(*groups).statistic
    assert correlation_ratio(classes, numbers) ** 2 == pytest.approx(f * 2 / (f * 2 + 87))


def test_what_cannot_be_told_is_no_number() -> None:
    assert np.isnan(cramers_v([0, 0, 0], [1, 2, 3]))
    assert np.isnan(cramers_v([1, 2, 3], [1, 2, 3]))  # each a class of its own: nothing was repeated
    assert np.isnan(correlation_ratio([0, 1, 0], [5.0, 5.0, 5.0]))
    assert np.isnan(spearman([1.0, 1.0], [1.0, 2.0]))
    assert np.isnan(association("echo_time", [1.0, 2.0, None], "flip_angle", [1.0, None, 3.0]))


def test_the_kind_of_association_goes_with_the_parameters() -> None:
    vendors = ["GE", "SIEMENS"] * 10
    models = ["Signa", "Skyra"] * 10
    times = [10.0 + 5 * (n % 2) for n in range(20)]
    falling = [100.0 - time for time in times]
    assert association("manufacturer", vendors, "model", models) == pytest.approx(1.0)
    assert association("manufacturer", vendors, "echo_time", times) == pytest.approx(1.0)
    assert association("echo_time", times, "manufacturer", vendors) == pytest.approx(1.0)
    assert association("echo_time", times, "flip_angle", falling) == pytest.approx(-1.0)


def _split_table(tmp_path: Path) -> Path:
    changes = [{"EchoTime": "10", "patient": f"p{n}", "split": "train"} for n in range(6)]
    changes += [{"EchoTime": "80", "Manufacturer": "GE", "ManufacturerModelName": "Signa", "patient": f"p{n}",
                 "split": "train"} for n in range(3)]  # fmt: skip
    changes += [{"EchoTime": "80", "Manufacturer": "GE", "ManufacturerModelName": "Signa", "patient": "p1",
                 "split": "test"}]  # fmt: skip
    changes += [{"EchoTime": "120", "patient": f"q{n}", "split": "test"} for n in range(2)]
    return a_table(tmp_path / "t.csv", changes)


def test_histograms_count_in_each_split(tmp_path: Path) -> None:
    result = analyse(_split_table(tmp_path), AnalyseOptions(split="split"))
    assert counts(result, "manufacturer") == {
        ("GE", "train"): 3, ("GE", "test"): 1, ("SIEMENS", "train"): 6, ("SIEMENS", "test"): 2}  # fmt: skip
    assert counts(result, "echo_time")[120.0, "test"] == 2
    assert counts(analyse(_split_table(tmp_path)), "echo_time") == {(10.0, ""): 6, (80.0, ""): 4, (120.0, ""): 2}


def test_many_numbers_are_counted_in_ranges(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    times = random.uniform(5, 200, 300)
    table = a_table(tmp_path / "t.csv", [{"EchoTime": f"{time:.3f}"} for time in times])
    rows = [row for row in analyse(table).histograms.rows if row[0] == "echo_time"]
    assert len(rows) == BINS
    assert sum(row[4] for row in rows) == 300
    assert rows[0][2] == pytest.approx(times.min(), abs=1e-3)
    assert rows[-1][3] == pytest.approx(times.max(), abs=1e-3)
    assert all(left[3] == right[2] for left, right in itertools.pairwise(rows))


def test_combinations_in_one_split_and_in_both(tmp_path: Path) -> None:
    result = analyse(_split_table(tmp_path), AnalyseOptions(split="split", combination=("manufacturer", "echo_time")))
    assert result.combinations.rows == [
        ("SIEMENS", 10.0, 6, 6, 0, "train"),
        ("GE", 80.0, 4, 3, 1, "train; test"),
        ("SIEMENS", 120.0, 2, 0, 2, "test"),
    ]
    assert (
        "Of the combinations of parameters, 1 are in train alone, 1 in test alone, and 1 in both."
        in result.provenance.notes
    )
    chosen = analyse(_split_table(tmp_path)).combinations
    assert list(chosen.columns) == ["manufacturer", "model", "echo_time", "count"]


def test_patients_in_several_splits(tmp_path: Path) -> None:
    result = analyse(_split_table(tmp_path), AnalyseOptions(split="split"))
    assert result.leakage.rows == [("p1", "train (2); test (1)", 3)]
    assert analyse(_split_table(tmp_path)).leakage.rows == []


def test_the_association_table_is_square_and_symmetric(shared_data: Path) -> None:
    result = analyse(shared_data / "bids_sidecar_params" / "params.csv")
    names = result.association.columns["parameter"]
    assert list(result.association.columns) == ["parameter", *names]
    matrix = np.array([[np.nan if one is None else one for one in row[1:]] for row in result.association.rows], float)
    assert np.array_equal(matrix, matrix.T, equal_nan=True)
    assert np.allclose(np.diag(matrix), 1)
    assert np.nanmax(np.abs(matrix)) <= 1
    place = {name: number for number, name in enumerate(names)}
    assert matrix[place["manufacturer"], place["model"]] > 0.9
    assert matrix[place["flip_angle"], place["sequence"]] > 0.8


def test_the_split_of_a_folder_stands_in_its_table() -> None:
    folder = analyse_inputs()["folder"]
    result = analyse(folder, AnalyseOptions(split="split"))
    assert sum(counts(result, "manufacturer").values()) == 18
    assert {split for _, split in counts(result, "manufacturer")} == {"train", "test"}
    assert result.leakage.rows == []
    with pytest.raises(InputError, match="no CSV or TSV table with a column 'fold'"):
        analyse(folder, AnalyseOptions(split="fold"))


def test_it_saves_itself(tmp_path: Path) -> None:
    analyse(_split_table(tmp_path), AnalyseOptions(split="split")).save(tmp_path / "out")
    with (tmp_path / "out" / "histograms.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == ["parameter", "value", "from", "to", "count", "split"]
    assert (tmp_path / "out" / "leakage.csv").is_file()


def test_one_series_can_be_described(tmp_path: Path) -> None:
    result = analyse(a_table(tmp_path / "t.csv", [{}]))
    assert result.association.columns == {"parameter": []}
    assert result.combinations.rows == []
    assert "No parameter varies: there is one combination of all." in result.provenance.notes


def test_bad_settings_have_their_sentences(tmp_path: Path) -> None:
    table = a_table(tmp_path / "t.csv", [{}] * 2)
    with pytest.raises(InputError, match=r"t\.csv has no column 'fold' for the split; it has series, patient"):
        analyse(table, AnalyseOptions(split="fold"))
    with pytest.raises(InputError, match="--combination names 'vendor', which is no parameter"):
        analyse(table, AnalyseOptions(combination=("vendor",)))
