"""Cross-validation: which weights and which postprocessing are best, and how good the networks are on unseen cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.baselines import BASELINES, baseline
from DeepMRILib.interactive.cases import LoadedCase
from DeepMRILib.interactive.network import build
from DeepMRILib.interactive.network_ask import Asking, asked
from DeepMRILib.interactive.network_forward import Ensemble, load_weights
from DeepMRILib.interactive.network_found import finished_mask, found_mask, middle_slice
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.interactive.postprocess import POSTPROCESSINGS, Postprocessing
from DeepMRILib.interactive.scoring import case_rows, dice_of
from DeepMRILib.interactive.train_folds import TrainedFold
from DeepMRILib.progress import Progress, part
from DeepMRILib.tables import Table

WhichWeights = Literal["last", "best"]
_EQUAL = 1e-4
"""Means of Dice nearer than this are equal: the simpler way is taken then."""


@dataclass(frozen=True)
class Choice:
    """What cross-validation has chosen.

    Attributes:
        weights: those after the last epoch, or after that with the best Dice.
        postprocessing: what is done afterwards.
        table: a row for each way: ``weights``, ``postprocessing``, the mean Dice of each fold, ``mean``, ``folds`` (how
            many chose it) and ``chosen``.
    """

    weights: WhichWeights
    postprocessing: Postprocessing
    table: Table


@dataclass(frozen=True, eq=False)
class Judge:
    """What is needed to look at held-out cases.

    Attributes:
        plan: of the networks.
        device: resolved.
        read: gives a case by its number.
        asking: how networks are asked; without flips, which cross-validation leaves out.
    """

    plan: NetworkPlan
    device: str
    read: Callable[[int], LoadedCase]
    asking: Asking

    def ensemble(self, weights: dict[str, NDArray]) -> Ensemble:
        """One network."""
        network = build(self.plan)
        load_weights(network, weights)
        return Ensemble(self.plan, [network], self.device)

    def labels(self, ensemble: Ensemble, case: LoadedCase, progress: Progress) -> PlacedMask:
        """What a network finds, before any postprocessing."""
        return found_mask(asked(ensemble, case.images, case.points, self.asking, progress=progress), case)


def choose(folds: Sequence[TrainedFold], judge: Judge, progress: Progress) -> Choice:
    """The best of eight ways, in three dimensions on the images' own grids; by majority of the folds.

    Each fold's held-out cases are segmented by its last and its best weights, and each answer is postprocessed in
    four ways. A fold votes for the way with the highest mean Dice; among equally many votes the mean over all folds
    decides.
    """
    ways = [(weights, how) for weights in ("last", "best") for how in POSTPROCESSINGS]
    means: dict[int, dict[Any, float]] = {}
    for done, trained in enumerate(folds):
        step = part(progress, done / len(folds), (done + 1) / len(folds))
        scores = list(_scores(trained, judge, step))
        means[trained.fold.number] = {way: float(np.mean([one[way] for one in scores])) for way in ways}
    votes = Counter(_best(mean, ways) for mean in means.values())
    overall = {way: float(np.mean([mean[way] for mean in means.values()])) for way in ways}
    most = max(votes.values())
    chosen = _best(overall, [way for way in ways if votes[way] == most])
    rows = [
        {
            "weights": way[0],
            "postprocessing": way[1],
            **{f"fold{number}": mean[way] for number, mean in means.items()},
            "mean": overall[way],
            "folds": votes[way],
            "chosen": way == chosen,
        }
        for way in ways
    ]
    return Choice(*chosen, Table.from_rows(rows))


def _best(means: dict[Any, float], ways: Sequence[Any]) -> Any:
    highest = max(means[way] for way in ways)
    return next(way for way in ways if means[way] >= highest - _EQUAL)


def _scores(trained: TrainedFold, judge: Judge, progress: Progress) -> Iterator[dict[Any, float]]:
    """Of each held-out case the Dice of each way."""
    same = trained.best_epoch == trained.history[-1]["epoch"]
    ensembles = {"last": judge.ensemble(trained.last)}
    if not same:
        ensembles["best"] = judge.ensemble(trained.best)
    cases = trained.fold.held_back
    for done, number in enumerate(cases):
        case = judge.read(number)
        step = part(progress, done / len(cases), (done + 1) / len(cases))
        found = {}
        for weights, ensemble in ensembles.items():
            mask = judge.labels(ensemble, case, step)
            for how in POSTPROCESSINGS:
                found[weights, how] = dice_of(finished_mask(mask, how, case), case.truth, len(case.points))
        if same:
            found |= {("best", how): found["last", how] for how in POSTPROCESSINGS}
        yield found


def held_out_rows(
    folds: Sequence[TrainedFold],
    choice: Choice,
    judge: Judge,
    *,
    baselines: bool,
    pictures: dict[str, NDArray],
    most_pictures: int,
    progress: Progress,
) -> list[dict[str, Any]]:
    """The scores of all cases by the network that has not seen them, and some pictures.

    Args:
        folds, choice, judge: of the cross-validation.
        baselines: also score what is found without a network.
        pictures: gets the middle slice of up to ``most_pictures`` cases: image, truth, prediction.
        most_pictures: see there.
        progress: may raise ``Cancelled``.
    """
    rows = []
    done, total = 0, sum(len(trained.fold.held_back) for trained in folds)
    for trained in folds:
        ensemble = judge.ensemble(getattr(trained, choice.weights))
        for number in trained.fold.held_back:
            case = judge.read(number)
            mask = judge.labels(ensemble, case, part(progress, done / total, (done + 1) / total))
            mask = finished_mask(mask, choice.postprocessing, case)
            others = {name: baseline(name, case.images, case.points) for name in BASELINES} if baselines else {}
            about = {"case": case.name, "subtype": case.subtype, "fold": trained.fold.number}
            rows += case_rows(mask, case.truth, judge.plan.labels, about=about, baselines=others)
            if done < most_pictures:
                pictures[case.name] = middle_slice(case, mask)
            done += 1
    return rows
