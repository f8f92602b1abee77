"""Designs of task networks: what they take and give, any size of image, and designs that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("monai")

from DeepMRILib.errors import InputError
from DeepMRILib.igs import SliceDataset
from DeepMRILib.igs.network_nets import build_network, design_for

pytestmark = pytest.mark.torch
UNET = {"kind": "unet", "task": "segmentation", "spatial": 2, "in": 1, "out": 3, "channels": [4, 8, 8]}
RESNET = {**UNET, "kind": "resnet", "task": "classification", "out": 2}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks: threads would wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def slices(targets: np.ndarray | None, contrasts: int = 1, spatial: tuple[int, ...] = (12, 9)) -> SliceDataset:
    return SliceDataset(np.ones((4, contrasts, *spatial)), targets)


def test_the_task_and_the_data_make_the_design() -> None:
    labels = np.zeros((4, 12, 9), int)
    labels[0, 0, 0] = 2
    assert design_for(slices(labels, 2), "auto", (4, 8)) == {
        "kind": "unet", "task": "segmentation", "spatial": 2, "in": 2, "out": 3, "channels": [4, 8],
        "residual_units": 0,
    }  # fmt: skip
    assert design_for(slices(np.array([0, 1, 2, 3])), "auto", (4, 8))["out"] == 4
    volumes = design_for(slices(None, 2, (6, 12, 9)), "attention_unet", (4, 8))
    assert (volumes["task"], volumes["spatial"], volumes["out"]) == ("reconstruction", 3, 2)


def test_a_network_that_does_not_do_the_task_is_refused() -> None:
    with pytest.raises(InputError, match="resnet is not for segmentation. Choose unet"):
        design_for(slices(np.zeros((4, 12, 9), int)), "resnet", (4, 8))
    with pytest.raises(InputError, match="unet is not for classification. Choose resnet"):
        design_for(slices(np.array([0, 1, 0, 1])), "unet", (4, 8))


@pytest.mark.parametrize("kind", ["unet", "attention_unet"])
@pytest.mark.parametrize("size", [(16, 16), (33, 50), (5, 7), (1, 40)])
def test_unets_answer_for_every_pixel_of_any_size(kind: str, size: tuple[int, int]) -> None:
    network = build_network({**UNET, "kind": kind})
    for mode in (network.train(), network.eval()):
        found = mode(torch.randn(2, 1, *size))
        assert found.shape == (2, 3, *size)
        assert found.isfinite().all()


def test_volumes_and_classes() -> None:
    volumes = build_network({**UNET, "spatial": 3, "in": 2}).eval()
    assert volumes(torch.randn(1, 2, 5, 17, 12)).shape == (1, 3, 5, 17, 12)
    for design, size in ((RESNET, (33, 7)), ({**RESNET, "spatial": 3, "channels": [4, 4, 4, 4, 4]}, (9, 20, 5))):
        assert build_network(design).train()(torch.randn(2, 1, *size)).shape == (2, 2)


def test_what_is_padded_does_not_move_the_image() -> None:
    """A network that passes its input through gives it back, however much was padded."""
    network = build_network(UNET)
    network.inner = torch.nn.Identity()
    image = torch.randn(1, 1, 13, 30)
    assert torch.equal(network(image), image)


def test_reconstruction_begins_with_what_is_there() -> None:
    network = build_network({**UNET, "task": "reconstruction", "out": 1}).eval()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    image = torch.randn(1, 1, 13, 30)
    assert torch.equal(network(image), image)


def test_the_network_of_the_figures_has_41_thousand_weights() -> None:
    network = build_network({**UNET, "out": 2, "channels": [8, 16, 32, 64]})
    assert 40_000 < sum(parameter.numel() for parameter in network.parameters()) < 42_000


def test_designs_are_plain_json() -> None:
    network = build_network(json.loads(json.dumps(UNET)))
    assert json.loads(json.dumps(network.design)) == network.design


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "transformer"}, "cannot be built"),
        ({"kind": "resnet"}, "resnet does no segmentation"),
        ({"spatial": 4}, "spatial is 4"),
        ({"in": True}, "in is True"),
        ({"out": 10**9}, "out is"),
        ({"channels": [8]}, "2 to 8"),
        ({"channels": [8, 10**9]}, "2 to 8"),
        ({"channels": "88"}, "2 to 8"),
        ({"extra": 1}, "entries"),
    ],
)
def test_designs_of_anyone_are_checked(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build_network({**UNET, **change})
