"""``iap.evaluate``: a network scored on series with known parameters, each score beside one without looking."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError
from DeepMRILib.iap import measures
from DeepMRILib.iap.heads import known, target
from DeepMRILib.iap.labelled import labelled
from DeepMRILib.iap.layout import Head
from DeepMRILib.iap.model import Model, load_model
from DeepMRILib.iap.options_network import EvaluateOptions
from DeepMRILib.iap.parameters import BY_NAME, CORRELATION_ONLY, Value
from DeepMRILib.iap.result import EvaluationResult
from DeepMRILib.iap.sliceset import SliceSet
from DeepMRILib.iap.trained import TrainedModel
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

if TYPE_CHECKING:
    from DeepMRILib.iap.answering import Answer

ALL = "all"
GROUPED_BY = "sequence"
"""The parameter whose values make the groups: what TR and flip angle do to an image differs between sequences."""


@dataclass(frozen=True, eq=False)
class _Case:
    """One series' truth and answer to one parameter."""

    series: str
    patient: str
    group: str
    vendor: str
    truth: Value
    wanted: float
    answer: Answer

    @property
    def right(self) -> bool:
        """Whether the class is the true one."""
        return self._is(self.answer.value)

    @property
    def covered(self) -> bool | None:
        """Whether the set, without an answer that had to be added, or interval holds the truth; None without any."""
        told = self.answer
        if told.head.kind == "continuous":
            return None if told.low is None else bool(told.low <= float(self.truth) <= told.high)
        if not told.classes:
            return None
        stay = told.classes if told.strict else tuple(one for one in told.classes if one != told.value)
        return any(self._is(one) for one in stay)

    def _is(self, one: str | float) -> bool:
        return math.isfinite(self.wanted) and one == self.answer.head.classes[int(self.wanted)]


def evaluate(
    model: Path | str | Model | TrainedModel,
    folder: SliceSet | Path | str,
    options: EvaluateOptions | None = None,
    *,
    table: Path | None = None,
    progress: Progress | None = None,
) -> EvaluationResult:
    """Score a network on series whose parameters are known.

    Of classes: accuracy, balanced accuracy and the commonest class's share; of numbers: R2 on the network's own scale
    (logarithmic where it learned so), errors, and what the mean of each vendor would do. Of both: how many sets and
    intervals hold the truth, and how wide they are. For all series, and for each sequence family.

    Times that are learned for each sequence apart are those of the sequence that the network sees, or of the true one
    with ``options.sequence``; a parameter that one sequence alone has, as the inversion time, is scored on its series
    whatever they were taken for.

    Args:
        model: a model's folder or name, the published checkpoint's file, or a network in memory.
        folder: a folder of series (DICOM, or NIfTI with sidecars) that it was not trained on, or slices in memory.
        options: see ``EvaluateOptions``.
        table: a CSV file that overrules headers; see ``labelled.labelled``.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: nothing readable, or nothing is known of what the model tells.
        WeightsError: no such model, or a damaged one.
        DependencyError: PyTorch is not installed.
    """
    started = time.perf_counter()
    options = validate(EvaluateOptions() if options is None else options)
    network = _opened(model, options)
    found, unread = labelled(folder, table=table, slices=options.slices, progress=part(progress, 0.0, 0.3))
    cases = _cases(network, found, options, part(progress, 0.3, 1.0))
    if not cases:
        told = ", ".join(network.layout.by_parameter)
        raise InputError(
            f"Nothing is known of what this model tells ({told}). Give series with such headers, or a table."
        )
    rows = [_score(*one, options.level) for one in _groups(cases)]
    made = Provenance(
        job="iap.evaluate",
        engine=network.name,
        options=to_json(options),
        device=devices.resolve(options.device),
        seconds={"evaluate": time.perf_counter() - started},
        weights_sha256=network.weights_sha256 or None,
        inputs={"slices": len(found), "series": len(set(found.series.tolist())), "unread": len(unread)},
        notes=tuple(dict.fromkeys((*found.notes, *network.notes, *_notes(cases)))),
    )
    return EvaluationResult(
        provenance=made,
        scores=Table.from_rows(rows),
        confusion=_confusion(cases),
        calibration=_calibration(cases),
        predictions=Table.from_rows([_prediction(one) for one in cases]),
        unread=unread,
    )


def _opened(model: Path | str | Model | TrainedModel, options: EvaluateOptions) -> Model:
    if isinstance(model, TrainedModel):
        return model.model(options.device)
    return load_model(model, device=options.device) if isinstance(model, (str, Path)) else model


def _notes(cases: Sequence[_Case]) -> tuple[str, ...]:
    told = {case.answer.parameter for case in cases} & set(CORRELATION_ONLY)
    return tuple(
        f"{BY_NAME[name].label} cannot be seen in images taken before the agent: it is told from scanner and protocol."
        for name in sorted(told)
    )


def _cases(model: Model, data: SliceSet, options: EvaluateOptions, progress: Progress) -> list[_Case]:
    from DeepMRILib.iap.answering import answers, sequence_of  # SciPy takes most of a second

    names = list(dict.fromkeys(data.series.tolist()))
    places: dict[str, list[int]] = {name: [] for name in names}
    for number, name in enumerate(data.series.tolist()):
        places[name].append(number)
    found = []
    for number, name in enumerate(names):
        progress(number / len(names), f"Series {number + 1} of {len(names)}")
        rows = places[name]
        truth = {parameter: values[rows[0]] for parameter, values in data.values.items()}
        slices = [data.slices[row] for row in rows]
        given = {} if options.sequence == "image" else sequence_of(model, truth.get(GROUPED_BY))
        told = answers(model, slices, options.level, logits=_logits(model, slices, options.batch), known=given)
        found += [
            _Case(
                series=name,
                patient=str(data.patients[rows[0]]),
                group=str(truth.get(GROUPED_BY) or ""),
                vendor=str(truth.get("manufacturer") or ""),
                truth=truth[parameter],
                wanted=target(answer.head, truth[parameter]),
                answer=answer,
            )
            for parameter, answer in told.items()
            if known(truth.get(parameter))
            and _is_meant(model.layout.by_parameter[parameter], truth, answer)
            and _is_number(answer.head, truth)
        ]
    return found


def _logits(model: Model, slices: Sequence[np.ndarray], batch: int) -> np.ndarray:
    return np.concatenate([model.logits(slices[start : start + batch]) for start in range(0, len(slices), batch)])


def _is_meant(heads: Sequence[Head], truth: dict[str, Value], answer: Answer) -> bool:
    """Whether the parameter has a meaning by the truth; of several heads also whether one of them was asked."""
    other, words = answer.only
    return not other or (truth.get(other) in words and (answer.meant or len(heads) == 1))


def _is_number(head: Head, truth: dict[str, Value]) -> bool:
    """Whether a continuous head could say the truth: a class that is none of a head's is a mistake, this is not."""
    return head.kind != "continuous" or math.isfinite(target(head, truth[head.parameter]))


def _groups(cases: Sequence[_Case]) -> list[tuple[str, str, list[_Case]]]:
    """Parameter, group and cases: of each parameter all, then each sequence if there are several."""
    parameters = dict.fromkeys(case.answer.parameter for case in cases)
    found = []
    for name in parameters:
        of = [case for case in cases if case.answer.parameter == name]
        groups = sorted({case.group for case in of} - {""})
        found.append((name, ALL, of))
        if len(groups) > 1:
            found += [(name, group, [case for case in of if case.group == group]) for group in groups]
    return found


EMPTY: dict[str, Any] = dict.fromkeys((
    "parameter", "group", "kind", "series", "accuracy", "balanced_accuracy", "majority", "r2", "vendor_mean_r2", "rmse",
    "median_error", "vendor_mean_rmse", "coverage", "width", "relative_width", "ece",
))  # fmt: skip
"""A row of scores with nothing in it."""


def _score(name: str, group: str, cases: list[_Case], level: float) -> dict[str, Any]:
    head = cases[0].answer.head
    covered = [case.covered for case in cases if case.covered is not None]
    row = {
        **EMPTY,
        "parameter": name,
        "group": group,
        "kind": head.kind,
        "series": len(cases),
        "coverage": float(np.mean(covered)) if covered else None,
    }
    return row | (_of_numbers(head, cases, level) if head.kind == "continuous" else _of_classes(head, cases))


def _of_classes(head: Head, cases: list[_Case]) -> dict[str, Any]:
    # a class that the head does not have stays itself, and is never told
    truth = [head.classes[int(case.wanted)] if math.isfinite(case.wanted) else case.truth for case in cases]
    told = [case.answer.value for case in cases]
    sizes = [len(case.answer.classes) for case in cases if case.answer.classes]
    right = [case.right for case in cases]
    return {
        "accuracy": measures.accuracy(truth, told),
        "balanced_accuracy": measures.balanced_accuracy(truth, told),
        "majority": measures.majority(truth),
        "width": float(np.mean(sizes)) if sizes else None,
        "relative_width": float(np.mean(sizes)) / len(head.classes) if sizes else None,
        "ece": measures.calibration_error([case.answer.probability for case in cases], right),
    }


def _of_numbers(head: Head, cases: list[_Case], level: float) -> dict[str, Any]:
    truth = np.array([float(case.truth) for case in cases])
    told = np.array([float(case.answer.value) for case in cases])
    vendors = [case.vendor for case in cases]
    scale, answer = head.scaled(truth), head.scaled(told)  # which all heads of one parameter share
    row = {
        "r2": measures.r2(scale, answer),
        "vendor_mean_r2": measures.r2(scale, measures.group_means(scale, vendors)),
        "rmse": measures.rmse(truth, told),
        "median_error": float(np.median(np.abs(truth - told))),
        "vendor_mean_rmse": measures.rmse(truth, measures.group_means(truth, vendors)),
    }
    ends = [(case.answer.low, case.answer.high) for case in cases if case.answer.low is not None]
    if not ends:
        return row
    low, high = np.array(ends).T
    lowest, highest = np.quantile(scale, [(1 - level) / 2, (1 + level) / 2])
    wide = np.mean(head.scaled(high) - head.scaled(low))
    relative = float(wide / (highest - lowest)) if highest > lowest else None
    return row | {"width": float(np.mean(high - low)), "relative_width": relative}


def _confusion(cases: Sequence[_Case]) -> Table:
    counts: dict[tuple[str, str, str], int] = {}
    for case in cases:
        if case.answer.head.kind != "continuous":
            truth = case.answer.head.classes[int(case.wanted)] if math.isfinite(case.wanted) else case.truth
            key = (case.answer.parameter, str(truth), str(case.answer.value))
            counts[key] = counts.get(key, 0) + 1
    names = ("parameter", "header", "predicted")
    return Table.from_rows([{**dict(zip(names, key, strict=True)), "count": count} for key, count in counts.items()])


def _calibration(cases: Sequence[_Case]) -> Table:
    rows = []
    for name in dict.fromkeys(case.answer.parameter for case in cases if case.answer.probability is not None):
        of = [case for case in cases if case.answer.parameter == name]
        bins = measures.reliability([case.answer.probability for case in of], [case.right for case in of])
        rows += [{"parameter": name, **one} for one in bins]
    return Table.from_rows(rows)


def _prediction(case: _Case) -> dict[str, Any]:
    told = case.answer
    return {
        "series": case.series,
        "patient": case.patient,
        "group": case.group,
        "parameter": told.parameter,
        "truth": case.truth,
        "predicted": told.value,
        "probability": told.probability,
        "low": told.low,
        "high": told.high,
        "set": "; ".join(str(one) for one in told.classes),
        "covered": case.covered,
    }
