"""What can go wrong around the KSpaceIGS panel: each time one clear sentence, and nothing is lost."""

from __future__ import annotations

import igs_samples as samples
import numpy as np
import pytest
from igs_panel import IGSPanel

from DeepMRILib.errors import InputError


@pytest.fixture
def panel(load_module, wait_until) -> IGSPanel:
    """The panel with an image, opened."""
    loaded = load_module("KSpaceIGS")
    loaded.enter()
    return IGSPanel(loaded, wait_until)


@pytest.fixture
def done(panel) -> IGSPanel:
    """The panel after a search."""
    panel.run()
    return panel


@pytest.mark.parametrize("name", ["inputVolume", "labelsSegmentation", "phaseVolume"])
def test_deleting_a_chosen_input_chooses_no_other(panel, name: str) -> None:
    """A selector would go to the node before it in its list: another patient's, perhaps."""
    import slicer

    from DeepMRILib.mrml.segments import segmentationFromLabels
    from DeepMRILib.mrml.volumes import nodeFromVolume

    labels = samples.labels()
    make = {
        "labelsSegmentation": lambda n: segmentationFromLabels(labels, labels.names, name=f"node {n}"),
    }.get(name, lambda n: nodeFromVolume(samples.image(), f"node {n}"))
    nodes = [make(n) for n in range(3)]
    setattr(panel.parameters, name, nodes[1])
    slicer.mrmlScene.RemoveNode(nodes[1])
    assert getattr(panel.parameters, name) is None


@pytest.mark.parametrize(
    "name", ["linesTable", "rivalsTable", "lossChart", "maskVolume", "undersampledVolume", "growthSequence"]
)
def test_deleting_a_chosen_output_writes_into_no_other(done, name: str) -> None:
    import slicer

    node = getattr(done.parameters, name)
    other = slicer.mrmlScene.AddNewNodeByClass(node.GetClassName(), "somebody's")
    slicer.mrmlScene.RemoveNode(node)
    done.settle()
    assert getattr(done.parameters, name) is None
    done.run()
    assert getattr(done.parameters, name) not in (None, other)
    done.slide(2)
    assert done.acquired().sum() == 2


@pytest.mark.parametrize("name", ["maskVolume", "undersampledVolume"])
def test_the_slider_makes_anew_what_was_deleted(done, name: str) -> None:
    import slicer

    slicer.mrmlScene.RemoveNode(getattr(done.parameters, name))
    done.settle()
    done.slide(3)
    assert getattr(done.parameters, name) is not None
    assert done.acquired().sum() == 3


def test_a_deleted_pattern_lets_go_of_the_slider(done) -> None:
    import slicer

    from DeepMRILib.mrml.igs_record import linkedNodes

    slicer.mrmlScene.RemoveNode(linkedNodes(done.parameters.linesTable).patternText)
    done.widget.refresh()
    assert not done.ui.linesSlider.enabled
    assert not done.ui.exportJsonButton.enabled
    done.run()
    done.slide(2)
    assert done.acquired().sum() == 2


def test_a_damaged_pattern_is_told(done) -> None:
    from DeepMRILib.mrml.igs_record import linkedNodes

    linkedNodes(done.parameters.linesTable).patternText.SetText("{}")
    done.widget.refresh()
    assert "is not a pattern of DeepMRI" in done.ui.patternLabel.text
    assert done.ui.patternLabel.font.bold()
    assert not done.ui.linesSlider.enabled
    done.run()
    assert not done.ui.patternLabel.font.bold()
    assert done.ui.linesSlider.enabled


def test_an_image_of_another_size_is_told_at_the_slider(done) -> None:
    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import Volume

    before = done.voxels("undersampledVolume").copy()
    done.parameters.inputVolume = nodeFromVolume(Volume(np.ones((20, 12, 5), np.float32), np.eye(4)), "other")
    done.settle()
    assert "The pattern is for 16 lines" in done.ui.patternLabel.text
    assert np.array_equal(done.voxels("undersampledVolume"), before)
    done.parameters.inputVolume = done.image
    done.slide(2)
    assert done.ui.patternLabel.text.startswith("2 of 16 lines")
    assert done.acquired().sum() == 2


def test_an_output_that_cannot_hold_the_image_is_told_at_the_slider(done) -> None:
    import slicer

    label = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels only")
    done.parameters.undersampledVolume = label
    done.slide(2)
    assert "The output labels only is not a scalar volume" in done.ui.patternLabel.text


def test_a_closed_scene_leaves_no_old_words(done) -> None:
    import slicer

    done.ui.linesSlider.value = 2
    slicer.mrmlScene.Clear(0)
    done.settle()
    assert done.ui.patternLabel.text == ""
    assert slicer.util.getNodesByClass("vtkMRMLTableNode") == []
    assert not done.ui.growthButton.enabled


def test_choices_that_do_not_go_together_are_told(panel, tmp_path) -> None:
    hint = panel.bar.hintLabel
    assert hint.text == ""
    panel.parameters.phaseVolume = panel.image
    assert hint.text == "exam is chosen for the image and for its phase."
    panel.parameters.phaseVolume = None
    panel.ui.folderEdit.currentPath = str(tmp_path)
    assert hint.text == "An image and a folder are chosen. Choose none for one of them."
    panel.parameters.inputVolume = None
    assert hint.text == ""
    panel.ui.folderEdit.currentPath = ""
    assert hint.text == "Choose an image, or a folder with images."
    panel.ui.folderEdit.currentPath = str(tmp_path / "nowhere")
    panel.bar.applyButton.click()
    assert "There is nothing at" in panel.bar.statusLabel.text
    assert not panel.widget.runner.isBusy()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"lines": 99}, "99 lines"),
        ({"forced": "3", "forbidden": "3"}, "3"),
        ({"forced": "x"}, "write numbers"),
    ],
)
def test_settings_that_cannot_be_met_are_a_sentence(panel, settings: dict[str, object], sentence: str) -> None:
    import slicer

    before = slicer.mrmlScene.GetNumberOfNodes()
    for name, value in settings.items():
        setattr(panel.parameters, name, value)
    assert sentence in panel.press()
    assert slicer.mrmlScene.GetNumberOfNodes() <= before + 1  # the subject hierarchy, when it is first asked for
    assert panel.parameters.linesTable is None


def test_names_without_end_or_of_tags_do_no_harm(panel) -> None:
    panel.image.SetName("<b>" + "I" * 400)
    panel.run()
    assert panel.loaded.panel.minimumSizeHint().width() <= 420


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"imageNode": "image"}, "A value of type str is not a volume"),
        ({"imageNode": None}, "There is no image"),
        ({"options": {"lines": 3}}, "A value of type dict was given as settings"),
        ({"labels": "gone"}, "gone is not in the scene any more"),
        ({"network": "nobody"}, "There is no network nobody"),
        ({"folder": "/tmp"}, "An image and a folder are given"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_the_console_refuses_what_it_cannot_use(panel, given: dict[str, object], sentence: str) -> None:
    import slicer

    from DeepMRILib.mrml.volumes import nodeFromVolume

    gone = nodeFromVolume(samples.image(), "gone")
    slicer.mrmlScene.RemoveNode(gone)
    arguments = {"imageNode": panel.image, **given}
    arguments = {name: gone if value == "gone" else value for name, value in arguments.items()}
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match=sentence):
        panel.logic.process(arguments.pop("imageNode"), arguments.pop("options", None), **arguments)
    assert slicer.mrmlScene.GetNumberOfNodes() == before
