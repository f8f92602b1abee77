"""What every panel does: run for each module of the extension on real nodes, real Qt and a real worker."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from DeepMRILib.jobs import Job
from DeepMRILib.options import settings

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.parent.name for path in ROOT.glob("*/*.py") if path.stem == path.parent.name)
module_cases = pytest.mark.parametrize("name", MODULES)
DEAF_WORKER = (
    "import json, os, time\n"
    "print(json.dumps({'type': 'ready', 'pid': os.getpid()}), flush=True)\n"
    "while True: print(json.dumps({'type': 'alive'}), flush=True); time.sleep(0.2)\n"
)


def example_node(value: Any, name: str) -> tuple[Any, str]:
    """A node for one example input, and the segment to choose in it."""
    import slicer

    # Imported here: a test that reloads a module makes the library anew.
    from DeepMRILib.mrml import diffusion, points, segments, volumes
    from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

    if isinstance(value, DiffusionVolume):
        return diffusion.nodeFromDiffusion(value, name), ""
    if isinstance(value, LabelVolume):
        node = segments.segmentationFromLabels(value, value.names, name=name)
        return node, node.GetSegmentation().GetNthSegmentID(0)
    if isinstance(value, Volume):
        return volumes.nodeFromVolume(value, name), ""
    if isinstance(value, np.ndarray):
        return points.fiducialsFromPoints(value, name), ""
    if isinstance(value, Path):  # a file that the method reads itself
        return slicer.util.loadVolume(str(value), {"name": name}), ""
    raise AssertionError(f"no node for a {type(value).__name__}")


class Panel:
    """A loaded module with its example inputs chosen."""

    def __init__(self, loaded: Any, wait_until: Callable) -> None:
        self.loaded, self.widget, self.logic, self.wait_until = loaded, loaded.widget, loaded.widget.logic, wait_until
        self.parameters = self.logic.getParameterNode()
        self.inputs: list[Any] = []

    @property
    def job(self) -> Job:
        return self.logic.job

    def choose_inputs(self) -> None:
        if hasattr(self.parameters, "live"):  # what runs by itself is tested on its own
            self.parameters.live = False
        for name, value in self.job.example_inputs().items():
            node, segment = example_node(value, name)
            parameter = self.logic.inputParameters[name]
            setattr(self.parameters, parameter, node)
            if segment and hasattr(self.parameters, parameter.replace("Segmentation", "Segment")):
                setattr(self.parameters, parameter.replace("Segmentation", "Segment"), segment)
            self.inputs.append(node)

    def apply(self) -> None:
        self.widget.bar.applyButton.click()

    def finish(self, within_s: float = 60) -> str:
        self.wait_until(lambda: not self.widget.runner.isBusy(), within_s, "the job's end")
        return self.widget.bar.statusLabel.text

    def outputs(self) -> dict[str, Any]:
        values = {name: getattr(self.parameters, name) for name in self.logic.outputNames()}
        return {name: value for name, value in values.items() if hasattr(value, "GetID")}


@pytest.fixture
def panel(slicer_app, load_module, wait_until) -> Callable[[str], Panel]:
    def load(name: str) -> Panel:
        return Panel(load_module(name), wait_until)

    return load


def scene_ids() -> list[str]:
    import slicer

    nodes = slicer.mrmlScene
    return sorted(nodes.GetNthNode(n).GetID() for n in range(nodes.GetNumberOfNodes()))


@pytest.fixture
def deaf_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    from DeepMRILib.panel import process

    monkeypatch.setattr(process, "workerCommand", lambda: [sys.executable, "-u", "-c", DEAF_WORKER])


@module_cases
def test_every_setting_has_a_widget_with_its_tooltip_and_every_binding_exists(name: str, panel) -> None:
    shown = panel(name)
    bound = {}
    for widget in vars(shown.widget.ui).values():
        parameter = widget.property("SlicerParameterName")
        if parameter:
            assert hasattr(shown.parameters, parameter), f"{parameter} is no parameter"
            bound[parameter] = widget
    for task in shown.logic.tasks:
        for setting in settings(task.job.options_type):
            if setting.name not in ("device", "model_folder"):
                assert bound[task.prefix + setting.name].toolTip == setting.tooltip


@module_cases
def test_every_node_selector_has_the_scene_and_a_tooltip(name: str, panel) -> None:
    import slicer

    selectors = [w for w in vars(panel(name).widget.ui).values() if w.className() == "qMRMLNodeComboBox"]
    assert selectors
    for selector in selectors:
        assert selector.mrmlScene() is slicer.mrmlScene
        assert selector.toolTip


@module_cases
def test_the_selectors_show_what_is_chosen(name: str, panel) -> None:
    shown = panel(name)
    shown.choose_inputs()
    for selector in (w for w in vars(shown.widget.ui).values() if w.className() == "qMRMLNodeComboBox"):
        assert selector.currentNode() is getattr(shown.parameters, selector.property("SlicerParameterName"))


@module_cases
def test_apply_says_what_is_missing_and_runs_once_it_is_there(name: str, panel) -> None:
    shown = panel(name)
    if not shown.job.inputs:
        pytest.skip("this job has no inputs")
    button = shown.widget.bar.applyButton
    assert not button.enabled
    assert button.toolTip.endswith(".")
    shown.choose_inputs()
    assert button.enabled


@module_cases
def test_apply_puts_the_results_into_the_scene_through_a_worker(name: str, panel) -> None:
    shown = panel(name)
    shown.choose_inputs()
    before, torch_before = scene_ids(), "torch" in sys.modules
    shown.apply()
    assert shown.widget.bar.applyButton.text == "Cancel"
    status = shown.finish()
    assert shown.outputs(), status
    assert len(scene_ids()) > len(before)
    assert shown.widget.bar.applyButton.text == "Apply"
    assert ("torch" in sys.modules) == torch_before
    for node in shown.outputs().values():
        if node.IsA("vtkMRMLVolumeNode"):
            assert node.GetDisplayNode() is not None


@module_cases
def test_outputs_lie_beside_the_input_under_its_transform(name: str, panel) -> None:
    import slicer

    shown = panel(name)
    shown.choose_inputs()
    moved = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    for node in shown.inputs:
        node.SetAndObserveTransformNodeID(moved.GetID())
        hierarchy.CreateItem(study, node)
    shown.apply()
    shown.finish()
    outputs = list(shown.outputs().values())
    displayed = [node for node in outputs if node.IsA("vtkMRMLDisplayableNode")]
    assert outputs
    for node in displayed:
        assert node.GetTransformNodeID() == moved.GetID()
    for node in displayed or outputs:  # some modules make tables alone
        item = hierarchy.GetItemByDataNode(node)
        assert study in (hierarchy.GetItemParent(item), hierarchy.GetItemParent(hierarchy.GetItemParent(item)))


@module_cases
def test_a_second_run_updates_the_same_nodes(name: str, panel) -> None:
    shown = panel(name)
    shown.choose_inputs()
    shown.apply()
    shown.finish()
    nodes, outputs = scene_ids(), {key: node.GetID() for key, node in shown.outputs().items()}
    shown.apply()
    shown.finish()
    assert scene_ids() == nodes
    assert {key: node.GetID() for key, node in shown.outputs().items()} == outputs


@module_cases
def test_the_panel_gives_what_the_job_gives_in_process(name: str, panel) -> None:
    import slicer

    shown = panel(name)
    shown.choose_inputs()
    shown.apply()
    shown.finish()
    first = {k: slicer.util.arrayFromVolume(n).copy() for k, n in shown.outputs().items() if n.IsA("vtkMRMLVolumeNode")}
    result = shown.job.run(shown.logic.collect(shown.parameters, shown.logic.frames(shown.parameters)[0]))
    shown.logic.deliver([result], shown.parameters)
    for key, array in first.items():
        assert np.array_equal(slicer.util.arrayFromVolume(shown.outputs()[key]), array), key


@module_cases
def test_cancel_leaves_the_scene_as_it_was(name: str, panel, deaf_worker) -> None:
    shown = panel(name)
    shown.choose_inputs()
    before = scene_ids()
    shown.apply()
    shown.apply()
    assert "Stopped" in shown.finish(5)
    assert scene_ids() == before
    assert shown.outputs() == {}


@module_cases
def test_a_killed_worker_is_a_message_and_the_scene_is_as_it_was(name: str, panel, deaf_worker) -> None:
    shown = panel(name)
    shown.choose_inputs()
    before = scene_ids()
    shown.apply()
    shown.wait_until(lambda: shown.widget.runner.workerPid() is not None, 20, "the worker")
    os.kill(shown.widget.runner.workerPid(), signal.SIGKILL)
    assert "signal 9" in shown.finish(5)
    assert scene_ids() == before
    assert shown.widget.bar.applyButton.enabled


@module_cases
def test_closing_the_scene_stops_the_job(name: str, panel, deaf_worker) -> None:
    import slicer

    shown = panel(name)
    shown.choose_inputs()
    shown.apply()
    shown.wait_until(lambda: shown.widget.runner.workerPid() is not None, 20, "the worker")
    worker = psutil.Process(shown.widget.runner.workerPid())
    slicer.mrmlScene.Clear(0)
    assert not shown.widget.runner.isBusy()
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert shown.widget.bar.applyButton.text == "Apply"


@module_cases
def test_deleting_an_input_stops_the_job(name: str, panel, deaf_worker) -> None:
    import slicer

    shown = panel(name)
    shown.choose_inputs()
    if not shown.inputs:
        pytest.skip("this job has no inputs")
    shown.apply()
    slicer.mrmlScene.RemoveNode(shown.inputs[0])
    assert not shown.widget.runner.isBusy()
    assert "deleted" in shown.widget.bar.statusLabel.text
    assert shown.outputs() == {}


@pytest.fixture
def library_kept() -> Iterator[None]:
    """Reload makes the library's classes anew; later tests get the ones that they have imported."""
    own = {key: module for key, module in sys.modules.items() if key.partition(".")[0] == "DeepMRILib"}
    yield
    for key in [key for key in sys.modules if key.partition(".")[0] == "DeepMRILib"]:
        del sys.modules[key]
    sys.modules.update(own)


@module_cases
def test_reload_stops_the_job_and_the_worker(name: str, library_kept, panel, deaf_worker) -> None:
    shown = panel(name)
    shown.choose_inputs()
    shown.apply()
    shown.wait_until(lambda: shown.widget.runner.workerPid() is not None, 20, "the worker")
    worker = psutil.Process(shown.widget.runner.workerPid())
    shown.loaded.reload()
    assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    again = Panel(shown.loaded, shown.wait_until)
    assert again.widget is not shown.widget


@module_cases
def test_settings_and_choices_survive_saving_and_loading(name: str, panel, tmp_path: Path) -> None:
    import slicer

    shown = panel(name)
    shown.choose_inputs()
    changed = {}
    for setting in settings(shown.job.options_type):
        value = another_value(setting)
        if value is not None and hasattr(shown.parameters, setting.name):
            setattr(shown.parameters, setting.name, value)
            changed[setting.name] = value
    assert changed
    inputs = {name: getattr(shown.parameters, name).GetName() for name in shown.logic.inputParameters.values()
              if hasattr(getattr(shown.parameters, name), "GetName")}  # fmt: skip
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(path)
    loaded = shown.logic.getParameterNode()
    assert {key: getattr(loaded, key) for key in changed} == changed
    assert {key: getattr(loaded, key).GetName() for key in inputs} == inputs


def another_value(setting: Any) -> Any:
    """A valid value that is not the default, as the parameter node keeps it."""
    if setting.choices:
        return next((choice for choice in setting.choices if choice != setting.default), None)
    if setting.length is not None or setting.kind not in (bool, int, float):
        return None
    if setting.kind is bool:
        return not setting.default
    low, high = setting.range or (setting.default, setting.default + 1)
    value = setting.kind((low + high) / 2)
    return value if value != setting.default else setting.kind(high)


@module_cases
def test_a_setting_chosen_in_its_widget_reaches_the_result(name: str, panel) -> None:
    shown = panel(name)
    shown.choose_inputs()
    for setting in settings(shown.job.options_type):
        if setting.kind in (int, float) and setting.length is None and hasattr(shown.parameters, setting.name):
            getattr(shown.widget.ui, f"{setting.name}Widget").setValue(another_value(setting))
            chosen = getattr(shown.logic.options(shown.parameters), setting.name)
            assert chosen == pytest.approx(another_value(setting), rel=1e-3)


@module_cases
def test_a_setting_that_cannot_be_read_is_a_sentence(name: str, panel) -> None:
    shown = panel(name)
    shown.choose_inputs()
    texts = [setting for setting in settings(shown.job.options_type) if setting.length is not None]
    if not texts:
        pytest.skip("this job has no setting of several values")
    before = scene_ids()
    setattr(shown.parameters, texts[0].name, "one two")
    shown.apply()
    assert "write numbers" in shown.widget.bar.statusLabel.text
    assert scene_ids() == before
    assert not shown.widget.runner.isBusy()


@module_cases
def test_the_panel_leaves_and_comes_back_while_a_job_runs(name: str, panel) -> None:
    shown = panel(name)
    shown.choose_inputs()
    shown.apply()
    shown.loaded.exit()
    shown.finish()
    shown.loaded.enter()
    assert shown.outputs()


@module_cases
def test_the_panel_can_be_read_in_both_themes(name: str, panel) -> None:
    shown = panel(name)
    shown.choose_inputs()
    folder = ROOT / "Testing" / "output"
    folder.mkdir(exist_ok=True)
    for dark in (False, True):
        path = folder / f"{name}-{'dark' if dark else 'light'}.png"
        shown.loaded.grab(path, dark=dark)
        assert contrast(path) > 4.5, "WCAG AA asks for 4.5 between text and background"


def contrast(path: Path) -> float:
    """The WCAG contrast ratio of the commonest colour of a picture, its background, and what differs most from it."""
    from PIL import Image

    colours = np.asarray(Image.open(path).convert("RGB")).reshape(-1, 3)
    values, counts = np.unique(colours, axis=0, return_counts=True)
    often = values[counts > 20] / 255  # letters, not single pixels
    linear = np.where(often <= 0.04045, often / 12.92, ((often + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722] + 0.05
    background = luminance[counts[counts > 20].argmax()]
    return float(max(background / luminance.min(), luminance.max() / background))


@module_cases
def test_the_modules_own_test_passes(name: str, panel) -> None:
    shown = panel(name)
    module = sys.modules[name]
    getattr(module, f"{name}Test")().runTest()
    del shown
    gc.collect()


@module_cases
def test_help_names_purpose_and_use_and_an_icon_is_there(name: str, panel) -> None:
    parent = panel(name).loaded.module.parent
    assert len(parent.title) > 3
    assert "research use" in parent.helpText.lower()
    assert parent.contributors
    assert parent.categories
    assert (ROOT / name / "Resources" / "Icons" / f"{name}.png").is_file()
