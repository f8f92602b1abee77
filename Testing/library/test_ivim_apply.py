"""A network that was trained before is applied: by ``ivim.apply``, by ``ivim.fit``, from memory, a folder or a name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, WeightsError

torch = pytest.importorskip("torch")
from ivim_network import a_network, a_series, few_simulations  # noqa: F401 - a fixture

from DeepMRILib import ivim
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.options import ApplyOptions
from DeepMRILib.model_store import ModelCard, ModelStore
from DeepMRILib.volume import DiffusionVolume, LabelVolume

pytestmark = pytest.mark.torch
CPU = ApplyOptions(device="cpu")


@pytest.fixture(scope="module")
def network() -> ivim.TrainedModel:
    return a_network(name="net-1", body_part="liver")


@pytest.fixture
def folder(network: ivim.TrainedModel, tmp_path: Path) -> Path:
    return network.save(tmp_path / "net")


def same_maps(one: ivim.IVIMResult, other: ivim.IVIMResult) -> bool:
    return one.maps.keys() == other.maps.keys() and all(
        np.array_equal(one.maps[name].array, other.maps[name].array) for name in one.maps
    )


def test_from_memory_folder_and_name_it_gives_the_same_maps(network: ivim.TrainedModel, folder: Path) -> None:
    ModelStore().add(folder)
    series = a_series(5)
    direct = ivim.apply(network, series, CPU)
    for place in (folder, str(folder), "net-1"):
        result = ivim.apply(place, series, CPU)
        assert same_maps(result, direct)
        assert result.provenance.weights_sha256 == direct.provenance.weights_sha256 == network.sha256


def test_a_fit_with_a_network_is_the_application_of_it(network: ivim.TrainedModel, folder: Path) -> None:
    series = a_series(5)
    options = ivim.FitOptions(method="ivimnet", device="cpu")
    expected = ivim.apply(network, series, CPU)
    result = ivim.fit(series, options, network=folder)
    assert same_maps(result, expected)
    assert result.training is None
    made = result.provenance
    assert made.job == "ivim.fit"
    assert made.options["body_part"] == "liver"
    assert made.inputs["bounds"] == expected.provenance.inputs["bounds"]


def test_the_result_says_which_network_it_is_from(network: ivim.TrainedModel) -> None:
    made = ivim.apply(network, a_series(5), ApplyOptions(device="cpu", seed=3)).provenance
    assert (made.job, made.device, made.seed) == ("ivim.apply", "cpu", 3)
    assert made.inputs["network"] == {"name": "net-1", "preset": "optim", "voxels": 768}
    assert "net-1" in made.engine
    assert made.inputs["b_values_fitted"] == list(network.b_values)


def test_every_map_is_there_and_the_curve_is_the_models(network: ivim.TrainedModel) -> None:
    series = a_series(5)
    labels = LabelVolume((np.arange(384) % 2 + 1).reshape(series.shape), series.affine, {1: "odd", 2: "even"})
    result = ivim.apply(network, series, ApplyOptions(device="cpu", predicted=True), labels=labels)
    for name in ("D", "f", "D_star", "S0", "D_sd", "f_sd", "D_star_sd", "S0_sd", "R2", "RMSE", "quality"):
        assert np.isfinite(result.maps[name].array).all()
    assert result.regions.columns["region"] == ["odd", "even"]
    values = [result.maps[name].array[2, 3, 4] for name in ("D", "f", "D_star", "S0")]
    expected = MODELS["biexp"].signal(np.array(network.b_values), *values)
    assert np.allclose(result.predicted.array[2, 3, 4], np.ravel(expected), rtol=1e-4)


def test_order_and_averaging_are_the_networks_own() -> None:
    b = (0, 0, 10, 40, 40, 150, 400, 800)
    network = a_network([a_series(0, b), a_series(1, b)], average="arithmetic", b_max=500, fit_s0=False)
    series = a_series(2, b)
    order = np.random.default_rng(0).permutation(8)
    shuffled = DiffusionVolume(series.array[..., order], series.affine, series.b_values[order])
    result = ivim.apply(network, shuffled, CPU)
    assert result.provenance.inputs["b_values_fitted"] == [0, 10, 40, 150, 400]
    assert same_maps(result, ivim.apply(network, series, CPU))
    assert "1 images above b = 500" in " ".join(result.provenance.notes)


def test_one_voxel_is_enough_to_apply(network: ivim.TrainedModel) -> None:
    series = a_series(5)
    mask = np.zeros(series.shape)
    mask[4, 4, 4] = 1
    one = ivim.apply(network, series, CPU, mask=mask)
    whole = ivim.apply(network, series, CPU)
    assert np.allclose(one.maps["D"].array[4, 4, 4], whole.maps["D"].array[4, 4, 4], rtol=1e-5)
    assert one.provenance.inputs["voxels_fitted"] == 1


@pytest.mark.parametrize("b", [(0, 10, 20, 40, 80, 150, 300, 500), (0, 10, 20, 40, 80, 150, 300, 500, 900)])
def test_other_b_values_are_refused_with_both_sets(network: ivim.TrainedModel, b: tuple) -> None:
    with pytest.raises(InputError) as refused:
        ivim.apply(network, a_series(5, b), CPU)
    text = str(refused.value)
    assert text.startswith(
        "The network net-1 was trained with 9 images (b = 0, 10, 20, 40, 80, 150, 300, 500, 800 s/mm2)"
    )
    assert f"this series has {len(b)} images (b = {', '.join(map(str, b))} s/mm2)" in text
    assert "ivim.train" in text


def test_a_network_is_for_ivimnet_and_for_its_own_model(network: ivim.TrainedModel) -> None:
    with pytest.raises(InputError, match="the method is lsq. Choose the method ivimnet, or give no network"):
        ivim.fit(a_series(), ivim.FitOptions(), network=network)
    with pytest.raises(InputError, match="trained for the model biexp, not for triexp"):
        ivim.fit(a_series(), ivim.FitOptions(method="ivimnet", model="triexp"), network=network)


def test_what_is_no_network_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no model 'nosuch'"):
        ivim.apply("nosuch", a_series())
    with pytest.raises(WeightsError, match="no model in"):
        ivim.apply(tmp_path, a_series())
    ModelStore().save(ModelCard("other", "ivim", "1", "MIT", "here"), {"w": np.zeros(3, np.float32)})
    with pytest.raises(WeightsError, match="other is no network that ivim.train made"):
        ivim.apply("other", a_series())
    with pytest.raises(InputError, match="ApplyOptions"):
        ivim.apply("other", a_series(), "predicted")


def test_voxels_that_a_network_leaves_out_count_nowhere(network: ivim.TrainedModel) -> None:
    series = a_series(5)
    array = np.array(series.array)
    array[:4] = 100 + series.b_values  # rises with b
    result = ivim.apply(network, series.with_array(array), CPU)
    fitted = np.asarray(result.fitted) > 0
    assert not fitted[:4].any()
    assert all((volume.array[~fitted] == 0).all() for volume in result.maps.values())
    D = result.maps["D"].array[fitted]
    assert result.regions.columns["voxels"] == [fitted.sum()]
    assert result.regions.columns["D_median"] == [pytest.approx(np.median(D), rel=1e-5)]
    assert f"{fitted.size - fitted.sum()} voxels whose signal rises with b" in " ".join(result.provenance.notes)
    array[:] = 100 + series.b_values
    with pytest.raises(InputError, match="No voxel could be fitted. 384 voxels whose signal rises with b"):
        ivim.apply(network, series.with_array(array), CPU)


def test_cancel_stops_it(network: ivim.TrainedModel) -> None:
    def cancel(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ivim.apply(network, a_series(), CPU, progress=cancel)


def test_a_fit_that_trains_says_so_and_shows_its_loss_curve() -> None:
    options = ivim.FitOptions(method="ivimnet", members=1, device="cpu", seed=4, preset="orig")
    result = ivim.fit(a_series(3), options)
    assert any("trained on this series alone" in note and "ivim.train" in note for note in result.provenance.notes)
    assert set(result.training.columns) == {"epoch", "loss", "validation_loss", "learning_rate"}
    assert result.provenance.weights_sha256 is None
    assert result.provenance.seed == 4
    assert same_maps(result, ivim.fit(a_series(3), options))
