"""The layers of Keras that are read: their weights in Keras' order, and the steps that each becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from DeepMRILib.pvs.importer import keras_layers_activation as activation
from DeepMRILib.pvs.importer import keras_layers_convolution as convolution
from DeepMRILib.pvs.importer import keras_layers_normalisation as normalisation
from DeepMRILib.pvs.importer import keras_layers_shape as shape
from DeepMRILib.pvs.importer.keras_site import Options, Site

Roles = tuple[str, ...]
TRAINED = frozenset({"moving_mean", "moving_variance", "mean", "variance", "count"})
"""Weights that training does not change by gradients: Keras lists them after all others."""


@dataclass(frozen=True)
class LayerKind:
    """A kind of layer: the steps it becomes, the weights it has, and settings that only matter in training."""

    make: Callable[[Site], str]
    roles: Callable[[Options], Roles] = lambda _options: ()
    training: Roles = ()


def _kernel(*kernels: str) -> Callable[[Options], Roles]:
    return lambda options: (*kernels, "bias") if options.get("use_bias", True) else kernels


def _learned(*more: str) -> Callable[[Options], Roles]:
    def roles(options: Options) -> Roles:
        scale = ("gamma",) if options.get("scale", True) else ()
        centre = ("beta",) if options.get("center", True) else ()
        return (*scale, *centre, *more)

    return roles


def _statistics(options: Options) -> Roles:
    return () if options.has("mean") else ("mean", "variance", "count")


def _normalised(make: Callable[[Site], str], *more: str) -> LayerKind:
    return LayerKind(make, _learned(*more))


LAYERS: dict[str, LayerKind] = {
    "Activation": LayerKind(activation.activation_layer),
    "ReLU": LayerKind(activation.relu_layer),
    "LeakyReLU": LayerKind(activation.leaky_relu_layer),
    "ELU": LayerKind(activation.elu_layer),
    "ThresholdedReLU": LayerKind(activation.thresholded_relu_layer),
    "Softmax": LayerKind(activation.softmax_layer),
    "PReLU": LayerKind(activation.prelu_layer, lambda _options: ("alpha",)),
    "Dense": LayerKind(convolution.dense, _kernel("kernel")),
    "BatchNormalization": _normalised(normalisation.batch, "moving_mean", "moving_variance"),
    "SyncBatchNormalization": _normalised(normalisation.batch, "moving_mean", "moving_variance"),
    "LayerNormalization": _normalised(normalisation.layer),
    "GroupNormalization": _normalised(normalisation.group),
    "Addons>GroupNormalization": _normalised(normalisation.group),
    "Addons>InstanceNormalization": _normalised(normalisation.instance),
    "Normalization": LayerKind(normalisation.standardise, _statistics),
    "Add": LayerKind(partial(shape.merging, op="add")),
    "Subtract": LayerKind(partial(shape.merging, op="sub")),
    "Multiply": LayerKind(partial(shape.merging, op="mul")),
    "Average": LayerKind(partial(shape.merging, op="average")),
    "Maximum": LayerKind(partial(shape.merging, op="maximum")),
    "Minimum": LayerKind(partial(shape.merging, op="minimum")),
    "Concatenate": LayerKind(shape.concatenate),
    "Flatten": LayerKind(shape.flatten),
    "Reshape": LayerKind(shape.reshape),
    "Permute": LayerKind(shape.permute),
    "Rescaling": LayerKind(shape.rescaling),
    "Identity": LayerKind(shape.identity),
    "Dropout": LayerKind(shape.identity, training=("rate",)),
    "AlphaDropout": LayerKind(shape.identity, training=("rate",)),
    "GaussianDropout": LayerKind(shape.identity, training=("rate",)),
    "GaussianNoise": LayerKind(shape.identity, training=("stddev",)),
    "ActivityRegularization": LayerKind(shape.identity, training=("l1", "l2")),
}
for _dims in (1, 2, 3):
    LAYERS |= {
        f"Conv{_dims}D": LayerKind(partial(convolution.convolution, dims=_dims), _kernel("kernel")),
        f"Conv{_dims}DTranspose": LayerKind(partial(convolution.transposed, dims=_dims), _kernel("kernel")),
        f"MaxPooling{_dims}D": LayerKind(partial(shape.pooling, dims=_dims, op="max_pool")),
        f"AveragePooling{_dims}D": LayerKind(partial(shape.pooling, dims=_dims, op="average_pool")),
        f"GlobalAveragePooling{_dims}D": LayerKind(partial(shape.global_pooling, dims=_dims, op="reduce_mean")),
        f"GlobalMaxPooling{_dims}D": LayerKind(partial(shape.global_pooling, dims=_dims, op="reduce_max")),
        f"ZeroPadding{_dims}D": LayerKind(partial(shape.zero_padding, dims=_dims)),
        f"Cropping{_dims}D": LayerKind(partial(shape.cropping, dims=_dims)),
        f"UpSampling{_dims}D": LayerKind(partial(shape.upsampling, dims=_dims)),
        f"SpatialDropout{_dims}D": LayerKind(shape.identity, training=("rate", "data_format")),
    }
for _dims in (1, 2):
    _separable = partial(convolution.separable, dims=_dims)
    LAYERS |= {
        f"DepthwiseConv{_dims}D": LayerKind(partial(convolution.depthwise, dims=_dims), _kernel("depthwise_kernel")),
        f"SeparableConv{_dims}D": LayerKind(_separable, _kernel("depthwise_kernel", "pointwise_kernel")),
    }
# The names of Keras 1, which its successors still write for these.
LAYERS |= {f"Convolution{dims}D": LAYERS[f"Conv{dims}D"] for dims in (1, 2, 3)}
LAYERS |= {f"Convolution{dims}DTranspose": LAYERS[f"Conv{dims}DTranspose"] for dims in (1, 2, 3)}


def kind_of(name: str, options: Options) -> LayerKind | None:
    """A kind by its class; ``InstanceNormalization`` where its settings are those of TensorFlow Addons."""
    if name == "InstanceNormalization" and options.has("groups"):
        return LAYERS["Addons>InstanceNormalization"]
    return LAYERS.get(name)
