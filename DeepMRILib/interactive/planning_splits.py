"""Which cases are held back in which fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from DeepMRILib.errors import InputError


def stratified_folds(subtypes: Sequence[str], folds: int, seed: int) -> list[int]:
    """The fold of each case, in which it is held back; the same seed gives the same folds.

    The cases of each subtype are shuffled and dealt one by one, on from where the last subtype ended: the folds' sizes
    differ by at most one, within each subtype and altogether.

    Raises:
        InputError: fewer cases than folds.

    Example:
        >>> sorted(stratified_folds(["a", "a", "b", "b"], 2, seed=0)[:2])
        [0, 1]
    """
    if len(subtypes) < folds:
        raise InputError(
            f"{len(subtypes)} cases cannot be parted into {folds} folds. Add cases, or set folds to {len(subtypes)} or "
            "fewer."
            if len(subtypes) > 1
            else "A single case cannot be parted into folds: each fold trains on some cases and is judged on others."
        )
    rng = np.random.default_rng(seed)
    chosen = [0] * len(subtypes)
    dealt = 0
    for subtype in sorted(set(subtypes)):
        members = rng.permutation([n for n, other in enumerate(subtypes) if other == subtype])
        for member in members.tolist():
            chosen[member] = dealt % folds
            dealt += 1
    return chosen


def leave_one_out_folds(subtypes: Sequence[str]) -> list[int]:
    """The fold of each case where each fold holds back one subtype.

    Raises:
        InputError: there is only one subtype.
    """
    kinds = sorted(set(subtypes))
    if len(kinds) < 2:
        raise InputError(
            "All cases have the same subtype, so none can be left out. Name the cases' subtypes in subtypes.json or "
            "dataset.json, or train without leave_one_out."
        )
    return [kinds.index(subtype) for subtype in subtypes]


def as_splits(names: Sequence[str], folds: Sequence[int]) -> list[dict[str, list[str]]]:
    """Of each fold the names to train on and those held back."""
    return [
        {
            "train": [name for name, other in zip(names, folds, strict=True) if other != fold],
            "val": [name for name, other in zip(names, folds, strict=True) if other == fold],
        }
        for fold in range(max(folds) + 1)
    ]
