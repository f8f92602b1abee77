"""Small inputs on which a task network is trained in a moment: for tests and the docs."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.options_network import TrainOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.trained import TrainedNetwork
from DeepMRILib.volume import LabelVolume, Volume

SIZE = 32
CASES = 12
NAMES = {1: "ring", 2: "cavity"}
QUICK = TrainOptions(name="example", epochs=2, channels=(4, 8), device="cpu", part="all")


def train_inputs() -> dict[str, Any]:
    """An image whose slices along k are rings of their own, and their labels."""
    dataset = rings()
    image, labels = dataset.images[:, 0].transpose(2, 1, 0), dataset.targets.transpose(2, 1, 0)
    affine = np.diag([2.0, 2.0, 6.0, 1.0])
    return {"data": Volume(image, affine), "labels": LabelVolume(labels.astype(np.int16), affine, names=NAMES)}


def finetune_inputs() -> dict[str, Any]:
    """The images of ``train_inputs``, a network that was trained on them, and a pattern of eight lines."""
    return {"network": model_folder(), "pattern": pattern(), **train_inputs()}


def pattern() -> Pattern:
    """Eight lines, DC first, as a search might find them."""
    middle = SIZE // 2
    return Pattern((tuple(middle + offset for offset in (0, -1, 1, -2, 2, -3, 4, -5)),), (SIZE,), (-1,))


def model_folder() -> Path:
    """The folder of a small network for ``rings``; it is trained once in a process."""
    return Path(_folder().name) / "model"


@functools.cache
def network() -> TrainedNetwork:
    """A small network for ``rings``, trained for a moment."""
    from DeepMRILib.igs.training import train

    return train(rings(), QUICK)


def rings(n: int = CASES, size: int = SIZE, seed: int = 0) -> SliceDataset:
    """Magnitudes (n, 1, size, size) of bright rings with a grey cavity, each at another place, and their labels."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    images, targets = [], []
    for _ in range(n):
        y, x = random.uniform(-size / 8, size / 8, 2)
        outer = random.uniform(0.2, 0.3) * size
        distance = np.hypot(rows - y, columns - x)
        labels = (distance < outer).astype(np.int64) + (distance < 0.65 * outer)
        images.append(np.choose(labels, (0.1, 1.0, 0.5)) + 0.02 * random.standard_normal((size, size)))
        targets.append(labels)
    return SliceDataset(np.abs(np.array(images))[:, None], np.array(targets), names=NAMES, spacing=(2.0, 2.0))


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    network().save(Path(folder.name) / "model")
    return folder
