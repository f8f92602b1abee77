"""The parts that panels share: settings of the computer, packages asked for, the choice of a segment, the log."""

from __future__ import annotations

import importlib.machinery
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from DeepMRILib.errors import DependencyError, InputError
from DeepMRILib.options import option


@dataclass(frozen=True)
class ToyOptions:
    device: Literal["auto", "cpu", "cuda"] = option("auto", "Where to compute")
    model_folder: Path = option(Path(), "Where models are kept")
    strength: float = option(0.5, "How much", range=(0.0, 1.0))
    count: int = option(3, "How many", range=(1, 9))
    pair: tuple[float, float] = option((0.0, 1.0), "From and to", range=(0.0, 5.0))
    mode: Literal["a", "b"] = option("b", "Which")
    on: bool = option(True, "Whether", advanced=True)
    text: str = option("x", "Words")


@dataclass(frozen=True)
class PlainOptions:
    count: int = option(3, "How many", range=(1, 9))


def a_job(*inputs: str, options_type: type = ToyOptions):
    """A job with these kinds of inputs."""
    return types.SimpleNamespace(
        options_type=options_type, stores=False, inputs=[types.SimpleNamespace(name=kind, kind=kind) for kind in inputs]
    )


@pytest.fixture
def form(slicer_app):
    import qt

    widget = qt.QWidget()
    yield qt.QFormLayout(widget)
    widget.delete()


def test_settings_of_the_computer_live_in_slicers_settings_and_not_in_the_scene(form) -> None:
    from DeepMRILib.panel.machine import machineSettings, setMachineSetting, workerEnvironment
    from DeepMRILib.panel.options_form import addMachineSettings
    from DeepMRILib.panel.parameters import optionsFromParameters, parameterNodeClass

    changes: list[bool] = []
    device = addMachineSettings(a_job(), form, onChanged=lambda: changes.append(True))["device"].widget
    assert device.currentText == "auto"
    device.setCurrentText("cpu")
    assert machineSettings()["device"] == "cpu"
    assert changes == [True]
    assert addMachineSettings(a_job(), form)["device"].widget.currentText == "cpu"
    assert workerEnvironment() == {}
    setMachineSetting("model_folder", "/models")
    assert workerEnvironment() == {"DEEPMRI_HOME": "/models"}

    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters = parameterNodeClass("ToyParameterNode", {"": ToyOptions}, {})(node)
    assert not hasattr(parameters, "device")
    options = optionsFromParameters(ToyOptions, parameters, machineSettings())
    assert options.device == "cpu"
    assert (options.strength, options.count, options.pair, options.mode) == (0.5, 3, (0.0, 1.0), "b")


def test_a_tuple_is_typed_as_text_and_checked(slicer_app) -> None:
    import slicer

    from DeepMRILib.panel.parameters import optionsFromParameters, parameterNodeClass

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters = parameterNodeClass("ToyParameterNode", {"": ToyOptions}, {})(node)
    parameters.pair = "0.5; 2"
    assert optionsFromParameters(ToyOptions, parameters, {}).pair == (0.5, 2.0)
    for text, words in (("a b", "write numbers"), ("1", "takes 2 values"), ("1 9", "between 0 and 5")):
        parameters.pair = text
        with pytest.raises(InputError, match=words):
            optionsFromParameters(ToyOptions, parameters, {})


def test_installed_packages_are_not_asked_for(slicer_app) -> None:
    from DeepMRILib.panel.dependencies import ensurePackages

    ensurePackages(["numpy>=1.20", "nosuch>=1; python_version < '3'"], "Toy")


def test_a_missing_package_that_is_not_installed_is_a_sentence(slicer_app) -> None:
    from DeepMRILib.panel.dependencies import ensurePackages

    with pytest.raises(DependencyError, match="nosuchpackage"):
        ensurePackages(["nosuchpackage>=1"], "Toy")


@pytest.mark.parametrize("answer", [True, False])
def test_slicer_5_10_asks_and_installs_by_pip(slicer_app, answer: bool) -> None:
    import slicerapp
    from slicerapp.records import records

    from DeepMRILib.panel.dependencies import ensurePackages

    records.answer = answer
    with slicerapp.slicer_5_10(), pytest.raises(DependencyError, match="nosuchpackage"):
        ensurePackages(["nosuchpackage>=1"], "Toy")
    assert records.pip == (["install nosuchpackage>=1"] if answer else [])
    assert "nosuchpackage>=1" in records.questions[0]


def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else real(name, *rest))


def test_torch_comes_from_its_extension_only(slicer_app, monkeypatch) -> None:
    from slicerapp.records import records

    from DeepMRILib.panel.dependencies import ensureTorch

    without_torch(monkeypatch)
    with pytest.raises(DependencyError, match="Install the extension PyTorch in the Extensions Manager"):
        ensureTorch("Toy")
    calls: list[dict] = []

    class Logic:
        def installTorch(self, **settings: object) -> object:
            calls.append(settings)
            return object()

    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = Logic
    extension.__spec__ = importlib.machinery.ModuleSpec("PyTorchUtils", None)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    records.answer = False
    with pytest.raises(DependencyError, match="torch"):
        ensureTorch("Toy")
    assert calls == []
    records.answer = True
    ensureTorch("Toy")
    assert calls[0]["askConfirmation"] is False
    assert calls[0]["torchVersionRequirement"].startswith(">=2.8")


def test_the_choice_of_a_segment_follows_the_segmentation(slicer_app) -> None:
    import qt
    import slicer

    from DeepMRILib.panel.segment_box import SegmentBox

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    first = node.GetSegmentation().AddEmptySegment("", "liver")
    second = node.GetSegmentation().AddEmptySegment("", "kidney")
    chosen: list[str] = []
    box = qt.QComboBox()
    segments = SegmentBox(box, chosen.append)
    assert segments.update(node, "") == first
    assert segments.update(node, second) == second
    assert box.currentText == "kidney"
    assert chosen == []
    box.setCurrentIndex(0)
    assert chosen == [first]
    node.GetSegmentation().GetSegment(first).SetName("tumour")
    segments.update(node, first)
    assert box.itemText(0) == "tumour"
    node.GetSegmentation().RemoveSegment(first)
    assert segments.update(node, first) == second
    assert segments.update(None, first) == ""
    assert not box.enabled


def test_none_of_the_segments_can_be_a_choice(slicer_app) -> None:
    import qt
    import slicer

    from DeepMRILib.panel.segment_box import SegmentBox

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    first = node.GetSegmentation().AddEmptySegment("", "liver")
    chosen: list[str] = []
    box = qt.QComboBox()
    segments = SegmentBox(box, chosen.append, "New segment")
    assert segments.update(None, "") == ""
    assert box.currentText == "New segment"
    assert segments.update(node, "") == ""
    assert segments.update(node, first) == first
    box.setCurrentIndex(0)
    assert chosen == [""]


def test_the_log_can_be_copied(slicer_app) -> None:
    import qt

    from DeepMRILib.panel.job_log import JobLog

    widget = qt.QWidget()
    log = JobLog(qt.QVBoxLayout(widget))
    log.addLog("one\n")
    log.addLog("It failed.")
    log.copyButton.click()
    assert qt.QApplication.clipboard().text() == "one\nIt failed."


def test_what_is_missing_stands_below_the_button(slicer_app) -> None:
    import qt

    from DeepMRILib.panel.job_bar import JobBar

    widget = qt.QWidget()
    bar = JobBar(qt.QVBoxLayout(widget), lambda: None, "Train", "train")
    assert (bar.applyButton.text, bar.applyButton.objectName) == ("Train", "trainButton")
    bar.setReady("Choose a series.")
    assert (bar.hintLabel.text, bar.hintLabel.isHidden(), bar.applyButton.enabled) == ("Choose a series.", False, False)
    bar.setReady("")
    assert bar.hintLabel.isHidden()
    bar.showRunning()
    assert bar.applyButton.text == "Cancel"
    bar.showIdle("It failed.", error=True)
    assert (bar.applyButton.text, bar.statusLabel.text) == ("Train", "It failed.")


def test_settings_of_a_second_job_have_its_name_before_them(form) -> None:
    import qt
    import slicer

    from DeepMRILib.panel.options_form import PARAMETER_PROPERTY, addOptions
    from DeepMRILib.panel.parameters import optionsFromParameters, parameterNodeClass

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters = parameterNodeClass("ToyParameterNode", {"": ToyOptions, "train_": ToyOptions}, {})(node)
    parameters.train_count = 7
    assert optionsFromParameters(ToyOptions, parameters, {}, "train_").count == 7
    assert optionsFromParameters(ToyOptions, parameters, {}).count == 3
    widget = qt.QWidget()
    rows = addOptions(ToyOptions, form, qt.QFormLayout(widget), "train_")
    assert rows["count"].widget.property(PARAMETER_PROPERTY) == "train_count"
    rows["count"].setVisible(False)
    assert rows["count"].label.isHidden()
    assert rows["count"].widget.isHidden()


def test_a_job_that_takes_a_model_has_the_folder_of_models_among_its_settings(form, tmp_path: Path) -> None:
    from DeepMRILib.panel.machine import modelStore
    from DeepMRILib.panel.options_form import addMachineSettings

    assert "model_folder" not in addMachineSettings(a_job("volume", options_type=PlainOptions), form)
    widget = addMachineSettings(a_job("volume", "model", options_type=PlainOptions), form)["model_folder"].widget
    widget.currentPath = str(tmp_path)
    assert modelStore().folder == tmp_path / "models"
    widget.currentPath = ""
    assert modelStore().folder != tmp_path / "models"
