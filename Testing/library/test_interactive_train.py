"""``interactive.train``: loss, augmentation, folds, going on after a kill, the choice, the model's folder."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, DependencyError, DeviceMemoryError, InputError, OutputError, WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
import interactive_training_job as killed_job
from interactive_network import PLAN, QUICK, a_model, a_plan, one_thread, same_weights

from DeepMRILib import device as devices
from DeepMRILib.interactive import mlflow_log
from DeepMRILib.interactive.example_pipeline import example_dataset
from DeepMRILib.interactive.network import build
from DeepMRILib.interactive.network_memory import most_voxels, prediction_bytes, training_bytes
from DeepMRILib.interactive.options_pipeline import PlanOptions
from DeepMRILib.interactive.options_training import TrainOptions
from DeepMRILib.interactive.phantom_dataset import phantom_dataset
from DeepMRILib.interactive.planning import plan as planned
from DeepMRILib.interactive.report_training import train_report
from DeepMRILib.interactive.train_augment import Augmentation, blurred, warped, with_gamma
from DeepMRILib.interactive.train_folds import Fold, TrainedFold, compute_again
from DeepMRILib.interactive.train_loss import dice_ce, one_minus_dice, supervised
from DeepMRILib.interactive.train_scores import choose
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.interactive.training import train
from DeepMRILib.interactive.weight_shapes import weight_shapes
from DeepMRILib.model_store import ModelStore

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
ROOT = Path(__file__).parents[2]
NOTHING = {"turn": 0, "zoom": 0, "noise": 0, "blur": 0, "scale": 0, "gamma": 0, "flip": 0}


def a_training(**changes: Any) -> TrainedModel:
    """A training of a moment on the example's five cases."""
    progress, plan = changes.pop("progress", None), changes.pop("plan", None)
    return train(example_dataset(), TrainOptions(**{**QUICK, **changes}), plan=plan, progress=progress)


@pytest.fixture(scope="module")
def trained() -> TrainedModel:
    """Two folds of three epochs, with augmentation."""
    torch.set_num_threads(1)
    return a_training(epochs=3, augment=True, baselines=True, name="net-1")


# -- loss --


@pytest.mark.parametrize("labels", [1, 3])
def test_the_loss_is_monais_dice_and_cross_entropy_with_background(labels: int) -> None:
    from monai.losses import DiceCELoss

    torch.manual_seed(0)
    logits = torch.randn(2, labels + 1, 5, 6, 7)
    target = torch.randint(0, labels + 1, (2, 5, 6, 7))
    expected = DiceCELoss(to_onehot_y=True, softmax=True)(logits, target[:, None])
    assert float(dice_ce(logits, target)) == pytest.approx(float(expected), abs=1e-6)


def test_each_depth_counts_half_of_the_one_before() -> None:
    torch.manual_seed(0)
    outputs, target = torch.randn(1, 3, 2, 4, 4, 4), torch.randint(0, 2, (1, 4, 4, 4))
    each = [float(dice_ce(one, target)) for one in outputs.unbind(1)]
    assert float(supervised(outputs, target)) == pytest.approx((4 * each[0] + 2 * each[1] + each[2]) / 7)
    assert float(supervised(outputs[:, 0], target)) == pytest.approx(each[0])


def test_dice_of_validation_is_that_of_the_winners() -> None:
    target = torch.zeros(1, 4, 1, 1, dtype=torch.long)
    target[0, :2] = 1
    logits = torch.zeros(1, 3, 4, 1, 1)
    logits[0, 1, 1:3] = 5  # one of two, and one beside; the third output is nowhere in the truth
    assert float(one_minus_dice(logits, target)) == pytest.approx(0.5)
    assert float(one_minus_dice(logits, torch.zeros_like(target))) == 0


# -- augmentation --


def a_case(shape: tuple[int, int, int] = (20, 16, 12)) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth image, a map that equals it, and a box as target."""
    places = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, n) for n in shape], indexing="ij"))
    image = torch.exp(-2 * places.square().sum(0)) + 0.3 * places[0]
    target = torch.zeros(1, *shape, dtype=torch.uint8)
    target[0, 5:14, 4:11, 3:9] = 2
    return torch.stack([image, image])[None], target


def test_the_map_is_warped_with_the_image_and_the_target_stays_whole() -> None:
    augment = Augmentation(1, (1, 1, 2), **{**NOTHING, "turn": 1, "zoom": 1, "flip": 0.5})
    for seed in range(5):
        torch.manual_seed(seed)
        values, target = augment(*a_case())
        assert torch.equal(values[:, 0], values[:, 1])
        assert not torch.equal(values, a_case()[0])
        assert set(target.unique().tolist()) <= {0, 2}
        assert values.shape == a_case()[0].shape
        assert target.dtype == torch.uint8


def test_intensities_change_in_images_alone() -> None:
    augment = Augmentation(1, **{**NOTHING, "noise": 1, "blur": 1, "scale": 1, "gamma": 1})
    values, target = augment(*a_case())
    before, truth = a_case()
    assert torch.equal(values[:, 1], before[:, 1])
    assert (values[:, 0] != before[:, 0]).float().mean() > 0.9
    assert torch.equal(target, truth)


def test_nothing_changes_where_nothing_is_drawn_and_a_seed_repeats_all() -> None:
    values, target = Augmentation(1, **NOTHING)(*a_case())
    assert torch.equal(values, a_case()[0])
    assert torch.equal(target, a_case()[1])
    always = Augmentation(1, turn=1, zoom=1, noise=1, blur=1, scale=1, gamma=1)
    torch.manual_seed(3)
    first = always(*a_case())
    second = always(*a_case())
    torch.manual_seed(3)
    again = always(*a_case())
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])


def test_a_flip_turns_all_round() -> None:
    augment = Augmentation(1, **{**NOTHING, "flip": 1})
    values, target = augment(*a_case())
    assert torch.equal(values, a_case()[0].flip([2, 3, 4]))
    assert torch.equal(target, a_case()[1].flip([1, 2, 3]))


def test_a_warp_by_the_identity_leaves_a_case_and_one_by_half_enlarges_it_eightfold() -> None:
    values, target = a_case()
    same, labels = warped(values, target, torch.eye(3))
    assert torch.allclose(same, values, atol=1e-5)
    assert torch.equal(labels, target)
    small = torch.zeros(1, 24, 24, 24, dtype=torch.uint8)
    small[0, 9:15, 9:15, 9:15] = 1
    _, larger = warped(small[:, None].float(), small, torch.eye(3) / 2)
    assert int(larger.sum()) == 8 * int(small.sum())


def test_a_quarter_turn_moves_voxels_as_numpy_does() -> None:
    values = torch.randn(1, 1, 6, 6, 4)
    target = torch.randint(0, 3, (1, 6, 6, 4))
    quarter = torch.tensor([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # new (i, j) comes from old (j, -i)
    moved, labels = warped(values, target, quarter)
    assert torch.equal(labels[0], torch.rot90(target[0], 1, (0, 1)))
    assert torch.allclose(moved[0, 0], torch.rot90(values[0, 0], 1, (0, 1)), atol=1e-5)


def test_cases_are_turned_in_mm_and_thick_slices_within_themselves() -> None:
    torch.manual_seed(1)
    thin = Augmentation(1, (1.0, 1.0, 2.0), **{**NOTHING, "turn": 1})._matrix().numpy()
    edges = np.diag([1.0, 1.0, 2.0])
    turn = edges @ thin @ np.linalg.inv(edges)
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-5)
    assert not np.allclose(thin @ thin.T, np.eye(3), atol=0.1)
    thick = Augmentation(1, (4.5, 0.9, 0.9), **{**NOTHING, "turn": 1})._matrix().numpy()
    assert np.allclose(thick[0], [1, 0, 0], atol=1e-6)
    assert np.allclose(thick[:, 0], [1, 0, 0], atol=1e-6)


def test_blur_and_gamma_are_what_scipy_and_the_formula_give() -> None:
    from scipy.ndimage import gaussian_filter

    image = torch.randn(1, 2, 14, 13, 12)
    expected = gaussian_filter(image[0, 0].numpy().astype(float), (0.5, 1.0, 1.5), mode="nearest")
    assert np.allclose(blurred(image, [0.5, 1.0, 1.5])[0, 0].numpy(), expected, atol=2e-3)
    flat = blurred(torch.randn(1, 1, 8, 8, 1), [1.0, 1.0, 1.0])  # one slice: nothing to blur across
    assert flat.shape == (1, 1, 8, 8, 1)
    changed = with_gamma(image, 1.4)[0, 1].numpy()
    values = image[0, 1].numpy()
    low, high = values.min(), values.max()
    assert np.allclose(changed, ((values - low) / (high - low)) ** 1.4 * (high - low) + low, atol=1e-5)


# -- the job --


def test_a_training_gives_a_network_for_each_fold_its_curves_and_scores(trained: TrainedModel) -> None:
    assert trained.folds == (0, 1)
    assert set(trained.weights_of(1)) == set(weight_shapes(trained.plan))
    assert not any("skip_layers" in name for name in trained.weights)
    history = trained.history.columns
    assert history["fold"] == [0, 0, 0, 1, 1, 1]
    assert history["epoch"] == [1, 2, 3] * 2
    assert history["learning_rate"] == pytest.approx([0.01 * (1 - e / 3) ** 0.9 for e in range(3)] * 2)
    assert all(0 <= value <= 1 for value in history["dice"])
    scores = trained.scores.columns
    assert sorted(scores["case"]) == [f"case_{n}" for n in range(1, 6)]
    assert min(scores["dice_geodesic"]) > 0.85  # the example's lesions are easy
    assert all(value is not None for value in scores["dice_ellipsoid"])
    assert trained.metrics["dice"] == pytest.approx(np.mean(scores["dice"]))
    made = trained.provenance
    assert made.options["epochs"] == 3
    assert made.inputs["cases"].keys() == {f"case_{n}" for n in range(1, 6)}
    assert {fold: scores["fold"].count(fold) for fold in (0, 1)} == {0: 3, 1: 2}
    assert any("same held-out cases" in note for note in made.notes)


def test_the_held_out_cases_are_those_of_the_plan(trained: TrainedModel, tmp_path: Path) -> None:
    plan = planned(example_dataset(), PlanOptions(folds=2)).save(tmp_path / "plan")
    again = a_training(epochs=3, augment=True, plan=plan)
    assert same_weights(again, trained)
    split = json.loads((plan / "result.json").read_text())["plans"]["splits"][1]
    rows = zip(again.scores.columns["case"], again.scores.columns["fold"], strict=True)
    assert sorted(case for case, fold in rows if fold == 1) == sorted(split["val"])


def test_one_fold_of_several_is_the_one_that_it_is_among_all(trained: TrainedModel) -> None:
    second = a_training(epochs=3, augment=True, only_folds=(1,), half_weights=True)
    assert second.folds == (1,)
    for name, array in second.weights.items():
        assert array.dtype == np.float16
        assert np.array_equal(array, trained.weights[name].astype(np.float16))


def test_a_single_network_learns_from_all_and_has_no_scores() -> None:
    model = a_training(folds=1)
    assert model.folds == (0,)
    assert len(model.scores) == 0
    assert model.history.columns["dice"] == [None]
    assert model.postprocessing == "fill+largest"
    assert any("no scores" in note for note in model.provenance.notes)
    assert "Cross-validation" not in train_report(model).html()


def test_several_images_and_labels_go_through(tmp_path: Path) -> None:
    folder = phantom_dataset(
        tmp_path / "two", cases=3, seed=1, size=(22, 22, 16), spacing=(3, 3, 4), images=2, lesions=2
    )
    model = train(folder, TrainOptions(**{**QUICK, "baselines": True}))
    assert (model.plan.inputs, model.plan.outputs) == (4, 3)
    assert len(model.plan.channels) == 2
    assert len(model.scores) == 6
    assert list(dict.fromkeys(model.scores.columns["label"])) == list(model.plan.labels)
    assert {"dice", f"dice of {model.plan.labels[0]}"} <= set(model.metrics)
    assert model.plan.labels[1] in train_report(model).html()


def test_the_page_shows_curves_scores_and_slices(trained: TrainedModel) -> None:
    page = train_report(trained).html()
    for words in ("Cross-validation", "geodesic engine", "by subtype", "Slices", "case_3", "Postprocessing", "Votes"):
        assert words in page
    assert page.count("data:image/png") == 4


def test_the_choice_is_the_majority_of_the_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    by_fold = {0: ("best", "fill"), 1: ("best", "fill"), 2: ("last", "largest")}

    def scores(trained: TrainedFold, judge: object, progress: object) -> list[dict]:
        ways = [(weights, how) for weights in ("last", "best") for how in ("none", "fill", "largest", "fill+largest")]
        high = 0.99 if trained.fold.number == 2 else 0.7
        return [{way: high if way == by_fold[trained.fold.number] else 0.6 for way in ways}]

    monkeypatch.setattr("DeepMRILib.interactive.train_scores._scores", scores)
    folds = [TrainedFold(Fold(n, (), (n,)), {}, {}, [], 1, "cpu") for n in by_fold]
    choice = choose(folds, None, lambda fraction, message: None)
    assert (choice.weights, choice.postprocessing) == ("best", "fill")
    assert choice.table.columns["folds"] == [0, 0, 1, 0, 0, 2, 0, 0]
    assert choice.table.columns["chosen"].index(True) == 5


# -- memory --


def test_computing_again_gives_the_same_gradients() -> None:
    plan = a_plan(heads=1)
    given = torch.randn(1, plan.inputs, 8, 8, 8)
    gradients = []
    for again in (False, True):
        devices.seed_everything(0)
        network = build(plan)
        if again:
            compute_again(network)
        network(given).square().mean().backward()
        gradients.append([parameter.grad for parameter in network.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_cases_that_take_too_much_memory_are_looked_at_more_coarsely(tmp_path: Path) -> None:
    plan = planned(example_dataset(), PlanOptions(folds=2)).save(tmp_path / "plan")
    whole = a_training(plan=plan)
    most = most_voxels(whole.plan, 0.003, training=True)
    model = a_training(plan=plan, memory_limit=0.003)
    assert most < 24**3
    assert any("memory_limit" in note for note in model.provenance.notes)
    assert 0 < model.provenance.inputs["memory"] <= 0.003 * 1024**3 < whole.provenance.inputs["memory"]
    with pytest.raises(InputError, match="memory_limit leaves room for"):
        a_training(plan=plan, memory_limit=1e-5)


def test_what_does_not_fit_is_said_before_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "free_memory", lambda device: 1_000_000)
    with pytest.raises(DeviceMemoryError, match=r"Training on a case of .* needs more memory .* Set memory_limit"):
        a_training()


def test_predicted_memory_grows_with_the_input_and_falls_with_what_saves_it() -> None:
    plan = a_plan(heads=1)
    assert training_bytes(plan, 2_000_000) == pytest.approx(2 * training_bytes(plan, 1_000_000))
    assert training_bytes(plan, 10**6, checkpointed=True) < training_bytes(plan, 10**6)
    assert training_bytes(plan, 10**6, half=True) < training_bytes(plan, 10**6)
    assert prediction_bytes(plan, 10**6) < training_bytes(plan, 10**6)
    assert most_voxels(plan, 0) == 0
    assert training_bytes(plan, most_voxels(plan, 1.0, training=True)) == pytest.approx(1024**3, rel=1e-3)


# -- refused before anything is read --


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "a/b"}, "model name 'a/b' cannot be used"),
        ({"epochs": 0}, "epochs is 0"),
        ({"only_folds": (2,)}, "only_folds is 2; give different numbers from 0 to 1"),
        ({"only_folds": (1, 1)}, "only_folds is 1, 1"),
        ({"folds": 6}, "5 cases cannot be parted into 6 folds"),
    ],
)
def test_bad_settings(changes: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        a_training(**changes)


def test_a_workspace_that_is_a_file_and_a_plan_of_other_cases(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        a_training(workspace=str(tmp_path / "file"))
    other = phantom_dataset(tmp_path / "other", cases=3, size=(20, 20, 16), spacing=(3, 3, 4))
    plan = planned(other, PlanOptions(folds=2)).save(tmp_path / "plan")
    with pytest.raises(InputError, match="folds are of other cases"):
        a_training(plan=plan)
    two = phantom_dataset(tmp_path / "two", cases=3, size=(20, 20, 16), spacing=(3, 3, 4), images=2)
    with pytest.raises(InputError, match="The plan is for the images"):
        train(two, TrainOptions(**QUICK), plan=plan)


def test_without_an_address_nothing_is_logged_and_without_mlflow_that_is_said_first(
    monkeypatch: pytest.MonkeyPatch, trained: TrainedModel
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)  # as if it were not installed
    mlflow_log.check("")
    mlflow_log.log_training(trained, "")
    with pytest.raises(DependencyError, match="Logging a training to MLflow needs the Python package mlflow"):
        a_training(mlflow="runs")


def test_a_real_mlflow_holds_settings_curves_and_scores(trained: TrainedModel, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow")
    mlflow_log.log_training(trained, str(tmp_path / "runs"))
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'runs' / mlflow_log.DATABASE}")
    (run,) = mlflow.search_runs(experiment_names=[trained.name], output_format="list")
    assert run.data.params["epochs"] == "3"
    assert run.data.metrics["dice"] == pytest.approx(trained.metrics["dice"])


def test_a_workspace_in_the_output_is_refused_before_the_training(tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = ["interactive", "train", str(example_dataset()), "-o", str(out), "--workspace", str(out / "run")]
    command = [sys.executable, "-m", "DeepMRILib", *line]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "lies in the output folder" in done.stderr
    assert not out.exists()


# -- stopped, killed, and gone on --


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    command = [sys.executable, killed_job.__file__, str(example_dataset()), str(tmp_path / "run")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT
    )
    try:
        assert process.stdout.readline() == "in the middle\n"
    finally:
        process.kill()
        process.wait()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"cases", "fold0.ckpt", "fold1.ckpt"}
    whole = train(example_dataset(), TrainOptions(**killed_job.SETTINGS))
    resumed = train(example_dataset(), TrainOptions(**killed_job.SETTINGS, workspace=str(tmp_path / "run")))
    assert same_weights(resumed, whole)
    columns = ("fold", "epoch", "loss", "dice", "learning_rate")
    assert all(resumed.history.columns[name] == whole.history.columns[name] for name in columns)
    assert resumed.scores.columns == whole.scores.columns


def test_a_workspace_keeps_its_cases_until_they_change_and_refuses_other_settings(tmp_path: Path) -> None:
    told: list[str] = []
    work = str(tmp_path / "run")
    first = a_training(workspace=work, progress=lambda fraction, message: told.append(message))
    prepared = [message for message in told if message.startswith("Preparing")]
    assert prepared
    told.clear()
    a_training(workspace=work, progress=lambda fraction, message: told.append(message))
    assert not [message for message in told if message.startswith("Preparing")]
    damaged = tmp_path / "run" / "cases" / "case0001_input.npy"
    damaged.write_bytes(damaged.read_bytes()[:-8])
    assert same_weights(a_training(workspace=work), first)
    with pytest.raises(InputError, match=r"fold0.ckpt was made with learning_rate 0.01, and now it is 0.02"):
        a_training(workspace=work, learning_rate=0.02)


def test_a_cancelled_training_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def stop(fraction: float, message: str) -> None:
        if message.startswith("Fold 1"):
            raise Cancelled

    with pytest.raises(Cancelled):
        a_training(progress=stop)
    assert list(tmp_path.iterdir()) == []


# -- the model's folder --


def test_a_model_comes_back_as_it_was_and_by_its_name(trained: TrainedModel, tmp_path: Path) -> None:
    folder = trained.save(tmp_path / "net")
    loaded = TrainedModel.load(folder)
    assert same_weights(loaded, trained)
    assert (loaded.plan, loaded.folds, loaded.postprocessing) == (trained.plan, trained.folds, trained.postprocessing)
    assert loaded.history.columns["dice"] == trained.history.columns["dice"]
    assert loaded.scores.columns["case"] == trained.scores.columns["case"]
    assert loaded.sha256 == trained.sha256
    store = ModelStore()
    store.save(loaded.card(), loaded.weights)
    assert same_weights(TrainedModel.load("net-1"), trained)


def test_a_card_holds_no_names_of_cases_and_no_folders(trained: TrainedModel) -> None:
    made = replace(trained.provenance, command="deepmri interactive train /home/somebody")
    text = replace(trained, provenance=made).card().to_json()
    assert not any(words in text for words in ("case_1", "somebody", "workspace"))
    assert "somebody" not in a_model().card().to_json()
    assert "Dice" not in text
    assert json.loads(text)["metrics"]["dice"] == pytest.approx(trained.metrics["dice"])


def test_cases_called_by_numbers_stay_text(trained: TrainedModel, tmp_path: Path) -> None:
    folder = trained.save(tmp_path / "net")
    rows = list(csv.reader((folder / "scores.csv").open()))
    rows[1][0] = "007"
    with (folder / "scores.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    assert TrainedModel.load(folder).scores.columns["case"][0] == "007"


def test_half_the_weights_are_half_the_file_and_nearly_the_same(tmp_path: Path) -> None:
    model = a_model()
    sizes = [
        (one.save(tmp_path / name) / "model.safetensors").stat().st_size
        for name, one in (("whole", model), ("half", model.halved()))
    ]
    assert sizes[1] < 0.8 * sizes[0]
    loaded = TrainedModel.load(tmp_path / "half")
    for name, array in loaded.weights_of(0).items():
        assert array.dtype == np.float32
        assert np.allclose(array, model.weights_of(0)[name], rtol=1e-3, atol=1e-4)


def set_entry(card: dict, path: str, value: Any) -> None:
    *way, last = path.split(".")
    for name in way:
        card = card[name]
    if value is KeyError:
        del card[last]
    else:
        card[last] = value


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("method", "ivim", "is for ivim, not for interactive"),
        ("extra.kind", "seeds", "is no network for interactive segmentation"),
        ("extra.format", 99, "format 99.*Update DeepMRI"),
        ("extra.format", "x", "format 'x'.*Train it again"),
        ("extra.plan", KeyError, "lacks the entry plan"),
        ("extra.plan", [], "not usable"),
        ("extra.plan.spacing", [1, 1], "three lengths in mm"),
        ("extra.plan.spacing", [1, 1, "x"], "not usable"),
        ("extra.plan.strides", [[1, 1, 1]], "strides"),
        ("extra.plan.heads", 7, "7 heads"),
        ("extra.plan.filters", [2, 3, 10**9], "have the shape"),
        ("extra.plan.filters", [2, 3, 0], "whole numbers above 0"),
        ("extra.plan.kernels", [[3, 3]] * 3, "three whole numbers"),
        ("extra.plan.divisible_by", [3, 4, 4], "multiples of"),
        ("extra.plan.geodesic", "exact", "geodesic map is 'exact'"),
        ("extra.plan.edge_weight", 7, "edge weight is 7"),
        ("extra.plan.labels", ["tumour"], "other labels than its preprocessing"),
        ("extra.plan.surprise", 1, "not usable"),
        ("extra.plan.normalisation", [], "0 normalisations"),
        ("extra.plan.normalisation", [{"kind": "zscore", "sd": 0}], "divides by 0"),
        ("extra.folds", [], "folds are"),
        ("extra.folds", [0, 0], "folds are"),
        ("extra.folds", [0, 5], "unknown weights fold1"),
        ("extra.postprocessing", "magic", "postprocessing is 'magic'"),
        ("extra.provenance", "me", "provenance is a str"),
        ("extra.provenance.job", KeyError, "lacks the entry job"),
        ("extra.provenance.notes", "x", "notes is 'x'"),
        ("preprocessing", {}, "other channels than its preprocessing"),
    ],
)
def test_every_fault_of_a_model_is_one_sentence(path: str, value: Any, words: str, tmp_path: Path) -> None:
    folder = a_model().save(tmp_path / "net")
    card = json.loads((folder / "model.json").read_text())
    set_entry(card, path, value)
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=words) as caught:
        TrainedModel.load(folder)
    assert "\n" not in str(caught.value)


def test_weights_that_are_damaged_or_not_finite(tmp_path: Path) -> None:
    model = a_model()
    name = "fold0.output_block.conv.conv.bias"
    broken = replace(model, weights={**model.weights, name: np.array([math.nan, 0], np.float32)})
    with pytest.raises(WeightsError, match="are no finite numbers"):
        TrainedModel.load(broken.save(tmp_path / "nan"))
    folder = model.save(tmp_path / "net")
    (folder / "model.safetensors").write_bytes(b"PK\x03\x04")
    with pytest.raises(WeightsError):
        TrainedModel.load(folder)


@pytest.mark.parametrize("plan", [PLAN, a_plan(2, 3, heads=1, negative=True)])
def test_the_shapes_told_are_those_of_the_network(plan: Any) -> None:
    expected = {name: tuple(value.shape) for name, value in build(plan).named_parameters()}
    assert weight_shapes(plan) == expected
