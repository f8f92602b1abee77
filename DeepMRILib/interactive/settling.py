"""From seeds to memberships: geodesic distances, then brightness, shape and smoothness, each learning from the last.

A label's evidence is a sum of terms, each a logarithm of odds against the background,

    E = a A(I) + l L(I) + g G + h H + e (1 - r) - b d + s (M_2 - M_0) + S (M_4 - M_0),

with A the odds of the brightness I by histograms of the last answer (as GrabCut, Rother et al., SIGGRAPH 2004), L the
side of the local edge on which I lies (as region-based active contours with local means, Lankton and Tannenbaum, TIP
2008), G the lead of the geodesic distances from the points' seeds and H that from seeds in the last answer, r the
radius function of the points' ellipsoid, d the distance outside their box, and M the memberships smoothed at two
scales, which makes it a mean-field step of a dense random field. The weights were set once on generated lesions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from DeepMRILib.interactive import appearance
from DeepMRILib.interactive.appearance import Brightness
from DeepMRILib.interactive.geodesic_sweep import all_costs, swept
from DeepMRILib.interactive.scene import LabelScene, Scene

BRIGHTNESS, EDGE = 0.45, 0.3
LEAD, LEAD_AGAIN = 2.4, 2.0
ELLIPSOID, BOX = 0.4, 0.06
NEAR, WIDE = 1.0, 2.5
CLICKED = 6.0
EARLIER = 0.5
NEAR_UNITS, WIDE_UNITS, LOCAL_UNITS = 2.0, 4.0, 6.0
AROUND_UNITS = 8.0
"""Only so far outside the box are surroundings learned."""
SURE = 0.65
"""Voxels whose smoothed membership is higher teach what a label looks like: about 0.8 units inside a flat margin."""
SEED = 0.93
"""Those higher still are seeds of the second distances: about 3 units inside."""
ROUNDS, ROUNDS_AGAIN = 3, 1
FAR = 20.0

Report = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Looks:
    """What a label and its surroundings look like in one channel.

    Attributes:
        brightness: the bins.
        odds: (bins,) by histograms.
        inside, outside: (i, j, k) local means.
    """

    brightness: Brightness
    odds: NDArray
    inside: NDArray
    outside: NDArray

    def terms(self, image: NDArray) -> NDArray:
        """a A(I) + l L(I) of an image (i, j, k) on the grid of the local means."""
        histogram = (np.float32(BRIGHTNESS) * self.odds)[self.brightness.bins(image)]
        return histogram + np.float32(EDGE) * appearance.side_of_edge(image, self.inside, self.outside)


@dataclass(frozen=True, eq=False)
class Settled:
    """An answer, and what it is made of.

    Attributes:
        membership: (labels + 1, i, j, k) float32.
        context: (labels, i, j, k) float32, the evidence of each label without that of the brightness.
        looks: of each label, of each channel.
    """

    membership: NDArray
    context: NDArray
    looks: tuple[tuple[Looks, ...], ...]


def softmax(evidence: NDArray) -> NDArray:
    """Memberships (labels + 1, i, j, k) of evidence (labels, i, j, k) against the background."""
    if len(evidence) == 1:
        inside = 1 / (1 + np.exp(-np.clip(evidence[0], -FAR, FAR)))
        return np.stack([1 - inside, inside])
    lead = np.concatenate([np.zeros_like(evidence[:1]), np.clip(evidence, -FAR, FAR)])
    shares = np.exp(lead - lead.max(axis=0))
    return shares / shares.sum(axis=0)


def over_channels(terms: list[NDArray]) -> NDArray:
    """The evidence of several channels together: they are neither independent nor the same."""
    return terms[0] if len(terms) == 1 else sum(terms) / np.float32(np.sqrt(len(terms)))


class Settling:
    """Answers that improve from step to step, on one grid."""

    def __init__(
        self, image: NDArray, spacing: tuple[float, float, float], scene: Scene, edge_weight: float, report: Report
    ) -> None:
        """Args: a prepared image (i, j, k, c), its scene, the weight of the image in distances, who hears of it."""
        self._image, self._spacing, self._scene, self._report = image, np.array(spacing), scene, report
        self._brightness = [Brightness.of(image[..., c]) for c in range(image.shape[3])]
        self._bins = [one.bins(image[..., c]) for c, one in enumerate(self._brightness)]
        self._costs = all_costs(image, spacing, edge_weight)
        self._masks = scene.seed_masks()
        self._fixed = self._from_points()

    def first(self) -> NDArray:
        """Memberships by the geodesic distances from the points alone."""
        return shares(self._distances)

    def step(self, membership: NDArray, again: bool = True) -> Settled:
        """The answer after another; ``again``: with a second round of geodesic distances."""
        context = self._fixed.copy()
        near = self._smoothed(membership, NEAR_UNITS)
        wide = self._smoothed(membership, WIDE_UNITS)
        context += np.float32(NEAR) * (near[1:] - near[0]) + np.float32(WIDE) * (wide[1:] - wide[0])
        if again:
            context += np.float32(LEAD_AGAIN) * leads(self._distances_again(near))[1:]
        looks = tuple(
            self._looks(label, membership[number] * (near[number] > SURE), membership[0] * (near[0] > SURE))
            for number, label in enumerate(self._scene.labels, start=1)
        )
        evidence = context + np.stack(
            [over_channels([look.terms(self._image[..., c]) for c, look in enumerate(of)]) for of in looks]
        )
        return Settled(softmax(evidence), context, looks)

    def _from_points(self) -> NDArray:
        """The evidence (labels, i, j, k) that no answer changes."""
        start = np.where(self._masks, np.float32(0), np.float32(np.inf))
        clicks = [self._scene.negative, *(label.further for label in self._scene.labels)]
        given = [mask for mask in clicks if mask is not None]
        if given:
            start = np.concatenate([start, np.where(np.stack(given), np.float32(0), np.float32(np.inf))])
        distances = swept(start, self._costs, rounds=ROUNDS, report=self._report)
        count = len(self._masks)
        self._distances, clicked = distances[:count], list(distances[count:])
        fixed = np.float32(LEAD) * leads(self._distances)[1:]
        for number, label in enumerate(self._scene.labels):
            fixed[number] += _shape_evidence(label)
        if self._scene.negative is not None:
            closer = clicked.pop(0)
            fixed -= np.float32(CLICKED) * np.maximum(lead_over(closer, self._distances[1:]), 0)
        for number, label in enumerate(self._scene.labels):
            if label.further is not None:
                lead = lead_over(clicked.pop(0), np.delete(self._distances, number + 1, axis=0).min(axis=0))
                fixed[number] += np.float32(CLICKED) * np.maximum(lead, 0)
        return fixed

    def _distances_again(self, near: NDArray) -> NDArray:
        """Distances from where the last answer is sure."""
        masks = self._masks | (near > SEED)
        if self._scene.negative is not None:
            masks[1:] &= ~self._scene.negative
        masks[0] &= ~masks[1:].any(axis=0)
        return swept(np.where(masks, np.float32(0), np.float32(np.inf)), self._costs, rounds=ROUNDS_AGAIN)

    def _smoothed(self, membership: NDArray, units: float) -> NDArray:
        """The memberships smoothed; a scale of the smallest label serves all."""
        sigma = units * min(label.unit for label in self._scene.labels) / self._spacing
        own = [ndimage.gaussian_filter(one, sigma, truncate=2.5) for one in membership[1:]]
        return np.stack([1 - sum(own), *own])

    def _looks(self, label: LabelScene, inside: NDArray, outside: NDArray) -> tuple[Looks, ...]:
        outside = outside * (label.outside < AROUND_UNITS * label.unit)
        sigma = LOCAL_UNITS * label.unit / self._spacing
        found = []
        for c, (brightness, bins) in enumerate(zip(self._brightness, self._bins, strict=True)):
            image = self._image[..., c]
            means = [appearance.local_means(image, weights, sigma) for weights in (inside, outside)]
            found.append(Looks(brightness, appearance.odds(bins, inside, outside), *means))
        return tuple(found)


def leads(distances: NDArray) -> NDArray:
    """(d_other - d) / (d_other + d) of each of distances (n, i, j, k), d_other the least of the others."""
    if len(distances) == 2:
        lead = lead_over(distances[1], distances[0])
        return np.stack([-lead, lead])
    ordered = np.partition(distances, 1, axis=0)
    other = np.where(distances == ordered[0], ordered[1], ordered[0])
    return lead_over(distances, other)


def lead_over(own: NDArray, other: NDArray) -> NDArray:
    """(d_other - d) / (d_other + d), 0 where neither was reached."""
    own, other = np.minimum(own, np.float32(1e9)), np.minimum(other, np.float32(1e9))
    return (other - own) / (other + own + np.float32(1e-6))


def shares(distances: NDArray) -> NDArray:
    """Memberships (n, i, j, k) by the lead of each distance."""
    found = np.maximum((1 + leads(distances)) / 2, 0)
    return (found / np.maximum(found.sum(axis=0), np.float32(1e-6))).astype(np.float32)


def _shape_evidence(label: LabelScene) -> NDArray:
    """What the points alone say."""
    found = np.float32(ELLIPSOID) * (1 - label.radii)
    found -= np.float32(BOX) * np.clip(label.outside / np.float32(label.unit), -8, 6)
    if label.depth is not None:
        found += np.float32(EARLIER) * np.clip(label.depth, -4, 4)
    return found
