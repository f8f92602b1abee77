"""What can go wrong around the InteractiveSeg panel: each time one clear sentence, and nothing is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import numpy as np
import pytest
from interactive_panel import LESION, InteractivePanel, outside_ball, phantom

from DeepMRILib.errors import InputError


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


def drag(done: InteractivePanel, by: float = 1.0) -> None:
    """Move a point, and wait until that is being segmented."""
    points = done.parameters.points
    r, a, s = points.GetNthControlPointPositionWorld(0)
    points.SetNthControlPointPositionWorld(0, r + by, a, s)
    done.wait(lambda: done.live.state.isBusy, 5, "a run")


def placeOutside(done: InteractivePanel) -> object:
    done.ui.placeNegativeButton.click()
    done.click(outside_ball())
    done.ui.placeNegativeButton.click()
    done.done()
    return done.parameters.negativePoints


def test_deleting_the_outside_points_chooses_no_others(done) -> None:
    """A selector would go to the list before it: that of the lesion itself, or of another lesion."""
    import slicer

    negative, points, mask = placeOutside(done), done.parameters.points, done.mask()
    slicer.mrmlScene.RemoveNode(negative)
    done.done()
    assert done.parameters.negativePoints is None
    assert done.parameters.points is points
    assert np.array_equal(done.mask(), mask)


def test_deleting_the_lesions_points_chooses_no_others(done) -> None:
    import slicer

    placeOutside(done)
    slicer.mrmlScene.RemoveNode(done.parameters.points)
    done.settle()
    assert done.parameters.points is None
    assert done.segments() == [LESION]


def test_deleting_the_segmentation_writes_into_no_other(done) -> None:
    import slicer

    from DeepMRILib.mrml.segments import segmentationFromLabels

    mine = done.parameters.segmentation
    slicer.mrmlScene.RemoveNode(mine)
    others = segmentationFromLabels(phantom().label, phantom().label.names, name="others", source=done.image)
    done.parameters.segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "new")
    done.settle()
    drag(done)
    slicer.mrmlScene.RemoveNode(done.parameters.segmentation)
    done.done()
    assert done.parameters.segmentation not in (None, others)
    assert others.GetSegmentation().GetNumberOfSegments() == 2
    assert done.segments() == [LESION]


def test_one_list_for_inside_and_outside_is_told(done) -> None:
    mask = done.mask()
    done.ui.negativeSelector.setCurrentNode(done.parameters.points)
    done.settle()
    assert done.bar.hintLabel.text.startswith("lesion is chosen for the points inside and for those outside.")
    assert not done.bar.applyButton.enabled
    assert np.array_equal(done.mask(), mask)
    done.ui.negativeSelector.setCurrentNode(None)
    done.done()
    assert done.bar.applyButton.enabled


def test_a_renamed_or_deleted_segment_is_seen(done) -> None:
    segments = done.parameters.segmentation.GetSegmentation()
    segments.GetSegment(done.parameters.segment).SetName("metastasis <1>")
    done.wait(lambda: done.ui.segmentBox.currentText == "metastasis <1>", 5, "the name")
    drag(done)
    done.done()
    assert done.segments() == ["metastasis <1>"]
    assert "metastasis &lt;1&gt;" in done.ui.liveLabel.text
    segments.RemoveSegment(done.parameters.segment)
    done.wait(lambda: done.ui.segmentBox.currentText == "New segment", 5, "the box")
    assert done.ui.sizeLabel.text == ""
    drag(done)
    done.done()
    assert len(done.segments()) == 1


def test_a_segmentation_of_surfaces_is_refused_and_stays(done) -> None:
    from DeepMRILib.mrml.segment_voxels import SURFACE

    segments = done.parameters.segmentation.GetSegmentation()
    segments.CreateRepresentation(SURFACE)
    segments.SetSourceRepresentationName(SURFACE)
    cells = segments.GetSegment(done.parameters.segment).GetRepresentation(SURFACE).GetNumberOfCells()
    drag(done)
    done.wait(lambda: done.live.state.isError, 10, "the sentence")
    assert "is kept as closed surface, not as voxels" in done.ui.liveLabel.text
    assert segments.GetSegment(done.parameters.segment).GetRepresentation(SURFACE).GetNumberOfCells() == cells


@pytest.mark.parametrize("what", ["none", "smaller", "no spacing"])
def test_an_image_that_changes_under_a_run_is_told_once(done, what: str) -> None:
    import vtk

    from DeepMRILib.mrml.volumes import nodeFromVolume
    from DeepMRILib.volume import Volume

    mask, nothing = done.mask(), vtk.vtkMatrix4x4()
    nothing.Zero()
    image = phantom().image
    act: dict[str, tuple[Callable[[], object], str]] = {
        "none": (lambda: done.image.SetAndObserveImageData(None), "holds no image"),
        "smaller": (
            lambda: nodeFromVolume(Volume(image.array[:4, :4, :4], image.affine), "", done.image),
            "lies outside the image",
        ),
        "no spacing": (lambda: done.image.SetIJKToRASMatrix(nothing), "zero or missing spacing"),
    }
    change, sentence = act[what]
    drag(done)
    change()
    done.wait(lambda: sentence in done.bar.hintLabel.text, 10, "the sentence")
    done.settle()
    assert sentence in done.ui.hintsLabel.text
    assert done.ui.liveLabel.text == ""
    done.image = nodeFromVolume(image, "again")
    assert np.array_equal(done.mask(), mask)


def test_a_killed_worker_is_replaced_and_the_answer_comes(done) -> None:
    pid = done.widget.runner.workerPid()
    drag(done)
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    done.wait(lambda: done.widget.runner.workerPid() not in (None, pid), 20, "another worker")
    done.done()
    assert "signal" in done.widget.log.log.toPlainText()
    assert not done.live.state.isError


def test_what_apply_has_answered_is_not_run_once_more(done, monkeypatch) -> None:
    runner, started = done.widget.runner, []
    run = runner.run
    monkeypatch.setattr(runner, "run", lambda *given, **more: (started.append(given[2]), run(*given, **more)))
    drag(done, 2.0)
    done.bar.applyButton.click()
    assert done.bar.applyButton.text == "Cancel"
    done.wait(lambda: done.bar.applyButton.text == "Apply", 20, "the job")
    count = len(started)
    done.done()
    assert len(started) == count
    assert started[-1].resolution != "preview"
    assert not done.live.state.isPreview
    done.ui.engineWidget.setCurrentText("graphcut")
    done.done()
    done.ui.engineWidget.setCurrentText("geodesic")
    done.done()
    assert [options.engine for options in started[count:] if options.resolution != "preview"] == [
        "graphcut",
        "geodesic",
    ]


def test_a_closed_scene_leaves_no_old_sentences(done) -> None:
    import slicer

    assert done.ui.liveLabel.text
    slicer.mrmlScene.Clear(0)
    done.settle()
    assert done.ui.liveLabel.text == ""
    assert done.ui.sizeLabel.text == ""
    assert not done.ui.undoButton.enabled


def test_names_without_end_or_of_tags_do_no_harm(panel) -> None:
    from DeepMRILib.mrml.points import fiducialsFromPoints

    panel.image.SetName("<b>" + "I" * 400)
    panel.parameters.points = fiducialsFromPoints(phantom().points[LESION], "<html>" + "L" * 400)
    panel.done()
    panel.settle()
    assert panel.segments() == ["<html>" + "L" * 400]
    assert "&lt;html&gt;LLL" in panel.ui.sizeLabel.text
    assert panel.loaded.panel.minimumSizeHint().width() <= 400


def test_the_first_answer_does_not_wait_for_the_worker(panel) -> None:
    """It starts with the user's wish to place points, and has loaded all when the sixth is there."""
    panel.ui.placeButton.click()
    panel.wait(lambda: panel.widget.runner.workerPid() is not None, 20, "the worker")
    pid = panel.widget.runner.workerPid()
    assert not panel.widget.runner.isBusy()
    panel.six()
    assert panel.widget.runner.workerPid() == pid


def test_no_worker_starts_where_live_is_off(panel) -> None:
    panel.ui.liveBox.click()
    panel.place(phantom().points[LESION][:3])
    assert panel.widget.runner._worker is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"volume": "exam"}, "A value of type str is not a volume"),
        ({"points": np.zeros((6, 3))}, "A value of type ndarray is not a list of points"),
        ({"options": {"engine": "geodesic"}}, "A value of type dict was given as settings"),
        ({"segmentation": "image"}, "exam is not a segmentation"),
        ({"points": "gone"}, "gone is not in the scene any more"),
        ({"segmentation": "gone segmentation"}, "gone segmentation is not in the scene any more"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_the_console_refuses_what_it_cannot_use(panel, given: dict[str, object], sentence: str) -> None:
    import slicer

    from DeepMRILib.mrml.points import fiducialsFromPoints

    points = fiducialsFromPoints(phantom().points[LESION], LESION)
    gone = {
        "gone": fiducialsFromPoints(phantom().points[LESION], "gone"),
        "gone segmentation": slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "gone segmentation"),
    }
    for node in gone.values():
        slicer.mrmlScene.RemoveNode(node)
    known = {**gone, "image": panel.image}
    arguments = {"volume": panel.image, "points": points, "options": None, **given}
    arguments = {
        name: known.get(value, value) if isinstance(value, str) else value for name, value in arguments.items()
    }
    before = slicer.mrmlScene.GetNumberOfNodes()
    with pytest.raises(InputError, match=sentence):
        panel.loaded.logic.process(
            arguments.pop("volume"), arguments.pop("points"), arguments.pop("options"), **arguments
        )
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_the_console_takes_one_further_image(panel) -> None:
    from DeepMRILib.mrml.points import fiducialsFromPoints
    from DeepMRILib.mrml.volumes import nodeFromVolume

    second = nodeFromVolume(phantom().image.like(phantom().image.array * 2), "second")
    points = fiducialsFromPoints(phantom().points[LESION], LESION)
    made = panel.loaded.logic.process(panel.image, points, channels=second)
    assert list(made.segments) == [LESION]
