"""What a reader of an evaluation must know: how many cases there are, and whether they helped to choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.options_network import TestOptions
from DeepMRILib.igs.pattern import Pattern
from DeepMRILib.igs.task_network import TaskNetwork

FEW_CASES = 10


def case_notes(dataset: SliceDataset) -> list[str]:
    """A warning where cases are few."""
    cases = len(np.unique(dataset.cases))
    if cases >= FEW_CASES:
        return []
    many = "is only one case" if cases == 1 else f"are only {cases} cases"
    return [f"There {many}: intervals are wide, and small differences between patterns may be chance."]


def leak_notes(
    pattern: Pattern, dataset: SliceDataset, options: TestOptions, opened: TaskNetwork | None = None
) -> list[str]:
    """A warning where pattern or network were, or may have been, made on the slices that are tested on.

    Parts exclude each other only where all were dealt with one seed; where everything takes all cases, they are taken
    to be of data of their own.
    """
    if pattern.about.get("data") == dataset.digest():
        return [
            "The pattern was chosen on the very slices that it is tested on: its scores, and those of the best block, "
            "are better than on others. Test it on the part test, or on other cases."
        ]
    about = {"The pattern was chosen": pattern.about, "The network was trained": {} if opened is None else opened.about}
    return [note for what, made in about.items() if (note := _overlap(what, made, options))] or _own(pattern, options)


def _overlap(what: str, made: Mapping[str, Any], options: TestOptions) -> str:
    """The warning for one of the two, empty where its cases were others, or it does not say which they were."""
    part, seed = made.get("part"), made.get("seed")
    if part is None or part == options.part == "all":
        return ""
    if "all" not in (part, options.part) and part != options.part and seed == options.seed:
        return ""
    return (
        f"{what} on the part {part} (seed {seed}), and the part {options.part} (seed {options.seed}) is tested: where "
        "these are the same data, some cases are in both, and scores are better than on others. Test on the part test, "
        "with the same seed."
    )


def _own(pattern: Pattern, options: TestOptions) -> list[str]:
    """A warning for parts that are not to test, where the pattern does not say what it was chosen on."""
    if options.part in ("test", "all") or "part" in pattern.about:
        return []
    return [
        f"For the test the part {options.part} was taken: where these are the data of the search or of the network's "
        "training, scores are better than on others. Test on the part test, or on other cases."
    ]
