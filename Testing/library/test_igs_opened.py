"""Opening networks: modules, models, TorchScript and bundles; what does not fit the data; asking them in batches."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, DeviceMemoryError, InputError, WeightsError

torch = pytest.importorskip("torch")
pytest.importorskip("monai")
pytest.importorskip("safetensors")

from torch import nn

from DeepMRILib.igs import Encoding, PatternOptions, SliceDataset
from DeepMRILib.igs.blocks import block_mask
from DeepMRILib.igs.example_training import NAMES, model_folder, network, rings
from DeepMRILib.igs.network_nets import build_network, design_for
from DeepMRILib.igs.network_objective import NetworkObjective
from DeepMRILib.igs.network_opened import open_network
from DeepMRILib.igs.network_predict import magnitudes_of, predict
from DeepMRILib.model_store import ModelStore

pytestmark = pytest.mark.torch


class Foreign(nn.Module):
    """A network of another program, for one contrast; it halves the image inside, so that odd sizes do not work."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 4, 2, stride=2), nn.ConvTranspose2d(4, classes, 2, stride=2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(images)) + 0 * images


class Bomb:
    """A pickle that does something when it is opened."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("opened"),))


def script(path: Path, module: nn.Module | None = None) -> Path:
    torch.jit.script(module or Foreign()).save(str(path))
    return path


def other(contrasts: int = 1, spatial: int = 2, classes: int = 3) -> SliceDataset:
    images = np.random.default_rng(0).random((2, contrasts, *[32] * spatial))
    return SliceDataset(images, np.arange(images[:, 0].size).reshape(images[:, 0].shape) % classes)


# -- ours --


def test_a_module_a_result_a_folder_and_a_name_are_the_same_network() -> None:
    image = torch.randn(1, 1, 32, 32)
    wanted = network().module()(image)
    ModelStore().add(model_folder())
    for one in (network().module(), network(), model_folder(), str(model_folder()), "example", Path("example")):
        module = open_network(one, rings())
        assert not module.training
        assert torch.equal(module(image), wanted)


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        (other(contrasts=2), "takes 1 contrasts, and the data have 2"),
        (other(spatial=3), "is for slices, and the data are whole volumes"),
        (other(classes=4), "knows 3 classes, and the data have 4 labels with background"),
        (SliceDataset(rings().images, np.arange(12) % 2), "is for segmentation, and the data are for classification"),
        (SliceDataset(rings().images), "is for segmentation, and the data are for reconstruction"),
    ],
)
def test_a_network_for_other_data_is_refused(dataset: SliceDataset, words: str) -> None:
    with pytest.raises(InputError, match=f"The network example {words}"):
        open_network(network(), dataset)


def test_where_data_have_no_labels_any_task_may_be_allowed() -> None:
    assert open_network(network(), SliceDataset(rings().images), any_task=True)
    with pytest.raises(InputError, match="takes 1 contrasts"):
        open_network(network(), SliceDataset(other(2).images), any_task=True)


def test_a_part_of_the_data_may_lack_a_label() -> None:
    assert open_network(network(), SliceDataset(rings().images, np.minimum(rings().targets, 1)))


def test_a_volume_network_does_not_take_slices() -> None:
    volumes = build_network(design_for(other(spatial=3), "unet", (4, 8)))
    with pytest.raises(InputError, match="is for whole volumes, and the data are slices"):
        open_network(volumes, rings())


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.nii.gz").write_bytes(b"x")
    for given, words in (
        (3, "A int is no network"),
        (tmp_path / "image.nii.gz", "no network that can be opened"),
    ):
        with pytest.raises(InputError, match=words):
            open_network(given, rings())
    for given in ("nothing_of_this_name", tmp_path):
        with pytest.raises(WeightsError, match="no model"):
            open_network(given, rings())


# -- those of others --


@pytest.mark.parametrize("name", ["network.ts", "network.pt", "NETWORK.PTH"])
def test_torchscript_runs_only_when_its_author_is_trusted(tmp_path: Path, name: str) -> None:
    foreign = Foreign().eval()
    path = script(tmp_path / name, foreign)
    with pytest.raises(InputError, match="runs code of its author.*--trust"):
        open_network(path, rings())
    image = torch.randn(1, 1, 32, 32)
    assert torch.equal(open_network(path, rings(), trust=True)(image), foreign(image))


def test_a_pattern_can_be_searched_behind_torchscript(tmp_path: Path) -> None:
    foreign, dataset = Foreign().eval(), rings()
    encoding = Encoding.of(dataset.images.shape, -1)
    mask = block_mask(encoding, 6)[None]
    opened = open_network(script(tmp_path / "network.ts", foreign), dataset, trust=True)
    losses = [
        NetworkObjective(dataset, module, encoding, PatternOptions(device="cpu")).gradient(mask)
        for module in (foreign, opened, torch.jit.script(foreign))
    ]
    for loss, gradient in losses[1:]:
        assert loss == pytest.approx(losses[0][0], rel=1e-5)
        np.testing.assert_allclose(gradient, losses[0][1], rtol=1e-3, atol=1e-6)


def test_nothing_of_a_pickle_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain.pt").write_bytes(pickle.dumps(Bomb()))
    torch.save(Bomb(), "zipped.pt")
    torch.save(Foreign().state_dict(), "weights.pth")
    Path("short.ts").write_bytes(b"PK\x03\x04")
    for name in ("plain.pt", "zipped.pt", "weights.pth", "short.ts"):
        with pytest.raises(WeightsError, match="holds no TorchScript"):
            open_network(Path(name), rings(), trust=True)
    assert not Path("opened").exists()


def test_damaged_torchscript_is_told(tmp_path: Path) -> None:
    path = script(tmp_path / "network.ts")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(WeightsError, match=r"network\.ts holds no TorchScript"):
        open_network(path, rings(), trust=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("network/code/__torch__.py", "def forward")
    with pytest.raises(WeightsError, match=r"network\.ts cannot be opened as TorchScript"):
        open_network(path, rings(), trust=True)


def test_of_a_bundle_only_its_torchscript_is_read(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "models").mkdir(parents=True)
    (bundle / "configs").mkdir()
    (bundle / "configs" / "inference.json").write_text("{\"x\": \"$__import__('pathlib').Path('opened').touch()\"}")
    with pytest.raises(InputError, match="no TorchScript file"):
        open_network(bundle, rings(), trust=True)
    script(bundle / "models" / "model.ts")
    with pytest.raises(InputError, match="runs code of its author"):
        open_network(bundle, rings())
    assert open_network(bundle, rings(), trust=True)
    script(bundle / "models" / "model_other.ts", Foreign(classes=2))
    assert open_network(bundle, rings(), trust=True)(torch.zeros(1, 1, 32, 32)).shape[1] == 3
    (bundle / "models" / "model.ts").rename(bundle / "models" / "model_third.ts")
    with pytest.raises(InputError, match="2 TorchScript files"):
        open_network(bundle, rings(), trust=True)
    assert not Path("opened").exists()


@pytest.mark.parametrize("scripted", [False, True])
def test_a_foreign_network_for_other_data_is_refused(tmp_path: Path, scripted: bool) -> None:
    given = script(tmp_path / "foreign.ts") if scripted else Foreign()
    for dataset, words in (
        (other(contrasts=2), "2 contrasts of slices of 32 x 32: .*expected input.* 1 channels"),
        (other(spatial=3), "1 contrast of whole volumes of 32 x 32 x 32"),
        (rings(size=31), "1 contrast of slices of 31 x 31"),
        (other(classes=5), "knows 3 classes, and the data have 5"),
        (SliceDataset(rings().images), "gives 3 x 32 x 32 for a slice, and an image of 1 x 32 x 32"),
        (SliceDataset(rings().images, np.arange(12) % 2), "one number for each class are needed"),
    ):
        with pytest.raises(InputError, match=words):
            open_network(given, dataset, trust=True)


def test_a_network_with_several_outputs_is_refused() -> None:
    class Several(Foreign):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (super().forward(images),)

    with pytest.raises(InputError, match="gives a tuple"):
        open_network(Several(), rings())


def test_a_network_that_cannot_be_differentiated_is_refused_by_the_search(tmp_path: Path) -> None:
    class Cut(Foreign):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.up(self.down(images)).detach()

    for module in (Cut(), open_network(script(tmp_path / "cut.ts", Cut()), rings(), trust=True)):
        objective = NetworkObjective(rings(), module, Encoding((-1,), (32,)), PatternOptions(device="cpu"))
        with pytest.raises(InputError, match="no derivative with respect to its input"):
            objective.gradient(np.ones((1, 32)))


# -- asked --


def test_answers_that_are_no_numbers_are_refused() -> None:
    class Broken(Foreign):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images) * float("nan")

    dataset = rings()
    with pytest.raises(InputError, match="gives NaN or infinite values"):
        predict(Broken(), dataset.magnitude(), *dataset.normalisation())


def test_magnitudes_of_a_reconstruction_are_not_below_0() -> None:
    found = np.array([[[[-2.0, 0.0, 1.0]]]])
    np.testing.assert_array_equal(magnitudes_of(found, np.array([[3.0]]), np.array([[2.0]])), [[[[0.0, 3.0, 5.0]]]])


def test_the_batch_changes_nothing_and_the_network_stays_as_it_was() -> None:
    dataset, module = rings(), network().module().train()
    arguments = (dataset.magnitude(), *dataset.normalisation())
    found = predict(module, *arguments, batch=5)
    assert found.dtype == np.float32
    assert found.shape == (12, 3, 32, 32)
    assert module.training
    np.testing.assert_allclose(found, predict(module, *arguments, batch=1), atol=1e-5)
    flat = (arguments[0][:1] - arguments[1][0, 0]) / arguments[2][0, 0]
    with torch.no_grad():
        np.testing.assert_allclose(found[:1], module.eval()(torch.from_numpy(flat)).numpy(), atol=1e-5)


def test_asking_can_be_cancelled() -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    dataset = rings()
    with pytest.raises(Cancelled):
        predict(network().module(), dataset.magnitude(), *dataset.normalisation(), progress=stop)


def test_too_little_memory_is_told() -> None:
    class Greedy(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.repeat(2**34, 1, 1, 1)

    dataset = rings()
    with pytest.raises(DeviceMemoryError, match="smaller batches"):
        predict(Greedy(), dataset.magnitude(), *dataset.normalisation())
    with pytest.raises(DeviceMemoryError, match="smaller images"):
        open_network(Greedy(), dataset)


def test_names_are_kept_in_a_subset() -> None:
    """A network for all labels fits a few slices of the same data."""
    dataset = SliceDataset(rings().images, rings().targets, NAMES)
    assert open_network(network(), dataset.subset([0]))
