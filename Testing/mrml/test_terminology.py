"""What segments are, in codes: those of the standard, and readable by Slicer's own logic."""

from __future__ import annotations

import pytest
import slicer
import vtk

from DeepMRILib.ivim import PhantomOptions
from DeepMRILib.ivim.phantom_tissues import TISSUES
from DeepMRILib.mrml.ivim import phantomNodes
from DeepMRILib.mrml.terminology import CONTEXT, PHANTOM_TERMS, terminologyEntry


def _read(text: str):
    entry = slicer.vtkSlicerTerminologyEntry()
    assert slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(text, entry)
    return entry


def _code(coded) -> tuple[str, str, str]:
    return coded.GetCodeValue(), coded.GetCodingSchemeDesignator(), coded.GetCodeMeaning()


@pytest.mark.parametrize("tissue", PHANTOM_TERMS)
def test_slicer_reads_category_type_and_region(scene, tissue: str) -> None:
    assert tissue in TISSUES
    category, kind, *region = PHANTOM_TERMS[tissue]
    entry = _read(terminologyEntry(*PHANTOM_TERMS[tissue]))
    assert entry.GetTerminologyContextName() == CONTEXT
    assert _code(entry.GetCategoryObject()) == category
    assert _code(entry.GetTypeObject()) == kind
    assert [_code(entry.GetRegionObject())] == (region or [(None, None, None)])


def test_codes_are_those_of_the_standard(scene) -> None:
    standard = pytest.importorskip("pydicom.sr.codedict").codes.SCT
    # What Slicer's list calls otherwise than the standard.
    keywords = {
        "Anatomical Structure": "BodyStructure",
        "Morphologically Altered Structure": "MorphologicallyAbnormalStructure",
        "Body fat": "BodyFatObservable",
    }
    for value, scheme, meaning in {code for codes in PHANTOM_TERMS.values() for code in codes}:
        keyword = keywords.get(meaning) or meaning.title().replace(" ", "")
        assert (getattr(standard, keyword).value, scheme) == (value, "SCT")


def test_the_phantoms_organs_carry_their_codes(scene) -> None:
    _, organs = phantomNodes(PhantomOptions(size=(72, 56, 4), spacing=(5.2, 5.2, 30.0), b_values=(0, 800)))
    segmentation = organs.GetSegmentation()
    found = {}
    for segmentId in segmentation.GetSegmentIDs():
        segment, text = segmentation.GetSegment(segmentId), vtk.reference("")
        assert segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text)
        found[segment.GetName()] = _code(_read(str(text)).GetTypeObject())
    assert found["liver"] == ("10200004", "SCT", "Liver")
    assert found["kidney cortex"] == ("64033007", "SCT", "Kidney")
    assert found["blood vessel"] == ("85756007", "SCT", "Tissue")
