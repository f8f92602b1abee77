"""Training task networks: random masks, what they bring, same seed same weights, the model's folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("safetensors")

from DeepMRILib import igs
from DeepMRILib.igs import Encoding, SliceDataset, TrainedNetwork, TrainOptions
from DeepMRILib.igs.blocks import block_mask
from DeepMRILib.igs.example_training import NAMES, network, rings, train_inputs
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.network_predict import normalised, predict
from DeepMRILib.igs.train_igs import split
from DeepMRILib.igs.train_igs_masks import MaskedSlices, MaskMix, Undersampler
from DeepMRILib.model_store import CARD, WEIGHTS, ModelStore

pytestmark = pytest.mark.torch
SMALL = {"epochs": 1, "channels": (4, 8), "device": "cpu", "part": "all"}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The same bits on a busy computer, and no waiting for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    """Bit by bit."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def dice_at(module: torch.nn.Module, dataset: SliceDataset, lines: int) -> float:
    """Mean Dice of all slices together through the centre."""
    encoding = Encoding.of(dataset.images.shape, -1)
    seen = measured(dataset, block_mask(encoding, lines)[None], encoding)
    found = predict(module, seen, *dataset.normalisation()).argmax(axis=1)
    pairs = [(found == label, dataset.targets == label) for label in (1, 2)]
    return float(np.mean([2 * (one & other).sum() / (one.sum() + other.sum()) for one, other in pairs]))


def complex_slices(n: int = 6) -> SliceDataset:
    """Slices with coils and phase, of odd sizes."""
    random = np.random.default_rng(3)
    coils = random.standard_normal((n, 1, 3, 17, 14)) + 1j * random.standard_normal((n, 1, 3, 17, 14))
    images = np.sqrt((np.abs(coils) ** 2).sum(axis=2))
    return SliceDataset(images, np.arange(n) % 2, coil_images=coils)


# -- masks --


@pytest.mark.parametrize("encoding", [Encoding((-1,), (64,)), Encoding((-2, -1), (24, 20))])
def test_random_masks_keep_dc_and_the_range_of_accelerations(encoding: Encoding) -> None:
    mix = MaskMix(encoding, full=0.3, highest=16)
    drawn = [mix.draw(np.random.default_rng([0, number])) for number in range(400)]
    full = sum(mask is None for mask in drawn) / len(drawn)
    assert 0.2 < full < 0.4
    masks = np.stack([mask.ravel() for mask in drawn if mask is not None])
    assert masks[:, encoding.centre].all()
    lines = masks.sum(axis=1)
    assert round(encoding.size / 16) <= lines.min() < encoding.size / 10
    assert encoding.size / 3 < lines.max() <= round(encoding.size / 2)
    # some are the centre, some a block that is not, some are scattered
    if len(encoding.shape) == 1:
        whole = np.array([np.ptp(np.flatnonzero(mask)) + 1 == mask.sum() for mask in masks])
        middle = np.array([np.flatnonzero(mask).mean() - encoding.centre for mask in masks])
        assert 0.3 < whole.mean() < 0.7
        assert 0.1 < (np.abs(middle[whole]) > 1).mean() < 0.7


def test_masks_are_new_in_each_epoch_and_do_not_depend_on_the_batch() -> None:
    data = MaskedSlices(rings(), MaskMix(Encoding.of((1, 1, 32, 32), -1), 0.0, 16))
    data.set_random_state(seed=5)
    together, _ = data.__getitems__([3, 7, 1])
    alone, target = data[7]
    assert torch.equal(together[1], alone)
    assert torch.equal(target, torch.from_numpy(rings().targets[7]))
    data.set_random_state(seed=6)
    assert not torch.equal(data[7][0], alone)


@pytest.mark.parametrize("axes", [(-1, 0), (-2, 0), (-1, -2)])
def test_quick_undersampling_is_that_of_the_measurement(axes: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    for dataset in (complex_slices(), rings(5, 15)):
        encoding = Encoding.of(dataset.images.shape, *axes)
        mask = random.random(encoding.shape) < 0.4
        rows = np.array([4, 0, 3])
        found = Undersampler(dataset, encoding).seen(rows, [mask, None, mask])
        mean, std = dataset.normalisation()
        wanted = normalised(measured(dataset, mask[None], encoding), mean, std)[rows]
        wanted[1] = normalised(dataset.magnitude(), mean, std)[0]
        np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_training_on_masks_helps_undersampled_images() -> None:
    shown, unseen = rings(32, 48), rings(24, 48, seed=9)
    common = {"epochs": 12, "channels": (8, 16, 32), "batch": 8, "device": "cpu"}
    masked, plain = (igs.train_network(shown, TrainOptions(masks=masks, **common)) for masks in ("random", "none"))
    at_eight = dice_at(masked, unseen, 6)
    assert at_eight > 0.8
    assert at_eight > dice_at(plain, unseen, 6) + 0.05
    assert dice_at(masked, unseen, 48) > 0.85


# -- the training --


def test_the_same_seed_gives_the_same_weights() -> None:
    first, again = (igs.train_network(rings(), TrainOptions(**SMALL)) for _ in range(2))
    other = igs.train_network(rings(), TrainOptions(**SMALL, seed=1))
    assert same_weights(first, again)
    assert not same_weights(first, other)
    assert not first.training
    assert next(first.parameters()).device.type == "cpu"


def test_classes_of_slices() -> None:
    """Bright and dark halves: which side is bright."""
    random = np.random.default_rng(0)
    targets = np.arange(40) % 2
    images = 0.3 * random.random((40, 1, 24, 20))
    images[targets == 0, :, :, :10] += 1
    images[targets == 1, :, :, 10:] += 1
    found = igs.train(SliceDataset(images, targets), TrainOptions(**{**SMALL, "epochs": 6}))
    assert found.design["kind"] == "resnet"
    scores = {row[:2]: row[3] for row in found.scores.rows}
    assert list(found.scores.columns)[-1] == "accuracy"
    assert scores["network", "full"] > 0.9
    assert scores["most frequent class", "none"] < 0.9


def test_reconstruction_beats_zero_filling() -> None:
    options = TrainOptions(**{**SMALL, "epochs": 12, "batch": 4, "channels": (8, 16)})
    found = igs.train(SliceDataset(rings(32).images), options)
    scores = {row[:2]: row[3] for row in found.scores.rows}
    assert found.labels == {}
    assert scores["network", "x16, centre"] > scores["zero-filled image", "x16, centre"] + 0.3
    assert scores["network", "x16, centre"] > scores["mean image", "none"] + 0.5


def test_volumes_with_contrasts_and_coils_with_phase() -> None:
    random = np.random.default_rng(1)
    volumes = SliceDataset(random.random((3, 2, 5, 12, 10)), random.integers(0, 2, (3, 5, 12, 10)))
    module = igs.train_network(volumes, TrainOptions(**SMALL, axis=-2, second_axis=-3))
    assert module(torch.zeros(1, 2, 5, 12, 10)).shape == (1, 2, 5, 12, 10)
    assert igs.train_network(complex_slices(), TrainOptions(**SMALL)).design["task"] == "classification"


def test_cases_are_held_out_whole() -> None:
    base = rings()
    dataset = SliceDataset(base.images, base.targets, NAMES, cases=np.repeat(["a", "b", "c", "d"], 3))
    shown, held_out = split(dataset, 0.25, seed=0)
    assert len(held_out) == 3
    assert not set(shown.cases) & set(held_out.cases)
    one = SliceDataset(base.images, base.targets, cases=["a"] * 12)
    assert [len(half) for half in split(one, 0.25, seed=0)] == [9, 3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axis": -3}, "axis -3"),
        ({"loss": "l1"}, "l1 does not train a network for segmentation"),
        ({"network": "resnet"}, "resnet is not for segmentation"),
        ({"channels": (8,)}, "2 to 8"),
        ({"epochs": -1}, "epochs"),
        ({"axis": -1, "second_axis": -1}, "two different axes"),
    ],
)
def test_settings_that_do_not_fit_are_refused(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        igs.train_network(rings(), TrainOptions(**{**SMALL, **change}))


def test_data_that_cannot_be_learned_from_are_refused() -> None:
    images = rings().images
    with pytest.raises(InputError, match="one class only"):
        igs.train_network(SliceDataset(images, np.zeros((12, 32, 32), int)), TrainOptions(**SMALL))
    with pytest.raises(InputError, match="one slice only"):
        igs.train_network(rings(1), TrainOptions(**SMALL))
    with pytest.raises(InputError, match="model name"):
        igs.train(rings(), TrainOptions(**SMALL, name="../network"))


def test_a_stopped_training_leaves_nothing_and_goes_on_from_its_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))

    def impatient(fraction: float, message: str) -> None:
        if message.startswith("Epoch 3"):
            raise Cancelled

    options = {**SMALL, "epochs": 4}
    with pytest.raises(Cancelled):
        igs.train(rings(), TrainOptions(**options), progress=impatient)
    assert not list((tmp_path / "temporary").iterdir())
    checkpoint = tmp_path / "state.pt"
    kept = TrainOptions(**options, checkpoint=str(checkpoint))
    with pytest.raises(Cancelled):
        igs.train_network(rings(), kept, progress=impatient)
    assert checkpoint.exists()
    assert same_weights(igs.train_network(rings(), kept), igs.train_network(rings(), TrainOptions(**options)))
    with pytest.raises(InputError, match="data"):
        igs.train_network(rings(seed=1), kept)


# -- the model --


def test_the_job_tells_how_good_the_network_is() -> None:
    found = network()
    assert found.scores.columns["method"] == ["network"] * 4 + ["background"]
    assert found.scores.columns["lines"] == [32, 8, 4, 2, 0]
    assert found.scores.columns["dice"][-1] == 0
    assert found.history.columns["epoch"] == [1, 2]
    assert found.labels == {"1": "ring", "2": "cavity"}
    assert (found.size, found.spacing) == ((32, 32), (2.0, 2.0))
    made = found.provenance
    assert (made.job, made.seed, made.inputs["slices_held_out"]) == ("igs.train", 0, 2)
    assert any("simulated from magnitude" in note for note in made.notes)


def test_an_image_and_its_labels_are_enough() -> None:
    inputs = train_inputs()
    found = igs.train(inputs.pop("data"), TrainOptions(**{**SMALL, "part": "train"}), **inputs)
    assert found.spacing == (2.0, 2.0)
    assert found.design["out"] == 3


def test_a_model_comes_back_to_the_bit(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    folder = network().save(tmp_path / "models" / "example")
    assert {path.name for path in folder.iterdir()} == {CARD, WEIGHTS, "history.csv", "scores.csv", "result.json"}
    (model,) = (model for model in ModelStore(tmp_path / "models").list("igs") if not model.shipped)
    again = TrainedNetwork.load(folder)
    assert again.card().to_json() == model.card.to_json()
    assert same_weights(again.module(), network().module())
    image = torch.randn(2, 1, 33, 30)
    assert torch.equal(again.module()(image), network().module()(image))
    assert again.module().trained_on["labels"] == {"1": "ring", "2": "cavity"}
    ModelStore().add(folder)
    assert same_weights(TrainedNetwork.load("example").module(), again.module())


def test_a_card_tells_no_paths(tmp_path: Path) -> None:
    checkpoint = tmp_path / "secret" / "state.pt"
    checkpoint.parent.mkdir()
    found = igs.train(rings(), TrainOptions(**SMALL, checkpoint=str(checkpoint)))
    assert found.provenance.options["checkpoint"] == str(checkpoint)
    assert "secret" not in found.card().to_json()


def test_a_damaged_or_foreign_model_is_refused(tmp_path: Path) -> None:
    folder = network().save(tmp_path / "example")
    card = json.loads((folder / CARD).read_text())
    design = card["extra"]["design"]
    for change, words in (
        ({"kind": "unet"}, "no task network"),
        ({"format": 2}, "format 2"),
        ({"design": 3}, "no design"),
        ({"design": {}}, "what the network is for"),
        ({"labels": []}, "no labels"),
        ({"labels": {"ring": "1"}}, "labels that are no numbers"),
        ({"provenance": {**card["extra"]["provenance"], "options": 3}}, "made"),
        ({"size": ["x"]}, "no usable size"),
        ({"provenance": {}}, "made"),
        ({"design": {**design, "channels": [4, 4]}}, "do not fit its design"),
        ({"design": {**design, "kind": "x"}}, "do not fit its design"),
    ):
        (folder / CARD).write_text(json.dumps({**card, "extra": {**card["extra"], **change}}))
        with pytest.raises(WeightsError, match=words):
            TrainedNetwork.load(folder).module()
    (folder / CARD).write_text(json.dumps({**card, "method": "ivim"}))
    with pytest.raises(WeightsError, match="for ivim"):
        TrainedNetwork.load(folder)
