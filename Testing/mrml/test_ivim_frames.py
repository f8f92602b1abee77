"""Series that are frames of a sequence: all of them, one of them afterwards, and a sequence that is gone."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import slicer
import slicer.util

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.jobs import find_job
from DeepMRILib.mrml import ivim as nodes
from DeepMRILib.mrml import ivim_series
from DeepMRILib.mrml.diffusion import nodeFromDiffusion
from DeepMRILib.mrml.hierarchy import itemOf
from DeepMRILib.mrml.sequences import browserOfProxy, frameNodes, inStep, selectedFrame, sequenceOfProxy, sourceNodes
from DeepMRILib.mrml.transaction import transaction

JOB = find_job("ivim.fit")


def select(browser, number: int) -> None:
    browser.SetSelectedItemNumber(number)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)


def exams():
    """Three exams of one patient in a sequence; S0 is once, twice and three times as high."""
    series = fit_inputs()["volume"]
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "exams")
    sequence.SetIndexName("time")
    for n in range(3):
        frame = nodeFromDiffusion(series.with_array(series.array * (n + 1)), f"exam {n}")
        sequence.SetDataNodeAtValue(frame, str(n))
        slicer.mrmlScene.RemoveNode(frame)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    select(browser, 0)
    proxy = browser.GetProxyNode(sequence)
    typed = " ".join(f"{b:g}" for b in series.b_values)
    results = [
        JOB.run(ivim_series.fitInputs(frame, typed, geometryNode=proxy)) for frame in ivim_series.seriesFrames(proxy)
    ]
    return SimpleNamespace(sequence=sequence, browser=browser, proxy=proxy, results=results, typed=typed)


def stronger(result):
    """The same fit with another S0, so that one sees where it went."""
    maps = {**result.maps, "S0": result.maps["S0"].like(result.maps["S0"].array * 10)}
    changed = object.__new__(type(result))
    changed.__dict__.update(result.__dict__, maps=maps)
    return changed


def shown(node):
    return slicer.util.arrayFromVolume(node).transpose(2, 1, 0)


def test_all_frames_are_a_sequence_in_step_and_a_second_run_updates_it(scene) -> None:
    case = exams()
    assert len(case.results) == 3
    with transaction(scene):
        made = nodes.deliverFrames(case.results, case.proxy, nodes.FitNodes())
    count = scene.GetNumberOfNodes()
    select(case.browser, 2)
    assert np.array_equal(shown(made.S0Map), case.results[2].maps["S0"].array)
    assert np.median(shown(made.S0Map)) == pytest.approx(3 * np.median(case.results[0].maps["S0"].array), rel=1e-3)
    with transaction(scene):
        again = nodes.deliverFrames(case.results, case.proxy, made)
    assert scene.GetNumberOfNodes() == count
    assert again.DMap is made.DMap


def test_maps_say_what_they_are_in_every_frame(scene) -> None:
    case = exams()
    made = nodes.deliverFrames(case.results, case.proxy, nodes.FitNodes())
    for number in (1, 2, 0):
        select(case.browser, number)
        assert "least squares" in made.DMap.GetDescription()
        assert made.DMap.GetVoxelValueUnits().GetCodeValue() == "mm2/s"


def test_one_frame_fitted_again_stays_when_the_user_scrolls(scene) -> None:
    case = exams()
    made = nodes.deliverFrames(case.results, case.proxy, nodes.FitNodes())
    select(case.browser, 1)
    count, new = scene.GetNumberOfNodes(), stronger(case.results[1])
    with transaction(scene):
        again = nodes.deliverFit(new, case.proxy, made)
    assert again.S0Map is made.S0Map
    assert scene.GetNumberOfNodes() == count
    assert np.array_equal(shown(made.S0Map), new.maps["S0"].array)
    for number, expected in ((0, case.results[0]), (1, new), (2, case.results[2])):
        select(case.browser, number)
        assert np.array_equal(shown(made.S0Map), expected.maps["S0"].array)


def test_the_frame_that_was_fitted_counts_not_the_one_shown_when_it_is_done(scene) -> None:
    case = exams()
    made = nodes.deliverFrames(case.results, case.proxy, nodes.FitNodes())
    select(case.browser, 1)
    fitted, new = selectedFrame(case.proxy), stronger(case.results[1])
    select(case.browser, 2)
    nodes.deliverFit(new, case.proxy, made, frame=fitted)
    assert np.array_equal(shown(made.S0Map), case.results[2].maps["S0"].array)
    select(case.browser, 1)
    assert np.array_equal(shown(made.S0Map), new.maps["S0"].array)


def test_a_failing_run_on_one_frame_changes_no_frame(scene) -> None:
    case = exams()
    made = nodes.deliverFrames(case.results, case.proxy, nodes.FitNodes())
    count, broken = scene.GetNumberOfNodes(), stronger(case.results[0])
    broken.__dict__["decay"] = None
    with pytest.raises(AttributeError), transaction(scene):
        nodes.deliverFit(broken, case.proxy, made)
    assert scene.GetNumberOfNodes() == count
    for number in (1, 0):
        select(case.browser, number)
        assert np.array_equal(shown(made.S0Map), case.results[number].maps["S0"].array)


def test_an_output_in_step_with_another_series_is_left_alone(scene) -> None:
    """Neither one frame nor all of them go into the sequence of another patient's maps, nor into the input's own."""
    first, second = exams(), exams()
    made = nodes.deliverFrames(first.results, first.proxy, nodes.FitNodes())
    kept = [slicer.util.arrayFromVolume(node).copy() for node in frameNodes(sequenceOfProxy(made.S0Map))]
    single = nodes.deliverFit(second.results[1], second.proxy, made)
    several = nodes.deliverFrames(second.results, second.proxy, made)
    plain = nodes.deliverFit(first.results[0], nodeFromDiffusion(fit_inputs()["volume"], "dwi"), made)
    for outputs in (single, several, plain):
        assert outputs.S0Map is not made.S0Map
    assert browserOfProxy(single.S0Map) is None
    assert browserOfProxy(several.S0Map) is second.browser
    assert not inStep(first.proxy, first.proxy)
    for before, node in zip(kept, frameNodes(sequenceOfProxy(made.S0Map)), strict=True):
        assert np.array_equal(slicer.util.arrayFromVolume(node), before)


def test_all_frames_after_one_frame_make_a_sequence_and_leave_the_plain_maps(scene) -> None:
    case = exams()
    plain = nodes.deliverFit(case.results[0], case.proxy, nodes.FitNodes())
    made = nodes.deliverFrames(case.results, case.proxy, plain)
    assert browserOfProxy(made.DMap) is case.browser
    assert browserOfProxy(plain.DMap) is None
    assert made.regionsTable is plain.regionsTable


def test_a_sequence_of_maps_keeps_what_the_user_has_set(scene) -> None:
    case = exams()
    made = nodes.deliverFrames(case.results, case.proxy, nodes.FitNodes())
    assert made.fMap.GetDisplayNode().GetWindowLevelMax() == pytest.approx(0.5)
    made.fMap.GetDisplayNode().SetWindowLevelMinMax(0.1, 0.2)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "mine")
    hierarchy.SetItemParent(itemOf(made.fMap), folder)
    again = nodes.deliverFrames(case.results, case.proxy, made)
    nodes.deliverFit(case.results[0], case.proxy, again)
    select(case.browser, 2)
    assert made.fMap.GetDisplayNode().GetWindowLevelMin() == pytest.approx(0.1)
    assert hierarchy.GetItemParent(itemOf(made.fMap)) == folder


def test_a_sequence_that_was_deleted_meanwhile_is_a_sentence(scene) -> None:
    case = exams()
    assert sourceNodes(case.proxy) == [case.proxy, case.sequence]
    assert sourceNodes(case.sequence) == [case.sequence]
    assert sourceNodes(None) == []
    scene.RemoveNode(case.sequence)
    assert sourceNodes(case.proxy) == [case.proxy]
    before = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="was deleted while its frames were fitted"):
        nodes.deliverFrames(case.results, case.proxy, nodes.FitNodes())
    assert scene.GetNumberOfNodes() == before


def test_a_sequence_that_grew_meanwhile_is_a_sentence(scene) -> None:
    case = exams()
    case.sequence.SetDataNodeAtValue(case.proxy, "7")
    before = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="3 results for the 4 frames"), transaction(scene):
        nodes.deliverFrames(case.results, case.proxy, nodes.FitNodes())
    assert scene.GetNumberOfNodes() == before
