"""What the voxels of a map measure, in the codes that DICOM parametric maps carry.

Quantities: DICOM PS3.16, CID 7272 "MR Diffusion Model Parameter", where the two compartments of the bi-exponential
(IVIM) model are the slow and the fast one, and CID 7180. Units: UCUM, CID 7181. A map without a code of its own there
gets its unit only.
"""

from __future__ import annotations

import slicer

Code = tuple[str, str, str]
"""Value, coding scheme, meaning."""

QUANTITY_CODES: dict[str, Code] = {
    "ADC": ("113041", "DCM", "Apparent Diffusion Coefficient"),
    "D": ("113291", "DCM", "Slow Diffusion Coefficient"),
    "D_star": ("113292", "DCM", "Fast Diffusion Coefficient"),
    "f": ("113293", "DCM", "Fast Diffusion Coefficient Fraction"),
    "S0": ("110852", "DCM", "MR signal intensity"),
}

UNIT_CODES: dict[str, Code] = {
    "mm2/s": ("mm2/s", "UCUM", "mm2/s"),
    "1": ("1", "UCUM", "no units"),
}


def setQuantity(node: slicer.vtkMRMLScalarVolumeNode, quantity: str, unit: str = "") -> None:
    """Say in coded form what a map's voxels measure; Slicer shows it, and DICOM parametric maps carry it.

    Args:
        quantity: the map's key, e.g. "D"; one without a code clears an earlier one.
        unit: UCUM code, "1" for a fraction, "" for an image's arbitrary units.
    """
    node.SetVoxelValueQuantity(_entry(QUANTITY_CODES.get(quantity)))
    node.SetVoxelValueUnits(_entry(UNIT_CODES.get(unit, (unit, "UCUM", unit)) if unit else None))


def _entry(code: Code | None) -> slicer.vtkCodedEntry | None:
    if code is None:
        return None
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(*code)
    return entry
