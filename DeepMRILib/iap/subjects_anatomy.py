"""What sections of a head, an abdomen and a breast look like, drawn from the outside to the inside; lengths in mm."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from DeepMRILib.iap.subjects import Anatomy, Canvas

LONG = 600.0
"""Half the length of what runs along the body."""


def head(canvas: Canvas, random: np.random.Generator) -> None:
    """Scalp, skull, fluid, folded cortex, white matter, ventricles and deep grey matter."""
    scale = random.uniform(0.9, 1.08)
    radii = np.array([76, 96, 92]) * scale * random.uniform(0.96, 1.04, 3)
    fat, bone, fluid = random.uniform(4, 9), random.uniform(5, 8), random.uniform(1.5, 4.5)
    depth = canvas.ellipsoid((0, 0, 0), tuple(radii))
    canvas.paint(depth, "muscle")
    canvas.paint(depth - 2, "fat")
    canvas.paint(depth - 2 - fat, "bone")
    canvas.paint(-np.abs(depth - 2 - fat - bone / 2) + bone / 5, ("fat", 0.5), ("muscle", 0.3), ("bone", 0.2))
    for side in (-1, 1):  # the temporal muscles
        canvas.paint(canvas.ellipsoid((side * 0.93 * radii[0], -15, -25), (7, 28, 45)), "muscle")
    brain = depth - 2 - fat - bone
    canvas.paint(brain, "fluid")
    cortex = brain - fluid - 1.2 * canvas.at.fine.clip(0, None)
    canvas.paint(cortex, "grey matter")
    sulci = canvas.at.fine - random.uniform(1.1, 1.5)
    canvas.paint(np.minimum(np.minimum(cortex, 12 - cortex), 3.5 * sulci), "fluid")
    canvas.paint(cortex - 4.5 - 2.8 * canvas.at.fine, "white matter")
    canvas.paint(np.minimum(cortex, 1.1 - np.abs(canvas.at.x)), "fluid")  # between the halves
    canvas.paint(np.minimum(canvas.ellipsoid((0, 0, 18), (9, 42, 9)), 30 - np.abs(canvas.at.y)), "white matter")
    _deep(canvas, random, scale)


def _deep(canvas: Canvas, random: np.random.Generator, scale: float) -> None:
    wide = random.uniform(6, 13)
    for side in (-1, 1):
        canvas.paint(canvas.ellipsoid((side * 24 * scale, -6, 5), (8, 20, 16)), "grey matter")
        canvas.paint(canvas.ellipsoid((side * 11 * scale, 14, 6), (8, 12, 12)), "grey matter")
        canvas.paint(canvas.ellipsoid((side * 13 * scale, -20, 18), (wide, 16, 14)), "fluid")
        canvas.paint(canvas.ellipsoid((side * 17 * scale, 22, 14), (wide, 20, 16)), "fluid")
    canvas.paint(canvas.ellipsoid((0, 2, 2), (2.5, 16, 14)), "fluid")
    for _ in range(int(random.integers(0, 4))):  # in the white matter
        at = (random.choice([-1, 1]) * random.uniform(22, 40), random.uniform(-45, 45), random.uniform(0, 40))
        canvas.paint(canvas.ellipsoid(at, tuple(random.uniform(4, 9, 3))), "lesion")
    canvas.paint(canvas.ellipsoid((0, 0.78 * 96 * scale, 0), (5, 4, LONG)), "blood")


def abdomen(canvas: Canvas, random: np.random.Generator) -> None:
    """Skin, fat, muscle, liver, stomach, bowel, kidneys, spine and vessels."""
    radii = (random.uniform(140, 175), random.uniform(98, 125), LONG)
    fat = random.uniform(8, 30)
    depth = canvas.ellipsoid((0, 0, 0), radii)
    canvas.paint(depth, "muscle")
    canvas.paint(depth - 2.5, "fat")
    canvas.paint(depth - fat, "muscle")
    canvas.paint(depth - fat - random.uniform(9, 15), "fat")
    inside, deep = depth - fat - 12, radii[1] - fat
    liver = canvas.ellipsoid((-0.42 * radii[0], -0.1 * radii[1], 10), (0.5 * radii[0], 0.62 * radii[1], 110))
    stomach = canvas.ellipsoid((0.4 * radii[0], -0.3 * radii[1], 25), (40, 33, 60))
    canvas.paint(np.minimum(inside, stomach), "muscle")
    canvas.paint(np.minimum(inside, stomach - 5), random.choice(["fluid", "muscle"]))
    _bowel(canvas, random, inside, radii)
    canvas.paint(np.minimum(inside, liver), ("liver", 1 - (share := random.uniform(0, 0.12))), ("fat", share))
    canvas.paint(np.minimum(inside - 6, 6 * (canvas.at.coarse - 1.4)) + np.minimum(liver - 10, 0), "blood")
    canvas.paint(canvas.ellipsoid((-40, 0, 0), (6, 5, 60)), "blood")
    for side in (-1, 1):
        kidney = canvas.ellipsoid((side * 62, 0.38 * deep, -40), (27, 27, 55))
        canvas.paint(kidney, ("muscle", 0.7), ("fluid", 0.3))
        canvas.paint(kidney - 14, ("fat", 0.6), ("fluid", 0.4))
        canvas.paint(canvas.ellipsoid((side * 38, 0.62 * deep, 0), (26, 22, LONG)), "muscle")
    _spine(canvas, 0.5 * deep)


def _bowel(canvas: Canvas, random: np.random.Generator, inside: np.ndarray, radii: tuple[float, ...]) -> None:
    for _ in range(6):
        at = (random.uniform(-0.2, 0.6) * radii[0], random.uniform(-0.55, 0.1) * radii[1], random.uniform(-80, 20))
        loop = canvas.ellipsoid(at, tuple(random.uniform(14, 30, 3)))
        canvas.paint(np.minimum(inside, loop), "muscle")
        canvas.paint(np.minimum(inside, loop - 4), ("fluid", random.uniform(0.3, 1)))


def _spine(canvas: Canvas, back: float) -> None:
    """Vertebra, canal with cord, and the two great vessels before it."""
    vertebra = canvas.ellipsoid((0, back, 0), (23, 18, LONG))
    canvas.paint(canvas.ellipsoid((0, back + 26, 0), (16, 20, LONG)), ("bone", 0.6), ("fat", 0.4))
    canvas.paint(vertebra, "bone")
    canvas.paint(vertebra - 1.5, ("fat", 0.45), ("muscle", 0.45), ("bone", 0.1))
    canvas.paint(canvas.ellipsoid((0, back + 25, 0), (10, 8, LONG)), "fluid")
    canvas.paint(canvas.ellipsoid((0, back + 25, 0), (5, 4, LONG)), "white matter")
    canvas.paint(canvas.ellipsoid((10, back - 28, 0), (10, 10, LONG)), "blood")
    canvas.paint(canvas.ellipsoid((-14, back - 27, 0), (11, 8, LONG)), "blood")


def breast(canvas: Canvas, random: np.random.Generator) -> None:
    """Two breasts with glands before the chest wall; behind it heart, liver, a lung and the spine."""
    wide, wall = random.uniform(140, 165), random.uniform(-25, -10)
    gland, density = random.uniform(0.3, 0.8), random.uniform(-0.6, 0.6)
    depth = canvas.ellipsoid((0, wall + 75, 0), (wide, 88, LONG))
    canvas.paint(depth, "fat")
    canvas.paint(depth - random.uniform(8, 20), "muscle")
    for side in (-1, 1):
        canvas.paint(canvas.ellipsoid((side * 0.5 * wide, wall + 80, 0), (0.36 * wide, 55, LONG)))  # the lung is dark
        radii = random.uniform([58, 70, 70], [72, 100, 90])
        whole = canvas.ellipsoid((side * 0.48 * wide, wall + 5, 0), tuple(radii))
        front = np.minimum(whole, wall + 8 - canvas.at.y)
        canvas.paint(front, "muscle")
        canvas.paint(front - 2.5, "fat")
        inner = canvas.ellipsoid((side * 0.48 * wide, wall - 15, 0), tuple(radii * [gland, 0.85, gland]))
        canvas.paint(np.minimum(inner, 8 * (canvas.at.coarse + 0.7 * canvas.at.fine + density)), "fibroglandular")
        if random.uniform() < 0.4:
            at = (side * 0.48 * wide + random.uniform(-20, 20), wall - random.uniform(10, 50), random.uniform(-20, 20))
            canvas.paint(canvas.ellipsoid(at, tuple(random.uniform(6, 14, 3))), "lesion")
    canvas.paint(canvas.ellipsoid((-0.47 * wide, wall + 78, -40), (0.33 * wide, 46, 160)), "liver")
    canvas.paint(canvas.ellipsoid((15, wall + 45, 0), (38, 30, LONG)), "muscle")
    canvas.paint(canvas.ellipsoid((15, wall + 47, 0), (28, 20, LONG)), "blood")
    _spine(canvas, wall + 105)


DRAWN: dict[Anatomy, Callable[[Canvas, np.random.Generator], None]] = {
    "head": head,
    "abdomen": abdomen,
    "breast": breast,
}
HEIGHTS: dict[Anatomy, tuple[float, float]] = {"head": (-12.0, 42.0), "abdomen": (-40.0, 40.0), "breast": (-30.0, 30.0)}
"""Between which heights slices of it are taken, in mm."""
FIELDS_OF_VIEW: dict[Anatomy, tuple[float, ...]] = {
    "head": (200.0, 220.0, 240.0, 260.0),
    "abdomen": (340.0, 380.0, 420.0, 460.0),
    "breast": (320.0, 340.0, 380.0, 420.0),
}
"""Fields of view that are drawn for it, in mm."""
