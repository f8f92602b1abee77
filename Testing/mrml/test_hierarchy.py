"""Results beside their input: hierarchy, transform and references."""

from __future__ import annotations

import pytest
import slicer
from mrml_samples import AFFINES, aTransform, block, countNodes, throughBundle, transformNode, volumeNode

from DeepMRILib.mrml.hierarchy import itemOf, placeBeside, sourceOf
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.tables import tableFromColumns
from DeepMRILib.volume import Volume

REFERENCED = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMReferencedInstanceUIDsAttributeName()


@pytest.fixture
def hierarchy(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


@pytest.fixture
def a_study(hierarchy):
    return hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "patient"), "study")


@pytest.fixture
def a_dicom_image(hierarchy, a_study):
    image = volumeNode(AFFINES["oblique"], "series 5")
    hierarchy.CreateItem(a_study, image)
    image.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    return image


def test_result_is_in_the_inputs_study(hierarchy, a_study, a_dicom_image):
    result = volumeNode(name="map")
    placeBeside(result, a_dicom_image)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result)) == a_study
    assert hierarchy.GetItemLevel(a_study) == "Study"


def test_item_that_the_application_made_is_moved(hierarchy, a_study, a_dicom_image):
    result = volumeNode(name="map")
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), result)
    placeBeside(result, a_dicom_image)
    assert hierarchy.GetItemByDataNode(result) == item
    assert hierarchy.GetItemParent(item) == a_study


def test_input_without_an_item_gets_one(hierarchy):
    image, result = volumeNode(), volumeNode(name="map")
    placeBeside(result, image)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(image)) == hierarchy.GetSceneItemID()
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(result)) == hierarchy.GetSceneItemID()


def test_folder_is_made_once(hierarchy, a_study, a_dicom_image):
    first, second = volumeNode(name="D"), volumeNode(name="f")
    for result in (first, second, first):
        placeBeside(result, a_dicom_image, folder="IVIM")
    parents = {hierarchy.GetItemParent(itemOf(result)) for result in (first, second)}
    assert len(parents) == 1
    assert hierarchy.GetItemName(parents.pop()) == "IVIM"
    assert hierarchy.GetNumberOfItemChildren(a_study) == 2


def test_result_is_under_the_inputs_transform():
    image, result = volumeNode(), volumeNode(name="map")
    transform = transformNode(aTransform())
    image.SetAndObserveTransformNodeID(transform.GetID())
    placeBeside(result, image)
    assert result.GetParentTransformNode() is transform
    image.SetAndObserveTransformNodeID(None)
    placeBeside(result, image)
    assert result.GetParentTransformNode() is None


def test_table_has_a_place_but_no_transform(hierarchy, a_study, a_dicom_image):
    table = tableFromColumns({"a": [1]}, "table")
    placeBeside(table, a_dicom_image)
    assert hierarchy.GetItemParent(itemOf(table)) == a_study
    assert sourceOf(table) is a_dicom_image


def test_dicom_references(hierarchy, a_dicom_image):
    result = segmentationFromLabels(
        Volume(block(), AFFINES["oblique"]), {1: "liver", 3: "kidney"}, source=a_dicom_image
    )
    placeBeside(result, a_dicom_image)
    assert hierarchy.GetItemAttribute(itemOf(result), REFERENCED) == "1.2.3 1.2.4"
    assert result.GetAttribute("DICOM.instanceUIDs") is None


def test_result_of_a_result_refers_to_the_first_input(hierarchy, a_dicom_image):
    first, second = volumeNode(name="denoised"), volumeNode(name="map")
    placeBeside(first, a_dicom_image)
    placeBeside(second, first)
    assert hierarchy.GetItemAttribute(itemOf(second), REFERENCED) == "1.2.3 1.2.4"
    assert sourceOf(second) is first


def test_result_of_a_sequence_is_placed_beside_its_proxy(scene, hierarchy, a_study):
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "series")
    proxy, result = volumeNode(name="series"), volumeNode(name="map")
    sequence.SetDataNodeAtValue(proxy, "0")
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    browser.AddProxyNode(proxy, sequence, False)
    hierarchy.CreateItem(a_study, proxy)
    transform = transformNode(aTransform())
    proxy.SetAndObserveTransformNodeID(transform.GetID())
    placeBeside(result, sequence)
    assert hierarchy.GetItemParent(itemOf(result)) == a_study
    assert result.GetParentTransformNode() is transform


def test_second_run_adds_nothing(scene, hierarchy, a_dicom_image):
    result = volumeNode(name="map")
    placeBeside(result, a_dicom_image)
    nodes, items = countNodes(scene), hierarchy.GetNumberOfItems()
    placeBeside(result, a_dicom_image)
    assert (countNodes(scene), hierarchy.GetNumberOfItems()) == (nodes, items)


def test_bundle_keeps_place_and_references(scene, tmp_path, a_dicom_image):
    placeBeside(volumeNode(name="map"), a_dicom_image)
    throughBundle(scene, tmp_path / "scene.mrb")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    result = slicer.util.getNode("map")
    item = hierarchy.GetItemByDataNode(result)
    assert hierarchy.GetItemName(hierarchy.GetItemParent(item)) == "study"
    assert hierarchy.GetItemAttribute(item, REFERENCED) == "1.2.3 1.2.4"
    assert sourceOf(result).GetName() == "series 5"
