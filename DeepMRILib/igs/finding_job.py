"""The job ``igs.find``: from a user's data to the k-space lines that serve the task best."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib import device as devices
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.finding import find_pattern
from DeepMRILib.igs.growth import growth_of
from DeepMRILib.igs.objective import IMAGE_LOSSES, chosen_loss
from DeepMRILib.igs.options import FindOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.result import PatternResult
from DeepMRILib.igs.sources import read_dataset
from DeepMRILib.igs.task_network import TaskNetwork, task_network
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

SOURCE = "iterative gradient sampling (Razumov et al. 2023)"
LOSS_WORDS = {
    "dice": "the soft Dice loss of the network's segmentation",
    "dice_ce": "Dice loss and cross-entropy of the network's segmentation",
    "ce": "the cross-entropy of the network's classes",
    "l1": "the mean absolute error of the image",
    "ssim": "1 - SSIM of the image",
    "psnr": "the negative PSNR of the image",
}
ALL = "all"


def find(
    data: Path | Volume | SliceDataset,
    options: FindOptions | None = None,
    *,
    labels: LabelVolume | None = None,
    phase: Volume | None = None,
    network: Any = None,
    progress: Progress | None = None,
) -> PatternResult:
    """Read data and find the lines that serve a task, or the image, best (``find_pattern``).

    Args:
        data: see ``sources.read_dataset``.
        options: of the data and the search; without any, 16 lines and a loss that fits.
        labels, phase: of the image, where data are one image.
        network: what does the task: a ``TrainedNetwork``, a model's folder or name, a module, or with
            ``options.trust`` a TorchScript file. None looks at the image alone.
        progress: told of each step; may raise ``Cancelled``.

    Raises:
        InputError: data that cannot be read, or data, labels, constraints, loss and network that do not fit together.
        WeightsError: a network that is damaged or of another kind.
        DependencyError: a network needs PyTorch.
    """
    started = time.perf_counter()
    options = validate(FindOptions() if options is None else options)
    dataset = read_dataset(data, options, labels=labels, phase=phase, progress=part(progress, 0.0, 0.1))
    opened = task_network(network, dataset, trust=options.trust)
    module = None if opened is None else opened.module
    loss = chosen_loss(dataset, module, options.loss)
    # a loss of the image does not ask a network that does something else
    asked = None if loss in IMAGE_LOSSES and dataset.task != "reconstruction" else module
    read = time.perf_counter()
    pattern = find_pattern(dataset, asked, replace(options, loss=loss), part(progress, 0.1, 0.95))
    named = {"network": "none" if opened is None else opened.sha256 or opened.name, "part": options.part}
    pattern = replace(pattern, about={**pattern.about, **named})
    searched = time.perf_counter()
    part(progress, 0.95, 1.0)(0.0, "Drawing the growth")
    growth = growth_of(pattern, dataset, module, batch=options.batch, device=options.device)
    seconds = {
        "read": read - started,
        "search": searched - read,
        "growth": time.perf_counter() - searched,
    }
    return PatternResult(
        provenance=_provenance(dataset, options, opened, loss, seconds, pattern=pattern),
        pattern=pattern,
        lines=lines_table(pattern),
        rivals=rivals_table(pattern),
        mask=pattern.mask(kind="recommended"),
        growth=growth.images,
        growth_lines=growth.lines,
        example=growth.full,
        growth_labels=growth.labels,
        growth_kspace=growth.kspace,
        example_labels=growth.truth,
    )


def _provenance(
    dataset: SliceDataset, options: FindOptions, opened: TaskNetwork | None, loss: str, seconds: dict[str, float],
    *, pattern: Pattern,
) -> Provenance:  # fmt: skip
    return Provenance(
        job="igs.find",
        engine=f"{SOURCE}; the loss is {LOSS_WORDS[loss]}",
        options=to_json(options),
        seed=options.seed,
        device="cpu" if opened is None else devices.resolve(options.device),
        seconds=seconds,
        weights_sha256=None if opened is None else opened.sha256,
        inputs={**described(dataset), "network": None if opened is None else opened.name, "loss": loss},
        notes=tuple(dict.fromkeys((*pattern.notes, *_notes(dataset, opened, loss)))),
    )


def described(dataset: SliceDataset) -> dict[str, Any]:
    """What a record says of the data, as plain values; pictures are turned by it."""
    return {
        "images": list(dataset.images.shape),
        "complex": bool(np.iscomplexobj(dataset.images)),
        "coils": 0 if dataset.coil_images is None else dataset.coil_images.shape[2],
        "cases": len(np.unique(dataset.cases)),
        "task": dataset.task,
        "label_names": {str(label): dataset.name(label) for label in range(1, dataset.classes)},
        "spacing": list(dataset.spacing),
        "view": list(dataset.view),
        "sha256": dataset.digest(),
    }


def _notes(dataset: SliceDataset, opened: TaskNetwork | None, loss: str) -> list[str]:
    notes = []
    if opened is None and dataset.task != "reconstruction":
        what = "segmentation" if dataset.task == "segmentation" else "classes"
        notes.append(
            f"There are labels and no network: the lines serve the image ({loss}), not the {what}. Train a network "
            f"(igs train) and search with it to serve the {what}."
        )
    elif opened is not None and loss in IMAGE_LOSSES and dataset.task != "reconstruction":
        notes.append(f"The loss {loss} looks at the image alone: the network was used for pictures only.")
    return notes


def lines_table(pattern: Pattern) -> Table:
    """A row for each line in order, and contrast where they have patterns of their own; see ``PatternResult``."""
    offsets = pattern.encoding.offsets()
    rows = []
    for contrast, order in enumerate(pattern.orders):
        for step, flat in enumerate(order):
            places = [int(index) for index in np.unravel_index(flat, pattern.shape)]
            row: dict[str, Any] = {"step": step + 1, "contrast": contrast if len(pattern.orders) > 1 else ALL}
            for number, (place, offset) in enumerate(zip(places, offsets[flat], strict=True), 1):
                end = f"_{number}" if number > 1 else ""
                row |= {f"line{end}": place, f"offset{end}": int(offset)}
            row["gradient"] = _at(pattern.gradients[contrast] if pattern.gradients else (), step)
            row["loss"] = _at(pattern.losses, step)
            rows.append(row)
    return Table.from_rows(sorted(rows, key=lambda row: row["step"]))


def _at(values: tuple[float | None, ...], step: int) -> float | None:
    return values[step] if step < len(values) else None


def rivals_table(pattern: Pattern) -> Table:
    """A row for each number of lines compared; see ``PatternResult``."""
    return Table.from_rows(
        {
            "lines": rung.lines,
            "acceleration": pattern.encoding.size / rung.lines,
            "igs": rung.igs,
            "block": rung.block,
            "centre": rung.centre,
            "block_shift": ", ".join(f"{shift:+d}" for shift in rung.block_shift) or None,
            "recommended": rung.winner,
        }
        for rung in pattern.rungs
    )
