"""Where the header of a volume node is: the DICOM database, its own files, a sidecar, or kept with the node."""

from __future__ import annotations

import json
import os
from pathlib import Path

import iap_samples as samples
import numpy as np
import pytest
import slicer

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.iap.header import read_header
from DeepMRILib.iap.series import read_series
from DeepMRILib.mrml.iap_headers import HEADER_ATTRIBUTE, dicomFiles, findHeader, keepHeader, keptHeader, sidecarOf
from DeepMRILib.mrml.iap_inputs import isReversed, likelySeries, originalFiles, predictInputs
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A DICOM series of five slices."""
    return samples.dicomFolder(tmp_path)


@pytest.fixture
def database(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The DICOM database with that series."""
    from slicerapp.dicom_database import DicomDatabase

    made = DicomDatabase(sorted(folder.iterdir()))
    monkeypatch.setattr(slicer, "dicomDatabase", made, raising=False)
    return made


@pytest.fixture
def node(folder: Path, database):
    """The series as Slicer's scalar volume plugin leaves it: without the files it was read from."""
    loaded = nodeFromVolume(files.read_volume(folder), "series")
    uids = [database.instanceForFile(str(path)) for path in sorted(folder.iterdir())]
    loaded.SetAttribute("DICOM.instanceUIDs", " ".join(uids))
    return loaded


def test_the_database_is_asked_for_the_files_of_the_slices(node, folder: Path) -> None:
    found = findHeader(node)
    assert (found.kind, found.path) == ("dicom", folder / "0001.dcm")
    assert dicomFiles(node) == sorted(folder.iterdir())
    inputs = predictInputs(node)
    assert read_header(inputs["header"]).values["echo_time"] == samples.series().values()["echo_time"]
    assert np.array_equal(inputs["data"].array, volumeFromNode(node).array)


def test_a_series_item_of_the_subject_hierarchy_leads_to_the_files(node, folder: Path, database) -> None:
    from DeepMRILib.mrml.hierarchy import itemOf

    node.RemoveAttribute("DICOM.instanceUIDs")
    assert findHeader(node).kind == "none"
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    (series,) = database._series
    hierarchy.SetItemUID(itemOf(node), slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName(), series)
    assert findHeader(node).kind == "dicom"
    assert len(dicomFiles(node)) == 5


@pytest.mark.parametrize("uids", ["Unknown", "1.2.3", ""])
def test_instances_that_the_database_does_not_know_are_no_header(node, uids: str) -> None:
    node.SetAttribute("DICOM.instanceUIDs", uids)
    assert findHeader(node).kind == "none"
    with pytest.raises(InputError, match="The DICOM files of series are not known"):
        originalFiles(node)


def test_without_a_database_there_is_none_to_ask(node, monkeypatch) -> None:
    monkeypatch.delattr(slicer, "dicomDatabase")
    assert findHeader(node).kind == "none"


def test_files_that_are_gone_are_no_header(node, folder: Path) -> None:
    (folder / "0003.dcm").unlink()
    assert findHeader(node).kind == "dicom"
    assert dicomFiles(node) == []
    (folder / "0001.dcm").unlink()
    assert findHeader(node).kind == "none"


def test_dicom_files_that_were_loaded_without_the_database_are_found(folder: Path) -> None:
    loaded = samples.loadDicom(folder)
    assert findHeader(loaded).kind == "dicom"
    assert dicomFiles(loaded) == sorted(folder.iterdir())


def test_the_sidecar_next_to_the_file_is_found(tmp_path: Path) -> None:
    path = samples.imageWithSidecar(tmp_path)
    loaded = slicer.modules.volumes.logic().AddArchetypeVolume(str(path), "scan", 0)
    found = findHeader(loaded)
    assert (found.kind, found.path) == ("sidecar", path.with_name(path.name.replace(".nii.gz", ".json")))
    assert read_header(found.path).values["repetition_time"] == pytest.approx(
        samples.series().values()["repetition_time"]
    )
    found.path.unlink()
    assert sidecarOf(loaded) is None
    assert findHeader(loaded).kind == "none"


def test_a_chosen_file_comes_first(node, tmp_path: Path) -> None:
    sidecar = tmp_path / "mine.json"
    sidecar.write_text('{"EchoTime": 0.05}')
    found = findHeader(node, str(sidecar))
    assert (found.kind, found.path) == ("chosen", sidecar)
    with pytest.raises(InputError, match="There is no file"):
        findHeader(node, tmp_path / "nowhere.json")
    with pytest.raises(InputError, match="There is no file"):
        findHeader(node, "x" * 5000)


def test_a_header_is_kept_with_a_node_that_has_no_file(tmp_path: Path) -> None:
    node = nodeFromVolume(samples.volume(), "simulated")
    header = read_header(samples.dicomFolder(tmp_path) / "0001.dcm")
    keepHeader(node, header)
    path = str(tmp_path / "scene.mrb")
    assert slicer.mrmlScene.WriteToMRB(path)
    slicer.mrmlScene.Clear(0)
    assert slicer.mrmlScene.ReadFromMRB(path)
    read = slicer.util.getNode("simulated")
    assert findHeader(read).kind == "kept"
    kept = keptHeader(read)
    assert kept.values == header.values
    assert (kept.series, kept.patient, kept.description) == (header.series, header.patient, header.description)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"values": 3}',
        '{"values": {"echo": 3}}',
        '{"values": {"echo_time": "long"}}',
        '{"values": {"echo_time": true}}',
        '{"values": {"sequence": 3}}',
        "[" * 100_000,
    ],
)
def test_a_damaged_header_is_one_sentence(text: str) -> None:
    node = nodeFromVolume(samples.volume(), "simulated")
    node.SetAttribute(HEADER_ATTRIBUTE, text)
    with pytest.raises(InputError, match=f"The attribute {HEADER_ATTRIBUTE} of simulated is no header"):
        keptHeader(node)


def test_a_header_can_be_written_by_hand() -> None:
    node = nodeFromVolume(samples.volume(), "mine")
    node.SetAttribute(HEADER_ATTRIBUTE, json.dumps({"values": {"echo_time": 90, "sequence": "SE"}}))
    values = keptHeader(node).values
    assert (values["echo_time"], values["sequence"], values["flip_angle"]) == (90.0, "SE", None)


def test_original_pixels_are_those_of_the_files(node, folder: Path, tmp_path: Path) -> None:
    inputs = predictInputs(node, original=True)
    assert inputs["data"] == folder.resolve()
    assert inputs["header"] is None  # the files bring it, with what differs between them
    stack = read_series(inputs["data"])
    for number in range(5):
        assert np.array_equal(stack.slices[number], volumeFromNode(node).array[..., number].T)
    assert not isReversed(node)


def test_files_that_lie_among_others_are_brought_together(node, folder: Path, tmp_path: Path) -> None:
    other = samples.dicomFolder(tmp_path / "other", samples.series(seed=1))
    for path in other.iterdir():
        path.rename(folder / f"other-{path.name}")
    with pytest.raises(InputError, match="lie among others"):
        predictInputs(node, original=True)
    place = tmp_path / "place"
    place.mkdir()
    source = predictInputs(node, original=True, place=place)["data"]
    assert source == place
    assert read_series(source).count == 5


@pytest.mark.parametrize("refused", [("symlink",), ("symlink", "link")])
def test_where_links_cannot_be_made_files_are_copied(node, folder, tmp_path, monkeypatch, refused) -> None:
    def refuse(*given: object) -> None:
        raise OSError("no right")

    for name in refused:
        monkeypatch.setattr(os, name, refuse)
    (folder / "other.txt").write_text("another file")
    place = tmp_path / "place"
    place.mkdir()
    assert read_series(predictInputs(node, original=True, place=place)["data"]).count == 5


def test_a_single_file_needs_no_folder(tmp_path: Path) -> None:
    folder = samples.dicomFolder(tmp_path, samples.series(slices=1))
    node = samples.loadDicom(folder)
    (folder / "other.txt").write_text("another file")
    assert predictInputs(node, original=True)["data"] == (folder / "0001.dcm").resolve()


def test_a_volume_that_was_turned_round_counts_from_the_other_end(folder: Path) -> None:
    volume = files.read_volume(folder)
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 2] * (volume.shape[2] - 1)
    affine[:3, 2] *= -1
    turned = nodeFromVolume(Volume(np.ascontiguousarray(volume.array[..., ::-1]), affine), "turned")
    assert isReversed(turned)


def test_a_series_with_a_header_is_likelier() -> None:
    plain = nodeFromVolume(samples.volume(), "plain")
    assert likelySeries() is plain
    shown = nodeFromVolume(samples.volume(), "what decides")
    shown.SetAttribute("DeepMRI.Map", "iap saliency")
    kept = nodeFromVolume(samples.volume(), "with header")
    kept.SetAttribute(HEADER_ATTRIBUTE, '{"values": {}}')
    assert likelySeries() is kept
    slicer.mrmlScene.Clear(0)
    assert likelySeries() is None


@pytest.mark.parametrize(
    ("given", "sentence"), [(None, "There is no image"), ("several", "has several values per voxel")]
)
def test_what_is_no_series_is_one_sentence(given, sentence: str) -> None:
    node = given and nodeFromVolume(Volume(np.zeros((4, 4, 3, 3), np.uint8), np.eye(4)), "colour")
    with pytest.raises(InputError, match=sentence):
        predictInputs(node)
