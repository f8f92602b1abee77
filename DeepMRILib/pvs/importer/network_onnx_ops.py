"""Operations that only ONNX has, for ``network_ops.OPS``."""

from __future__ import annotations

from DeepMRILib.pvs.importer.network_tensorflow_ops import TENSORFLOW_OPS

ONNX_OPS = {
    # Linear resizing with given places along one axis is the same in both.
    "onnx.Interpolate": TENSORFLOW_OPS["tf.Interpolate"],
}
