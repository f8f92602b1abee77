"""From slices to a trained and calibrated network: the work of ``iap.train``."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib import training
from DeepMRILib.iap import outside
from DeepMRILib.iap.calibrating import calibration_of
from DeepMRILib.iap.calibration import Calibration
from DeepMRILib.iap.heads import planned_heads, read_plan, targets
from DeepMRILib.iap.labelled import labelled
from DeepMRILib.iap.layout import Layout
from DeepMRILib.iap.network_iap import FEW_PIXELS, IAPNetwork, prepared
from DeepMRILib.iap.options_network import TrainOptions
from DeepMRILib.iap.sliceset import SliceSet
from DeepMRILib.iap.splitting import divided
from DeepMRILib.iap.train_iap_loss import Judging, Learning, Lesson
from DeepMRILib.iap.trained import CALIBRATED, NETWORK, OUTSIDE, TrainedModel
from DeepMRILib.network_threads import suited_threads
from DeepMRILib.options import to_json
from DeepMRILib.progress import Progress, part, silent
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

ENGINE = "small residual network on single slices, calibrated by split conformal prediction"
PARTS = ("held out", "calibration", "training")
REFERENCE = 4000
"""At most so many training slices say what features look like."""
BATCH = 64
Samples = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Images (n, 1, size, size) float16, cues (n, 3), targets (n, heads)."""


def trained(
    data: SliceSet | Path | str, options: TrainOptions, table: Path | None, progress: Progress | None, started: float
) -> TrainedModel:
    """See ``training.train``."""
    device = devices.resolve(options.device)
    found, unread = labelled(data, table=table, slices=options.slices, progress=part(progress, 0.0, 0.1))
    plan = read_plan(options.parameters) if options.parameters else ()
    layout = planned_heads(found.values, plan, found.series)
    masks = divided(found.patients, (options.held_out, options.calibration), options.seed)
    held_out, calibration, learned_from = (found.subset(mask) for mask in masks)
    devices.seed_everything(options.seed)
    lesson = Lesson(IAPNetwork(options.channels, layout.outputs), layout).to(memory_format=torch.channels_last)
    reading = part(progress, 0.1, 0.15)
    samples = _samples(learned_from, layout, options.size, reading)
    with suited_threads(options.batch * options.size**2, few=FEW_PIXELS):
        done = _learn(lesson, samples, _samples(held_out, layout, options.size), options, part(progress, 0.15, 0.95))
    network = lesson.network.eval()
    sure = _calibrated(network, _Known(samples, calibration, layout, options.size, device), part(progress, 0.95, 1.0))
    made = Provenance(
        job="iap.train",
        engine=ENGINE,
        options=to_json(options),
        seed=options.seed,
        device=device,
        seconds={"train": max(time.perf_counter() - started, sum(epoch.seconds for epoch in done.history))},
        inputs={"slices": len(found), "unread": len(unread), "plan": [str(one) for one in plan]},
        notes=(*(f"Of its training: {note}" for note in found.notes), *_notes(options)),
    )
    state = {NETWORK + name: value.numpy(force=True) for name, value in network.state_dict().items()}
    return TrainedModel(
        provenance=made,
        name=options.name,
        layout=layout.to_json(),
        design={"size": options.size, "channels": list(options.channels)},
        weights={**state, **{OUTSIDE + name: array for name, array in sure.arrays.items()}},
        calibration=sure.calibration.to_json(),
        training_data=_in_words(learned_from, calibration),
        metrics={"loss of the slices held out": round(done.best_loss, 5)},
        history=Table.from_rows([_row(vars(epoch)) for epoch in done.history]),
        parts=_parts(dict(zip(PARTS, (held_out, calibration, learned_from), strict=True))),
    )


def _samples(data: SliceSet, layout: Layout, size: int, progress: Progress | None = None) -> Samples:
    """All slices prepared once, in half precision: 2 * size^2 bytes each."""
    progress = progress or silent
    images = torch.empty((len(data), 1, size, size), dtype=torch.float16)
    told = []
    for start in range(0, len(data), BATCH):
        progress(start / len(data), "Preparing slices")
        some, numbers = prepared(data.slices[start : start + BATCH], size)
        images[start : start + BATCH] = some
        told.append(numbers)
    return images, torch.cat(told), torch.from_numpy(targets(layout, data.values, len(data)))


def _learn(
    lesson: Lesson, samples: Samples, held_out: Samples, options: TrainOptions, progress: Progress
) -> training.TrainResult:
    device = devices.resolve(options.device)
    return training.train(
        lesson,
        samples,
        Learning(device, mirror=options.mirror, shift=options.shift, gain=options.gain),
        training.TrainOptions(
            device=options.device,
            epochs=options.epochs,
            batch_size=options.batch,
            optimizer="adamw",
            learning_rate=options.learning_rate,
            weight_decay=1e-4,
            schedule="poly",
            patience=0,
            clip_gradient=1.0,
            drop_last=True,  # batch normalisation needs more than one sample
            mixed_precision=True,
            seed=options.seed,
        ),
        validation=held_out,
        validation_loss=Judging(device),
        checkpoint=Path(options.checkpoint).expanduser() if options.checkpoint else None,
        same={"data": _digest(samples), "changes": f"{options.mirror} {options.shift} {options.gain}"},
        progress=progress,
    )


def _digest(samples: Samples) -> str:
    """Tells the data of one training from those of another."""
    digest = hashlib.sha256()
    for tensor in samples:
        digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class _Known:
    """What a network is calibrated with."""

    samples: Samples
    calibration: SliceSet
    layout: Layout
    size: int
    device: str


@dataclass(frozen=True, eq=False)
class _Sure:
    """What calibration came to: JSON values, and arrays."""

    calibration: Calibration
    arrays: dict[str, NDArray]


def _calibrated(network: IAPNetwork, known: _Known, progress: Progress) -> _Sure:
    count = len(known.samples[0])
    chosen = np.unique(np.linspace(0, count - 1, min(count, REFERENCE)).astype(int))
    arrays = outside.reference(_told(network, tuple(one[chosen] for one in known.samples[:2]), known.device)[1])
    progress(0.5, "Calibrating")
    data = known.calibration
    images, told, _ = _samples(data, known.layout, known.size)
    logits, features = _told(network, (images, told), known.device)
    sure = calibration_of(known.layout, data, logits, features, arrays)
    progress(1.0, "Calibrated")
    return _Sure(sure, arrays)


@torch.no_grad()
def _told(network: IAPNetwork, samples: tuple[torch.Tensor, ...], device: str) -> tuple[NDArray, NDArray]:
    """Outputs and features of prepared slices."""
    outputs, features = [], []
    for start in range(0, len(samples[0]), BATCH):
        images, told = (one[start : start + BATCH].float().to(device) for one in samples)
        found = network.features(images, told)
        outputs.append(network.answers(found).cpu().numpy())
        features.append(found.cpu().numpy())
    return np.concatenate(outputs), np.concatenate(features)


def _row(epoch: dict[str, Any]) -> dict[str, Any]:
    return {
        "epoch": epoch["number"],
        "loss": epoch["loss"],
        "held_out_loss": epoch["validation_loss"],
        "learning_rate": epoch["learning_rate"],
        "seconds": epoch["seconds"],
    }


def _parts(parts: dict[str, SliceSet]) -> Table:
    return Table.from_rows(
        [
            {"part": name, "patients": len(set(one.patients)), "series": len(set(one.series)), "slices": len(one)}
            for name, one in parts.items()
        ]
    )


def _notes(options: TrainOptions) -> tuple[str, ...]:
    if options.mirror:
        return ("It was shown mirrored slices too, so it cannot use their orientation.",)
    return ("It uses the orientation of slices: images in another orientation than its training's mislead it.",)


def _in_words(learned_from: SliceSet, calibration: SliceSet) -> str:
    return (
        f"{len(learned_from)} slices of {len(set(learned_from.series))} series of "
        f"{len(set(learned_from.patients))} patients{CALIBRATED}{len(set(calibration.series))} series of "
        f"{len(set(calibration.patients))} others."
    )
