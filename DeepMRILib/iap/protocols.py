"""Acquisition parameters of simulated series: drawn independently, or as one hospital sets them.

Whole combinations of field strength, repetition time and a third parameter are kept out of the ordinary draws, so that
a network can be asked about combinations that it has never seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from DeepMRILib.iap.parameters import Value

Family = Literal["SE", "GRE", "IR"]
SEQUENCE: dict[Family, str] = {"SE": "SE", "GRE": "GR", "IR": "IR"}
"""What DICOM's ScanningSequence calls the families."""
VENDORS = ("VENDOR A", "VENDOR B", "VENDOR C")
"""Three that do not exist, so that nobody takes their signatures (``imaging``) for those of real scanners."""
FIELD_STRENGTHS = (1.5, 3.0)
THICKNESSES = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
MATRICES = (2 / 3, 5 / 6, 1.0)
"""Acquired lines as fractions of the image's."""
BANDWIDTHS = (100.0, 300.0)
POSITIONS = ("HFS", "HFP")
PARTS = 8
"""Into how many parts a range is cut for combinations."""
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "SE": {"tr": (350, 6000), "te": (8, 130)},
    "GRE 2D": {"tr": (5, 600), "te": (1.2, 25), "flip": (5, 80)},
    "GRE 3D": {"tr": (3.5, 7.5), "te": (1.2, 2.8), "flip": (5, 20)},
    "IR": {"tr": (4000, 11000), "te": (8, 130), "ti": (100, 2600)},
}
"""ms and degrees."""
LOGARITHMIC = ("SE", "GRE 2D")
"""Kinds whose repetition times are drawn uniformly on a logarithmic scale."""


@dataclass(frozen=True)
class Protocol:
    """How one series is acquired.

    Attributes:
        family: the signal equation.
        vendor: number in ``VENDORS``.
        field: field strength in T.
        tr, te: repetition and echo time in ms.
        ti: inversion time in ms, 0 where there is none.
        flip: flip angle in degrees.
        volume: 3D, or slice by slice.
        fat_saturated: fat's signal is nearly gone.
        bandwidth: in Hz per acquired pixel: how far fat is shifted along the rows.
        thickness, field_of_view: in mm.
        lines: acquired lines, along rows and columns.
        position: of the patient, of ``POSITIONS``.
    """

    family: Family
    vendor: int
    field: float
    tr: float
    te: float
    ti: float
    flip: float
    volume: bool
    fat_saturated: bool
    bandwidth: float
    thickness: float
    field_of_view: float
    lines: int
    position: str

    def values(self, size: int) -> dict[str, Value]:
        """The parameters by name, as a header of an image of ``size`` pixels says them."""
        return {
            "manufacturer": VENDORS[self.vendor],
            "field_strength": self.field,
            "sequence": SEQUENCE[self.family],
            "acquisition_type": "3D" if self.volume else "2D",
            "scan_options": "FS" if self.fat_saturated else "NONE",
            "patient_position": self.position,
            "repetition_time": round(self.tr, 3),
            "echo_time": round(self.te, 3),
            "inversion_time": round(self.ti, 3) if self.family == "IR" else None,
            "flip_angle": round(self.flip, 2),
            "bandwidth": round(self.bandwidth, 2),
            "slice_thickness": self.thickness,
            "pixel_spacing": round(self.field_of_view / size, 6),
            "field_of_view": self.field_of_view,
            "matrix": f"{self.lines}x{self.lines}",
        }

    @property
    def kind(self) -> str:
        """Its entry in ``RANGES``."""
        return f"GRE {'3D' if self.volume else '2D'}" if self.family == "GRE" else self.family


def draw_protocol(
    random: np.random.Generator,
    family: Family,
    fields_of_view: tuple[float, ...],
    size: int,
    *,
    correlated: bool = False,
    held_out: bool = False,
) -> Protocol:
    """A protocol of a family: of the ordinary combinations, or of those that are kept out of them."""
    while True:
        drawn = _draw(random, family, fields_of_view, size)
        drawn = as_in_one_hospital(random, drawn) if correlated else drawn
        if is_held_out(drawn) == held_out:
            return drawn


def _draw(random: np.random.Generator, family: Family, fields_of_view: tuple[float, ...], size: int) -> Protocol:
    volume = family == "GRE" and random.uniform() < 0.3
    kind = f"GRE {'3D' if volume else '2D'}" if family == "GRE" else family
    ranges = RANGES[kind]
    low, high = ranges["tr"]
    tr = float(np.exp(random.uniform(np.log(low), np.log(high))) if kind in LOGARITHMIC else random.uniform(low, high))
    te_low, te_high = ranges["te"]
    return Protocol(
        family=family,
        vendor=int(random.integers(len(VENDORS))),
        field=FIELD_STRENGTHS[int(random.integers(2))],
        tr=tr,
        te=float(random.uniform(te_low, min(te_high, 0.8 * tr))),
        ti=float(random.uniform(*ranges["ti"])) if "ti" in ranges else 0.0,
        flip=float(random.uniform(*ranges["flip"])) if "flip" in ranges else 90.0,
        volume=bool(volume),
        fat_saturated=bool(random.uniform() < 0.2),
        bandwidth=float(np.exp(random.uniform(*np.log(BANDWIDTHS)))),
        thickness=THICKNESSES[int(random.integers(len(THICKNESSES)))],
        field_of_view=fields_of_view[int(random.integers(len(fields_of_view)))],
        lines=lines_of(MATRICES[int(random.integers(len(MATRICES)))], size),
        position=POSITIONS[int(random.uniform() < 0.3)],
    )


def lines_of(fraction: float, size: int) -> int:
    """An even number of acquired lines.

    Example:
        >>> [lines_of(fraction, 96) for fraction in MATRICES]
        [64, 80, 96]
    """
    return 2 * round(fraction * size / 2)


def combination(protocol: Protocol) -> tuple[int, int, int]:
    """Field strength, part of the range of TR, and part of that of the flip angle (GRE), TI (IR) or TE (SE)."""
    ranges = RANGES[protocol.kind]
    third = {"SE": ("te", protocol.te), "IR": ("ti", protocol.ti), "GRE": ("flip", protocol.flip)}[protocol.family]
    low, high = ranges["tr"]
    where = (
        np.log(protocol.tr / low) / np.log(high / low)
        if protocol.kind in LOGARITHMIC
        else (protocol.tr - low) / (high - low)
    )
    low, high = ranges[third[0]]
    return FIELD_STRENGTHS.index(protocol.field), _part(float(where)), _part((third[1] - low) / (high - low))


def _part(fraction: float) -> int:
    return int(np.clip(PARTS * fraction, 0, PARTS - 1))


def is_held_out(protocol: Protocol) -> bool:
    """Whether its combination is one of the eighth that ordinary draws leave out: each part of each range occurs in
    them at each field strength, but not with each part of the other's.
    """
    field, tr, third = combination(protocol)
    return (tr + 3 * third + PARTS // 2 * field) % PARTS == 0


def as_in_one_hospital(random: np.random.Generator, drawn: Protocol) -> Protocol:
    """The same with parameters that go with the vendor: its scanners' field strength, its users' protocols.

    Times stay in the family's ranges: each vendor has its third of that of the echo time.
    """
    ranges = RANGES[drawn.kind]
    low, high = ranges["te"]
    step = (min(high, 0.8 * drawn.tr) - low) / len(VENDORS)
    return replace(
        drawn,
        field=FIELD_STRENGTHS[0] if drawn.vendor == 0 else FIELD_STRENGTHS[1],
        te=float(low + step * (drawn.vendor + random.uniform())),
        thickness=THICKNESSES[2 * drawn.vendor + int(random.integers(2))],
        fat_saturated=drawn.vendor == 2,
        position=POSITIONS[int(drawn.vendor == 1)],
    )
