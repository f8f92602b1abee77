"""What stands around the points in the InteractiveSeg panel: tools, networks, further images, keys, and words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from interactive_panel import LESION, InteractivePanel, phantom

SIDES = ["Left", "Right", "Posterior", "Anterior", "Inferior", "Superior"]


@pytest.fixture
def panel(load_module, wait_until) -> InteractivePanel:
    """The panel with an image, opened."""
    loaded = load_module("InteractiveSeg")
    loaded.enter()
    return InteractivePanel(loaded, wait_until)


@pytest.fixture
def done(panel) -> InteractivePanel:
    """The panel after six clicks."""
    panel.six()
    return panel


def test_points_are_made_from_a_known_segment(panel) -> None:
    from DeepMRILib.mrml.segments import segmentationFromLabels

    known = segmentationFromLabels(phantom().label, phantom().label.names, name="known", source=panel.image)
    panel.ui.sourceSelector.setCurrentNode(known)
    panel.ui.sourceSegmentBox.setCurrentIndex(1)
    panel.ui.sourceButton.click()
    assert panel.parameters.points.GetName() == "second lesion points"
    assert "Six points of second lesion" in panel.ui.sourceLabel.text
    panel.done()
    assert panel.dice(2) > 0.8
    assert panel.parameters.segmentation is not known
    panel.ui.sourceJitterBox.setValue(2.0)
    exact = panel.parameters.points.GetNthControlPointPositionWorld(0)
    panel.ui.sourceButton.click()
    moved = panel.parameters.points.GetNthControlPointPositionWorld(0)
    assert np.linalg.norm(np.subtract(exact, moved)) == pytest.approx(2.0, abs=0.01)


def test_the_case_is_exported_for_training(done, tmp_path: Path) -> None:
    from DeepMRILib.interactive.dataset import open_dataset, read_case

    done.ui.exportButton.click()
    assert "Choose the folder" in done.ui.exportLabel.text
    done.ui.exportFolderEdit.currentPath = str(tmp_path / "Task400_lesions")
    done.ui.exportCaseEdit.setText("first")
    done.ui.exportButton.click()
    assert done.ui.exportLabel.text == f"The case first is in {tmp_path / 'Task400_lesions'}."
    case = open_dataset(tmp_path / "Task400_lesions").cases[0]
    read = read_case(case)
    assert np.array_equal(read.label.array > 0, done.mask())
    assert len(next(iter(read.points.values()))) == 6
    done.ui.exportButton.click()
    assert "already" in done.ui.exportLabel.text


def test_a_bad_name_of_a_case_is_a_sentence_and_nothing_is_written(done, tmp_path: Path) -> None:
    done.ui.exportFolderEdit.currentPath = str(tmp_path / "set")
    done.ui.exportCaseEdit.setText("no/name")
    done.ui.exportButton.click()
    assert "cannot name a case" in done.ui.exportLabel.text
    assert not (tmp_path / "set").exists()


def test_leaving_ends_the_placing_and_frees_the_keys(panel) -> None:
    import slicer

    panel.ui.placeButton.click()
    assert panel.widget._shortcuts._shortcuts
    panel.loaded.exit()
    interaction = slicer.mrmlScene.GetSingletonNode("Singleton", "vtkMRMLInteractionNode")
    assert interaction.GetCurrentInteractionMode() != interaction.Place
    assert panel.widget._shortcuts._shortcuts == []


def test_keys_press_the_buttons(panel) -> None:
    keys = {shortcut.key.toString(): shortcut for shortcut in panel.widget._shortcuts._shortcuts}
    assert set(keys) == {"P", "N", "L", "Ctrl+Z"}
    keys["P"].activated.emit()
    assert panel.ui.placeButton.checked
    keys["N"].activated.emit()
    assert panel.ui.placeNegativeButton.checked
    assert not panel.ui.placeButton.checked


def test_further_images_are_offered_and_taken(panel) -> None:
    import qt

    from DeepMRILib.mrml.volumes import nodeFromVolume

    assert panel.ui.channelList.isHidden()
    other = nodeFromVolume(phantom().image.like(phantom().image.array * 2), "second contrast")
    panel.wait(lambda: not panel.ui.channelList.isHidden(), 5, "the list of images")
    panel.ui.channelList.item(0).setCheckState(qt.Qt.Checked)
    assert list(panel.parameters.channels) == [other]
    panel.six()
    assert panel.dice() > 0.85


def test_a_network_for_other_images_says_so(panel) -> None:
    from DeepMRILib.model_card import ModelCard
    from DeepMRILib.panel.machine import modelStore

    card = ModelCard(
        "two-contrasts", "interactive", "1", "Apache-2.0", "a test", preprocessing={"channels": ["T1", "T2"]}
    )
    modelStore().save(card, {"weight": np.zeros(3, np.float32)})
    panel.widget.initializeParameterNode()
    assert panel.widget.networkRow.widget.isHidden()
    panel.ui.engineWidget.setCurrentText("network")
    box = panel.widget.networkRow.widget
    assert not box.isHidden()
    assert [box.itemText(row) for row in range(box.count)] == ["of DeepMRI", "two-contrasts (does not fit)"]
    panel.ui.liveBox.setChecked(False)
    panel.place(phantom().points[LESION])
    box.setCurrentIndex(1)
    assert panel.parameters.model == "two-contrasts"
    assert "takes 2 images (T1, T2), and 1 are chosen" in panel.bar.hintLabel.text


def test_points_and_image_under_transforms_meet_in_the_world(panel) -> None:
    import slicer
    import vtk

    moved = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkTransform()
    matrix.Translate(40, -10, 5)
    matrix.RotateZ(20)
    moved.SetMatrixTransformToParent(matrix.GetMatrix())
    panel.image.SetAndObserveTransformNodeID(moved.GetID())
    panel.place(np.array([matrix.TransformPoint(*point) for point in phantom().points[LESION]]))
    panel.done()
    assert panel.parameters.points.GetTransformNodeID() == moved.GetID()
    assert panel.placed() == SIDES
    assert panel.dice() > 0.85


def test_the_sample_data_are_made_here(slicer_app, load_module) -> None:
    import slicerapp

    loaded = load_module("InteractiveSeg")
    slicerapp.emit_startup_completed()
    import slicer

    (source,) = [item for item in slicer.modules.sampleDataSources["DeepMRI"] if "InteractiveSeg" in item.sampleName]
    assert Path(source.thumbnailFileName).is_file()
    image, truth = source.customDownloader(source)
    assert image.GetName() == "InteractiveSegLesion"
    assert truth.GetSegmentation().GetNumberOfSegments() == 2
    assert not truth.GetDisplayNode().GetVisibility()
    assert loaded.logic.getParameterNode() is not None


def test_a_narrow_panel_does_not_clip(done) -> None:
    for section in ("source", "export", "advanced"):
        getattr(done.ui, f"{section}CollapsibleButton").collapsed = False
    assert done.loaded.panel.minimumSizeHint().width() <= 400


@pytest.mark.parametrize("background", [(239, 239, 239), (53, 53, 53)])
def test_signs_are_seen_in_both_themes(slicer_app, background: tuple[int, int, int]) -> None:
    from DeepMRILib.panel.interactive_hints import COLOURS

    def luminance(colour: tuple[int, ...]) -> float:
        part = np.array(colour) / 255
        return float(
            np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
        )

    for colour in COLOURS.values():
        shown = luminance(tuple(bytes.fromhex(colour[1:])))
        low, high = sorted((shown, luminance(background)))
        assert (high + 0.05) / (low + 0.05) > 3


def test_the_state_of_the_live_segmentation_in_words(slicer_app) -> None:
    from DeepMRILib.panel.interactive_live import LiveState
    from DeepMRILib.panel.interactive_readout import liveText

    assert liveText(LiveState(isBusy=True, expectedSeconds=0.42), isLive=True) == "Segmenting, about 0.42 s."
    assert "preview" in liveText(LiveState(isPreview=True), isLive=True)
    assert liveText(LiveState(text="a < b"), isLive=True) == "a &lt; b"
    assert liveText(LiveState(text="Bad.", isError=True), isLive=True).endswith(" Bad.")
    assert liveText(LiveState(lastSeconds=130.0), isLive=True) == "Last run: 2.2 min."
    assert liveText(LiveState(lastSeconds=130.0), isLive=False) == ""
