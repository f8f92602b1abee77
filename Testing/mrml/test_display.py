"""How maps look, and what they say they measure."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import throughBundle, volumeNode

from DeepMRILib.errors import InputError
from DeepMRILib.mrml.codes import QUANTITY_CODES, UNIT_CODES, setQuantity
from DeepMRILib.mrml.display import colourNode, robustRange, showMap
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")


def test_colours_and_window():
    node = volumeNode()
    showMap(node, "Viridis", (0.5, 2.5))
    display = node.GetDisplayNode()
    assert display.GetColorNode().GetName() == "Viridis"
    assert not display.GetAutoWindowLevel()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.5, 2.5)


@pytest.mark.parametrize("name", ["Full Rainbow", "fullrainbow", "FullRainbow", "vtkMRMLColorTableNodeFullRainbow"])
def test_colours_are_found_however_they_are_written(name):
    assert colourNode(name).GetName() == "FullRainbow"


def test_unknown_colours_become_grey():
    assert colourNode("no such colours") is None
    node = volumeNode()
    showMap(node, "no such colours", (0, 1))
    assert node.GetDisplayNode().GetColorNode().GetName() == "Grey"


def test_name_of_a_node_of_another_kind_is_no_colour():
    node = volumeNode(name="Viridis")
    assert colourNode("Viridis").IsA("vtkMRMLColorNode")
    assert colourNode(node.GetID()) is None


def test_window_leaves_out_the_background_and_the_extremes():
    values = np.zeros(10000)
    values[:1000] = np.linspace(1, 2, 1000)
    values[0], values[1] = 1e6, np.nan
    low, high = robustRange(nodeFromVolume(Volume(values.reshape(10, 10, 100)), "map"))
    assert 1 < low < 1.05
    assert 1.95 < high <= 2


@pytest.mark.parametrize("value", [0.0, 7.0, -3.0])
def test_constant_maps_have_a_window(value):
    node = nodeFromVolume(Volume(np.full((3, 3, 3), value)), "flat")
    showMap(node)
    display = node.GetDisplayNode()
    assert display.GetWindowLevelMin() <= value <= display.GetWindowLevelMax()
    assert display.GetWindow() > 0


def test_window_upside_down():
    with pytest.raises(InputError, match="upper end must be higher"):
        showMap(volumeNode(), window=(2, 1))


def test_codes_are_those_of_the_standard():
    """Against the dictionary that pydicom makes from DICOM PS3.16."""
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts
    for tables, scheme in ((QUANTITY_CODES, "DCM"), (UNIT_CODES, "UCUM")):
        known = {code: meaning for entry in concepts[scheme].values() for code, (meaning, _cids) in entry.items()}
        for value, designator, meaning in tables.values():
            assert designator == scheme
            assert known[value] == meaning


def test_quantity_survives_a_bundle(scene, tmp_path):
    node = volumeNode(name="D map")
    setQuantity(node, "D", "mm2/s")
    showMap(node, "Inferno", (0, 0.003))
    throughBundle(scene, tmp_path / "scene.mrb")
    node = slicer.util.getNode("D map")
    assert node.GetVoxelValueQuantity().GetCodeValue() == "113291"
    assert node.GetVoxelValueUnits().GetAsPrintableString() == '(mm2/s, UCUM, "mm2/s")'
    assert node.GetDisplayNode().GetColorNode().GetName() == "Inferno"
    assert node.GetDisplayNode().GetWindow() == pytest.approx(0.003)


def test_map_without_a_code_keeps_none():
    node = volumeNode()
    setQuantity(node, "f", "1")
    assert node.GetVoxelValueUnits().GetCodeMeaning() == "no units"
    setQuantity(node, "RMSE")
    assert node.GetVoxelValueQuantity() is None
    assert node.GetVoxelValueUnits() is None
