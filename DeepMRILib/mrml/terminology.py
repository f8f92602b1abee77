"""What segments are, in the codes that Slicer shows and DICOM SEG files carry.

The codes are those of Slicer's own list "3D Slicer General Anatomy" (SNOMED CT). A tissue that is not in it keeps
Slicer's default, "Tissue".
"""

from __future__ import annotations

import slicer

from DeepMRILib.mrml.codes import Code

CONTEXT = "Segmentation category and type - 3D Slicer General Anatomy list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"

TISSUE: Code = ("85756007", "SCT", "Tissue")
ANATOMY: Code = ("123037004", "SCT", "Anatomical Structure")
ALTERED: Code = ("49755003", "SCT", "Morphologically Altered Structure")
SUBSTANCE: Code = ("91720002", "SCT", "Body Substance")

_LIVER: Code = ("10200004", "SCT", "Liver")
_KIDNEY: Code = ("64033007", "SCT", "Kidney")
_MASS: Code = ("4147007", "SCT", "Mass")

PHANTOM_TERMS: dict[str, tuple[Code, ...]] = {
    "liver": (ANATOMY, _LIVER),
    "spleen": (ANATOMY, ("78961009", "SCT", "Spleen")),
    "kidney_cortex": (ANATOMY, _KIDNEY),
    "kidney_medulla": (ANATOMY, _KIDNEY),
    "pancreas": (ANATOMY, ("15776009", "SCT", "Pancreas")),
    "muscle": (TISSUE, ("71616004", "SCT", "Muscle")),
    "stomach": (ANATOMY, ("69695003", "SCT", "Stomach")),
    "metastasis": (ALTERED, _MASS, _LIVER),
    "haemangioma": (ALTERED, _MASS, _LIVER),
    "cyst": (ALTERED, ("367643001", "SCT", "Cyst"), _LIVER),
    "gallbladder": (ANATOMY, ("28231008", "SCT", "Gallbladder")),
    "fat": (TISSUE, ("248300009", "SCT", "Body fat")),
    "cord": (ANATOMY, ("2748008", "SCT", "Spinal cord")),
    "lung": (ANATOMY, ("39607008", "SCT", "Lung")),
    "gas": (SUBSTANCE, ("74947009", "SCT", "Gas")),
}
"""Tissue of the abdominal phantom to category, type and, for what lies inside an organ, that organ."""


def terminologyEntry(category: Code, kind: Code, region: Code | None = None) -> str:
    """Slicer's text form of a terminology entry, as segments keep it.

    Args:
        category: what sort of thing, e.g. an anatomical structure.
        kind: what it is.
        region: the organ that it lies in, where the kind does not say so.
    """
    entry = slicer.vtkSlicerTerminologyEntry()
    entry.SetTerminologyContextName(CONTEXT)
    entry.GetCategoryObject().SetValueSchemeMeaning(*category)
    entry.GetTypeObject().SetValueSchemeMeaning(*kind)
    entry.SetRegionContextName(REGION_CONTEXT)
    if region is not None:
        entry.GetRegionObject().SetValueSchemeMeaning(*region)
    return slicer.vtkSlicerTerminologiesModuleLogic.SerializeTerminologyEntry(entry)
