"""Kinds of generated lesions: what makes each easy or hard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KindName = Literal["homog", "hetero", "lobulated", "lowcontrast", "adjacent", "aniso", "hard"]


@dataclass(frozen=True)
class Kind:
    """One kind of lesion and what surrounds it.

    Attributes:
        brightness: of the lesion, drawn between these; tissue lies at 0.4 and 0.9.
        stretch: largest logarithm of an axis of the ellipsoid that it begins as, over the mean one.
        bulge, bulge_mm: height and width of broad unevenness of its surface, in mm.
        rough, rough_mm: the same of fine unevenness.
        necrosis: fraction of its inside that is dark.
        septa: fraction of it that is much brighter.
        matched, matched_mm: fraction of the background that is as bright as the lesion, and how wide its parts are.
        room: how much rarer that is beside the lesion, in standard deviations of the field that places it.
        neighbour: an organ as bright as the lesion touches it.
        bias: standard deviation of the logarithm of the coils' shading.
        noise: standard deviation.
        size, spacing: of the image in voxels and mm.
    """

    brightness: tuple[float, float] = (1.5, 1.9)
    stretch: float = 0.25
    bulge: float = 2.0
    bulge_mm: float = 10.0
    rough: float = 0.4
    rough_mm: float = 4.0
    necrosis: float = 0.0
    septa: float = 0.0
    matched: float = 0.0
    matched_mm: float = 7.0
    room: float = 0.8
    neighbour: bool = False
    bias: float = 0.06
    noise: float = 0.16
    size: tuple[int, int, int] = (96, 96, 96)
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)


THICK_SIZE, THICK_SPACING = (128, 128, 28), (0.9, 0.9, 4.5)

KINDS: dict[str, Kind] = {
    "homog": Kind(),
    "hetero": Kind(necrosis=0.15, septa=0.1),
    "lobulated": Kind(bulge=5.0, bulge_mm=9.0, necrosis=0.1, septa=0.05),
    "lowcontrast": Kind(brightness=(1.15, 1.3)),
    "adjacent": Kind(neighbour=True),
    "aniso": Kind(necrosis=0.1, septa=0.05, size=THICK_SIZE, spacing=THICK_SPACING),
    "hard": Kind(
        stretch=0.35,
        bulge=3.2,
        bulge_mm=9.0,
        rough=0.8,
        rough_mm=3.5,
        necrosis=0.08,
        septa=0.06,
        matched=0.18,
        bias=0.1,
    ),
}
"""Name to kind."""
