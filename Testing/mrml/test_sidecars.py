"""b-values in a text file beside the image: read once, and again as soon as anything has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import slicer
from mrml_samples import SHAPE, noise

from DeepMRILib.files import bvalues as bvalueFiles
from DeepMRILib.mrml import sidecars
from DeepMRILib.mrml.bvalues import findBValues
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.usefixtures("scene")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read."""
    paths: list[Path] = []
    read = bvalueFiles.read_b_values
    monkeypatch.setattr(bvalueFiles, "read_b_values", lambda path: paths.append(path) or read(path))
    sidecars._entries.clear()
    return paths


def _write(path: Path, text: str, age_s: float = 60) -> None:
    """A file as of a minute ago, in a folder that has been still for as long."""
    path.write_text(text)
    _age(path, age_s)


def _age(path: Path, age_s: float) -> None:
    for place in (path, path.parent):
        os.utime(place, (time.time() - age_s,) * 2)


def _loaded(path: Path):
    """A series of three images that says it was loaded from ``path``."""
    node = nodeFromVolume(Volume(noise(*SHAPE, 3)), "series")
    node.AddDefaultStorageNode()
    node.GetStorageNode().SetFileName(str(path))
    return node


def test_a_file_is_read_once(tmp_path, reads):
    _write(tmp_path / "dwi.bval", "0 50 800")
    node = _loaded(tmp_path / "dwi.nii.gz")
    for _ in range(5):
        values, place = findBValues(node)
        assert np.array_equal(values, [0, 50, 800])
        assert place == "dwi.bval"
        values[:] = -1
    assert reads == [tmp_path / "dwi.bval"]


def test_a_changed_file_is_seen(tmp_path, reads):
    _write(tmp_path / "dwi.bval", "0 50 800")
    node = _loaded(tmp_path / "dwi.nii")
    findBValues(node)
    # As long as before, and with the folder's time as it was: only the file's own time tells.
    _write(tmp_path / "dwi.bval", "0 70 900", age_s=30)
    _age(tmp_path, 60)
    assert np.array_equal(findBValues(node)[0], [0, 70, 900])


def test_a_file_changed_twice_within_a_tick_of_the_clock_is_seen(tmp_path, reads):
    path = tmp_path / "dwi.bval"
    path.write_text("0 50 800")
    node = _loaded(tmp_path / "dwi.nii")
    findBValues(node)
    state = path.stat()
    path.write_text("0 70 900")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert np.array_equal(findBValues(node)[0], [0, 70, 900])


def test_a_file_that_comes_or_goes_is_seen(tmp_path, reads):
    node = _loaded(tmp_path / "dwi.nii")
    _age(tmp_path, 60)
    assert findBValues(node)[0] is None
    assert sidecars._entries
    _write(tmp_path / "bvals", "0 50 800", age_s=50)
    assert findBValues(node)[1] == "bvals"
    _write(tmp_path / "dwi.bval", "0 70 900", age_s=40)
    assert findBValues(node)[1] == "dwi.bval"
    (tmp_path / "dwi.bval").unlink()
    assert findBValues(node)[1] == "bvals"


def test_a_node_with_another_file_or_another_number_of_images_is_seen(tmp_path, reads):
    _write(tmp_path / "one.bval", "0 50 800")
    _write(tmp_path / "two.bval", "0 70 900")
    node = _loaded(tmp_path / "one.nii")
    assert findBValues(node)[1] == "one.bval"
    node.GetStorageNode().SetFileName(str(tmp_path / "two.nii"))
    assert np.array_equal(findBValues(node)[0], [0, 70, 900])
    nodeFromVolume(Volume(noise(*SHAPE, 4)), "", existing=node)
    values, place = findBValues(node)
    assert values is None
    assert "3 b-values for 4 images (found in two.bval)" in place


def test_a_bad_file_is_named_and_seen_once_it_is_mended(tmp_path, reads):
    _write(tmp_path / "dwi.bval", "0 fifty 800")
    node = _loaded(tmp_path / "dwi.nii")
    for _ in range(2):
        assert "dwi.bval contains 'fifty'" in findBValues(node)[1]
    assert len(reads) == 1
    _write(tmp_path / "dwi.bval", "0 50 800", age_s=30)
    assert np.array_equal(findBValues(node)[0], [0, 50, 800])


def test_what_is_remembered_stays_small(tmp_path, reads):
    _age(tmp_path, 60)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    node.AddDefaultStorageNode()
    for n in range(3 * sidecars.MOST_KEPT):
        node.GetStorageNode().SetFileName(str(tmp_path / f"{n}.nii"))
        sidecars.sidecarBValues(node)
    assert len(sidecars._entries) == sidecars.MOST_KEPT
