"""Frames of sequences, and output sequences in step with the input's."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import AFFINES, SHAPE, countNodes, throughBundle, volumeNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.sequences import (
    browserOfProxy,
    frameNodes,
    frameValues,
    proxyOfSequence,
    sequenceFromFrames,
    sequenceOfProxy,
)
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import Volume


@pytest.fixture
def a_sequence(scene):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "cine")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    for n in range(3):
        frame = volumeNode(AFFINES["oblique"], seed=n)
        sequence.SetDataNodeAtValue(frame, str(0.5 * n))
        scene.RemoveNode(frame.GetDisplayNode())
        scene.RemoveNode(frame)
    return sequence


@pytest.fixture
def a_browser(scene, a_sequence):
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "browser")
    browser.SetAndObserveMasterSequenceNodeID(a_sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return browser


def _results(factor, count=3):
    return [
        nodeFromVolume(Volume(np.full(SHAPE, factor * n, np.float32), AFFINES["oblique"]), "frame")
        for n in range(count)
    ]


def _remove(nodes):
    for node in nodes:
        slicer.mrmlScene.RemoveNode(node.GetDisplayNode())
        slicer.mrmlScene.RemoveNode(node)


def test_proxy_knows_its_sequence(a_sequence, a_browser):
    proxy = a_browser.GetProxyNode(a_sequence)
    assert browserOfProxy(proxy) is a_browser
    assert sequenceOfProxy(proxy) is a_sequence
    assert proxyOfSequence(a_sequence) is proxy


def test_plain_volume_is_no_proxy(a_browser):
    assert sequenceOfProxy(volumeNode()) is None
    assert sequenceOfProxy(None) is None


def test_frames_in_order(a_sequence):
    assert frameValues(a_sequence) == ["0.0", "0.5", "1.0"]
    firsts = [volumeFromNode(node).array[0, 0, 0] for node in frameNodes(a_sequence)]
    assert firsts == [volumeFromNode(volumeNode(seed=n)).array[0, 0, 0] for n in range(3)]


def test_output_plays_along_with_the_input(a_sequence, a_browser):
    results = _results(10)
    output = sequenceFromFrames(results, a_sequence, "maps")
    _remove(results)
    assert frameValues(output) == frameValues(a_sequence)
    assert (output.GetIndexName(), output.GetIndexUnit()) == ("time", "s")
    proxy = proxyOfSequence(output)
    for n in (0, 2, 1):
        a_browser.SetSelectedItemNumber(n)
        assert volumeFromNode(proxy).array.max() == 10 * n
    assert np.allclose(volumeFromNode(proxy).affine, AFFINES["oblique"])


def test_second_run_replaces_the_frames(scene, a_sequence, a_browser):
    results = _results(10)
    output = sequenceFromFrames(results, a_sequence, "maps")
    proxy = proxyOfSequence(output)
    proxy.SetName("renamed by the user")
    _remove(results)
    nodes = countNodes(scene)
    results = _results(20)
    again = sequenceFromFrames(results, a_sequence, "maps", existing=output)
    _remove(results)
    a_browser.SetSelectedItemNumber(2)
    assert again is output
    assert proxyOfSequence(output) is proxy
    assert countNodes(scene) == nodes
    assert volumeFromNode(proxy).array.max() == 40
    assert proxy.GetName() == "renamed by the user"


def test_display_of_the_proxy_stays_when_frames_change(a_sequence, a_browser):
    results = _results(10)
    output = sequenceFromFrames(results, a_sequence, "maps")
    _remove(results)
    proxy = proxyOfSequence(output)
    showMap(proxy, "Viridis", (0, 20))
    for n in range(3):
        a_browser.SetSelectedItemNumber(n)
    assert proxy.GetDisplayNode().GetColorNode().GetName() == "Viridis"
    assert proxy.GetDisplayNode().GetWindow() == 20


def test_without_a_browser_there_is_only_the_sequence(a_sequence):
    output = sequenceFromFrames(_results(1), a_sequence, "maps")
    assert output.GetNumberOfDataNodes() == 3
    assert proxyOfSequence(output) is None


def test_bundle_keeps_outputs_in_step(scene, tmp_path, a_sequence, a_browser):
    results = _results(10)
    sequenceFromFrames(results, a_sequence, "maps")
    _remove(results)
    throughBundle(scene, tmp_path / "scene.mrb")
    output = slicer.util.getFirstNodeByClassByName("vtkMRMLSequenceNode", "maps")
    browser = scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetSelectedItemNumber(2)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    assert volumeFromNode(proxyOfSequence(output)).array.max() == 20


def test_one_result_for_each_frame(a_sequence):
    with pytest.raises(InputError, match="2 results for the 3 frames of cine"):
        sequenceFromFrames(_results(1, count=2), a_sequence, "maps")


def test_results_of_different_kinds(scene, a_sequence):
    nodes = [*_results(1, count=2), scene.AddNewNodeByClass("vtkMRMLTableNode")]
    with pytest.raises(InputError, match="of one kind"):
        sequenceFromFrames(nodes, a_sequence, "maps")
