"""Write small models of Keras 2 and 3 with random weights and what they answer: the files of Testing/data/pvs/keras.

    python Utilities/make_keras_fixtures.py Testing/data/pvs/keras_models.zip

Needs TensorFlow, Keras 3 and tf_keras (Keras 2), which DeepMRI itself does without; run it in an environment of their
own: pip install tensorflow-cpu==2.21.0 tf_keras==2.21.0. For each model the zip file holds ``NAME.h5`` or
``NAME.keras`` and ``NAME.npz`` with the inputs ``x0`` ... and outputs ``y0`` ... as Keras computed them.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.path.insert(0, str(Path(__file__).resolve().parent))

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from make_keras_fixtures_models import FAMILIES

FORMATS = {"k2h5": (tf_keras, "h5"), "k2": (tf_keras, "keras"), "k3": (keras, "keras"), "k3h5": (keras, "h5")}
COMMITTED = ("k2h5", "k3")
"""Each family in these; the others write the same settings and weights in other places, so one of each does."""


def main() -> None:
    """Write all models."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--all", action="store_true", help="every family in every format")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(options.output, "w") as out,
    ):
        for family, build in FAMILIES.items():
            for form, (library, ending) in FORMATS.items():
                if options.all or form in COMMITTED or family == "nested":
                    _store(out, Path(folder) / f"{family}_{form}.{ending}", build, library)


def _store(out: zipfile.ZipFile, path: Path, build: Callable[..., Any], library: ModuleType) -> None:
    library.backend.clear_session()
    library.utils.set_random_seed(3)
    model = build(library, 2 if library is tf_keras else 3)
    rng = np.random.default_rng(7)
    model.set_weights([_random(rng, weight) for weight in model.weights])
    for layer in model.layers:
        if hasattr(layer, "finalize_state"):  # Normalization of Keras 3 reads its weights only then
            layer.finalize_state()
    inputs = [rng.uniform(-1.5, 1.5, (1, *shape[1:])).astype(np.float32) for shape in _shapes(model)]
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    outputs = [outputs] if tf.is_tensor(outputs) else list(outputs.values() if isinstance(outputs, dict) else outputs)
    try:
        model.save(path, **({"include_optimizer": False} if path.suffix == ".h5" else {}))
    except TypeError as error:  # Keras 2 cannot write every argument into an archive
        print(f"{path.name}: left out ({error})")
        return
    arrays = {f"x{k}": array for k, array in enumerate(inputs)}
    arrays |= {f"y{k}": np.asarray(output, dtype=np.float32) for k, output in enumerate(outputs)}
    np.savez(path.with_suffix(".npz"), **arrays)
    for file in (path, path.with_suffix(".npz")):
        # The same date in every run, so that the same models give the same file.
        out.writestr(zipfile.ZipInfo(file.name, (2026, 1, 1, 0, 0, 0)), file.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    print(f"{path.name}: {len(outputs)} outputs")


def _shapes(model: Any) -> list[tuple[int | None, ...]]:
    shapes = model.input_shape
    return list(shapes) if isinstance(shapes, list) else [shapes]


def _random(rng: np.random.Generator, weight: Any) -> np.ndarray:
    """Values of a sensible size; variances and counts are positive."""
    if "variance" in weight.name:
        return rng.uniform(0.3, 2.0, weight.shape)
    if "count" in weight.name:
        return np.full(weight.shape, 3)
    spread = 0.5 if "kernel" not in weight.name else 1 / np.sqrt(max(np.prod(weight.shape[:-1]), 1))
    return rng.normal(0.2 if spread == 0.5 else 0.0, spread, weight.shape)


if __name__ == "__main__":
    main()
