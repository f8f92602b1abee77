"""The published breast-MRI checkpoint: read by its path alone, equal to a plain network, and refused if it is none."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from iap_published import breast, plain_logits, plain_network, saved

from DeepMRILib import iap
from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.iap import preprocessing
from DeepMRILib.iap.layout import published_layout
from DeepMRILib.iap.model_opening import keep_checkpoint
from DeepMRILib.iap.network_published import Convolution, PackedConvolution, as_images, built, shapes
from DeepMRILib.model_store import ModelStore


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads that wait for each other are slower than one where several tests run at once."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def networks() -> dict:
    return {outputs: plain_network(outputs, seed=outputs) for outputs in (96, 47)}


@pytest.fixture(scope="module")
def checkpoint(networks, tmp_path_factory) -> Path:
    return saved(networks[47], tmp_path_factory.mktemp("published") / "best.h5")


@pytest.fixture
def slices(rng) -> list:
    return [breast(rng), breast(rng, 448, 448), breast(rng, 512, 358), breast(rng, 100, 224), breast(rng, 224, 224)]


def assert_same(found, wanted):
    """Equal to 1e-5 of the largest: float32 has 6e-8, and millimetres and logits stand side by side."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


@pytest.fixture(scope="module")
def model(checkpoint):
    return iap.load_model(checkpoint, device="cpu")


@pytest.fixture
def state(networks) -> dict:
    """The checkpoint's weights, to be spoilt."""
    return {f"module.{name}": value.clone() for name, value in networks[47].state_dict().items()}


@pytest.mark.parametrize("outputs", [96, 47])
def test_logits_are_those_of_a_plain_network(networks, slices, tmp_path, outputs):
    path = saved(networks[outputs], tmp_path / "tensor(153.4, device='cuda0')_best.h5")
    model = iap.load_model(path, device="cpu")
    wanted, found = plain_logits(networks[outputs], slices), model.logits(slices)
    assert found.dtype == np.float32
    assert found.shape == (len(slices), outputs)
    assert_same(found, wanted)
    for head in model.layout.heads:
        if head.kind != "continuous":
            np.testing.assert_array_equal(head.outputs(found).argmax(1), head.outputs(wanted).argmax(1))
    one_by_one = np.concatenate([model.logits([image]) for image in slices[:2]])
    assert_same(one_by_one, wanted[:2])
    assert np.ptp(wanted, axis=0).max() > 0.5, "slices that all say the same would prove nothing"


def test_weights_are_those_of_monai(networks, slices):
    nets = pytest.importorskip("monai.networks.nets")
    theirs = nets.resnet18(
        spatial_dims=2, n_input_channels=1, num_classes=47, conv1_t_stride=2, shortcut_type="B", bias_downsample=False
    ).eval()
    theirs.load_state_dict(networks[47].state_dict(), strict=True)
    np.testing.assert_allclose(plain_logits(theirs, slices[:1]), plain_logits(networks[47], slices[:1]), atol=1e-6)
    names = {name: tuple(value.shape) for name, value in theirs.state_dict().items() if "num_batches" not in name}
    assert shapes(47) == names


def test_the_quick_convolutions_are_used_where_pytorch_has_them(networks):
    network = built(networks[47].state_dict(), "cpu")
    kind = PackedConvolution if torch.backends.mkldnn.is_available() else Convolution
    assert type(network.stem) is kind


def test_without_quick_convolutions_the_answer_is_the_same(networks, slices, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    network = built(networks[47].state_dict(), "cpu")
    assert type(network.stem) is Convolution
    outputs, features = network(as_images(slices[:2]))
    assert_same(outputs.numpy(), plain_logits(networks[47], slices[:2]))
    assert features.shape == (2, 512)


def test_layouts_are_those_of_the_paper():
    a, b = published_layout(96), published_layout(47)
    assert published_layout(50) is None
    assert [head.parameter for head in a.heads] == [head.parameter for head in b.heads]
    assert [(head.start, head.stop) for head in a.heads[-4:]] == [(63, 67), (67, 94), (94, 95), (95, 96)]
    assert [head.parameter for head in a.heads[-2:]] == ["echo_time", "repetition_time"]
    assert a.head("matrix").classes[-1] == "448x448"
    assert len(a.head("matrix").classes) == 10
    assert [b.head(name).kind for name in ("slice_thickness", "flip_angle", "field_of_view")] == ["continuous"] * 3
    assert b.head("slice_thickness").value(np.array(1.5)) == 1.5
    assert a.head("field_strength").classes == (1.494, 1.5, 2.8936, 3.0)
    assert a.head("field_of_view").classes[26] == 480


@pytest.mark.parametrize("name", ["net.pt", "net", "net.bin", "best (1).h5"])
def test_any_name_will_do(checkpoint, slices, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(checkpoint.read_bytes())
    model = iap.load_model(str(path), device="cpu")
    assert model.name == name
    assert len(model.weights_sha256) == 64
    assert model.logits(slices[:1]).shape == (1, 47)


def test_order_prefix_and_place_of_the_weights_do_not_matter(state, slices, model, tmp_path):
    wanted = model.logits(slices[:1])
    plain = {name.removeprefix("module."): value for name, value in reversed(state.items())}
    twice = {f"module.{name}": value.double() for name, value in state.items() if "num_batches" not in name}
    for number, content in enumerate((plain, {"state_dict": state}, {"net": twice, "epoch": 3})):
        path = tmp_path / f"{number}.pt"
        torch.save(content, path)
        assert_same(iap.load_model(path, device="cpu").logits(slices[:1]), wanted)


def test_a_checkpoint_can_be_kept_under_a_name(checkpoint, model, slices):
    kept = keep_checkpoint(checkpoint, "duke")
    assert kept.card.extra["kind"] == "iap-duke"
    named = iap.load_model(kept.folder / "model.safetensors", device="cpu")
    assert named.name == iap.load_model("duke", device="cpu").name == "duke"
    assert_same(named.logits(slices[:1]), model.logits(slices[:1]))
    ModelStore().delete("duke")
    with pytest.raises(WeightsError, match="There is no model 'duke'"):
        iap.load_model("duke")


def _other_size(state: dict, outputs: int) -> dict:
    return {**state, "module.fc.weight": torch.randn(outputs, 512), "module.fc.bias": torch.zeros(outputs)}


def test_other_sizes_need_labels(state, slices, tmp_path):
    path = tmp_path / "other.h5"
    torch.save({"net": _other_size(state, 5)}, path)
    with pytest.raises(WeightsError, match=r"has 5 outputs; the published ones have 96 or 47\. Write a JSON file"):
        iap.load_model(path)
    heads = [
        {"parameter": "manufacturer", "kind": "categorical", "start": 0, "stop": 2, "classes": ["GE", "SIEMENS"]},
        {"parameter": "field_strength", "kind": "ordinal", "start": 2, "stop": 4, "classes": [1.5, 3.0]},
        {"parameter": "echo_time", "kind": "continuous", "start": 4, "stop": 5},
    ]
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(heads))
    model = iap.load_model(path, labels=labels, device="cpu")
    assert model.logits(slices[:1]).shape == (1, 5)
    assert any("given by the user" in note for note in model.notes)
    (tmp_path / "other.h5.json").write_text(json.dumps({"heads": heads}))
    assert iap.load_model(path, device="cpu").layout == model.layout
    labels.write_text(json.dumps(heads[:2]))
    with pytest.raises(InputError, match="stand for 4 outputs, and the network has 5"):
        iap.load_model(path, labels=labels)


@pytest.mark.parametrize("text", ["not json", "{}", "[1]", '[{"parameter": "echo"}]', '{"heads": 3}'])
def test_labels_that_are_none_are_told(checkpoint, tmp_path, text):
    labels = tmp_path / "labels.json"
    labels.write_text(text)
    with pytest.raises(InputError, match=r"labels .*labels\.json"):
        iap.load_model(checkpoint, labels=labels)


def test_a_pickle_is_refused_and_not_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "was_run",))

    plain = tmp_path / "plain.h5"
    plain.write_bytes(pickle.dumps({"net": Harmful()}))
    wrapped = tmp_path / "wrapped.h5"
    torch.save({"net": Harmful()}, wrapped)
    for path in (plain, wrapped):
        with pytest.raises(WeightsError, match=r"Python objects|no PyTorch weights"):
            iap.load_model(path)
    assert not (tmp_path / "was_run").exists()


def _spoilt(name: str, change):
    def spoil(state: dict) -> dict:
        return {**state, name: change(state[name])}

    return spoil


def _without(name: str):
    return lambda state: {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_spoilt("module.layer1.0.conv1.weight", lambda w: w * torch.nan), "holds values that are no finite numbers"),
        (_spoilt("module.fc.weight", lambda w: w.int()), "holds values that are no finite numbers"),
        (_spoilt("module.bn1.running_var", lambda w: -w), "negative variances"),
        (_spoilt("module.conv1.weight", lambda w: w.repeat(1, 3, 1, 1)), "for slices of one channel"),
        (_without("module.layer4.1.bn2.bias"), r"lacks layer4\.1\.bn2\.bias"),
        (_without("module.fc.weight"), "no last layer fc"),
        (lambda state: {**state, "module.layer1.2.conv1.weight": torch.zeros(3)}, r"also has layer1\.2\.conv1"),
    ],
)
def test_other_and_damaged_networks_are_told(state, tmp_path, spoil, sentence):
    path = tmp_path / "spoilt.h5"
    torch.save({"net": spoil(state), "epoch": 1}, path)
    with pytest.raises(WeightsError, match=sentence):
        iap.load_model(path)


def test_files_of_other_kinds_are_told(checkpoint, tmp_path):
    content = checkpoint.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"0" * 10_000_000)
    kinds = {
        "keras.h5": (b"\x89HDF\r\n\x1a\n" + bytes(99), "an HDF5 file, as Keras writes"),
        "image.dcm": (bytes(128) + b"DICM" + bytes(9), "is an image"),
        "half.h5": (content[: len(content) // 2], "damaged"),
        "empty.h5": (b"", "has 0 bytes"),
        "scan.nii.gz": (b"\x1f\x8b" + bytes(99), "a gzipped file, such as a NIfTI image"),
        "bomb.h5": (packed.getvalue(), "compressed zip"),
        "text.h5": (b"weights", "no PyTorch weights|Python objects"),
    }
    for name, (data, sentence) in kinds.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=sentence):
            iap.load_model(path)
    with pytest.raises(WeightsError) as caught:
        iap.load_model(tmp_path / "half.h5")
    assert str(caught.value) == (
        "half.h5 is no PyTorch weights file, or is damaged. Expected is what torch.save writes: give that file, or "
        "download or copy it again."
    )
    torch.save({"net": {"a": 1}}, tmp_path / "numbers.h5")
    with pytest.raises(WeightsError, match="holds no weights"):
        iap.load_model(tmp_path / "numbers.h5")


def test_places_without_a_model_are_told(tmp_path):
    for place, sentence in (
        (tmp_path / "missing.h5", "There is no file or folder"),
        (tmp_path, "holds no model"),
        ("no_such_model", "There is no model"),
    ):
        with pytest.raises(WeightsError, match=sentence):
            iap.load_model(place)
    with pytest.raises(InputError, match="No model was given"):
        iap.load_model("")


def test_preprocessing_scales_twice_and_cuts_off(rng):
    image = rng.integers(0, 4000, (40, 50)).astype(np.uint16)
    image[0, 0] = 3999
    once = (image.astype(float) * 255.0 / image.max()).astype(np.uint8)
    np.testing.assert_array_equal(preprocessing.eight_bits(image), once)
    np.testing.assert_array_equal(preprocessing.prepared(image), once)
    np.testing.assert_array_equal(preprocessing.prepared(image * 7), once)


def test_inverted_slices_pass_both_scalings_as_upstream(rng):
    image = rng.integers(500, 4000, (40, 50)).astype(np.uint16)
    picture = np.invert((image.astype(float) * 255.0 / image.max()).astype(np.uint8))
    wanted = (picture.astype(float) * 255.0 / picture.max()).astype(np.uint8)
    np.testing.assert_array_equal(preprocessing.prepared(preprocessing.inverted(image)), wanted)


def test_slices_of_zeros_and_odd_numbers_are_guarded(model):
    odd = np.full((30, 30), np.nan, np.float32)
    odd[4:9] = 5.0
    odd[0, 0], odd[0, 1] = -np.inf, -7
    with np.errstate(all="raise"):
        found = model.logits([np.zeros((30, 30), np.uint16), odd])
    assert np.isfinite(found).all()
    assert preprocessing.prepared(odd)[5, 5] == 255
    assert preprocessing.prepared(odd)[0].max() == 0


def test_what_is_no_slice_is_told(model):
    with pytest.raises(InputError, match="There are no slices"):
        model.logits([])
    with pytest.raises(InputError, match="Colour images"):
        model.logits([np.zeros((30, 30, 3))])
    with pytest.raises(InputError, match="real numbers"):
        model.logits([np.zeros((30, 30), complex)])
    with pytest.raises(InputError, match=r"0\.7 x 0\.9 mm; the published network takes square ones"):
        preprocessing.check_square_pixels((0.7, 0.9))
