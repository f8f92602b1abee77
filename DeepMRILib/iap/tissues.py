"""Relaxation times and proton densities of the tissues that simulated subjects are made of.

They are inputs of a simulation, varied from subject to subject, and no reference values: most were taken over from
tables in the literature without another look at the originals, as ``source`` says of each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FIELDS = (1.5, 3.0)
"""Field strengths (T) for which the table has values."""


@dataclass(frozen=True)
class Tissue:
    """One tissue.

    Attributes:
        name: in pictures and tests.
        t1, t2, t2_star: relaxation times in ms at 1.5 and 3 T.
        density: proton density, of cerebrospinal fluid 1.
        source: where the numbers come from.
    """

    name: str
    t1: tuple[float, float]
    t2: tuple[float, float]
    t2_star: tuple[float, float]
    density: float
    source: str


_BREAST = "Rakow-Penner et al., J Magn Reson Imaging 2006;23:87; T2* at 3 T: Ryu 2014; T2* at 1.5 T: chosen"
_STANISZ = "Stanisz et al., Magn Reson Med 2005;54:507; T2*: chosen"
_BRAIN = "Stanisz et al., Magn Reson Med 2005;54:507; density and T2*: BrainWeb (Collins et al., IEEE TMI 1998;17:463)"

TISSUES: tuple[Tissue, ...] = (
    Tissue("fat", (296, 367), (53, 53), (45, 36), 0.95, _BREAST),
    Tissue("fibroglandular", (1266, 1445), (58, 54), (35, 22), 0.85, _BREAST),
    Tissue("muscle", (1008, 1412), (44, 50), (33, 25), 0.80, _STANISZ),
    Tissue("blood", (1441, 1932), (290, 275), (120, 60), 0.95, _STANISZ),
    Tissue("liver", (576, 812), (46, 42), (28, 20), 0.75, _STANISZ),
    Tissue("white matter", (884, 1084), (72, 69), (61, 48), 0.77, _BRAIN),
    Tissue("grey matter", (1124, 1820), (95, 99), (69, 55), 0.86, _BRAIN),
    Tissue("fluid", (4000, 4300), (329, 330), (58, 50), 1.0, "BrainWeb; public simulators at 3 T"),
    Tissue("lesion", (1150, 1500), (92, 88), (40, 30), 0.90, "chosen: as breast lesions are told to be"),
    Tissue("bone", (200, 200), (2, 2), (1, 1), 0.10, "chosen: nearly dark in every sequence"),
)  # fmt: skip
"""In the order of the first axis of fractions and properties."""

INDEX: dict[str, int] = {tissue.name: number for number, tissue in enumerate(TISSUES)}
FAT = INDEX["fat"]
"""The one whose protons are shifted against water's."""
BLOOD = INDEX["blood"]
"""The one that flows."""
DENSITY_VARIES = 0.4
"""How much proton density varies between subjects, of what relaxation times do."""


@dataclass(frozen=True, eq=False)
class Properties:
    """Of all tissues of one subject at one field strength, each (tissues,).

    Attributes:
        t1, t2, t2_star: in ms.
        density: proton density.
    """

    t1: NDArray
    t2: NDArray
    t2_star: NDArray
    density: NDArray


@dataclass(frozen=True, eq=False)
class Factors:
    """By how much one subject's tissues differ from the table's, each (tissues,); the same at each field strength."""

    t1: NDArray
    t2: NDArray
    t2_star: NDArray
    density: NDArray

    @classmethod
    def draw(cls, random: np.random.Generator, variation: float) -> Factors:
        """Independent normal factors of standard deviation ``variation`` around 1, none further than 2.5 of them; of
        densities less, as water contents differ less than relaxation times.
        """
        drawn = variation * np.clip(random.standard_normal((4, len(TISSUES))), -2.5, 2.5)
        drawn[3] *= DENSITY_VARIES
        return cls(*(1 + drawn))


def properties(field: float, factors: Factors | None = None) -> Properties:
    """The tissues at a field strength: the table's value nearest in field, times a subject's factors.

    Example:
        >>> float(properties(3.0).t1[INDEX["white matter"]])
        1084.0
    """
    at = int(np.argmin([abs(field - known) for known in FIELDS]))
    times = np.array([[one.t1[at], one.t2[at], one.t2_star[at], one.density] for one in TISSUES], float).T
    if factors is not None:
        times = times * np.stack([factors.t1, factors.t2, factors.t2_star, factors.density])
    t1, t2, t2_star, density = times
    return Properties(t1, t2, np.minimum(t2_star, t2), density)
