"""IVIM on real nodes: every kind of series in; maps, table and plot out, in place on a second run."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import aTransform, transformNode, volumeNode

from DeepMRILib import ivim
from DeepMRILib.errors import InputError
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.jobs import find_job
from DeepMRILib.mrml import ivim as nodes
from DeepMRILib.mrml import ivim_series
from DeepMRILib.mrml.diffusion import nodeFromDiffusion
from DeepMRILib.mrml.hierarchy import itemOf, sourceOf
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import DiffusionVolume

JOB = find_job("ivim.fit")


@pytest.fixture
def series() -> DiffusionVolume:
    return fit_inputs()["volume"]


def a_sequence(series: DiffusionVolume, index: str = "b-value", unit: str = "s/mm2"):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "dwi")
    sequence.SetIndexName(index)
    sequence.SetIndexUnit(unit)
    for n, b in enumerate(series.b_values):
        frame = nodeFromVolume(series.like(series.array[..., n]), f"frame {n}")
        sequence.SetDataNodeAtValue(frame, f"{b:g}" if index == "b-value" else str(n))
        slicer.mrmlScene.RemoveNode(frame)
    return sequence


def a_browser(sequence):
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser


def fit(node, outputs=None, **inputs):
    result = JOB.run(ivim_series.fitInputs(node, **inputs))
    return result, nodes.deliverFit(result, node, outputs or nodes.FitNodes())


def test_a_diffusion_weighted_node_gives_the_maps_of_the_library(scene, series) -> None:
    node = nodeFromDiffusion(series, "dwi")
    _, made = fit(node)
    expected = ivim.fit(series).maps
    for name in ("D", "f", "D_star", "S0"):
        array = slicer.util.arrayFromVolume(getattr(made, f"{name}Map"))
        assert np.allclose(array.transpose(2, 1, 0), expected[name].array, rtol=1e-3, atol=1e-7)


def test_a_sequence_and_its_proxy_give_the_same_maps_as_the_volume(scene, series) -> None:
    sequence = a_sequence(series)
    proxy = a_browser(sequence).GetProxyNode(sequence)
    first, _ = fit(sequence)
    second, made = fit(proxy)
    assert np.array_equal(first.maps["D"].array, ivim.fit(series).maps["D"].array)
    assert np.array_equal(first.maps["D"].array, second.maps["D"].array)
    assert sourceOf(made.DMap) is proxy


def test_typed_b_values_replace_missing_ones(scene, series) -> None:
    sequence = a_sequence(series, index="frame", unit="")
    a_browser(sequence)
    assert "Type the b-values" in ivim_series.missingBValues(sequence, "")
    with pytest.raises(InputError, match="b-values"):
        fit(sequence)
    typed = ", ".join(f"{b:g}" for b in series.b_values)
    assert ivim_series.missingBValues(sequence, typed) == ""
    result, _ = fit(sequence, bValues=typed)
    assert np.array_equal(result.maps["D"].array, ivim.fit(series).maps["D"].array)
    assert "9 images, b = 0, 10" in ivim_series.describeBValues(sequence, typed)


@pytest.mark.parametrize(
    ("typed", "words"),
    [("0 50 x", "x"), ("0 50 800", "3 b-values for 9 images"), ("5 5 5 5 5 5 5 5 5", "one b-value")],
)
def test_bad_typed_b_values_are_said_before_apply(scene, series, typed: str, words: str) -> None:
    assert words in ivim_series.missingBValues(nodeFromDiffusion(series, "dwi"), typed)


def test_a_mask_segment_limits_the_fit_and_regions_make_rows(scene, series) -> None:
    node = nodeFromDiffusion(series, "dwi")
    labels = fit_inputs()["labels"]
    organs = segmentationFromLabels(labels, labels.names, name="organs", source=node)
    kidney = organs.GetSegmentation().GetSegmentIdBySegmentName("kidney")
    result, made = fit(node, maskSegmentation=organs, maskSegment=kidney, regionsSegmentation=organs)
    fitted = np.asarray(result.fitted) > 0
    assert not fitted[labels.array == 1].any()
    assert fitted[labels.array == 2].all()
    assert nodes.regionMedian(made.regionsTable, "kidney", "D") == pytest.approx(0.0019, rel=0.1)
    assert np.isnan(nodes.regionMedian(made.regionsTable, "liver", "D"))
    assert made.decayChart.GetNumberOfPlotSeriesNodes() == 2


def test_maps_say_what_they_are_and_look_as_the_field_expects(scene, series) -> None:
    _, made = fit(nodeFromDiffusion(series, "dwi"))
    assert made.DMap.GetVoxelValueUnits().GetCodeValue() == "mm2/s"
    assert "least squares" in made.DMap.GetDescription()
    display = made.fMap.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 0.5)
    assert display.GetColorNode().GetName().lower().startswith("inferno")


def test_a_second_run_updates_and_a_failing_one_changes_nothing(scene, series) -> None:
    node = nodeFromDiffusion(series, "dwi")
    _, made = fit(node)
    count = scene.GetNumberOfNodes()
    _, again = fit(node, outputs=made)
    assert again == made
    assert scene.GetNumberOfNodes() == count
    before = slicer.util.arrayFromVolume(made.DMap).copy()
    broken = JOB.run({"volume": DiffusionVolume(series.array * 2, series.affine, series.b_values)})
    object.__setattr__(broken, "decay", None)
    with pytest.raises(AttributeError), transaction(scene):
        nodes.deliverFit(broken, node, made)
    assert scene.GetNumberOfNodes() == count
    assert np.array_equal(slicer.util.arrayFromVolume(made.DMap), before)


def test_a_second_run_keeps_what_the_user_has_set(scene, series) -> None:
    """Window, colours and the place in the subject hierarchy stay; transform, quantity and description follow."""
    node = nodeFromDiffusion(series, "dwi")
    _, made = fit(node)
    display = made.DMap.GetDisplayNode()
    display.SetWindowLevelMinMax(0.001, 0.002)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    made.DMap.SetDescription("")
    made.DMap.SetVoxelValueUnits(None)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "mine")
    for result in (made.DMap, made.regionsTable):
        hierarchy.SetItemParent(itemOf(result), folder)
    node.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
    fit(node, outputs=made)
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((0.001, 0.002))
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    assert hierarchy.GetItemParent(itemOf(made.DMap)) == hierarchy.GetItemParent(itemOf(made.regionsTable)) == folder
    assert made.DMap.GetTransformNodeID() == node.GetTransformNodeID()
    assert "least squares" in made.DMap.GetDescription()
    assert made.DMap.GetVoxelValueUnits().GetCodeValue() == "mm2/s"


@pytest.mark.parametrize("filled", [False, True])
def test_a_node_that_the_user_chose_is_shown_and_placed_as_a_new_one(scene, series, filled: bool) -> None:
    """An empty one from the selector's "create new", or an old image that lies elsewhere."""
    node = nodeFromDiffusion(series, "dwi")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, node)
    node.SetAndObserveTransformNodeID(transformNode(aTransform()).GetID())
    chosen = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "mine") if not filled else volumeNode()
    _, made = fit(node, outputs=nodes.FitNodes(fMap=chosen))
    assert made.fMap is chosen
    assert chosen.GetDisplayNode().GetWindowLevelMax() == pytest.approx(0.5)
    assert chosen.GetTransformNodeID() == node.GetTransformNodeID()
    assert hierarchy.GetItemParent(itemOf(chosen)) == study


def test_the_same_sentence_on_a_wrong_count_wherever_it_is_said(scene, series) -> None:
    node = nodeFromDiffusion(series, "dwi")
    said = "There are 2 b-values for 9 images. Give one b-value for each image, in their order."
    assert ivim_series.missingBValues(node, "0 50") == ivim_series.describeBValues(node, "0 50") == said
    with pytest.raises(InputError) as caught:
        fit(node, bValues="0 50")
    assert str(caught.value) == said


def test_the_phantom_is_sample_data_with_known_truth(scene) -> None:
    options = ivim.PhantomOptions(size=(72, 56, 4), spacing=(5.2, 5.2, 30.0), b_values=(0, 20, 60, 150, 400, 800))
    node, organs = nodes.phantomNodes(options)
    assert ivim_series.firstSeries() is node
    _, made = fit(node, regionsSegmentation=organs)
    assert nodes.regionMedian(made.regionsTable, "liver", "D") == pytest.approx(1.5e-3, rel=0.1)
    assert nodes.regionMedian(made.regionsTable, "spleen", "f") == pytest.approx(0.2, rel=0.2)
