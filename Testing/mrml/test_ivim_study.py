"""Several series of the scene as one study: which there are, whether they go together, and all their frames."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import volumeNode

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.mrml.diffusion import nodeFromDiffusion
from DeepMRILib.mrml.ivim_study import studyCandidates, studyRefusal, studySources, studyVolumes
from DeepMRILib.mrml.losses import chartFromLosses
from DeepMRILib.mrml.plots import seriesOf
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.tables import Table
from DeepMRILib.volume import Volume

SERIES = fit_inputs()["volume"]
TYPED = " ".join(f"{b:g}" for b in SERIES.b_values)


def a_series(name: str, factor: float = 1.0):
    return nodeFromDiffusion(SERIES.with_array(SERIES.array * factor), name)


def plain(name: str):
    """A series whose b-values are not known."""
    return nodeFromVolume(Volume(SERIES.array, SERIES.affine), name)


def exams(count: int):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "exams")
    for n in range(count):
        frame = a_series(f"exam {n}", n + 1.0)
        sequence.SetDataNodeAtValue(frame, str(n))
        slicer.mrmlScene.RemoveNode(frame)
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    return sequence, browser, browser.GetProxyNode(sequence)


def images_by_b_value(name: str):
    sequence = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
    sequence.SetIndexName("b-value")
    for n, b in enumerate(SERIES.b_values):
        frame = volumeNode()
        slicer.util.updateVolumeFromArray(frame, SERIES.array[..., n].transpose(2, 1, 0))
        sequence.SetDataNodeAtValue(frame, f"{b:g}")
        slicer.mrmlScene.RemoveNode(frame)
    return sequence


def test_every_series_of_the_scene_is_told_and_nothing_else(scene) -> None:
    first, unknown = a_series("first"), plain("unknown")
    volumeNode()
    colours = nodeFromVolume(Volume(np.zeros((4, 4, 4, 3), np.uint8)), "colours")
    _, _, proxy = exams(2)
    sequence = images_by_b_value("by b")
    found = {node.GetID(): text for node, text in studyCandidates("")}
    assert set(found) == {node.GetID() for node in (first, unknown, proxy, sequence)}
    assert colours.GetID() not in found
    assert found[first.GetID()] == "first: 9 images, b up to 800"
    assert found[unknown.GetID()] == "unknown: 9 images, b-values unknown"
    assert found[proxy.GetID()].startswith("exams: 2 frames of 9 images")
    typed = {node.GetID(): text for node, text in studyCandidates(TYPED)}
    assert typed[unknown.GetID()] == "unknown: 9 images, b up to 800"


def test_all_frames_of_all_series_are_one_study(scene) -> None:
    first, unknown = a_series("first", 10.0), plain("unknown")
    sequence, browser, proxy = exams(3)
    nodes = [first, unknown, proxy]
    assert "unknown has no b-values" in studyRefusal(nodes, "")
    with pytest.raises(InputError, match="unknown has no b-values"):
        studyVolumes(nodes, "")
    assert studyRefusal(nodes, TYPED) == ""
    volumes = studyVolumes(nodes, TYPED)
    factors = [10, 1, 1, 2, 3]
    assert [np.allclose(one.array, SERIES.array * f) for one, f in zip(volumes, factors, strict=True)] == [True] * 5
    assert all(np.array_equal(one.b_values, SERIES.b_values) for one in volumes)
    assert {node.GetID() for node in studySources(nodes)} == {
        node.GetID() for node in (first, unknown, proxy, sequence, browser)
    }


def test_the_loss_curve_is_a_line_for_each_loss(scene) -> None:
    history = Table({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0], "validation_loss": [4.0, float("nan"), 2.0]})
    chart = chartFromLosses(history, "study-1 loss")
    assert [series.GetName() for series in seriesOf(chart)] == ["training", "validation"]
    table = seriesOf(chart)[0].GetTableNode()
    assert slicer.util.arrayFromTableColumn(table, "training").tolist() == [3, 2, 1]
    assert slicer.util.arrayFromTableColumn(table, "validation")[:2].tolist() == [4, 2]
    shorter = Table({"epoch": [1], "loss": [5.0]})
    assert chartFromLosses(shorter, "again", chart) is chart
    assert [series.GetName() for series in seriesOf(chart)] == ["training"]
    with pytest.raises(InputError, match="nothing to plot"):
        chartFromLosses(Table({"epoch": [], "loss": []}), "none")
