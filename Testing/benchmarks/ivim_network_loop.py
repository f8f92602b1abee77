"""IVIM-NET ``optim`` as anyone would write it in PyTorch: what this library's training is timed against."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from DeepMRILib.ivim.plan import NetworkPlan


class PlainNetwork(nn.Module):
    """One nn.Sequential for each parameter; the architecture, bounds and signal equation of a bi-exponential plan."""

    def __init__(self, plan: NetworkPlan) -> None:
        super().__init__()
        self.reach = {name: plan.reach[name] for name in plan.outputs}
        self.parts = nn.ModuleDict({name: self._part(plan) for name in plan.outputs})
        self.register_buffer("b", torch.tensor(plan.b_values, dtype=torch.float32))

    @staticmethod
    def _part(plan: NetworkPlan) -> nn.Sequential:
        layers: list[nn.Module] = []
        for layer in range(plan.depth):
            layers += [nn.Linear(plan.width if layer else plan.n_b, plan.width), nn.BatchNorm1d(plan.width), nn.ELU()]
            if layer < plan.depth - 1:
                layers.append(nn.Dropout(plan.dropout))
        return nn.Sequential(*layers, nn.Linear(plan.width, 1))

    def forward(self, signals: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Predicted signals (n, n_b), and the outputs (n, 1)."""
        found = {}
        for name, part in self.parts.items():
            low, high = self.reach[name]
            found[name] = low + torch.sigmoid(part(signals)) * (high - low)
        blood = found["f"] * torch.exp(-self.b * found["D_star"])
        tissue = found["S0"] * torch.exp(-self.b * found["D"])
        return (blood + tissue).clamp(0, 3), found


def train_plain(signals: NDArray, plan: NetworkPlan) -> tuple[PlainNetwork, int]:
    """Train on prepared signals (n, n_b) until ``plan.patience`` epochs bring nothing; the network and its epochs."""
    torch.manual_seed(plan.seed)
    data = torch.from_numpy(signals.astype(np.float32))
    order = torch.randperm(len(data))
    held = int(plan.validation_fraction * len(data))
    batches = DataLoader(TensorDataset(data[order[held:]]), batch_size=plan.batch_size, shuffle=True, drop_last=True)
    checks = DataLoader(TensorDataset(data[order[:held]]), batch_size=4096)
    network = PlainNetwork(plan)
    optimizer = torch.optim.Adam(network.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay)
    lowest, since, epochs, best = np.inf, 0, 0, copy.deepcopy(network.state_dict())
    while since < plan.patience and epochs < plan.epochs:
        network.train()
        for step, (batch,) in enumerate(batches):
            if step == plan.max_batches:
                break
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(network(batch)[0], batch)
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            total = sum(nn.functional.mse_loss(network(batch)[0], batch, reduction="sum").item() for (batch,) in checks)
        epochs, since = epochs + 1, since + 1
        if total < lowest:
            lowest, since, best = total, 0, copy.deepcopy(network.state_dict())
    network.load_state_dict(best)
    return network.eval(), epochs


def apply_plain(network: PlainNetwork, signals: NDArray) -> dict[str, NDArray]:
    """D, f, D* (n,) of prepared signals, within physical bounds."""
    with torch.no_grad():
        parts = [
            network(batch)[1] for (batch,) in DataLoader(TensorDataset(torch.from_numpy(signals)), batch_size=2056)
        ]
    found = {name: torch.cat([part[name] for part in parts]).numpy().ravel() for name in parts[0]}
    f = found["f"] / (found["f"] + found["S0"])
    return {"D": found["D"].clip(0, 0.005), "f": f.clip(0, 0.7), "D_star": found["D_star"].clip(0.005, 0.2)}
