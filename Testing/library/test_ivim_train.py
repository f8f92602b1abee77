"""``ivim.train``: one network for a study; what it needs, what it refuses, how it goes on, how it is kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, OutputError, WeightsError

torch = pytest.importorskip("torch")
from ivim_network import a_network, a_series, same_weights

from DeepMRILib import files, ivim, transfer
from DeepMRILib.ivim import signal_store
from DeepMRILib.ivim.report_training import train_report
from DeepMRILib.ivim.studies import TrainOptions, fit_options
from DeepMRILib.model_store import ModelStore, open_model
from DeepMRILib.volume import DiffusionVolume, Volume
from DeepMRILib.weight_files import sha256_of, write_safetensors

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def one_thread() -> object:
    """Bits are compared, and a small network is slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def network() -> ivim.TrainedModel:
    """A network of two series."""
    return a_network(name="net-1", b_max=600, D_bounds=(0.0, 0.004))


# -- what it is trained on ----------------------------------------------------------------------------------------


def test_a_study_trains_as_its_series_joined_into_one(tmp_path: Path) -> None:
    series = [a_series(0), a_series(1)]
    joined = DiffusionVolume(np.concatenate([one.array for one in series]), series[0].affine, series[0].b_values)
    paths = [tmp_path / "a.nii.gz", tmp_path / "b.nii.gz"]
    for path, one in zip(paths, series, strict=True):
        files.write_diffusion(one, path)
    expected = a_network(joined, background=0)
    assert same_weights(a_network(series, background=0), expected)
    assert same_weights(a_network(paths, background=0), expected)
    assert expected.voxels == 2 * 8 * 8 * 6


def test_a_study_on_disk_trains_the_same_network_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    in_memory = a_network()
    monkeypatch.setattr(signal_store.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(signal_store, "IN_MEMORY", 1)
    assert same_weights(a_network(), in_memory)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_another_seed_is_another_network_and_the_same_is_the_same() -> None:
    first = a_network(seed=3)
    assert same_weights(first, a_network(seed=3))
    assert not same_weights(first, a_network(seed=4))


def test_masks_choose_the_voxels() -> None:
    mask = np.zeros((8, 8, 6))
    mask[:4] = 1
    half = a_network(masks=[mask, mask])
    assert half.voxels == 8 * 8 * 6
    assert half.series.columns["voxels"] == [192, 192]
    files_and_none = a_network([a_series(0), a_series(1)], masks=[Volume(mask, a_series(0).affine), None])
    assert files_and_none.voxels == 192 + 384


def test_repeats_and_directions_that_are_not_averaged_and_series_without_b_0() -> None:
    b = (15, 15, 15, 60, 60, 60, 200, 200, 500, 500, 800, 803)
    model = a_network([a_series(0, b), a_series(1, b)])
    assert model.b_values == tuple(sorted(map(float, b)))
    result = ivim.apply(model, a_series(2, b))
    assert np.isfinite(result.maps["D"].array).all()
    averaged = a_network([a_series(0, b), a_series(1, b)], average="arithmetic")
    assert averaged.b_values == (15, 60, 200, 500, 801.5)


def test_at_most_so_many_voxels() -> None:
    model = a_network(max_voxels=300)
    assert model.voxels == 300
    assert model.provenance.notes == ("300 of 768 voxels were drawn at random for the training.",)


def test_a_network_of_one_series_says_what_that_means() -> None:
    assert any("one network on all series" in note for note in a_network(a_series(0)).provenance.notes)


# -- what it refuses ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "a/b"}, "model name 'a/b' cannot be used"),
        ({"D_bounds": (0.003, 0.001)}, "bounds of D"),
        ({"members": 0}, "members is 0"),
        ({"device": "cuda"}, "device cuda was asked for"),
        ({"model": "adc"}, "model is 'adc'; choose one of biexp, triexp"),
        ({"b_max": 30}, "needs at least 4 distinct b-values"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_read(changes: dict, words: str) -> None:
    if changes.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(InputError, match=words):
        a_network(**changes)


def test_other_options_are_refused() -> None:
    with pytest.raises(InputError, match="TrainOptions"):
        ivim.train(a_series(), ivim.FitOptions())


def test_too_few_voxels_say_how_many_are_needed_and_why() -> None:
    mask = np.zeros((8, 8, 6))
    mask[0, 0, 0] = 1
    with pytest.raises(InputError, match="There is 1 voxel to train on, and a network needs at least 200: a tenth"):
        a_network(a_series(), masks=mask)
    mask[:2] = 1
    with pytest.raises(InputError, match="There are 96 voxels"):
        ivim.fit(a_series(), ivim.FitOptions(method="ivimnet", members=1, preset="optim"), mask=mask)


def test_series_with_other_b_values() -> None:
    with pytest.raises(InputError, match="Series 2: It has 9 images .* and series 1 has 8 images"):
        a_network([a_series(0, (0, 10, 20, 40, 80, 150, 300, 500)), a_series(1)])


# -- stopped and gone on ------------------------------------------------------------------------------------------


def stopper(at: float) -> object:
    """A progress that cancels in the training."""

    def progress(fraction: float, message: str) -> None:
        if fraction >= at:
            raise Cancelled

    return progress


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_stopped_training_goes_on_to_the_same_network(tmp_path: Path, where: float) -> None:
    settings = {"members": 2, "epochs": 4}
    whole = a_network(**settings)
    file = tmp_path / "run.ckpt"
    with pytest.raises(Cancelled):
        a_network(**settings, checkpoint=str(file), progress=stopper(where))
    assert file.is_file()
    resumed = a_network(**settings, checkpoint=str(file))
    assert same_weights(resumed, whole)
    assert resumed.history.columns == whole.history.columns
    assert same_weights(a_network(**settings, checkpoint=str(file)), whole)


def test_cancel_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(signal_store.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(signal_store, "IN_MEMORY", 1)
    for where in (0.05, 0.5):
        with pytest.raises(Cancelled):
            a_network(progress=stopper(where))
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_is_damaged_foreign_or_has_no_place(tmp_path: Path) -> None:
    file = tmp_path / "run.ckpt"
    a_network(checkpoint=str(file))
    whole = file.read_bytes()
    with pytest.raises(InputError, match="run.ckpt"):
        a_network(checkpoint=str(file), seed=9)
    with pytest.raises(InputError, match="run.ckpt"):
        a_network(a_series(0), checkpoint=str(file))
    with pytest.raises(InputError, match="run.ckpt"):
        a_network([a_series(5), a_series(6)], checkpoint=str(file))
    assert file.read_bytes() == whole
    file.write_bytes(whole[:200])
    with pytest.raises(WeightsError, match="run.ckpt"):
        a_network(checkpoint=str(file))
    with pytest.raises(OutputError, match="does not exist"):
        a_network(checkpoint=str(tmp_path / "nowhere" / "run.ckpt"))


# -- kept and found again -----------------------------------------------------------------------------------------


def test_its_folder_is_a_model_that_says_how_it_was_made(network: ivim.TrainedModel, tmp_path: Path) -> None:
    folder = network.save(tmp_path / "net")
    model = open_model(folder, "ivim")
    model.check()
    assert model.card.name == "net-1"
    assert model.card.sha256 == network.sha256
    assert model.card.preprocessing["b_values"] == [0, 10, 20, 40, 80, 150, 300, 500]
    assert model.card.preprocessing["D_bounds"] == [0.0, 0.004]
    assert model.card.preprocessing["b_max"] == 600
    entries = json.loads((folder / "result.json").read_text())
    names = sorted(path.name for path in folder.iterdir())
    assert entries["files"] == names
    assert names == ["history.csv", "model.json", "model.safetensors", "result.json", "series.csv"]
    assert entries["provenance"]["weights_sha256"] == network.sha256


def test_what_is_loaded_is_what_was_saved(network: ivim.TrainedModel, tmp_path: Path) -> None:
    folder = network.save(tmp_path / "net")
    ModelStore().add(folder)
    for loaded in (
        ivim.TrainedModel.load(folder),
        ivim.TrainedModel.load(str(folder)),
        ivim.TrainedModel.load("net-1"),
    ):
        assert same_weights(loaded, network)
        for name in ("name", "plan", "options", "b_values", "voxels", "sha256"):
            assert getattr(loaded, name) == getattr(network, name)
    assert ivim.TrainedModel.load(folder).history.columns == network.history.columns
    assert ivim.TrainedModel.load("net-1").history.columns == {}
    again = ivim.TrainedModel.load("net-1").save(tmp_path / "again")
    assert (again / "model.json").read_bytes() == (folder / "model.json").read_bytes()
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_the_card_names_no_file_and_no_command(network: ivim.TrainedModel, tmp_path: Path) -> None:
    secret = {"files": {"volumes 1": {"path": "/home/doe/john.nii.gz"}}}
    made = network.provenance
    known = replace(
        made,
        command="deepmri ivim train john.nii.gz",
        inputs={**made.inputs, **secret},
        options={**made.options, "checkpoint": "john.ckpt"},
    )
    folder = replace(network, provenance=known).save(tmp_path / "net")
    assert "john" not in (folder / "model.json").read_text()
    assert "john" in (folder / "result.json").read_text()


def test_it_travels_between_processes(network: ivim.TrainedModel, tmp_path: Path) -> None:
    arrived = transfer.decode(json.loads(json.dumps(transfer.encode(network, tmp_path))), tmp_path)
    assert same_weights(arrived, network)
    assert (arrived.plan, arrived.options, arrived.b_values) == (network.plan, network.options, network.b_values)
    assert arrived.provenance == network.provenance


def test_the_page_shows_the_loss(network: ivim.TrainedModel) -> None:
    page = train_report(network).html()
    assert "data:image/png" in page
    assert "net-1" in page
    assert "Series" in page


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda card: card["extra"].update(kind="classifier"), "net-1 is no network that ivim.train made"),
        (lambda card: card.update(extra={}), "net-1 is no network that ivim.train made"),
        (lambda card: card["extra"].update(format=2), "format 2, and this version .* reads format 1. Update"),
        (lambda card: card["extra"].update(format="1"), "format '1', and this version"),
        (lambda card: card["extra"].pop("plan"), "lacks the entry plan"),
        (lambda card: card["extra"].update(plan={"no": 1}), "model.json of net-1 is not usable"),
        (lambda card: card["extra"].update(plan=3), "model.json of net-1 is not usable"),
        (lambda card: card["extra"].update(voxels="many"), "model.json of net-1 is not usable"),
        (lambda card: card["extra"].update(provenance={}), "model.json of net-1 is not usable"),
        (lambda card: card["extra"].update(voxels=-5), "number of voxels is -5. Train it again"),
        (lambda card: card["extra"].update(provenance=[]), "its provenance is a list. Train it again"),
        (lambda card: card["extra"]["provenance"].update(notes=5), "provenance's notes is 5. Train"),
        (lambda card: card["extra"]["provenance"].update(notes=[5]), "provenance's notes are no texts"),
        (lambda card: card["extra"]["provenance"].update(more=5), "has an entry 'more', which this version"),
        (lambda card: card["extra"]["provenance"].update(device=5), "provenance's device is 5"),
        (lambda card: card["extra"]["plan"].update(preset="orig"), "plan has another preset"),
        (lambda card: card["preprocessing"].update(members=7), "plan has another members"),
        (lambda card: card["preprocessing"].update(fit_s0=False), "plan has another fit_s0"),
        (
            lambda card: card["extra"]["plan"].update(depth=20, width=4096),
            "has 1,[0-9,]+ numbers by its model.json, and its weights hold",
        ),
        (lambda card: card["preprocessing"].pop("average"), "lacks the entry average"),
        (lambda card: card["preprocessing"].pop("f_bounds"), "lacks the entry f_bounds"),
        (lambda card: card["preprocessing"].update(model="quad"), "model is 'quad'"),
        (lambda card: card["preprocessing"].update(f_bounds=[0.5, 0.1]), "bounds of f"),
        (lambda card: card["preprocessing"].update(b_values=[]), "b-values are missing"),
        (lambda card: card["preprocessing"].update(b_values=[0, "x"]), "b-values must be numbers"),
        (lambda card: card["preprocessing"].update(extra_one=1), "extra_one is not a setting"),
        (lambda card: card.update(method="pvs"), "is for pvs, not for ivim"),
        (lambda card: card.update(sha256="0" * 64), "damaged or are others"),
    ],
)
def test_a_model_that_cannot_be_used_is_one_sentence(
    network: ivim.TrainedModel, tmp_path: Path, change: object, words: str
) -> None:
    folder = network.save(tmp_path / "net")
    card = json.loads((folder / "model.json").read_text())
    change(card)
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match=words) as refused:
        ivim.apply(folder, a_series())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", ["missing", "one too few", "other shape", "not a number", "infinite", "whole"])
def test_weights_that_do_not_fit_are_one_sentence(network: ivim.TrainedModel, tmp_path: Path, kind: str) -> None:
    folder = network.save(tmp_path / "net")
    weights = dict(network.weights)
    name = next(name for name, value in weights.items() if value.ndim > 1)
    if kind == "one too few":
        weights.pop(name)
    elif kind == "other shape":
        weights[name] = weights[name][:, :-1]
    elif kind in ("not a number", "infinite"):
        weights[name] = np.full_like(weights[name], np.nan if kind == "not a number" else np.inf)
    elif kind == "whole":
        weights[name] = weights[name].astype(np.int32)
    card = json.loads((folder / "model.json").read_text())
    write_safetensors(folder / "model.safetensors", weights)
    card["sha256"] = sha256_of(folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(card))
    if kind == "missing":
        (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError):
        ivim.apply(folder, a_series(b_values=(0, 10, 20, 40, 80, 150, 300, 500)))


def test_a_damaged_loss_curve_says_that_it_may_go(network: ivim.TrainedModel, tmp_path: Path) -> None:
    folder = network.save(tmp_path / "net")
    (folder / "history.csv").write_text("epoch,loss,validation_loss,learning_rate\n1,much,2,3\n")
    with pytest.raises(WeightsError, match="history.csv is no loss curve .* Delete it"):
        ivim.TrainedModel.load(folder)


def test_settings_with_the_names_of_the_fits_are_the_fits() -> None:
    options = TrainOptions(body_part="liver", average="geometric", b_min=5, f_bounds=(0.0, 0.9), members=3)
    fit = fit_options(options)
    assert (fit.method, fit.body_part, fit.average, fit.b_min, fit.f_bounds, fit.members) == (
        "ivimnet", "liver", "geometric", 5, (0.0, 0.9), 3,
    )  # fmt: skip
