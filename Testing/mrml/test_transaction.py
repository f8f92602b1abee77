"""When an output fails half way, the scene is as it was."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import AFFINES, block, countNodes, volumeNode

from DeepMRILib.errors import Cancelled
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import itemOf, placeBeside
from DeepMRILib.mrml.plots import chartFromCurves, seriesOf
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.sequences import frameNodes, sequenceFromFrames
from DeepMRILib.mrml.tables import tableFromColumns
from DeepMRILib.mrml.transaction import discard, transaction
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.plots import Curve
from DeepMRILib.volume import Volume


class Broken(Exception):
    pass


def _hierarchyItems(scene):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    return hierarchy.GetNumberOfItems()


@pytest.mark.parametrize("failure", [Broken, Cancelled, KeyboardInterrupt])
def test_added_nodes_and_items_go(scene, failure):
    image = volumeNode()
    itemOf(image)
    nodes, items = countNodes(scene), _hierarchyItems(scene)

    def fail():
        with transaction(scene):
            output = nodeFromVolume(Volume(np.ones((2, 2, 2))), "half written")
            placeBeside(output, image, folder="results")
            tableFromColumns({"a": [1]}, "table")
            raise failure

    with pytest.raises(failure):
        fail()
    assert countNodes(scene) == nodes
    assert _hierarchyItems(scene) == items
    assert scene.GetFirstNodeByName("half written") is None


def test_success_keeps_everything(scene):
    with transaction(scene):
        node = nodeFromVolume(Volume(np.ones((2, 2, 2))), "map")
    assert scene.IsNodePresent(node)


def test_updated_outputs_get_their_content_back(scene):
    image = volumeNode(AFFINES["oblique"])
    display = image.GetDisplayNode()
    showMap(image, "Rainbow", (0, 5))
    table = tableFromColumns({"a": [1, 2]}, "table", units={"a": "mm"})
    segmentation = segmentationFromLabels(Volume(block()), {1: "one", 3: "three"})
    chart = chartFromCurves([Curve("first", [0, 1], [1, 2]), Curve("second", [0, 1], [1, 2])], "chart")
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    for value in "01":
        sequence.SetDataNodeAtValue(image, value)
    results = sequenceFromFrames([image, image], sequence, "results")
    before, nodes = volumeFromNode(image).array.copy(), countNodes(scene)

    def fail():
        with transaction(scene):
            sequenceFromFrames([table, table], sequence, "results", existing=results)
            nodeFromVolume(Volume(np.zeros((2, 2, 2))), "", existing=image)
            showMap(image, "Grey", (0, 1))
            tableFromColumns({"b": ["x"]}, "table", existing=table)
            segmentationFromLabels(Volume(block()), {1: "uno", 3: "tre"}, existing=segmentation)
            chartFromCurves([Curve("third", [0, 1, 2], [1, 2, 3])], "chart", existing=chart)
            raise Broken

    with pytest.raises(Broken):
        fail()
    assert countNodes(scene) == nodes
    assert np.array_equal(volumeFromNode(image).array, before)
    assert np.allclose(volumeFromNode(image).affine, AFFINES["oblique"])
    assert image.GetDisplayNode() is display
    assert display.GetColorNode().GetName() == "Rainbow"
    assert display.GetWindow() == 5
    assert table.GetColumnUnitLabel("a") == "mm"
    assert slicer.util.arrayFromTableColumn(table, "a").tolist() == [1, 2]
    names = [segmentation.GetSegmentation().GetNthSegment(n).GetName() for n in range(2)]
    assert names == ["one", "three"]
    assert [series.GetName() for series in seriesOf(chart)] == ["first", "second"]
    assert len(frameNodes(results)) == 2
    assert frameNodes(results)[0].IsA("vtkMRMLScalarVolumeNode")


def test_what_an_inner_transaction_did_is_undone_with_the_outer(scene):
    image, useless = volumeNode(), volumeNode(name="useless")
    before = volumeFromNode(image).array.copy()

    def fail():
        with transaction(scene):
            with transaction(scene):
                nodeFromVolume(Volume(np.zeros((2, 2, 2))), "", existing=image)
                discard(useless)
            raise Broken

    with pytest.raises(Broken):
        fail()
    assert np.array_equal(volumeFromNode(image).array, before)
    assert scene.IsNodePresent(useless)


def test_discarded_nodes_go_at_the_end(scene):
    useless = volumeNode()
    with transaction(scene):
        discard(useless)
        assert scene.IsNodePresent(useless)
    assert not scene.IsNodePresent(useless)


def test_moved_items_go_back(scene):
    image, output = volumeNode(name="image"), volumeNode(name="output")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "mine")
    hierarchy.CreateItem(folder, output)

    def fail():
        with transaction(scene):
            placeBeside(output, image)
            raise Broken

    with pytest.raises(Broken):
        fail()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(output)) == folder
