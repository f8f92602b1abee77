"""A network that is only asked: its weights fixed, and what is slow in PyTorch exchanged for what is the same."""

from __future__ import annotations

import copy

import torch
from torch import nn

from DeepMRILib.igs.network_opened import copied_script


def frozen(network: nn.Module, device: str, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A copy of the network that is evaluated, not trained; it gives the same numbers.

    PReLU with one slope becomes LeakyReLU: the backward pass of the former also sums up a gradient of the slope, which
    nobody needs. On two cores that was a third of the time of a U-Net with 8 to 64 features.

    Args:
        network: left as it is.
        device: where it will compute.
        dtype: of its weights.
    """
    if isinstance(network, torch.jit.ScriptModule):
        return copied_script(network).to(device, dtype).eval()
    twin = copy.deepcopy(network).to(device, dtype).eval().requires_grad_(False)
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            # a class of its own that derives from PReLU may do something else
            if type(child) is nn.PReLU and child.num_parameters == 1:
                setattr(parent, name, nn.LeakyReLU(float(child.weight)))
    return twin
