"""From a training to what is kept of it: the network's weights, its scores and how it was made."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.network_opened import open_network
from DeepMRILib.igs.options_network import FinetuneOptions, TrainOptions
from DeepMRILib.igs.train_igs import Learned, adapt, own_copy
from DeepMRILib.igs.train_igs_scores import metrics_of, scores, usual_masks
from DeepMRILib.igs.trained import TrainedNetwork
from DeepMRILib.options import to_json
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

ENGINES = {"unet": "U-Net (MONAI)", "attention_unet": "attention U-Net (MONAI)", "resnet": "ResNet (MONAI)"}
BEFORE = "network before"


def trained(
    learned: Learned, options: TrainOptions, dataset: SliceDataset, *, started: float, progress: Progress
) -> TrainedNetwork:
    """The result of ``igs.train``."""
    encoding = Encoding.of(dataset.images.shape, options.axis, options.second_axis)
    table = scores(
        learned.network, learned.training, learned.held_out, usual_masks(encoding), encoding,
        batch=options.batch, device=learned.device, progress=progress,
    )  # fmt: skip
    masks = "full and randomly masked images" if options.masks == "random" else "full images"
    made = provenance("igs.train", f"{_engine(learned.network)} on {masks}", options, learned, dataset, started=started)
    return result(learned.network, options.name, made, table, learned, data=_in_words(learned, dataset))


def tuned(
    start: TrainedNetwork,
    dataset: SliceDataset,
    masks: NDArray,
    encoding: Encoding,
    options: FinetuneOptions,
    *,
    started: float,
    progress: Progress,
) -> TrainedNetwork:
    """The result of ``igs.finetune``: ``start`` adapted to one mask, scored on it before and after."""
    before = open_network(start, dataset)
    learned = adapt(own_copy(before), dataset, masks, encoding, options, progress=part(progress, 0, 0.9))
    lines = int(masks[0].sum())
    judged = [("full", encoding.size, np.ones_like(masks)), ("pattern", lines, masks)]
    common = {"masks": judged, "encoding": encoding, "batch": options.batch, "device": learned.device}
    parts = (learned.training, learned.held_out)
    after = scores(learned.network, *parts, **common, progress=part(progress, 0.9, 0.95))
    earlier = scores(before, *parts, **common, progress=part(progress, 0.95, 1), method=BEFORE)
    rows = [row for row in earlier.rows if row[0] == BEFORE] + after.rows
    table = Table.from_rows([dict(zip(after.columns, row, strict=True)) for row in rows], units=after.units)
    engine = f"{_engine(learned.network)}, adapted to {lines} of {encoding.size} {encoding.word}"
    made = provenance(
        "igs.finetune", engine, options, learned, dataset, started=started,
        start=start.name, start_sha256=start.provenance.weights_sha256 or "", acquired=lines,
    )  # fmt: skip
    notes = () if learned.best_epoch else ("No epoch was better than the network as it was, which is kept.",)
    made = replace(made, notes=(*made.notes, *notes))
    data = f"{_in_words(learned, dataset)}. Before that, as {start.name}: {start.training_data}"
    return result(learned.network, options.name, made, table, learned, data=data)


def provenance(
    job: str,
    engine: str,
    options: TrainOptions | FinetuneOptions,
    learned: Learned,
    dataset: SliceDataset,
    *,
    started: float,
    **inputs: Any,
) -> Provenance:
    """How a network was made; ``started`` by ``time.perf_counter``."""
    return Provenance(
        job=job,
        engine=engine,
        options=to_json(options),
        seed=options.seed,
        device=learned.device,
        seconds={"train": time.perf_counter() - started},
        inputs={
            "shape": list(dataset.images.shape),
            "task": dataset.task,
            "slices_trained": len(learned.training),
            "slices_held_out": len(learned.held_out),
            "best_epoch": learned.best_epoch,
            "sha256": dataset.digest(),
            **inputs,
        },
        notes=dataset.all_notes,
    )


def result(
    network: torch.nn.Module, name: str, made: Provenance, table: Table, learned: Learned, *, data: str
) -> TrainedNetwork:
    """What is kept: of a network that was built by ``network_nets``."""
    known = network.trained_on
    return TrainedNetwork(
        provenance=made,
        name=name,
        design=dict(network.design),
        weights={key: value.numpy(force=True).copy() for key, value in network.state_dict().items()},
        labels=dict(known["labels"]),
        size=tuple(known["size"]),
        spacing=tuple(known["spacing"]),
        training_data=data,
        metrics=metrics_of(table),
        history=history_of(learned),
        scores=table,
    )


def history_of(learned: Learned) -> Table:
    """The loss curve as a table."""
    return Table.from_rows(
        {
            "epoch": epoch.number,
            "loss": epoch.loss,
            "held_out": epoch.validation_loss,
            "learning_rate": epoch.learning_rate,
            "seconds": epoch.seconds,
        }
        for epoch in learned.history
    )


def _engine(network: torch.nn.Module) -> str:
    return f"{ENGINES[network.design['kind']]} {'-'.join(map(str, network.design['channels']))}"


def _in_words(learned: Learned, dataset: SliceDataset) -> str:
    what = "slices" if dataset.spatial == 2 else "volumes"
    cases = len(set(learned.training.cases.tolist()))
    return f"{len(learned.training)} {what} of {cases} cases, for {dataset.task}"
