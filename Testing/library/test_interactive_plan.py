"""What is planned for a dataset: InteractiveNet's rules, the folds, memory, and plans of InteractiveNet itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.example_pipeline import example_case, example_dataset
from DeepMRILib.interactive.export import export_case
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.options_pipeline import PlanOptions
from DeepMRILib.interactive.planning import plan, read_plans
from DeepMRILib.interactive.planning_rules import (
    divisible_by,
    heads_and_weights,
    kernels_and_strides,
    least_margin,
    target_spacing,
)
from DeepMRILib.interactive.planning_splits import stratified_folds
from DeepMRILib.interactive.planning_upstream import plan_from_upstream
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.options import settings
from DeepMRILib.volume import LabelVolume, Volume


@pytest.mark.parametrize(
    ("size", "spacing", "strides", "flat_kernels", "divisor"),
    [
        ((64, 64, 64), (1, 1, 1), [1, 2, 2, 2, 2], 0, (16, 16, 16)),
        ((100, 100, 20), (0.7, 0.7, 4.5), [1, 1, 1, 2, 2], 2, (16, 16, 4)),
        ((150, 150, 60), (0.8, 0.8, 3), [1, 1, 2, 2, 2, 1], 1, (32, 32, 8)),
    ],
)
def test_worked_plans(size: tuple, spacing: tuple, strides: list, flat_kernels: int, divisor: tuple) -> None:
    kernels, found = kernels_and_strides(size, spacing)
    assert [stride[2] for stride in found] == strides
    expected = [(3, 3, 1)] * flat_kernels + [(3, 3, 3)] * (len(strides) - flat_kernels)
    assert list(kernels) == expected
    assert divisible_by(found) == divisor


@pytest.mark.torch
@pytest.mark.parametrize(
    ("size", "spacing", "parameters"),
    [
        ((64, 64, 64), (1.0, 1.0, 1.0), 352_950),
        ((100, 100, 20), (0.7, 0.7, 4.5), 349_286),
        ((150, 150, 60), (0.8, 0.8, 3.0), 1_380_552),
    ],
)
def test_worked_plans_make_networks_of_the_published_size(size: tuple, spacing: tuple, parameters: int) -> None:
    pytest.importorskip("monai")
    from DeepMRILib.interactive.network import build

    plans = _upstream(size, spacing)
    network = build(plan_from_upstream(plans))
    assert sum(values.numel() for values in network.parameters()) == parameters


def test_levels_are_three_to_six() -> None:
    assert len(kernels_and_strides((1000, 1000, 1000), (1, 1, 1))[1]) == 6
    kernels, strides = kernels_and_strides((5, 5, 5), (1, 1, 1))
    assert (len(kernels), len(strides)) == (3, 3)
    assert divisible_by(strides) == (4, 4, 4)


def test_supervision_weights_halve_and_add_up_to_one() -> None:
    heads, weights = heads_and_weights(6)
    assert heads == 3
    np.testing.assert_allclose(weights, np.array([8, 4, 2, 1]) / 15)
    assert heads_and_weights(3) == (0, (1.0,))


def test_target_spacing_is_the_median_and_of_thick_slices_a_low_percentile() -> None:
    assert target_spacing([(1, 1, 1), (1, 1, 2), (2, 1, 2)]) == ((1.0, 1.0, 2.0), "median")
    spacings = [(0.8, 0.8, 3.0 + 0.3 * n) for n in range(11)]
    assert target_spacing(spacings) == ((0.8, 0.8, 3.3), "anisotropic")
    # the coarse axis is the one with long edges, not the last one
    assert target_spacing([(6.0, 1.0, 1.0), (4.0, 1.0, 1.0)]) == ((4.2, 1.0, 1.0), "anisotropic")


def test_margin_grows_where_lesions_reach_beyond_their_points() -> None:
    assert least_margin((1, 1, 1), np.zeros((3, 3))) == (8, 8, 8)
    assert least_margin((1, 4, 1), np.zeros((3, 3))) == (8, 3, 8)
    assert least_margin((1, 1, 1), np.full((3, 3), 9.5)) == (12, 12, 12)


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_are_balanced_within_each_subtype_and_altogether(folds: int) -> None:
    subtypes = ["a"] * 11 + ["b"] * 6 + ["c"] * 3
    found = stratified_folds(subtypes, folds, seed=4)
    for kind in ("abc", "a", "b", "c"):
        counts = Counter(fold for fold, subtype in zip(found, subtypes, strict=True) if subtype in kind)
        sizes = [counts[fold] for fold in range(folds)]
        assert max(sizes) - min(sizes) <= 1
    assert found == stratified_folds(subtypes, folds, seed=4)
    assert found != stratified_folds(subtypes, folds, seed=5)


def test_plan_of_the_example() -> None:
    result = plan(example_dataset(), PlanOptions(folds=2, seed=3))
    network = result.network
    assert network.orientation == "canonical"
    assert network.labels == ("lesion",)
    np.testing.assert_allclose(network.spacing, (1, 1, 1))
    assert result.plans["fingerprint"]["points_inside"] is True
    assert result.cases.columns["subtype"] == ["round", "long", "round", "long", "round"]
    assert set(result.cases.columns["orientation"]) == {"LAS"}
    held = [sorted(split["val"]) for split in result.plans["splits"]]
    assert sorted(held[0] + held[1]) == [f"case_{n}" for n in range(1, 6)]
    assert all(not set(split["train"]) & set(split["val"]) for split in result.plans["splits"])
    assert "case_6" not in result.splits.columns["case"]


def test_inputs_are_what_prepare_makes() -> None:
    from DeepMRILib.interactive.dataset import open_dataset, read_case
    from DeepMRILib.interactive.prepare import prepare

    result = plan(example_dataset(), PlanOptions(folds=2))
    for number, case in enumerate(open_dataset(example_dataset()).cases):
        images, label, points = read_case(case)
        ready = prepare(images, points, result.network, label=label)
        assert ready.target.shape == tuple(result.cases.columns[f"input_{axis}"][number] for axis in "ras")
        # the box around the points holds the whole lesion
        voxels = ready.target.sum() * np.prod(ready.geometry.spacing)
        assert voxels == pytest.approx(result.cases.columns["volume"][number], rel=0.05)


def test_saved_plan_is_read_again(tmp_path: Path) -> None:
    result = plan(example_dataset(), PlanOptions(folds=2))
    result.save(tmp_path / "plan")
    again = read_plans(tmp_path / "plan")
    assert NetworkPlan.from_json(again["network"]) == result.network
    assert again["splits"] == result.plans["splits"]
    (tmp_path / "other.json").write_text(json.dumps({"plans": {"network": {}}}))
    with pytest.raises(InputError, match="holds no plan"):
        read_plans(tmp_path / "other.json")


@pytest.mark.parametrize(
    ("entry", "value"),
    [("spacing", [0.0, 1.0, 1.0]), ("fixed_shape", [64, 64]), ("filters", [0] * 6), ("divisible_by", [1, 1, 1])],
)
def test_a_plan_that_was_edited_badly_is_one_sentence(tmp_path: Path, entry: str, value: list) -> None:
    plan(example_dataset(), PlanOptions(folds=2)).save(tmp_path / "plan")
    path = tmp_path / "plan" / "result.json"
    content = json.loads(path.read_text())
    content["plans"]["network"][entry] = value
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"result\.json holds no plan .*Give the output of deepmri interactive plan"):
        read_plans(path)


def test_leave_one_out_holds_back_one_subtype() -> None:
    splits = plan(example_dataset(), PlanOptions(leave_one_out=True)).plans["splits"]
    assert [sorted(split["val"]) for split in splits] == [["case_2", "case_4"], ["case_1", "case_3", "case_5"]]


def test_memory_limit_makes_voxels_coarser_and_says_so() -> None:
    free = plan(example_dataset(), PlanOptions(folds=2))
    needed = free.plans["memory"]["training_bytes"]
    tight = plan(example_dataset(), PlanOptions(folds=2, memory_limit=0.6 * needed / 1024**3))
    assert tight.plans["memory"]["training_bytes"] <= 0.6 * needed
    assert min(tight.network.spacing) > 1.05
    assert "the voxels were coarsened from 1 x 1 x 1 mm to" in " ".join(tight.provenance.notes)
    with pytest.raises(InputError, match="Set a higher limit"):
        plan(example_dataset(), PlanOptions(folds=2, memory_limit=1e-6))


def test_memory_limit_coarsens_fine_axes_first(tmp_path: Path) -> None:
    for number in range(2):
        _add(tmp_path, number, np.diag([0.8, 0.8, 4.0, 1.0]), (40, 40, 14))
    free = plan(tmp_path, PlanOptions(folds=2))
    needed = free.plans["memory"]["training_bytes"]
    tight = plan(tmp_path, PlanOptions(folds=2, memory_limit=0.7 * needed / 1024**3))
    assert tight.network.spacing[2] == free.network.spacing[2]
    assert tight.network.spacing[0] > free.network.spacing[0]


def _add(folder: Path, number: int, affine: np.ndarray, shape: tuple, *, channel: str = "MR", name: str = "") -> None:
    rng = np.random.default_rng(number)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    centre = (np.array(shape) - 1) / 2
    away = np.linalg.norm((np.indices(shape).transpose(1, 2, 3, 0) - centre) * spacing / 11.0, axis=3)
    mask = LabelVolume((away < 1).astype(np.uint8), affine, {1: "lesion"})
    image = Volume((rng.normal(40, 5, shape) + 60 * (away < 1)).astype(np.float32), affine)
    points = synthetic_points(mask, seed=number)
    export_case(folder, name or f"case_{number}", image, points, mask, modalities=(channel,) * (number == 0))


def test_ct_is_clipped_to_what_labels_hold(tmp_path: Path) -> None:
    for number in range(3):
        _add(tmp_path, number, np.diag([1.0, 1.0, 1.0, 1.0]), (32, 32, 32), channel="CT")
    (rule,) = plan(tmp_path, PlanOptions(folds=3)).network.normalisation
    assert rule.kind == "fixed"
    assert rule.low == pytest.approx(100 - 2.576 * 5, abs=1.0)
    assert rule.high == pytest.approx(100 + 2.576 * 5, abs=1.0)
    assert (rule.mean, rule.sd) == (pytest.approx(100, abs=0.5), pytest.approx(5, abs=0.3))


def test_thick_slices_are_found_on_any_axis(tmp_path: Path) -> None:
    sagittal = np.array([[0, 0, 4.0, 0], [0.9, 0, 0, 0], [0, 0.9, 0, 0], [0, 0, 0, 1]])
    for number in range(2):
        _add(tmp_path, number, sagittal, (36, 36, 12))
    result = plan(tmp_path, PlanOptions(folds=2))
    np.testing.assert_allclose(result.network.spacing, (4.0, 0.9, 0.9), rtol=1e-5)
    assert result.network.least_margin[0] < result.network.least_margin[1]
    assert [stride[0] for stride in result.network.strides[:3]] == [1, 1, 1]
    assert result.cases.columns["orientation"] == ["ASR", "ASR"]


def test_different_orientations_are_turned_alike_and_told(tmp_path: Path) -> None:
    _add(tmp_path, 0, np.diag([1.0, 1.0, 2.0, 1.0]), (32, 32, 18))
    _add(tmp_path, 1, np.array([[0, 0, 1.0, 0], [-1.0, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, 0, 1]]), (32, 18, 32))
    result = plan(tmp_path, PlanOptions(folds=2))
    np.testing.assert_allclose(result.network.spacing, (1, 1, 2), rtol=1e-5)
    assert "different orientations" in " ".join(result.provenance.notes)


def test_synthetic_points_only_when_asked(tmp_path: Path) -> None:
    for number in range(2):
        _add(tmp_path, number, np.eye(4), (28, 28, 28))
    for path in (tmp_path / "interactionsTr").iterdir():
        path.unlink()
    content = json.loads((tmp_path / "dataset.json").read_text())
    for entry in content["training"]:
        del entry["interaction"]
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="case_0: there are no points"):
        plan(tmp_path, PlanOptions(folds=2))
    result = plan(tmp_path, PlanOptions(folds=2, synthetic_points=True, seed=9))
    assert "The points of 2 cases are synthetic" in " ".join(result.provenance.notes)


def test_a_fault_stops_the_plan_with_its_sentence(tmp_path: Path) -> None:
    for number in range(2):
        _add(tmp_path, number, np.eye(4), (28, 28, 28))
    (tmp_path / "labelsTr" / "case_1.nii.gz").unlink()
    with pytest.raises(InputError, match=r"cannot be used\. case_1: there is no file .*labelsTr"):
        plan(tmp_path, PlanOptions(folds=2))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (PlanOptions(folds=6), "5 cases cannot be parted into 6 folds"),
        (PlanOptions(folds=2, spacing=(1.0, 1.0)), "expected three lengths in mm"),
        (PlanOptions(folds=1), "folds is 1; it must lie between"),
    ],
)
def test_bad_settings(options: PlanOptions, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        plan(example_dataset(), options)


def test_given_spacing_is_kept() -> None:
    result = plan(example_dataset(), PlanOptions(folds=2, spacing=(1.5, 1.5, 2.0)))
    assert result.network.spacing == (1.5, 1.5, 2.0)
    assert result.plans["fingerprint"]["spacing_rule"] == "given"


def test_settings_can_be_shown_by_all_doors() -> None:
    from DeepMRILib.interactive.options_pipeline import ExportOptions

    assert {item.name for item in settings(PlanOptions)} >= {"folds", "seed", "memory_limit", "relax"}
    assert {item.name for item in settings(ExportOptions)} >= {"dataset", "case", "replace"}


def test_the_example_is_seeded() -> None:
    np.testing.assert_array_equal(example_case(2)[0].array, example_case(2)[0].array)
    assert not np.array_equal(example_case(2)[0].array, example_case(4)[0].array)


def _upstream(size: tuple = (64, 64, 64), spacing: tuple = (1.0, 1.0, 1.0), *, ct: bool = False) -> dict:
    """A plans.json as InteractiveNet writes it."""
    kernels, strides = kernels_and_strides(size, spacing)
    heads, weights = heads_and_weights(len(strides))
    return {
        "Fingerprint": {
            "In mask": True, "Anisotropic": False, "CT": ct, "Clipping": [-50.0, 150.0] if ct else [],
            "Intensity_mean": 40.0 if ct else 0, "Intensity_std": 25.0 if ct else 0, "Resampling": "Median",
            "Target spacing": list(spacing),
        },
        "Plans": {
            "kernels": [list(kernel) for kernel in kernels], "strides": [list(stride) for stride in strides],
            "deep supervision": heads, "deep supervision weights": list(weights), "padding": 0.1,
            "divisible by": list(divisible_by(strides)), "seed": 1, "number of folds": 5,
        },
    }  # fmt: skip


def test_plan_of_interactivenet_keeps_its_rules() -> None:
    mr, ct = plan_from_upstream(_upstream()), plan_from_upstream(_upstream(ct=True), labels=("tumour",))
    assert (mr.orientation, mr.geodesic, mr.edge_weight) == ("file", "compat", 1.0)
    assert mr.as_upstream
    assert mr.filters == (4, 8, 16, 32, 64)
    assert (mr.channels, mr.normalisation[0].kind) == (("MR",), "zscore")
    assert (ct.channels, ct.labels) == (("CT",), ("tumour",))
    rule = ct.normalisation[0]
    assert (rule.kind, rule.low, rule.high, rule.mean, rule.sd) == ("fixed", -50.0, 150.0, 40.0, 25.0)
    assert NetworkPlan.from_json(json.loads(json.dumps(ct.to_json()))) == ct


def _without(part: str, key: str) -> dict:
    content = _upstream()
    del content[part][key]
    return content


def _with(part: str, key: str, value: object, *, ct: bool = False) -> dict:
    content = _upstream(ct=ct)
    content[part][key] = value
    return content


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({}, "no plans.json of InteractiveNet"),
        ([], "no plans.json of InteractiveNet"),
        (_without("Plans", "strides"), "no plans.json of InteractiveNet"),
        (_with("Fingerprint", "Target spacing", [1.0, 1.0]), "spacing"),
        (_with("Fingerprint", "Target spacing", [1.0, 0.0, 1.0]), "spacing"),
        (_with("Plans", "strides", [[1, 1]]), "no plans.json of InteractiveNet"),
        (_with("Plans", "divisible by", [8, 8, 8]), "cannot be built"),
        (_with("Plans", "padding", 10**400), "no plans.json of InteractiveNet"),
        (_with("Plans", "deep supervision", 7), "7 heads"),
        (_with("Fingerprint", "Intensity_std", 0, ct=True), "no plans.json of InteractiveNet"),
    ],
)
def test_a_damaged_plan_of_interactivenet_is_one_sentence(content: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        plan_from_upstream(content)
