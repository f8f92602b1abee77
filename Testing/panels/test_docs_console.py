"""The pages' examples for Slicer's Python console run on the sample data, as they are printed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest
from pages import blocks_of, modules

from DeepMRILib.ivim import PhantomOptions


def ivim_sample() -> None:
    from DeepMRILib.mrml import ivim

    ivim.phantomNodes(PhantomOptions(size=(36, 28, 3), spacing=(10.4, 10.4, 30.0)))


def interactive_sample() -> None:
    """The module's sample, and six points in its lesion, as the panel names them."""
    from DeepMRILib.interactive.synthetic import synthetic_points
    from DeepMRILib.mrml.points import fiducialsFromPoints
    from DeepMRILib.mrml.segments import maskFromSegment

    image, truth = sys.modules["InteractiveSeg"].loadSample()
    known = maskFromSegment(truth, truth.GetSegmentation().GetNthSegmentID(0), image)
    fiducialsFromPoints(synthetic_points(known), "lesion", referenceVolume=image)


def pvs_sample() -> None:
    from DeepMRILib.mrml.pvs_sample import SMALL, sampleNodes

    sampleNodes(SMALL)


def igs_sample() -> None:
    from DeepMRILib.mrml.igs_sample import SMALL, sampleNodes

    sampleNodes(SMALL)


def iap_sample() -> None:
    from DeepMRILib.mrml.iap_sample import SMALL, sampleNodes

    sampleNodes(SMALL)


SAMPLES: dict[str, Callable[[], Any]] = {
    "IVIMFit": ivim_sample,
    "InteractiveSeg": interactive_sample,
    "PVSSegment": pvs_sample,
    "KSpaceIGS": igs_sample,
    "IAPPredict": iap_sample,
}
"""What puts a module's sample data into the scene."""


@pytest.mark.parametrize("module", modules())
def test_the_examples_for_the_console_run(module: str, load_module: Callable[..., Any]) -> None:
    import slicer

    load_module(module)
    SAMPLES[module]()
    examples = [block.code for block in blocks_of(module) if block.in_slicer]
    assert examples
    before = slicer.mrmlScene.GetNumberOfNodes()
    for code in examples:
        exec(compile(code, f"{module}'s page", "exec"), {"slicer": slicer})
    assert slicer.mrmlScene.GetNumberOfNodes() > before
