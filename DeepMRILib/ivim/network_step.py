"""A training step of the IVIM networks with its gradient written out by hand.

A network of 1,280 weights computes for some 50 microseconds a step; PyTorch's modules, autograd and optimizer take 2 to
5 milliseconds around it. Here a step is about 45 tensor operations on buffers that stay, with one flat
vector for the weights of all members, their gradient and Adam's moments.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import elu, hardtanh

from DeepMRILib.ivim.network import EPS, LARGEST_EXPONENT, MOMENTUM, SIGNAL_RANGE, IvimNetwork

_elu_backward = torch.ops.aten.elu_backward.default
_norm_backward = torch.ops.aten.native_batch_norm_backward.default
_cut_backward = torch.ops.aten.hardtanh_backward.default
_sigmoid_backward = torch.ops.aten.sigmoid_backward.default
BETA1, BETA2, ADAM_EPS = 0.9, 0.999, 1e-8  # PyTorch's defaults


class Gradient:
    """The gradient of the mean squared difference between signals and predicted signals, summed over members.

    Args:
        network: its parameters become views of one flat vector, ``self.flat``; do not move the network after that.
        batch: voxels per step.
    """

    def __init__(self, network: IvimNetwork, batch: int) -> None:
        self.network, self.plan, self.batch = network, network.plan, batch
        parameters = list(network.named_parameters())
        self.flat = torch.cat([value.detach().reshape(-1) for _, value in parameters])
        self.gradient = torch.zeros_like(self.flat)
        self._weights: dict[str, torch.Tensor] = {}
        self._slots: dict[str, torch.Tensor] = {}
        start = 0
        for name, value in parameters:
            part = slice(start, start + value.numel())
            value.data = self.flat[part].view(value.shape)
            self._weights[name] = value.detach().flatten(0, 1)
            self._slots[name] = self.gradient[part].view(self._weights[name].shape)
            start = part.stop
        self._running = {name: value.view(-1) for name, value in network.named_buffers() if name[-1].isdigit()}
        # Sums over b of a residual times exp(-b R), and the same times -b: what amplitudes and rates are told.
        scale = 2 / (self.plan.n_b * batch)
        told = scale * torch.stack([torch.ones_like(network.minus_b[:, 0]), network.minus_b[:, 0]])
        self._told = told.expand(network.members * network.compartments, -1, -1).contiguous()
        self._transposed = [self._weights[f"weight{layer}"].transpose(1, 2) for layer in range(self.plan.depth + 1)]

    def __call__(self, signals: torch.Tensor, masks: Sequence[torch.Tensor], loss: torch.Tensor) -> torch.Tensor:
        """Fill and return ``self.gradient``.

        Args:
            signals: (members, n_b, batch) normalised.
            masks: of dropout for each hidden layer but the last, (groups, width, batch).
            loss: (members, 1, 1) receives each member's sum of squares.
        """
        inputs, caches = self._forward(signals, masks)
        last = self.plan.depth
        raw = torch.baddbmm(self._weights[f"bias{last}"].unsqueeze(2), self._weights[f"weight{last}"], inputs[-1])
        upstream = self._outputs(raw, signals, loss)
        torch.sum(upstream, 2, out=self._slots[f"bias{last}"])
        torch.bmm(upstream, inputs[last].transpose(1, 2), out=self._slots[f"weight{last}"])
        upstream = torch.bmm(self._transposed[last], upstream)
        self._backward(upstream, inputs, caches, masks)
        return self.gradient

    def _forward(
        self, signals: torch.Tensor, masks: Sequence[torch.Tensor]
    ) -> tuple[list[torch.Tensor], list[tuple[torch.Tensor, ...]]]:
        """The input of each layer, and of each hidden layer what its gradient needs."""
        network = self.network
        if network.branches == 1:
            x = signals
        else:
            x = signals[:, None].expand(-1, network.branches, -1, -1).reshape(network.groups, -1, self.batch)
        inputs, caches = [x], []
        for layer in range(self.plan.depth):
            weight, bias = self._weights[f"weight{layer}"], self._weights[f"bias{layer}"]
            z = normed = torch.baddbmm(bias.unsqueeze(2), weight, x)
            mean = spread = z
            if self.plan.batch_norm:
                # Its gradient by the bias, zero but for rounding, is not computed: that slot stays zero.
                normed, mean, spread = self._normed(layer, z)
            x = elu(normed, inplace=True)
            caches.append((z, mean, spread, x))
            if layer < len(masks):
                x = x * masks[layer]
            inputs.append(x)
        return inputs, caches

    def _normed(self, layer: int, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        gain, shift = self._weights[f"gain{layer}"].view(-1), self._weights[f"shift{layer}"].view(-1)
        mean, variance = self._running[f"mean{layer}"], self._running[f"variance{layer}"]
        flat, mean, spread = torch.native_batch_norm(
            z.view(1, -1, self.batch), gain, shift, mean, variance, True, MOMENTUM, EPS
        )
        return flat.view(z.shape), mean, spread

    def _outputs(self, raw: torch.Tensor, signals: torch.Tensor, loss: torch.Tensor) -> torch.Tensor:
        """The gradient by the raw outputs (groups, outputs, batch), and the loss."""
        network, members = self.network, self.network.members
        used = raw.view(members, -1, self.batch)[:, : len(self.plan.outputs)]
        if self.plan.constraint == "abs":
            shaped, values = used, used.abs()
        else:
            shaped = used.sigmoid()
            values = torch.addcmul(network.low, network.span, shaped)
        amplitudes, rates = network.amplitudes_and_rates(values)
        decays = (rates.unsqueeze(2) * network.minus_b).clamp_max_(LARGEST_EXPONENT).exp_()
        predicted = (amplitudes.unsqueeze(2) * decays).sum(1)
        difference = hardtanh(predicted, *SIGNAL_RANGE).sub_(signals)
        flat = difference.view(members, 1, -1)
        torch.bmm(flat, flat.transpose(1, 2), out=loss)
        passed = _cut_backward(difference, predicted, *SIGNAL_RANGE)
        told = torch.bmm(self._told, (passed.unsqueeze(1) * decays).flatten(0, 1))
        told = told.view(members, network.compartments, 2, self.batch)
        by_values = torch.zeros_like(raw).view(members, -1, self.batch)
        used_by = by_values[:, : len(self.plan.outputs)]
        torch.mul(told[:, :, 1], amplitudes, out=used_by[:, 0::2])
        if self.plan.fit_s0:
            used_by[:, 1::2] = told[:, :, 0]
        else:
            torch.sub(told[:, :-1, 0], told[:, -1:, 0], out=used_by[:, 1::2])
        if self.plan.constraint == "abs":
            used_by.mul_(shaped.sign())
        else:
            used_by.copy_(_sigmoid_backward(used_by.mul_(network.span), shaped))
        return by_values.view(raw.shape)

    def _backward(
        self,
        upstream: torch.Tensor,
        inputs: list[torch.Tensor],
        caches: list[tuple[torch.Tensor, ...]],
        masks: Sequence[torch.Tensor],
    ) -> None:
        """From the gradient by the last hidden layer's output to those by all weights before."""
        for layer in reversed(range(self.plan.depth)):
            z, mean, spread, active = caches[layer]
            if layer < len(masks):
                upstream.mul_(masks[layer])
            upstream = _elu_backward(upstream, 1, 1, 1, True, active)
            if self.plan.batch_norm:
                upstream = self._norm_backward(layer, upstream, z, mean, spread)
            else:
                torch.sum(upstream, 2, out=self._slots[f"bias{layer}"])
            torch.bmm(upstream, inputs[layer].transpose(1, 2), out=self._slots[f"weight{layer}"])
            if layer:
                upstream = torch.bmm(self._transposed[layer], upstream)

    def _norm_backward(
        self, layer: int, upstream: torch.Tensor, z: torch.Tensor, mean: torch.Tensor, spread: torch.Tensor
    ) -> torch.Tensor:
        flat = (1, -1, self.batch)
        gain = self._weights[f"gain{layer}"]
        by_z, by_gain, by_shift = _norm_backward(
            upstream.view(flat), z.view(flat), gain.view(-1), None, None, mean, spread, True, EPS, [True, True, True]
        )
        self._slots[f"gain{layer}"].view(-1).copy_(by_gain)
        self._slots[f"shift{layer}"].view(-1).copy_(by_shift)
        return by_z.view(z.shape)


class FlatAdam:
    """Adam (Kingma and Ba 2015, with PyTorch's weight decay in the gradient) on one vector, each entry with its rate.

    Args:
        weights: (n,) changed in place.
        rates: (n,) learning rates; may be changed in place between steps.
        weight_decay: as a part of the gradient.
    """

    def __init__(self, weights: torch.Tensor, rates: torch.Tensor, weight_decay: float) -> None:
        self.weights, self.rates, self.weight_decay = weights, rates, weight_decay
        self.first, self.second = torch.zeros_like(weights), torch.zeros_like(weights)
        self.steps = 0

    def step(self, gradient: torch.Tensor) -> None:
        """One step down the gradient, which is changed."""
        self.steps += 1
        if self.weight_decay:
            gradient = gradient.add(self.weights, alpha=self.weight_decay)
        self.first.lerp_(gradient, 1 - BETA1)
        self.second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        denominator = self.second.sqrt().mul_((1 - BETA2**self.steps) ** -0.5).add_(ADAM_EPS)
        update = self.first.div(denominator)
        self.weights.addcmul_(update, self.rates, value=-1 / (1 - BETA1**self.steps))

    def state_dict(self) -> dict:
        """What goes on after an interruption."""
        return {"first": self.first, "second": self.second, "rates": self.rates, "steps": self.steps}

    def load_state_dict(self, state: dict) -> None:
        """Go on from ``state_dict``."""
        for name in ("first", "second", "rates"):
            getattr(self, name).copy_(state[name])
        self.steps = int(state["steps"])
