"""``pvs.train``: a network for perivascular spaces that learns from generated ones; nobody has to draw any."""

from __future__ import annotations

import time
from pathlib import Path

from DeepMRILib.errors import require
from DeepMRILib.model_card import check_name
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress
from DeepMRILib.pvs.options_training import TrainOptions
from DeepMRILib.pvs.trained import TrainedNetwork


def train(
    options: TrainOptions | None = None, *, labels: Path | None = None, progress: Progress | None = None
) -> TrainedNetwork:
    """Train a network on generated perivascular spaces (``lifelike``).

    Each step shows the network new patches: parts of heads whose tissues are known, with random contrast, tubes and
    what resembles them, as a scanner with faults would show them. Afterwards it is scored on patches that it has not
    seen, beside Jerman's filter and chance.

    Args:
        options: see ``TrainOptions``.
        labels: a folder of label maps of heads (NIfTI, NRRD or MetaImage) with the numbers of FreeSurfer or SynthSeg,
            best with the skull; of three or more the last is held out. Generated heads are used beside them, or alone.
        progress: told how far it is; may raise ``Cancelled``. With ``options.checkpoint`` a training that was stopped
            or killed goes on when it is started again, and ends with the same weights.

    Returns:
        ``TrainedNetwork``; ``save`` makes a model's folder of it.

    Raises:
        InputError: a bad setting, no usable label map, a checkpoint of another training, or too few hours.
        DeviceMemoryError: a batch does not fit.
        DependencyError: PyTorch or safetensors is not installed.
        WeightsError: the checkpoint or the network to start from is damaged.
        OutputError: the checkpoint cannot be written.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(TrainOptions() if options is None else options)
    check_name(options.name)
    require("torch", "Training a network")
    require("safetensors", "Keeping a network")
    from DeepMRILib.pvs.train_pvs_run import trained

    return trained(options, None if labels is None else Path(labels), progress, started)
