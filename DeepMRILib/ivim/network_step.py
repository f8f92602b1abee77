"""A training step of the IVIM networks with its gradient written out by hand.

A network of 1,280 weights computes for some 50 microseconds a step; PyTorch's modules, autograd and optimizer take 3 to
5 milliseconds around it. Here a step is about 45 tensor operations on buffers that stay, with one flat
vector for the weights of all members, their gradient and Adam's moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from DeepMRILib.ivim.network import EPS, LARGEST_EXPONENT, MOMENTUM, SIGNAL_RANGE, IvimNetwork

_elu_backward = torch.ops.aten.elu_backward.default
_norm_backward = torch.ops.aten.native_batch_norm_backward.default
_cut_backward = torch.ops.aten.hardtanh_backward.default
BETA1, BETA2, ADAM_EPS = 0.9, 0.999, 1e-8  # PyTorch's defaults


@dataclass(frozen=True)
class _Layer:
    """Views of a layer's weights and of its gradient, and its output; (groups or, in the first layer, members, ...)."""

    weight: torch.Tensor
    transposed: torch.Tensor
    bias: torch.Tensor
    by_weight: torch.Tensor
    by_bias: torch.Tensor
    out: torch.Tensor


class Gradient:
    """The gradient of the mean squared difference between signals and predicted signals, summed over members.

    Args:
        network: its parameters become views of one flat vector, ``self.flat``; do not move the network after that.
        batch: voxels per step.
    """

    def __init__(self, network: IvimNetwork, batch: int) -> None:
        self.network, self.plan, self.batch = network, network.plan, batch
        self._weights, self._slots = self._flatten(dict(network.named_parameters()))
        hidden = range(self.plan.depth if self.plan.batch_norm else 0)
        self._running = [
            [getattr(network, f"{name}{layer}").view(-1) for name in ("mean", "variance")] for layer in hidden
        ]
        self._statistics = [tuple(torch.empty_like(mean) for _ in range(2)) for mean, _ in self._running]
        self._gains, self._shifts, self._by_gains, self._by_shifts = (
            [values[f"{name}{layer}"].view(-1) for layer in hidden]
            for values in (self._weights, self._slots) for name in ("gain", "shift")
        )  # fmt: skip
        self._layers = [self._layer(layer) for layer in range(self.plan.depth + 1)]
        shape = (network.groups, self.plan.width, batch)
        self._active = [self.flat.new_empty(shape) for _ in range(self.plan.depth)]
        self._dropped = [self.flat.new_empty(shape) for _ in range(self.plan.depth - 1)]
        self._upstream = self.flat.new_empty(shape)
        self._make_output_buffers()

    def _flatten(self, parameters: dict[str, torch.nn.Parameter]) -> tuple[dict, dict]:
        """Move all parameters into one vector; views of it and of its gradient by name, (groups, ...)."""
        self.flat = torch.cat([value.detach().reshape(-1) for value in parameters.values()])
        self.gradient = torch.zeros_like(self.flat)
        weights, slots, start = {}, {}, 0
        for name, value in parameters.items():
            part = slice(start, start + value.numel())
            value.data = self.flat[part].view(value.shape)
            weights[name] = value.detach().flatten(0, 1)
            slots[name] = self.gradient[part].view(weights[name].shape)
            start = part.stop
        return weights, slots

    def _layer(self, layer: int) -> _Layer:
        # All sub-networks of a member see the same signals: their first layers are one matrix.
        count = self.network.groups if layer else self.network.members
        weight, bias, by_weight, by_bias = (
            values[f"{name}{layer}"] for values in (self._weights, self._slots) for name in ("weight", "bias")
        )
        weight, by_weight = (values.view(count, -1, values.shape[-1]) for values in (weight, by_weight))
        out = self.flat.new_empty(count, weight.shape[1], self.batch)
        return _Layer(weight, weight.transpose(1, 2), bias.view(count, -1, 1), by_weight, by_bias, out)

    def _make_output_buffers(self) -> None:
        members, compartments, batch = self.network.members, self.network.compartments, self.batch
        minus_b, new = self.network.minus_b, self.flat.new_empty
        used = slice(len(self.plan.outputs))
        self._raw = self._layers[-1].out.view(members, -1, batch)[:, used]
        self._by_raw = torch.zeros_like(self._layers[-1].out)
        self._by_values = self._by_raw.view(members, -1, batch)[:, used]
        self._shaped, self._values, self._scratch = (new(self._raw.shape) for _ in range(3))
        self._rates = self._values[:, 0::2].unsqueeze(2)
        self._free = self._values[:, 1::2]
        self._amplitudes = self._free if self.plan.fit_s0 else new(members, compartments, batch)
        self._decays, self._parts = (new(members, compartments, self.plan.n_b, batch) for _ in range(2))
        self._predicted, self._difference = (new(members, self.plan.n_b, batch) for _ in range(2))
        self._flat_difference = self._difference.view(members, 1, -1)
        # Sums over b of a residual times exp(-b R), and the same times -b: what amplitudes and rates are told.
        sums = 2 / (self.plan.n_b * batch) * torch.stack([torch.ones_like(minus_b[:, 0]), minus_b[:, 0]])
        self._sums = sums.expand(members * compartments, -1, -1).contiguous()
        self._told = new(members * compartments, 2, batch)
        told = self._told.view(members, compartments, 2, batch)
        self._by_amplitudes, self._by_rates = told[:, :, 0], told[:, :, 1]

    def __call__(self, signals: torch.Tensor, masks: Sequence[torch.Tensor], loss: torch.Tensor) -> torch.Tensor:
        """Fill and return ``self.gradient``.

        Args:
            signals: (members, n_b, batch) normalised.
            masks: of dropout for each hidden layer but the last, (groups, width, batch) each, or none.
            loss: (members, 1, 1) receives each member's sum of squares.
        """
        inputs = self._forward(signals, masks)
        last = self._layers[-1]
        torch.baddbmm(last.bias, last.weight, inputs[-1], out=last.out)
        self._outputs(signals, loss)
        torch.sum(self._by_raw, 2, out=last.by_bias)
        torch.bmm(self._by_raw, inputs[-1].transpose(1, 2), out=last.by_weight)
        torch.bmm(last.transposed, self._by_raw, out=self._upstream)
        self._backward(inputs, masks)
        return self.gradient

    def _forward(self, signals: torch.Tensor, masks: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The input of each layer."""
        x, inputs = signals, [signals]
        for number, (layer, active) in enumerate(zip(self._layers, self._active, strict=False)):
            torch.baddbmm(layer.bias, layer.weight, x, out=layer.out)
            if self.plan.batch_norm:
                self._normed(number, layer.out, active)
            else:
                active.copy_(layer.out.view(active.shape))
            x = torch.celu_(active)  # ELU, for its alpha is 1
            if number < len(masks):
                x = torch.mul(active, masks[number], out=self._dropped[number])
            inputs.append(x)
        return inputs

    def _normed(self, layer: int, z: torch.Tensor, out: torch.Tensor) -> None:
        flat = (1, -1, self.batch)
        torch.native_batch_norm(
            z.view(flat), self._gains[layer], self._shifts[layer], *self._running[layer], True, MOMENTUM, EPS,
            out=(out.view(flat), *self._statistics[layer]),
        )  # fmt: skip

    def _outputs(self, signals: torch.Tensor, loss: torch.Tensor) -> None:
        """From the raw outputs to the loss, and back to the gradient by the raw outputs."""
        values, decays, by_values = self._values, self._decays, self._by_values
        if self.plan.constraint == "abs":
            torch.abs(self._raw, out=values)
        else:
            torch.sigmoid(self._raw, out=self._shaped)
            torch.addcmul(self.network.low, self.network.span, self._shaped, out=values)
        if not self.plan.fit_s0:
            self._amplitudes[:, :-1] = self._free
            torch.sub(1, self._free.sum(1), out=self._amplitudes[:, -1])
        torch.mul(self._rates, self.network.minus_b, out=decays)
        decays.clamp_max_(LARGEST_EXPONENT).exp_()
        torch.mul(self._amplitudes.unsqueeze(2), decays, out=self._parts)
        torch.sum(self._parts, 1, out=self._predicted)
        torch.clamp(self._predicted, *SIGNAL_RANGE, out=self._difference).sub_(signals)
        torch.bmm(self._flat_difference, self._flat_difference.transpose(1, 2), out=loss)
        passed = _cut_backward(self._difference, self._predicted, *SIGNAL_RANGE)
        torch.mul(passed.unsqueeze(1), decays, out=self._parts)
        torch.bmm(self._sums, self._parts.flatten(0, 1), out=self._told)
        torch.mul(self._by_rates, self._amplitudes, out=by_values[:, 0::2])
        if self.plan.fit_s0:
            by_values[:, 1::2] = self._by_amplitudes
        else:
            torch.sub(self._by_amplitudes[:, :-1], self._by_amplitudes[:, -1:], out=by_values[:, 1::2])
        if self.plan.constraint == "abs":
            by_values.mul_(torch.sign(self._raw, out=self._scratch))
        else:  # s (1 - s) times the width of the bounds
            torch.mul(by_values.mul_(self.network.span), self._shaped, out=self._scratch)
            torch.addcmul(self._scratch, self._scratch, self._shaped, value=-1, out=by_values)

    def _backward(self, inputs: list[torch.Tensor], masks: Sequence[torch.Tensor]) -> None:
        """From the gradient by the last hidden layer's output to those by all weights before."""
        upstream = self._upstream
        for number in reversed(range(self.plan.depth)):
            layer = self._layers[number]
            if number < len(masks):
                upstream.mul_(masks[number])
            by_z = _elu_backward(upstream, 1, 1, 1, True, self._active[number])
            if self.plan.batch_norm:  # takes the bias away again: its gradient stays zero
                by_z = self._norm_backward(number, by_z)
            else:
                torch.sum(by_z, 2, out=self._slots[f"bias{number}"])
            by_z = by_z.view(layer.out.shape)
            torch.bmm(by_z, inputs[number].transpose(1, 2), out=layer.by_weight)
            if number:
                torch.bmm(layer.transposed, by_z, out=upstream)

    def _norm_backward(self, layer: int, by_normed: torch.Tensor) -> torch.Tensor:
        flat = (1, -1, self.batch)
        by_z, by_gain, by_shift = _norm_backward(
            by_normed.view(flat), self._layers[layer].out.view(flat), self._gains[layer], None, None,
            *self._statistics[layer], True, EPS, [True, True, True],
        )  # fmt: skip
        self._by_gains[layer].copy_(by_gain)
        self._by_shifts[layer].copy_(by_shift)
        return by_z


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
