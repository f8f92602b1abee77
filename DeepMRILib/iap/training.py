"""``iap.train``: a network that tells acquisition parameters, learned from one's own series."""

from __future__ import annotations

import time
from pathlib import Path

from DeepMRILib.errors import require
from DeepMRILib.iap.options_network import TrainOptions
from DeepMRILib.iap.sliceset import SliceSet
from DeepMRILib.iap.trained import TrainedModel
from DeepMRILib.model_card import check_name
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress


def train(
    folder: SliceSet | Path | str,
    options: TrainOptions | None = None,
    *,
    table: Path | None = None,
    progress: Progress | None = None,
) -> TrainedModel:
    """Train a network on series whose parameters are known, and calibrate it on others.

    Patients are divided into three parts. On the first the network learns: one loss for all parameters, in which
    missing labels do not count, numbers are standardised (on a logarithmic scale where they are wide) and come with
    their deviation, and ordinal parameters also pay for how far off they are. The second part decides which epoch was
    best. On the third, temperatures, sets and intervals, and the limit of what is outside, are made.

    Args:
        folder: a folder of series (DICOM, or NIfTI with BIDS sidecars), or slices in memory.
        options: see ``TrainOptions``. ``options.parameters`` is a JSON file with a list of parameters: names, or
            entries as ``heads.planned_heads`` says.
        table: a CSV file that overrules headers; see ``labelled.labelled``.
        progress: told how far it is; may raise ``Cancelled``. With ``options.checkpoint`` a training that was stopped
            goes on when it is started again, and ends with the same weights.

    Returns:
        ``TrainedModel``; ``save`` makes a model's folder of it.

    Raises:
        InputError: a bad setting, too few patients, nothing that varies, or a checkpoint of another training.
        DeviceMemoryError: a batch does not fit.
        DependencyError: PyTorch or safetensors is not installed.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(TrainOptions() if options is None else options)
    check_name(options.name)
    require("torch", "Training a network")
    require("safetensors", "Keeping a network")
    from DeepMRILib.iap.train_iap import trained

    return trained(folder, options, table, progress, started)
