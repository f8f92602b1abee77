"""Bounds and typical values of the IVIM parameters, by body part."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, field, fields, replace

from DeepMRILib.errors import InputError

Interval = tuple[float, float]


@dataclass(frozen=True)
class _Intervals:
    """Lowest and highest value of each parameter; all are checked to be two finite ascending numbers from 0 on."""

    def __post_init__(self) -> None:
        for item in fields(self):
            object.__setattr__(self, item.name, _checked(item.name, getattr(self, item.name)))
        low_S0, _ = self.as_dict()["S0"]
        if low_S0 <= 0:
            raise InputError(f"The bounds of S0 are {self.as_dict()['S0']}; the signal at b = 0 must be above 0.")

    def as_dict(self) -> dict[str, Interval]:
        """The intervals by the parameters' names, in the model's order."""
        return dict(zip((item.name for item in fields(self)), astuple(self), strict=True))


@dataclass(frozen=True)
class AdcBounds(_Intervals):
    """The lowest and highest value of a mono-exponential fit: ADC in mm2/s, S0 as in ``Bounds``."""

    ADC: Interval = (0.0, 0.005)
    S0: Interval = (0.5, 2.5)


@dataclass(frozen=True)
class Bounds(_Intervals):
    """The lowest and highest value that a bi-exponential fit may return, for each parameter.

    Attributes:
        D: diffusion coefficient in mm2/s.
        f: perfusion fraction.
        D_star: pseudo-diffusion coefficient in mm2/s. The fit also keeps D* > D where the two intervals overlap.
        S0: signal at b = 0 as a multiple of the mean signal at the lowest b-value.

    Raises:
        InputError: an interval is not two finite ascending numbers, leaves what is physically possible, or leaves no
            room for D* above D.
    """

    D: Interval = (0.0, 0.005)
    f: Interval = (0.0, 0.7)
    D_star: Interval = (0.005, 0.2)
    S0: Interval = (0.7, 1.3)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.f[1] > 1:
            raise InputError(f"The bounds of f are {self.f}; a fraction cannot exceed 1.")
        if self.D_star[1] <= self.D[0] or self.D_star[1] <= 0:
            raise InputError(
                f"The bounds of D* are {self.D_star} and those of D {self.D}; "
                "the upper bound of D* must lie above the lower bound of D."
            )


@dataclass(frozen=True)
class TriexpBounds(_Intervals):
    """The lowest and highest value of a tri-exponential fit; the fit also keeps f1 + f2 <= 1.

    Attributes:
        D, D_star1, D_star2: mm2/s, one above the other without overlap.
        f1, f2: fractions of slow and of fast blood.
        S0: as in ``Bounds``.

    Raises:
        InputError: as ``Bounds``, or the rates' intervals overlap or are one and the same value.
    """

    D: Interval = (0.0, 0.005)
    f1: Interval = (0.0, 1.0)
    D_star1: Interval = (0.008, 0.06)
    f2: Interval = (0.0, 1.0)
    D_star2: Interval = (0.06, 5.0)
    S0: Interval = (0.7, 1.3)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("f1", "f2"):
            if getattr(self, name)[1] > 1:
                raise InputError(f"The bounds of {name} are {getattr(self, name)}; a fraction cannot exceed 1.")
        if self.f1[0] + self.f2[0] > 1:
            raise InputError(f"The bounds of f1 and f2 begin at {self.f1[0]} and {self.f2[0]}; together at most 1.")
        for slower, faster in (("D", "D_star1"), ("D_star1", "D_star2")):
            low, high = getattr(self, slower), getattr(self, faster)
            if high[0] < low[1]:
                raise InputError(
                    f"The bounds of {slower} are {low} and those of {faster} {high}; they must not overlap, or the two "
                    "cannot be told apart. Choose one limit between them."
                )
            if high[1] <= low[0]:
                raise InputError(
                    f"The bounds of {slower} are {low} and those of {faster} {high}; they leave no room for "
                    f"{faster} above {slower}."
                )


AnyBounds = AdcBounds | Bounds | TriexpBounds


def _checked(name: str, interval: Interval) -> Interval:
    if not isinstance(interval, (tuple, list)) or len(interval) != 2:
        raise InputError(f"The bounds of {name} are {interval!r}; give the lowest and the highest value.")
    low, high = float(interval[0]), float(interval[1])
    if not (math.isfinite(low) and math.isfinite(high) and 0 <= low <= high):
        raise InputError(f"The bounds of {name} are {low:g} to {high:g}; expected 0 <= lowest <= highest, both finite.")
    return low, high


@dataclass(frozen=True)
class TypicalValues:
    """Parameter values to start an iterative fit from: D and D* in mm2/s, S0 relative as in ``Bounds``."""

    D: float = 0.001
    f: float = 0.1
    D_star: float = 0.01
    S0: float = 1.0


ABDOMINAL_SPLIT = 100.0
"""Between the published 75 (IVIMNET) and 200 (OSIPI TF2.4, all organs), in s/mm2; of 40 to 200, 60 tells fibrosis of
the liver best (Wang et al., Acta Radiol, https://doi.org/10.1177/0284185118774913).

A higher split leaves fewer images to fit tissue to: on the protocol of Kaandorp et al. (11 b-values, three above 200)
200 doubles the median error of f at SNR 20 and 50 (bench_segmented.py). A lower one takes slow blood for tissue. On the
OSIPI reference tissues at SNR 50 the median error of f is .023, .020, .022 and .026 with 75, 100, 150 and 200.
"""

SLOW_BLOOD_SPLIT = 150.0
"""For D* near 0.01 mm2/s: from 100 on, blood still has a third of its signal at the first b-value, here a fifth."""

PUBLISHED_SPLIT = 200.0
"""Most studies of muscle (Englund et al., J Magn Reson Imaging 2022;55:988-1012), and OSIPI TF2.4 for all organs.

In brain blood is slow (typical D* 0.011): a lower split takes more of it for tissue and f comes out too low; a higher
one, 300 or 400 (dipy), leaves fewer images to tell D from, and noise then costs more.
"""


TRIEXP_SPLITS = (15.0, 120.0)
"""Those of IVIMNET, which most protocols have b-values for. Where there are several below 10 s/mm2, 10 and 100 are
better: with the 18 of Troelstra et al. at SNR 50 the median errors of f1 and f2 are .18 and .14 instead of .25 and .22.
"""


@dataclass(frozen=True)
class BodyPart:
    """What is known of a body part before the fit.

    Attributes:
        bounds, triexp, adc: of the bi-, tri- and mono-exponential model.
        typical: where an iterative fit may start.
        split: b-value in s/mm2 from which on a segmented fit takes blood to have no signal left.
        triexp_splits: the same for fast blood, and for all blood, in a tri-exponential fit.
    """

    bounds: Bounds
    typical: TypicalValues
    split: float = ABDOMINAL_SPLIT
    triexp: TriexpBounds = field(default_factory=TriexpBounds)
    adc: AdcBounds = field(default_factory=AdcBounds)
    triexp_splits: Interval = TRIEXP_SPLITS

    def bounds_of(self, model: str) -> AnyBounds:
        """The bounds of a model: adc, biexp or triexp."""
        return {"adc": self.adc, "biexp": self.bounds, "triexp": self.triexp}[model]


GENERAL = Bounds()
"""Bounds of least squares in Kaandorp et al., Magn Reson Med 2021;86:2250-2265 (code: IVIMNET)."""

ABDOMINAL_D_STAR = (0.008, 0.2)
"""Just below the slowest D* of abdominal tissue in the OSIPI reference signals, 0.010 mm2/s of pancreas.

Lower still, the fast compartment becomes a second kind of tissue: with 0.005 the median D of the kidneys of volunteers
1 and 4 in Testing/benchmarks/bench_abdomen.py comes out 1.2e-3 and 0.8e-3 mm2/s below the published one.
"""

BROAD = Bounds(f=(0.0, 1.0), S0=(0.5, 1.5))
"""Bounds of the OSIPI IVIM task force for every organ: wide, so that lesions are not clipped."""

ABDOMINAL_ORGAN = replace(BROAD, D_star=ABDOMINAL_D_STAR)

BODY_PARTS: dict[str, BodyPart] = {
    # Typical values: OSIPI TF2.4 IVIM code collection, body-part table (benign tissue where it has two rows).
    "abdomen": BodyPart(replace(GENERAL, D_star=ABDOMINAL_D_STAR), TypicalValues()),
    "brain": BodyPart(BROAD, TypicalValues(D=0.83e-3, f=0.0764, D_star=10.88e-3), PUBLISHED_SPLIT),
    "liver": BodyPart(ABDOMINAL_ORGAN, TypicalValues(D=1.09e-3, f=0.2305, D_star=70.02e-3)),
    "pancreas": BodyPart(ABDOMINAL_ORGAN, TypicalValues(D=1.41e-3, f=0.2003, D_star=25.39e-3), SLOW_BLOOD_SPLIT),
    "kidney": BodyPart(ABDOMINAL_ORGAN, TypicalValues(D=1.89e-3, f=0.1888, D_star=40.53e-3)),
    # The table has no prostate: its general values.
    "prostate": BodyPart(BROAD, TypicalValues(), PUBLISHED_SPLIT),
    "breast": BodyPart(BROAD, TypicalValues(D=1.43e-3, f=0.07, D_star=52.33e-3), PUBLISHED_SPLIT),
    "muscle": BodyPart(BROAD, TypicalValues(D=1.47e-3, f=0.1034, D_star=30.88e-3), PUBLISHED_SPLIT),
}


def body_part(name: str) -> BodyPart:
    """Bounds and typical values of a body part.

    Raises:
        InputError: the name is not in ``BODY_PARTS``.

    Example:
        >>> body_part("liver").bounds.D_star
        (0.008, 0.2)
    """
    if name not in BODY_PARTS:
        raise InputError(f"{name!r} is not a known body part; choose one of {', '.join(BODY_PARTS)}.")
    return BODY_PARTS[name]
