"""Training a network for a task on full and undersampled images: from Python, and as the job ``igs.train``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from DeepMRILib.errors import require
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.options_network import TrainOptions
from DeepMRILib.model_card import check_name
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.volume import LabelVolume, Volume

if TYPE_CHECKING:
    import torch

    from DeepMRILib.igs.trained import TrainedNetwork


def train_network(
    dataset: SliceDataset, options: TrainOptions | None = None, *, progress: Progress | None = None
) -> torch.nn.Module:
    """A network that segments, classifies or reconstructs the dataset's slices, trained on them.

    Each image is seen full (``options.full`` of the time) or through a random mask of k-space lines: the centre, a
    shifted block, variable density or random lines, up to ``options.highest_acceleration``. A network that knows
    undersampled images gains far more than any choice of lines. The epoch whose loss was lowest on cases held out,
    seen under such masks as well, is kept. The same seed gives the same weights on a CPU.

    Args:
        dataset: with targets, or without for a reconstruction.
        options: see ``TrainOptions``; those of ``DataOptions`` but ``seed`` have no effect here.
        progress: told of each step; may raise ``Cancelled``.

    Returns:
        A ``torch.nn.Module`` on the CPU in evaluation mode. It takes (|z| - mean) / deviation of each image, with the
        mean and deviation of the full image (``dataset.normalisation``), (b, c, h, w) float32, and gives logits
        (b, classes, h, w), (b, classes), or images (b, c, h, w).

    Raises:
        InputError: labels of one class only, one slice only, or a setting that does not fit the task.
        DeviceMemoryError: a batch does not fit.
        DependencyError: PyTorch or MONAI is not installed.
        Cancelled: by ``progress``.
    """
    options = validate(TrainOptions() if options is None else options)
    need_packages()
    from DeepMRILib.igs.train_igs import learn

    return learn(dataset, options, progress).network


def train(
    data: Path | Volume | SliceDataset,
    options: TrainOptions | None = None,
    *,
    labels: LabelVolume | None = None,
    phase: Volume | None = None,
    progress: Progress | None = None,
) -> TrainedNetwork:
    """Read data, train a network on them (``train_network``) and score it on the cases held out (``igs.train``).

    Args:
        data: see ``sources.read_dataset``.
        options: of the data and the training.
        labels, phase: of the image, where data are one image.
        progress: may raise ``Cancelled``; with ``options.checkpoint`` a training that was stopped goes on when it is
            started again, and ends with the same weights.

    Returns:
        ``TrainedNetwork``; ``save`` makes a model's folder of it.

    Raises:
        InputError, DeviceMemoryError, DependencyError, Cancelled: as ``train_network``; data that cannot be read.
        WeightsError, OutputError: the checkpoint is damaged or cannot be written.
    """
    started = time.perf_counter()
    options = validate(TrainOptions() if options is None else options)
    check_name(options.name)
    need_packages()
    require("safetensors", "Keeping a network")
    from DeepMRILib.igs.sources import read_dataset
    from DeepMRILib.igs.train_igs import learn
    from DeepMRILib.igs.train_igs_result import trained

    dataset = read_dataset(data, options, labels=labels, phase=phase, progress=part(progress, 0.0, 0.1))
    learned = learn(dataset, options, part(progress, 0.1, 0.97))
    return trained(learned, options, dataset, started=started, progress=part(progress, 0.97, 1.0))


def need_packages() -> None:
    """Say in time what is missing for training.

    Raises:
        DependencyError: PyTorch or MONAI is not installed.
    """
    require("torch", "Training a network")
    require("monai", "Training a network")
