"""A dataset's case as training, test and prediction use it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.interactive.dataset import Case, read_case
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.volume import LabelVolume, Volume


@dataclass(frozen=True, eq=False)
class LoadedCase:
    """A case in memory.

    Attributes:
        name, subtype: of the case.
        images: one 3D volume for each modality.
        points: of each label, in order, (n, 3) in RAS mm; none of a label that is not there.
        label: the label map, None without one.
        truth: the same, cut to what it fills.
    """

    name: str
    subtype: str
    images: list[Volume]
    points: list[NDArray]
    label: LabelVolume | None
    truth: PlacedMask | None

    @property
    def image(self) -> Volume:
        """The first image, on whose grid all is counted."""
        return self.images[0]


def load_case(case: Case) -> LoadedCase:
    """Read a case's files.

    Raises:
        InputError: as ``dataset.read_case``.
    """
    data = read_case(case)
    names = [case.labels[number] for number in sorted(case.labels)]
    label = data.label
    return LoadedCase(
        name=case.name,
        subtype=case.subtype,
        images=data.images,
        points=[np.asarray(data.points.get(name, np.zeros((0, 3)))) for name in names],
        label=label,
        truth=None if label is None else PlacedMask.of(np.asarray(label.array), label.affine),
    )
