"""A planted signal: a region that only stripes of one spatial frequency tell from what surrounds it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.phantom_drawing import Canvas
from DeepMRILib.random_fields import Random

FIELD_OF_VIEW = 200.0
NAMES = {1: "striped"}
DEPTH = 0.3
"""How far the stripes go above and below the signal around them, as a fraction of it."""


def stripe_slice(size: int, *, frequency: int, noise: float, random: Random) -> tuple[NDArray, NDArray]:
    """One slice (size, size) with its labels: tissue of a smoothly varying signal, and stripes in a part of it.

    Tissue fills the field of view. Had it an edge, the lines that show the edge would serve a network, too, which has
    never seen an image without it, and the search would rightly take some of them first.

    Args:
        frequency: of the stripes, in cycles per field of view along the columns (axis -1).
    """
    canvas = Canvas(size, FIELD_OF_VIEW, random, warp=2.0)
    canvas.paint(np.ones((size, size), dtype=np.float32), 0.7 + 0.06 * canvas.noise(30))
    for _ in range(4):
        where = tuple(random.uniform(-50, 50, 2))
        canvas.spot(where, tuple(random.uniform(8, 22, 2)), random.uniform(0.55, 0.85), random.uniform(0, np.pi))
    where, radii = tuple(random.uniform(-30, 30, 2)), tuple(random.uniform(26, 42, 2))
    region = canvas.ellipse(where, radii, random.uniform(0, np.pi))
    # at the edge the stripes fade out over a few pixels: a sharp edge would spread them over all of k-space
    columns = 2 * np.pi * frequency * np.arange(size) / size + random.uniform(0, 2 * np.pi)
    canvas.image *= 1 + DEPTH * region * np.cos(columns).astype(np.float32)
    canvas.labels[region > 0.5] = 1
    return canvas.measured(False, noise), canvas.labels
