"""Training on simulated series: what is learned, what does not count, and that a saved model is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from DeepMRILib.errors import Cancelled, InputError, WeightsError
from DeepMRILib.iap import SimulateOptions, SliceSet, TrainedModel, TrainOptions, simulate, train
from DeepMRILib.iap.example_training import train_inputs
from DeepMRILib.iap.heads import planned_heads, target, targets
from DeepMRILib.iap.layout import Head, Layout
from DeepMRILib.iap.recalibrating import recalibrated
from DeepMRILib.iap.slice_cues import cues, scaled, square
from DeepMRILib.iap.splitting import divided, spread_slices
from DeepMRILib.iap.train_iap_loss import Learning, head_loss
from DeepMRILib.iap.trained import IAPModel

QUICK = TrainOptions(epochs=1, size=32, channels=(4, 8), device="cpu", batch=16)
ORDINAL = Head("slice_thickness", "ordinal", 0, 4, (1.0, 2.0, 3.0, 4.0))
NUMBER = Head("echo_time", "continuous", 0, 2, (), 3.0, 1.0, logarithm=True)


@pytest.fixture(scope="module")
def data() -> SliceSet:
    return simulate(SimulateOptions(subjects=12, series=3, slices=2, size=32, seed=9))


@pytest.fixture(scope="module")
def network(data: SliceSet) -> TrainedModel:
    torch.set_num_threads(1)
    return train(data, QUICK)


def test_a_number_costs_its_likelihood_and_missing_ones_nothing() -> None:
    outputs = torch.tensor([[1.0, np.log(2.0)], [5.0, 0.0]])
    wanted = torch.tensor([0.0, float("nan")])
    assert head_loss(NUMBER, outputs, wanted).item() == pytest.approx(0.5 * (1 / 2) ** 2 + np.log(2))
    nothing = head_loss(NUMBER, outputs.requires_grad_(), torch.full((2,), float("nan")))
    assert nothing.item() == 0
    nothing.backward()


def test_an_ordinal_answer_far_off_costs_more_than_one_nearby() -> None:
    wanted = torch.tensor([0.0])
    near, far = (head_loss(ORDINAL, 5 * torch.eye(4)[[place]], wanted).item() for place in (1, 3))
    plain = replace(ORDINAL, kind="categorical")
    assert head_loss(plain, 5 * torch.eye(4)[[1]], wanted).item() == pytest.approx(
        head_loss(plain, 5 * torch.eye(4)[[3]], wanted).item()
    )
    assert far > near + 1


def test_mirroring_and_shifting_can_be_switched() -> None:
    images = torch.zeros(64, 1, 16, 16)
    images[:, :, 5:8, 2:4] = 1.0
    torch.manual_seed(0)
    assert torch.equal(Learning("cpu").changed(images), images)
    mirrored = Learning("cpu", mirror=True).changed(images)
    assert len({tuple(one.nonzero()[0].tolist()) for one in mirrored}) == 4
    shifted = Learning("cpu", shift=0.1).changed(images)
    assert torch.equal(shifted.sum((1, 2, 3)), images.sum((1, 2, 3)))
    assert not torch.equal(shifted, images)
    assert Learning("cpu", gain=0.2).changed(images).amax((1, 2, 3)).std() > 0.01


def test_heads_are_planned_from_what_varies() -> None:
    values = {
        "manufacturer": ["A", "A", "A", None],
        "echo_time": [2.0, 20.0, float("nan"), 80.0],
        "flip_angle": [80.0, 90.0, 85.0, 90.0],
        "slice_thickness": [3.0, 1.0, 3.0, 5.0],
        "sequence": ["SE", "IR", "IR", "SE"],
        "inversion_time": [None, 200.0, 900.0, None],
    }
    plan = [
        *("echo_time", "flip_angle", "slice_thickness"),
        {"parameter": "inversion_time", "only": ["sequence", "IR"]},
    ]
    layout = planned_heads(values)
    assert [head.parameter for head in layout.heads] == [
        "sequence", "echo_time", "inversion_time", "flip_angle", "slice_thickness",
    ]  # fmt: skip
    chosen = planned_heads(values, plan)
    assert chosen.head("echo_time").logarithm
    assert not chosen.head("flip_angle").logarithm
    assert chosen.head("slice_thickness").classes == (1.0, 3.0, 5.0)
    wanted = targets(chosen, values, 4)
    assert np.isnan(wanted[2, 0])
    assert wanted[:, 2].tolist() == [1, 0, 1, 2]
    assert np.isnan(wanted[[0, 3], 3]).all()
    assert np.nanmean(wanted[:, 0]) == pytest.approx(0, abs=1e-6)


def test_a_parameter_is_learned_apart_for_each_class_of_another() -> None:
    values = {
        "sequence": ["SE", "SE", "IR", "IR", "GR", None],
        "repetition_time": [500.0, 2000.0, 5000.0, 9000.0, 30.0, 40.0],
    }
    layout = planned_heads(values, ["sequence", {"parameter": "repetition_time", "each": "sequence"}])
    assert [head.name for head in layout.heads] == ["sequence", "repetition_time, IR", "repetition_time, SE"]
    assert all(head.logarithm for head in layout.heads[1:])  # on one scale, though none needs it alone
    learned, known = targets(layout, values, 6), targets(layout, values, 6, learning=False)
    assert np.isfinite(learned[:, 1]).tolist() == [False, False, True, True, False, False]
    assert np.isfinite(learned[:, 2]).tolist() == [True, True, False, False, False, False]
    assert np.isfinite(known[:, 1:]).all()
    assert known[2, 2] == pytest.approx(np.log(5000 / 1000) / np.log(2), rel=1e-5)
    assert Layout.from_json(json.loads(json.dumps(layout.to_json()))) == layout


def test_times_are_learned_apart_where_each_sequence_has_enough_of_them() -> None:
    values = {
        "sequence": ["SE"] * 60 + ["IR"] * 60,
        "echo_time": [float(number) for number in range(1, 121)],
        "flip_angle": [90.0, 60.0] * 60,
    }
    names = [head.name for head in planned_heads(values).heads]
    assert names == ["sequence", "echo_time, IR", "echo_time, SE", "flip_angle"]
    pairs = [f"series {number // 2}" for number in range(120)]
    assert [head.name for head in planned_heads(values, series=pairs).heads] == ["sequence", "echo_time", "flip_angle"]


def test_a_value_near_a_class_is_that_class_and_an_unknown_one_is_none() -> None:
    field = Head("field_strength", "ordinal", 0, 2, (1.5, 3.0))
    assert target(field, 1.494) == 0
    assert np.isnan(target(field, 7.0))
    assert np.isnan(target(NUMBER, 0.0))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (["colour"], "not known"),
        ([{"parameter": "echo_time", "knd": "ordinal"}], "'knd'"),
        ([{"parameter": "echo_time", "kind": "round"}], "kind"),
        ([{"parameter": "echo_time", "only": "IR"}], "meaning"),
        ([{"parameter": "echo_time", "each": "flip_angle"}], "categorical"),
        ([{"parameter": "echo_time", "each": "sequence", "only": ["sequence", ["SE"]]}], 'no "only"'),
        ([{"parameter": "echo_time", "each": ["sequence"]}], "categorical"),
        ([{"parameter": ["echo_time"], "each": "sequence"}], "not known"),
        ([{"parameter": "contrast_agent", "each": "sequence"}], "varies in no class"),
        (["contrast_agent"], "two or"),
    ],
)
def test_a_bad_list_of_parameters_is_refused(data: SliceSet, plan: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        planned_heads(data.values, plan)


def test_the_list_of_parameters_comes_from_a_file(data: SliceSet, tmp_path: Path) -> None:
    path = tmp_path / "parameters.json"
    path.write_text(json.dumps(["sequence", {"parameter": "slice_thickness", "kind": "continuous"}]))
    made = train(data, replace(QUICK, parameters=str(path)))
    assert [head["kind"] for head in made.layout] == ["categorical", "continuous"]
    path.write_text('{"parameters": 3}')
    with pytest.raises(InputError, match="no list of parameters"):
        train(data, replace(QUICK, parameters=str(path)))


def test_no_patient_is_in_two_parts() -> None:
    patients = np.repeat(np.arange(40), 3).astype(str)
    parts = divided(patients, (0.15, 0.2), seed=1)
    sets = [set(patients[mask]) for mask in parts]
    assert [len(one) for one in sets] == [6, 8, 26]
    assert not sets[0] & sets[1] | sets[1] & sets[2] | sets[0] & sets[2]
    assert not np.array_equal(parts[0], divided(patients, (0.15, 0.2), seed=2)[0])


def test_too_few_patients_are_refused(data: SliceSet) -> None:
    few = data.subset(np.isin(data.patients, sorted(set(data.patients))[:2]))
    with pytest.raises(InputError, match="2 patients"):
        train(few, QUICK)


def test_some_slices_of_each_series_are_taken_from_its_middle() -> None:
    assert spread_slices(np.array(list("aaaaaaabb")), 2).tolist() == [1, 5, 7, 8]


def test_slices_are_scaled_and_padded_and_their_noise_is_measured(rng: np.random.Generator) -> None:
    smooth = np.outer(np.hanning(60), np.hanning(90)) * 900
    noisy = np.abs(smooth + rng.normal(0, 45, smooth.shape))
    quiet, loud = cues(scaled(smooth)), cues(scaled(noisy))
    assert 10 ** (loud[0] - 2) == pytest.approx(0.05, rel=0.3)
    assert quiet[0] < loud[0] - 1
    assert np.allclose(scaled(noisy), scaled(4 * noisy), atol=1e-6)
    assert np.isfinite(scaled(np.zeros((5, 5)))).all()
    assert square(scaled(noisy)).shape == (90, 90)
    assert quiet[2] == pytest.approx(np.log(60 / 90))


def test_it_learns(data: SliceSet) -> None:
    """Whether fat is suppressed or the patient turned round is plain; twenty passes suffice for better than chance."""
    made = train(simulate(SimulateOptions(subjects=30, series=2, slices=1, size=32)), replace(QUICK, epochs=20))
    first, last = made.history.rows[0], made.history.rows[-1]
    assert last[1] < 0.8 * first[1]
    assert made.metrics["loss of the slices held out"] < first[2]


def test_the_same_seed_gives_the_same_network_to_the_bit(data: SliceSet, network: TrainedModel) -> None:
    again = train(data, QUICK)
    assert all(np.array_equal(network.weights[name], again.weights[name]) for name in network.weights)
    assert again.calibration == network.calibration


def test_a_saved_model_answers_to_the_bit_as_before(data: SliceSet, network: TrainedModel, tmp_path: Path) -> None:
    network.save(tmp_path / "net")
    before, after = network.model("cpu"), IAPModel.load(tmp_path / "net", device="cpu")
    some = [*data.slices[:3], np.ones((50, 70))]
    assert np.array_equal(before.logits(some), after.logits(some))
    assert np.array_equal(before.features(some), after.features(some))
    assert after.layout == before.layout
    assert after.calibration.heads == before.calibration.heads
    assert after.calibration.outside.keys() == {"middle", "whitening", "limit"}
    assert len(after.weights_sha256) == 64
    assert "orientation" in " ".join(after.notes)


def test_a_network_can_be_calibrated_anew_without_a_change_of_its_weights(network: TrainedModel) -> None:
    other = simulate(SimulateOptions(subjects=10, series=3, slices=3, size=32, seed=77))
    again = recalibrated(network, other, "cpu")
    assert again.weights is network.weights
    known = again.model("cpu").calibration
    assert known.series == 30
    assert len(known.heads["echo_time"].scores) == 30
    assert known.outside["limit"] != network.model("cpu").calibration.outside["limit"]
    assert again.training_data == "48 slices of 24 series of 8 patients; calibrated on 30 series of 10 others."
    assert again.provenance.inputs["calibrated_anew_on"] == 30
    bare = SliceSet(other.slices, {"contrast_agent": ["x"] * len(other)}, other.series, other.patients)
    with pytest.raises(InputError, match="Nothing is known"):
        recalibrated(network, bare, "cpu")


def test_the_card_says_what_it_was_trained_on(network: TrainedModel) -> None:
    card = network.card()
    assert card.method == "iap"
    assert card.extra["kind"] == "iap-net"
    assert "patients" in card.training_data
    assert sum(network.parts.columns["patients"]) == 12


def test_logits_do_not_depend_on_the_company_of_a_slice(data: SliceSet, network: TrainedModel) -> None:
    model = network.model("cpu")
    together = model.logits(data.slices[:5])
    alone = np.concatenate([model.logits([one]) for one in data.slices[:5]])
    assert np.allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("slices", [[], [np.zeros((3, 4, 5))], [np.zeros((0, 4))]])
def test_what_are_no_slices_is_refused(network: TrainedModel, slices: list) -> None:
    with pytest.raises(InputError, match="2D"):
        network.model("cpu").logits(slices)


def test_models_of_other_kinds_and_damaged_cards_are_refused(network: TrainedModel, tmp_path: Path) -> None:
    network.save(tmp_path / "net")
    card = json.loads((tmp_path / "net" / "model.json").read_text(encoding="utf-8"))
    for changes, message in (
        ({"kind": "other"}, "no network"),
        ({"layout": 5}, "damaged"),
        ({"design": {}}, "damaged"),
    ):
        changed = {**card, "extra": {**card["extra"], **changes}}
        (tmp_path / "net" / "model.json").write_text(json.dumps(changed), encoding="utf-8")
        with pytest.raises(WeightsError, match=message):
            TrainedModel.load(tmp_path / "net")


def test_a_folder_is_read_and_a_table_overrules_its_headers(tmp_path: Path) -> None:
    from DeepMRILib.iap.labelled import labelled

    folder = train_inputs()["folder"]
    found, unread = labelled(folder)
    assert len(set(found.series)) == 16
    assert len(set(found.patients)) == 8
    assert len(unread) == 0
    name = found.series[0]
    table = tmp_path / "table.csv"
    table.write_text(f"file,echo_time,patient\n{Path(name).name},77.5,other\n", encoding="utf-8")
    changed, _ = labelled(folder, table=table)
    here = changed.series == name
    assert {value for value, is_it in zip(changed.values["echo_time"], here, strict=True) if is_it} == {77.5}
    assert set(changed.patients[here]) == {"other"}
    assert changed.values["echo_time"][-1] == found.values["echo_time"][-1]
    table.write_text("file,colour\na,b\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column"):
        labelled(folder, table=table)
    table.write_text("file,echo_time\nnowhere.nii.gz,5\n", encoding="utf-8")
    with pytest.raises(InputError, match="No row"):
        labelled(folder, table=table)


def test_a_training_can_be_stopped(data: SliceSet) -> None:
    def stop(fraction: float, message: str) -> None:
        if fraction > 0.3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        train(data, replace(QUICK, epochs=50), progress=stop)
