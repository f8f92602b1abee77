"""IVIM-NET: small networks that turn a signal into the parameters of its decay, all of an ensemble in one module.

A voxel's signal x (n_b samples) goes in, the amplitudes A_c and rates R_c of the compartments come out, and training
compares x with

    S(b) = sum_c A_c exp(-b R_c)

so no truth is needed (Barbieri et al., Magn Reson Med 2020;83:312-321; Kaandorp et al., Magn Reson Med
2021;86:2250-2265). With a free S0 the amplitudes are independent outputs; S0 is their sum and f = A_blood / S0.

Members and sub-networks are computed together as batched matrix products: M members of B sub-networks are G = M B
groups, and activations are stored as (G, units, voxels), so that sums over voxels run along memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import batch_norm, elu, hardtanh

from DeepMRILib.errors import WeightsError
from DeepMRILib.ivim.network_posterior import PosteriorNetwork
from DeepMRILib.ivim.plan import NetworkPlan

EPS, MOMENTUM = 1e-5, 0.1  # of batch normalisation, PyTorch's defaults
SIGNAL_RANGE = (0.0, 3.0)  # predicted signals are cut to it before they are compared, as published
LARGEST_EXPONENT = 10.0  # widened bounds reach negative rates, whose exponentials would overflow


class IvimNetwork(torch.nn.Module):
    """The networks of a plan; its state dictionary holds tensors (members, sub-networks, ...).

    Args:
        plan: what to build.
    """

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        self.plan = plan
        self.branches, self.outputs = plan.branches
        self.members = plan.members
        self.compartments = (len(plan.outputs) + 1) // 2
        sizes = [plan.n_b, *[plan.width] * plan.depth, self.outputs]
        for layer, (n_in, n_out) in enumerate(pairwise(sizes)):
            self._add(f"weight{layer}", n_out, n_in)
            self._add(f"bias{layer}", n_out)
            if plan.batch_norm and layer < plan.depth:
                self._add(f"gain{layer}", n_out)
                self._add(f"shift{layer}", n_out)
                for name in ("mean", "variance"):
                    self.register_buffer(f"{name}{layer}", torch.empty(self.members, self.branches, n_out))
        reach = [plan.reach[name] for name in plan.outputs]
        column = (len(reach), 1)
        self.register_buffer("low", torch.tensor([low for low, _ in reach]).view(column), persistent=False)
        self.register_buffer("span", torch.tensor([high - low for low, high in reach]).view(column), persistent=False)
        minus_b = -torch.tensor(plan.b_values, dtype=torch.float32).view(-1, 1)
        self.register_buffer("minus_b", minus_b, persistent=False)
        self.reset()

    def _add(self, name: str, *shape: int) -> None:
        self.register_parameter(name, torch.nn.Parameter(torch.empty(self.members, self.branches, *shape)))

    def reset(self) -> None:
        """Draw first weights as PyTorch's linear layers do, each member's from its own seed."""
        with torch.no_grad():
            for member in range(self.members):
                random = np.random.default_rng([self.plan.seed + member, 0, 0])
                for name, value in self.state_dict().items():
                    value[member] = torch.from_numpy(self._first(name, value.shape[1:], random))

    def _first(self, name: str, shape: Sequence[int], random: np.random.Generator) -> NDArray:
        kind, layer = name.rstrip("0123456789"), name.lstrip("abcdefghijklmnopqrstuvwxyz")
        if kind in ("weight", "bias"):
            limit = getattr(self, f"weight{layer}").shape[-1] ** -0.5
            return random.uniform(-limit, limit, shape).astype(np.float32)
        return np.full(shape, 1.0 if kind in ("gain", "variance") else 0.0, dtype=np.float32)

    # -- from signals to parameters -----------------------------------------------------------------------------

    def forward(self, signals: torch.Tensor, masks: Sequence[torch.Tensor] = ()) -> torch.Tensor:
        """The signals that the network predicts, (members, n_b, n).

        Args:
            signals: (members, n_b, n) normalised.
            masks: of dropout for each hidden layer but the last, (groups, width, n); none in evaluation.
        """
        return self.predicted(self.parameters_of(signals, masks))

    def parameters_of(self, signals: torch.Tensor, masks: Sequence[torch.Tensor] = ()) -> torch.Tensor:
        """The outputs within their widened bounds: (members, outputs, n) in the order of ``plan.outputs``."""
        return self.constrained(self._raw(signals, masks))

    def _raw(self, signals: torch.Tensor, masks: Sequence[torch.Tensor]) -> torch.Tensor:
        n = signals.shape[-1]
        x = signals[:, None].expand(-1, self.branches, -1, -1).reshape(self.groups, self.plan.n_b, n)
        for layer in range(self.plan.depth):
            x = self._normed(layer, torch.baddbmm(self.grouped(f"bias{layer}")[..., None], self.matrix(layer), x))
            x = elu(x)
            if layer < len(masks):
                x = x * masks[layer]
        last = self.plan.depth
        y = torch.baddbmm(self.grouped(f"bias{last}")[..., None], self.matrix(last), x)
        return y.reshape(self.members, self.branches * self.outputs, n)

    def _normed(self, layer: int, z: torch.Tensor) -> torch.Tensor:
        if not self.plan.batch_norm:
            return z
        mean, variance, gain, shift = (
            getattr(self, f"{name}{layer}").view(-1) for name in ("mean", "variance", "gain", "shift")
        )
        flat = z.reshape(1, self.groups * self.plan.width, z.shape[-1])
        return batch_norm(flat, mean, variance, gain, shift, self.training, MOMENTUM, EPS).view_as(z)

    def constrained(self, raw: torch.Tensor) -> torch.Tensor:
        """Raw outputs (members, n_out, n) brought into the widened bounds, or made positive."""
        raw = raw[:, : len(self.plan.outputs)]
        return raw.abs() if self.plan.constraint == "abs" else torch.addcmul(self.low, self.span, raw.sigmoid())

    def amplitudes_and_rates(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(members, compartments, n) each, tissue last, of the outputs (members, outputs, n)."""
        rates, amplitudes = values[:, 0::2], values[:, 1::2]
        if not self.plan.fit_s0:
            amplitudes = torch.cat([amplitudes, 1 - amplitudes.sum(1, keepdim=True)], dim=1)
        return amplitudes, rates

    def predicted(self, values: torch.Tensor) -> torch.Tensor:
        """The signals of outputs (members, outputs, n): (members, n_b, n), cut to what a signal can be."""
        amplitudes, rates = self.amplitudes_and_rates(values)
        exponent = rates[:, :, None] * self.minus_b
        # Passes the gradient on beyond the limit, so that a rate that has gone astray can come back.
        exponent = exponent - (exponent - LARGEST_EXPONENT).clamp_min(0).detach()
        return hardtanh((amplitudes[:, :, None] * exponent.exp()).sum(1), *SIGNAL_RANGE)

    # -- views of the weights -----------------------------------------------------------------------------------

    @property
    def groups(self) -> int:
        """Members times sub-networks."""
        return self.members * self.branches

    def grouped(self, name: str) -> torch.Tensor:
        """A weight as (groups, ...)."""
        return getattr(self, name).flatten(0, 1)

    def matrix(self, layer: int) -> torch.Tensor:
        """A layer's matrices (groups, out, in)."""
        return self.grouped(f"weight{layer}")


def network_of(plan: NetworkPlan, weights: Mapping[str, NDArray]) -> IvimNetwork | PosteriorNetwork:
    """The trained network of a plan, in evaluation mode on the CPU.

    Raises:
        WeightsError: the weights are not those of the plan.
    """
    network = PosteriorNetwork(plan) if plan.loss == "posterior" else IvimNetwork(plan)
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    given = {name: np.shape(value) for name, value in weights.items()}
    if expected != given:
        name = min(name for name in expected.keys() | given.keys() if expected.get(name) != given.get(name))
        raise WeightsError(
            f"The weights do not belong to this IVIM network: {name!r} is {given.get(name, 'missing')}, expected "
            f"{expected.get(name, 'none')}. Take weights and plan from one model."
        )
    network.load_state_dict({name: torch.from_numpy(np.array(value, np.float32)) for name, value in weights.items()})
    return network.eval()
