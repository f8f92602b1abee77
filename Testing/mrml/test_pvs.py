"""Perivascular spaces in the scene: what a run leaves, a second run, another threshold, and a saved scene."""

from __future__ import annotations

import time

import numpy as np
import pvs_samples as samples
import pytest
import slicer
import slicer.util
import vtk
from mrml_samples import aTransform, countNodes, throughBundle, transformNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml import pvs as nodes
from DeepMRILib.mrml.hierarchy import itemOf, sourceOf
from DeepMRILib.mrml.pvs_box import boxCentre, boxNode
from DeepMRILib.mrml.pvs_record import RECORD_ATTRIBUTE, PVSNodes, linkedNodes, recordOf
from DeepMRILib.mrml.pvs_relabel import relabelSegmentation, sourceFromNodes
from DeepMRILib.mrml.segments import maskFromSegment, segmentationFromLabels
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.pvs.options import RelabelOptions
from DeepMRILib.pvs.relabel import relabelled
from DeepMRILib.volume import LabelVolume, Volume

pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def t1(scene):
    return nodeFromVolume(samples.image(), "exam")


@pytest.fixture
def made(t1):
    return nodes.deliverResult(samples.result(), t1)


def voxels(made: PVSNodes, t1) -> np.ndarray:
    return maskFromSegment(made.segmentation, recordOf(made.segmentation).segment, t1).array > 0


def column(table, name: str) -> list:
    values = table.GetTable().GetColumnByName(name)
    return [values.GetValue(n) for n in range(values.GetNumberOfValues())]


def test_a_run_leaves_segment_map_tables_and_chart(made, t1) -> None:
    assert voxels(made, t1).sum() == 56 + 28
    assert np.array_equal(slicer.util.arrayFromVolume(made.probabilityMap).transpose(), samples.probability().array)
    assert column(made.censusTable, "voxels") == [56, 28]
    assert column(made.regionsTable, "region") == ["Whole brain", *samples.REGIONS.values()]
    assert column(made.qcTable, "verdict") == ["good", "bad"]
    assert made.sizeChart.GetXAxisLogScale()
    assert made.sizeChart.GetNumberOfPlotSeriesNodes() == 3
    assert linkedNodes(made.segmentation) == made


def test_the_segment_is_called_what_it_is(made) -> None:
    segment = made.segmentation.GetSegmentation().GetNthSegment(0)
    tag = vtk.reference("")
    assert segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag)
    entry = slicer.vtkSlicerTerminologyEntry()
    assert slicer.modules.terminologies.logic().DeserializeTerminologyEntry(str(tag), entry)
    assert entry.GetTypeObject().GetCodingSchemeDesignator() == "UBERON"
    assert entry.GetTypeObject().GetCodeMeaning() == "Perivascular space"
    assert entry.GetRegionObject().GetCodeMeaning() == "Brain"


def test_the_overlay_is_warm_and_clear_below_the_threshold(made) -> None:
    display = made.probabilityMap.GetDisplayNode()
    assert display.GetColorNode().GetName() == "Inferno"
    assert display.GetApplyThreshold()
    assert 0 < display.GetLowerThreshold() < 0.5
    relabelSegmentation(made.segmentation, RelabelOptions(threshold=0.2))
    assert display.GetLowerThreshold() == pytest.approx(0.1)


def test_results_lie_beside_the_image_under_its_transform(t1) -> None:
    moved = transformNode(aTransform())
    t1.SetAndObserveTransformNodeID(moved.GetID())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, t1)
    made = nodes.deliverResult(samples.result(), t1)
    for name in PVSNodes.names():
        node = getattr(made, name)
        assert sourceOf(node) is t1
        parent = hierarchy.GetItemParent(itemOf(node))
        assert study in (parent, hierarchy.GetItemParent(parent))
        if node.IsA("vtkMRMLTransformableNode"):
            assert node.GetTransformNodeID() == moved.GetID()


def test_a_second_run_updates_the_same_nodes_and_keeps_other_segments(made, t1) -> None:
    mine = slicer.vtkSegment()
    mine.SetName("mine")
    made.segmentation.GetSegmentation().AddSegment(mine, "mine")
    made.probabilityMap.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLColorTableNodeGreen")
    before = countNodes(slicer.mrmlScene)
    again = nodes.deliverResult(samples.result(RelabelOptions(threshold=0.3)), t1, PVSNodes(made.segmentation))
    assert again == made
    assert countNodes(slicer.mrmlScene) == before
    assert voxels(again, t1).sum() == 56 + 28 + 16
    assert made.segmentation.GetSegmentation().GetSegment("mine") is mine
    assert made.probabilityMap.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeGreen"


def test_what_fails_half_way_leaves_the_scene_as_it_was(made, t1, monkeypatch) -> None:
    before, mask = countNodes(slicer.mrmlScene), voxels(made, t1)

    def fail(*_args, **_more):
        raise InputError("no table today")

    monkeypatch.setattr(nodes, "tableNodeFromTable", fail)
    with pytest.raises(InputError), transaction(slicer.mrmlScene):
        nodes.deliverResult(samples.result(RelabelOptions(threshold=0.3)), t1, made)
    assert countNodes(slicer.mrmlScene) == before
    assert np.array_equal(voxels(made, t1), mask)
    assert recordOf(made.segmentation).threshold == 0.5


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (RelabelOptions(0.3), 56 + 28 + 16),
        (RelabelOptions(0.8), 56),
        (RelabelOptions(0.5, min_size=0.0), 56 + 28 + 1),
        (RelabelOptions(0.5, min_size=40.0), 56),
        (RelabelOptions(0.99), 0),
    ],
)
def test_another_threshold_is_what_a_new_run_would_give(made, t1, options: RelabelOptions, count: int) -> None:
    found, _source = relabelSegmentation(made.segmentation, options)
    whole = relabelled(samples.probability(), samples.brain(), samples.regions(), options)
    assert found.statistics.columns["clusters"] == whole.statistics.columns["clusters"]
    assert np.allclose(found.statistics.columns["region_volume"], whole.statistics.columns["region_volume"])
    assert column(made.censusTable, "voxels") == whole.census.columns["voxels"]
    assert np.allclose(column(made.censusTable, "r"), whole.census.columns["r"])
    if count:
        assert np.array_equal(voxels(made, t1), np.asarray(whole.segmentation.array) > 0)
        assert voxels(made, t1).sum() == count
    else:
        with pytest.raises(InputError):  # "no voxel of the segment in the image"
            voxels(made, t1)
    assert recordOf(made.segmentation).options == options


def test_a_saved_scene_can_be_labelled_anew(made, scene, tmp_path) -> None:
    throughBundle(scene, tmp_path / "scene.mrb")
    segmentation = slicer.util.getNode("exam PVS")
    t1 = slicer.util.getNode("exam")
    assert recordOf(segmentation).regionNames == samples.REGIONS
    relabelSegmentation(segmentation, RelabelOptions(0.3))
    again = linkedNodes(segmentation)
    assert voxels(again, t1).sum() == 56 + 28 + 16
    assert column(again.regionsTable, "region") == ["Whole brain", *samples.REGIONS.values()]
    assert column(again.censusTable, "region")[0] == "Left deep white matter"


@pytest.mark.parametrize("gone", ["probabilityMap", "brainMap"])
def test_a_map_that_is_gone_is_told(made, scene, gone: str) -> None:
    scene.RemoveNode(getattr(made, gone))
    with pytest.raises(InputError, match="is gone. Press Apply"):
        relabelSegmentation(made.segmentation, RelabelOptions(0.3))
    assert recordOf(made.segmentation).threshold == 0.5


def test_tables_and_chart_that_are_gone_are_not_missed(made, scene, t1) -> None:
    for node in (made.censusTable, made.regionsTable, made.sizeChart):
        scene.RemoveNode(node)
    relabelSegmentation(made.segmentation, RelabelOptions(0.3))
    assert voxels(made, t1).sum() == 56 + 28 + 16


def test_a_deleted_segment_is_told(made) -> None:
    made.segmentation.GetSegmentation().RemoveSegment(recordOf(made.segmentation).segment)
    with pytest.raises(InputError, match="was deleted"):
        relabelSegmentation(made.segmentation, RelabelOptions(0.3))


def test_another_grid_is_told(made) -> None:
    nodeFromVolume(LabelVolume(np.ones((3, 3, 3), np.uint8), np.eye(4)), "", made.brainMap)
    with pytest.raises(InputError, match="another grid"):
        relabelSegmentation(made.segmentation, RelabelOptions(0.3))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"segment": 3}', '{"threshold": 0.5}', '{"segment": "a", "regions": 3}']
)
def test_a_damaged_record_is_none(made, text: str) -> None:
    made.segmentation.SetAttribute(RECORD_ATTRIBUTE, text)
    assert recordOf(made.segmentation) is None
    with pytest.raises(InputError, match="was not made by this module"):
        relabelSegmentation(made.segmentation, RelabelOptions(0.3))


def test_somebody_elses_segmentation_gets_no_record(t1) -> None:
    other = segmentationFromLabels(samples.regions(), samples.REGIONS, source=t1)
    assert recordOf(other) is None
    assert recordOf(None) is None


def test_a_source_is_read_once_and_anew_after_a_change(made) -> None:
    source = sourceFromNodes(made.segmentation)
    assert sourceFromNodes(made.segmentation, source) is source
    slicer.util.arrayFromVolume(made.probabilityMap)[:] = 0
    slicer.util.arrayFromVolumeModified(made.probabilityMap)
    assert sourceFromNodes(made.segmentation, source) is not source


def test_a_large_image_is_labelled_anew_in_a_moment(scene) -> None:
    """256 voxels along each axis, 600 tubes: the bar is 0.3 s on two free cores; ten times that fails here."""
    side = 256
    rng = np.random.default_rng(3)
    array = np.zeros((side,) * 3, np.float32)
    for x, y, z in rng.integers(60, 190, (600, 3)):
        array[x : x + 2, y : y + 2, z : z + 6] = rng.uniform(0.3, 1.0)
    brain = np.zeros((side,) * 3, np.uint8)
    brain[45:210, 40:215, 50:205] = 1
    t1 = nodeFromVolume(Volume(array, np.eye(4)), "large")
    result = samples.result()
    found = relabelled(Volume(array, np.eye(4)), brain, None)
    replaced = {
        "probability": Volume(array, np.eye(4)),
        "segmentation": found.segmentation,
        "brain": LabelVolume(brain, np.eye(4)),
        "regions": LabelVolume(brain * 1, np.eye(4), {1: "Left deep white matter"}),
        "census": found.census,
        "statistics": found.statistics,
    }
    made = nodes.deliverResult(type(result)(**{**vars(result), **replaced}), t1)
    source = sourceFromNodes(made.segmentation)
    times = []
    for threshold in (0.4, 0.5, 0.6):
        started = time.perf_counter()
        relabelSegmentation(made.segmentation, RelabelOptions(threshold), source, surface=False)
        times.append(time.perf_counter() - started)
    assert min(times) < 3.0, times


def test_surfaces_follow_when_asked(made) -> None:
    nodes.show3D(made.segmentation, True)
    assert nodes.isShown3D(made.segmentation)
    segment = made.segmentation.GetSegmentation().GetSegment(recordOf(made.segmentation).segment)
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    before = segment.GetRepresentation(surface).GetNumberOfCells()
    relabelSegmentation(made.segmentation, RelabelOptions(0.3), surface=False)
    assert segment.GetRepresentation(surface).GetNumberOfCells() == before
    relabelSegmentation(made.segmentation, RelabelOptions(0.3))
    assert segment.GetRepresentation(surface).GetNumberOfCells() > before
    nodes.show3D(made.segmentation, False)
    assert not nodes.isShown3D(made.segmentation)


def test_spaces_of_one_voxel_are_seen_in_3d(made) -> None:
    import vtk

    nodes.show3D(made.segmentation, True)
    surface, properties = vtk.vtkPolyData(), vtk.vtkMassProperties()
    made.segmentation.GetClosedSurfaceRepresentation(recordOf(made.segmentation).segment, surface)
    properties.SetInputData(surface)
    assert properties.GetVolume() > 0.25 * column(made.regionsTable, "total")[0]


def test_a_clusters_place_goes_through_the_transform(made, t1) -> None:
    r, a, s = (column(made.censusTable, axis)[0] for axis in "ras")
    inside = t1 and volumeFromNode(t1).voxel_from_ras([[r, a, s]])[0]
    assert samples.probability().array[tuple(np.rint(inside).astype(int))] > 0
    moved = transformNode(aTransform())
    made.segmentation.SetAndObserveTransformNodeID(moved.GetID())
    assert np.allclose(nodes.clusterPosition(made.segmentation, (r, a, s)), (aTransform() @ [r, a, s, 1])[:3])


def test_the_box_lies_where_the_engine_looked(made, t1) -> None:
    centre = boxCentre(t1, made.segmentation)
    box = boxNode(t1, centre)
    assert np.allclose(box.GetCenter(), (-0.5, -0.5, -0.5))
    assert np.allclose(box.GetSize(), (160, 214, 176))
    bounds = np.zeros(6)
    box.GetRASBounds(bounds)
    assert np.allclose(bounds, (-80.5, 79.5, -107.5, 106.5, -88.5, 87.5))
    assert box.GetLocked()
    assert boxNode(t1, centre, box) is box


def test_before_a_run_the_box_lies_around_the_mask_or_the_image(t1) -> None:
    volume = volumeFromNode(t1)
    assert np.allclose(boxCentre(t1), volume.ras_from_voxel((np.array(samples.SHAPE) - 1) / 2)[0])
    mask = np.zeros(samples.SHAPE, bool)
    mask[4:7, 10:13, 20:23] = True
    assert np.allclose(boxCentre(t1, None, mask), volume.ras_from_voxel([5, 11, 21])[0])


def test_the_summary_counts_and_warns() -> None:
    text = nodes.summary(samples.result())
    assert text == "2 perivascular spaces, 72 mm³ in 3 s. Look at: brain volume (12 ml)."
    assert nodes.countText(samples.result(RelabelOptions(0.99)).statistics) == "No perivascular spaces"


def test_a_segmentation_of_surfaces_is_refused(made, t1) -> None:
    segmentation = made.segmentation.GetSegmentation()
    made.segmentation.CreateClosedSurfaceRepresentation()
    segmentation.SetSourceRepresentationName(
        slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    )
    with pytest.raises(InputError, match="not as voxels"):
        relabelSegmentation(made.segmentation, RelabelOptions(0.3))
    with pytest.raises(InputError, match="not as voxels"):
        nodes.deliverResult(samples.result(), t1, made)
