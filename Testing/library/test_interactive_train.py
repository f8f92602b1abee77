"""``interactive.train``: loss, augmentation, folds, going on after a kill, the choice, the model's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, DependencyError, DeviceMemoryError, InputError, OutputError

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
import interactive_training_job as killed_job
from interactive_network import QUICK, a_plan, a_training, one_thread, same_weights, trained

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
from DeepMRILib.interactive.train_folds import Fold, TrainedFold, compute_again
from DeepMRILib.interactive.train_scores import choose
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.interactive.training import train
from DeepMRILib.interactive.weight_shapes import weight_shapes

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
ROOT = Path(__file__).parents[2]
_FIXTURES = (trained,)


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
