"""Qt objects behave as under PythonQt: properties are attributes, signals are texts, unknown names are errors."""

from __future__ import annotations

import pytest


@pytest.fixture
def qt(slicer_app):
    import qt

    return qt


def test_properties_are_attributes_beside_their_setters(qt) -> None:
    button = qt.QPushButton("Apply")
    button.enabled = False
    button.setText("Cancel")
    assert (button.text, button.enabled, button.name) == ("Cancel", False, "")
    button.name = "applyButton"
    assert button.objectName == "applyButton"
    assert button.className() == "QPushButton"


def test_objects_made_by_qt_have_the_same_manners(qt) -> None:
    box = qt.QDialogButtonBox(qt.QDialogButtonBox.Ok)
    made_by_qt = box.button(qt.QDialogButtonBox.Ok)
    made_by_qt.text = "Go"
    assert (made_by_qt.text, type(made_by_qt) is qt.QPushButton) == ("Go", True)


def test_a_slot_gets_as_many_arguments_as_it_takes(qt) -> None:
    button, got = qt.QPushButton(), []
    button.checkable = True
    button.connect("clicked(bool)", got.append)
    button.connect("clicked(bool)", lambda: got.append("none"))
    button.connect("clicked()", lambda *values: got.append(values))
    button.click()
    assert got == [True, "none", ()]


def test_disconnecting_ends_the_calls(qt) -> None:
    button, got = qt.QPushButton(), []
    button.connect("clicked()", got.clear)
    other = lambda: got.append(1)  # noqa: E731 - the same object is given twice
    button.connect("clicked()", other)
    assert button.disconnect("clicked()", other)
    assert not button.disconnect("clicked()", other)
    button.click()
    assert got == []


def test_a_slot_of_another_object_by_its_name(qt) -> None:
    button, edit = qt.QPushButton(), qt.QLineEdit("text")
    button.connect("clicked()", edit, "clear()")
    button.click()
    assert edit.text == ""
    with pytest.raises(RuntimeError, match="no slot wipe"):
        button.connect("clicked()", edit, "wipe()")


@pytest.mark.parametrize("signal", ["clickd()", "clicked(int)", "clicked", "text()", "setText(QString)"])
def test_an_unknown_signal_is_an_error(qt, signal: str) -> None:
    with pytest.raises(RuntimeError):
        qt.QPushButton().connect(signal, print)


def test_an_unknown_attribute_is_an_error(qt) -> None:
    with pytest.raises(AttributeError, match="enable"):
        qt.QPushButton().enable = False
    with pytest.raises(AttributeError):
        qt.QPushButton().toolTips  # noqa: B018
    with pytest.raises(AttributeError, match="read-only"):
        qt.QComboBox().count = 3


def test_stand_ins_are_as_strict(qt) -> None:
    import ctk
    import slicer

    with pytest.raises(AttributeError, match="nodeType"):
        slicer.qMRMLNodeComboBox().nodeType = ("vtkMRMLModelNode",)
    with pytest.raises(RuntimeError, match="no signal"):
        ctk.ctkSliderWidget().connect("valueChanged(int)", print)
    with pytest.raises(AttributeError, match="its stand-in here does not"):
        ctk.ctkComboBox().connect("returnRelease()", print)
    with pytest.raises(AttributeError):
        ctk.ctkSliderWidgett  # noqa: B018


def test_own_classes_may_have_own_attributes(qt) -> None:
    class Counter(qt.QProcess):
        def __init__(self) -> None:
            super().__init__()
            self.count = 0

    counter = Counter()
    counter.connect("finished(int,QProcess::ExitStatus)", lambda code: setattr(counter, "count", code + 1))
    counter.start("true", [])
    assert counter.waitForFinished(5000)
    assert counter.count == 1


def test_deleting_forgets_connections(qt) -> None:
    from slicerapp import pythonqt

    before = len(pythonqt._connections)
    button = qt.QPushButton()
    button.connect("clicked()", print)
    assert len(pythonqt._connections) == before + 1
    button.delete()
    assert len(pythonqt._connections) == before


def test_settings_are_kept_in_a_file_of_this_process(qt, slicer_app) -> None:
    import slicer

    qt.QSettings().setValue("DeepMRI/device", "cpu")
    slicer_app.settings().sync()
    assert slicer.util.settingsValue("DeepMRI/device", "auto") == "cpu"
    assert slicer_app.temporaryPath in qt.QSettings().fileName()
