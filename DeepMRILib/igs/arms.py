"""The patterns that are compared: each with as many lines, the random ones drawn several times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.igs.baselines import baseline
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.options_network import TestOptions
from DeepMRILib.igs.pattern import Pattern

if TYPE_CHECKING:
    import torch

FULL = "full"
RANDOM = ("equispaced", "random", "variable_density", "poisson")
"""Baselines that are drawn."""
PROBABILISTIC = "probabilistic"
FEWEST_LINES, MOST_COUNTS = 4, 4
WORDS = {
    "igs": "search (IGS)",
    "block": "best shifted block",
    "centre": "centre",
    "equispaced": "equispaced",
    "random": "random",
    "variable_density": "variable density",
    "poisson": "Poisson disc",
    PROBABILISTIC: "learned probabilities",
    FULL: "all lines",
}
"""What patterns are called."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One mask that is tried.

    Attributes:
        pattern: its name; several draws of a random pattern share it.
        lines: how many it has.
        draw: counted from 0.
        masks: (contrasts or 1, *shape) bool.
        network: of its own, where networks are adapted; None for the one of all.
    """

    pattern: str
    lines: int
    draw: int
    masks: NDArray
    network: torch.nn.Module | None = None


def line_counts(pattern: Pattern, wanted: Sequence[int] = ()) -> list[int]:
    """The numbers of lines to compare at: those wanted, or all of the pattern, a half, a quarter and an eighth.

    Fewer than 4 lines are left out, unless the pattern has no more. Where its search compared other numbers (whole
    echo trains, pairs), it is those.

    Raises:
        InputError: more than the pattern has.

    Example:
        >>> line_counts(Pattern((tuple(range(16)),), (64,), (-1,)))
        [4, 8, 16]
    """
    if wanted:
        return sorted({pattern.count(lines=lines) for lines in wanted})
    counts = {rung.lines for rung in pattern.rungs} or {pattern.lines // 2**halvings for halvings in range(MOST_COUNTS)}
    return sorted({count for count in counts if count >= FEWEST_LINES} | {pattern.lines})


def arms_of_pattern(
    pattern: Pattern, counts: Iterable[int], options: TestOptions, learned: Mapping[int, NDArray]
) -> tuple[list[Arm], dict[int, str], list[str]]:
    """The searched pattern and its rivals at each number of lines, the recommended pattern at each, and notes.

    Args:
        pattern: with the best blocks, where they were searched.
        counts: numbers of lines.
        options: which baselines, how many draws, and their seed.
        learned: the probabilistic rival's masks, by number of lines.
    """
    arms, recommended, notes = [], {}, []
    for count in counts:
        recommended[count] = pattern.recommended(count)
        arms.append(Arm("igs", count, 0, pattern.masks(count)))
        names = list(dict.fromkeys((*options.baselines, recommended[count])))
        for name in ("block", "centre", *(one for one in names if one not in ("igs", "block", "centre"))):
            if name == "block" and "block" in names and not pattern.rungs:
                notes.append("The pattern was searched without rivals: there is no best block to compare with.")
            elif name in names:
                arms += _arms(name, pattern, count, options, learned)
    return arms, recommended, list(dict.fromkeys(notes))


def _arms(name: str, pattern: Pattern, count: int, options: TestOptions, learned: Mapping[int, NDArray]) -> list[Arm]:
    if name in ("block", "centre"):
        return [Arm(name, count, 0, pattern.masks(count, kind=name))]
    if name == PROBABILISTIC:
        return [Arm(name, count, 0, learned[count].reshape(-1, *pattern.shape))] if count in learned else []
    size = pattern.shape if len(pattern.shape) > 1 else pattern.shape[0]
    drawn = range(options.draws if name in RANDOM else 1)
    return [
        Arm(name, count, draw, baseline(name, size, count, seed=options.seed + draw)[None].astype(bool))
        for draw in drawn
    ]


def full_arm(encoding: Encoding) -> Arm:
    """All lines."""
    return Arm(FULL, encoding.size, 0, np.ones((1, *encoding.shape), dtype=bool))


def arms_of_masks(
    patterns: Mapping[str, Any], dataset: SliceDataset, lines: Sequence[int], axes: tuple[int, int]
) -> tuple[list[Arm], Encoding]:
    """Arms of named patterns and masks, and the encoding of all.

    Args:
        patterns: name to a ``Pattern`` (the recommended one of its kinds, at each number of ``lines``) or a mask (N,),
            (N1, N2), or with an axis of contrasts before.
        dataset: they must fit its images.
        lines: for patterns; those of ``line_counts`` where there are none.
        axes: phase-encoded axes of masks without a pattern; the second is 0 for lines.

    Raises:
        InputError: nothing to compare, or patterns for other axes or sizes.
    """
    if not patterns:
        raise InputError("There is nothing to compare. Give at least one pattern or mask, with a name.")
    searched = [one for one in patterns.values() if isinstance(one, Pattern)]
    encoding = searched[0].encoding if searched else Encoding.of(dataset.images.shape, *axes)
    arms = []
    for name, one in patterns.items():
        if isinstance(one, Pattern):
            if one.encoding != encoding:
                raise InputError(
                    f"The pattern {name} encodes other axes than the first one. Compare patterns of one kind."
                )
            arms += [Arm(name, n, 0, one.masks(n, kind="recommended")) for n in line_counts(one, lines)]
            continue
        mask = np.asarray(one, dtype=bool)
        if mask.shape[-len(encoding.shape) :] != encoding.shape or mask.ndim > len(encoding.shape) + 1:
            raise InputError(
                f"The mask {name} has shape {mask.shape}; expected {encoding.shape}, with an axis of contrasts before "
                "where each has its own."
            )
        masks = mask.reshape(-1, *encoding.shape)
        arms.append(Arm(name, round(masks.sum() / len(masks)), 0, masks))
    return arms, encoding
