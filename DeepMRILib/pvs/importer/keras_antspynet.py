"""SHIVA's v1 network as ANTsPyNet publishes it: weights without a description, in the order of the layers.

The architecture is the published one: a U-net of seven levels with 10 filters at the first and 1.8 times as many at
each further one, convolutions of 3 voxels without bias, batch normalisation and swish.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer.graph import Graph, Port, Step
from DeepMRILib.pvs.importer.keras_hdf5 import Hdf5

FILTERS = (10, 18, 32, 58, 104, 187, 337)
GRID = (160, 214, 176)
EPSILON = 1e-3
Arrays = Mapping[str, NDArray]
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_CLASSES = {"conv3d": "conv", "batch_normalization": "norm"}


def antspynet_graph(file: Hdf5) -> Graph:
    """The network whose weights a file holds, for one image (T1) or two (T1, FLAIR).

    Raises:
        WeightsError: the weights are not those of that network.
    """
    convs, norms = _stored(file)
    if not convs or convs[0]["kernel"].ndim != 5:
        raise WeightsError(
            "The file holds weights without the model that they belong to. Save the whole model: model.save(file)."
        )
    images = convs[0]["kernel"].shape[3]
    expected = list(kernels(images))
    shapes = [conv["kernel"].shape for conv in convs]
    fits = [array.shape == shape[-1:] for norm, shape in zip(norms, expected, strict=False) for array in norm.values()]
    fits += ["bias" not in conv for conv in convs[:-1]]
    if images not in {1, 2} or shapes != expected or len(norms) != len(expected) - 1 or not all(fits):
        raise WeightsError(
            "The file holds weights without the model that they belong to, and they are not those of SHIVA's v1 "
            f"network ({len(convs)} convolutions of {len(expected)}). Save the whole model: model.save(file)."
        )
    if any((norm["moving_variance"] <= -EPSILON).any() for norm in norms):
        raise WeightsError("The network's batch normalisations have negative variances: the file is damaged.")
    return v1_graph([conv["kernel"] for conv in convs], norms, convs[-1].get("bias"), GRID)


def _stored(file: Hdf5) -> tuple[list[Arrays], list[Arrays]]:
    """Convolutions and normalisations, each in the order of the layers."""
    root = file.group()
    names = file.texts(root, "layer_names")
    if names is None:
        raise WeightsError("The file is HDF5, but no model of Keras.")
    found: dict[str, list[tuple[str, Arrays]]] = {"conv": [], "norm": []}
    for name in names:
        group = file.group(name)
        listed = (file.texts(group, "weight_names") or []) if group is not None else []
        if not listed:
            continue
        kind = _CLASSES.get(re.sub(r"_\d+$", "", name.rpartition("/")[2]))
        roles = [entry.rpartition("/")[2].partition(":")[0] for entry in listed]
        if kind is None or (kind == "norm" and tuple(roles) != _NORM) or (kind == "conv" and roles[0] != "kernel"):
            raise WeightsError(f"The file holds weights without a model, among them {name[:80]}, which is not known.")
        found[kind].append((name, {role: file.array(group, entry) for role, entry in zip(roles, listed, strict=True)}))
    return _ordered(found["conv"]), _ordered(found["norm"])


def _ordered(entries: Sequence[tuple[str, Arrays]]) -> list[Arrays]:
    """In the order in which Keras made the layers, which it numbers."""

    def number(entry: tuple[str, Arrays]) -> int:
        match = re.search(r"_(\d+)$", entry[0])
        return int(match[1]) if match else 0

    return [weights for _, weights in sorted(entries, key=number)]


def kernels(images: int, outputs: int = 1) -> Iterator[tuple[int, ...]]:
    """The shapes of all kernels in the order of the layers."""
    before = images
    for filters in FILTERS:
        yield from ((3, 3, 3, before, filters), (3, 3, 3, filters, filters))
        before = filters
    for filters in reversed(FILTERS):
        joined = before + filters
        yield from ((3, 3, 3, joined, joined), (3, 3, 3, joined, filters))
        before = filters
    first = FILTERS[0]
    yield from ((3, 3, 3, first, first), (3, 3, 3, first, first), (1, 1, 1, first, outputs))


class _Drawing:
    """The steps of the network, drawn from its first layer to its last."""

    def __init__(self, kernels: Sequence[NDArray], norms: Sequence[Arrays]) -> None:
        self.steps: list[Step] = []
        self.weights: dict[str, NDArray] = {}
        self._kernels = iter(kernels)
        self._norms = iter(norms)
        self._count = 0

    def step(self, op: str, inputs: Sequence[str], **attributes: object) -> str:
        self._count += 1
        name = f"{op}_{self._count}"
        self.steps.append(Step(op, tuple(inputs), (name,), attributes))
        return name

    def conv(self, x: str) -> str:
        """A convolution of 3 voxels, normalised, with swish."""
        kernel = f"conv3d_{self._count}/kernel"
        self.weights[kernel] = torch_kernel(next(self._kernels))
        made = self.step("conv", [x, kernel], pads="same")
        norm = next(self._norms)
        spread = np.sqrt(np.asarray(norm["moving_variance"], np.float64) + EPSILON)
        scale = norm["gamma"] / spread
        names = [f"{made}/scale", f"{made}/shift"]
        self.weights[names[0]] = scale.astype(np.float32)
        self.weights[names[1]] = (norm["beta"] - norm["moving_mean"] * scale).astype(np.float32)
        return self.step("silu", [self.step("scale_shift", [made, *names], axes=[-1])])

    def head(self, x: str, bias: NDArray | None) -> str:
        kernel = torch_kernel(next(self._kernels))
        self.weights["head/kernel"] = kernel
        self.weights["head/bias"] = np.zeros(len(kernel), np.float32) if bias is None else bias
        made = self.step("conv", [x, "head/kernel", "head/bias"])
        return self.step("sigmoid" if len(kernel) == 1 else "softmax", [made])


def torch_kernel(kernel: NDArray) -> NDArray:
    """(x, y, z, in, out) to (out, in, x, y, z)."""
    return np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)), dtype=np.float32)


def v1_graph(
    kernels: Sequence[NDArray],
    norms: Sequence[Arrays],
    bias: NDArray | None,
    grid: tuple[int, int, int] = GRID,
) -> Graph:
    """The network from its kernels (x, y, z, in, out) and normalisations in the order of the layers."""
    drawing = _Drawing(kernels, norms)
    x, size = "image", grid
    skips: list[tuple[str, tuple[int, ...]]] = []
    for _ in FILTERS:
        x = drawing.conv(drawing.conv(x))
        skips.append((x, size))
        x = drawing.step("max_pool", [x], size=[2, 2, 2], strides=[2, 2, 2])
        size = tuple(n // 2 for n in size)
    for skip, wanted in reversed(skips):
        x = drawing.step("repeat", [x], times=[1, 2, 2, 2, 1])
        missing = [b - 2 * a for a, b in zip(size, wanted, strict=True)]
        if any(missing):
            x = drawing.step("pad", [x], pads=[[0, 0], *([d // 2, d - d // 2] for d in missing), [0, 0]])
        x = drawing.conv(drawing.conv(drawing.step("concat", [x, skip], axis=-1)))
        size = wanted
    x = drawing.head(drawing.conv(drawing.conv(x)), bias)
    images = int(kernels[0].shape[3])
    return Graph((Port("image", (None, *grid, images)),), (x,), tuple(drawing.steps), drawing.weights)
