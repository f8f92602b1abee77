"""What the tests of damaged files of Keras share: changing a good file, and the bounds of its refusal."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from pvs_keras_files import Written, conv, functional, write_h5

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer import read_network
from DeepMRILib.pvs.importer.network_forecast import shapes_of

SECONDS = 5.0
MOST_MB = 500
KERNEL = "model_weights/conv/conv/kernel:0"


@pytest.fixture(scope="module")
def warm() -> None:
    """The first use of PyTorch's meta device takes a second or two, which no file is to blame for."""
    from DeepMRILib.pvs.importer.graph import Graph, Port, Step

    steps = (Step("conv", ("x", "k"), ("y",), {}), Step("silu", ("y",), ("z",)))
    shapes_of(Graph((Port("x", (None, 2, 2, 2, 1)),), ("z",), steps, {"k": np.ones((1, 1, 1, 1, 1), np.float32)}))


def refused(path: Path, words: str | None = None) -> str:
    """The one sentence or two with which a file is refused, within the bounds (of the processor's time)."""
    started = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match=words) as caught:
            read_network(path)
    finally:
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    assert time.process_time() - started < SECONDS
    assert peak < MOST_MB
    text = str(caught.value)
    assert text.endswith((".", "}", "?"))
    assert "\n" not in text
    assert len(text) < 1500
    return text


def edited(folder: Path, change: Callable[[Any], None], *layers: Written) -> Path:
    """A good file that was changed afterwards."""
    path = write_h5(folder / "m.h5", layers or [conv()])
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def with_dataset(folder: Path, **how: Any) -> Path:
    """A file whose kernel is stored in another way."""

    def change(file: Any) -> None:
        del file[KERNEL]
        file.create_dataset(KERNEL, **how)

    return edited(folder, change)


def described(folder: Path, change: Callable[[dict[str, Any]], None], *layers: Written) -> Path:
    """A file with another description."""
    layers = layers or (conv(),)
    config = functional(layers)
    change(config["config"])
    return write_h5(folder / "m.h5", layers, config)
