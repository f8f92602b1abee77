"""Readers of the real data that tests and benchmarks share; none of it is in the repository."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from DeepMRILib import files
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

DATA = Path(os.environ.get("DEEPMRI_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ABDOMEN_REGIONS = {1: "pancreas", 2: "liver", 3: "kidney", 4: "spleen"}
BIPOLAR = 1


@dataclass(frozen=True)
class Abdomen:
    """One volunteer of Wetscherek et al., MRM 2015: one slice, bipolar gradients, all diffusion times.

    Attributes:
        series: (i, j, 1, 9) mean over directions and repeats of each b-value.
        regions: organ regions drawn by the authors.
        upstream: their maps D (mm2/s) and f, (i, j).
    """

    series: DiffusionVolume
    regions: LabelVolume
    upstream: dict[str, NDArray]


def abdomen(volunteer: int, folder: Path = DATA) -> Abdomen:
    """Read volunteer 1 to 4."""
    scan = loadmat(folder / "ivim_abdomen" / f"volunteer{volunteer}.mat")
    maps = loadmat(folder / "ivim_abdomen" / f"maps_volunteer{volunteer}.mat")
    b, gradient = scan["b"].ravel().astype(float), scan["betta"].ravel()
    chosen = (gradient == BIPOLAR) | (b == 0)
    distinct = np.unique(b[chosen])
    images = [scan["data"][chosen & (b == value)].mean(axis=0, dtype=np.float64) for value in distinct]
    array = np.stack(images, axis=-1)[:, :, None, :].astype(np.float32)
    regions = LabelVolume(scan["rois"].astype(np.int16)[:, :, None], np.eye(4), ABDOMEN_REGIONS)
    upstream = {"D": maps["D"].astype(float) * 1e-3, "f": maps["f"].astype(float)}  # theirs is in um2/ms
    return Abdomen(DiffusionVolume(array, np.eye(4), distinct), regions, upstream)


@dataclass(frozen=True)
class ReferenceSignals:
    """The task force's signals of known tissues (OSIPI TF2.4): noise of sd 5e-4 on S0 = 1.

    Attributes:
        b: (n_b,) s/mm2.
        signals: (n, n_b).
        truth: "D", "f", "D_star" to (n,).
        tissues: their names.
    """

    b: NDArray
    signals: NDArray
    truth: dict[str, NDArray]
    tissues: tuple[str, ...]

    def series(self) -> DiffusionVolume:
        """The signals as one row of voxels."""
        return DiffusionVolume(self.signals[:, None, None, :].astype(np.float32), np.eye(4), self.b)


def osipi(folder: Path = DATA) -> ReferenceSignals:
    """The 14 abdominal tissues."""
    content = json.loads((folder / "ivim_osipi" / "generic.json").read_text(encoding="utf-8"))
    b = np.array(content.pop("config")["bvalues"], dtype=float)
    truth = {
        name: np.array([tissue[key] for tissue in content.values()])
        for name, key in (("D", "D"), ("f", "f"), ("D_star", "Dp"))
    }
    return ReferenceSignals(b, np.array([tissue["data"] for tissue in content.values()]), truth, tuple(content))


@dataclass(frozen=True)
class Cord:
    """A spinal cord at 7 T (Levy et al.): 11 b-values from 5 on, diffusion right to left.

    Attributes:
        series: (i, j, k, 11).
        mask: the cord and a margin.
        reference: the toolbox's maps "D", "f", "D_star", "R2" (i, j, k); kept by it in 8 bits.
    """

    series: DiffusionVolume
    mask: Volume
    reference: dict[str, NDArray]


REFERENCE_CORD_D_STAR = (0.00015, 0.0373)
"""Lowest and highest D* in the toolbox's map, its bounds."""


def cord(folder: Path = DATA) -> Cord:
    """Read it."""
    place = folder / "ivim_cord7T"
    names = {"D": "D", "f": "Fivim", "D_star": "Dstar", "R2": "R2"}
    maps = {
        name: nibabel.load(place / "reference_maps_rl" / f"{file}_map.nii.gz").get_fdata()
        for name, file in names.items()
    }
    series = files.read_diffusion(place / "dwi_rl.nii.gz", b_values=place / "bval_rl.txt")
    return Cord(series, files.read_volume(place / "cord_seg_dilated.nii.gz"), maps)


@dataclass(frozen=True)
class Lesion:
    """An image with a lesion that is known.

    Attributes:
        name: of the case.
        image: (i, j, k).
        truth: on the same grid, 1 inside.
        points: six points (6, 3) in RAS mm where they come with the data, else None.
    """

    name: str
    image: Volume
    truth: LabelVolume
    points: NDArray | None = None


def lesion_phantoms(folder: Path = DATA) -> list[Lesion]:
    """The twelve stored phantoms with their points."""
    found = []
    for path in sorted((folder / "lesion_phantoms").glob("*.npz")):
        with np.load(path) as stored:  # axes, spacing and points as z, y, x
            affine = np.diag([*stored["spacing"][::-1].astype(float), 1.0])
            image = Volume(stored["image"].transpose(2, 1, 0), affine)
            truth = LabelVolume(stored["label"].transpose(2, 1, 0).astype(np.uint8), affine, {1: "lesion"})
            found.append(Lesion(path.stem, image, truth, image.ras_from_voxel(stored["points"][:, ::-1])))
    return found


def real_lesions(folder: Path = DATA) -> list[Lesion]:
    """A glioma (T1 with contrast, 6.5 mm slices), a breast lesion, and one painted into a real cord T2."""
    places = {
        "brain1": ("seg_pyradiomics_mr/brain1_image.nrrd", "seg_pyradiomics_mr/brain1_label.nrrd"),
        "breast1": ("seg_pyradiomics_mr/breast1_image.nrrd", "seg_pyradiomics_mr/breast1_label.nrrd"),
        "cord": ("seg_sct_cord/t2_fake_lesion.nii.gz", "seg_sct_cord/t2_fake_lesion_lesion_seg.nii.gz"),
    }
    found = []
    for name, (image, label) in places.items():
        truth = files.read_labels(folder / label)
        inside = (truth.array > 0).astype(np.uint8)
        found.append(Lesion(name, files.read_volume(folder / image), LabelVolume(inside, truth.affine, {1: name})))
    return found
