"""``interactive.train``: from a dataset's folder to the networks of a cross-validation."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from DeepMRILib.errors import InputError, OutputError, require
from DeepMRILib.interactive import mlflow_log
from DeepMRILib.interactive.dataset import Dataset, open_dataset
from DeepMRILib.interactive.network_device import network_device
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.options_pipeline import PlanOptions
from DeepMRILib.interactive.options_training import TrainOptions
from DeepMRILib.interactive.planning import plan as planned
from DeepMRILib.interactive.planning import read_plans
from DeepMRILib.interactive.scoring import UNITS, means
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.model_card import check_name
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.trained import weights_sha256
from DeepMRILib.writing import refusals_as_errors

if TYPE_CHECKING:
    from DeepMRILib.interactive.train_pipeline import Outcome

ENGINE = "InteractiveNet's DynUNet with geodesic maps (Spaanderman et al., arXiv 2402.07746)"
CHOSEN_ON_SAME = "Weights and postprocessing were chosen on the same held-out cases that the scores are of."


@dataclass(frozen=True)
class Task:
    """What is to be trained.

    Attributes:
        dataset: the cases.
        plan: the networks and their input.
        splits: of each fold the numbers of the cases to train on and of those held back.
        notes: what was said when it was planned.
    """

    dataset: Dataset
    plan: NetworkPlan
    splits: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    notes: tuple[str, ...] = ()


def train(
    dataset: Path, options: TrainOptions | None = None, *, plan: Path | None = None, progress: Progress | None = None
) -> TrainedModel:
    """Train a network for each fold of a cross-validation on a dataset, and choose what is done after them.

    Cases are prepared once, on disk. Each fold's network learns from the cases that are not held back and is judged
    by those that are; from their answers one way of postprocessing is chosen for all, and the scores are those of
    each case by the network that has not seen it, beside two methods without a network on the same points.

    Args:
        dataset: its folder, in the Decathlon's layout or InteractiveNet's.
        options: see ``TrainOptions``.
        plan: the output of ``interactive.plan``; made here when not given.
        progress: told how far it is; may raise ``Cancelled``. With ``options.workspace`` a training that was stopped or
            killed goes on when it is started again, and ends with the same weights.

    Returns:
        ``TrainedModel``; ``save`` makes a model's folder of it.

    Raises:
        InputError: a fault in dataset, plan or settings, or a workspace of another training.
        DeviceMemoryError: the largest case does not fit; the text says how much it needs.
        DependencyError: PyTorch, MONAI or safetensors is not installed, or MLflow where it is asked for.
        WeightsError: a checkpoint is damaged.
        OutputError: the workspace cannot be written.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(TrainOptions() if options is None else options)
    _check_ready(options)
    task = task_of(dataset, plan, options, part(progress, 0.0, 0.03))
    from DeepMRILib.interactive.train_pipeline import run

    with _workspace(options) as folder:
        outcome = run(task, options, folder, part(progress, 0.03, 1.0))
    model = _model(task, options, outcome, time.perf_counter() - started)
    mlflow_log.log_training(model, options.mlflow)
    return model


def task_of(dataset: Path, plan: Path | None, options: TrainOptions, progress: Progress) -> Task:
    """The dataset with its plan and folds, from the output of ``interactive.plan`` or planned now.

    Raises:
        InputError: as ``interactive.plan``, or the plan is for other cases.
    """
    if plan is None:
        settings = PlanOptions(
            folds=max(options.folds, 2),
            seed=options.seed,
            synthetic_points=options.synthetic,
            memory_limit=options.memory_limit,
        )
        made = planned(dataset, settings, progress=progress)
        plans, notes = made.plans, made.provenance.notes
    else:
        plans = read_plans(plan)
        count = len(plans["splits"])
        notes = () if options.folds in (1, count) else (f"The plan has {count} folds; the setting folds is not used.",)
    synthetic = plans["seed"] if plans.get("synthetic_points") else None
    found = open_dataset(dataset, synthetic=synthetic)
    network = NetworkPlan.from_json(plans["network"])
    _check_same(found, network)
    return Task(found, network, _splits(found, plans["splits"], options), tuple(notes))


def _check_same(dataset: Dataset, plan: NetworkPlan) -> None:
    for what, here, there in (
        ("images", dataset.channels, plan.channels),
        ("labels", dataset.label_names, plan.labels),
    ):
        if tuple(here) != tuple(there):
            raise InputError(
                f"The plan is for the {what} {', '.join(there)}, and the dataset {dataset.name} has {', '.join(here)}. "
                "Plan this dataset: deepmri interactive plan."
            )


def _splits(
    dataset: Dataset, splits: Sequence[Mapping[str, Sequence[str]]], options: TrainOptions
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    numbers = {case.name: n for n, case in enumerate(dataset.cases)}
    if options.folds == 1:
        return ((tuple(numbers.values()), ()),)
    for split in splits:
        if set(split["train"]) | set(split["val"]) != set(numbers):
            raise InputError(
                f"The plan's folds are of other cases than the dataset {dataset.name} has. Plan it again: deepmri "
                "interactive plan."
            )
    return tuple(tuple(tuple(sorted(numbers[name] for name in split[part])) for part in ("train", "val"))
                 for split in splits)  # fmt: skip


def _check_ready(options: TrainOptions) -> None:
    """What would fail after hours of training is said before it."""
    for module in ("torch", "monai", "safetensors"):
        require(module, "Training a segmentation network")
    mlflow_log.check(options.mlflow)
    network_device(options.device)
    if options.name:
        check_name(options.name)
    wrong = [number for number in options.only_folds if number >= options.folds]
    if wrong or len(set(options.only_folds)) < len(options.only_folds):
        raise InputError(
            f"only_folds is {', '.join(map(str, options.only_folds))}; give different numbers from 0 to "
            f"{options.folds - 1}."
        )
    if options.workspace and Path(options.workspace).expanduser().is_file():
        raise OutputError(f"The workspace {options.workspace} is a file. Give the name of a folder.")


@contextmanager
def _workspace(options: TrainOptions) -> Iterator[Path]:
    """The folder of prepared cases and checkpoints: the user's, or one that goes when the training is done."""
    if not options.workspace:
        with refusals_as_errors("The temporary folder of the training cannot be written"):
            holder = tempfile.TemporaryDirectory(prefix="deepmri-train-")
        with holder as folder:
            yield Path(folder)
        return
    folder = Path(options.workspace).expanduser()
    with refusals_as_errors(f"The workspace {folder} cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
    yield folder


def _model(task: Task, options: TrainOptions, outcome: Outcome, seconds: float) -> TrainedModel:
    scores = means(outcome.rows)
    dtype = np.float16 if options.half_weights else np.float32
    weights = {name: array.astype(dtype) for name, array in outcome.weights.items()}
    judged = (CHOSEN_ON_SAME,) if outcome.rows else ("Nothing was held back, so there are no scores.",)
    return TrainedModel(
        provenance=Provenance(
            job="interactive.train",
            engine=ENGINE,
            options=to_json(options),
            seed=options.seed,
            device=outcome.device,
            seconds={"train": seconds},
            weights_sha256=weights_sha256(weights),
            inputs={
                "dataset": task.dataset.name,
                "training_cases": len(task.dataset.cases),
                "cases": {case.name: _held_in(task, n) for n, case in enumerate(task.dataset.cases)},
                "memory": outcome.memory,
                "best_epochs": outcome.best_epochs,
                "weights": outcome.which,
            },
            notes=(*dict.fromkeys((*task.dataset.notes, *task.notes, *outcome.notes)), *judged),
        ),
        name=options.name or _name_of(task.dataset.name),
        plan=task.plan,
        weights=weights,
        folds=outcome.folds,
        postprocessing=outcome.postprocessing,
        training_data=f"{len(task.dataset.cases)} cases of {task.dataset.name}",
        metrics=_metrics(scores),
        history=Table.from_rows(outcome.history),
        scores=Table.from_rows(outcome.rows, units=UNITS),
        choices=outcome.choices,
        pictures=outcome.pictures,
    )


def _held_in(task: Task, number: int) -> int | None:
    return next((fold for fold, (_, held) in enumerate(task.splits) if number in held), None)


def _name_of(dataset: str) -> str:
    """A model's name from a dataset's.

    Example:
        >>> _name_of("Task 500: Soft tissue")
        'Task-500-Soft-tissue'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", dataset).strip("-._")[:64] or "interactive"


def _metrics(scores: Table) -> dict[str, float]:
    """The means of cross-validation as a model's card holds them: of all labels, and of each of several."""
    found: dict[str, float] = {}
    wanted = ("dice", "dice_sd", "dice_lowest", "hausdorff_95", "surface_distance", "dice_geodesic", "dice_ellipsoid")
    for n, label in enumerate(scores.columns.get("label", [])):
        row: dict[str, Any] = {name: values[n] for name, values in scores.columns.items()}
        of = "" if n == len(scores) - 1 else f" of {label}"
        found |= {f"{name}{of}": row[name] for name in wanted if row.get(name) is not None}
    return found
