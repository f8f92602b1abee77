"""Networks that give the mean and the standard deviation of each parameter's posterior, for the preset ``default``.

Trained on simulated signals, whose truth is known, with the Gaussian likelihood of that truth

    loss = log s + (theta - m)^2 / (2 s^2)

which is lowest where m is the posterior mean and s the posterior standard deviation under the prior that the signals
were drawn from (Papamakarios and Murray, NeurIPS 2016; heteroscedastic regression: Nix and Weigend, ICNN 1994). Drawn
from the prior of a study's own signals, that is empirical Bayes, learned once for all its voxels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import silu

from DeepMRILib.ivim.plan import NetworkPlan

NARROWEST, WIDEST = -8.0, 2.0
"""Log of the standard deviation, in units of the simulated parameter's own."""
FARTHEST = 8.0
"""Standardised samples are cut here: what lies further out was never simulated."""


class PosteriorNetwork(torch.nn.Module):
    """Residual networks, all members together; parameters are tensors (members, in, out).

    Args:
        plan: what to build.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        self.plan = plan
        sizes = [plan.n_b, *[plan.width] * (plan.depth + 1), 2 * len(plan.outputs)]
        for layer in range(plan.depth + 2):
            self._add(layer, sizes[layer], sizes[layer + 1])
        for name, size in (("signal", plan.n_b), ("target", len(plan.outputs))):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))

    def _add(self, layer: int, n_in: int, n_out: int) -> None:
        """Weights as PyTorch's linear layers draw them, each member's from its own seed; biases begin at 0."""
        limit = n_in**-0.5
        drawn = [
            np.random.default_rng([self.plan.seed + member, 0, 0, layer]).uniform(-limit, limit, (n_in, n_out))
            for member in range(self.plan.members)
        ]
        weight = torch.from_numpy(np.stack(drawn).astype(np.float32))
        self.register_parameter(f"weight{layer}", torch.nn.Parameter(weight))
        self.register_parameter(f"bias{layer}", torch.nn.Parameter(torch.zeros(self.plan.members, 1, n_out)))

    def standardise(self, signals: torch.Tensor, targets: torch.Tensor) -> None:
        """Take centre and scale from simulated signals (n, n_b) and targets (n, outputs)."""
        for name, values in (("signal", signals), ("target", targets)):
            getattr(self, f"{name}_mean").copy_(values.mean(0))
            # The lowest b-value's sample is 1 in all signals where there is one.
            getattr(self, f"{name}_scale").copy_(values.std(0).clamp_min(1e-6))

    def forward(self, signals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Posterior means and logarithms of standard deviations, standardised: (members, n, outputs) each.

        Args:
            signals: (n, n_b) normalised.
        """
        x = ((signals - self.signal_mean) / self.signal_scale).clamp(-FARTHEST, FARTHEST)
        x = silu(self._linear(0, x.expand(self.plan.members, -1, -1)))
        for layer in range(1, self.plan.depth + 1):
            x = x + silu(self._linear(layer, x))
        mean, log_sd = self._linear(self.plan.depth + 1, x).chunk(2, dim=-1)
        return mean, log_sd.clamp(NARROWEST, WIDEST)

    def _linear(self, layer: int, x: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(getattr(self, f"bias{layer}"), x, getattr(self, f"weight{layer}"))

    def loss(self, signals: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Mean over voxels and outputs, summed over members: none of them then sees the others' gradients."""
        mean, log_sd = self(signals)
        known = (targets - self.target_mean) / self.target_scale
        return (log_sd + 0.5 * ((known - mean) * torch.exp(-log_sd)).square()).mean((1, 2)).sum()

    def posterior(self, signals: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and standard deviation of the members' mixture in the outputs' units: (n, outputs) each."""
        means, log_sd = self(signals)
        mean = means.mean(0)
        variance = (torch.exp(2 * log_sd) + (means - mean).square()).mean(0)
        return self.target_mean + self.target_scale * mean, self.target_scale * variance.sqrt()
