"""What can go wrong around the PVSSegment panel: each time one clear sentence, and nothing is lost."""

from __future__ import annotations

import numpy as np
import pvs_samples as samples
import pytest
from pvs_panel import PVSPanel

from DeepMRILib.errors import InputError


@pytest.fixture
def panel(load_module, wait_until) -> PVSPanel:
    """The panel with an image, opened."""
    loaded = load_module("PVSSegment")
    loaded.enter()
    return PVSPanel(loaded, wait_until)


@pytest.fixture
def done(panel) -> PVSPanel:
    """The panel after a run."""
    panel.run()
    return panel


@pytest.mark.parametrize(
    "name", ["t1Volume", "flairVolume", "t2Volume", "maskSegmentation", "parcellationSegmentation"]
)
def test_deleting_a_chosen_input_chooses_no_other(panel, name: str) -> None:
    """A selector would go to the node before it in its list: another patient's, perhaps."""
    import slicer

    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import LabelVolume

    labels = "Segmentation" in name
    volume = LabelVolume(samples.regions().array, samples.OBLIQUE) if labels else samples.image()
    nodes = [nodeFromVolume(volume, f"node {n}") for n in range(3)]
    setattr(panel.parameters, name, nodes[1])
    slicer.mrmlScene.RemoveNode(nodes[1])
    assert getattr(panel.parameters, name) is None


@pytest.mark.parametrize(
    "name", ["segmentation", "probabilityMap", "regionsTable", "censusTable", "qcTable", "sizeChart"]
)
def test_deleting_a_chosen_output_writes_into_no_other(done, name: str) -> None:
    import slicer

    node = getattr(done.parameters, name)
    other = slicer.mrmlScene.AddNewNodeByClass(node.GetClassName(), "somebody's")
    slicer.mrmlScene.RemoveNode(node)
    assert getattr(done.parameters, name) is None
    done.run()
    assert getattr(done.parameters, name) not in (None, other)


def test_a_probability_that_is_gone_is_told_at_the_slider(done) -> None:
    import slicer

    before = done.voxels()
    slicer.mrmlScene.RemoveNode(done.parameters.probabilityMap)
    done.slide(0.3)
    assert done.ui.countLabel.text == "The probability map of exam T1 PVS is gone. Press Apply to make it anew."
    assert done.ui.countLabel.font.bold()
    assert done.voxels() == before
    done.run()
    assert not done.ui.countLabel.font.bold()
    done.slide(0.8)
    assert done.voxels() == 56


def test_a_deleted_segment_is_told_at_the_slider(done) -> None:
    segments = done.parameters.segmentation.GetSegmentation()
    segments.RemoveSegment(segments.GetNthSegmentID(0))
    done.slide(0.3)
    assert "was deleted. Press Apply" in done.ui.countLabel.text


def test_a_renamed_segment_is_still_the_one(done) -> None:
    done.parameters.segmentation.GetSegmentation().GetNthSegment(0).SetName("mine")
    done.slide(0.3)
    assert done.voxels() == 100
    assert done.parameters.segmentation.GetSegmentation().GetNumberOfSegments() == 1


def test_a_segmentation_of_surfaces_is_told_at_the_slider(done) -> None:
    from DeepMRILib.mrml.segment_voxels import SURFACE

    segments = done.parameters.segmentation.GetSegmentation()
    segments.CreateRepresentation(SURFACE)
    segments.SetSourceRepresentationName(SURFACE)
    done.slide(0.3)
    assert "is kept as closed surface, not as voxels" in done.ui.countLabel.text


def test_a_closed_scene_leaves_no_old_words(done) -> None:
    import slicer

    done.slide(0.3)
    assert done.ui.countLabel.text
    slicer.mrmlScene.Clear(0)
    done.settle()
    assert done.ui.countLabel.text == ""
    assert done.rows() == []
    assert done.logic.last is None
    assert not done.ui.reportButton.enabled


def test_the_scene_closed_while_a_slider_moves_does_no_harm(done) -> None:
    import slicer

    done.ui.thresholdSlider.value = 0.3
    slicer.mrmlScene.Clear(0)
    done.settle()
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []


def test_the_image_is_gone_when_the_report_is_wanted(done, tmp_path) -> None:
    import slicer

    done.ui.reportFolderEdit.currentPath = str(tmp_path)
    slicer.mrmlScene.RemoveNode(done.t1)
    done.ui.reportButton.click()
    assert done.ui.showLabel.text.startswith("The image of exam T1 PVS is gone.")
    assert list(tmp_path.iterdir()) == []


def test_a_mask_elsewhere_is_a_sentence_at_apply(panel) -> None:
    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import LabelVolume

    far = samples.OBLIQUE.copy()
    far[:3, 3] += 500
    panel.parameters.maskSegmentation = nodeFromVolume(LabelVolume(samples.brain().astype(np.uint8), far), "far")
    panel.bar.applyButton.click()
    assert "The brain mask far has no voxel inside the image exam T1." in panel.bar.statusLabel.text
    assert not panel.widget.runner.isBusy()
    panel.ui.boxButton.click()
    assert "has no voxel inside" in panel.ui.showLabel.text
    assert not panel.ui.boxButton.checked


def test_names_without_end_or_of_tags_do_no_harm(panel) -> None:
    panel.t1.SetName("<b>" + "I" * 400)
    panel.run()
    panel.settle()
    assert panel.loaded.panel.minimumSizeHint().width() <= 420


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"t1Node": "image"}, "A value of type str is not a volume"),
        ({"t1Node": None}, "There is no image"),
        ({"options": {"engine": "vesselness"}}, "A value of type dict was given as settings"),
        ({"brainMask": "gone"}, "gone is not in the scene any more"),
        ({"model": "net"}, "engine vesselness uses none"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_the_console_refuses_what_it_cannot_use(panel, given: dict[str, object], sentence: str) -> None:
    import slicer

    from DeepMRILib.mrml.volumes import nodeFromVolume

    gone = nodeFromVolume(samples.image(), "gone")
    slicer.mrmlScene.RemoveNode(gone)
    arguments = {"t1Node": panel.t1, **given}
    arguments = {name: gone if value == "gone" else value for name, value in arguments.items()}
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match=sentence):
        panel.logic.process(arguments.pop("t1Node"), arguments.pop("options", None), **arguments)
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_the_surfaces_follow_although_another_run_is_chosen_meanwhile(done) -> None:
    from DeepMRILib.mrml.pvs_record import recordOf
    from DeepMRILib.mrml.segment_voxels import SURFACE

    first = done.parameters.segmentation
    done.ui.show3DButton.click()
    segment = first.GetSegmentation().GetSegment(recordOf(first).segment)
    cells = segment.GetRepresentation(SURFACE).GetNumberOfCells()
    for name in done.logic.outputNames():
        setattr(done.parameters, name, None)
    done.run()
    second = done.parameters.segmentation
    done.ui.segmentationSelector.setCurrentNode(first)
    done.settle()
    done.ui.thresholdSlider.value = 0.3
    done.wait(done.labelling._rest.isActive, 10, "labelling")
    done.ui.segmentationSelector.setCurrentNode(second)
    done.settle()
    assert segment.GetRepresentation(SURFACE).GetNumberOfCells() > cells
    assert recordOf(second).threshold == 0.5
