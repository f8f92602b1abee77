"""Cardiac-like slices: the short axis of a left ventricle, as cine images show it, amid the chest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.igs.phantom_drawing import Canvas, Point
from DeepMRILib.random_fields import Random

FIELD_OF_VIEW = 345.0
NAMES = {1: "myocardium", 2: "left ventricle", 3: "right ventricle"}
MYOCARDIUM, LEFT, RIGHT = NAMES

# Signals of a balanced steady-state sequence, fat being 1: blood and fat are bright, muscle dark, lung nearly black.
BLOOD, FAT, MUSCLE, HEART_MUSCLE, LUNG, LIVER, SPLEEN = 0.92, 1.0, 0.3, 0.27, 0.06, 0.42, 0.52
MARROW, CORTEX, CORD, CSF = 0.5, 0.12, 0.5, 1.1


def ring_slice(size: int, *, phase: bool, noise: float, random: Random) -> tuple[NDArray, NDArray]:
    """One slice (size, size) with its labels."""
    canvas = Canvas(size, FIELD_OF_VIEW, random, warp=5.0)
    _organs(canvas, _chest(canvas))
    _spine(canvas)
    _heart(canvas)
    canvas.shade(0.06, 10)
    canvas.shade(0.18, 150)
    return canvas.measured(phase, noise), canvas.labels


def _chest(canvas: Canvas) -> NDArray:
    """Skin fat, chest wall with ribs, and lungs with vessels; returns the cover of the cavity within the wall."""
    random = canvas.random
    wide, deep = random.uniform(134, 149), random.uniform(96, 110)
    fat = random.uniform(5, 12)
    canvas.spot((0, 6), (wide + fat, deep + fat), FAT)
    canvas.spot((0, 6), (wide, deep), MUSCLE)
    canvas.spot((0, 6), (wide - 7, deep - 7), FAT * 0.55)
    cavity = canvas.ellipse((0, 6), (wide - 10, deep - 10))
    canvas.paint(cavity, LUNG * (1 + 0.3 * canvas.noise(12)))
    for turn in np.linspace(0, 2 * np.pi, 16, endpoint=False) + random.uniform(0, 0.4):
        where = ((wide - 6) * np.cos(turn), 6 + (deep - 6) * np.sin(turn))
        along = float(np.arctan2(deep * np.cos(turn), -wide * np.sin(turn)))
        canvas.spot(where, (15, 5.0), CORTEX, along)
        canvas.spot(where, (12, 3.0), MARROW, along)
    for _ in range(24):
        where = (random.choice((-1, 1)) * random.uniform(45, 115), random.uniform(-55, 70))
        radii = (random.uniform(1.5, 6), random.uniform(1.2, 3))
        canvas.spot(where, radii, random.uniform(0.15, 0.7), random.uniform(0, np.pi))
    return cavity


def _organs(canvas: Canvas, cavity: NDArray) -> None:
    """The liver's dome, stomach and spleen, and the vessels and fat between the lungs."""
    random = canvas.random
    canvas.spot((0, 5), (42, 84), FAT * 0.55)
    high = random.uniform(0.6, 1.05)
    liver = (-84 + random.uniform(-8, 4), 30 + random.uniform(-8, 12))
    canvas.spot(liver, (84 * high, 72 * high), LIVER, 0.35, within=cavity)
    for _ in range(9):
        where = (liver[0] + random.uniform(-36, 50) * high, liver[1] + random.uniform(-40, 36) * high)
        canvas.spot(where, (random.uniform(3, 9), random.uniform(1.5, 3.5)), BLOOD * 0.75, random.uniform(0, np.pi))
    if random.random() < 0.7:
        canvas.spot((104, 58), (40 * high, 46 * high), SPLEEN, 0.2, within=cavity)
        canvas.spot((84, 26), (36 * high, 26 * high), MUSCLE, -0.4, within=cavity)
        canvas.spot((84, 25), (32 * high, 22 * high), random.choice((LUNG, 0.75)), -0.4, within=cavity)
    canvas.spot((-24, 30), (13, 12), BLOOD * 0.85)  # vena cava
    canvas.spot((0, -84), (24, 9), CORTEX)  # sternum
    canvas.spot((0, -84), (20, 6), MARROW)


def _spine(canvas: Canvas) -> None:
    """Vertebra, canal with cord, muscles of the back, aorta and oesophagus."""
    for side in (-1, 1):
        canvas.spot((side * 30, 92), (28, 15), FAT * 0.7, side * -0.2)
        canvas.spot((side * 30, 91), (25, 12), MUSCLE, side * -0.2)
    canvas.spot((0, 66), (24, 18), CORTEX)
    canvas.spot((0, 66), (21, 15.5), MARROW)
    canvas.spot((0, 88), (11, 9), CSF)
    canvas.spot((0, 88), (6, 4.5), CORD)
    canvas.spot((0, 104), (5, 9), MARROW)
    canvas.spot((27, 52), (13.5, 13.5), CORTEX * 2)
    canvas.spot((27, 52), (11.5, 11.5), BLOOD * 1.05)
    canvas.spot((8, 44), (7, 5), MUSCLE)


def _heart(canvas: Canvas) -> None:
    """Both ventricles amid fat: the left one a ring of heart muscle, the right one a crescent beside it."""
    random = canvas.random
    middle = (34 + random.uniform(-10, 10), -14 + random.uniform(-10, 10))
    outer = random.uniform(28, 39)
    # a wall of 2 to 4 pixels of a 128 x 128 image
    wall = random.uniform(5.4, 10.8)
    oval, turn = random.uniform(0.9, 1.0), random.uniform(0, np.pi)
    towards = np.pi + random.uniform(0.1, 0.7)  # the right ventricle lies to the image's left and in front
    beside = (middle[0] + 0.95 * outer * np.cos(towards), middle[1] + 0.95 * outer * np.sin(towards))
    right = (outer * random.uniform(0.75, 0.95), outer * random.uniform(0.95, 1.2))

    between = ((middle[0] + beside[0]) / 2, (middle[1] + beside[1]) / 2)
    canvas.spot(between, (1.62 * outer, 1.22 * outer), MUSCLE, towards)  # the sac around both, and fat within
    canvas.spot(between, (1.56 * outer, 1.16 * outer), FAT * random.uniform(0.5, 0.7), towards)
    canvas.spot(beside, (right[0] + 4, right[1] + 4), HEART_MUSCLE, towards)
    chamber = canvas.ellipse(beside, right, towards)
    epicardium = canvas.ellipse(middle, (outer, oval * outer), turn)
    inner = outer - wall
    cavity = canvas.ellipse(middle, (inner, oval * outer - wall), turn)

    flow = 1 + 0.05 * canvas.noise(25)
    canvas.paint(chamber, BLOOD * flow)
    _trabeculae(canvas, beside, right, towards)
    canvas.paint(epicardium, HEART_MUSCLE)
    canvas.paint(cavity, BLOOD * 1.05 * flow)
    _papillary(canvas, middle, inner)
    canvas.labels[chamber > 0.5] = RIGHT
    canvas.labels[epicardium > 0.5] = MYOCARDIUM
    canvas.labels[cavity > 0.5] = LEFT


def _papillary(canvas: Canvas, middle: Point, inner: float) -> None:
    """Two muscles within the left cavity, which the labels count to it, as is usual."""
    for turn in (-0.9, 1.2):
        turn += canvas.random.uniform(-0.3, 0.3)  # noqa: PLW2901 - about there
        where = (middle[0] + 0.62 * inner * np.cos(turn), middle[1] + 0.62 * inner * np.sin(turn))
        canvas.spot(where, (0.17 * inner, 0.13 * inner), HEART_MUSCLE * 1.3, turn)


def _trabeculae(canvas: Canvas, beside: Point, radii: Point, towards: float) -> None:
    """The moderator band and a few strands in the right chamber."""
    for _ in range(3):
        turn = towards + canvas.random.uniform(-1.0, 1.0)
        where = (beside[0] + 0.75 * radii[0] * np.cos(turn), beside[1] + 0.75 * radii[1] * np.sin(turn))
        canvas.spot(where, (6, 1.6), HEART_MUSCLE * 1.8, turn + np.pi / 2)
