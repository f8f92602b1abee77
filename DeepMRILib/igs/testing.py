"""The job ``igs.test``: a pattern against the usual ones, on cases that it was not chosen on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.igs.arms import PROBABILISTIC, Arm, arms_of_pattern, line_counts
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.evaluating import Study, evaluated
from DeepMRILib.igs.evaluation_notes import leak_notes
from DeepMRILib.igs.fitting import check_fit
from DeepMRILib.igs.objective import IMAGE_LOSSES
from DeepMRILib.igs.options import PatternOptions
from DeepMRILib.igs.options_network import FinetuneOptions, TestOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.result import Evaluation, PatternResult
from DeepMRILib.igs.sources import read_dataset
from DeepMRILib.igs.task_network import TaskNetwork, task_network
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.volume import LabelVolume, Volume


def test(
    pattern: Path | Pattern | PatternResult,
    data: Path | Volume | SliceDataset,
    options: TestOptions | None = None,  # noqa: PT028 - a job, no test of pytest's
    *,
    labels: LabelVolume | None = None,  # noqa: PT028
    phase: Volume | None = None,  # noqa: PT028
    network: Any = None,  # noqa: PT028
    progress: Progress | None = None,  # noqa: PT028
) -> Evaluation:
    """Read data and compare a pattern with the usual ones at equal numbers of lines (``igs.test``).

    Compared are the searched pattern, the best block and the centre, of which one is recommended, and the baselines,
    random ones drawn several times. With ``options.finetune_epochs`` each has a network of its own that was adapted to
    it on the training part, baselines alike.

    Args:
        pattern: the pattern.json of ``find``, its folder, the ``Pattern`` or the result.
        data: see ``sources.read_dataset``.
        options: of the data and the test.
        labels, phase: of the image, where data are one image.
        network: what does the task, as for ``find``; None compares images alone.
        progress: may raise ``Cancelled``.

    Raises:
        InputError: data or a pattern that cannot be read or do not fit each other, more lines than the pattern has.
        WeightsError: a network that is damaged or of another kind.
        DependencyError: a network, finetuning or the probabilistic rival needs PyTorch.
    """
    started = time.perf_counter()
    options = validate(TestOptions() if options is None else options)
    if options.finetune_epochs and network is None:
        raise InputError("To adapt networks to patterns, a network is needed. Give one, or 0 finetune_epochs.")
    pattern = _pattern(pattern)
    counts = line_counts(pattern, options.lines)
    given = {"labels": labels, "phase": phase}
    dataset = read_dataset(data, options, **given, progress=part(progress, 0.0, 0.05))
    check_fit(pattern.encoding, len(pattern.orders), dataset.images.shape)
    opened = task_network(network, dataset, trust=options.trust)
    seconds = {"read": time.perf_counter() - started}
    learned = {}
    if PROBABILISTIC in options.baselines:
        select = read_dataset(data, replace(options, part="select"), **given)
        learned = _probabilistic(select, opened, pattern, counts, options, progress=part(progress, 0.05, 0.3))
        seconds["probabilistic"] = time.perf_counter() - started - seconds["read"]
    arms, recommended, notes = arms_of_pattern(pattern, counts, options, learned)
    if options.finetune_epochs:
        begun = time.perf_counter()
        train = read_dataset(data, replace(options, part="train"), **given)
        arms = _adapted(arms, opened, train, pattern.encoding, options, progress=part(progress, 0.3, 0.8))
        seconds["finetune"] = time.perf_counter() - begun
        notes.append(
            f"Each pattern, baselines alike, has a network that was adapted to it for {options.finetune_epochs} epochs "
            "on the training part, with equal seeds; all lines are seen by the network as it was."
        )
    notes += leak_notes(pattern, dataset, options, opened)
    study = Study(dataset, opened, pattern.encoding, arms, recommended, tuple(notes))
    return evaluated(study, options, seconds, started, part(progress, 0.8 if options.finetune_epochs else 0.3, 1.0))


def _pattern(given: Path | str | Pattern | PatternResult) -> Pattern:
    if isinstance(given, PatternResult):
        return given.pattern
    return given if isinstance(given, Pattern) else Pattern.load(given)


def _probabilistic(
    select: SliceDataset, opened: TaskNetwork | None, pattern: Pattern, counts: Sequence[int], options: TestOptions,
    *, progress: Progress,
) -> dict[int, NDArray]:  # fmt: skip
    """The rival's masks at each number of lines, found on the part that selects patterns."""
    require("torch", "The probabilistic rival")
    from DeepMRILib.igs.network_rival import Schedule, probabilistic_mask

    loss = pattern.about.get("loss", "auto")
    settings = PatternOptions(
        **dict(zip(("axis", "second_axis"), pattern.axes, strict=False)),
        loss=loss,
        per_contrast=len(pattern.orders) > 1,
        batch=options.batch,
        device=options.device,
    )
    # a loss of the image does not ask a network that does something else
    alone = opened is None or (loss in IMAGE_LOSSES and select.task != "reconstruction")
    masks = {}
    for number, count in enumerate(counts):
        step = part(progress, number / len(counts), (number + 1) / len(counts))
        network = None if alone else opened.module
        masks[count] = probabilistic_mask(select, network, settings, count, step, schedule=Schedule(seed=options.seed))
    return masks


def _adapted(
    arms: Sequence[Arm], opened: TaskNetwork, train: SliceDataset, encoding: Encoding, options: TestOptions,
    *, progress: Progress,
) -> list[Arm]:  # fmt: skip
    """Each arm with a network that was adapted to it; equal masks share one."""
    from DeepMRILib.igs.finetuning import finetune

    settings = FinetuneOptions(
        epochs=options.finetune_epochs, batch=options.batch, device=options.device, seed=options.seed
    )
    known: dict[bytes, Any] = {}
    adapted = []
    for number, arm in enumerate(arms):
        key = arm.masks.tobytes()
        if key not in known:
            step = part(progress, number / len(arms), (number + 1) / len(arms))
            known[key] = finetune(opened.module, train, arm.masks, settings, encoding=encoding, progress=step)
        adapted.append(replace(arm, network=known[key]))
    return adapted
