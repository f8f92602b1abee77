"""The models that make_keras_fixtures writes: one for each family of layers, with an output for each way to set them.

Each is ``build(library, version)`` with tf_keras (2) or keras (3); what a version lacks is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

VOLUME = (4, 5, 3, 4)
PLANE = (5, 6, 4)
LINE = (9, 4)


def _many(k: Any, shape: tuple[int, ...], layers: list[Any]) -> Any:
    """A model with one input and the answer of each layer as an output."""
    x = k.Input(shape, name="image")
    return k.Model(x, [layer(x) for layer in layers])


def convolutions_3d(k: Any, _version: int) -> Any:
    """Three dimensions: padding, strides, dilation, groups, activations."""
    conv = k.layers.Conv3D
    settings: list[dict[str, Any]] = [
        {"filters": 3, "kernel_size": 3},
        {"filters": 3, "kernel_size": 3, "padding": "same", "use_bias": False, "activation": "relu"},
        {"filters": 2, "kernel_size": 3, "padding": "same", "strides": 2, "activation": "sigmoid"},
        {"filters": 2, "kernel_size": (2, 4, 1), "padding": "same", "strides": (2, 1, 3), "activation": "swish"},
        {"filters": 2, "kernel_size": 2, "padding": "valid", "strides": 2, "activation": "tanh"},
        {"filters": 2, "kernel_size": 3, "padding": "same", "dilation_rate": 2, "activation": "elu"},
        {"filters": 4, "kernel_size": (3, 1, 2), "padding": "same", "activation": "softmax"},
    ]
    return _many(k, VOLUME, [conv(**entry) for entry in settings])


def transposed_3d(k: Any, _version: int) -> Any:
    """Transposed convolutions in three dimensions."""
    settings: list[dict[str, Any]] = [
        {"filters": 3, "kernel_size": 2, "strides": 2},
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "relu"},
        {"filters": 2, "kernel_size": 4, "strides": 2, "padding": "same", "use_bias": False},
        {"filters": 2, "kernel_size": (3, 2, 1), "strides": (1, 2, 3), "padding": "valid", "activation": "sigmoid"},
        {"filters": 2, "kernel_size": (3, 2, 1), "strides": (1, 2, 3), "padding": "same"},
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 1},
        {"filters": 2, "kernel_size": 3, "strides": 2, "padding": "valid", "output_padding": 1},
        {"filters": 2, "kernel_size": 3, "strides": 1, "padding": "same"},
    ]
    return _many(k, (3, 4, 3, 4), [k.layers.Conv3DTranspose(**entry) for entry in settings])


def convolutions_2d(k: Any, _version: int) -> Any:
    """Two dimensions, with convolutions of each channel."""
    layer = k.layers
    return _many(k, PLANE, [
        layer.Conv2D(3, 3, padding="same", strides=2, activation="gelu"),
        layer.Conv2D(3, (3, 2), dilation_rate=(2, 1), groups=1),
        layer.Conv2DTranspose(3, 3, strides=2, padding="same", activation="selu"),
        layer.Conv2DTranspose(2, 3, strides=(1, 2), padding="valid"),
        layer.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="relu"),
        layer.DepthwiseConv2D(3, strides=2, padding="same", use_bias=False),
        layer.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, activation="softplus"),
        layer.SeparableConv2D(3, 2, strides=2, padding="valid", use_bias=False),
        layer.DepthwiseConv2D(3, dilation_rate=2, padding="same"),
    ])  # fmt: skip


def convolutions_1d(k: Any, _version: int) -> Any:
    """One dimension."""
    layer = k.layers
    return _many(k, LINE, [
        layer.Conv1D(3, 3, padding="causal", dilation_rate=2, activation="relu"),
        layer.Conv1D(3, 2, padding="same", strides=2),
        layer.Conv1DTranspose(3, 3, strides=2, padding="same"),
        layer.DepthwiseConv1D(3, padding="same"),
        layer.SeparableConv1D(3, 3, padding="same", activation="softsign"),
        layer.MaxPooling1D(3, padding="same"),
        layer.AveragePooling1D(2, strides=3, padding="same"),
        layer.GlobalAveragePooling1D(),
        layer.GlobalMaxPooling1D(keepdims=True),
        layer.ZeroPadding1D((1, 2)),
        layer.ZeroPadding1D(2),
        layer.Cropping1D((2, 1)),
        layer.UpSampling1D(3),
    ])  # fmt: skip


def pooling(k: Any, _version: int) -> Any:
    """Pooling, padding, cropping, enlarging in three dimensions."""
    layer = k.layers
    return _many(k, VOLUME, [
        layer.MaxPooling3D(2),
        layer.MaxPooling3D(3, strides=2, padding="same"),
        layer.MaxPooling3D((2, 3, 1), strides=(1, 2, 2), padding="same"),
        layer.AveragePooling3D(2, padding="same"),
        layer.AveragePooling3D(3, strides=1, padding="same"),
        layer.AveragePooling3D((3, 2, 2), strides=2),
        layer.GlobalAveragePooling3D(),
        layer.GlobalAveragePooling3D(keepdims=True),
        layer.GlobalMaxPooling3D(),
        layer.ZeroPadding3D(((0, 1), (2, 0), (1, 1))),
        layer.ZeroPadding3D(1),
        layer.Cropping3D(((0, 1), (2, 0), (1, 1))),
        layer.UpSampling3D((2, 1, 3)),
    ])  # fmt: skip


def pooling_2d(k: Any, _version: int) -> Any:
    """The same in two dimensions."""
    layer = k.layers
    return _many(k, PLANE, [
        layer.MaxPooling2D(3, strides=2, padding="same"),
        layer.AveragePooling2D(3, strides=2, padding="same"),
        layer.GlobalAveragePooling2D(keepdims=True),
        layer.GlobalMaxPooling2D(),
        layer.ZeroPadding2D(((1, 0), (0, 2))),
        layer.Cropping2D((1, 2)),
        layer.UpSampling2D(2),
        layer.UpSampling2D((2, 3), interpolation="bilinear"),
    ])  # fmt: skip


def normalisation(k: Any, _version: int) -> Any:
    """All that normalise, with and without scale and shift."""
    layer = k.layers
    return _many(k, VOLUME, [
        layer.BatchNormalization(),
        layer.BatchNormalization(epsilon=0.1, scale=False),
        layer.BatchNormalization(center=False),
        layer.BatchNormalization(axis=1, scale=False, center=False),
        layer.LayerNormalization(),
        layer.LayerNormalization(axis=[1, 2, 3, 4], epsilon=0.01),
        layer.LayerNormalization(axis=-2, center=False),
        layer.LayerNormalization(scale=False, center=False),
        layer.GroupNormalization(2),
        layer.GroupNormalization(-1, epsilon=0.05, scale=False),
        layer.GroupNormalization(4, center=False),
        layer.Normalization(axis=-1),
        layer.Normalization(axis=None, mean=0.3, variance=2.0),
        layer.Rescaling(0.5, offset=-0.2),
    ])  # fmt: skip


def activations(k: Any, version: int) -> Any:
    """Activations by name, and as layers."""
    layer = k.layers
    names = ["relu", "relu6", "sigmoid", "tanh", "swish", "silu", "softplus", "softsign", "selu", "elu", "gelu", "mish",
             "exponential", "softmax", "log_softmax", "hard_sigmoid", "linear", "leaky_relu"]  # fmt: skip
    if version == 3:
        names += ["celu", "log_sigmoid", "tanh_shrink", "hard_tanh", "hard_shrink", "soft_shrink", "squareplus",
                  "hard_swish", "hard_silu", "sparse_sigmoid"]  # fmt: skip
    slope = {"negative_slope": 0.13} if version == 3 else {"alpha": 0.13}
    layers = [layer.Activation(name) for name in names]
    return _many(k, (3, 4, 3, 4), [
        *layers,
        layer.ReLU(),
        layer.ReLU(max_value=0.8, negative_slope=0.2, threshold=0.3),
        layer.ReLU(max_value=1.0),
        layer.LeakyReLU(),
        layer.LeakyReLU(**slope),
        layer.PReLU(),
        layer.PReLU(shared_axes=[1, 2, 3]),
        layer.ELU(alpha=0.7),
        layer.Softmax(axis=1),
        layer.Conv3D(2, 1, activation=k.layers.LeakyReLU()) if version == 2 else layer.Conv3D(2, 1, activation="mish"),
        *([layer.ThresholdedReLU(theta=0.4)] if version == 2 else []),
    ])  # fmt: skip


def joining(k: Any, _version: int) -> Any:
    """Two images and a number for each channel: sums, gates, reshaping, dense layers."""
    layer = k.layers
    a, b, c = (k.Input(shape, name=name) for shape, name in ((VOLUME, "a"), (VOLUME, "b"), ((1, 1, 1, 4), "c")))
    dense = layer.Dense(6, activation="relu")(layer.Flatten()(layer.MaxPooling3D(3)(a)))
    outputs = [
        layer.Add()([a, b, c]), layer.Subtract()([a, b]), layer.Multiply()([a, c]), layer.Average()([a, b, c]),
        layer.Maximum()([a, b]), layer.Minimum()([a, b]), layer.Concatenate()([a, b]),
        layer.Concatenate(axis=1)([b, a]),
        layer.Concatenate(axis=-2)([a, b]), dense, layer.Reshape((2, 1, 3))(dense), layer.Reshape((-1, 2))(dense),
        layer.Permute((4, 2, 1, 3))(a), layer.Dense(3, use_bias=False)(b),
        layer.Multiply()([a, layer.Reshape((1, 1, 1, 4))(layer.GlobalAveragePooling3D()(b))]),
        layer.GaussianNoise(0.1)(layer.SpatialDropout3D(0.3)(layer.Dropout(0.4)(a))),
        layer.GaussianDropout(0.2)(layer.ActivityRegularization(0.1)(layer.AlphaDropout(0.1)(b))),
    ]  # fmt: skip
    return k.Model([a, b, c], outputs)


def nested(k: Any, _version: int) -> Any:
    """Models in models, layers and models used twice, some of them frozen, names with slashes."""
    layer = k.layers
    x = k.Input(VOLUME, name="image")
    row = k.Sequential([k.Input(VOLUME), layer.Conv3D(4, 3, padding="same"), layer.BatchNormalization(),
                        layer.PReLU(shared_axes=[1, 2, 3])], name="row")  # fmt: skip
    first, second = k.Input(VOLUME, name="first"), k.Input(VOLUME, name="second")
    norm = layer.BatchNormalization(name="norm")
    inner = k.Sequential([k.Input(VOLUME), layer.Conv3D(4, 1), layer.BatchNormalization()], name="inner")
    inner.layers[0].trainable = False
    joined = layer.Add()([norm(first), norm(second)])
    pair = k.Model([first, second], [inner(joined), layer.Conv3D(2, 1)(joined)], name="pair")
    one = row(x)
    two = row(one)
    left, right = pair([one, two])
    again, _ = pair([left, x])
    shared = layer.Conv3D(3, 2, name="block1/shared" if _version == 2 else "block1_shared")
    return k.Model(x, [shared(again), shared(two), layer.Concatenate()([left, right])])


def chain(k: Any, _version: int) -> Any:
    """A sequential model."""
    layer = k.layers
    return k.Sequential([
        k.Input(VOLUME), layer.ZeroPadding3D(1), layer.Conv3D(3, 3), layer.BatchNormalization(), layer.LeakyReLU(),
        layer.Dropout(0.2), layer.Conv3DTranspose(2, 2, strides=2), layer.AveragePooling3D(2),
        layer.Conv3D(2, 1, activation="softmax"),
    ])  # fmt: skip


def functions(k: Any, version: int) -> Any:
    """Functions that stand among the layers."""
    a, b = k.Input(VOLUME, name="a"), k.Input(VOLUME, name="b")
    return k.Model([a, b], (_tensorflow if version == 2 else _operations)(k, a, b))


def _python(a: Any, b: Any) -> list[Any]:
    """What can be written with Python's own operators."""
    return [a + b, a - 1, 1 - a, 2.0 * b, a / (b * b + 1.0), -a, (a * a + 1.0) ** 0.5, a[:, 1:-1, ::2], a[..., 0],
            a[:, 2], a[..., None]]  # fmt: skip


def _tensorflow(_k: Any, a: Any, b: Any) -> list[Any]:
    y = tf.nn.relu(a)
    return [
        *_python(a, b), tf.concat([a, b], axis=-1), tf.concat([a, b], 1), tf.stack([a, b], axis=1),
        tf.pad(a, [[0, 0], [1, 0], [0, 2], [1, 1], [0, 0]]),
        tf.pad(a, [[0, 0], [1, 1], [2, 2], [0, 0], [0, 0]], "REFLECT"),
        tf.nn.silu(a), tf.nn.swish(a), tf.nn.leaky_relu(a), tf.nn.leaky_relu(a, alpha=0.1), tf.nn.elu(a),
        tf.nn.relu6(a),
        tf.nn.gelu(a), tf.nn.softmax(a), tf.nn.softmax(a, axis=1), tf.nn.sigmoid(a), tf.nn.selu(a), tf.nn.softplus(a),
        tf.nn.log_softmax(a), tf.maximum(a, b), tf.minimum(a, 0.2), tf.maximum(0.1, a), tf.square(a), tf.abs(a),
        tf.sqrt(y + 1.0), tf.math.rsqrt(y + 1.0), tf.exp(a), tf.math.log(y + 1.0), tf.tanh(a), tf.pow(y + 0.5, 1.5),
        tf.reduce_mean(a, axis=[1, 2, 3]), tf.reduce_max(a, axis=-1, keepdims=True), tf.reduce_sum(a, axis=1),
        tf.clip_by_value(a, -0.5, 0.5), tf.expand_dims(a, 1), tf.squeeze(tf.expand_dims(a, 1), axis=1),
        tf.tile(a, [1, 2, 1, 1, 1]), tf.reshape(a, [-1, 12, 20]), tf.transpose(a, [0, 4, 1, 2, 3]),
        tf.repeat(a, 2, axis=2),
        tf.where(a > b, a, b), tf.add_n([a, b, y]), tf.math.squared_difference(a, b), tf.cast(a > 0.0, tf.float32) * b,
        tf.matmul(a, b, transpose_b=True), tf.math.divide(a, 3.0), tf.multiply(a, b), tf.subtract(a, b), tf.add(a, b),
        *tf.split(a, [1, 3], axis=-1), tf.math.sign(a), tf.identity(a),
    ]  # fmt: skip


def _operations(k: Any, a: Any, b: Any) -> list[Any]:
    o = k.ops
    y = o.relu(a)
    return [
        *_python(a, b), o.concatenate([a, b], axis=-1), o.stack([a, b], axis=1),
        o.pad(a, [[0, 0], [1, 0], [0, 2], [1, 1], [0, 0]]),
        o.pad(a, [[0, 0], [1, 1], [2, 2], [0, 0], [0, 0]], "reflect"),
        o.pad(a, [[0, 0], [1, 1], [0, 0], [0, 0], [0, 0]], constant_values=2.0), o.silu(a), o.leaky_relu(a),
        o.leaky_relu(a, 0.1), o.elu(a), o.relu6(a), o.gelu(a), o.gelu(a, approximate=False), o.softmax(a),
        o.softmax(a, axis=1), o.sigmoid(a), o.selu(a), o.softplus(a), o.log_softmax(a), o.hard_sigmoid(a),
        o.maximum(a, b),
        o.minimum(a, 0.2), o.square(a), o.abs(a), o.sqrt(y + 1.0), o.rsqrt(y + 1.0), o.exp(a),
        o.log(y + 1.0), o.tanh(a),
        o.power(y + 0.5, 1.5), o.mean(a, axis=[1, 2, 3]), o.max(a, axis=-1, keepdims=True), o.sum(a, axis=1),
        o.clip(a, -0.5, 0.5), o.expand_dims(a, 1), o.squeeze(o.expand_dims(a, 1), axis=1), o.tile(a, [1, 2, 1, 1, 1]),
        o.reshape(a, (-1, 12, 20)), o.transpose(a, (0, 4, 1, 2, 3)), o.repeat(a, 2, axis=2), o.where(a > b, a, b),
        o.cast(a > 0.0, "float32") * b, o.divide(a, 3.0), o.multiply(a, b), o.subtract(a, b), o.add(a, b), o.sign(a),
        o.matmul(a, o.transpose(b, (0, 1, 2, 4, 3))), o.log_sigmoid(a), o.hard_silu(a), o.celu(a),
    ]  # fmt: skip


FAMILIES: dict[str, Callable[[Any, int], Any]] = {
    build.__name__: build
    for build in (
        convolutions_3d, transposed_3d, convolutions_2d, convolutions_1d, pooling, pooling_2d, normalisation,
        activations, joining, nested, chain, functions,
    )
}  # fmt: skip
