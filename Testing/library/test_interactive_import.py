"""Networks of InteractiveNet: their weights read without running code, and the same outputs as before."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import InputError, WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
from interactive_network import one_thread

from DeepMRILib import interactive
from DeepMRILib.interactive.example_pipeline import example_case
from DeepMRILib.interactive.example_training import import_inputs
from DeepMRILib.interactive.importing import import_upstream
from DeepMRILib.interactive.network_forward import Ensemble
from DeepMRILib.interactive.options_training import ImportOptions
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.interactive.trained import TrainedModel

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
NAMED = ImportOptions(name="task")
STRIDES = [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 1]]
KERNELS = [[3, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 1]]


def their_network(seed: int) -> torch.nn.Module:
    """As InteractiveNet builds it, by MONAI alone."""
    from monai.networks.nets import DynUNet

    torch.manual_seed(seed)
    return DynUNet(
        spatial_dims=3,
        in_channels=2,
        out_channels=2,
        kernel_size=KERNELS,
        strides=STRIDES,
        upsample_kernel_size=STRIDES[1:],
        filters=[4, 8, 16, 32, 64, 128],
        norm_name="instance",
        act_name="leakyrelu",
        deep_supervision=True,
        deep_supr_num=1,
    )


def their_folder(folder: Path, networks: list[torch.nn.Module]) -> Path:
    """Weights with ``_model.`` before their names, and plans.json."""
    folder.mkdir()
    plans = {
        "Fingerprint": {
            "CT": True, "Clipping": [-50.0, 200.0], "Intensity_mean": 60.0, "Intensity_std": 30.0,
            "Target spacing": [0.8, 0.8, 1.5],
        },
        "Plans": {
            "kernels": KERNELS, "strides": STRIDES, "deep supervision": 1, "deep supervision weights": [0.667, 0.333],
            "padding": 0.1, "divisible by": [8, 8, 4],
        },
    }  # fmt: skip
    (folder / "plans.json").write_text(json.dumps(plans))
    for fold, network in enumerate(networks):
        state = OrderedDict((f"_model.{name}", value) for name, value in network.state_dict().items())
        assert any(name.startswith("_model.skip_layers.") for name in state)
        torch.save(state, folder / f"fold{fold}.pt")
    return folder


def test_the_networks_give_the_same_outputs_bit_by_bit(tmp_path: Path) -> None:
    networks = [their_network(seed).eval() for seed in range(3)]
    folder = their_folder(tmp_path / "task", networks)
    saved = import_upstream(folder, ImportOptions(name="task", licence="CC-BY-4.0")).save(tmp_path / "model")
    model = TrainedModel.load(saved)
    assert model.folds == (0, 1, 2)
    assert model.plan.channels == ("CT",)
    assert (model.plan.geodesic, model.plan.as_upstream) == ("compat", True)
    assert model.licence == "CC-BY-4.0"
    assert not any("skip_layers" in name for name in model.weights)
    given = torch.randn(2, 16, 24, 12)
    for fold, network in enumerate(networks):
        with torch.no_grad():
            expected = network(given[None])[0].numpy()
        ensemble = Ensemble.of(model, "cpu", [fold], half=False)
        assert np.array_equal(ensemble.probability(given.numpy(), flips=False, softmax=False), expected)
    mean = np.mean([network(given[None])[0].detach().numpy() for network in networks], axis=0)
    every = Ensemble.of(model, "cpu", half=False)
    assert np.allclose(every.probability(given.numpy(), flips=False, softmax=False), mean, atol=1e-5)


def test_an_imported_network_segments(tmp_path: Path) -> None:
    model = import_upstream(import_inputs()["folder"], NAMED).save(tmp_path / "model")
    volume, mask = example_case(3)
    options = interactive.SegmentOptions(engine="network", device="cpu")
    result = interactive.segment(volume, synthetic_points(mask, depth=2.0), options, model=model)
    assert result.mask.shape == volume.shape
    assert "2 folds" in result.provenance.engine


def test_a_lightning_checkpoint_and_folders_for_each_fold(tmp_path: Path) -> None:
    network = their_network(0)
    folder = their_folder(tmp_path / "task", [])
    for fold in (10, 2):
        (folder / str(fold)).mkdir()
        state = {f"_model.{name}": value + fold for name, value in network.state_dict().items()}
        torch.save({"epoch": 3, "state_dict": state}, folder / str(fold) / "best.ckpt")
    model = import_upstream(folder, NAMED)
    bias = network.state_dict()["output_block.conv.conv.bias"].numpy()
    assert np.array_equal(model.weights_of(0)["output_block.conv.conv.bias"], bias + 2)
    assert np.array_equal(model.weights_of(1)["output_block.conv.conv.bias"], bias + 10)


def test_whole_python_objects_are_refused_with_the_way_out(tmp_path: Path) -> None:
    folder = their_folder(tmp_path / "task", [])
    torch.save(their_network(0), folder / "model.pth")
    with pytest.raises(WeightsError, match=r"whole Python objects.*torch.save\(model.state_dict\(\), 'fold0.pt'\)"):
        import_upstream(folder, NAMED)


def test_weights_of_another_network_or_none(tmp_path: Path) -> None:
    folder = their_folder(tmp_path / "task", [])
    with pytest.raises(InputError, match="There are no weights"):
        import_upstream(folder, NAMED)
    file = folder / "fold0.pt"
    state = {f"_model.{name}": value for name, value in their_network(0).state_dict().items()}
    changes = {
        "lacks bottleneck.conv1.conv.weight": {
            name: value for name, value in state.items() if "bottleneck.conv1" not in name
        },
        "also has extra.weight": {**state, "_model.extra.weight": torch.zeros(2)},
        "has the shape": {**state, "_model.output_block.conv.conv.bias": torch.zeros(5)},
        "holds no DynUNet": {"something": torch.zeros(2)},
        "holds no weights": {"epoch": 3},
    }
    for words, content in changes.items():
        torch.save(content, file)
        with pytest.raises(WeightsError, match=words):
            import_upstream(folder, NAMED)
    file.write_bytes(b"rubbish")
    with pytest.raises(WeightsError, match="fold0.pt"):
        import_upstream(folder, NAMED)
    torch.save({**state, "_model.output_block.conv.conv.bias": torch.tensor([0.0, torch.nan])}, file)
    with pytest.raises(WeightsError, match="no finite numbers"):
        import_upstream(folder, NAMED)


@pytest.mark.parametrize("kind", ["sparse", "meta", "complex", "whole"])
def test_weights_in_an_unusual_form_are_one_sentence(tmp_path: Path, kind: str) -> None:
    network = their_network(0)
    folder = their_folder(tmp_path / "task", [network])
    state = dict(network.state_dict())
    name = "input_block.conv1.conv.weight"
    changes = {"sparse": torch.Tensor.to_sparse, "complex": lambda w: w + 1j, "whole": torch.Tensor.int}
    state[name] = changes.get(kind, lambda w: w.to("meta"))(state[name])
    torch.save(state, folder / "fold0.pt")
    with pytest.raises(WeightsError, match=f"fold0.pt holds {name} in a form that is not used for weights"):
        import_upstream(folder, NAMED)


def test_more_files_than_a_model_has_folds_are_refused(tmp_path: Path) -> None:
    folder = their_folder(tmp_path / "task", [their_network(0)])
    for number in range(1, 101):
        (folder / f"fold{number}.pt").touch()
    with pytest.raises(InputError, match="There are 101 files of weights .* up to 100"):
        import_upstream(folder, NAMED)


def test_plans_that_are_missing_or_of_another_kind(tmp_path: Path) -> None:
    folder = their_folder(tmp_path / "task", [their_network(0)])
    with pytest.raises(InputError, match="channels names 2 images"):
        import_upstream(folder, ImportOptions(name="task", channels=("T1", "T2")))
    with pytest.raises(InputError, match="model name"):
        import_upstream(folder, ImportOptions(name="a/b"))
    assert import_upstream(folder, ImportOptions(channels=("MR",), label="tumour")).plan.labels == ("tumour",)
    (folder / "plans.json").write_text("{}")
    with pytest.raises(InputError, match="no plans.json of InteractiveNet"):
        import_upstream(folder, NAMED)
    (folder / "plans.json").unlink()
    with pytest.raises(InputError, match="There is no plans.json"):
        import_upstream(folder, NAMED)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ([False], "none"),
        (["fillholes"], "fill"),
        (["largestcomponent", "largestcomponent", False], "largest"),
        (["fillholes_and_largestcomponent"], "fill+largest"),
        ([], "fill+largest"),
    ],
)
def test_what_was_chosen_after_training_is_kept(chosen: list, expected: str, tmp_path: Path) -> None:
    folder = their_folder(tmp_path / "task", [their_network(0)])
    for fold, way in enumerate(chosen):
        (folder / str(fold)).mkdir()
        text = json.dumps({"using_checkpoint": True, "postprocessing": way})
        (folder / str(fold) / "postprocessing.json").write_text(text)
    assert import_upstream(folder, NAMED).postprocessing == expected
    (folder / "postprocessing.json").write_text(json.dumps({"postprocessing": "magic"}))
    with pytest.raises(InputError, match="says 'magic'"):
        import_upstream(folder, NAMED)
