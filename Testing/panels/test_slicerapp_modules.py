"""A whole module on the stand-ins: loading, life cycle, reload, unloading, and what Slicer tells and asks."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import slicerapp

MODULE = """
import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin

VERSION = 1


class Doubler(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Doubler")
        self.parent.categories = ["Examples"]
        self.parent.contributors = ["A. Uthor (Somewhere)"]
        slicer.app.connect("startupCompleted()", self.onStartup)
        self.started = 0

    def onStartup(self):
        self.started += 1


@parameterNodeWrapper
class DoublerParameterNode:
    number: int


class DoublerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.events = []

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/Doubler.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = DoublerLogic()
        self.ui.applyButton.connect("clicked(bool)", self.onApply)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneClosed)
        self._parameterNode = self.logic.getParameterNode()
        self._parameterNode.connectGui(self.ui)

    def onApply(self):
        with slicer.util.tryWithErrorDisplay(_("Failed"), waitCursor=True):
            self.logic.process(self._parameterNode)

    def onSceneClosed(self, caller, event):
        self.events.append(f"closed, entered: {self.parent.isEntered}")

    def enter(self):
        self.events.append("enter")

    def exit(self):
        self.events.append("exit")

    def cleanup(self):
        self.events.append("cleanup")
        self.removeObservers()


class DoublerLogic(ScriptedLoadableModuleLogic):
    def getParameterNode(self):
        return DoublerParameterNode(super().getParameterNode())

    def process(self, settings):
        if settings.number < 0:
            raise ValueError("negative")
        settings.number *= 2


class DoublerTest(ScriptedLoadableModuleTest):
    def test_doubling(self):
        self.delayDisplay("doubling")
        settings = DoublerLogic().getParameterNode()
        settings.number = 4
        DoublerLogic().process(settings)
        self.assertEqual(settings.number, 8)
"""
UI = """<?xml version="1.0" encoding="UTF-8"?><ui version="4.0"><class>Doubler</class>
<widget class="qMRMLWidget" name="Doubler"><layout class="QVBoxLayout" name="rows">
<item><widget class="QSpinBox" name="numberSpinBox"><property name="SlicerParameterName" stdset="0">
<string>number</string></property></widget></item>
<item><widget class="QPushButton" name="applyButton"><property name="text"><string>Apply</string></property></widget>
</item></layout></widget></ui>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A module Doubler with its panel, as in a checkout."""
    module = tmp_path / "Doubler"
    (module / "Resources" / "UI").mkdir(parents=True)
    (module / "Doubler.py").write_text(MODULE)
    (module / "Resources" / "UI" / "Doubler.ui").write_text(UI)
    return module


def test_a_module_is_registered_as_in_slicer(load_module, folder) -> None:
    import slicer

    loaded = load_module("Doubler", folder.parent)
    assert slicer.modules.doubler.path == str(folder / "Doubler.py")
    assert (slicer.modules.doubler.title, slicer.modules.doubler.name) == ("Doubler", "Doubler")
    assert slicer.modules.doubler.widgetRepresentation().self() is loaded.widget
    assert slicer.modules.DoublerWidget is loaded.widget
    assert slicer.app.moduleManager().module("Doubler") is slicer.modules.doubler
    assert sys.path[0] == str(folder)
    with pytest.raises(AttributeError, match="titel"):
        loaded.module.parent.titel = "misspelt"


def test_a_button_is_clicked_and_the_result_read_back(load_module, folder) -> None:
    widget = load_module(folder).widget
    widget.ui.numberSpinBox.value = 21
    widget.ui.applyButton.click()
    assert widget.ui.numberSpinBox.value == 42
    assert widget.logic.getParameterNode().number == 42


def test_the_parameter_node_is_one_per_scene(load_module, folder) -> None:
    import slicer

    logic = load_module(folder).logic
    node = logic.getParameterNode().parameterNode
    assert logic.getParameterNode().parameterNode is node
    assert (node.GetSingletonTag(), node.GetAttribute("ModuleName")) == ("Doubler", "Doubler")
    assert logic.getAllParameterNodes() == [node]
    slicer.mrmlScene.Clear(0)
    assert logic.getParameterNode().number == 0
    assert logic.getParameterNode().parameterNode.GetAttribute("ModuleName") == "Doubler"


def test_the_life_cycle(slicer_app, folder) -> None:
    import slicer

    loaded = slicerapp.load_module(folder)
    events = loaded.widget.events
    loaded.enter()
    slicer.mrmlScene.Clear(0)
    loaded.exit()
    slicer.mrmlScene.Clear(0)
    assert events == ["enter", "closed, entered: True", "exit", "closed, entered: False"]
    slicerapp.emit_startup_completed()
    assert loaded.module.started == 1
    module = loaded.module
    loaded.close()
    slicerapp.emit_startup_completed()
    assert module.started == 1, "an unloaded module hears nothing more"


def test_reload_makes_a_new_panel_from_the_new_file(load_module, folder) -> None:
    loaded = load_module(folder)
    before = loaded.widget
    (folder / "Doubler.py").write_text(MODULE.replace("VERSION = 1", "VERSION = 2  # changed"))
    loaded.reload()
    assert loaded.python.VERSION == 2
    assert before.events == ["cleanup"]
    assert loaded.widget is not before
    assert loaded.panel.layout().count() == 1


def test_closing_leaves_nothing_behind(slicer_app, folder) -> None:
    import slicer

    loaded = slicerapp.load_module(folder)
    events = loaded.widget.events
    loaded.close()
    assert events == ["cleanup"]
    assert not hasattr(slicer.modules, "doubler")
    assert "Doubler" not in sys.modules
    assert str(folder) not in sys.path
    slicer.mrmlScene.Clear(0)
    assert events == ["cleanup"]
    assert not slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")


def test_the_modules_own_test_runs(load_module, folder) -> None:
    import slicer

    loaded = load_module(folder)
    loaded.module.runTest()
    loaded.widget.onTest() if not slicerapp.uses_slicer_source() else slicer.selfTests["Doubler"]()
    assert loaded.logic.getParameterNode().number == 8


def test_sample_data_is_registered_and_made(slicer_app) -> None:
    import SampleData
    import slicer

    def phantom(source: object) -> list[object]:
        return [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", source.sampleName)]

    for _ in range(2):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="DeepMRI", sampleName="Phantom", uris="", fileNames="Phantom", customDownloader=phantom
        )
    assert len(slicer.modules.sampleDataSources["DeepMRI"]) == 1
    SampleData.pressButton("Phantom")
    assert slicer.mrmlScene.GetFirstNodeByName("Phantom") is not None
    with pytest.raises(RuntimeError, match="only its button"):
        SampleData.SampleDataLogic().downloadSamples("Phantom")


def test_an_exception_in_a_slot_is_kept_for_the_test(load_module, folder, capsys) -> None:
    widget = load_module(folder).widget
    widget._parameterNode.number = -1
    widget.ui.applyButton.click()
    assert [str(error) for error in slicerapp.uncaught] == ["negative"]
    slicerapp.uncaught.clear()


def test_an_exception_in_an_observer_is_kept_for_the_test(slicer_app, capsys) -> None:
    import slicer

    def broken(caller: object, event: str) -> None:
        raise KeyError("observer")

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")
    node.AddObserver("ModifiedEvent", broken)
    node.Modified()
    assert isinstance(slicerapp.uncaught.pop(), KeyError)
    assert not slicerapp.uncaught


def test_a_panel_is_drawn_in_light_and_dark(load_module, folder, tmp_path) -> None:
    import qt

    loaded = load_module(folder)
    pictures = [qt.QImage(str(loaded.grab(tmp_path / f"{dark}.png", dark=dark))) for dark in (False, True)]
    light, dark = (picture.pixelColor(1, 1).lightness() for picture in pictures)
    assert light > 150 > 100 > dark
    assert {picture.width() for picture in pictures} == {500}


def test_waiting(wait_until) -> None:
    import qt

    heard = []
    qt.QTimer.singleShot(20, lambda: heard.append(1))
    wait_until(lambda: heard, 5, "the timer")
    with pytest.raises(TimeoutError, match="a miracle"):
        wait_until(lambda: False, 0.05, "a miracle")


def test_what_slicer_shows_is_recorded(slicer_app) -> None:
    import slicer
    from slicerapp.records import records

    slicer.util.errorDisplay("broken", detailedText="why")
    slicer.util.warningDisplay("careful")
    slicer.util.messageBox("done")
    assert slicer.util.showStatusMessage("busy", 1000) is False
    slicer.util.selectModule("Data")
    assert (records.errors, records.warnings, records.infos) == (["broken"], ["careful"], ["done"])
    assert (records.status, records.selected_modules) == (["busy"], ["Data"])
    assert slicer.util.mainWindow() is None
    records.answer = True
    assert slicer.util.confirmOkCancelDisplay("sure?")
    records.answer = False
    assert not slicer.util.confirmYesNoDisplay("really?")
    assert records.questions == ["sure?", "really?"]


def test_layers_can_be_set_without_views(slicer_app) -> None:
    import slicer

    volume = slicer.util.addVolumeFromArray(np.zeros((2, 2, 2)))
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    assert slicer.app.layoutManager() is None


def test_packages_are_checked_but_never_installed(slicer_app, tmp_path, caplog) -> None:
    import slicer
    from slicer import packaging
    from slicerapp.records import records

    path = tmp_path / "requirements.txt"
    path.write_text("# the first\n\nnumpy>=1.20\n-r other.txt\nno-such-package-anywhere>=2; python_version > '3'\n")
    requirements = packaging.load_requirements(path)
    assert [item.name for item in requirements] == ["numpy", "no-such-package-anywhere"]
    assert packaging.pip_check("numpy>=1.20 scipy")
    assert not packaging.pip_check(requirements)
    assert packaging.pip_check("no-such-package-anywhere; python_version < '3'")
    assert not packaging.pip_check("numpy<1")
    with caplog.at_level(logging.INFO):
        assert packaging.pip_ensure(requirements, requester="IVIMFit") is None
    assert "no-such-package-anywhere" in caplog.text
    assert not records.pip
    records.answer = False
    with pytest.raises(RuntimeError, match="declined"):
        packaging.pip_ensure(requirements, skip_in_testing=False)
    records.answer = True
    packaging.pip_ensure(requirements, skip_in_testing=False, prompt_restart=False)
    assert len(records.pip) == 1
    assert records.pip[0].startswith("install")
    assert "no-such-package-anywhere" in records.pip[0]
    slicer.util.pip_install("another-package")
    assert "another-package" in records.pip[1]
    path.write_text("numpy>=1.20  # a comment behind\n")
    with pytest.raises(Exception, match="numpy"):
        packaging.load_requirements(path)


def test_slicer_5_10_has_no_packaging(slicer_app) -> None:
    import slicer
    from slicerapp.records import records

    with slicerapp.slicer_5_10():
        with pytest.raises(ImportError):
            from slicer import packaging
        slicer.util.pip_install("nibabel>=5")
        with pytest.raises(TypeError):
            slicer.util.pip_install("nibabel>=5", requester="IVIMFit")
    from slicer import packaging

    assert packaging.pip_check("numpy")
    assert records.pip == ["install nibabel>=5"]


def test_a_module_that_is_not_there(slicer_app, tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="Missing"):
        slicerapp.load_module("Missing", tmp_path)


@pytest.mark.skipif("SLICER_SOURCE" not in os.environ, reason="SLICER_SOURCE names no Slicer source tree")
def test_slicers_module_template_runs_unmodified(load_module, monkeypatch) -> None:
    import slicer

    def threshold(module: object, node: object, parameters: dict, **_: object) -> object:
        source, target = (slicer.mrmlScene.GetNodeByID(parameters[f"{kind}Volume"]) for kind in ("Input", "Output"))
        values = slicer.util.arrayFromVolume(source)
        below = values < parameters["ThresholdValue"]
        kept = ~below if parameters["ThresholdType"] == "Below" else below
        slicer.util.updateVolumeFromArray(target, np.where(kept, values, 0))
        return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTextNode")

    monkeypatch.setattr(slicer, "cli", SimpleNamespace(run=threshold), raising=False)
    monkeypatch.setattr(slicer.modules, "thresholdscalarvolume", object(), raising=False)
    template = Path(os.environ["SLICER_SOURCE"]) / "Utilities" / "Templates" / "Modules" / "Scripted"
    volume = slicer.util.addVolumeFromArray(np.arange(8.0).reshape(2, 2, 2), name="image")
    loaded = load_module(template / "TemplateKey.py")
    loaded.enter()
    ui = loaded.widget.ui
    assert (ui.inputSelector.currentNode(), ui.applyButton.enabled) == (volume, False)
    output = ui.outputSelector.addNode()
    assert ui.applyButton.enabled
    ui.imageThresholdSliderWidget.value = 5
    ui.applyButton.click()
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(output).ravel(), [0, 0, 0, 0, 0, 5, 6, 7])
    slicer.mrmlScene.Clear(0)
    assert (ui.inputSelector.currentNode(), ui.applyButton.enabled) == (None, False)
