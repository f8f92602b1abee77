"""The design of a segmentation network and of its input: what a model's card keeps, and all that prediction needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Axes = tuple[int, int, int]


@dataclass(frozen=True)
class Normalisation:
    """How one image's values are brought to a common scale before the network.

    Attributes:
        kind: "zscore": mean 0 and standard deviation 1 over the nonzero voxels of the part that is looked at (MR);
            "fixed": clipped to ``low`` and ``high``, then (value - mean) / sd (CT);
            "robust": median 0 and standard deviation 1 between the percentiles 1 and 99, clipped to -4 and 4 (any).
        low, high, mean, sd: of "fixed", from the training images.
    """

    kind: Literal["zscore", "fixed", "robust"] = "zscore"
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    sd: float = 1.0


@dataclass(frozen=True)
class NetworkPlan:
    """A DynUNet and its input: the images, then for each label its maps, by default an exponentialised geodesic one.

    Attributes:
        channels: what the images are, in order, e.g. ("MR",) or ("T1", "T2").
        labels: what is segmented, in order; the network's outputs are the background and these.
        spacing: mm along the three axes that the network works on.
        normalisation: of each image.
        kernels, strides: of each level; the first stride is 1.
        filters: of each level.
        heads: of deep supervision, beside the output.
        divisible_by: the input's sizes are multiples of these: the product of the strides.
        geodesic: which map (``geodesic.MAPS``): "compat" for networks of InteractiveNet, else "converged".
        edge_weight: lambda of the geodesic maps.
        relax: the box around the points grows by this fraction of its extent on each side,
        least_margin: and by at least so many voxels.
        fixed_shape: the part is resampled to this shape instead of to ``spacing``; empty: to ``spacing``.
        orientation: "canonical": axes are turned to right, anterior, superior; "file": as they lie in the file, as
            InteractiveNet had it.
        negative: a further map of the negative points is the last input.
        maps: of each label's points, in order: "geodesic", or those of ``prepare_maps.MAPS``.
        depth: mm that the points lie inside the margin, for maps that look beyond them.
    """

    channels: tuple[str, ...]
    labels: tuple[str, ...]
    spacing: tuple[float, float, float]
    normalisation: tuple[Normalisation, ...]
    kernels: tuple[Axes, ...]
    strides: tuple[Axes, ...]
    filters: tuple[int, ...]
    heads: int
    divisible_by: Axes
    geodesic: Literal["converged", "compat"] = "converged"
    edge_weight: float = 1.0
    relax: float = 0.1
    least_margin: Axes = (8, 8, 8)
    fixed_shape: tuple[int, ...] = ()
    orientation: Literal["canonical", "file"] = "canonical"
    negative: bool = False
    maps: tuple[str, ...] = ("geodesic",)
    depth: float = 5.0

    @property
    def as_upstream(self) -> bool:
        """Whether the input is made by InteractiveNet's own rules, to the voxel: for networks trained with it."""
        return self.orientation == "file" and not self.fixed_shape

    @property
    def inputs(self) -> int:
        """The network's input channels."""
        return len(self.channels) + len(self.maps) * len(self.labels) + self.negative

    @property
    def outputs(self) -> int:
        """The network's output channels: the background and the labels."""
        return 1 + len(self.labels)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NetworkPlan:
        """The plan that ``to_json`` gave.

        Raises:
            LookupError, TypeError, ValueError: an entry is missing, unknown or of another kind.
        """
        given = {name: _tuples(value) for name, value in values.items()}
        given["normalisation"] = tuple(Normalisation(**entry) for entry in values["normalisation"])
        return cls(**given)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(entry) for entry in value) if isinstance(value, (list, tuple)) else value
