"""Adapting a network to one pattern: from Python, and as the job ``igs.finetune``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.fitting import check_fit
from DeepMRILib.igs.options_network import FinetuneOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.model_card import check_name
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.volume import LabelVolume, Volume

if TYPE_CHECKING:
    import torch

    from DeepMRILib.igs.trained import TrainedNetwork


def finetune(
    network: Any,
    dataset: SliceDataset,
    pattern: Pattern | NDArray,
    options: FinetuneOptions | None = None,
    *,
    encoding: Encoding | None = None,
    progress: Progress | None = None,
) -> torch.nn.Module:
    """The network, trained further on images under one mask; the network given is left as it is.

    The epoch with the lowest loss on cases held out is kept, or the network as it was where no epoch is better.

    Args:
        network: a ``torch.nn.Module``, or whatever else ``network_opened.open_network`` takes.
        dataset: with its targets.
        pattern: of which ``options.lines`` and ``options.kind`` choose the mask; or a mask (N,), (N1, N2), or with an
            axis of contrasts before.
        options: see ``FinetuneOptions``; those of ``DataOptions`` but ``seed`` have no effect here.
        encoding: of a mask: the phase-encoded axes; without it the last axis that has as many lines.
        progress: told of each step; may raise ``Cancelled``.

    Returns:
        A new module on the CPU in evaluation mode.

    Raises:
        InputError: a pattern or a network for other images, one slice only, labels of one class only.
        WeightsError: the network is damaged or of another kind.
        DeviceMemoryError: a batch does not fit.
        DependencyError: PyTorch is not installed.
        Cancelled: by ``progress``.
    """
    options = validate(FinetuneOptions() if options is None else options)
    require("torch", "Adapting a network")
    from DeepMRILib.igs.network_opened import open_network
    from DeepMRILib.igs.train_igs import adapt, own_copy

    masks, found = masks_of(pattern, dataset, options, encoding)
    copied = own_copy(open_network(network, dataset, trust=options.trust))
    return adapt(copied, dataset, masks, found, options, progress=progress).network


def finetune_job(
    network: Path | TrainedNetwork,
    data: Path | Volume | SliceDataset,
    pattern: Path | Pattern,
    options: FinetuneOptions | None = None,
    *,
    labels: LabelVolume | None = None,
    phase: Volume | None = None,
    progress: Progress | None = None,
) -> TrainedNetwork:
    """Read data, adapt a network to a pattern (``finetune``) and score it on the cases held out (``igs.finetune``).

    Args:
        network: a model of ``igs.train``: its folder or name, or the ``TrainedNetwork``. Other programs' networks can
            be adapted from Python (``finetune``); a model keeps only networks of DeepMRI.
        data: see ``sources.read_dataset``.
        pattern: the pattern.json of ``igs.find``, its folder, or the ``Pattern``.
        options: of the data and the training.
        labels, phase: of the image, where data are one image.
        progress: may raise ``Cancelled``.

    Returns:
        ``TrainedNetwork``; ``save`` makes a model's folder of it.

    Raises:
        InputError, WeightsError, DeviceMemoryError, DependencyError, Cancelled: as ``finetune``; data or a pattern that
            cannot be read; a network that is none of ``igs.train``.
    """
    started = time.perf_counter()
    options = validate(FinetuneOptions() if options is None else options)
    check_name(options.name)
    require("torch", "Adapting a network")
    require("safetensors", "Keeping a network")
    from DeepMRILib.igs.sources import read_dataset
    from DeepMRILib.igs.train_igs_result import tuned
    from DeepMRILib.igs.trained import TrainedNetwork

    start = network if isinstance(network, TrainedNetwork) else _model(Path(network))
    chosen = pattern if isinstance(pattern, Pattern) else Pattern.load(pattern)
    dataset = read_dataset(data, options, labels=labels, phase=phase, progress=part(progress, 0.0, 0.1))
    masks, encoding = masks_of(chosen, dataset, options, None)
    return tuned(start, dataset, masks, encoding, options, started=started, progress=part(progress, 0.1, 1.0))


def masks_of(
    pattern: Pattern | NDArray, dataset: SliceDataset, options: FinetuneOptions, encoding: Encoding | None
) -> tuple[NDArray, Encoding]:
    """The mask (contrasts or 1, *shape) bool that a network is adapted to, and its encoding.

    Raises:
        InputError: it is not for images of this size or number of contrasts, or acquires nothing.
    """
    if isinstance(pattern, Pattern):
        masks, encoding = pattern.masks(lines=options.lines or None, kind=options.kind), pattern.encoding
    else:
        array = np.asarray(pattern).astype(bool)
        encoding = encoding or _guessed(array, dataset)
        masks = array.reshape(-1, *encoding.shape) if array.shape[-len(encoding.shape) :] == encoding.shape else array
    if masks.shape[1:] != encoding.shape:
        raise InputError(f"The mask has the shape {masks.shape}; expected masks of {encoding.shape}, as its encoding.")
    check_fit(encoding, len(masks), dataset.images.shape)
    if not masks.any():
        raise InputError("The mask acquires nothing. Give one with at least one line.")
    return masks, encoding


def _guessed(mask: NDArray, dataset: SliceDataset) -> Encoding:
    """The axes that a mask without its encoding is of: the last one that has as many lines, or the last two."""
    shape = dataset.images.shape
    if mask.ndim == 1 or (mask.ndim == 2 and mask.shape != shape[-2:] and len(mask) in (1, shape[1])):
        fits = [axis for axis in (-1, -2) if mask.shape[-1] == shape[axis]]
        if fits:
            return Encoding.of(shape, fits[0])
    elif mask.shape[-2:] == shape[-2:] and mask.ndim in (2, 3):
        return Encoding.of(shape, -1, -2)
    raise InputError(
        f"A mask of shape {mask.shape} does not fit images {shape}. Give a mask of as many lines as the images have "
        "rows or columns, or its encoding, such as Encoding.of(dataset.images.shape, axis=-3)."
    )


def _model(path: Path) -> TrainedNetwork:
    from DeepMRILib.igs.trained import TrainedNetwork

    if path.expanduser().is_file():
        raise InputError(
            f"{path.name} is a file of another program, and a model keeps only networks that igs train made. Give the "
            "folder or name of such a model; from Python, igs.finetune adapts any network."
        )
    return TrainedNetwork.load(path)
