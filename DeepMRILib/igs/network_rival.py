"""A rival of the search: the probability of each line is learned through the frozen network (after ProM, WACV 2024)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.kspace import line_count
from DeepMRILib.igs.network_objective import NetworkObjective
from DeepMRILib.igs.objective import IMAGE_LOSSES, chosen_loss
from DeepMRILib.igs.options import PatternOptions
from DeepMRILib.progress import Progress, silent

TEMPERATURE = 0.5
"""Of the relaxed samples: lower ones are closer to 0 and 1, and give less of a gradient."""
ANNEALED = (0.1, 0.9)
"""Between these parts of the steps the number of lines falls from half of all to the one wanted."""
DENSE = 0.5
LEAST_CHANCE = 1e-6


@dataclass(frozen=True)
class Schedule:
    """How long scores are learned.

    Attributes:
        steps: each looks at one batch through one sampled mask.
        rate: step size of Adam.
        seed: of samples and batches.
    """

    steps: int = 300
    rate: float = 0.1
    seed: int = 0


def probabilistic_mask(
    dataset: SliceDataset,
    network: torch.nn.Module | None,
    options: PatternOptions,
    lines: int,
    progress: Progress | None = None,
    *,
    schedule: Schedule | None = None,
) -> NDArray:
    """(contrasts or 1, *shape) bool: the ``lines`` lines (or points) with the highest learned probability; DC is one.

    Each line has a score t; with b such that the probabilities p = sigmoid(t + b) sum up to the number of lines, a
    relaxed Bernoulli sample is w = sigmoid((t + b + log u - log(1 - u)) / temperature), u uniform (Maddison et al.,
    ICLR 2017). Scores follow the gradient of the loss of w, while the number of lines falls from half of all, so that
    early steps see images that the network can use. Written from the idea alone, with lines of one mask for all
    slices; unlike the search, each number of lines needs a run of its own.

    Args:
        dataset: what the loss is averaged over.
        network: stays as it is; None for no network, where the loss looks at the image.
        options: axes, loss, per_contrast, batch and device are used; its constraints are not.
        lines: how many are acquired.
        progress: told after each step; may raise ``Cancelled``.
        schedule: how long.

    Raises:
        InputError: data, loss or a number of lines that do not fit together.
        DeviceMemoryError: a batch does not fit.
    """
    told, schedule = progress or silent, schedule or Schedule()
    options = replace(options, loss=chosen_loss(dataset, network, options.loss))
    if options.loss not in IMAGE_LOSSES:
        dataset.require_classes()
    encoding = Encoding.of(dataset.images.shape, options.axis, options.second_axis)
    lines = line_count(encoding.size, lines=lines)
    if lines == encoding.size:
        return np.ones((dataset.contrasts if options.per_contrast else 1, *encoding.shape), dtype=bool)
    objective = NetworkObjective(dataset, torch.nn.Identity() if network is None else network, encoding, options)
    random = np.random.default_rng(schedule.seed)
    scores = torch.zeros(objective.contrasts, encoding.size, dtype=torch.float64)
    adam = torch.optim.Adam([scores], lr=schedule.rate)
    for step in range(schedule.steps):
        told(step / schedule.steps, f"learned probabilities, step {step + 1} of {schedule.steps}")
        count = _annealed(step / schedule.steps, encoding.size, lines)
        rows = random.choice(len(dataset), min(options.batch, len(dataset)), replace=False)
        adam.zero_grad()
        scores.grad = torch.from_numpy(_slope(objective, scores.numpy(), count, rows, random))
        adam.step()
    told(1.0, f"learned probabilities of {encoding.word}")
    return _highest(scores.numpy(), lines, encoding)


def projected(scores: NDArray, count: float, centre: int) -> NDArray:
    """Scores t + b whose probabilities sum up to ``count`` in each row, b found by bisection; DC's probability is 1.

    Example:
        >>> found = projected(np.array([[0.0, 1.0, 2.0, 3.0]]), 2.0, centre=1)
        >>> float((1 / (1 + np.exp(-found[0, [0, 2, 3]]))).sum().round(9))
        1.0
    """
    others = np.delete(scores, centre, axis=1)
    low, high = -others.max(axis=1) - 40.0, -others.min(axis=1) + 40.0
    for _ in range(60):
        middle = (low + high) / 2
        too_many = _sigmoid(others + middle[:, None]).sum(axis=1) > count - 1
        low, high = np.where(too_many, low, middle), np.where(too_many, middle, high)
    return scores + ((low + high) / 2)[:, None]


def _slope(
    objective: NetworkObjective, scores: NDArray, count: float, rows: NDArray, random: np.random.Generator
) -> NDArray:
    """(contrasts, size) the derivative of one sample's loss with respect to the scores."""
    centre = objective.encoding.centre
    logits = projected(scores, count, centre)
    uniform = random.uniform(LEAST_CHANCE, 1 - LEAST_CHANCE, scores.shape)
    weights = _sigmoid((logits + np.log(uniform) - np.log1p(-uniform)) / TEMPERATURE)
    weights[:, centre] = 1.0
    _, gradient = objective.gradient(weights.reshape(-1, *objective.encoding.shape), rows)
    slope = gradient.reshape(scores.shape) * weights * (1 - weights) / TEMPERATURE
    # b moves with the scores, so that the number of lines stays: d b / d t_i = -v_i / sum(v), v = p (1 - p)
    chances = _sigmoid(logits)
    spread = chances * (1 - chances)
    spread[:, centre] = 0.0
    return slope - slope.sum(axis=1, keepdims=True) * spread / np.maximum(spread.sum(axis=1, keepdims=True), 1e-12)


def _annealed(done: float, size: int, lines: int) -> float:
    """How many lines are expected at this part of the way; it falls by equal factors."""
    start, stop = ANNEALED
    dense = max(DENSE * size, lines)
    return float(dense * (lines / dense) ** np.clip((done - start) / (stop - start), 0.0, 1.0))


def _highest(scores: NDArray, lines: int, encoding: Encoding) -> NDArray:
    ranked = scores.copy()
    ranked[:, encoding.centre] = np.inf
    mask = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(mask, np.argsort(-ranked, axis=1, kind="stable")[:, :lines], True, axis=1)
    return mask.reshape(-1, *encoding.shape)


def _sigmoid(values: NDArray) -> NDArray:
    return 0.5 * (1 + np.tanh(0.5 * values))
