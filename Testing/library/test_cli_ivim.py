"""``deepmri ivim fit`` with bad input of every kind: one sentence, exit code 2, nothing written."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import cli, files
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.volume import Volume


def refused(capsys: pytest.CaptureFixture, folder: Path, *arguments: object) -> str:
    """The sentence with which the command line refuses; it must write nothing."""
    before = sorted(folder.rglob("*"))
    code = cli.main(["ivim", "fit", *map(str, arguments)])
    error = capsys.readouterr().err
    assert code == 2, error
    lines = [line for line in error.splitlines() if line.startswith("deepmri: ")]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    assert sorted(folder.rglob("*")) == before
    return lines[0]


def test_b_values_missing_names_the_places_and_the_option(dwi: Path, tmp_path: Path, capsys) -> None:
    dwi.with_name("dwi.bval").unlink()
    message = refused(capsys, tmp_path, dwi, "-o", tmp_path / "out")
    assert "dwi.bval" in message
    assert "--bvals" in message


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("0,100,500", "3 b-values"),
        ("7,7,7,7,7,7,7,7,7", "All b-values are 7"),
        ("0,-5,10,20,30,40,50,60,70", "-5"),
        ("0,0,0,100,100,100,500,500,500", "at least 4 distinct"),
        ("nowhere.bval", "nowhere.bval"),
    ],
)
def test_bad_b_values(dwi: Path, tmp_path: Path, capsys, typed: str, words: str) -> None:
    assert words in refused(capsys, tmp_path, dwi, f"--bvals={typed}", "-o", tmp_path / "out")


def test_a_bad_sidecar(dwi: Path, tmp_path: Path, capsys) -> None:
    dwi.with_name("dwi.bval").write_text("0 10 twenty 40 80 150 300 500 800")
    assert "twenty" in refused(capsys, tmp_path, dwi, "-o", tmp_path / "out")


def test_a_3d_image(dwi: Path, tmp_path: Path, capsys) -> None:
    series = fit_inputs()["volume"]
    flat = tmp_path / "in" / "flat.nii.gz"
    files.write_volume(Volume(series.array[..., 0], series.affine), flat)
    assert "3D" in refused(capsys, tmp_path, flat, "--bvals", "0,1,2,3", "-o", tmp_path / "out")


def test_nan_everywhere(dwi: Path, tmp_path: Path, capsys) -> None:
    series = fit_inputs()["volume"]
    files.write_diffusion(series.with_array(np.full_like(series.array, np.nan)), dwi)
    assert "NaN or infinite everywhere" in refused(capsys, tmp_path, dwi, "-o", tmp_path / "out")


@pytest.mark.parametrize("kind", ["empty", "elsewhere", "other size", "4D"])
def test_bad_masks(dwi: Path, tmp_path: Path, capsys, kind: str) -> None:
    series = fit_inputs()["volume"]
    shape, affine = series.shape, series.affine.copy()
    if kind == "elsewhere":
        affine[2, 3] += 7
    shape = {"other size": (12, 10, 5), "4D": (*shape, 2)}.get(kind, shape)
    mask = tmp_path / "in" / "mask.nii.gz"
    files.write_volume(Volume(np.full(shape, kind != "empty"), affine), mask)
    words = {"empty": "mask is empty", "elsewhere": "elsewhere in space", "other size": "12 x 10 x 5", "4D": "4D"}[kind]
    assert words in refused(capsys, tmp_path, dwi, "--mask", mask, "-o", tmp_path / "out")


@pytest.mark.parametrize("kind", ["truncated", "wrong magic", "text", "not gzip", "empty"])
def test_damaged_files(dwi: Path, tmp_path: Path, capsys, kind: str) -> None:
    whole = dwi.read_bytes()
    content = {
        "truncated": whole[: len(whole) // 2],
        "wrong magic": gzip.compress(b"\x00" * 352 + gzip.decompress(whole)[352:]),
        "text": gzip.compress(b"hello"),
        "not gzip": b"hello",
        "empty": b"",
    }[kind]
    dwi.write_bytes(content)
    assert "dwi.nii.gz" in refused(capsys, tmp_path, dwi, "-o", tmp_path / "out")


def test_places_that_cannot_be_written(dwi: Path, tmp_path: Path, capsys) -> None:
    assert "does not exist" in refused(capsys, tmp_path, dwi, "-o", tmp_path / "no" / "out")
    locked = Path("/sys") if os.geteuid() == 0 else tmp_path / "locked"
    if locked != Path("/sys"):
        locked.mkdir(mode=0o500)
    message = refused(capsys, tmp_path, dwi, "-o", locked / "out")
    assert "right to write" in message or "read-only" in message
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("years")
    assert "not a result of DeepMRI" in refused(capsys, tmp_path, dwi, "-o", other, "--overwrite")


def test_a_folder_without_dicom(dwi: Path, tmp_path: Path, capsys) -> None:
    assert "DICOM" in refused(capsys, tmp_path, tmp_path / "in", "-o", tmp_path / "out")


def test_settings_out_of_range(dwi: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert "between 0 and 0.9" in refused(capsys, tmp_path, dwi, "--background", "2", "-o", out)
    assert "bounds of D" in refused(
        capsys, tmp_path, dwi, "--body-part", "custom", "--D-bounds", "0.003", "0.001", "-o", out
    )
    assert "--method" in refused(capsys, tmp_path, dwi, "--method", "magic", "-o", out)
