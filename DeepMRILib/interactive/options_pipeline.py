"""The settings of planning a network for a dataset, and of adding a case to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from DeepMRILib.options import option


@dataclass(frozen=True)
class PlanOptions:
    """How a network is planned for a dataset."""

    folds: int = option(5, "Parts of the cross-validation, balanced by subtype", range=(2, 100))
    seed: int = option(0, "The same seed makes the same folds and the same synthetic points", range=(0, 2**32 - 1))
    leave_one_out: bool = option(False, "Hold back one subtype in each fold instead", advanced=True)
    synthetic_points: bool = option(False, "Make points from the label map where a case has none")
    spacing: tuple[float, ...] = option(
        (), "Voxel edges to the right, to anterior, to superior; empty takes those of the cases",
        unit="mm", range=(0.01, 100.0), advanced=True,
    )  # fmt: skip
    memory_limit: float = option(
        0.0, "Coarsen the voxels until the largest case can be trained on within so much memory; 0 sets no limit",
        unit="GiB", range=(0.0, 10_000.0),
    )  # fmt: skip
    relax: float = option(
        0.1, "The box around the points grows by this fraction of its extent on each side", range=(0.0, 2.0),
        advanced=True,
    )  # fmt: skip
    filters: int = option(4, "Features at full resolution; doubled at each level below", range=(1, 64), advanced=True)
    edge_weight: float = option(
        1.0, "Weight of the image in geodesic maps; 0 is the way in mm alone, 1 the image alone", range=(0.0, 1.0),
        advanced=True, label="Image weight",
    )  # fmt: skip
    negative_points: bool = option(False, "Give the network a map of negative points, too", advanced=True)


@dataclass(frozen=True)
class ExportOptions:
    """Where a case goes, and what it is called."""

    dataset: str = option(
        "", "Folder of the dataset that the case is added to, made if absent; empty writes the case only to the output"
    )
    case: str = option("case_001", "Name of the case: letters, digits, dots, dashes, underscores")
    subset: Literal["train", "test"] = option("train", "To train on, or held back for the test")
    subtype: str = option("", "Class of the lesion, for folds that are balanced by it; empty for none")
    modalities: tuple[str, ...] = option(
        (), "What the images are, e.g. T1 T2, or CT; empty takes those of the dataset, or MR"
    )
    replace: bool = option(False, "Replace a case of that name", advanced=True)
