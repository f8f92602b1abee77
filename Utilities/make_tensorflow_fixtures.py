"""Make SavedModel folders of many kinds with TensorFlow, for the tests of the importer.

TensorFlow is no dependency of DeepMRI: run this in an environment of its own that has tensorflow-cpu, tf_keras and
keras (2.21, 2.21 and 3.15 made the stored files)::

    python make_tensorflow_fixtures.py FOLDER            # every network, by Keras 2, Keras 3 and plain TensorFlow
    python make_tensorflow_fixtures.py --stored FOLDER   # the few small ones of Testing/data/pvs, as zip files

``transposed_keras3_tf2onnx.onnx`` is the same network as Keras 2 writes it, by tf2onnx 1.17::

    python -m tf2onnx.convert --saved-model FOLDER/transposed_keras2 --output FILE --opset 17 --tag serve \\
        --signature_def serving_default

Each network NAME becomes a folder (or a zip file) and NAME_io.npz with inputs (in:NAME) and outputs (out:NAME) under
the names of the signature. Weights are random.
"""

from __future__ import annotations

import argparse
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

Network = Callable[[ModuleType], Any]
STORED = {
    "odd_keras2": ("odd", tf_keras),
    "transposed_keras3": ("transposed", keras),
    "gate_keras3": ("gate", keras),
    "two_keras2": ("two", tf_keras),
    "anysize_keras3": ("anysize", keras),
    "flat_keras2": ("flat", tf_keras),
    "half_keras2": ("half", tf_keras),
}


def residual(k: ModuleType) -> Any:
    """Residual blocks, pooling, upsampling, a skip."""
    layers = k.layers
    x = given = k.Input((16, 18, 20, 1))
    x = layers.Conv3D(4, 3, padding="same", use_bias=False)(x)
    skips = []
    for filters in (4, 6):
        y = layers.Activation("swish")(layers.BatchNormalization()(layers.Conv3D(filters, 3, padding="same")(x)))
        y = layers.BatchNormalization()(layers.Conv3D(filters, 3, padding="same", use_bias=False)(y))
        x = layers.Activation("swish")(layers.Add()([y, layers.Conv3D(filters, 1)(x)]))
        skips.append(x)
        x = layers.Dropout(0.3)(layers.MaxPooling3D(2)(x))
    for skip in reversed(skips):
        x = layers.UpSampling3D(2)(x)
        short = [
            (int((b - a) // 2), int(b - a - (b - a) // 2)) for a, b in zip(x.shape[1:4], skip.shape[1:4], strict=True)
        ]
        x = layers.Concatenate()([layers.ZeroPadding3D(short)(x), skip])
        x = layers.Activation("swish")(layers.BatchNormalization()(layers.Conv3D(6, 3, padding="same")(x)))
    return k.Model(given, layers.Conv3D(1, 1, activation="sigmoid")(x))


def gate(k: ModuleType) -> Any:
    """Attention gate, grouped convolution, instance norm, strides 2, 2, 1, hard sigmoid."""
    layers = k.layers
    given = k.Input((12, 14, 10, 2))
    x = layers.Conv3D(8, 3, padding="same", groups=2)(given)
    x = layers.LeakyReLU()(layers.GroupNormalization(groups=-1)(x))
    deep = layers.Conv3D(8, (3, 3, 1), strides=(2, 2, 1), padding="same", activation="softplus")(x)
    theta = layers.Conv3D(4, 2, strides=(2, 2, 1), padding="same", use_bias=False)(x)
    both = layers.Activation("relu")(layers.Add()([theta, layers.Conv3D(4, 1)(deep)]))
    psi = layers.UpSampling3D((2, 2, 1))(layers.Conv3D(1, 1, activation="sigmoid")(both))
    x = layers.Multiply()([x, psi])
    return k.Model(given, layers.Conv3D(3, 1, activation="hard_sigmoid")(x))


def odd(k: ModuleType) -> Any:
    """Stride 2, dilation 2, PReLU, ELU 0.7, group and layer normalisation, ReLU6, average pool, gating, softmax."""
    layers = k.layers
    given = k.Input((13, 12, 11, 1))
    x = layers.PReLU(shared_axes=[1, 2, 3])(layers.Conv3D(4, 3, strides=2, padding="same")(given))
    x = layers.ELU(0.7)(layers.Conv3D(4, 3, dilation_rate=2, padding="same")(x))
    x = layers.GroupNormalization(2)(x)
    x = layers.ReLU(6.0)(layers.Conv3D(4, 2, padding="same")(x))
    x = layers.LayerNormalization()(layers.AveragePooling3D(2, padding="same")(x))
    x = layers.Multiply()([x, layers.Conv3D(4, 1, activation="sigmoid")(x)])
    x = layers.Activation("gelu")(layers.MaxPooling3D(3, strides=2, padding="same")(x))
    return k.Model(given, layers.Conv3D(3, 1, activation="softmax")(x))


def transposed(k: ModuleType) -> Any:
    """Transposed convolutions: even and odd kernels, strides 2 and 2, 2, 1, same and valid, cropping."""
    layers = k.layers
    given = k.Input((8, 7, 6, 2))
    x = layers.Conv3DTranspose(4, 3, strides=2, padding="same")(given)
    x = layers.Conv3D(4, 3, strides=2, activation="tanh")(x)
    x = layers.Conv3DTranspose(3, 2, strides=(2, 2, 1), padding="same", activation="elu")(x)
    x = layers.Conv3DTranspose(3, (4, 3, 2), strides=(3, 2, 1), padding="valid")(x)
    x = layers.Cropping3D(((1, 2), (0, 1), (2, 0)))(x)
    x = layers.Conv3DTranspose(2, (1, 5, 3), strides=(2, 1, 2), padding="same", use_bias=False)(x)
    return k.Model(given, layers.Conv3DTranspose(1, 1, strides=(1, 2, 1), padding="valid")(x))


def two(k: ModuleType) -> Any:
    """Two inputs, two outputs, dense layers."""
    layers = k.layers
    one, other = k.Input((8, 10, 6, 1), name="zulu"), k.Input((8, 10, 6, 2), name="alpha")
    x = layers.Concatenate()([layers.Conv3D(3, 3, padding="same")(one), layers.Conv3D(2, 1)(other)])
    x = layers.Maximum()([layers.Activation("selu")(x), layers.Activation("softsign")(x)])
    image = layers.Conv3D(1, 1, activation="sigmoid", name="image")(layers.Dense(4, activation="relu")(x))
    pooled = layers.Dense(5)(layers.GlobalAveragePooling3D()(x))
    label = layers.Dense(2, activation="softmax", name="grade")(layers.Flatten()(pooled))
    return k.Model([one, other], [image, label])


def squeeze(k: ModuleType) -> Any:
    """Squeeze and excitation, global maxima, reshape, permute, subtract, average."""
    layers = k.layers
    given = k.Input((10, 8, 6, 3))
    x = layers.Conv3D(6, 3, padding="same", activation="exponential")(given)
    s = layers.Dense(6, activation="sigmoid")(layers.Dense(3, activation="relu")(layers.GlobalMaxPooling3D()(x)))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 1, 6))(s)])
    y = layers.Permute((2, 1, 3, 4))(x)
    y = layers.Permute((2, 1, 3, 4))(layers.Conv3D(6, 1)(y))
    x = layers.Average()([layers.Subtract()([x, y]), y, layers.Minimum()([x, y])])
    return k.Model(given, layers.Softmax(axis=-1)(layers.Lambda(lambda v: v * 0.5)(x)))


def flat(k: ModuleType) -> Any:
    """Two dimensions: separable, depthwise and transposed convolution, both ways of upsampling."""
    layers = k.layers
    given = k.Input((20, 24, 2))
    x = layers.SeparableConv2D(6, 3, padding="same", activation="relu")(given)
    x = layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, padding="same")(x)
    x = layers.BatchNormalization()(layers.Conv2D(6, 3, dilation_rate=2, padding="same")(x))
    x = layers.MaxPooling2D(2)(layers.UpSampling2D(3)(x))
    x = layers.AveragePooling2D(3, strides=1, padding="same")(layers.UpSampling2D(2, interpolation="bilinear")(x))
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same")(layers.ZeroPadding2D(((1, 0), (2, 1)))(x))
    return k.Model(given, layers.Conv2D(2, 1, activation="sigmoid")(layers.Cropping2D(1)(x)))


def line(k: ModuleType) -> Any:
    """One dimension."""
    layers = k.layers
    given = k.Input((40, 2))
    x = layers.BatchNormalization()(layers.Conv1D(4, 5, padding="same", strides=2)(given))
    x = layers.UpSampling1D(2)(layers.MaxPooling1D(2)(layers.Activation("tanh")(x)))
    x = layers.Conv1D(4, 3, padding="causal", dilation_rate=2)(x)
    return k.Model(given, layers.Dense(1)(layers.AveragePooling1D(2, padding="same")(x)))


def attention(k: ModuleType) -> Any:
    """Self-attention over places."""
    layers = k.layers
    given = k.Input((6, 4, 4, 3))
    x = layers.Reshape((96, 8))(layers.Conv3D(8, 1)(given))
    x = layers.LayerNormalization(epsilon=1e-6)(layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)]))
    return k.Model(given, layers.Conv3D(1, 3, padding="same")(layers.Reshape((6, 4, 4, 8))(x)))


def anysize(k: ModuleType) -> Any:
    """No size is fixed."""
    layers = k.layers
    given = k.Input((None, None, None, 1))
    skip = layers.Activation("swish")(layers.BatchNormalization()(layers.Conv3D(4, 3, padding="same")(given)))
    x = layers.Conv3D(4, 3, padding="same", activation="relu")(layers.MaxPooling3D(2)(skip))
    x = layers.Concatenate()([layers.UpSampling3D(2)(x), skip])
    x = layers.Cropping3D(1)(layers.ZeroPadding3D(1)(x))
    return k.Model(given, layers.Conv3D(1, 1, activation="sigmoid")(x))


def anysize_transposed(k: ModuleType) -> Any:
    """No size is fixed, and transposed convolutions."""
    layers = k.layers
    given = k.Input((None, None, None, 1))
    x = layers.Conv3D(4, 3, strides=2, padding="same", activation="relu")(given)
    return k.Model(given, layers.Conv3DTranspose(1, 2, strides=2, padding="same")(x))


def half(k: ModuleType) -> Any:
    """For mixed precision (TensorFlow has no half pooling on a CPU)."""
    layers = k.layers
    given = k.Input((10, 12, 8, 1))
    x = layers.Activation("swish")(layers.BatchNormalization()(layers.Conv3D(4, 3, padding="same")(given)))
    x = layers.Add()([x, layers.UpSampling3D(2)(layers.Conv3D(4, 3, strides=2, padding="same")(x))])
    return k.Model(given, layers.Activation("sigmoid", dtype="float32")(layers.Conv3D(1, 1)(x)))


NETWORKS: dict[str, Network] = {
    function.__name__: function
    for function in (
        residual,
        gate,
        odd,
        transposed,
        two,
        squeeze,
        flat,
        line,
        attention,
        anysize,
        anysize_transposed,
        half,
    )
}


class Operations(tf.Module):
    """Operations that Keras layers seldom make."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(5)
        self.kernel = tf.Variable(rng.normal(size=(3, 3, 3, 2, 4)).astype(np.float32), name="same")
        self.other = tf.Variable(rng.normal(size=(4, 3)).astype(np.float32), name="same")
        self.captured = tf.constant(rng.normal(size=(3,)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 6, 10, 2], tf.float32, name="image")])
    def __call__(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
        x = tf.pad(x, [[0, 0], [2, 1], [1, 1], [0, 3], [0, 0]], mode="REFLECT")
        x = tf.pad(x, [[0, 0], [1, 1], [0, 0], [0, 0], [0, 0]], mode="SYMMETRIC")
        x = tf.nn.conv3d(x, self.kernel, [1, 1, 1, 1, 1], "VALID")
        x = tf.einsum("nxyzc,cd->nxyzd", x, self.other) + self.captured
        x = tf.gather(x, [2, 0, 0, 1], axis=-1)
        x = tf.where(x > 0.5, tf.clip_by_value(x, -1.0, 2.0), tf.math.divide_no_nan(x, tf.round(x)))
        x = tf.concat([x[:, ::2], x[:, 1::2]], axis=1)[:, 1:-1, tf.newaxis, ..., :3][:, :, 0]
        x = tf.reverse(x, [2]) + tf.stack(tf.unstack(x, axis=1), axis=1) * tf.reduce_max(x, axis=[1, 2], keepdims=True)
        a, b, c = tf.split(x, [1, 1, 1], axis=-1)
        index = tf.cast(tf.argmax(x, axis=-1), tf.float32)[..., tf.newaxis]
        inside = tf.cast(tf.reduce_any(x > 0.4, axis=-1, keepdims=True), tf.float32)
        flat = tf.reshape(
            tf.concat([a, b * inside, c, index], -1), [-1, tf.shape(x)[1], tf.shape(x)[2] * x.shape[3], 4]
        )
        flat = tf.image.resize(flat, [9, 31], method="nearest") + tf.image.resize(flat, [9, 31], method="bilinear")
        flat = tf.nn.depth_to_space(tf.nn.space_to_depth(flat[:, :8, :30], 2), 2)
        flat = tf.pad(flat, [[0, 0], [1, 0], [0, 0], [0, 0]], constant_values=-7.0)
        return {"product": tf.matmul(flat, flat, transpose_b=True), "image": flat}


def randomise(model: Any, seed: int) -> None:
    """Weights and statistics that are not those of a new network."""
    rng = np.random.default_rng(seed)
    fans = [np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 10 for weight in model.weights]
    values = [rng.normal(size=weight.shape) / np.sqrt(fan) for weight, fan in zip(model.weights, fans, strict=True)]
    names = [getattr(weight, "path", weight.name) for weight in model.weights]
    for index, name in enumerate(names):
        if "variance" in name:
            values[index] = rng.uniform(0.5, 1.5, model.weights[index].shape)
        elif "gamma" in name:
            values[index] = 1 + values[index]
    model.set_weights(values)


def write(name: str, make: Network, k: ModuleType, folder: Path) -> None:
    """One network, its input and its output."""
    k.backend.clear_session()
    k.mixed_precision.set_global_policy("mixed_float16" if make is half else "float32")
    model = make(k)
    randomise(model, len(name))
    save(model, folder / name)
    if make is not half:
        remember(folder / name, folder / name)
        return
    # TensorFlow's own half precision differs by some 1e-3: the numbers come from the same network in float32.
    k.mixed_precision.set_global_policy("float32")
    exact = make(k)
    exact.set_weights(model.get_weights())
    save(exact, folder / "exact")
    remember(folder / name, folder / "exact")
    shutil.rmtree(folder / "exact")


def save(model: Any, folder: Path) -> None:
    """As Keras 2 or Keras 3 writes it for use."""
    if isinstance(model, keras.Model):
        model.export(folder, verbose=False)
    else:
        model.save(folder, save_format="tf", include_optimizer=False)


def remember(folder: Path, source: Path) -> None:
    """What a saved network makes of random images, as TensorFlow computes it; in ``folder``_io.npz."""
    names = list(tf.saved_model.load(folder).signatures["serving_default"].structured_outputs)
    run = tf.saved_model.load(source).signatures["serving_default"]
    rng = np.random.default_rng(1)
    given = {
        key: rng.random([(1, 16, 12, 20)[min(axis, 3)] if n is None else n for axis, n in enumerate(spec.shape)])
        for key, spec in run.structured_input_signature[1].items()
    }
    made = run(**{key: tf.constant(value, tf.float32) for key, value in given.items()})
    own = list(tf.saved_model.load(folder).signatures["serving_default"].structured_input_signature[1])
    inputs = {f"in:{key}": value.astype(np.float32) for key, value in zip(own, given.values(), strict=True)}
    outputs = {f"out:{key}": value.numpy().astype(np.float32) for key, value in zip(names, made.values(), strict=True)}
    np.savez_compressed(folder.with_name(f"{folder.name}_io.npz"), **inputs, **outputs)


def pack(folder: Path, name: str) -> None:
    """The folder as a zip file, without what the importer does not read."""
    with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted((folder / name).rglob("*")):
            if path.is_file() and path.name not in {"keras_metadata.pb", "fingerprint.pb"}:
                archive.write(path, path.relative_to(folder / name).as_posix())
    shutil.rmtree(folder / name)


def main() -> None:
    """Write all networks, or the stored ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--stored", action="store_true")
    arguments = parser.parse_args()
    folder = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    chosen = STORED
    if not arguments.stored:
        pairs = (("keras2", tf_keras), ("keras3", keras))
        chosen = {f"{name}_{kind}": (name, k) for name in NETWORKS for kind, k in pairs}
    for name, (network, k) in chosen.items():
        write(name, NETWORKS[network], k, folder)
    module = Operations()
    tf.saved_model.save(module, str(folder / "operations_plain"), signatures=module.__call__)
    remember(folder / "operations_plain", folder / "operations_plain")
    if arguments.stored:
        for name in (*chosen, "operations_plain"):
            pack(folder, name)


if __name__ == "__main__":
    main()
