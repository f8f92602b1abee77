"""Brain-like slices with small lesions, as fluid-attenuated images show them: bright in white matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.phantom_drawing import Canvas
from DeepMRILib.random_fields import Random

FIELD_OF_VIEW = 230.0
NAMES = {1: "brain", 2: "lesion"}
BRAIN, LESION = NAMES

SCALP, SKULL, FLUID, GREY, WHITE = 0.75, 0.04, 0.1, 0.6, 0.45
SMALLEST, LARGEST = 2.0, 6.0
"""Radii of lesions, in pixels of a 128 x 128 image."""


def lesion_slice(size: int, *, phase: bool, noise: float, random: Random) -> tuple[NDArray, NDArray]:
    """One slice (size, size) with its labels."""
    canvas = Canvas(size, FIELD_OF_VIEW, random, warp=2.5)
    wide, long = random.uniform(64, 74), random.uniform(80, 92)
    canvas.spot((0, 0), (wide + 11, long + 11), SCALP)
    canvas.spot((0, 0), (wide + 6, long + 6), SKULL)
    canvas.spot((0, 0), (wide + 2, long + 2), FLUID)
    brain = canvas.ellipse((0, 0), (wide, long))
    canvas.paint(brain, _matter(canvas, canvas.ellipse((0, 0), (wide - 10, long - 10))))
    canvas.paint(canvas.ellipse((0, 0), (1.2, long)), FLUID * 2)  # between the halves
    canvas.labels[brain > 0.5] = BRAIN
    _ventricles(canvas)
    _lesions(canvas, wide, long)
    canvas.shade(0.04, 8)
    canvas.shade(0.12, 120)
    return canvas.measured(phase, noise), canvas.labels


def _matter(canvas: Canvas, inside: NDArray) -> NDArray:
    """The signal of the brain: white matter, a folded rim of grey matter, and fluid in its furrows."""
    folds = canvas.noise(9)
    white = np.clip((folds + 0.9) * 2, 0, 1) * inside
    signal = GREY + (WHITE - GREY) * white
    furrows = np.clip((-folds - 1.1) * 3, 0, 1) * (1 - inside)
    return signal + (np.float32(FLUID) - signal) * furrows


def _ventricles(canvas: Canvas) -> None:
    random = canvas.random
    large = random.uniform(0.7, 1.3)
    for side in (-1, 1):
        canvas.spot((side * 11, -14), (5 * large, 18 * large), FLUID, side * 0.25)
        canvas.spot((side * 15, 20), (4.5 * large, 16 * large), FLUID, side * -0.3)
        canvas.spot((side * 24, -2), (8, 13), GREY * 1.05, side * 0.3)  # basal ganglia


def _lesions(canvas: Canvas, wide: float, long: float) -> None:
    """One to seven lesions in the inner three quarters of the brain."""
    random = canvas.random
    unit = FIELD_OF_VIEW / 128
    for _ in range(random.integers(1, 8)):
        turn, far = random.uniform(0, 2 * np.pi), np.sqrt(random.uniform(0.04, 0.56))
        where = (wide * far * np.cos(turn), long * far * np.sin(turn))
        radius = unit * random.uniform(SMALLEST, LARGEST)
        lesion = canvas.ellipse(where, (radius, radius * random.uniform(0.7, 1)), random.uniform(0, np.pi))
        canvas.paint(lesion, np.float32(random.uniform(0.75, 0.95)))
        canvas.labels[lesion > 0.5] = LESION
