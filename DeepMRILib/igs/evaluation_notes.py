"""What a reader of an evaluation must know: how many cases there are, and whether they helped to choose."""

from __future__ import annotations

import numpy as np

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.options_network import TestOptions
from DeepMRILib.igs.pattern import Pattern

FEW_CASES = 10


def case_notes(dataset: SliceDataset) -> list[str]:
    """A warning where cases are few."""
    cases = len(np.unique(dataset.cases))
    if cases >= FEW_CASES:
        return []
    many = "one case" if cases == 1 else f"{cases} cases"
    return [f"There are only {many}: intervals are wide, and small differences between patterns may be chance."]


def leak_notes(pattern: Pattern, dataset: SliceDataset, options: TestOptions) -> list[str]:
    """A warning where the pattern was, or may have been, chosen on the slices that it is tested on."""
    if pattern.about.get("data") == dataset.digest():
        return [
            "The pattern was chosen on the very slices that it is tested on: its scores, and those of the best block, "
            "are better than on others. Test it on the part test, or on other cases."
        ]
    if options.part not in ("test", "all") or (options.part == "all" and pattern.about.get("part", "all") != "all"):
        words = "all cases were" if options.part == "all" else f"the part {options.part} was"
        return [
            f"For the test {words} taken: where these are the data of the search or of the network's training, scores "
            "are better than on others. Test on the part test, or on other cases."
        ]
    return []
