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

    widgets = addMachineSettings(ToyOptions, form)
    assert widgets["device"].currentText == "auto"
    widgets["device"].setCurrentText("cpu")
    assert machineSettings()["device"] == "cpu"
    assert addMachineSettings(ToyOptions, form)["device"].currentText == "cpu"
    assert workerEnvironment() == {}
    setMachineSetting("model_folder", "/models")
    assert workerEnvironment() == {"DEEPMRI_HOME": "/models"}

    import slicer

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters = parameterNodeClass("ToyParameterNode", ToyOptions, {})(node)
    assert not hasattr(parameters, "device")
    options = optionsFromParameters(ToyOptions, parameters, machineSettings())
    assert options.device == "cpu"
    assert (options.strength, options.count, options.pair, options.mode) == (0.5, 3, (0.0, 1.0), "b")


def test_a_tuple_is_typed_as_text_and_checked(slicer_app) -> None:
    import slicer

    from DeepMRILib.panel.parameters import optionsFromParameters, parameterNodeClass

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
    parameters = parameterNodeClass("ToyParameterNode", ToyOptions, {})(node)
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


def test_the_log_can_be_copied(slicer_app) -> None:
    import qt

    from DeepMRILib.panel.job_bar import JobBar

    widget = qt.QWidget()
    bar = JobBar(qt.QVBoxLayout(widget), lambda: None)
    bar.addLog("one\n")
    bar.showIdle("It failed.", error=True)
    bar.copyButton.click()
    assert qt.QApplication.clipboard().text() == "one\nIt failed."
    assert bar.statusLabel.text == "It failed."
