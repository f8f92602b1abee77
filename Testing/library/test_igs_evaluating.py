"""Patterns compared case by case: against direct computation, fairly, and with what a reader must know."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib import igs
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.igs import SliceDataset, evaluate, ring_phantom
from DeepMRILib.igs.baselines import baseline
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.evaluation_notes import leak_notes
from DeepMRILib.igs.intervals import mean_interval, paired_interval
from DeepMRILib.igs.measures import auc, dice, hausdorff_95, nmse, psnr, ssim
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.pattern import Pattern, Rung
from DeepMRILib.igs.result import Evaluation
from DeepMRILib.igs.task_network import TaskNetwork

CPU = igs.TestOptions(device="cpu", part="all")
LINES = Encoding((-1,), (32,))


@pytest.fixture(scope="module")
def networks() -> Iterator[Any]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # several threads wait for each other where images are small
    yield pytest.importorskip("igs_networks")
    torch.set_num_threads(before)


def of(result: Evaluation, **wanted: Any) -> list[dict[str, Any]]:
    rows = [dict(zip(result.summary.columns, row, strict=True)) for row in result.summary.rows]
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def scores(result: Evaluation, measure: str, **wanted: Any) -> np.ndarray:
    rows = [dict(zip(result.scores.columns, row, strict=True)) for row in result.scores.rows]
    return np.array([row[measure] for row in rows if all(row[name] == value for name, value in wanted.items())])


def a_pattern(size: int = 32, lines: int = 8, winner: str = "block") -> Pattern:
    middle = size // 2
    order = [middle + offset for offset in (0, 1, -1, 2, 3, 4, -2, 5)][:lines]
    rungs = tuple(Rung(count, 0.5, 0.4, 0.45, (1,), winner) for count in (4, 8) if count <= lines)
    return Pattern((tuple(order),), (size,), (-1,), rungs=rungs, about={"loss": "l1"})


@pytest.mark.torch
def test_scores_are_those_of_a_direct_computation(networks: Any) -> None:
    data = networks.discs()
    masks = {name: baseline(name, 32, 8, seed=1) for name in ("centre", "random")}
    result = evaluate(data, networks.Brighter(), masks, options=CPU)
    mean, deviation = data.normalisation()
    for name, mask in masks.items():
        images = measured(data, mask[None], LINES)
        found = (images - mean[..., None, None]) / deviation[..., None, None] > 1
        for number in range(6):
            rows = slice(2 * number, 2 * number + 2)
            case = {"pattern": name, "case": f"patient {number}"}
            pair = (found[rows, 0].astype(int), data.targets[rows])
            assert scores(result, "dice", structure="disc", **case) == pytest.approx(dice(*pair, 2))
            assert scores(result, "hd95", structure="disc", **case) == pytest.approx(hausdorff_95(*pair, (2.0, 1.0)))
            seen = (images[rows, 0], data.magnitude()[rows, 0])
            for measure, function in (("psnr", psnr), ("ssim", ssim), ("nmse", nmse)):
                assert scores(result, measure, structure="image", **case) == pytest.approx(function(*seen), rel=1e-5)


@pytest.mark.torch
def test_all_lines_leave_nothing_to_wish(networks: Any) -> None:
    result = evaluate(networks.discs(), networks.Brighter(), {"centre": baseline("centre", 32, 8)}, options=CPU)
    (full,) = of(result, pattern="full", measure="dice")
    assert full["mean"] == pytest.approx(1, abs=0.01)
    assert full["lines"] == 32
    assert of(result, pattern="full", measure="hd95")[0]["mean"] < 1
    assert of(result, pattern="full", measure="psnr")[0]["mean"] > 90
    (nothing,) = [row for row in result.trivial.rows if row[1] == "dice"]
    assert nothing[2] == 0


@pytest.mark.torch
def test_means_and_paired_differences_are_over_cases(networks: Any) -> None:
    masks = {name: baseline(name, 32, 8, seed=1) for name in ("centre", "random")}
    result = evaluate(networks.discs(), networks.Brighter(), masks, options=CPU)
    first, second = (scores(result, "dice", structure="disc", pattern=name) for name in masks)
    (row,) = of(result, pattern="random", measure="dice")
    assert (row["mean"], row["low"], row["high"], row["cases"]) == tuple(mean_interval(second)[:4])
    gain = paired_interval(first, second)
    found = (row["difference"], row["difference_low"], row["difference_high"], row["difference_cases"], row["p"])
    assert found == pytest.approx(tuple(gain))
    assert row["difference"] > 0.05  # the centre serves discs
    (own,) = of(result, pattern="centre", measure="dice")
    assert own["recommended"]
    assert math.isnan(own["difference"])


def test_draws_count_as_one_pattern_and_are_averaged_by_case() -> None:
    data = ring_phantom(8, 32)
    options = igs.TestOptions(part="all", draws=4, baselines=("random",), lines=(8,))
    result = igs.test(a_pattern(), data, options)
    drawn = np.stack([scores(result, "ssim", pattern="random", draw=draw) for draw in range(4)])
    assert len(np.unique(drawn, axis=0)) == 4
    (row,) = of(result, pattern="random", measure="ssim")
    assert row["cases"] == 8
    assert row["mean"] == pytest.approx(drawn.mean(axis=0).mean())
    assert (row["low"], row["high"]) == pytest.approx(mean_interval(drawn.mean(axis=0))[1:3])
    block = scores(result, "ssim", pattern="block")
    assert row["difference"] == pytest.approx((block - drawn.mean(axis=0)).mean())


def test_all_have_as_many_lines_and_the_recommended_is_marked() -> None:
    baselines = ("centre", "block", "equispaced", "random", "variable_density", "poisson")
    result = igs.test(a_pattern(), ring_phantom(4, 32), igs.TestOptions(part="all", draws=2, baselines=baselines))
    for key, masks in result.masks.items():
        assert masks.sum() == int(key.rsplit("_", 1)[1])
    assert {row["lines"] for row in of(result)} == {4, 8, 32}
    assert {row["pattern"] for row in of(result, lines=4)} == {"igs", *baselines}
    assert {row["pattern"] for row in of(result, recommended=True)} == {"block"}
    assert result.about["recommended"] == {"4": "block", "8": "block"}
    assert of(result, pattern="centre", lines=4)[0]["acceleration"] == 8
    assert np.array_equal(result.masks["block_8"][0], a_pattern().mask(8, kind="block"))


def test_the_recommended_is_compared_though_nobody_asked_for_it() -> None:
    result = igs.test(a_pattern(), ring_phantom(4, 32), igs.TestOptions(part="all", draws=1, baselines=("centre",)))
    assert {row["pattern"] for row in of(result)} == {"igs", "block", "centre", "full"}
    without = Pattern(a_pattern().orders, (32,), (-1,))
    result = igs.test(without, ring_phantom(4, 32), igs.TestOptions(part="all", baselines=("block",)))
    assert {row["pattern"] for row in of(result)} == {"igs", "full"}
    assert any("without rivals" in note for note in result.provenance.notes)


def test_a_seed_gives_the_same_scores(tmp_path: Path) -> None:
    path = a_pattern().save(tmp_path / "pattern.json")
    given = igs.TestOptions(part="all", draws=2, baselines=("random",), seed=5)
    one, again, other = (
        igs.test(path, ring_phantom(4, 32), options)
        for options in (given, given, igs.TestOptions(part="all", draws=2, baselines=("random",), seed=6))
    )
    assert one.scores.columns == again.scores.columns
    assert one.scores.columns["ssim"] != other.scores.columns["ssim"]


@pytest.mark.torch
def test_classes_have_areas_and_the_majority_is_told(networks: Any) -> None:
    data = networks.stripes()
    # the stripes lie at 10 cycles: the centre does not see them
    seen = baseline("centre", 32, 6)
    seen[[6, 26]] = True
    result = evaluate(data, networks.Sharpness(), {"with": seen, "centre": baseline("centre", 32, 8)}, options=CPU)
    area = {name: of(result, pattern=name, measure="auc")[0] for name in ("with", "centre", "full")}
    assert area["with"]["mean"] == area["full"]["mean"] == 1
    assert area["with"]["cases"] == 24
    mean, deviation = data.normalisation()
    images = (measured(data, baseline("centre", 32, 8)[None], LINES) - mean[..., None, None]) / deviation[
        ..., None, None
    ]
    rough = np.abs(np.diff(images, axis=-1)).mean(axis=(1, 2, 3))
    assert area["centre"]["mean"] == pytest.approx(auc(rough, data.targets))
    assert area["centre"]["difference"] == pytest.approx(1 - area["centre"]["mean"])
    assert area["centre"]["low"] <= area["centre"]["mean"] <= area["centre"]["high"]
    told = of(result, pattern="full", measure="correct")[0]["mean"]
    majority = next(row for row in result.trivial.rows if row[1] == "correct")
    assert told == 1
    assert majority[2] == pytest.approx(2 / 3)
    assert "plain" in majority[-1]


@pytest.mark.torch
def test_reconstructions_are_compared_with_the_true_images(networks: Any) -> None:
    data = SliceDataset(networks.discs().images)
    result = evaluate(data, networks.Same(), {"centre": baseline("centre", 32, 8)}, options=CPU)
    for measure in ("psnr", "ssim", "nmse"):
        image, made = (
            scores(result, measure, pattern="centre", structure=name) for name in ("image", "reconstruction")
        )
        assert made == pytest.approx(image, rel=1e-3)
    assert result.examples["centre_found"] == pytest.approx(result.examples["centre"], abs=1e-4)


def test_without_a_network_images_alone_are_compared() -> None:
    result = evaluate(ring_phantom(4, 32), None, {"centre": baseline("centre", 32, 8)})
    assert {row["structure"] for row in of(result)} == {"image"}
    assert "dice" not in result.scores.columns
    assert {row[0] for row in result.trivial.rows} == {"image"}
    assert set(result.examples) == {"full", "truth", "centre"}


@pytest.mark.parametrize("kind", ["points", "contrasts", "volumes", "coils", "rows"])
def test_other_data_are_compared_too(kind: str, rng: np.random.Generator) -> None:
    random = lambda *shape: (rng.random(shape) + 1j * rng.random(shape)).astype(np.complex64)  # noqa: E731
    axes: dict[str, int] = {}
    mask = baseline("centre", 16, 6)
    if kind == "points":
        data, axes, mask = SliceDataset(random(3, 1, 16, 12)), {"second_axis": -2}, baseline("poisson", (16, 12), 40)
    elif kind == "contrasts":
        data = SliceDataset(random(3, 2, 12, 16))
        mask = np.stack([mask, baseline("random", 16, 6)])
    elif kind == "volumes":
        data, axes = SliceDataset(random(3, 1, 16, 10, 12)), {"axis": -3}
    elif kind == "coils":
        coils = random(3, 1, 4, 12, 16)
        data = SliceDataset(np.sqrt((np.abs(coils) ** 2).sum(axis=2)), coil_images=coils)
    else:
        data, axes = SliceDataset(random(3, 1, 16, 12)), {"axis": -2}
    result = evaluate(data, None, {"this": mask}, **axes)
    encoding = Encoding.of(data.images.shape, axes.get("axis", -1), axes.get("second_axis", 0))
    images = measured(data, mask.reshape(-1, *encoding.shape), encoding)
    expected = [np.mean([nmse(images[n, c], data.truth()[n, c]) for c in range(data.contrasts)]) for n in range(3)]
    assert scores(result, "nmse", pattern="this") == pytest.approx(expected, rel=1e-5)
    assert of(result, pattern="full", measure="nmse")[0]["mean"] == pytest.approx(0, abs=1e-9)
    assert of(result, pattern="this")[0]["lines"] == int(mask.sum() / len(mask.reshape(-1, *encoding.shape)))


def test_a_reader_is_told_of_one_case_of_few_and_of_leaks(rng: np.random.Generator) -> None:
    one = SliceDataset(rng.random((6, 1, 16, 32)), cases=["scan"] * 6)
    result = evaluate(one, None, {"centre": baseline("centre", 32, 8)})
    assert any("Slices of one volume are alike" in note for note in result.provenance.notes)
    assert of(result, pattern="centre")[0]["cases"] == 6
    assert not any("cases" in note for note in result.provenance.notes)  # the 6 are no cases
    few = evaluate(ring_phantom(4, 32), None, {"centre": baseline("centre", 32, 8)})
    assert any("only 4 cases" in note for note in few.provenance.notes)
    many = ring_phantom(12, 32)
    options = igs.TestOptions(part="all", draws=1)
    pattern = a_pattern()
    assert not any("chosen on" in note for note in igs.test(pattern, many, options).provenance.notes)
    same = Pattern(pattern.orders, (32,), (-1,), rungs=pattern.rungs, about={"data": many.digest(), "part": "all"})
    assert any("very slices" in note for note in igs.test(same, many, options).provenance.notes)
    chosen = igs.TestOptions(part="select", draws=1)
    assert any("the part select was taken" in note for note in igs.test(pattern, many, chosen).provenance.notes)


@pytest.mark.parametrize(
    ("made", "part", "seed", "told"),
    [
        ({"part": "select", "seed": 0}, "test", 0, ""),
        ({"part": "all", "seed": 0}, "all", 3, ""),
        ({"part": "select", "seed": 1}, "test", 0, "the part select (seed 1)"),
        ({"part": "all", "seed": 0}, "test", 0, "the part all (seed 0)"),
        ({"part": "select", "seed": 0}, "all", 0, "the part all (seed 0)"),
        ({"part": "select", "seed": 0}, "select", 0, "the part select (seed 0)"),
        ({}, "test", 0, ""),
    ],
)
def test_parts_that_share_cases_are_told(made: dict[str, Any], part: str, seed: int, told: str) -> None:
    data, options = ring_phantom(4, 32), igs.TestOptions(part=part, seed=seed)
    plain = a_pattern()
    chosen = Pattern(plain.orders, plain.shape, plain.axes, about=made)
    taught = TaskNetwork(None, "network", about=made)
    own = Pattern(plain.orders, plain.shape, plain.axes, about={"part": part, "seed": seed} if part == "all" else {})
    for what, notes in (
        ("pattern", leak_notes(chosen, data, options)),
        ("network", leak_notes(own, data, options, taught)),
    ):
        assert bool(notes) == bool(told)
        assert all(what in note and told in note for note in notes)


@pytest.mark.torch
def test_each_pattern_gets_a_network_of_its_own(networks: Any) -> None:
    data = networks.discs(16)
    given = {"device": "cpu", "draws": 1, "lines": (8,), "baselines": ("random",)}
    frozen, tuned = (
        igs.test(a_pattern(), data, igs.TestOptions(**given, finetune_epochs=n), network=networks.Learnable())
        for n in (0, 3)
    )
    for name in ("igs", "block", "random"):
        before, after = (of(result, pattern=name, measure="dice")[0]["mean"] for result in (frozen, tuned))
        assert after != before
    full = [of(result, pattern="full", measure="dice")[0]["mean"] for result in (frozen, tuned)]
    assert full[0] == full[1]
    assert any("adapted to it for 3 epochs" in note for note in tuned.provenance.notes)
    assert tuned.provenance.seconds["finetune"] > 0


def test_the_result_is_a_folder(tmp_path: Path) -> None:
    result = igs.test(a_pattern(), ring_phantom(4, 32), igs.TestOptions(part="all", draws=2))
    folder = result.save(tmp_path / "tested")
    assert {"scores.csv", "summary.csv", "trivial.csv", "masks.npz", "examples.npz", "result.json"} == {
        path.name for path in folder.iterdir()
    }
    with np.load(folder / "masks.npz") as masks:
        assert masks["igs_8"].sum() == 8


def test_bad_input_is_refused_with_a_sentence(tmp_path: Path) -> None:
    data = ring_phantom(4, 32)
    with pytest.raises(InputError, match="nothing to compare"):
        evaluate(data, None, {})
    with pytest.raises(InputError, match="type ndarray"):
        evaluate(data.images, None, {"centre": np.ones(32)})  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"mask short has shape \(16,\); expected \(32,\)"):
        evaluate(data, None, {"short": np.ones(16)})
    with pytest.raises(InputError, match="for 48 lines along the axis -1, and the slices have 32"):
        igs.test(a_pattern(48), data, igs.TestOptions(part="all"))
    with pytest.raises(InputError, match="searched up to 8"):
        igs.test(a_pattern(), data, igs.TestOptions(part="all", lines=(12,)))
    with pytest.raises(InputError, match="a network is needed"):
        igs.test(a_pattern(), data, igs.TestOptions(part="all", finetune_epochs=2))
    with pytest.raises(InputError, match="does not exist"):
        igs.test(tmp_path / "missing.json", data)
    points = Pattern(((5,),), (32, 32), (-2, -1))
    with pytest.raises(InputError, match="other axes"):
        evaluate(data, None, {"lines": a_pattern(), "points": points})
    with pytest.raises(InputError, match="2 contrasts"):
        evaluate(data, None, {"two": np.ones((2, 32))})


def test_a_comparison_can_be_stopped() -> None:
    def stop(fraction: float, message: str) -> None:
        if message.startswith("Testing"):
            raise Cancelled

    with pytest.raises(Cancelled):
        evaluate(ring_phantom(4, 32), None, {"centre": baseline("centre", 32, 8)}, progress=stop)


@pytest.mark.torch
def test_the_learned_rival_has_as_many_lines(networks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from DeepMRILib.igs import network_rival

    monkeypatch.setattr(network_rival, "Schedule", partial(network_rival.Schedule, steps=30))
    given = {"device": "cpu", "lines": (6,), "baselines": ("probabilistic", "centre")}
    result = igs.test(a_pattern(), networks.discs(12), igs.TestOptions(**given), network=networks.Brighter())
    assert result.masks["probabilistic_6"].sum() == 6
    assert result.masks["probabilistic_6"][0, 16]
    assert len(of(result, pattern="probabilistic", measure="dice")) == 1
    assert result.provenance.seconds["probabilistic"] > 0
