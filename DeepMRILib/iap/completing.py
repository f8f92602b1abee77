"""``iap.complete``: sidecars with what their headers lack, marked as predicted.

What a header says is never touched, and no DICOM file is ever written: new sidecars lie in the result's folder, and all
that was predicted lies in a block of its own, ``Predicted``, that says by which network, how sure, and what for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from DeepMRILib import __version__
from DeepMRILib.errors import InputError
from DeepMRILib.iap.cohort import CohortFiles, Content, Member, confusion, members, series_table
from DeepMRILib.iap.header_bids import KEYS, read_json, sidecar_of
from DeepMRILib.iap.model import Model, load_model
from DeepMRILib.iap.options import CompleteOptions
from DeepMRILib.iap.outside import is_outside
from DeepMRILib.iap.parameters import BY_NAME, CORRELATION_ONLY, NO_AGENT, Parameter, Value
from DeepMRILib.iap.predicting import check_told
from DeepMRILib.iap.result import CohortResult, IAPResult
from DeepMRILib.iap.verdicts import WIDE
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

BLOCK = "Predicted"
USE = "Research only. Predicted from the image, not measured and not what the scanner wrote."
FOLDER = "sidecars"
"""Of the result's folder: where the new sidecars lie, as the series did."""
_SECONDS = ("echo_time", "repetition_time", "inversion_time")


def complete(
    folder: Path | str,
    options: CompleteOptions | None = None,
    *,
    model: Model | Path | str,
    progress: Progress | None = None,
) -> CohortResult:
    """Sidecars for the series of a folder, with what their headers lack in a block ``Predicted``.

    Of an image with a sidecar the new one has all that the old one says; of DICOM series, what the header says.

    Args:
        folder: DICOM files in any order, NIfTI images with sidecars; nothing in it is changed.
        options: see ``CompleteOptions``. Numbers are filled in where their interval is narrow (its ends differ by less
            than a factor of ``verdicts.WIDE``); of networks without intervals only those that are named there. The
            contrast agent, which images before it cannot show, is filled in only where it is named there; and nothing
            is filled in of images unlike those of the network's training.
        model: an open model, its folder or name, or the file of the published checkpoint.
        progress: told how far it is; may cancel, and then nothing has been written.

    Returns:
        A row for each series; the sidecars are written when the result is saved.

    Raises:
        InputError: no series there, or a parameter that the model does not tell.
        WeightsError, DependencyError, DeviceMemoryError: as ``predict``.
        Cancelled: by ``progress``.
    """
    options = validate(CompleteOptions() if options is None else options)
    if model is None:
        raise InputError("Completing sidecars needs a model. Give its folder or name, or a checkpoint's file.")
    started = time.perf_counter()
    opened = load_model(model, device=options.device)
    for name in options.parameters:
        check_told(opened, name)
    told, unread = members(folder, opened, options, progress=part(progress, 0.0, 0.99))
    contents: dict[str, Content] = {}
    written, filled = [], []
    for member in told:
        old = _sidecar_of(member)
        new = complete_sidecar(old, member.result, options)
        names = sorted(new.get(BLOCK, {}).get("Values", {}))
        filled.append("; ".join(names))
        if names:
            place = _free(f"{FOLDER}/{_stem(member)}", contents)
            contents[place] = json.dumps(new, indent=2, ensure_ascii=False) + "\n"
            written.append({"path": place, "what": f"sidecar with {', '.join(names)} predicted"})
    first = [
        {
            "path": member.place.name,
            "patient": member.place.patient,
            "domain": "",
            "filled": names,
            "outside": member.state,
        }
        for member, names in zip(told, filled, strict=True)
    ]
    return CohortFiles(
        provenance=Provenance(
            job="iap.complete",
            engine=f"network {opened.name}",
            options=to_json(options),
            device=getattr(opened, "device", "cpu"),
            seconds={"complete": time.perf_counter() - started},
            weights_sha256=opened.weights_sha256 or None,
            inputs={"series": len(told), "unread": len(unread)},
            notes=_notes(told, written, opened),
        ),
        series=series_table(told, first),
        confusion=confusion(told),
        written=Table.from_rows(written) if written else Table({"path": [], "what": []}),
        unread=unread,
        contents=contents,
    )


def complete_job(
    folder: Path | str,
    model: Model | Path | str,
    options: CompleteOptions | None = None,
    *,
    progress: Progress | None = None,
) -> CohortResult:
    """``complete`` with its arguments in the order of jobs."""
    return complete(folder, options, model=model, progress=progress)


def complete_sidecar(
    sidecar: Mapping[str, Any] | Path | str, prediction: IAPResult, options: CompleteOptions | None = None
) -> dict[str, Any]:
    """What a sidecar says, with what it lacks in a block ``Predicted``; the file itself is not changed.

    Args:
        sidecar: its content, or its file.
        prediction: of the same series (``iap.predict`` with a model).
        options: which parameters, and how sure a word or class must be.

    Returns:
        The content as it was, and ``Predicted`` (in place of an older one) where anything could be filled in: its
        ``Values`` have the sidecar's keys and units.

    Raises:
        InputError: not a sidecar, or a prediction without a model.
    """
    options = validate(CompleteOptions() if options is None else options)
    if prediction.provenance.weights_sha256 is None and not prediction.slices.columns:
        raise InputError("This prediction was made without a model: it holds nothing to fill in. Predict with one.")
    content = dict(sidecar) if isinstance(sidecar, Mapping) else read_json(Path(sidecar))
    content.pop(BLOCK, None)
    if is_outside(prediction.outside):
        return content
    table = prediction.parameters
    rows = {row["parameter"]: row for row in (dict(zip(table.columns, one, strict=True)) for one in table.rows)}
    values = {
        _key(BY_NAME[name]): _entry(BY_NAME[name], row, options)
        for name, row in rows.items()
        if _may_fill(BY_NAME[name], row, content, options)
    }
    return content | {BLOCK: _block(prediction, values)} if values else content


def _may_fill(
    parameter: Parameter, row: Mapping[str, Any], content: Mapping[str, Any], options: CompleteOptions
) -> bool:
    asked = parameter.name in options.parameters or (not options.parameters and parameter.name not in CORRELATION_ONLY)
    keys = (*KEYS.get(parameter.name, ()), _key(parameter))
    there = any(content.get(key) not in (None, "", []) for key in keys)
    named = parameter.name in options.parameters
    sure = _is_told(row, named) if row["probability"] is None else row["probability"] >= options.probability
    lacks = row["header"] is None or (parameter.name in CORRELATION_ONLY and not there)
    return asked and lacks and not there and row["predicted"] is not None and sure


def _is_told(row: Mapping[str, Any], named: bool) -> bool:
    """Whether a number is worth writing down: its interval is narrow, or it has none and was asked for by name."""
    if row["low"] is None or row["high"] is None:
        return named
    return row["high"] <= WIDE * max(row["low"], 0.0)


def _key(parameter: Parameter) -> str:
    """The key of a sidecar: of BIDS, else DICOM's keyword, else the parameter's label in one word."""
    return parameter.bids or parameter.keyword or "".join(word.capitalize() for word in parameter.name.split("_"))


def _unit(parameter: Parameter) -> str:
    return "s" if parameter.name in _SECONDS else parameter.unit


def _entry(parameter: Parameter, row: Mapping[str, Any], options: CompleteOptions) -> dict[str, Any]:
    """One predicted value in the sidecar's unit, and how sure it is."""
    entry: dict[str, Any] = {"Value": _scaled(parameter, row["predicted"])}
    if _unit(parameter):
        entry["Unit"] = _unit(parameter)
    if row["probability"] is not None:
        entry["Probability"] = round(float(row["probability"]), 4)
    if row["set"]:
        entry |= {"Set": row["set"].split("; "), "Level": options.level}
    if row["low"] is not None:
        entry |= {"Interval": [_scaled(parameter, row[end]) for end in ("low", "high")], "Level": options.level}
    if row["note"]:
        entry["Note"] = row["note"]
    return entry


def _scaled(parameter: Parameter, value: Value) -> Value:
    return value if isinstance(value, str) else float(f"{float(value) / parameter.bids_factor:.6g}")


def _block(prediction: IAPResult, values: dict[str, Any]) -> dict[str, Any]:
    made = prediction.provenance
    return {
        "Values": values,
        "Model": made.inputs.get("model", made.engine),
        "ModelSHA256": made.weights_sha256 or "",
        "Software": "DeepMRI",
        "Version": __version__,
        "Date": datetime.now().astimezone().date().isoformat(),
        "Use": USE,
        "Notes": list(made.notes),
    }


def _sidecar_of(member: Member) -> dict[str, Any]:
    """The content of the series' sidecar; of DICOM, what its header says in a sidecar's keys and units."""
    if member.place.kind == "image":
        path = sidecar_of(member.place.path)
        return {} if path is None else read_json(path)
    if member.place.kind == "sidecar":
        return read_json(member.place.path)
    header = member.place.header
    entries: dict[str, Any] = {"Modality": "MR", "SeriesDescription": header.description}
    for name, value in header.values.items():
        if BY_NAME[name].bids and value not in (None, NO_AGENT):
            entries[BY_NAME[name].bids] = _scaled(BY_NAME[name], value)
    return entries


def _stem(member: Member) -> str:
    """Where a series' sidecar lies: sub-1/anat/scan.json of sub-1/anat/scan.nii.gz."""
    name = member.place.name
    for suffix in (".nii.gz", ".nii", ".json"):
        name = name.removesuffix(suffix)
    return f"{name.lstrip('/')}.json"


def _free(place: str, taken: Mapping[str, Content]) -> str:
    number, stem = 2, place.removesuffix(".json")
    while place in taken:
        place, number = f"{stem}_{number}.json", number + 1
    return place


def _notes(cohort: Sequence[Member], written: Sequence[Mapping[str, Any]], model: Model) -> tuple[str, ...]:
    notes = [*model.notes, USE]
    outside = sum(member.state == "bad" for member in cohort)
    if outside:
        notes.append(
            f"{outside} of {len(cohort)} series are unlike those that the network was trained on, and were left alone."
        )
    if (rest := len(cohort) - len(written) - outside) > 0:
        have = "has" if rest == 1 else "have"
        notes.append(
            f"{rest} other series {have} no new sidecar: nothing was missing, or the network was not sure enough of it."
        )
    return tuple(dict.fromkeys(notes))
