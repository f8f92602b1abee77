"""Finding a pattern: the search, its rivals, and what a reader must know about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.igs.constraints import Constraints
from DeepMRILib.igs.constraints_checked import constraints_of
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.objective import IMAGE_LOSSES, Network, chosen_loss, make_objective, opened
from DeepMRILib.igs.options import PatternOptions
from DeepMRILib.igs.pattern import Pattern, Rung
from DeepMRILib.igs.recommending import rungs
from DeepMRILib.igs.search import SUBSET, Found, Setting, search
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress, part

WORDS = {"igs": "the pattern of the search", "block": "the best shifted block", "centre": "the centre"}


def find_pattern(
    dataset: SliceDataset,
    network: Network | None = None,
    options: PatternOptions | None = None,
    progress: Progress | None = None,
) -> Pattern:
    """The k-space lines (or points) that serve a task best, in a nested order: the first n are the pattern of n.

    Iterative gradient sampling (Razumov, Rogov, Dylov, Magn Reson Imaging 2023;103:37): from DC on, the line is taken
    whose weight lowers the loss fastest, until there are ``options.lines``. The network stays as it is. What is found
    is compared with the centre and the best shifted block on the same slices, and the best of the three is
    recommended (``Pattern.recommended``).

    Args:
        dataset: what the loss is averaged over.
        network: a module, or a model of this library; None for no network, where the loss looks at the image.
        options: of the search; without any, 16 lines across the columns and a loss that fits.
        progress: told after each step; may raise ``Cancelled``.

    Raises:
        InputError: data, labels, constraints or a loss that do not fit together.
        WeightsError: a network that cannot be read.
        DependencyError: a network needs PyTorch.

    Example:
        >>> images = np.random.default_rng(0).normal(size=(4, 1, 16, 16)).cumsum(axis=3)
        >>> pattern = find_pattern(SliceDataset(images), options=PatternOptions(lines=4, loss="l1"))
        >>> pattern.lines, pattern.order.tolist()[0]
        (4, 8)
    """
    if not isinstance(dataset, SliceDataset):
        raise InputError(f"A pattern is found on a SliceDataset; this is of type {type(dataset).__name__}.")
    options = validate(options or PatternOptions(loss="auto"))
    options = replace(options, loss=chosen_loss(dataset, network, options.loss))
    encoding = Encoding.of(dataset.images.shape, options.axis, options.second_axis)
    rules = constraints_of(encoding, options)
    seed = int(getattr(options, "seed", 0))
    chosen_on, held_out = (dataset, None) if not options.stop else split_cases(dataset, options.held_out, seed)
    module = None
    if network is not None:
        require("torch", "A loss behind a network")
        module = opened(network, dataset, options)
    objective = make_objective(chosen_on, module, encoding, options)
    judge = None if held_out is None else make_objective(held_out, module, encoding, options)
    setting = Setting(objective, rules, options, subset_rows(len(chosen_on), seed))
    found = search(setting, held_out=judge, progress=part(progress, 0, 0.7 if options.rivals else 1))
    compared = rungs(setting, found, part(progress, 0.7, 1)) if options.rivals else ()
    return Pattern(
        orders=found.orders,
        shape=encoding.shape,
        axes=encoding.axes,
        losses=found.losses,
        gradients=found.gradients,
        rungs=compared,
        about={
            **_about(chosen_on, options, rules),
            "network": network_label(network),
            "data": dataset.digest(),
            "seed": seed,
        },
        notes=(*dataset.all_notes, *_notes(options, rules, found, compared)),
    )


def split_cases(dataset: SliceDataset, fraction: float, seed: int) -> tuple[SliceDataset, SliceDataset]:
    """The slices of the cases that the search uses, and of those held out.

    Raises:
        InputError: there is one case only.
    """
    cases = np.unique(dataset.cases)
    if len(cases) < 2:
        raise InputError(
            "To stop by slices held out, the data must be of two cases or more, and these are of one. Give more cases, "
            "or switch stop off."
        )
    count = min(max(1, round(fraction * len(cases))), len(cases) - 1)
    held = np.isin(dataset.cases, np.random.default_rng(seed).permutation(cases)[:count])
    return dataset.subset(np.flatnonzero(~held)), dataset.subset(np.flatnonzero(held))


def subset_rows(slices: int, seed: int) -> NDArray | None:
    """``SUBSET`` of the slices at random, in their order; None for all, where there are no more."""
    if slices <= SUBSET:
        return None
    return np.sort(np.random.default_rng(seed).choice(slices, SUBSET, replace=False))


def _about(chosen_on: SliceDataset, options: PatternOptions, rules: Constraints) -> dict[str, Any]:
    return {
        "loss": options.loss,
        "task": chosen_on.task,
        "slices": len(chosen_on),
        "cases": len(np.unique(chosen_on.cases)),
        "contrasts": chosen_on.contrasts,
        "search": {
            name: getattr(options, name) for name in ("lines_per_step", "rerank", "swaps", "stop", "per_contrast")
        },
        "constraints": {
            "lines": rules.lines,
            "calibration": options.calibration,
            "forced": list(options.forced),
            "forbidden": list(options.forbidden),
            "partial_fourier": options.partial_fourier,
            "mirror": options.mirror,
            "gap": options.gap,
            "echo_train": options.echo_train,
        },
    }


def network_label(network: Network | None) -> str:
    """What tells a network from others: its sha256 or name, where it has one, else the kind of module."""
    if network is None:
        return "none"
    for source in (network, getattr(network, "model", None)):
        for name in ("sha256", "name"):
            label = getattr(source, name, None)
            if isinstance(label, str) and label:
                return label
    return network if isinstance(network, str) else type(network).__name__


def _notes(options: PatternOptions, rules: Constraints, found: Found, compared: tuple[Rung, ...]) -> list[str]:
    word, notes = rules.encoding.word, []
    if found.stopped:
        notes.append(
            f"The search stopped at {len(found.orders[0])} of {rules.lines} {word}, as the loss of the slices held out "
            "fell no longer."
        )
    if compared:
        best = "; ".join(f"{rung.lines}: {WORDS[rung.winner]}" for rung in compared)
        notes.append(f"Lowest loss on the slices that the pattern was chosen on, by number of {word}: {best}.")
    if options.loss not in IMAGE_LOSSES:
        notes.append("The pattern serves the task: the images themselves may be worse (PSNR, SSIM) than of the centre.")
    if rules.mirror:
        notes.append("Lines come in mirrored pairs: an even number of them splits one.")
    return notes
