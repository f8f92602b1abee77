"""A model whose answers can be worked out by hand, and small series to ask it about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import iap
from DeepMRILib.files import write_volume
from DeepMRILib.iap.outside import limit_of, reference
from DeepMRILib.volume import Volume

SIZE = 40


class HalvesModel:
    """Left half brighter: SIEMENS, else GE, the surer the greater the difference; echo time and its deviation from the
    mean of the upper half; the inversion time has a meaning for GE alone.
    """

    name = "halves"
    notes = ("A model for tests.",)
    training_data = "slices of two halves"
    weights_sha256 = "ab" * 32

    def __init__(self, calibrated: bool = True) -> None:
        self.layout = iap.Layout(
            (
                iap.Head("manufacturer", "categorical", 0, 3, ("GE", "PHILIPS", "SIEMENS")),
                iap.Head("contrast_agent", "categorical", 3, 5, ("GADAVIST", "none")),
                iap.Head("echo_time", "continuous", 5, 7, mean=20.0, deviation=10.0),
                iap.Head("inversion_time", "continuous", 7, 9, mean=100, deviation=9, only=("manufacturer", ("GE",))),
                iap.Head("field_strength", "ordinal", 9, 11, (1.5, 3.0)),
            )
        )
        scores = tuple(np.linspace(0.01, 0.6, 60))
        heads = {head.name: iap.HeadCalibration(1.0, scores) for head in self.layout.heads}
        self.calibration = iap.Calibration(heads, self._training(), 60) if calibrated else None

    def _training(self) -> dict:
        random = np.random.default_rng(0)
        seen = self.features([halves(random.uniform(-0.9, 0.9), random.uniform(1, 49)) for _ in range(200)])
        statistics = reference(seen)
        found = np.sqrt(np.mean(((seen - statistics["middle"]) @ statistics["whitening"]) ** 2, axis=1))
        return {**statistics, "limit": limit_of(found)}

    def logits(self, slices: Sequence[NDArray]) -> NDArray:
        """(n, 11) float32."""
        return np.stack([self._one(np.asarray(one, float)) for one in slices]).astype(np.float32)

    def _one(self, image: NDArray) -> NDArray:
        left, right, te = self._measures(image)
        sure = 6 * (left - right) / max(left + right, 1e-6)
        return np.array([-sure, -4, sure, 0, 2, (te - 20) / 10, np.log(0.2), 0, 0, 0.1, 0])

    def _measures(self, image: NDArray) -> tuple[float, float, float]:
        columns = image.shape[1] // 2
        return image[:, :columns].mean(), image[:, columns:].mean(), image[: image.shape[0] // 2].mean() / 20

    def features(self, slices: Sequence[NDArray]) -> NDArray:
        """(n, 3): both halves' shares and the echo time."""
        measures = np.array([self._measures(np.asarray(one, float)) for one in slices])
        return np.c_[measures[:, :2] / np.maximum(measures[:, :2].sum(1, keepdims=True), 1e-6), measures[:, 2]]


def halves(balance: float, echo_time: float, size: int = SIZE) -> NDArray:
    """A slice (size, size) uint16 of which ``HalvesModel`` says this: balance -1 is GE for sure, 1 SIEMENS for sure."""
    image = np.zeros((size, size))
    image[:, : size // 2] = 1 + balance
    image[:, size // 2 :] = 1 - balance
    # more grey values than two
    image += 0.02 * np.add.outer(np.arange(size), np.arange(size)) / size
    return (image * 20 * echo_time / image[: size // 2].mean()).round().astype(np.uint16)


def siemens_slices() -> list[NDArray]:
    """Ten slices of SIEMENS, the last the surest, with echo times of about 20 ms."""
    return [halves(0.3 + 0.02 * number, 20 + 0.1 * number) for number in range(10)]


def volume_of(slices: Sequence[NDArray], spacing: tuple[float, float, float] = (2.0, 2.0, 3.0)) -> Volume:
    """Slices as an axial volume that is read back as it is."""
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    affine[:3, 3] = [40, 45, -7]
    return Volume(np.stack(slices, axis=-1).transpose(1, 0, 2), affine)


def write_nifti(folder: Path, name: str, slices: Sequence[NDArray], sidecar: str = "") -> Path:
    """A NIfTI image, with a sidecar where its text is given."""
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(volume_of(slices), folder / f"{name}.nii.gz")
    if sidecar:
        (folder / f"{name}.json").write_text(sidecar, encoding="utf-8")
    return folder / f"{name}.nii.gz"


def row_of(result: iap.IAPResult, parameter: str) -> dict:
    """The row of one parameter."""
    table = result.parameters
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return next(row for row in rows if row["parameter"] == parameter)
