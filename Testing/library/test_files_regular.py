"""Only files that end are opened: a pipe or a device, wherever it is named or found, is a sentence or passed over."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from files_dicom_writer import write_classic
from test_files_damage import a_series

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")

READERS: dict[str, Callable[[Path], object]] = {
    "a.nii.gz": files.read_volume,
    "a.nii": files.read_diffusion,
    "a.nrrd": files.read_labels,
    "b.nrrd": files.label_names,
    "a.mha": files.read_volume,
    "a": files.read_volume,
    "a.npy": files.read_array,
    "a.csv": files.read_points,
    "a.bval": files.read_b_values,
    "a.bvec": files.read_directions,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("target", ["pipe", "/dev/zero"])
def test_a_pipe_or_a_device_is_refused(tmp_path: Path, name: str, target: str) -> None:
    if target == "pipe":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to(target)
    with pytest.raises(InputError, match="is a pipe or a device"):
        READERS[name](tmp_path / name)


def test_pipes_and_links_to_nowhere_in_a_dicom_folder_are_passed_over(tmp_path: Path, rng: np.random.Generator) -> None:
    write_classic(tmp_path / "d", a_series(rng), "siemens_csa")
    os.mkfifo(tmp_path / "d" / "pipe")
    (tmp_path / "d" / "zero").symlink_to("/dev/zero")
    (tmp_path / "d" / "nowhere").symlink_to(tmp_path / "gone")
    assert files.read_diffusion(tmp_path / "d").array.shape == (4, 5, 3, 3)


def test_pipes_beside_an_image_are_no_sidecars(tmp_path: Path) -> None:
    files.write_volume(Volume(np.ones((2, 2, 2, 2)), np.eye(4)), tmp_path / "a.nii.gz")
    os.mkfifo(tmp_path / "a.bval")
    os.mkfifo(tmp_path / "a.tsv")
    with pytest.raises(InputError, match="There are no b-values for a.nii.gz"):
        files.read_diffusion(tmp_path / "a.nii.gz")
    assert files.label_names(tmp_path / "a.nii.gz") == {}


def test_a_table_is_read_to_a_limit_whatever_its_size_is_said_to_be(tmp_path: Path) -> None:
    from DeepMRILib.files.paths import read_text

    (tmp_path / "t.txt").write_text("0" * 101)
    assert read_text(tmp_path / "t.txt", 101) == "0" * 101
    with pytest.raises(InputError, match="t.txt is too large for a table"):
        read_text(tmp_path / "t.txt", 100)
