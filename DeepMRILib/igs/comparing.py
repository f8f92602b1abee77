"""Each mask on each case: what is measured through it, what the network makes of that, and the scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.arms import WORDS, Arm
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.growth import example_depth, example_row, shown_plane
from DeepMRILib.igs.measuring import acquired, zero_filled
from DeepMRILib.igs.scoring import RECONSTRUCTION, CaseTruth, Row, probabilities_of
from DeepMRILib.progress import Progress, silent

if TYPE_CHECKING:
    import torch


@dataclass
class Outcome:
    """What came out.

    Attributes:
        rows: the scores, a row for each arm, case and structure: ``pattern``, ``lines``, ``draw``, ``case`` and what
            ``scoring.CaseTruth`` says.
        probabilities: of each arm, by its place, those of the classes (slices, classes); empty for other tasks.
        rows_of_slices: the slices in the order of ``probabilities``.
    """

    rows: list[Row] = field(default_factory=list)
    probabilities: dict[int, list[NDArray]] = field(default_factory=dict)
    rows_of_slices: list[NDArray] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Asker:
    """A network with how it is asked."""

    network: torch.nn.Module | None
    batch: int = 16
    device: str = "auto"

    def ask(self, network: torch.nn.Module | None, images: NDArray, one: SliceDataset) -> NDArray | None:
        """Logits, or images (n, c, h, w) of a reconstruction; None without a network.

        Args:
            network: None for the one of all.
            images: (n, c, h, w) magnitudes through a mask.
            one: the slices, whose full images give mean and deviation.
        """
        network = self.network if network is None else network
        if network is None:
            return None
        from DeepMRILib.igs.network_predict import magnitudes_of, predict

        mean, std = one.normalisation()
        found = predict(network, images, mean, std, batch=self.batch, device=self.device)
        if one.task != "reconstruction":
            return found
        return magnitudes_of(found, mean, std)


def chunks(dataset: SliceDataset, least: int) -> Iterator[list[NDArray]]:
    """The rows of each case, several cases together until they have ``least`` slices: a network sees them at once."""
    names, first = np.unique(dataset.cases, return_index=True)
    together: list[NDArray] = []
    for case in names[np.argsort(first)]:
        together.append(np.flatnonzero(dataset.cases == case))
        if sum(map(len, together)) >= least:
            yield together
            together = []
    if together:
        yield together


def compare(
    dataset: SliceDataset, arms: Sequence[Arm], encoding: Encoding, asker: Asker, progress: Progress | None = None
) -> Outcome:
    """Score each arm on each case.

    Args:
        dataset: cases with their truth.
        arms: masks, some with networks of their own.
        encoding: of the masks.
        asker: the network of the others.
        progress: told case by case; may raise ``Cancelled``.
    """
    report = progress or silent
    outcome = Outcome(probabilities={number: [] for number in range(len(arms))})
    labels = range(1, dataset.classes)
    done = 0
    for together in chunks(dataset, asker.batch):
        one = dataset.subset(np.concatenate(together))
        outcome.rows_of_slices.append(np.concatenate(together))
        truths = [CaseTruth(dataset.subset(rows), labels) for rows in together]
        kspace = acquired(one, encoding)
        known: dict[Any, tuple[list[list[Row]], NDArray | None]] = {}
        for number, arm in enumerate(arms):
            report(
                (done + number / len(arms) * len(one)) / len(dataset),
                f"Testing {WORDS.get(arm.pattern, arm.pattern)}, {arm.lines} {encoding.word}",
            )
            key = (arm.masks.shape, arm.masks.tobytes(), id(arm.network))
            if key not in known:  # the search may have found the centre
                images = zero_filled(kspace, one, arm.masks, encoding)
                known[key] = _scored(truths, images, asker.ask(arm.network, images, one))
            scores, probabilities = known[key]
            name = {"pattern": arm.pattern, "lines": arm.lines, "draw": arm.draw}
            for truth, rows in zip(truths, scores, strict=True):
                outcome.rows += [{**name, "case": str(truth.case.cases[0]), **row} for row in rows]
            if probabilities is not None:
                outcome.probabilities[number].append(probabilities)
        done += len(one)
    return outcome


def _scored(
    truths: Sequence[CaseTruth], images: NDArray, found: NDArray | None
) -> tuple[list[list[Row]], NDArray | None]:
    """The rows of each case, and the probabilities of classes of all their slices."""
    task = truths[0].case.task
    probabilities = probabilities_of(found) if task == "classification" and found is not None else None
    answers = found if probabilities is None else probabilities
    if task == "segmentation" and found is not None:
        answers = found.argmax(axis=1)
    scores = []
    start = 0
    for truth in truths:
        part = slice(start, start + len(truth.case))
        start = part.stop
        rows: list[Row] = []
        if answers is not None and task == "segmentation":
            rows += truth.of_labels(answers[part])
        elif answers is not None and task == "classification":
            rows.append(truth.of_classes(answers[part]))
        elif answers is not None:
            rows.append(truth.of_image(answers[part], RECONSTRUCTION))
        scores.append([*rows, truth.of_image(images[part])])
    return scores, probabilities


def examples_of(
    dataset: SliceDataset, arms: Sequence[Arm], encoding: Encoding, asker: Asker, lines: int
) -> dict[str, NDArray]:
    """Pictures of one slice with this number of lines; see ``Evaluation``."""
    one = dataset.subset([example_row(dataset)])
    depth = example_depth(one)
    pictures = {"full": shown_plane(one.magnitude()[0, 0], depth)}
    if one.task == "segmentation":
        pictures["truth"] = shown_plane(one.targets[0], depth).astype(np.uint8)
    for arm in arms:
        if arm.draw or arm.lines not in (lines, encoding.size):
            continue
        images = zero_filled(acquired(one, encoding), one, arm.masks, encoding)
        if arm.lines == lines:
            pictures[arm.pattern] = shown_plane(images[0, 0], depth)
        found = asker.ask(arm.network, images, one)
        if found is not None and one.task == "segmentation":
            pictures[f"{arm.pattern}_found"] = shown_plane(found[0].argmax(axis=0), depth).astype(np.uint8)
        elif found is not None and one.task == "reconstruction":
            pictures[f"{arm.pattern}_found"] = shown_plane(found[0, 0], depth)
    return pictures
