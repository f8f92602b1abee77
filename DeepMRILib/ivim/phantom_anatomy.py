"""The anatomy of the abdominal phantom: which shape each organ has, and in which order they are painted.

Coordinates are RAS mm: x to the patient's right, y to the front, z to the head; z = 0 is about the first lumbar
vertebra. Later shapes cover earlier ones. Sizes are those of a slim adult.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.ivim.phantom_shapes import Points, Shape, ellipsoid, tube

DISC_DISTANCE = 34.0
RIB_DISTANCE = 27.0
Painted = Iterator[tuple[str, Shape]]


def anatomy(rng: np.random.Generator) -> list[tuple[str, Shape]]:
    """Tissue and shape in the order of painting; ``rng`` places bowel loops and small vessels."""
    body, cavity = Shape(_skin), Shape(lambda p: _skin(p) + _fat(p) + 11).rough(1.5)
    # what lies under the diaphragm: two domes, and the saddle of the heart between them
    dome = ellipsoid((74, -2, -32), (108, 116, 106)).joined(ellipsoid((-76, 0, -34), (100, 112, 102)), 30)
    dome = dome.joined(ellipsoid((0, 30, -30), (84, 74, 112)), 20)
    inside = cavity.grown(-2) & dome.grown(-3)
    kidneys = [_kidney((66, -45, -24), -1), _kidney((-66, -47, -8), 1)]
    painted: list[tuple[str, Shape]] = []
    for part in (
        _wall(body, cavity, dome),
        _spine(),
        _bowel(inside, rng),
        _kidneys(kidneys),
        _stomach(inside),
        _spleen(inside, kidneys[1]),
        _liver(inside),
        _pancreas(),
        _vessels(),
        _liver_vessels(rng),
        _lesions(),
    ):
        painted.extend(part)
    return painted


def _with_fat(tissue: str, shape: Shape, gap: float = 2.0) -> Painted:
    """An organ in its thin coat of fat, which is what sets it off from its neighbours."""
    yield "fat", shape.grown(gap)
    yield tissue, shape


def _skin(p: Points) -> NDArray:
    """Oval, flatter at the back, with a groove over the spine."""
    half_depth = np.where(p.y > 0, np.float32(104), np.float32(98))
    size = ((np.abs(p.x) / 164) ** 2.2 + (np.abs(p.y) / half_depth) ** 2.2) ** (1 / 2.2)
    radial = np.sqrt(p.x**2 + p.y**2)
    groove = 7 * np.exp(-((p.x / 16) ** 2)) * (p.y < 0)
    return np.maximum(radial, 1) * (1 - 1 / np.maximum(size, 1e-3)) + 2 * p.coarse + groove


def _fat(p: Points) -> NDArray:
    """Thickness of the fat under the skin in mm: most at the flanks towards the back."""
    angle = np.arctan2(p.y, np.abs(p.x) + 1e-3)
    return 12 + 8 * np.exp(-(((angle + 0.5) / 0.5) ** 2)) - 3 * np.exp(-((p.z - 60) ** 2) / 1500) + 1.5 * p.coarse


def _wall(body: Shape, cavity: Shape, dome: Shape) -> Painted:
    yield "fat", body
    muscles = Shape(lambda p: _skin(p) + _fat(p))
    linea_alba = Shape(lambda p: np.maximum(np.abs(p.x) - 1.3, -p.y))
    seam = Shape(lambda p: np.maximum(np.abs(_skin(p) + _fat(p) + 5.5) - 0.8, np.abs(p.x) - 150) + 3 * (p.y < -20))
    yield "muscle", muscles - linea_alba - seam
    yield "bone", Shape(lambda p: _ribs(p, 5.5))
    yield "marrow", Shape(lambda p: _ribs(p, 3.5))
    yield "fat", cavity
    # fat of the mediastinum between the lungs; the heart lies above the highest slice
    beside = Shape(lambda p: 40 - np.abs(p.x + 6) - 0.2 * p.y)
    yield "lung", (cavity.grown(-1) - dome.grown(1)) & beside & Shape(lambda p: 30 - p.z)


def _ribs(p: Points, radius: float) -> NDArray:
    """Ribs run down and forward inside the wall and end at the side of the belly."""
    depth = _skin(p) + _fat(p) + 6
    angle = np.arctan2(np.abs(p.x), -p.y)  # 0 at the spine, pi at the navel
    height = p.z + 36 * angle
    height = (height - RIB_DISTANCE * np.round(height / RIB_DISTANCE)) * 0.75
    bar = np.sqrt(depth**2 + height**2) - radius
    end = np.maximum((angle - 2.1 - 0.006 * p.z) * 60, (0.33 - angle) * 60)
    return np.maximum(bar, np.maximum(end, -30 - p.z - 0.4 * np.abs(p.y)))


def _spine() -> Painted:
    for side in (-1, 1):
        yield "muscle", ellipsoid((side * 33, -72, 0), (27, 19, 400), (0, 0, side * 12)).rough(1, 0.7)
        yield "muscle", tube([(side * 27, -50, 40), (side * 31, -47, -10), (side * 40, -40, -90)], (2, 11, 19)).rough(1)
        yield "muscle", ellipsoid((side * 62, -62, -60), (17, 9, 62), (0, 0, side * 25)).rough(0.7)
    body = Shape(lambda p: _vertebra(p) + 0.6 * p.fine)
    yield "fat", body.grown(2)
    yield "bone", body
    disc = Shape(lambda p: 4 - np.abs(p.z - DISC_DISTANCE * np.round(p.z / DISC_DISTANCE - 0.5) - DISC_DISTANCE / 2))
    yield "marrow", body.grown(-1.8) & disc
    for side in (-1, 1):
        yield from _bony(tube([(side * 13, -58, 0), (side * 14, -72, 0), (side * 6, -84, 0)], (5.5, 5, 4.5)))
        yield from _bony(tube([(side * 15, -68, 0), (side * 38, -72, 0)], (4, 3)), at=0.2)
    yield from _bony(tube([(0, -82, 0), (0, -93, 0)], (4.5, 3.2)))
    yield "fat", tube([(0, -74, -300), (0, -74, 300)], 10.5)
    yield "csf", tube([(0, -74, -300), (0, -74, 300)], 8.5)
    yield "cord", tube([(0, -75, -28), (0, -75, 0), (0, -75, 300)], (0.5, 4.6, 5))


def _bony(shape: Shape, at: float = 0.0) -> Painted:
    """A process of the vertebra, drawn once at z = 0 and repeated at the height of each vertebra."""

    def repeated(p: Points) -> NDArray:
        place = p.z / DISC_DISTANCE - at
        height = (place - np.round(place)) * DISC_DISTANCE
        return shape.distance(p._replace(z=height * 0.45))

    solid = Shape(repeated, (*shape.low[:2], -1e6), (*shape.high[:2], 1e6))
    yield "bone", solid
    yield "marrow", solid.grown(-1.6)


def _vertebra(p: Points) -> NDArray:
    """The vertebral bodies as a column with a waist between the discs, hollow towards the canal."""
    waist = 1 + 0.06 * np.cos(2 * np.pi * (p.z - DISC_DISTANCE / 2) / DISC_DISTANCE)
    round_part = (np.sqrt((p.x / 22) ** 2 + ((p.y + 48) / 17) ** 2) - waist) * 18
    return np.maximum(round_part, 11 - np.sqrt(p.x**2 + (p.y + 75) ** 2))


def _kidney(center: tuple[float, float, float], side: int) -> Shape:
    x, y, z = center
    bean = ellipsoid(center, (24, 28, 53), (8, side * -7, side * 28))
    hilum = ellipsoid((x + side * 23, y + 9, z), (9, 11, 17))
    return Shape((bean - hilum).rough(1.2, 0.5).distance, bean.low, bean.high)


def _kidneys(kidneys: list[Shape]) -> Painted:
    for kidney, (x, y, z), side in zip(kidneys, ((66, -45, -24), (-66, -47, -8)), (-1, 1), strict=True):
        yield from _with_fat("kidney_cortex", kidney, 4)
        sinus = ellipsoid((x + side * 13, y + 5, z), (17, 9, 27), (0, side * -7, side * 28)).rough(1.5, 1)
        yield "kidney_medulla", (kidney.grown(-6) & _pyramids(x, y, z)) - sinus
        yield "fat", sinus
        yield "csf" if side < 0 else "blood", ellipsoid((x + side * 15, y + 6, z), (7, 4, 7))


def _pyramids(x: float, y: float, z: float) -> Shape:
    """Wedges around the long axis, a new ring of them about every 16 mm."""

    def distance(p: Points) -> NDArray:
        angle = np.arctan2(p.y - y, p.x - x) + 0.5 * p.coarse
        level = (p.z - z) / 16 + 0.4 * p.coarse
        return -5 * (np.cos(5 * angle + np.pi * np.round(level)) + 0.45) + 3 * np.abs(level - np.round(level)) + p.fine

    return Shape(distance)


def _bowel(inside: Shape, rng: np.random.Generator) -> Painted:
    colon = [
        tube([(104, 2, -140), (106, 6, -70), (104, 18, -46)], (20, 20, 17)),
        tube([(104, 18, -46), (78, 58, -44), (20, 76, -54), (-40, 74, -48), (-92, 38, -30)], (17, 16, 15, 15, 14)),
        tube([(-92, 38, -30), (-116, 0, -14), (-116, -14, -60), (-112, -14, -140)], (14, 14, 13, 13)),
    ]
    loops = [_loop(rng) for _ in range(40)]
    for shape in loops:
        yield from _gut(inside & shape.rough(0.8, 0.5), wall=2.0, gas_above=1e3)
    for shape in colon:
        # haustra: the fine noise makes the colon's outline bumpy
        yield from _gut(inside & shape.rough(1.5, 1.5), wall=2.2, gas_above=52.0)
    duodenum = tube([(34, 30, 0), (50, 22, -10), (54, 6, -32), (34, 2, -50), (-4, 6, -50), (-30, 14, -42)], 11)
    yield from _gut(inside & duodenum.rough(1, 0.8), wall=2.6, gas_above=1e3)


def _loop(rng: np.random.Generator) -> Shape:
    start = rng.uniform((-96, -16, -130), (70, 64, -36))
    steps = rng.normal(0, 1, (3, 3)) * (18, 14, 11)
    return tube(start + np.r_[[(0, 0, 0)], np.cumsum(steps, axis=0)], rng.uniform(9, 13))


def _gut(shape: Shape, wall: float, gas_above: float) -> Painted:
    yield from _with_fat("bowel", shape, 1.6)
    lumen = shape.grown(-wall)
    yield "bowel_content", lumen
    yield "gas", lumen & Shape(lambda p: gas_above - p.y + 3 * p.coarse)


def _stomach(inside: Shape) -> Painted:
    fundus = ellipsoid((-64, 6, 46), (38, 38, 32), (0, 0, 15))
    corpus = ellipsoid((-64, 34, 16), (32, 32, 36))
    antrum = tube([(-62, 46, 2), (-34, 58, -12), (4, 52, -10), (30, 36, 0)], (26, 19, 14, 9))
    whole = inside & fundus.joined(corpus, 18).joined(antrum, 14).rough(1.2, 0.8)
    yield from _with_fat("stomach", whole, 2.5)
    lumen = whole.grown(-4.5)
    yield "stomach_content", lumen
    yield "gas", lumen & Shape(lambda p: 52 - p.y)  # the patient lies on the back: gas in front, a level surface


def _spleen(inside: Shape, kidney: Shape) -> Painted:
    hollow = ellipsoid((-66, 0, 34), (42, 46, 60))
    spleen = inside & (ellipsoid((-104, -38, 30), (40, 58, 47), (12, 0, -14)) - hollow).rough(1)
    yield from _with_fat("spleen", spleen - kidney.grown(5))


def _liver(inside: Shape) -> Painted:
    right = ellipsoid((84, -2, 24), (78, 90, 84), (0, 10, 0))
    left = ellipsoid((4, 50, 40), (76, 34, 34), (0, -8, -6))
    carved = ellipsoid((2, -6, -32), (46, 66, 66)).joined(ellipsoid((-4, -56, 10), (46, 40, 200)), 10)
    fissure = tube([(24, 84, -10), (22, 62, 18), (14, 44, 34)], (5, 4, 2))
    kidney_bed = ellipsoid((64, -50, -26), (31, 37, 58), (8, 7, -28))
    liver = right.joined(left, 22) - carved - fissure - kidney_bed
    yield from _with_fat("liver", inside & liver.rough(1.5, 0.3))
    bladder = ellipsoid((54, 46, -8), (14, 20, 27), (25, 10, 0)).rough(0.5)
    yield "stomach", bladder.grown(1.2)
    yield "gallbladder", bladder


def _pancreas() -> Painted:
    path = [(34, 12, -28), (26, 15, -14), (6, 21, -2), (-22, 17, 8), (-50, -2, 16), (-80, -26, 24)]
    yield from _with_fat("pancreas", tube(path, (14, 13, 9, 10.5, 10.5, 8)).rough(0.8, 1.8), 1.5)


def _vessels() -> Painted:
    named = [
        ([(-13, -22, 200), (-12, -20, 30), (-9, -18, -200)], 10.5),  # aorta
        ([(24, -8, 200), (25, -8, 50), (21, -16, 0), (18, -19, -200)], (13, 12.5, 11.5, 11.5)),  # inferior vena cava
        ([(-8, -12, 10), (-4, -2, 0), (-5, 4, -30), (-5, 6, -200)], (4, 4, 4, 4)),  # superior mesenteric artery
        ([(14, 8, -200), (12, 8, -30), (11, 9, -4)], (6, 6, 6.5)),  # superior mesenteric vein
        ([(11, 9, -4), (-18, 4, 6), (-52, -14, 16), (-84, -34, 26)], (5.5, 5, 5, 3.5)),  # splenic vein
        ([(-50, -40, -8), (-30, -14, -6), (-6, -3, -6), (18, -14, -6)], (4.5, 4.5, 3.5, 4.5)),  # left renal vein
        ([(50, -40, -22), (34, -26, -20), (20, -16, -16)], 4.5),  # right renal vein
    ]
    for side, path in ((1, [(14, -30, 200), (10, -28, 40), (4, -30, -20)]), (-1, [(-24, -32, 200), (-21, -36, -10)])):
        yield "muscle", tube(path, 6 if side < 0 else (6, 6, 3)).rough(0.5)  # the crura of the diaphragm
    for path, radius in named:
        vessel = tube(path, radius)
        yield "fat", vessel.grown(1.2)
        yield "blood", vessel


def _liver_vessels(rng: np.random.Generator) -> Painted:
    portal = [
        ([(11, 9, -4), (24, 14, 12), (44, 14, 26)], (7, 7, 7)),
        ([(44, 14, 26), (76, 4, 26), (104, -18, 22)], (6.5, 5, 2.5)),
        ([(70, 6, 27), (88, 32, 34), (98, 56, 36)], (4.5, 3.5, 1.5)),
        ([(40, 15, 27), (22, 34, 38), (-14, 52, 42)], (5, 4.5, 2)),
    ]
    hepatic = [
        ([(25, -6, 58), (56, -24, 50), (104, -36, 36), (124, -36, 22)], (6.5, 5, 3.5, 1.5)),
        ([(25, -4, 58), (44, 26, 50), (64, 58, 34)], (6, 4.5, 1.8)),
        ([(24, -2, 58), (10, 30, 52), (-22, 56, 46)], (5, 4, 1.8)),
    ]
    for path, radius in portal + hepatic:
        yield "blood", tube(path, radius)
    for _ in range(16):
        path, _radius = (portal + hepatic)[rng.integers(1, 7)]
        root = np.array(path[1]) + rng.uniform(0, 0.8) * (np.array(path[2]) - path[1])
        away = rng.normal(0, 1, 3) * (24, 24, 16)
        twig = tube([root, root + 0.5 * away + rng.normal(0, 3, 3), root + away], (2.4, 1.9, 1.1))
        yield "blood", twig & ellipsoid((84, -2, 24), (68, 80, 74), (0, 10, 0))


def _lesions() -> Painted:
    yield "metastasis", ellipsoid((112, 22, 8), (15, 14, 14)).rough(1.2, 0.8)
    yield "metastasis", ellipsoid((60, -30, 40), (10, 10, 10)).rough(0.8, 0.5)
    yield "metastasis", ellipsoid((-18, 62, 38), (9, 8, 9)).rough(0.8, 0.5)
    yield "haemangioma", ellipsoid((108, -46, 12), (12, 11, 13)).rough(1, 0.8)
    yield "cyst", ellipsoid((92, 48, 42), (12, 12, 12))
    yield "cyst", ellipsoid((126, -16, -14), (8, 8, 9))
