"""The KSpaceIGS panel: the search through the worker, the slider that changes all at once, export, a saved scene."""

from __future__ import annotations

from pathlib import Path

import igs_samples as samples
import numpy as np
import pytest
from igs_panel import IGSPanel

from DeepMRILib.igs.pattern import Pattern


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


def pattern_of(panel: IGSPanel) -> Pattern:
    from DeepMRILib.mrml.igs_record import patternOf

    return patternOf(panel.parameters.linesTable)


def test_before_a_search_there_is_nothing_to_slide(panel) -> None:
    for name in ("linesSlider", "accelerationBox", "kindBox", "growthButton", "numbersButton", "exportNpyButton"):
        assert not getattr(panel.ui, name).enabled
    assert panel.ui.fullButton.enabled
    assert panel.ui.patternLabel.text == ""


def test_apply_finds_lines_in_the_worker(panel) -> None:
    panel.parameters.lines = 5
    panel.parameters.part = "all"
    said = panel.press()
    assert said.startswith("5 of 16 lines found in "), said
    assert "serves best" in said
    pattern = pattern_of(panel)
    assert pattern.lines == 5
    assert np.array_equal(panel.acquired() > 0, pattern.mask(kind="recommended"))
    assert panel.ui.patternLabel.text.startswith("5 of 16 lines, acceleration 3.2: ")
    assert panel.ui.linesSlider.value == 5
    assert panel.ui.linesSlider.maximum == 5
    assert panel.ui.accelerationBox.value == pytest.approx(3.2)


def test_the_slider_changes_mask_and_image_at_once(done) -> None:
    pattern = pattern_of(done)
    for lines in (3, 1, 6):
        done.slide(lines)
        mask = pattern.mask(lines=lines, kind="recommended")
        assert np.array_equal(done.acquired() > 0, mask)
        wanted = samples.undersampled(done.volume, mask, 0)
        assert np.allclose(done.voxels("undersampledVolume"), wanted, atol=1e-3)
        assert done.ui.patternLabel.text.startswith(f"{lines} of 16 lines")
    assert done.live.state.seconds < 0.5


def test_an_acceleration_is_the_nearest_number_of_lines(done) -> None:
    done.ui.accelerationBox.setValue(7.5)
    done.settle()
    assert done.parameters.shownLines == 2
    assert done.ui.linesSlider.value == 2
    assert done.ui.accelerationBox.value == pytest.approx(8.0)
    assert done.acquired().sum() == 2


def test_which_pattern_is_shown_can_be_chosen(done) -> None:
    pattern = pattern_of(done)
    box = done.ui.kindBox
    texts = [box.itemText(n) for n in range(box.count)]
    assert texts[0].startswith("recommended (")
    assert texts[1:] == ["search", "best block", "centre"]
    for row, kind in enumerate(("recommended", "igs", "block", "centre")):
        box.setCurrentIndex(row)
        done.settle()
        assert np.array_equal(done.acquired() > 0, pattern.mask(kind=kind))
    assert done.ui.patternLabel.text.startswith("6 of 16 lines, acceleration 2.67: centre")


def test_without_rivals_there_is_no_block(panel) -> None:
    panel.run(samples.result(panel.volume, rivals=False))
    texts = [panel.ui.kindBox.itemText(n) for n in range(panel.ui.kindBox.count)]
    assert texts == ["recommended (search)", "search", "centre"]


def test_dragging_does_not_compute_every_place(done, monkeypatch) -> None:
    from DeepMRILib.panel import igs_live

    calls = []
    show = igs_live.showImage
    monkeypatch.setattr(igs_live, "showImage", lambda *given: (calls.append(1), show(*given))[1])
    for _ in range(10):
        for lines in range(1, 7):
            done.ui.linesSlider.value = lines
    done.settle()
    assert len(calls) < 10
    assert done.acquired().sum() == 6


def test_the_image_is_transformed_once_and_anew_when_it_has_changed(done, monkeypatch) -> None:
    import slicer

    from DeepMRILib.panel import igs_live

    read = []
    real = igs_live.LiveImage.of
    monkeypatch.setattr(igs_live.LiveImage, "of", lambda *given: (read.append(1), real(*given))[1])
    done.slide(2)
    done.slide(3)
    assert len(read) <= 1
    array = slicer.util.arrayFromVolume(done.image)
    array *= 2
    slicer.util.arrayFromVolumeModified(done.image)
    done.settle()
    wanted = samples.undersampled(samples.image(), pattern_of(done).mask(lines=3, kind="recommended"), 0)
    assert np.allclose(done.voxels("undersampledVolume"), 2 * wanted, atol=2e-3)


def test_switched_off_the_slider_only_tells(done) -> None:
    before = done.voxels("undersampledVolume").copy()
    done.ui.liveBox.setChecked(False)
    done.slide(2)
    assert np.array_equal(done.voxels("undersampledVolume"), before)
    done.ui.liveBox.setChecked(True)
    done.settle()
    assert done.acquired().sum() == 2


def test_another_table_brings_its_own_pattern(done) -> None:
    import slicer

    first = {name: getattr(done.parameters, name) for name in done.logic.outputNames()}
    done.ui.linesSelector.setCurrentNode(None)
    assert all(getattr(done.parameters, name) is None for name in first)
    assert not done.ui.linesSlider.enabled
    done.run(samples.result(done.volume, lines=4, axis=-2))
    assert all(getattr(done.parameters, name) is not node for name, node in first.items())
    assert done.ui.linesSlider.maximum == 4
    second = done.voxels("undersampledVolume").copy()
    done.ui.linesSelector.setCurrentNode(first["linesTable"])
    done.settle()
    assert done.ui.linesSlider.maximum == 6
    assert all(getattr(done.parameters, name) is node for name, node in first.items())
    done.slide(2)
    assert done.acquired().sum() == 2
    other = next(
        node
        for node in slicer.util.getNodes("exam undersampled*").values()
        if node is not done.parameters.undersampledVolume
    )
    assert np.array_equal(slicer.util.arrayFromVolume(other).transpose(), second)


def test_the_axes_are_chosen_in_words(panel) -> None:
    box = panel.ui.settingsCollapsibleButton.findChild(type(panel.ui.kindBox), "axisBox")
    assert [box.itemText(n) for n in range(box.count)] == ["columns", "rows"]
    box.setCurrentIndex(1)
    assert panel.parameters.axis == -2
    assert panel.logic.options(panel.parameters).axis == -2
    second = panel.widget.secondRow.widget
    assert [second.itemText(n) for n in range(second.count)] == ["none", "columns"]
    second.setCurrentIndex(1)
    assert panel.logic.options(panel.parameters).second_axis == -1
    panel.parameters.slice_axis = "volume"
    assert box.itemText(2) == "slices"
    rows = panel.widget._forms[0]._rows
    assert rows["axis"].widget.isHidden()


def test_all_tasks_share_the_settings_of_the_data(panel) -> None:
    panel.parameters.slice_axis, panel.parameters.axis, panel.parameters.noise = "j", -2, 0.25
    for task in panel.logic.tasks:
        options = task.options(panel.parameters)
        assert (options.slice_axis, options.noise) == ("j", 0.25)
        assert getattr(options, "axis", -2) == -2
    parts = [task.options(panel.parameters).part for task in panel.logic.tasks]
    assert parts == ["select", "test", "train", "train"]
    rows = panel.widget._forms[2]._rows
    assert rows["slice_axis"].widget.isHidden()
    assert not rows["epochs"].widget.isHidden() or panel.ui.trainCollapsibleButton.collapsed


def test_segments_are_chosen_in_a_list(panel) -> None:
    import qt

    assert panel.ui.segmentsList.isHidden()
    panel.ui.labelsSelector.setCurrentNode(panel.labels)
    assert not panel.ui.segmentsList.isHidden()
    found = panel.logic.collect(panel.parameters)["labels"]
    assert found.names == {1: "left block", 2: "right block"}
    panel.ui.segmentsList.item(0).setCheckState(qt.Qt.Unchecked)
    assert panel.logic.collect(panel.parameters)["labels"].names == {1: "right block"}
    panel.ui.segmentsList.item(0).setCheckState(qt.Qt.Checked)
    assert list(panel.parameters.labelsSegments) == []
    panel.ui.segmentsList.item(0).setCheckState(qt.Qt.Unchecked)
    panel.labels.GetSegmentation().RemoveSegment(panel.labels.GetSegmentation().GetNthSegmentID(1))
    panel.widget.refresh()
    assert list(panel.parameters.labelsSegments) == []


def test_a_folder_is_searched_and_its_lines_are_shown(panel, tmp_path: Path) -> None:
    from DeepMRILib import files

    for number in range(4):
        files.write_volume(samples.image(seed=number), tmp_path / f"case{number}.nii.gz")
    panel.parameters.inputVolume = None
    panel.ui.folderEdit.currentPath = str(tmp_path)
    panel.parameters.lines = 4
    said = panel.press()
    assert said.startswith("4 of 16 lines found"), said
    assert panel.parameters.undersampledVolume is None
    panel.slide(2)
    assert panel.acquired().sum() == 2
    assert panel.parameters.growthSequence.GetNumberOfDataNodes() == 4


def test_growth_table_and_plot_are_shown(done) -> None:
    import slicer

    from DeepMRILib.mrml.igs_growth import isPlaying

    done.ui.growthButton.click()
    assert isPlaying(done.parameters.growthSequence)
    done.widget.refresh()
    assert done.ui.growthButton.checked
    done.ui.growthButton.click()
    assert not isPlaying(done.parameters.growthSequence)
    done.ui.numbersButton.click()
    selection = slicer.app.applicationLogic().GetSelectionNode()
    assert selection.GetActiveTableID() == done.parameters.linesTable.GetID()
    assert selection.GetActivePlotChartID() == done.parameters.lossChart.GetID()


def test_the_views_show_what_a_button_says(done, monkeypatch) -> None:
    from DeepMRILib.panel import igs_show

    shown = []
    monkeypatch.setattr(igs_show, "showVolume", shown.append)
    for button in ("maskButton", "fullButton", "undersampledButton", "growthButton"):
        getattr(done.ui, button).click()
    parameters = done.parameters
    assert shown[:3] == [parameters.maskVolume, parameters.inputVolume, parameters.undersampledVolume]
    assert "growth" in shown[3].GetName()
    done.ui.growthButton.click()


def test_exports_write_what_the_slider_shows(done, tmp_path: Path) -> None:
    done.slide(4)
    done.ui.exportFolderEdit.currentPath = str(tmp_path)
    assert done.ui.exportNameEdit.placeholderText == "exam_4_lines"
    for button in ("Json", "Npy", "H5", "Cfl", "Seq", "Gif"):
        getattr(done.ui, f"export{button}Button").click()
        assert done.ui.exportLabel.text.startswith("Written: "), done.ui.exportLabel.text
    names = {path.name for path in tmp_path.iterdir()}
    assert {f"exam_4_lines.{ending}" for ending in ("json", "npy", "h5", "cfl", "hdr", "seq", "gif")} <= names
    mask = pattern_of(done).mask(lines=4, kind="recommended")
    assert np.array_equal(np.load(tmp_path / "exam_4_lines.npy").astype(bool), mask)
    assert Pattern.load(tmp_path / "exam_4_lines.json") == pattern_of(done)
    done.ui.exportNpyButton.click()
    assert "exists. Choose another name." in done.ui.exportLabel.text
    done.ui.exportNameEdit.text = "../mine"
    done.ui.exportNpyButton.click()
    assert "Files cannot be named" in done.ui.exportLabel.text
    done.ui.exportFolderEdit.currentPath = str(tmp_path / "nowhere")
    done.ui.exportNpyButton.click()
    assert "There is no folder" in done.ui.exportLabel.text


def test_a_saved_scene_goes_on_with_its_slider(done, tmp_path: Path) -> None:
    import slicer

    from DeepMRILib.mrml.volumes import volumeFromNode

    done.slide(4)
    done.ui.kindBox.setCurrentIndex(1)
    done.settle()
    pattern = pattern_of(done)
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert not done.ui.linesSlider.enabled
    assert slicer.mrmlScene.ReadFromMRB(path)
    done.settle()
    assert done.ui.linesSlider.value == 4
    assert done.ui.kindBox.currentText == "search"
    count = slicer.mrmlScene.GetNumberOfNodes()
    done.slide(2)
    assert np.array_equal(done.acquired() > 0, pattern.mask(lines=2))
    stored = volumeFromNode(done.parameters.inputVolume)  # left-handed grids are turned when they are read
    assert np.allclose(
        done.voxels("undersampledVolume"), samples.undersampled(stored, pattern.mask(lines=2), 0), atol=1e-3
    )
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    again = done.run(samples.result(stored, lines=3))
    assert again.startswith("3 of 16 lines")
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_who_leaves_and_comes_back_finds_all_as_it_was(done) -> None:
    done.ui.linesSlider.value = 3
    done.loaded.exit()
    done.loaded.enter()
    done.settle()
    assert done.ui.linesSlider.value == 3
    assert done.acquired().sum() == 3


def test_the_sample_data_are_hearts_with_labels_and_phase(load_module, monkeypatch) -> None:
    import slicer
    import slicerapp
    from slicerapp.sample_data import pressButton

    from DeepMRILib.mrml import igs_sample

    monkeypatch.setattr(igs_sample, "SAMPLE", igs_sample.SMALL)
    loaded = load_module("KSpaceIGS")
    slicerapp.emit_startup_completed()
    (source,) = (one for one in slicer.modules.sampleDataSources["DeepMRI"] if one.sampleName == "KSpaceIGSHeart")
    assert Path(source.thumbnailFileName).is_file()
    pressButton("KSpaceIGSHeart")
    loaded.enter()
    parameters = loaded.logic.getParameterNode()
    chosen = (parameters.inputVolume, parameters.labelsSegmentation, parameters.phaseVolume)
    assert [node.GetName() for node in chosen] == ["KSpaceIGSHeart", "KSpaceIGSHeart labels", "KSpaceIGSHeart phase"]
    assert slicer.util.getNode("KSpaceIGSHeart labels").GetSegmentation().GetNumberOfSegments() == 3


def test_the_consoles_door(panel) -> None:
    from DeepMRILib.igs.options import FindOptions
    from DeepMRILib.mrml.igs_record import patternOf

    made = panel.logic.process(panel.image, FindOptions(lines=3, part="all"), labels=panel.labels)
    assert patternOf(made.linesTable).lines == 3
    again = panel.logic.process(panel.image, FindOptions(lines=2, part="all"), outputs=made)
    assert again == made
    assert patternOf(made.linesTable).lines == 2
