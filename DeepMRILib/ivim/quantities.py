"""What each map is called and how it is shown: by panels, reports and files alike."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Quantity:
    """One map.

    Attributes:
        label: as written in the field.
        meaning: in words.
        unit: UCUM code, "1" for a fraction, "" for the image's own units.
        window: lowest and highest value shown by default; None shows the values' own range.
        colour: a colour table that Slicer and matplotlib both know.
    """

    label: str
    meaning: str
    unit: str
    window: tuple[float, float] | None
    colour: str

    @property
    def heading(self) -> str:
        """Label and unit for tables and colour bars."""
        return f"{self.label} ({self.unit})" if self.unit not in ("", "1") else self.label


_PARAMETERS: dict[str, Quantity] = {
    "D": Quantity("D", "Diffusion coefficient of tissue", "mm2/s", (0.0, 0.003), "Viridis"),
    "f": Quantity("f", "Perfusion fraction", "1", (0.0, 0.5), "Inferno"),
    "D_star": Quantity("D*", "Pseudo-diffusion coefficient of blood in capillaries", "mm2/s", (0.0, 0.1), "Plasma"),
    "ADC": Quantity("ADC", "Apparent diffusion coefficient", "mm2/s", (0.0, 0.003), "Viridis"),
    "f1": Quantity("f1", "Fraction of slow blood", "1", (0.0, 0.5), "Inferno"),
    "D_star1": Quantity("D*1", "Pseudo-diffusion coefficient of slow blood", "mm2/s", (0.0, 0.06), "Plasma"),
    "f2": Quantity("f2", "Fraction of fast blood", "1", (0.0, 0.5), "Inferno"),
    "D_star2": Quantity("D*2", "Pseudo-diffusion coefficient of fast blood", "mm2/s", (0.0, 2.0), "Plasma"),
    "S0": Quantity("S0", "Signal without diffusion weighting", "", None, "Grey"),
}


def _sd(quantity: Quantity) -> Quantity:
    """The quantity of a parameter's standard deviation; those of D* are often as large as D* itself."""
    part = 0.6 if quantity.label.startswith("D*") else 1 / 3
    window = None if quantity.window is None else (0.0, quantity.window[1] * part)
    meaning = f"Standard deviation of {quantity.label}"
    return replace(quantity, label=f"SD of {quantity.label}", meaning=meaning, window=window, colour="Magma")


QUANTITIES: dict[str, Quantity] = {
    **_PARAMETERS,
    **{sd_name: _sd(quantity) for sd_name, quantity in ((f"{name}_sd", one) for name, one in _PARAMETERS.items())},
    "R2": Quantity("R²", "Part of the signal's variance that the curve explains", "1", (0.0, 1.0), "Cividis"),
    "RMSE": Quantity("RMSE", "Root mean square distance of signal and curve", "", None, "Grey"),
    "quality": Quantity(
        "Quality", "1 where no parameter lies on a bound and the curve explains the signal", "1", (0.0, 1.0), "Grey"
    ),
}
QUALITY = ("R2", "RMSE", "quality")
PRINTED_RATE = "10⁻³ mm²/s"


def scale_of(name: str) -> float:
    """What a map is multiplied by to be in the unit that papers print: rates in 10⁻³ mm²/s."""
    return 1000.0 if QUANTITIES[name].unit == "mm2/s" else 1.0


def shown_unit(name: str) -> str:
    """That unit; empty for all but rates."""
    return PRINTED_RATE if QUANTITIES[name].unit == "mm2/s" else ""


def shown_label(name: str) -> str:
    """A map's label with that unit.

    Example:
        >>> shown_label("D_star"), shown_label("f")
        ('D* (10⁻³ mm²/s)', 'f')
    """
    unit = shown_unit(name)
    return f"{QUANTITIES[name].label} ({unit})" if unit else QUANTITIES[name].label
