"""``interactive.predict``: a trained network on all cases of a folder."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.interactive.dataset import Case, Dataset, open_dataset
from DeepMRILib.interactive.masks_result import MasksResult
from DeepMRILib.interactive.measures import size_of
from DeepMRILib.interactive.network_device import network_device
from DeepMRILib.interactive.options_training import PredictOptions
from DeepMRILib.interactive.placed import PlacedMask
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

PICTURES = 6
"""Cases whose middle slice is kept for the report."""
UNITS = {
    "volume": "mm3", "volume_ml": "ml",
    "diameter_axial": "mm", "diameter_coronal": "mm", "diameter_sagittal": "mm",
}  # fmt: skip


@dataclass(frozen=True)
class PredictResult(MasksResult):
    """Masks of many cases.

    Attributes:
        masks: of each case, by its name.
        table: a row for each case and label: ``case``, ``label``, ``voxels``, ``volume`` (mm3), ``volume_ml`` (ml) and
            the three diameters (mm).
        pictures: of some cases the axial slice in the middle, (3, rows, columns): image, truth (0 where it is not
            known), prediction.
    """

    table: Table = field(default_factory=lambda: Table({}))
    pictures: dict[str, NDArray] = field(default_factory=dict)


def predict(
    model: Path, dataset: Path, options: PredictOptions | None = None, *, progress: Progress | None = None
) -> PredictResult:
    """Segment all cases of a folder from their points; no label maps are needed.

    Args:
        model: of ``interactive.train``: its folder, or its name on this computer.
        dataset: a folder with images and interactions (imagesTs and interactionsTs, or Tr), with or without
            dataset.json.
        options: see ``PredictOptions``.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: no cases, a case without points, or a network for other images or labels.
        WeightsError: the model is missing, damaged or of another kind.
        DeviceMemoryError: a case does not fit.
        DependencyError: PyTorch, MONAI or safetensors is not installed.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(PredictOptions() if options is None else options)
    for module in ("torch", "monai", "safetensors"):
        require(module, "Segmenting with a network")
    device = network_device(options.device)
    found = open_dataset(dataset)
    cases = _cases(found, options)
    from DeepMRILib.interactive.network_found import middle_slice
    from DeepMRILib.interactive.network_jobs import Segmenter

    segmenter = Segmenter.of(model, found, options, device)
    rows, masks, pictures, notes = [], {}, {}, dict.fromkeys(found.notes)
    for case, mask, said in segmenter.all_of(cases, part(progress, 0.0, 1.0)):
        masks[case.name] = mask
        rows += [{"case": case.name, **row} for row in _sizes(mask)]
        notes.update(dict.fromkeys(said))
        if len(pictures) < PICTURES:
            pictures[case.name] = middle_slice(case, mask)
    return PredictResult(
        provenance=Provenance(
            job="interactive.predict",
            engine=f"network {segmenter.model.name}, mean of {len(segmenter.model.folds)} folds",
            options=to_json(options),
            device=device,
            seconds={"predict": time.perf_counter() - started},
            weights_sha256=segmenter.model.sha256,
            inputs={
                "model": segmenter.model.name,
                "dataset": found.name,
                "cases": len(cases),
                "postprocessing": segmenter.postprocessing,
            },
            notes=tuple(notes),
        ),
        masks=masks,
        table=Table.from_rows(rows, units=UNITS),
        pictures=pictures,
    )


def _cases(dataset: Dataset, options: PredictOptions) -> tuple[Case, ...]:
    chosen = {
        "test": dataset.test_cases,
        "training": dataset.cases,
        "all": (*dataset.cases, *dataset.test_cases),
    }[options.cases]
    if not chosen:
        raise InputError(f"The dataset {dataset.name} has no {options.cases} cases. Set cases to all.")
    names = [case.name for case in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Two cases are called {twice[0]}. Set cases to test or training, or rename one.")
    for case in chosen:
        if case.interactions is None:
            raise InputError(
                f"The case {case.name} has no points. Add them to the folder interactionsTr or interactionsTs."
            )
    return chosen


def _sizes(mask: PlacedMask) -> list[dict]:
    affine = mask.box.affine(mask.affine)
    return [{"label": name, **size_of(mask.labels == number, affine)} for number, name in mask.names.items()]
