"""Files in which bytes were changed, lost or overwritten: read, or refused in one sentence, and never anything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from files_dicom_writer import write_classic, write_enhanced, write_mosaic

from DeepMRILib import files
from DeepMRILib.errors import DeepMRIError
from DeepMRILib.files.directions import unit
from DeepMRILib.volume import DiffusionVolume, Volume

DIGITS = np.frombuffer(b"0123456789-.() \n", np.uint8)


def a_series(rng: np.random.Generator) -> DiffusionVolume:
    b_values = np.array([0, 50, 800.0])
    directions = unit(rng.normal(size=(3, 3))) * (b_values > 0)[:, None]
    array = rng.integers(0, 3000, (4, 5, 3, 3)).astype(np.int16)
    return DiffusionVolume(array, np.diag([2.0, 2, 3, 1]), b_values, directions)


def _meta_image(folder: Path) -> Path:
    itk = pytest.importorskip("SimpleITK")
    itk.WriteImage(itk.GetImageFromArray(np.ones((3, 4, 5), np.int16)), str(folder / "a.mha"))
    return folder / "a.mha"


def _written(name: str) -> Callable[[Path, np.random.Generator], Path]:
    def write(folder: Path, rng: np.random.Generator) -> Path:
        files.write_diffusion(a_series(rng), folder / name)
        return folder / name

    return write


def _enhanced(folder: Path, rng: np.random.Generator) -> Path:
    write_enhanced(folder / "e.dcm", a_series(rng), rng=rng)
    return folder / "e.dcm"


@pytest.mark.filterwarnings("ignore")  # pydicom's and nibabel's remarks on what they meet
@pytest.mark.parametrize(
    ("write", "header"),
    [
        (_written("a.nii"), 352),
        (_written("a.nii.gz"), 400),
        (_written("a.nrrd"), 600),
        (lambda folder, _: _meta_image(folder), 250),
        (_enhanced, 6000),
        (lambda folder, rng: write_classic(folder / "c", a_series(rng), "siemens_csa")[4], 2000),
        (lambda folder, rng: write_mosaic(folder / "m", a_series(rng))[0], 2000),
    ],
    ids=["nii", "nii.gz", "nrrd", "mha", "enhanced", "classic", "mosaic"],
)
def test_damage_ends_in_an_image_or_in_a_sentence(
    tmp_path: Path, rng: np.random.Generator, write: Callable[[Path, np.random.Generator], Path], header: int
) -> None:
    whole = write(tmp_path, rng)
    content, damaged = whole.read_bytes(), whole.with_name(f"x{whole.name}")
    sentences = []
    for _ in range(150):
        changed = bytearray(content)
        for place in rng.integers(0, min(header, len(content)) - 8, rng.integers(1, 6)):
            kind = rng.integers(3)
            changed[place : place + 1] = (
                b"" if kind == 0 else bytes([rng.integers(256) if kind == 1 else rng.choice(DIGITS)])
            )
        damaged.write_bytes(changed)
        try:
            assert isinstance(files.read_volume(damaged, components=True), Volume)
        except DeepMRIError as error:
            sentences.append(str(error))
    assert 10 < len(sentences) <= 150
    assert not [sentence for sentence in sentences if "\n" in sentence or len(sentence) > 800]
