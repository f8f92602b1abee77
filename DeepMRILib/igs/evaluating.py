"""Patterns compared at equal numbers of lines, case by case: from Python, and as the job ``igs.test``."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError
from DeepMRILib.igs.arms import (
    FULL,
    WORDS,
    Arm,
    arms_of_masks,
    full_arm,
)
from DeepMRILib.igs.comparing import Asker, compare, examples_of
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.evaluation_notes import case_notes
from DeepMRILib.igs.evaluation_tables import scores_table, summary_table, trivial_table
from DeepMRILib.igs.finding_job import described
from DeepMRILib.igs.fitting import check_fit
from DeepMRILib.igs.intervals import AUC_WORDS, INTERVAL_WORDS, TEST_WORDS
from DeepMRILib.igs.options_network import TestOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.result import Evaluation
from DeepMRILib.igs.task_network import TaskNetwork, task_network
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress
from DeepMRILib.results import Provenance


def evaluate(
    dataset: SliceDataset,
    network: Any,
    patterns: Mapping[str, Pattern | NDArray],
    *,
    lines: Sequence[int] = (),
    options: TestOptions | None = None,
    axis: int = -1,
    second_axis: int = 0,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare patterns on cases, and all of them with full k-space.

    Dice and the 95th percentile of the outlines' distance for each structure and their mean, or what is told right and
    its probability, and PSNR, SSIM and NMSE of the images, all by case; means with intervals over cases, and paired
    differences to the first pattern.

    Args:
        dataset: with its truth. Of a single case each slice counts as a case.
        network: what does the task, as for ``find``; None compares images alone.
        patterns: name to a ``Pattern`` (its recommended mask at each number of ``lines``) or a mask (N,), (N1, N2), or
            with an axis of contrasts before. The first is the one that others are compared with.
        lines: for patterns; by default all of a pattern's, a half, a quarter ...
        options: ``interval``, ``batch``, ``device``, ``seed`` and ``trust`` are used.
        axis, second_axis: phase-encoded axes of masks, where there is no ``Pattern`` that tells.
        progress: may raise ``Cancelled``.

    Raises:
        InputError: patterns or a network that do not fit the data.
        WeightsError: a network that is damaged or of another kind.
        DependencyError: a network needs PyTorch.

    Example:
        >>> from DeepMRILib.igs import baseline, lesion_phantom
        >>> masks = {name: baseline(name, 32, 8) for name in ("centre", "random")}
        >>> found = evaluate(lesion_phantom(4, 32), None, masks)
        >>> [row[:5] for row in found.summary.rows][0]
        ('centre', 8, 4.0, True, 'image')
    """
    started = time.perf_counter()
    if not isinstance(dataset, SliceDataset):
        raise InputError(f"Patterns are compared on a SliceDataset; this is of type {type(dataset).__name__}.")
    options = validate(TestOptions() if options is None else options)
    arms, encoding = arms_of_masks(patterns, dataset, lines, (axis, second_axis))
    check_fit(encoding, max(len(arm.masks) for arm in arms), dataset.images.shape)
    opened = task_network(network, dataset, trust=options.trust)
    first = next(iter(patterns))
    study = Study(dataset, opened, encoding, arms, {arm.lines: first for arm in arms if arm.pattern == first})
    return evaluated(study, options, {}, started, progress)


@dataclass(frozen=True, eq=False)
class Study:
    """What is compared on what.

    Attributes:
        dataset: the cases.
        opened: the network; None compares images alone.
        encoding: of all masks.
        arms: the masks.
        recommended: by number of lines the pattern that others are compared with.
        notes: what a reader must know.
    """

    dataset: SliceDataset
    opened: TaskNetwork | None
    encoding: Encoding
    arms: list[Arm]
    recommended: dict[int, str]
    notes: tuple[str, ...] = field(default=())


def evaluated(
    study: Study, options: TestOptions, seconds: dict[str, float], started: float, progress: Progress | None
) -> Evaluation:
    """Compare, and put what came out into tables and pictures.

    Args:
        study: what is compared.
        options: ``interval``, ``seed``, ``batch`` and ``device`` are used.
        seconds: what earlier steps took.
        started: when the job began.
        progress: may raise ``Cancelled``.
    """
    begun = time.perf_counter()
    dataset, alone = by_slice(study.dataset)
    arms = [*(arm for arm in study.arms if arm.pattern != FULL), full_arm(study.encoding)]
    network = None if study.opened is None else study.opened.module
    asker = Asker(network, options.batch, options.device)
    outcome = compare(dataset, arms, study.encoding, asker, progress)
    told = {"size": study.encoding.size, "level": options.interval, "seed": options.seed}
    counts = sorted({arm.lines for arm in study.arms})
    shown = counts[(len(counts) - 1) // 2]
    examples = examples_of(study.dataset, arms, study.encoding, asker, shown)
    return Evaluation(
        provenance=Provenance(
            job="igs.test",
            engine="patterns compared at equal numbers of lines, case by case",
            options=to_json(options),
            seed=options.seed,
            device="cpu" if network is None else devices.resolve(options.device),
            seconds={**seconds, "test": time.perf_counter() - begun, "all": time.perf_counter() - started},
            weights_sha256=None if study.opened is None else study.opened.sha256,
            inputs={
                **described(study.dataset),
                "network": None if study.opened is None else study.opened.name,
                "shape": list(study.encoding.shape),
                "axes": list(study.encoding.axes),
                "intervals": INTERVAL_WORDS,
                "test": TEST_WORDS,
                **({"auc": AUC_WORDS} if dataset.task == "classification" else {}),
            },
            notes=tuple(dict.fromkeys((*study.notes, *(alone or case_notes(dataset)), *dataset.all_notes))),
        ),
        scores=scores_table(outcome.rows),
        summary=summary_table(outcome, arms, dataset, study.recommended, **told),
        trivial=trivial_table(dataset, network is not None, options.interval, options.seed),
        masks={f"{arm.pattern}_{arm.lines}": arm.masks for arm in arms if not arm.draw},
        examples=examples,
        about={
            "task": dataset.task,
            "patterns": {arm.pattern: WORDS.get(arm.pattern, arm.pattern) for arm in arms},
            "recommended": {str(count): name for count, name in study.recommended.items()},
            "structures": list(dict.fromkeys(row["structure"] for row in outcome.rows)),
            "label_names": described(study.dataset)["label_names"],
            "example_lines": shown,
            "view": list(dataset.view),
            "word": study.encoding.word,
        },
    )


def by_slice(dataset: SliceDataset) -> tuple[SliceDataset, tuple[str, ...]]:
    """Of a single case each slice as a case of its own, with a note that says what that means."""
    if len(dataset) == 1 or len(np.unique(dataset.cases)) > 1:
        return dataset, ()
    note = (
        f"There is one case ({dataset.cases[0]}), so each of its {len(dataset)} slices counts as one. Slices of one "
        "volume are alike: intervals and p are too good, and say nothing about other patients."
    )
    width = len(str(len(dataset) - 1))
    return replace(dataset, cases=np.array([f"slice {n:0{width}}" for n in range(len(dataset))])), (note,)
