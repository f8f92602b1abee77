"""Adapting networks to a pattern: it helps there, leaves what was given as it is, and says what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("safetensors")

from DeepMRILib import igs
from DeepMRILib.igs import Encoding, FinetuneOptions, Pattern, SliceDataset, TrainedNetwork, TrainOptions
from DeepMRILib.igs.example_training import finetune_inputs, model_folder, network, pattern, rings
from DeepMRILib.igs.finetuning import masks_of
from DeepMRILib.igs.network_predict import predict
from DeepMRILib.igs.report_training import train_report
from DeepMRILib.igs.train_igs import under_mask

pytestmark = pytest.mark.torch
OPTIONS = FinetuneOptions(device="cpu", part="all", epochs=2)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The same bits on a busy computer, and no waiting for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(module: torch.nn.Module) -> list[torch.Tensor]:
    return [value.clone() for value in module.state_dict().values()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(*pair) for pair in zip(one, other, strict=True))


def dice_of(module: torch.nn.Module, dataset: SliceDataset, mask: np.ndarray) -> float:
    images, targets = under_mask(dataset, mask.reshape(1, -1), Encoding.of(dataset.images.shape, -1))
    nothing, one = np.zeros((len(images), 1)), np.ones((len(images), 1))
    found = predict(module, images, nothing, one).argmax(axis=1)
    return float(2 * ((found > 0) & (targets > 0)).sum() / ((found > 0).sum() + (targets > 0).sum()))


def test_a_network_gets_better_where_it_is_adapted_and_the_one_given_stays() -> None:
    shown, unseen = rings(24), rings(24, seed=9)
    plain = igs.train_network(
        shown, TrainOptions(masks="none", epochs=12, channels=(8, 16), batch=8, device="cpu")
    ).requires_grad_(False)
    before = weights(plain)
    mask = pattern().mask(lines=4)
    tuned = igs.finetune(plain, shown, mask, replace(OPTIONS, epochs=6, batch=8))
    assert same(weights(plain), before)
    assert not any(parameter.requires_grad for parameter in plain.parameters())
    assert not tuned.training
    assert dice_of(tuned, unseen, mask) > dice_of(plain, unseen, mask) + 0.03


def test_the_same_seed_gives_the_same_weights_and_a_pattern_is_its_mask() -> None:
    by_pattern = igs.finetune(network(), rings(), pattern(), replace(OPTIONS, lines=4))
    by_mask = igs.finetune(network(), rings(), pattern().mask(lines=4), OPTIONS)
    all_lines = igs.finetune(network(), rings(), pattern(), OPTIONS)
    assert same(weights(by_pattern), weights(by_mask))
    assert not same(weights(by_pattern), weights(all_lines))


def test_what_does_not_help_is_not_kept() -> None:
    module = network().module()
    found = igs.finetune(module, rings(), pattern(), replace(OPTIONS, epochs=1, learning_rate=1.0, batch=2))
    assert same(weights(found), weights(module))
    made = igs.finetune_job(network(), rings(), pattern(), replace(OPTIONS, epochs=1, learning_rate=1.0, batch=2))
    assert made.provenance.inputs["best_epoch"] == 0
    assert any("kept" in note for note in made.provenance.notes)


def test_scripted_networks_can_be_adapted_from_python(tmp_path: Path) -> None:
    path = tmp_path / "foreign.ts"
    torch.jit.script(torch.nn.Conv2d(1, 3, 3, padding=1)).save(str(path))
    with pytest.raises(InputError, match="--trust"):
        igs.finetune(path, rings(), pattern(), OPTIONS)
    found = igs.finetune(path, rings(), pattern(), replace(OPTIONS, trust=True))
    assert found(torch.zeros(1, 1, 32, 32)).shape == (1, 3, 32, 32)
    with pytest.raises(InputError, match="only networks that igs train made"):
        igs.finetune_job(path, rings(), pattern(), OPTIONS)


def test_points_and_masks_of_contrasts_find_their_axes() -> None:
    two = SliceDataset(np.ones((2, 2, 8, 6)), np.zeros((2, 8, 6), int))
    for shape, axes, masks in (
        ((6,), (-1,), (1, 6)),
        ((8,), (-2,), (1, 8)),
        ((2, 6), (-1,), (2, 6)),
        ((8, 6), (-2, -1), (1, 8, 6)),
        ((2, 8, 6), (-2, -1), (2, 8, 6)),
    ):
        found, encoding = masks_of(np.ones(shape), two, OPTIONS, None)
        assert encoding.axes == axes
        assert found.shape == masks
    found, encoding = masks_of(np.ones(6), two, OPTIONS, Encoding.of((1, 1, 8, 6), -1))
    assert (found.shape, encoding.axes) == ((1, 6), (-1,))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.ones(7), "does not fit images"),
        (np.ones((3, 6)), "does not fit images"),
        (np.zeros(6), "acquires nothing"),
        (Pattern(((4,),), (9,), (-1,)), "for 9 lines along the axis -1, and the slices have 6"),
        (Pattern(((4,), (3,), (4,)), (6,), (-1,)), "for 3 contrasts, and the images have 2"),
        (Pattern(((4,),), (9,), (-3,)), "for volumes"),
    ],
)
def test_a_pattern_for_other_images_is_refused(given: Any, words: str) -> None:
    two = SliceDataset(np.ones((2, 2, 8, 6)), np.zeros((2, 8, 6), int))
    with pytest.raises(InputError, match=words):
        masks_of(given, two, OPTIONS, None)


def test_more_lines_than_the_pattern_has_are_refused() -> None:
    with pytest.raises(InputError, match="20 lines were asked for"):
        igs.finetune(network(), rings(), pattern(), replace(OPTIONS, lines=20))


def test_the_job_compares_before_and_after_and_gives_a_model(tmp_path: Path) -> None:
    inputs = finetune_inputs()
    saved = inputs["pattern"].save(tmp_path / "pattern.json")
    needed = (inputs["network"], inputs["data"], saved)
    found = igs.finetune_job(*needed, replace(OPTIONS, epochs=1), labels=inputs["labels"])
    rows = {row[:2]: row[2:] for row in found.scores.rows}
    assert set(rows) == {
        ("network before", "full"), ("network before", "pattern"), ("network", "full"), ("network", "pattern"),
        ("background", "none"),
    }  # fmt: skip
    assert rows["network", "pattern"][0] == 8
    assert found.training_data.endswith(f"Before that, as example: {network().training_data}")
    assert found.provenance.inputs["start_sha256"] == TrainedNetwork.load(model_folder()).provenance.weights_sha256
    again = TrainedNetwork.load(found.save(tmp_path / "model"))
    assert same(weights(again.module()), weights(found.module()))
    assert str(tmp_path) not in again.card().to_json()


def test_the_network_must_be_for_the_data() -> None:
    with pytest.raises(InputError, match="takes 1 contrasts, and the data have 2"):
        igs.finetune(network(), SliceDataset(np.ones((4, 2, 32, 32)), rings(4).targets), pattern(), OPTIONS)
    with pytest.raises(WeightsError, match="no model"):
        igs.finetune_job("no_such_network", rings(), pattern(), OPTIONS)


def test_a_cancelled_adaptation_leaves_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    module = network().module()
    before = weights(module)

    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        igs.finetune(module, rings(), pattern(), OPTIONS, progress=stop)
    assert same(weights(module), before)
    assert not list(tmp_path.iterdir())


def test_the_report_shows_curve_scores_and_notes() -> None:
    page = train_report(network()).html()
    for words in ("example", "ring, cavity", "x8, centre", "background", "simulated from magnitude", "too good"):
        assert words in page
    assert page.count("<figure>") == 1
