"""``pvs.train``: the network, the loss, going on after a kill, the model's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
import pvs_training_job as killed_job
from torch import nn

from DeepMRILib.model_store import CARD, WEIGHTS, ModelStore
from DeepMRILib.pvs import train_pvs_run
from DeepMRILib.pvs.example_training import TRAIN_QUICK, ball, train_inputs
from DeepMRILib.pvs.lifelike_anatomy import Anatomy
from DeepMRILib.pvs.network_unet import build_network, folded
from DeepMRILib.pvs.opened import opened
from DeepMRILib.pvs.options_training import TrainOptions
from DeepMRILib.pvs.train_pvs import Averaged, Judging, Learning, PatchSet, target_of
from DeepMRILib.pvs.train_pvs_scores import best_threshold, scored
from DeepMRILib.pvs.trained import TrainedNetwork
from DeepMRILib.pvs.training import train

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[2]
DESIGN = {"channels": [2, 4, 6], "images": 1, "bottom": 1, "normalised": True}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The same bits on a busy computer, and no waiting for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def quick() -> TrainedNetwork:
    """The example, trained."""
    return train(TrainOptions(**dict(TRAIN_QUICK)), **train_inputs())


def a_training(**changes: Any) -> TrainedNetwork:
    """The killed job's training, here."""
    return train(TrainOptions(**{**killed_job.SETTINGS, **changes}), **train_inputs())


def same_weights(first: TrainedNetwork, second: TrainedNetwork) -> bool:
    """Bit by bit."""
    return first.weights.keys() == second.weights.keys() and all(
        np.array_equal(array, second.weights[name]) for name, array in first.weights.items()
    )


# -- the network --


def test_the_folded_network_answers_the_same() -> None:
    torch.manual_seed(0)
    network = build_network(DESIGN)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    network.eval()
    plain, design = folded(network, DESIGN)
    assert not any(isinstance(module, nn.BatchNorm3d) for module in plain.modules())
    assert design == {**DESIGN, "normalised": False}
    images = torch.rand(2, 1, 13, 10, 9)
    nn.init.normal_(network.head.weight)
    plain.head.load_state_dict(network.head.state_dict())
    assert torch.allclose(network.logits(images), plain.logits(images), atol=1e-4)
    assert network.logits(images).std() > 0.1


def test_what_a_network_answers_depends_on_nothing_far_away() -> None:
    torch.manual_seed(1)
    network = build_network({**DESIGN, "normalised": False}).eval()
    image = torch.rand(1, 1, 128, 8, 8)
    other = image.clone()
    other[:, :, 80:] = 0  # more than the field of view away from the first voxels
    first, second = network.logits(image), network.logits(other)
    assert torch.equal(first[:, :, :16], second[:, :, :16])
    assert not torch.equal(first[:, :, 72:80], second[:, :, 72:80])


@pytest.mark.parametrize(
    "design", [{}, {"channels": [8], "images": 1, "bottom": 1}, {"channels": [2, 4], "images": 1.5, "bottom": 1}]
)
def test_a_design_that_is_none_is_refused(design: dict) -> None:
    with pytest.raises(InputError, match="expected channels"):
        build_network(design)


# -- learning --


def test_the_mean_of_the_weights_follows_them_and_answers() -> None:
    model = Averaged(build_network(DESIGN), decay=0.9)
    before = model.average.head.bias.clone()
    with torch.no_grad():
        model.network.head.bias += 1
    for _ in range(200):
        model.follow()
    assert not torch.equal(model.average.head.bias, before)
    assert torch.allclose(model.average.head.bias, model.network.head.bias, atol=1e-4)
    assert not any(parameter.requires_grad for parameter in model.average.parameters())
    with torch.no_grad():
        model.network.head.bias += 5
    images = torch.rand(1, 1, 8, 8, 8)
    assert torch.equal(model.eval()(images), model.average.eval().logits(images))


def test_the_loss_is_least_for_the_truth_and_its_gradient_leads_there() -> None:
    share = torch.zeros(1, 1, 8, 8, 8)
    share[:, :, 3:5, 3:5] = 1

    class Given(nn.Module):
        steps = torch.tensor(10**6)
        values = nn.Parameter(torch.zeros(1, 1, 8, 8, 8))

        def forward(self, images: Any) -> Any:
            return self.values

        def follow(self) -> None:
            """Nothing to follow."""

    given, loss = Given(), Learning("cpu", steps=10)
    start = loss(given, (share, share)).item()
    optimizer = torch.optim.Adam([given.values], lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        loss(given, (share, share)).backward()
        optimizer.step()
    assert loss(given, (share, share)).item() < 0.05 * start
    assert torch.equal(given.values > 0, share > 0.5)
    assert float(Judging("cpu")(given, (share, share))) == pytest.approx(0, abs=1e-6)


def test_what_is_asked_for_is_one_half_where_the_truth_begins() -> None:
    assert target_of(torch.tensor([0.0, 0.25, 0.5])).tolist() == [0.0, 0.5, 1.0]


def test_patches_are_those_of_their_seeds_whoever_makes_them() -> None:
    head = Anatomy.of_labels(ball(40))
    patches = PatchSet([head], first=100, count=3, edge=16)
    assert len(patches) == 3
    image, share = patches[1]
    assert image.shape == share.shape == (1, 16, 16, 16)
    loaded = next(iter(torch.utils.data.DataLoader(patches, batch_sampler=[[1]], num_workers=1)))
    assert torch.equal(loaded[0][0], image)
    assert torch.equal(PatchSet([head], first=101, count=1, edge=16)[0][0], image)


def test_a_network_learns_what_tubes_are() -> None:
    settings = {"steps": 60, "patch": 24, "channels": (8, 8), "learning_rate": 1e-2, "held_out": 8, "batch": 1}
    network = a_training(**settings)
    scores = {(row[0], row[1]): row[2] for row in network.scores.rows}
    where = "tissue that has spaces"
    assert scores["network", where] > 2.5 * scores["chance", where]
    assert network.history.columns["steps"] == [60]


def test_the_best_threshold_has_the_best_dice() -> None:
    score = np.array([0.9, 0.8, 0.7, 0.2, 0.1]).reshape(5, 1, 1)
    truth = np.array([1, 1, 0, 1, 0], bool).reshape(5, 1, 1)
    threshold = best_threshold(score, truth, np.ones_like(truth))
    assert 0.1 < threshold < 0.2


def test_patches_without_spaces_have_no_scores() -> None:
    head = Anatomy.of_labels(ball(40))
    empty = next(n for n in range(100) if not PatchSet([head], n, 1, 16).patch(0).truth.any())
    network = build_network({"channels": [2, 4], "images": 1, "bottom": 1})
    assert len(scored(network, PatchSet([head], empty, 1, 16), "cpu")) == 0


# -- the job --


def test_a_training_gives_a_network_its_curve_and_scores(quick: TrainedNetwork) -> None:
    assert quick.design == {"channels": [2, 4], "images": 1, "bottom": 2, "normalised": False}
    network = build_network(quick.design)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in quick.state().items()})
    assert all(array.dtype == np.float16 for array in quick.weights.values())
    history = quick.history.columns
    assert history["epoch"] == [1]
    assert history["steps"] == [2]
    assert 0 <= history["average_precision"][0] <= 1
    made = quick.provenance
    assert made.options["steps"] == 2
    assert made.inputs["heads"] == ["ball.nii.gz"]
    assert any("the same head" in note for note in made.notes)
    assert "2 generated patches of 16 mm in parts of 1 label map of heads" in quick.training_data


def test_the_same_seed_gives_the_same_network(quick: TrainedNetwork) -> None:
    options = dict(TRAIN_QUICK)
    again = train(TrainOptions(**{**options, "workers": 1}), **train_inputs())
    other = train(TrainOptions(**{**options, "seed": 1}), **train_inputs())
    assert same_weights(again, quick)
    assert not same_weights(other, quick)


def test_its_folder_is_a_model_that_the_engine_opens(quick: TrainedNetwork, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    folder = quick.save(tmp_path / "models" / "example")
    assert {path.name for path in folder.iterdir()} == {CARD, WEIGHTS, "history.csv", "scores.csv", "result.json"}
    (model,) = (model for model in ModelStore(tmp_path / "models").list("pvs") if not model.shipped)
    assert model.card.extra["kind"] == "unet"
    with opened(folder) as networks:
        assert networks.images == ("t1",)
        assert networks.intensity == "shivai_1.3"
        assert networks.takes_t2
        assert networks.folds == (0,)
    again = TrainedNetwork.load(folder)
    assert same_weights(again, quick)
    assert again.card().to_json() == model.card.to_json()


def test_a_card_tells_no_paths(tmp_path: Path, quick: TrainedNetwork) -> None:
    (tmp_path / "secret").mkdir()
    start = quick.save(tmp_path / "secret" / "example")
    network = a_training(steps=2, start=str(start), checkpoint=str(tmp_path / "secret" / "state.pt"))
    assert "secret" not in network.card().to_json()
    assert network.provenance.inputs["start_sha256"] == TrainedNetwork.load(start).provenance.weights_sha256


def test_a_damaged_or_foreign_model_is_refused(quick: TrainedNetwork, tmp_path: Path) -> None:
    folder = quick.save(tmp_path / "example")
    card = json.loads((folder / CARD).read_text())
    for change, words in (
        ({"kind": "graph"}, "no network"),
        ({"design": 3}, "no design"),
        ({"provenance": {}}, "made"),
    ):
        (folder / CARD).write_text(json.dumps({**card, "extra": {**card["extra"], **change}}))
        with pytest.raises(WeightsError, match=words):
            TrainedNetwork.load(folder)
    (folder / CARD).write_text(json.dumps(card))
    weights = bytearray((folder / WEIGHTS).read_bytes())
    weights[-1] ^= 255
    (folder / WEIGHTS).write_bytes(weights)
    with pytest.raises(WeightsError, match="damaged"):
        TrainedNetwork.load(folder)


def test_a_training_goes_on_from_another_network(quick: TrainedNetwork, tmp_path: Path) -> None:
    folder = quick.save(tmp_path / "example")
    network = a_training(steps=1, start=str(folder), learning_rate=1e-8, half_weights=False)
    near = [np.abs(network.state()[name] - array).max() for name, array in quick.state().items()]
    assert max(near) < 1e-5
    assert network.training_data.endswith(f"Before that, as example: {quick.training_data}")
    with pytest.raises(InputError, match=r"has \[2, 4\] channels"):
        a_training(start=str(folder), channels=(2, 5))


def test_bad_settings_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="steps"):
        train(TrainOptions(steps=0))
    with pytest.raises(InputError, match="name"):
        train(TrainOptions(name="../network"))
    with pytest.raises(InputError, match="no heads"):
        train(TrainOptions(heads=0))


# -- stopped, killed, and gone on --


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = tmp_path / "state.pt"
    command = [sys.executable, killed_job.__file__, str(train_inputs()["labels"]), str(checkpoint)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=ROOT
    )
    try:
        assert process.stdout.readline() == "in the middle\n"
    finally:
        process.kill()
        process.wait()
    assert checkpoint.exists()
    monkeypatch.setattr(train_pvs_run, "STEPS_PER_EPOCH", killed_job.STEPS_PER_EPOCH)
    whole = a_training()
    resumed = a_training(checkpoint=str(checkpoint))
    assert same_weights(resumed, whole)
    columns = ("epoch", "steps", "loss", "average_precision", "learning_rate")
    assert all(resumed.history.columns[name] == whole.history.columns[name] for name in columns)
    assert resumed.history.columns["steps"] == [2, 4, 6]
    with pytest.raises(InputError, match="seed"):
        a_training(checkpoint=str(checkpoint), seed=4)


def test_a_training_whose_time_is_over_gives_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_pvs_run, "STEPS_PER_EPOCH", 2)
    monkeypatch.setattr("DeepMRILib.train_run.REPORT_SECONDS", 0.0)
    clock = {"now": 0.0}
    monkeypatch.setattr(train_pvs_run, "now", lambda: clock["now"])

    def late(fraction: float, message: str) -> None:
        if message.startswith("Epoch 3"):
            clock["now"] = 7200.0

    options = TrainOptions(**{**killed_job.SETTINGS, "steps": 20, "hours": 1.0})
    network = train(options, **train_inputs(), progress=late)
    assert network.history.columns["steps"] == [2, 4]
    assert "stopped after 4 of 20 steps" in network.provenance.notes[0]


def test_too_little_time_for_an_epoch_is_told() -> None:
    with pytest.raises(InputError, match="Give it more time"):
        a_training(hours=1e-6)


def test_a_cancelled_training_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = train_inputs()["labels"]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def stop(fraction: float, message: str) -> None:
        if message.startswith("Epoch"):
            raise Cancelled

    with pytest.raises(Cancelled):
        train(TrainOptions(**killed_job.SETTINGS), labels=labels, progress=stop)
    assert list(tmp_path.iterdir()) == []


# -- the network that is shipped --


def test_the_shipped_network_finds_more_than_the_filter() -> None:
    shipped = TrainedNetwork.load("pvs-small")
    network = build_network(shipped.design)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in shipped.state().items()})
    patches = PatchSet([Anatomy.of_labels(ball(64))], first=77, count=6, edge=32)
    found = {(row[0], row[1]): row[2] for row in scored(network, patches, "cpu").rows}
    where = "tissue that has spaces"
    assert found["network", where] > found["Jerman's filter", where] + 0.1
    assert found["network", "everywhere"] > 0.4


def test_the_shipped_card_says_what_it_is_and_where_it_ends() -> None:
    card = ModelStore().find("pvs-small", "pvs").card
    assert card.licence == "Apache-2.0"
    assert "train_pvs_small.py" in card.source
    assert "generated patches" in card.training_data
    notes = " ".join(card.extra["provenance"]["notes"])
    assert "not known" in notes
    assert any(name.startswith("average_precision, network") for name in card.metrics)
