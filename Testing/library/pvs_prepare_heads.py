"""Whole heads in several contrasts, drawn from a label map of a real one: their brain is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import ndimage

from DeepMRILib.volume import Volume

TISSUES = {
    "white": (2, 41, 7, 46, 16, 28, 60, 85),
    "grey": (3, 42, 8, 47, 17, 18, 53, 54, 10, 49, 11, 12, 13, 26, 50, 51, 52, 58, 136, 137, 163, 164),
    "fluid": (4, 5, 14, 15, 24, 43, 44, 72, 25, 57, 30, 62),
    "skull": (515,), "marrow": (516,), "soft": (507,), "skin": (511,), "sinus": (514,),
    "nasal": (506, 508, 509, 502, 530), "cord": (512,),
}  # fmt: skip
CONTRASTS = {
    "t1": (1.0, 0.72, 0.25, 0.12, 0.8, 0.75, 0.45, 0.3, 0.5, 0.95),
    "t2": (0.4, 0.55, 1.0, 0.08, 0.5, 0.3, 0.4, 0.15, 0.6, 0.45),
    "flair": (0.6, 0.75, 0.15, 0.08, 0.5, 0.45, 0.4, 0.2, 0.4, 0.6),
}
"""Brightness of each tissue, in their order."""
_CLOSE = 4


def label_map(shared_data: Path) -> Volume:
    """SynthSeg's label map of a head, 256^3 voxels of 1 mm."""
    import nibabel

    loaded = nibabel.load(shared_data / "labels_synthseg" / "training_seg_01.nii.gz")
    return Volume(np.rint(np.asanyarray(loaded.dataobj)).astype(np.int16), loaded.affine)


def rendered(labels: Volume, contrast: str, seed: int) -> Volume:
    """The head with random brightness, coils' bias of +-30 %, texture, blur, 3 % Rician noise and any scale."""
    rng = np.random.default_rng(seed)
    table = np.zeros(600, dtype=np.float32)
    for brightness, numbers in zip(CONTRASTS[contrast], TISSUES.values(), strict=True):
        table[list(numbers)] = (
            brightness * (1 + 0.1 * rng.uniform(-1, 1)) * (1 + 0.03 * rng.standard_normal(len(numbers)))
        )
    image = table[labels.array]
    texture = ndimage.gaussian_filter(rng.standard_normal(image.shape).astype(np.float32), 1.5)
    texture /= texture.std()
    image *= 1 + texture * np.where(labels.array >= 500, np.float32(0.07), np.float32(0.02))
    bias = np.exp(ndimage.zoom(rng.uniform(-0.3, 0.3, (4, 4, 4)), 64, order=1)).astype(np.float32)
    image = ndimage.gaussian_filter(image, 0.6) * bias
    image = np.hypot(image + 0.03 * _noise(rng, image.shape), 0.03 * _noise(rng, image.shape))
    return Volume((image * 10 ** rng.uniform(0, 4)).astype(np.float32), labels.affine)


def true_brain(labels: Volume) -> np.ndarray:
    """The brain's tissue and ventricles with gaps up to 8 mm closed, bool."""
    tissue = (labels.array > 0) & (labels.array < 500) & (labels.array != 24)
    padded = np.pad(tissue, 10)
    grown = ndimage.distance_transform_edt(~padded) <= _CLOSE
    closed = ndimage.distance_transform_edt(grown) > _CLOSE
    return ndimage.binary_fill_holes(closed | padded)[10:-10, 10:-10, 10:-10]


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Dice's coefficient of two masks."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, dtype=np.float32)
