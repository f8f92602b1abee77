"""A trained network at work: the engine of ``interactive.segment``, the jobs ``test`` and ``predict``."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion

from DeepMRILib import interactive
from DeepMRILib.errors import DeviceMemoryError, InputError, WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
from interactive_network import a_model, a_plan, learned, one_thread

from DeepMRILib import device as devices
from DeepMRILib import files
from DeepMRILib.interactive import network_engine, predicting, testing
from DeepMRILib.interactive.crop import Box
from DeepMRILib.interactive.dataset import open_dataset, read_case
from DeepMRILib.interactive.engine import Problem
from DeepMRILib.interactive.example_pipeline import example_case, example_dataset
from DeepMRILib.interactive.measures import dice
from DeepMRILib.interactive.network_ask import Asking, asked, prepared_within
from DeepMRILib.interactive.network_device import network_device
from DeepMRILib.interactive.network_evidence import competing, with_prior
from DeepMRILib.interactive.network_forward import FLIPS, Ensemble
from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.interactive.options_training import PredictOptions, TestOptions
from DeepMRILib.interactive.phantom_dataset import phantom_dataset
from DeepMRILib.interactive.prepare import prepare
from DeepMRILib.interactive.report_testing import predict_report
from DeepMRILib.interactive.report_testing import test_report as page_of
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.progress import silent
from DeepMRILib.volume import LabelVolume, Volume

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
_FIXTURES = (learned,)
NETWORK = SegmentOptions(engine="network", device="cpu")
QUICK = {"flips": False, "device": "cpu"}


@pytest.fixture(scope="module")
def case() -> tuple[Volume, LabelVolume, np.ndarray]:
    """A lesion that no network has seen, on an oblique left-handed grid, and its points."""
    volume, mask = example_case(20)
    return volume, mask, synthetic_points(mask, depth=2.0, seed=20)


def segmented(case: tuple, model: object, **changes: object) -> interactive.InteractiveResult:
    volume, _, points = case
    given = {name: changes.pop(name) for name in ("negative_points", "prior", "channels") if name in changes}
    return interactive.segment(volume, points, replace(NETWORK, **changes), model=model, **given)


# -- networks together --


def test_the_answer_is_the_mean_of_all_networks_and_flips() -> None:
    model = a_model()
    values = np.random.default_rng(0).normal(size=(2, 8, 12, 8)).astype(np.float32)
    both = Ensemble.of(model, "cpu", half=False)
    single = [Ensemble.of(model, "cpu", [fold], half=False) for fold in model.folds]
    plain = both.probability(values, flips=False)
    each = [one.probability(values, flips=False) for one in single]
    assert np.allclose(plain, np.mean(each, axis=0), atol=1e-6)
    assert np.allclose(plain.sum(axis=0), 1, atol=1e-5)
    assert np.array_equal(both.probability(values, flips=False, first_only=True), each[0])
    assert len(set(FLIPS)) == 8
    turned = []
    for axes in FLIPS:
        numpy_axes = [axis - 1 for axis in axes]
        found = single[0].probability(np.flip(values, numpy_axes).copy(), flips=False)
        turned.append(np.flip(found, numpy_axes))
    assert np.allclose(single[0].probability(values), np.mean(turned, axis=0), atol=1e-6)


def test_16_bits_give_nearly_the_same() -> None:
    model = a_model()
    values = np.random.default_rng(0).normal(size=(2, 16, 16, 16)).astype(np.float32)
    whole, half = (Ensemble.of(model, "cpu", half=half).probability(values) for half in (False, True))
    assert np.abs(whole - half).max() < 0.05
    assert np.abs(whole - half).mean() < 0.005


def test_what_does_not_fit_is_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    ensemble = Ensemble.of(a_model(), "cpu")
    monkeypatch.setattr(devices, "free_memory", lambda device: 10_000)
    with pytest.raises(DeviceMemoryError, match="needs more memory than this computer has free"):
        ensemble.probability(np.zeros((2, 16, 16, 16), np.float32))


# -- the engine --


def test_a_lesion_that_the_network_has_not_seen(learned: Path, case: tuple) -> None:
    result = segmented(case, learned)
    assert dice(result.mask.array, case[1].array) > 0.93
    assert result.provenance.weights_sha256
    assert result.provenance.engine == "network learned, one network"
    flipped = segmented(case, str(learned), flips=True)
    assert "mean of eight flips" in flipped.provenance.engine
    assert dice(flipped.mask.array, case[1].array) > 0.93


def test_a_preview_asks_one_network_once(learned: Path, case: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    once = Ensemble._once
    monkeypatch.setattr(Ensemble, "_once", lambda *given: (passes.append(given[3]), once(*given))[1])
    result = segmented(case, learned, resolution="preview", flips=True)
    assert passes == [()]
    assert "one fold" in result.provenance.engine
    assert dice(result.mask.array, case[1].array) > 0.9


def test_a_model_by_its_name_and_the_newest_of_that_name(
    learned: Path, case: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEEPMRI_HOME", str(tmp_path))
    shutil.copytree(learned, tmp_path / "models" / "learned")
    by_name = segmented(case, "learned")
    assert np.array_equal(by_name.mask.array, segmented(case, learned).mask.array)
    shutil.rmtree(tmp_path / "models" / "learned")
    replace(a_model(), name="learned").save(tmp_path / "models" / "learned")
    assert not np.array_equal(segmented(case, "learned").mask.array, by_name.mask.array)
    shutil.rmtree(tmp_path / "models" / "learned")
    with pytest.raises(WeightsError, match="no model 'learned'"):
        segmented(case, "learned")


def test_negative_points_take_away_what_is_nearer_to_them(learned: Path, case: tuple) -> None:
    volume, mask, _ = case
    before = segmented(case, learned)
    inside = np.argwhere(mask.array)
    corner = volume.ras_from_voxel(inside[[inside.sum(axis=1).argmax()]])
    after = segmented(case, learned, negative_points=corner)
    place = tuple(np.rint(volume.voxel_from_ras(corner)[0]).astype(int))
    assert before.mask.array[place] == 1
    assert after.mask.array[place] == 0
    assert after.mask.array.sum() < before.mask.array.sum()
    assert dice(after.mask.array, mask.array) > 0.5
    assert any("knows no negative points" in note for note in after.provenance.notes)


def test_an_earlier_segmentation_decides_where_the_network_wavers() -> None:
    membership = np.array([[0.6, 0.95, 0.4], [0.4, 0.05, 0.6]], np.float32).reshape(2, 3, 1, 1)
    said = with_prior(membership, np.array([1, 1, 1]).reshape(3, 1, 1))
    assert np.allclose(said.sum(axis=0), 1)
    assert said.argmax(axis=0).ravel().tolist() == [1, 0, 1]
    assert said[1, 0, 0, 0] == pytest.approx(0.4 * 0.75 / (0.4 * 0.75 + 0.6 * 0.25))
    assert with_prior(membership, None) is membership


def test_a_prior_draws_the_margin_towards_itself_and_is_said(learned: Path, case: tuple) -> None:
    mask = case[1]
    larger, smaller = (
        mask.like(shape(mask.array, iterations=2).astype(np.uint8)) for shape in (binary_dilation, binary_erosion)
    )
    sizes = [segmented(case, learned, prior=prior).mask.array.sum() for prior in (smaller, None, larger)]
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[2] < larger.array.sum()  # where the network is sure, it decides
    result = segmented(case, learned, prior=larger)
    assert any("right in three voxels of four" in note for note in result.provenance.notes)


def test_a_network_of_one_label_serves_several(learned: Path) -> None:
    volume, mask = example_case(20)
    other, other_mask = example_case(21)
    both = Volume(np.concatenate([volume.array, other.array]), volume.affine)
    truth = np.concatenate([mask.array, 2 * other_mask.array]).astype(np.uint8)
    labels = LabelVolume(truth, volume.affine)
    points = {name: synthetic_points(labels, label=n, depth=2.0, seed=3) for n, name in ((1, "left"), (2, "right"))}
    result = interactive.segment(both, points, NETWORK, model=learned)
    for n in (1, 2):
        assert dice(result.mask.array == n, truth == n) > 0.9
    assert any("one label at a time" in note for note in result.provenance.notes)


def test_odds_compete_and_one_label_keeps_its_probability() -> None:
    p = np.array([0.1, 0.5, 0.9], np.float32).reshape(1, 3, 1, 1)
    assert np.allclose(competing(p)[1], p[0], atol=1e-6)
    two = competing(np.concatenate([p, p]))
    assert np.allclose(two.sum(axis=0), 1, atol=1e-6)
    assert np.allclose(two[1], two[2])


def test_a_network_that_takes_negative_points_is_told_them_and_the_other_labels(
    monkeypatch: pytest.MonkeyPatch, case: tuple
) -> None:
    seen = []

    def spy(*given: object, negative: object = None, label: object = None) -> object:
        seen.append(negative)
        return prepare(*given, negative=negative, label=label)

    monkeypatch.setattr("DeepMRILib.interactive.network_ask.prepare", spy)
    volume, _, points = case
    ensemble = Ensemble.of(a_model(a_plan(negative=True)), "cpu")
    far = points + volume.affine[:3, 0] * 0.7
    found = asked(ensemble, [volume], [points, far], Asking(flips=False), negative=points[:1], progress=silent)
    assert [len(negative) for negative in seen] == [7, 7]
    assert np.array_equal(seen[0], np.concatenate([points[:1], far]))
    assert np.allclose(found.membership.sum(axis=0), 1, atol=1e-5)


def test_a_label_without_points_is_nowhere(case: tuple) -> None:
    volume, _, points = case
    ensemble = Ensemble.of(a_model(a_plan(labels=3)), "cpu")
    none = np.zeros((0, 3))
    found = asked(ensemble, [volume], [none, points, none], Asking(flips=False), progress=silent)
    assert found.membership[1].max() == found.membership[3].max() == 0
    assert found.membership[2].max() > 0
    assert np.allclose(found.membership.sum(axis=0), 1, atol=1e-4)
    with pytest.raises(InputError, match="There are no points"):
        asked(ensemble, [volume], [none, none, none], Asking(), progress=silent)


def test_images_and_labels_that_do_not_match_are_refused(tmp_path: Path, case: tuple) -> None:
    two_images = a_model(a_plan(images=2)).save(tmp_path / "images")
    with pytest.raises(InputError, match=r"takes 2 images \(MR 1, MR 2\), and 1 was given"):
        segmented(case, two_images)
    assert segmented(case, two_images, channels=[case[0]]).mask.shape == case[0].shape
    two_labels = a_model(a_plan(labels=2)).save(tmp_path / "labels")
    with pytest.raises(InputError, match=r"segments 2 labels at once \(label 1, label 2\), and points of 1 were given"):
        segmented(case, two_labels)


def test_without_a_network_the_way_to_one_is_told(case: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_engine, "SHIPPED", "not-shipped")
    with pytest.raises(InputError, match=r"Give the folder or the name of one, or train one"):
        segmented(case, None)


def test_networks_stay_open_between_two_questions(learned: Path) -> None:
    assert network_engine.opened(learned, "cpu")[1] is network_engine.opened(learned, "cpu")[1]


def test_a_problem_whose_part_is_smaller_than_the_network_wants(learned: Path, case: tuple) -> None:
    volume, mask, points = case
    filled = np.argwhere(mask.array)
    box = Box(tuple((filled.min(axis=0) - 1).tolist()), tuple((filled.max(axis=0) + 2).tolist()))
    part = Volume(volume.array[box.slices], box.affine(volume.affine))
    problem = Problem(
        image=part.array[..., None].astype(np.float32),
        affine=part.affine,
        spacing=part.spacing,
        points=(part.voxel_from_ras(points),),
        negative=np.zeros((0, 3)),
        prior=None,
        options=NETWORK,
    )
    answer = network_engine.segment_by_network(problem, silent, model=learned)
    assert answer.membership.shape == (2, *part.shape)
    assert np.allclose(answer.membership.sum(axis=0), 1, atol=1e-4)
    assert dice(answer.membership[1] > 0.5, mask.array[box.slices]) > 0.5


def test_a_segmentation_looks_at_as_much_as_the_network_wants(tmp_path: Path, case: tuple) -> None:
    volume = case[0]
    large = a_model(a_plan(least_margin=(30, 30, 30))).save(tmp_path / "large")
    result = segmented(case, large, margin=1.0, margin_fraction=0.0)
    assert result.provenance.inputs["looked_at"] == {"start": [0, 0, 0], "stop": list(volume.shape)}
    small = segmented(case, None, engine="geodesic", margin=1.0, margin_fraction=0.0)
    assert small.provenance.inputs["looked_at"]["start"] != [0, 0, 0]


# -- memory --


def test_a_case_that_is_too_large_is_looked_at_more_coarsely(learned: Path, case: tuple) -> None:
    volume, mask, points = case
    _, ensemble = network_engine.opened(learned, "cpu")
    whole, _ = prepared_within([volume], {"lesion": points}, ensemble.plan, 0)
    ready, notes = prepared_within([volume], {"lesion": points}, ensemble.plan, 4000)
    assert np.prod(ready.input.shape[1:]) <= 4000 < np.prod(whole.input.shape[1:])
    assert "times as long" in notes[0]
    found = asked(ensemble, [volume], [points], Asking(most=4000), progress=silent)
    labels = np.zeros(volume.shape)
    labels[found.box.slices] = found.membership.argmax(axis=0)
    assert dice(labels, mask.array) > 0.8


# -- the jobs --


def test_a_test_scores_every_case_beside_two_methods_without_a_network(learned: Path, tmp_path: Path) -> None:
    result = testing.test(learned, example_dataset(), TestOptions(**QUICK))
    assert result.scores.columns["case"] == ["case_6"]
    row = dict(zip(result.scores.columns, result.scores.rows[0], strict=True))
    dataset = open_dataset(example_dataset())
    truth = read_case(dataset.test_cases[0]).label
    assert row["dice"] == pytest.approx(dice(result.masks["case_6"].whole, truth.array))
    assert row["dice"] > 0.93
    assert row["dice_geodesic"] > 0.9
    assert row["dice_ellipsoid"] > 0.4
    assert 0 < row["surface_distance"] <= row["hausdorff_95"] <= row["hausdorff"] < 4
    assert row["volume_truth"] == pytest.approx(truth.array.sum() * truth.voxel_volume)
    folder = result.save(tmp_path / "out")
    mask = files.read_labels(folder / "mask_case_6.nii.gz")
    assert mask.same_grid(truth)
    assert np.array_equal(mask.array, result.masks["case_6"].whole)
    assert mask.names == {1: "lesion"}
    page = page_of(result).html()
    assert "ellipsoid" in page
    assert "case_6" in page


@pytest.mark.parametrize("resampling", ["probability", "weights", "label"])
def test_what_is_interpolated_makes_a_small_difference(learned: Path, resampling: str) -> None:
    options = TestOptions(**QUICK, resampling=resampling, cases="training", baselines=False)
    result = testing.test(learned, example_dataset(), options)
    assert min(result.scores.columns["dice"]) > 0.9
    assert result.scores.columns["dice_geodesic"] == [None] * 5
    assert "geodesic" not in page_of(result).html().lower().replace("geodesic map", "")


def test_predictions_need_no_labels(learned: Path, tmp_path: Path) -> None:
    source = open_dataset(example_dataset())
    folder = tmp_path / "new"
    for case, end in ((source.cases[0], "Ts"), (source.test_cases[0], "Ts")):
        for kind, paths in (("images", case.images), ("interactions", (case.interactions,))):
            (folder / f"{kind}{end}").mkdir(parents=True, exist_ok=True)
            for path in paths:
                shutil.copy(path, folder / f"{kind}{end}" / path.name)
    result = predicting.predict(learned, folder, PredictOptions(**QUICK))
    assert set(result.masks) == {"case_1", "case_6"}
    truth = read_case(source.cases[0]).label
    assert dice(result.masks["case_1"].whole, truth.array) > 0.93
    assert result.table.columns["label"] == ["lesion", "lesion"]
    saved = result.save(tmp_path / "out")
    assert files.read_labels(saved / "mask_case_1.nii.gz").same_grid(truth)
    page = predict_report(result).html()
    assert "case_6" in page
    assert "data:image/png" in page


def test_cases_that_cannot_be_tested_or_segmented(learned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(example_dataset(), folder)
    two = phantom_dataset(tmp_path / "two", cases=1, size=(20, 20, 16), spacing=(3, 3, 4), images=2)
    with pytest.raises(InputError, match=r"takes 1 images of each case \(MR\), and the dataset two has 2"):
        predicting.predict(learned, two, PredictOptions(**QUICK))
    with pytest.raises(InputError, match="two has no test cases. Add some, or set cases to training"):
        testing.test(learned, two, TestOptions(**QUICK))
    labels = a_model(a_plan(labels=2)).save(tmp_path / "labels")
    with pytest.raises(InputError, match="segments 2 labels"):
        testing.test(labels, folder, TestOptions(**QUICK))
    for path in (folder / "interactionsTs").iterdir():
        path.unlink()
    (folder / "dataset.json").unlink()
    with pytest.raises(InputError, match="case_6 has no points"):
        predicting.predict(learned, folder, PredictOptions(**QUICK, cases="test"))
    with pytest.raises(InputError, match="case_6 has no points. Add its interactions, or switch synthetic on"):
        testing.test(learned, folder, TestOptions(**QUICK, synthetic=False))
    assert testing.test(learned, folder, TestOptions(**QUICK, baselines=False)).scores.columns["dice"][0] > 0.7
    for path in (folder / "labelsTs").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="case_6 has no label map"):
        testing.test(learned, folder, TestOptions(**QUICK))


def test_apples_graphics_processor_is_taken_only_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "resolve", lambda choice: "mps")
    assert network_device("auto") == "cpu"
    assert network_device("mps") == "mps"
