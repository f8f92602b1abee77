"""All operations that a step may name.

Each is ``function(inputs, attributes)``: tensors and JSON values in, a tensor (or a tuple of them) out. Attributes:

- ``channels``: where the image's channels are, ``"last"`` (if left out) or ``"first"``.
- ``pads``: for each spatial axis ``(before, after)``; or ``"same"`` (as TensorFlow pads), or ``"valid"``.
- ``axis``, ``axes``: of the tensor as it is, negative from its end.

Kernels are laid out as PyTorch has them: ``conv`` (out, in / groups, x, y, z), ``conv_transpose`` (in, out / groups, x,
y, z). The families are in ``network_ops_*.py``; names that begin with ``tf.`` or ``onnx.`` do what is particular to
those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from DeepMRILib.pvs.importer.network_onnx_ops import ONNX_OPS
from DeepMRILib.pvs.importer.network_ops_activation import ACTIVATION_OPS
from DeepMRILib.pvs.importer.network_ops_arithmetic import ARITHMETIC_OPS
from DeepMRILib.pvs.importer.network_ops_convolution import CONVOLUTION_OPS
from DeepMRILib.pvs.importer.network_ops_normalisation import NORMALISATION_OPS
from DeepMRILib.pvs.importer.network_ops_shape import SHAPE_OPS
from DeepMRILib.pvs.importer.network_tensorflow_ops import TENSORFLOW_OPS

Op = Callable[[Sequence[Tensor], Mapping[str, Any]], "Tensor | tuple[Tensor, ...]"]

OPS: dict[str, Op] = {
    **ACTIVATION_OPS,
    **ARITHMETIC_OPS,
    **CONVOLUTION_OPS,
    **NORMALISATION_OPS,
    **SHAPE_OPS,
    **TENSORFLOW_OPS,
    **ONNX_OPS,
}
