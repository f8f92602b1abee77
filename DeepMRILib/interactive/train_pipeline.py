"""The steps of a training: cases prepared, folds trained, postprocessing chosen, held-out cases scored."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.cases import load_case
from DeepMRILib.interactive.network_ask import Asking, prepared_within
from DeepMRILib.interactive.network_device import network_device
from DeepMRILib.interactive.network_memory import most_voxels, training_bytes
from DeepMRILib.interactive.options_training import TrainOptions
from DeepMRILib.interactive.postprocess import Postprocessing
from DeepMRILib.interactive.prepare import Prepared
from DeepMRILib.interactive.train_folds import Fold, TrainedFold, train_fold
from DeepMRILib.interactive.train_scores import Choice, Judge, choose, held_out_rows
from DeepMRILib.interactive.train_store import CaseStore, signature
from DeepMRILib.interactive.training import Task
from DeepMRILib.interactive.weight_shapes import fold_key
from DeepMRILib.network_threads import FEW_VOXELS, suited_threads
from DeepMRILib.progress import Progress, part
from DeepMRILib.tables import Table
from DeepMRILib.writing import refusals_as_errors

PICTURES = 6
"""Cases whose middle slice is kept for the report."""
WITHOUT_SCORES = Choice("last", "fill+largest", Table({}))
"""Where nothing is held back."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a training came to.

    Attributes:
        weights: ``fold<k>.<name>`` to array.
        folds: the numbers k.
        which: "last" or "best" weights.
        postprocessing: as cross-validation has chosen.
        choices: the table of the choice.
        history: a row for each fold and epoch.
        rows: scores of the held-out cases.
        pictures: middle slices.
        best_epochs: of each fold.
        device: where it was trained.
        memory: predicted bytes of a training step on the largest case.
        notes: what a reader must know.
    """

    weights: dict[str, NDArray]
    folds: tuple[int, ...]
    which: str
    postprocessing: Postprocessing
    choices: Table
    history: list[dict[str, Any]]
    rows: list[dict[str, Any]]
    pictures: dict[str, NDArray]
    best_epochs: list[int]
    device: str
    memory: int
    notes: tuple[str, ...] = field(default=())


def run(task: Task, options: TrainOptions, folder: Path, progress: Progress) -> Outcome:
    """Train all folds of a task and judge them; ``folder`` holds prepared cases and checkpoints."""
    store, notes = _prepared(task, options, folder, part(progress, 0.0, 0.07))
    memory = training_bytes(task.plan, store.largest, checkpointed=options.save_memory)
    wanted = options.only_folds or range(len(task.splits))
    missing = [number for number in wanted if number >= len(task.splits)]
    if missing:
        raise InputError(f"only_folds names the fold {missing[0]}; the plan has {len(task.splits)}, counted from 0.")
    told = part(progress, 0.07, 0.85)
    trained = []
    for done, number in enumerate(wanted):
        step = part(_of_fold(told, number), done / len(wanted), (done + 1) / len(wanted))
        fold = Fold(number, *task.splits[number])
        with suited_threads(store.largest, few=FEW_VOXELS, count=options.threads):
            trained.append(train_fold(fold, store, task.plan, options, folder=folder, progress=step))
    return _judged(task, options, trained, memory=memory, notes=notes, progress=part(progress, 0.85, 1.0))


def _of_fold(progress: Progress, number: int) -> Progress:
    return lambda fraction, message: progress(fraction, f"Fold {number}: {message[:1].lower()}{message[1:]}")


def _prepared(task: Task, options: TrainOptions, folder: Path, progress: Progress) -> tuple[CaseStore, tuple[str, ...]]:
    """The cases as the network takes them, on disk."""
    plan, cases = task.plan, task.dataset.cases
    most = most_voxels(plan, options.memory_limit, training=True, checkpointed=options.save_memory)
    notes: dict[str, None] = {}

    def make(n: int) -> Prepared:
        case = load_case(cases[n])
        points = {name: some for name, some in zip(plan.labels, case.points, strict=True) if len(some)}
        try:
            ready, said = prepared_within(case.images, points, plan, most, label=case.label)
        except InputError as error:
            raise InputError(f"The case {case.name} cannot be used. {error}") from error
        if ready.target is None or not ready.target.any():
            raise InputError(f"The case {case.name} has nothing to learn from: no label around its points.")
        notes.update(dict.fromkeys(said))
        return ready

    place = folder / "cases"
    with refusals_as_errors(f"The prepared cases cannot be written to {place}"):
        place.mkdir(exist_ok=True)
    store = CaseStore(place, signature(plan.to_json(), most, [_stamp(case) for case in cases]))
    store.fill(len(cases), make, progress)
    return store, tuple(notes)


def _stamp(case: Any) -> list[Any]:
    """What tells whether a case is the one that it was: its files, their sizes and times."""
    files = [*case.images, case.label, case.interactions]
    known = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files if path is not None]
    return [case.name, known, case.synthetic_seed]


def _judged(
    task: Task,
    options: TrainOptions,
    trained: Sequence[TrainedFold],
    *,
    memory: int,
    notes: tuple[str, ...],
    progress: Progress,
) -> Outcome:
    choice, rows, pictures = WITHOUT_SCORES, [], {}
    if any(one.fold.held_back for one in trained):
        asking = Asking(flips=False, most=most_voxels(task.plan, options.memory_limit))
        read = functools.lru_cache(maxsize=2)(lambda number: load_case(task.dataset.cases[number]))
        judge = Judge(task.plan, network_device(options.device), read, asking)
        choice = choose(trained, judge, part(progress, 0.0, 0.5))
        rows = held_out_rows(
            trained, choice, judge, baselines=options.baselines, pictures=pictures, most_pictures=PICTURES,
            progress=part(progress, 0.5, 1.0),
        )  # fmt: skip
    weights = {
        fold_key(one.fold.number, name): array
        for one in trained
        for name, array in getattr(one, choice.weights).items()
    }
    return Outcome(
        weights=weights,
        folds=tuple(one.fold.number for one in trained),
        which=choice.weights,
        postprocessing=choice.postprocessing,
        choices=choice.table,
        history=[row for one in trained for row in one.history],
        rows=rows,
        pictures=pictures,
        best_epochs=[one.best_epoch for one in trained],
        device=trained[0].device,
        memory=memory,
        notes=notes,
    )
