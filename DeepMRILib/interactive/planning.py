"""``interactive.plan``: what a dataset is like, and the network and the folds that follow from it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from DeepMRILib.device import in_words
from DeepMRILib.errors import InputError
from DeepMRILib.interactive.dataset import Dataset, open_dataset
from DeepMRILib.interactive.dataset_check import Fault, inspected, whole_faults
from DeepMRILib.interactive.dataset_layout import read_json
from DeepMRILib.interactive.fingerprint import CaseFingerprint, fingerprint_of
from DeepMRILib.interactive.network_plan import NetworkPlan
from DeepMRILib.interactive.options_pipeline import PlanOptions
from DeepMRILib.interactive.planning_design import Designed, designed, resampled_box
from DeepMRILib.interactive.planning_rules import heads_and_weights
from DeepMRILib.interactive.planning_splits import as_splits, leave_one_out_folds, stratified_folds
from DeepMRILib.interactive.weight_shapes import check_plan
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import RESULT_FILE, Provenance, Result
from DeepMRILib.tables import Table

ENGINE = "InteractiveNet's rules for fingerprint and plan (Spaanderman et al., arXiv 2402.07746)"
_MOST_NAMED = 5


@dataclass(frozen=True)
class PlanResult(Result):
    """The plan for a dataset.

    Attributes:
        plans: plain values: ``dataset``, ``labels`` (name per number), ``network`` (``NetworkPlan.to_json``),
            ``supervision_weights`` (of the output and the heads), ``fingerprint``, ``memory`` (bytes), ``seed``,
            ``synthetic_points`` and ``splits`` (of each fold the names in ``train`` and ``val``).
        cases: one row per case: ``case``, ``subtype``, ``orientation``, ``i``, ``j``, ``k`` (voxels),
            ``spacing_r``, ``_a``, ``_s`` (mm), ``volume`` (mm3), ``points``, ``points_inside``, ``lesion_r`` ... (the
            label's box in the network's voxels), ``input_r`` ... (the network's input).
        splits: one row per case: ``case``, ``subtype``, ``fold`` (in which it is held back).
    """

    plans: dict[str, Any] = field(default_factory=dict)
    cases: Table = field(default_factory=lambda: Table({}))
    splits: Table = field(default_factory=lambda: Table({}))

    @property
    def network(self) -> NetworkPlan:
        """The network."""
        return NetworkPlan.from_json(self.plans["network"])


def plan(dataset: Path, options: PlanOptions | None = None, *, progress: Progress | None = None) -> PlanResult:
    """Look at all cases of a dataset and plan a network and a cross-validation for it.

    Args:
        dataset: its folder, in the Decathlon's layout or InteractiveNet's.
        options: see ``PlanOptions``.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: a fault in the dataset (the sentence names the case and the difference), fewer cases than folds, or
            a bad setting.
        Cancelled: by ``progress``.
    """
    started = time.perf_counter()
    options = validate(PlanOptions() if options is None else options)
    report = part(progress, 0.0, 1.0)
    report(0.0, "Opening the dataset")
    found = open_dataset(dataset, synthetic=options.seed if options.synthetic_points else None)
    cases, minor = _fingerprints(found, part(progress, 0.02, 0.95))
    folds = _folds([case.subtype for case in cases], options)
    design = designed(cases, found.channels, found.label_names, options)
    notes = (*found.notes, *design.notes, *_notes(cases, minor, options))
    report(1.0, "Planned")
    names = [case.name for case in cases]
    return PlanResult(
        provenance=Provenance(
            job="interactive.plan",
            engine=ENGINE,
            options=to_json(options),
            seed=options.seed,
            seconds={"plan": time.perf_counter() - started},
            inputs={"dataset": found.name, "folder": str(found.folder), "cases": len(cases)},
            notes=notes,
        ),
        plans=_plans(found, cases, design, as_splits(names, folds), options),
        cases=_cases_table(cases, design),
        splits=Table({"case": names, "subtype": [case.subtype for case in cases], "fold": folds}),
    )


def read_plans(path: Path | str) -> dict[str, Any]:
    """The ``plans`` of a saved ``PlanResult``.

    Args:
        path: its folder, or its result.json.

    Raises:
        InputError: there is none, or it is damaged.
    """
    place = Path(path).expanduser()
    place = place / RESULT_FILE if place.is_dir() else place
    content = read_json(place)
    try:
        plans = content["plans"]
        check_plan(NetworkPlan.from_json(plans["network"]))
        for split in plans["splits"]:
            sorted([*split["train"], *split["val"]])
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{place} holds no plan ({error}). Give the output of deepmri interactive plan.") from error
    return plans


def _fingerprints(dataset: Dataset, report: Progress) -> tuple[list[CaseFingerprint], list[Fault]]:
    """The fingerprints of all cases, and the faults that may be meant so."""
    faults = list(whole_faults(dataset))
    cases = []
    for number, case in enumerate(dataset.cases):
        report(number / len(dataset.cases), f"Looking at {case.name}")
        found, data = inspected(case)
        if case.label is None:
            found.append(Fault(case.name, f"{case.name}: there is no label map. A case to train on needs one."))
        faults += found
        if data is not None and not any(fault.fatal for fault in found):
            cases.append(fingerprint_of(case, data))
    fatal = [fault.text for fault in faults if fault.fatal]
    if fatal:
        more = f" And {len(fatal) - _MOST_NAMED} more." if len(fatal) > _MOST_NAMED else ""
        raise InputError(f"The dataset {dataset.name} cannot be used. {' '.join(fatal[:_MOST_NAMED])}{more}")
    return cases, faults


def _folds(subtypes: list[str], options: PlanOptions) -> list[int]:
    if options.leave_one_out:
        return leave_one_out_folds(subtypes)
    return stratified_folds(subtypes, options.folds, options.seed)


def _notes(cases: Sequence[CaseFingerprint], minor: Sequence[Fault], options: PlanOptions) -> list[str]:
    notes = [fault.text for fault in minor[:_MOST_NAMED]]
    if len(minor) > _MOST_NAMED:
        notes.append(f"And {len(minor) - _MOST_NAMED} more such cases.")
    kinds = Counter(case.orientation for case in cases)
    if len(kinds) > 1:
        words = ", ".join(f"{count} {name}" for name, count in kinds.most_common())
        notes.append(f"The cases are stored in different orientations ({words}); all are turned alike.")
    few = [kind for kind, count in sorted(Counter(case.subtype for case in cases).items()) if count < options.folds]
    if few and not options.leave_one_out and set(few) != {""}:
        notes.append(f"There are fewer cases than folds of the subtype {', '.join(kind or 'none' for kind in few)}.")
    return notes


def _plans(
    dataset: Dataset,
    cases: Sequence[CaseFingerprint],
    design: Designed,
    splits: list[dict[str, list[str]]],
    options: PlanOptions,
) -> dict[str, Any]:
    network = design.plan
    return {
        "dataset": dataset.name,
        "labels": {str(number): name for number, name in sorted(dataset.labels.items())},
        "network": network.to_json(),
        "supervision_weights": list(heads_and_weights(len(network.strides))[1]),
        "fingerprint": {
            "cases": len(cases),
            "spacing_rule": design.rule,
            "spacing": list(network.spacing),
            "anisotropic_cases": sum(case.anisotropic for case in cases),
            "points_inside": all(case.points_inside for case in cases),
            "median_shape": _median([case.shape for case in cases]),
            "median_spacing": _median([case.spacing for case in cases]),
            "median_lesion_box": _median([case.lesion_box for case in cases]),
            "median_lesion_box_resampled": list(design.lesion),
            "median_input": _median(design.inputs),
            "largest_input": list(max(design.inputs, key=np.prod)),
        },
        "memory": {
            "training_bytes": design.training,
            "prediction_bytes": design.prediction,
            "in_words": f"{in_words(design.training)} in training, {in_words(design.prediction)} in use, for the "
            "largest case",
        },
        "seed": options.seed,
        "synthetic_points": options.synthetic_points,
        "splits": splits,
    }


def _median(rows: Sequence[Sequence[float]]) -> list[float]:
    return np.median(np.array(rows, dtype=float), axis=0).tolist()


def _cases_table(cases: Sequence[CaseFingerprint], design: Designed) -> Table:
    rows = []
    for case, shape in zip(cases, design.inputs, strict=True):
        rows.append(
            {
                "case": case.name,
                "subtype": case.subtype,
                "orientation": case.orientation,
                **dict(zip("ijk", case.image_shape, strict=True)),
                **{f"spacing_{axis}": edge for axis, edge in zip("ras", case.spacing, strict=True)},
                "volume": case.volume,
                "points": case.points,
                "points_inside": case.points_inside,
                **_axes("lesion", resampled_box(case, design.plan.spacing)),
                **_axes("input", shape),
            }
        )
    return Table.from_rows(rows, units={"volume": "mm3", **{f"spacing_{axis}": "mm" for axis in "ras"}})


def _axes(name: str, values: Sequence[int]) -> dict[str, int]:
    return {f"{name}_{axis}": value for axis, value in zip("ras", values, strict=True)}
