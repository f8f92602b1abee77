"""Networks on a brain: the mean of the folds, what goes in, and what is said when that is not possible."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, DeviceMemoryError, InputError, WeightsError
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import ModelStore
from DeepMRILib.progress import silent

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
from interactive_network import one_thread
from pvs_networks import BOX, a_graph, a_model, a_problem

from DeepMRILib.pvs import network_folds
from DeepMRILib.pvs.engine import Answer, Problem
from DeepMRILib.pvs.importer.graph import Graph
from DeepMRILib.pvs.importer.network_graph import GraphNetwork
from DeepMRILib.pvs.intensity import prepared
from DeepMRILib.pvs.network_engine import segment_by_network
from DeepMRILib.pvs.network_folds import Running, mean_of_folds
from DeepMRILib.pvs.network_memory import forecast
from DeepMRILib.pvs.network_unet import build_network
from DeepMRILib.pvs.opened import SHIPPED, opened

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
DESIGN = {"channels": [4, 6], "images": 1, "bottom": 1}


def answer(problem: Problem, model: Path | str | None) -> Answer:
    return segment_by_network(problem, silent, model=model)


def by_hand(graph: Graph, *images: np.ndarray) -> np.ndarray:
    """What a graph gives, without any code of the engine."""
    with torch.inference_mode():
        found = GraphNetwork(graph)(torch.from_numpy(np.stack(images, axis=-1))[None])
    return found.numpy()[0].astype(np.float64)


def a_unet(name: str = "ours", folds: int = 2, design: dict[str, Any] = DESIGN, **extra: Any) -> str:
    """A network of ours with random weights in the store."""
    weights = {}
    for fold in range(folds):
        torch.manual_seed(fold)
        network = build_network(design)
        for parameter in network.parameters():  # as it begins, it hardly looks at the image
            torch.nn.init.normal_(parameter, std=0.3)
        weights |= {f"fold{fold}.{key}": value for key, value in network.state_dict().items()}
    card = ModelCard(
        name, "pvs", "1", "Apache-2.0", "this project",
        preprocessing={"images": ["t1"], "intensity": "shivai_1.3"},
        extra={"kind": "unet", "design": design, "folds": list(range(folds)), **extra},
    )  # fmt: skip
    ModelStore().save(card, weights)
    return name


def test_the_answer_is_the_mean_of_the_folds(tmp_path: Path) -> None:
    graphs = [a_graph(seed) for seed in range(3)]
    folder = a_model(graphs).save(tmp_path / "model")
    problem = a_problem("t1")
    found = answer(problem, folder)
    image = prepared(problem, "t1", "shivai_1.3")
    folds = [by_hand(graph, image)[..., 0] for graph in graphs]
    expected = np.mean([np.where(fold < 0.001, 0, fold) for fold in folds], axis=0) * problem.brain
    assert np.abs(found.probability - expected).max() < 1e-7
    assert np.ptp(found.probability[problem.brain]) > 0.1
    assert found.probability.dtype == np.float32
    assert found.device == "cpu"
    assert found.weights_sha256 == json.loads((folder / "model.json").read_text())["sha256"]
    assert found.engine == "network small, mean of 3 folds"
    assert found.notes == ()


def test_the_image_outside_the_brain_goes_in_unless_the_model_says_otherwise(tmp_path: Path) -> None:
    graph = a_graph(1)
    problem = a_problem("t1")
    image = prepared(problem, "t1", "shivai_1.3")
    whole, masked = by_hand(graph, image)[..., 0], by_hand(graph, image * problem.brain)[..., 0]
    assert not np.allclose(whole[problem.brain], masked[problem.brain])
    folder = a_model([graph]).save(tmp_path / "model")
    assert np.allclose(answer(problem, folder).probability, np.where(whole < 0.001, 0, whole) * problem.brain)
    card = json.loads((folder / "model.json").read_text())
    card["preprocessing"]["masked_input"] = True
    (folder / "model.json").write_text(json.dumps(card))
    assert np.allclose(answer(problem, folder).probability, np.where(masked < 0.001, 0, masked) * problem.brain)


def test_faint_probabilities_count_as_none_in_each_fold(tmp_path: Path) -> None:
    graph = a_graph(0)
    faint = replace(graph, weights={**graph.weights, "head/bias": np.float32([-40.0])})
    found = answer(a_problem("t1"), a_model([faint]).save(tmp_path / "model")).probability
    assert not found.any()


def test_one_fold_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import weakref

    folder = a_model([a_graph(seed) for seed in range(4)]).save(tmp_path / "model")
    alive: list[Any] = []
    counts = []
    build = network_folds.GraphNetwork

    def counted(graph: Graph) -> torch.nn.Module:
        counts.append(sum(one() is not None for one in alive))
        network = build(graph)
        alive.extend((weakref.ref(network), weakref.ref(graph)))
        return network

    monkeypatch.setattr(network_folds, "GraphNetwork", counted)
    answer(a_problem("t1"), folder)
    assert counts == [0, 0, 0, 0]


def test_only_the_weights_of_one_fold_are_read(tmp_path: Path) -> None:
    import tracemalloc

    graphs = [a_graph(seed) for seed in range(5)]
    big = [replace(g, weights={**g.weights, "unused": np.zeros(2**20, np.float32)}) for g in graphs]
    folder = a_model(big).save(tmp_path / "model")
    network_folds.read_fold(folder / "model.safetensors", 0)
    tracemalloc.start()
    weights = network_folds.read_fold(folder / "model.safetensors", 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(weights["conv/kernel"], graphs[3].weights["conv/kernel"])
    assert peak < 10 * 2**20  # of 20 MiB


def test_both_images_go_in_in_the_order_of_the_network(tmp_path: Path) -> None:
    graph = a_graph(2, channels=2)
    problem = a_problem("t1", "flair")
    t1, flair = (prepared(problem, name, "p99_to_1") for name in ("t1", "flair"))
    for images, given in ((("t1", "flair"), (t1, flair)), (("flair", "t1"), (flair, t1))):
        folder = a_model([graph], images, intensity="p99_to_1").save(tmp_path / images[0])
        expected = by_hand(graph, *given)[..., 0]
        assert np.allclose(
            answer(problem, folder).probability, np.where(expected < 0.001, 0, expected) * problem.brain, atol=1e-6
        )
    with pytest.raises(InputError, match="The network small takes T1 and FLAIR, and T1 was given. Give the FLAIR too"):
        answer(a_problem("t1"), tmp_path / "t1")
    with pytest.raises(InputError, match="takes T1 and FLAIR, and T2 was given. Give what it takes"):
        answer(a_problem("t2"), tmp_path / "t1")


def test_an_image_that_is_not_used_is_told(tmp_path: Path) -> None:
    folder = a_model([a_graph()]).save(tmp_path / "model")
    both, one = answer(a_problem("t1", "flair"), folder), answer(a_problem("t1"), folder)
    assert both.notes == ("The FLAIR was not used: the network small takes T1 alone.",)
    assert np.array_equal(both.probability, one.probability)


def test_a_t2_goes_inverted_into_a_network_that_can_take_it(tmp_path: Path) -> None:
    graph = a_graph(3)
    problem = a_problem("t2")
    with pytest.raises(InputError, match="made for a T1, and a T2 was given.*SHIVA PVS v2 or later"):
        answer(problem, a_model([graph]).save(tmp_path / "t1 only"))
    found = answer(problem, a_model([graph], takes_t2=True).save(tmp_path / "both"))
    expected = by_hand(graph, prepared(problem, "t2", "shivai_1.3"))[..., 0]
    assert np.allclose(found.probability, np.where(expected < 0.001, 0, expected) * problem.brain, atol=1e-6)
    assert found.notes == ("The network small was made for a T1 and looked at the T2, inverted inside the brain.",)


def test_a_network_for_a_t2_gets_it_as_it_is(tmp_path: Path) -> None:
    graph = a_graph(3)
    problem = a_problem("t2")
    inverted = prepared(problem, "t2", "shivai_1.3")
    expected = by_hand(graph, np.where(problem.brain, 1 - inverted, inverted).astype(np.float32))[..., 0]
    found = answer(problem, a_model([graph], ("t2",)).save(tmp_path / "model"))
    assert np.allclose(found.probability, np.where(expected < 0.001, 0, expected) * problem.brain, atol=1e-6)
    with pytest.raises(InputError, match="takes T2, and T1 was given"):
        answer(a_problem("t1"), tmp_path / "model")


def test_another_brightness_rule_is_used_and_told(tmp_path: Path) -> None:
    graph = a_graph(4)
    problem = a_problem("t1", intensity="p99_to_1")
    found = answer(problem, a_model([graph]).save(tmp_path / "model"))
    expected = by_hand(graph, prepared(problem, "t1", "p99_to_1"))[..., 0]
    assert np.allclose(found.probability, np.where(expected < 0.001, 0, expected) * problem.brain, atol=1e-6)
    assert found.notes == ("Brightness was scaled by p99_to_1 as was asked; the network expects shivai_1.3.",)


def test_of_several_classes_all_but_the_first_are_spaces(tmp_path: Path) -> None:
    graph = a_graph(5, classes=3)
    problem = a_problem("t1")
    found = answer(problem, a_model([graph], classes=3).save(tmp_path / "model"))
    classes = by_hand(graph, prepared(problem, "t1", "shivai_1.3"))
    expected = classes[..., 1] + classes[..., 2]
    assert np.allclose(found.probability, np.where(expected < 0.001, 0, expected) * problem.brain, atol=1e-6)


def test_folds_of_different_designs_are_each_built_as_they_are(tmp_path: Path) -> None:
    graphs = [a_graph(0), a_graph(1, names="second/")]
    networks = a_model(graphs)
    assert len(networks.structures) == 2
    problem = a_problem("t1")
    found = answer(problem, networks.save(tmp_path / "model")).probability
    image = prepared(problem, "t1", "shivai_1.3")
    folds = [by_hand(graph, image)[..., 0] for graph in graphs]
    expected = np.mean([np.where(fold < 0.001, 0, fold) for fold in folds], axis=0) * problem.brain
    assert np.abs(found - expected).max() < 1e-7


def broken(graph: Graph, value: float) -> Graph:
    return replace(graph, weights={**graph.weights, "head/bias": np.float32([value])})


def test_a_fold_without_finite_numbers_is_named(tmp_path: Path) -> None:
    folder = a_model([a_graph(0), broken(a_graph(1), np.nan), a_graph(2)]).save(tmp_path / "model")
    with pytest.raises(WeightsError, match="Fold 2 of 3 of small gives no finite numbers"):
        answer(a_problem("t1"), folder)


def test_numbers_that_are_not_finite_in_32_bits_either_are_told(tmp_path: Path) -> None:
    folder = a_model([broken(a_graph(1), np.nan)]).save(tmp_path / "model")
    images = prepared(a_problem("t1"), "t1", "shivai_1.3")[None]
    with opened(folder, box=BOX) as networks, pytest.raises(WeightsError, match="Fold 1 of 1 of small gives no finite"):
        mean_of_folds(networks, images, Running("cpu", half=True), silent)


def test_a_fold_that_gives_no_probabilities_is_named(tmp_path: Path) -> None:
    graph = a_graph(0)
    linear = replace(graph, steps=(*graph.steps[:-1], replace(graph.steps[-1], op="identity")))
    folder = a_model([graph, broken(linear, 50.0)]).save(tmp_path / "model")
    with pytest.raises(WeightsError, match="Fold 2 of 2 of small gives values from .* which are no probabilities"):
        answer(a_problem("t1"), folder)


def test_a_fold_whose_layers_do_not_fit_is_named(tmp_path: Path) -> None:
    graph = a_graph(0)
    wrong = replace(graph, weights={**graph.weights, "head/kernel": np.zeros((1, 5, 1, 1, 1), np.float32)})
    folder = a_model([graph, wrong]).save(tmp_path / "model")
    with pytest.raises(WeightsError, match="Fold 2 of 2 of small cannot be run"):
        answer(a_problem("t1"), folder)


def test_a_fold_that_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    folder = a_model([a_graph(0), a_graph(1)]).save(tmp_path / "model")
    card = json.loads((folder / "model.json").read_text())
    card["extra"]["folds"] = [0, 7]
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="There is no fold 7 in .*model.safetensors"):
        answer(a_problem("t1"), folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-3] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(WeightsError, match="The weights of model small are damaged"):
        answer(a_problem("t1"), folder)


def test_sixteen_bits_that_overflow_are_computed_again_in_thirty_two(tmp_path: Path) -> None:
    graph = a_graph(0)
    large = replace(graph, weights={**graph.weights, "conv/kernel": graph.weights["conv/kernel"] * 1e5,
                                    "head/kernel": graph.weights["head/kernel"] * 1e-5})  # fmt: skip
    folder = a_model([large]).save(tmp_path / "model")
    images = prepared(a_problem("t1"), "t1", "shivai_1.3")[None]
    with opened(folder, box=BOX) as networks:
        exact, silent_notes = mean_of_folds(networks, images, Running("cpu", half=False), silent)
        again, notes = mean_of_folds(networks, images, Running("cpu", half=True), silent)
    assert silent_notes == ()
    assert notes == ("Fold 1 of 1 gave no finite numbers in 16 bits and was computed in 32.",)
    assert np.array_equal(exact, again)


def test_sixteen_bits_differ_in_the_third_digit(tmp_path: Path) -> None:
    folder = a_model([a_graph(0)]).save(tmp_path / "model")
    images = prepared(a_problem("t1"), "t1", "shivai_1.3")[None]
    with opened(folder, box=BOX) as networks:
        exact, _ = mean_of_folds(networks, images, Running("cpu", half=False), silent)
        rounded, notes = mean_of_folds(networks, images, Running("cpu", half=True), silent)
    assert notes == ()
    assert 0 < np.abs(exact - rounded).max() < 5e-3


def test_too_little_memory_is_told_before_it_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_model([a_graph(0), a_graph(1)]).save(tmp_path / "model")
    monkeypatch.setattr("DeepMRILib.device.free_memory", lambda device: 10_000)
    with pytest.raises(DeviceMemoryError, match=r"Fold 1 of 2 of small needs more memory .* needed, 9.8 KiB free"):
        answer(a_problem("t1"), folder)


def test_the_forecast_counts_what_is_alive_at_one_time() -> None:
    ahead = forecast(GraphNetwork(a_graph(0)), (1, *BOX, 1))
    voxels = 4 * int(np.prod(BOX))
    assert ahead.largest == 4 * voxels  # four channels
    assert 8 * voxels <= ahead.activations <= 10 * voxels  # two of these at a time
    assert ahead.weights == 4 * (4 * 27 + 4 + 1)


def test_a_run_can_be_stopped_between_layers_and_tells_the_fold(tmp_path: Path) -> None:
    folder = a_model([a_graph(0), a_graph(1)]).save(tmp_path / "model")
    told: list[tuple[float, str]] = []
    segment_by_network(a_problem("t1"), lambda fraction, text: told.append((fraction, text)), model=folder)
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert list(dict.fromkeys(text for _, text in told)) == [
        "Reading the network", "Fold 1 of 2", "Fold 2 of 2", "Segmented",
    ]  # fmt: skip
    assert sum(text == "Fold 2 of 2" for _, text in told) > 4

    def stop(fraction: float, text: str) -> None:
        if 0.7 < fraction < 0.9:
            raise Cancelled

    with pytest.raises(Cancelled):
        segment_by_network(a_problem("t1"), stop, model=folder)


def test_a_network_of_ours_sees_the_brain_with_a_margin() -> None:
    name = a_unet()
    problem = a_problem("t1", box=(60, 30, 30))
    problem.brain[:] = False
    problem.brain[30:40, 5:25, 5:25] = True
    found = answer(problem, name)
    image = prepared(problem, "t1", "shivai_1.3")[14:56]
    folds = []
    for fold in range(2):
        network = build_network(DESIGN)
        weights = ModelStore().load_weights(name, "pvs", "torch")
        network.load_state_dict({k.removeprefix(f"fold{fold}."): v for k, v in weights.items() if f"fold{fold}." in k})
        with torch.inference_mode():
            folds.append(network.eval()(torch.from_numpy(image)[None, None])[0, 0].double().numpy())
    expected = np.mean([np.where(fold < 0.001, 0, fold) for fold in folds], axis=0)
    assert np.abs(found.probability[14:56] - expected * problem.brain[14:56]).max() < 1e-6
    assert not found.probability[~problem.brain].any()
    assert found.engine == "network ours, mean of 2 folds"


def test_flips_are_of_the_left_and_right_and_for_ours_alone(tmp_path: Path) -> None:
    name = a_unet(folds=1)
    problem, mirrored = a_problem("t1"), a_problem("t1")
    mirrored.images["t1"][:] = problem.images["t1"][::-1]
    plain = answer(problem, name).probability
    back = answer(mirrored, name).probability[::-1]  # the brain of the test is symmetric from left to right
    flipped = answer(a_problem("t1", flips=True), name)
    assert not np.allclose(plain, back)
    assert np.allclose(flipped.probability, (plain + back) / 2, atol=2e-3)
    assert flipped.engine == "network ours, one network, mean with the mirrored image"
    folder = a_model([a_graph()]).save(tmp_path / "model")
    assert np.array_equal(
        answer(a_problem("t1", flips=True), folder).probability, answer(a_problem("t1"), folder).probability
    )


def test_the_shipped_network_takes_a_t2() -> None:
    found = answer(a_problem("t2"), None)
    assert found.notes == (f"The network {SHIPPED} was made for a T1 and looked at the T2, inverted inside the brain.",)
    assert found.engine == f"network {SHIPPED}, one network"


def test_a_copy_without_a_shipped_network_says_where_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = functools.partial(ModelStore, library=tmp_path)
    monkeypatch.setattr("DeepMRILib.pvs.opened.ModelStore", without)
    with pytest.raises(InputError, match=f"none of its own .{SHIPPED}.*deepmri pvs models"):
        answer(a_problem("t1"), None)


def test_models_that_cannot_be_used_are_refused_in_a_sentence(tmp_path: Path) -> None:
    problem = a_problem("t1")
    with pytest.raises(WeightsError, match="There is no model 'nothing'"):
        answer(problem, "nothing")
    with pytest.raises(WeightsError, match="There is no model in"):
        answer(problem, tmp_path / "nothing")
    folder = a_model([a_graph()]).save(tmp_path / "model")
    text = (folder / "model.json").read_text()
    for path, value, fault in (
        (("extra", "kind"), "forest", "its kind is 'forest'"),
        (("extra", "format"), 2, "written in format 2"),
        (("extra", "folds"), [], "its folds are"),
        (("extra", "folds"), [0, 0], "its folds are"),
        (("extra", "folds"), "0", "no list"),
        (("extra", "structures"), ["{"], "does not say how fold 0 is built"),
        (("extra", "structures"), [], "does not say how fold 0 is built"),
        (("extra", "structure_of"), None, "does not say how fold 0 is built"),
        (("preprocessing", "images"), ["pet"], "its images are"),
        (("preprocessing", "intensity"), "none", "its intensity is 'none'"),
    ):
        card = json.loads(text)
        card[path[0]][path[1]] = value
        (folder / "model.json").write_text(json.dumps(card))
        with pytest.raises(WeightsError, match=fault):
            answer(problem, folder)


def test_a_design_that_the_weights_do_not_fit_is_refused() -> None:
    a_unet("wrong", folds=1, design=DESIGN)
    folder = ModelStore().find("wrong").folder
    text = (folder / "model.json").read_text()
    for design, fault in (({**DESIGN, "channels": [4, 8]}, "do not fit its design"), ("small", "has no design"),
                          ({"channels": 3}, "do not fit its design")):  # fmt: skip
        card = json.loads(text)
        card["extra"]["design"] = design
        (folder / "model.json").write_text(json.dumps(card))
        with pytest.raises(WeightsError, match=fault):
            answer(a_problem("t1"), "wrong")


def test_a_network_for_another_box_is_refused(tmp_path: Path) -> None:
    folder = a_model([a_graph(box=(16, 16, 16))]).save(tmp_path / "model")
    with pytest.raises(WeightsError, match="takes an input of shape .*16, 16, 16.*12, 14, 10.* is what it is given"):
        answer(a_problem("t1"), folder)
