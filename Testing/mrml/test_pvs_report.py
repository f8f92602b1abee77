"""The result of a run read back from the scene, for its report."""

from __future__ import annotations

import numpy as np
import pvs_samples as samples
import pytest
import slicer
import slicer.util
from mrml_samples import throughBundle

from DeepMRILib.errors import InputError
from DeepMRILib.jobs import find_job, load
from DeepMRILib.mrml import pvs as nodes
from DeepMRILib.mrml.pvs_record import keepRecord, recordOf
from DeepMRILib.mrml.pvs_relabel import relabelSegmentation
from DeepMRILib.mrml.pvs_report import ANEW, resultFromNodes
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.pvs.engine import BOX
from DeepMRILib.pvs.options import RelabelOptions

pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def made(scene):
    return nodes.deliverResult(samples.result(), nodeFromVolume(samples.image(), "exam"))


def test_the_result_is_that_of_the_run(made) -> None:
    expected, found = samples.result(), resultFromNodes(made.segmentation)
    assert np.array_equal(found.probability.array, expected.probability.array)
    assert np.array_equal(found.clusters.array, expected.clusters.array)
    assert found.regions.names == expected.regions.names
    assert found.census.columns["region"] == expected.census.columns["region"]
    assert found.statistics.units == expected.statistics.units
    assert found.qc.columns == expected.qc.columns
    assert found.provenance.engine == "tubes of a test"


def test_another_threshold_is_in_it(made) -> None:
    relabelSegmentation(made.segmentation, RelabelOptions(0.3, min_size=10.0))
    found = resultFromNodes(made.segmentation)
    assert found.census.columns["voxels"] == [56, 28, 16]
    assert found.provenance.options["threshold"] == 0.3
    assert found.provenance.options["min_size"] == 10.0
    assert found.provenance.options["engine"] == "vesselness"


def test_the_box_of_1_mm_is_made_anew_where_it_is_not_in_memory(made) -> None:
    found = resultFromNodes(made.segmentation)
    assert ANEW in found.provenance.notes
    assert {name: volume.shape for name, volume in found.conformed.items()} == dict.fromkeys(
        ("t1_1mm", "brain_1mm", "regions_1mm", "probability_1mm", "segmentation_1mm"), BOX
    )
    before, after = found.probability, found.conformed["probability_1mm"]
    masses = [volume.array.sum() * volume.voxel_volume for volume in (before, after)]
    assert masses[1] == pytest.approx(masses[0], rel=0.1)
    centres = [
        volume.ras_from_voxel(np.average(np.argwhere(volume.array), axis=0, weights=volume.array[volume.array > 0]))
        for volume in (before, after)
    ]
    assert np.allclose(*centres, atol=0.3)


def test_the_box_of_the_run_is_taken_where_it_is_in_memory(made) -> None:
    boxed = resultFromNodes(made.segmentation).conformed
    found = resultFromNodes(made.segmentation, boxed)
    assert found.conformed["t1_1mm"] is boxed["t1_1mm"]
    assert ANEW not in found.provenance.notes


def test_a_saved_scene_has_its_report(made, scene, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    throughBundle(scene, tmp_path / "scene.mrb")
    result = resultFromNodes(slicer.util.getNode("exam PVS"))
    page = load(find_job("pvs.segment").report)(result).html()
    assert "Perivascular spaces" in page
    assert "tubes of a test".capitalize() in page
    assert "Right basal ganglia" in page
    assert page.count("<img") > 3


@pytest.mark.parametrize("what", ["image", "probability", "brain", "record", "box", "provenance"])
def test_what_is_gone_is_told(made, scene, what: str) -> None:
    record = recordOf(made.segmentation)
    if what == "image":
        scene.RemoveNode(slicer.util.getNode("exam"))
    elif what in ("probability", "brain"):
        scene.RemoveNode(made.probabilityMap if what == "probability" else made.brainMap)
    elif what == "record":
        made.segmentation.SetAttribute("DeepMRI.PVS", "")
    else:
        values = {**vars(record), **({"box": []} if what == "box" else {"provenance": {}})}
        keepRecord(made.segmentation, type(record)(**values))
    with pytest.raises(InputError, match="Press Apply"):
        resultFromNodes(made.segmentation)
