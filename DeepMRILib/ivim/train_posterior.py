"""Training the networks of the preset ``default`` on simulated signals like those of the study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from DeepMRILib.ivim.network_data import TrainingSignals
from DeepMRILib.ivim.network_input import CEILING
from DeepMRILib.ivim.network_posterior import PosteriorNetwork
from DeepMRILib.ivim.network_simulation import Draws, draw
from DeepMRILib.ivim.plan import NetworkPlan
from DeepMRILib.progress import Progress, part
from DeepMRILib.train_options import TrainOptions, TrainResult
from DeepMRILib.training import train

HELD = 8192
"""Simulated signals that the loss curve is told by."""
LARGEST_GRADIENT = 5.0
PRIOR_SHARE = 0.1


def train_posterior(
    signals: TrainingSignals, plan: NetworkPlan, *, device: str, checkpoint: Path | None, progress: Progress | None
) -> TrainResult:
    """Learn the prior of the signals, draw voxels from it, and train networks to tell them from noisy signals.

    Noise is drawn anew in each step, so that no signal is ever seen twice.

    Args:
        signals: usable signals in the scanner's units.
        plan, device, checkpoint, progress: as for ``train_network``.

    Raises:
        InputError, WeightsError, OutputError, DeviceMemoryError, Cancelled: as ``training.train``.
    """
    draws = draw(signals.signals, plan, plan.simulated + HELD, part(progress, 0.0, PRIOR_SHARE))
    network, simulation = PosteriorNetwork(plan), Simulation(plan)
    random = torch.Generator().manual_seed(plan.seed)
    held = simulation.noisy(*_tensors(draws, slice(plan.simulated, None)), random)
    network.standardise(*held)
    options = TrainOptions(
        device=device, epochs=plan.epochs, batch_size=plan.batch_size, drop_last=True, learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay, schedule="poly", patience=plan.patience, clip_gradient=LARGEST_GRADIENT,
        validation_batch_size=HELD, seed=plan.seed,
    )  # fmt: skip
    same = {"signals": signals.digest, "network": json.dumps(plan.to_json())}
    return train(
        network, _tensors(draws, slice(plan.simulated)), simulation, options, validation=held,
        validation_loss=lambda network, batch: network.loss(*batch) / plan.members, checkpoint=checkpoint, same=same,
        progress=part(progress, PRIOR_SHARE, 1.0),
    )  # fmt: skip


def _tensors(draws: Draws, rows: slice) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return tuple(torch.from_numpy(values[rows]) for values in (draws.clean, draws.truth, draws.noise))


class Simulation(torch.nn.Module):
    """The loss of a training: adds noise to clean signals and asks the network for their truth."""

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        self.members, self.fit_s0 = plan.members, plan.fit_s0
        b_values = np.array(plan.b_values)
        self.register_buffer("lowest", torch.from_numpy(b_values == b_values.min()), persistent=False)

    def forward(
        self, network: PosteriorNetwork, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """The loss of a batch (clean signals, truth, noise)."""
        return network.loss(*self.noisy(*batch)) / self.members

    def noisy(
        self, clean: torch.Tensor, truth: torch.Tensor, noise: torch.Tensor, random: torch.Generator | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised noisy signals (n, n_b) and what is to be told from them (n, outputs)."""
        drawn = torch.randn(clean.shape, generator=random, device=clean.device, dtype=clean.dtype)
        signals = clean + noise * drawn
        # Noise may leave no signal at the lowest b-value; such voxels are unusable in a study too.
        start = signals[:, self.lowest].mean(1, keepdim=True).clamp_min(0.05)
        if self.fit_s0:
            truth = torch.cat([truth[:, :-1], truth[:, -1:] / start], dim=1)
        return (signals / start).clamp_max(CEILING), truth
