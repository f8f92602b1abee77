"""The sample data of PVSSegment: a generated head whose spaces are known."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util

from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.pvs_inputs import segmentInputs
from DeepMRILib.mrml.pvs_sample import SMALL, sampleNodes
from DeepMRILib.mrml.segments import maskFromSegment

pytestmark = pytest.mark.usefixtures("scene")


def test_the_head_has_brain_labels_and_hidden_truth(scene) -> None:
    made = sampleNodes(SMALL, "head")
    assert made.t1.GetName() == "head"
    assert made.flair is None
    assert [sourceOf(node) is made.t1 for node in made.all] == [False, True, True, True]
    assert not made.truth.GetDisplayNode().GetVisibility()
    truth = maskFromSegment(made.truth, made.truth.GetSegmentation().GetNthSegmentID(0), made.t1).array > 0
    given = segmentInputs(made.t1, maskNode=made.brain, parcellationNode=made.parcellation)
    assert {2, 41, 10, 49} <= set(given["parcellation"].names)
    inside = given["brain_mask"].array > 0
    assert inside[truth].mean() > 0.95
    dark = slicer.util.arrayFromVolume(made.t1).transpose(2, 1, 0)
    white = np.isin(given["parcellation"].array, (2, 41))
    assert np.median(dark[truth & white]) < np.median(dark[white & ~truth])
