"""The network: MONAI's DynUNet, as InteractiveNet configures it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from DeepMRILib.errors import require
from DeepMRILib.interactive.network_plan import NetworkPlan

if TYPE_CHECKING:
    import torch


def build(plan: NetworkPlan) -> torch.nn.Module:
    """A network of that plan with fresh random weights (``device.seed_everything`` before it makes them repeatable).

    In training it gives (n, 1 + heads, outputs, i, j, k), the full resolution first; in evaluation (n, outputs, i, j,
    k), both before the softmax. Instance normalisation without learned scale, leaky ReLU, no residual blocks.
    """
    require("monai", "The segmentation network")
    from monai.networks.nets import DynUNet

    return DynUNet(
        spatial_dims=3,
        in_channels=plan.inputs,
        out_channels=plan.outputs,
        kernel_size=plan.kernels,
        strides=plan.strides,
        upsample_kernel_size=plan.strides[1:],
        filters=plan.filters,
        norm_name="instance",
        deep_supervision=plan.heads > 0,
        deep_supr_num=max(plan.heads, 1),
        res_block=False,
    )
