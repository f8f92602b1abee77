"""What each map is called and how it is shown: by panels, reports and files alike."""

from __future__ import annotations

from dataclasses import dataclass


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


QUANTITIES: dict[str, Quantity] = {
    "D": Quantity("D", "Diffusion coefficient of tissue", "mm2/s", (0.0, 0.003), "Viridis"),
    "f": Quantity("f", "Perfusion fraction", "1", (0.0, 0.5), "Inferno"),
    "D_star": Quantity("D*", "Pseudo-diffusion coefficient of blood in capillaries", "mm2/s", (0.0, 0.1), "Plasma"),
    "S0": Quantity("S0", "Signal without diffusion weighting", "", None, "Grey"),
    "R2": Quantity("R²", "Part of the signal's variance that the curve explains", "1", (0.0, 1.0), "Cividis"),
    "RMSE": Quantity("RMSE", "Root mean square distance of signal and curve", "", None, "Grey"),
}
PARAMETERS = ("D", "f", "D_star", "S0")
QUALITY = ("R2", "RMSE")
