"""``interactive.test``: a trained network on cases whose truth is known."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.interactive.baselines import BASELINES, baseline
from DeepMRILib.interactive.dataset import Dataset, open_dataset
from DeepMRILib.interactive.masks_result import MasksResult
from DeepMRILib.interactive.network_device import network_device
from DeepMRILib.interactive.options_training import TestOptions
from DeepMRILib.interactive.scoring import UNITS, case_rows, means
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

PICTURES = 6
"""Cases whose middle slice is kept for the report."""


@dataclass(frozen=True)
class TestResult(MasksResult):
    """How good a network is.

    Attributes:
        masks: what it found in each case.
        scores: a row for each case and label: ``case``, ``subtype``, ``label``, ``dice``, ``hausdorff``,
            ``hausdorff_95``, ``surface_distance`` (mm), of ``volume`` (mm3) and the three diameters (mm) the true and
            the found one, ``dice_geodesic``, ``dice_ellipsoid``.
        means: a row for each label with the means of these, ``cases``, ``dice_sd`` and ``dice_lowest``; of several
            labels one more for all together.
        pictures: of some cases the axial slice in the middle, (3, rows, columns): image, truth, prediction.
    """

    __test__ = False  # no test of pytest's

    scores: Table = field(default_factory=lambda: Table({}))
    means: Table = field(default_factory=lambda: Table({}))
    pictures: dict[str, NDArray] = field(default_factory=dict)


def test(
    model: Path,
    dataset: Path,
    options: TestOptions | None = None,  # noqa: PT028 - a job, no test of pytest's
    *,
    progress: Progress | None = None,  # noqa: PT028
) -> TestResult:
    """Segment a dataset's test cases from their points and compare them with their label maps.

    Overlap, distances in mm and sizes are counted on the images' own grids, in three dimensions, beside what the
    geodesic engine and an ellipsoid find from the same points.

    Args:
        model: of ``interactive.train``: its folder, or its name on this computer.
        dataset: its folder.
        options: see ``TestOptions``.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: no such cases, a case without a label map or points, or a network for other images or labels.
        WeightsError: the model is missing, damaged or of another kind.
        DeviceMemoryError: a case does not fit.
        DependencyError: PyTorch, MONAI or safetensors is not installed.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(TestOptions() if options is None else options)
    for module in ("torch", "monai", "safetensors"):
        require(module, "Testing a segmentation network")
    device = network_device(options.device)
    found = open_dataset(dataset, synthetic=options.seed if options.synthetic else None)
    cases = found.test_cases if options.cases == "test" else found.cases
    _check_cases(found, options)
    from DeepMRILib.interactive.network_found import middle_slice
    from DeepMRILib.interactive.network_jobs import Segmenter

    segmenter = Segmenter.of(model, found, options, device)
    rows, masks, pictures, notes = [], {}, {}, dict.fromkeys(found.notes)
    for case, mask, said in segmenter.all_of(cases, part(progress, 0.0, 1.0)):
        others = {name: baseline(name, case.images, case.points) for name in BASELINES} if options.baselines else {}
        about = {"case": case.name, "subtype": case.subtype}
        rows += case_rows(mask, case.truth, found.label_names, about=about, baselines=others)
        masks[case.name] = mask
        notes.update(dict.fromkeys(said))
        if len(pictures) < PICTURES:
            pictures[case.name] = middle_slice(case, mask)
    return TestResult(
        provenance=Provenance(
            job="interactive.test",
            engine=f"network {segmenter.model.name}, mean of {len(segmenter.model.folds)} folds",
            options=to_json(options),
            seed=options.seed,
            device=device,
            seconds={"test": time.perf_counter() - started},
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
        scores=Table.from_rows(rows, units=UNITS),
        means=means(rows),
        pictures=pictures,
    )


def _check_cases(dataset: Dataset, options: TestOptions) -> None:
    cases = dataset.test_cases if options.cases == "test" else dataset.cases
    if not cases:
        other = "training" if options.cases == "test" else "test"
        raise InputError(f"The dataset {dataset.name} has no {options.cases} cases. Add some, or set cases to {other}.")
    for case in cases:
        if case.label is None:
            raise InputError(
                f"The case {case.name} has no label map to compare with. Add it, or use: deepmri interactive predict."
            )
        if case.interactions is None and case.synthetic_seed is None:
            raise InputError(f"The case {case.name} has no points. Add its interactions, or switch synthetic on.")


test.__test__ = False
