"""``iap.sort_cohort``: a folder of series sorted into domains, such as vendors, by what their images say.

Konz and Mazurowski (MIDL 2023, section 5.2) sort slices by predicted vendor before they choose a network for them.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from DeepMRILib.errors import InputError
from DeepMRILib.iap.aliases import field_strength, key_of
from DeepMRILib.iap.cohort import CohortFiles, Content, Member, confusion, members, series_table
from DeepMRILib.iap.model import Model, load_model
from DeepMRILib.iap.options import SortOptions
from DeepMRILib.iap.parameters import BY_NAME, CORRELATION_ONLY, Value
from DeepMRILib.iap.predicting import check_told
from DeepMRILib.iap.result import CohortResult
from DeepMRILib.iap.rows import text_of
from DeepMRILib.options import to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

UNKNOWN = "unknown"
FOLDER = "domains"
"""Of the result's folder: where series are copied or linked to."""
BREADTH = 1.25
"""Of times and angles those belong to one domain that are at most this many times its smallest."""


def sort_cohort(
    folder: Path | str,
    options: SortOptions | None = None,
    *,
    model: Model | Path | str | None = None,
    progress: Progress | None = None,
) -> CohortResult:
    """Sort the series of a folder into domains.

    Args:
        folder: DICOM files in any order, NIfTI images with sidecars; nothing in it is changed.
        options: see ``SortOptions``.
        model: an open model, its folder or name, or the file of the published checkpoint; None where the headers alone
            make the domains.
        progress: told how far it is; may cancel, and then nothing has been written.

    Returns:
        A row for each series with its ``domain`` and, as harmonisation wants it, its ``batch`` (a whole number from 1);
        files are copied or linked when the result is saved.

    Raises:
        InputError: no series there, or a parameter that the model does not tell.
        WeightsError, DependencyError, DeviceMemoryError: as ``predict``.
        Cancelled: by ``progress``.

    Example:
        sort_cohort("study", SortOptions(by=("manufacturer", "field_strength")), model="net").save("sorted")
    """
    options = validate(SortOptions() if options is None else options)
    started = time.perf_counter()
    _check_names(options)
    opened = None
    if options.source != "header":
        if model is None:
            raise InputError(
                "Sorting by what images say needs a model. Give one, or set source to header to sort by headers alone."
            )
        opened = load_model(model, device=options.device)
        for name in options.by:
            check_told(opened, name)
    told, unread = members(folder, opened, options, progress=part(progress, 0.0, 0.99))
    domains = domains_of(told, options)
    numbers = {name: number for number, name in enumerate(sorted(set(domains)), 1)}
    first = [
        {
            "path": member.place.name,
            "patient": member.place.patient,
            "domain": domain,
            "batch": numbers[domain],
            "outside": member.state,
        }
        for member, domain in zip(told, domains, strict=True)
    ]
    contents = {} if options.files == "list" else _copies(told, domains)
    return CohortFiles(
        provenance=Provenance(
            job="iap.sort",
            engine="headers alone" if opened is None else f"network {opened.name}",
            options=to_json(options),
            device=getattr(opened, "device", "cpu"),
            seconds={"sort": time.perf_counter() - started},
            weights_sha256=opened.weights_sha256 if opened else None,
            inputs={"series": len(told), "unread": len(unread)},
            notes=_notes(domains, told, opened, options),
        ),
        series=series_table(told, first),
        confusion=confusion(told),
        written=_written(contents, options),
        unread=unread,
        contents=contents,
        how="link" if options.files == "link" else "copy",
    )


def _check_names(options: SortOptions) -> None:
    unknown = [name for name in options.by if name not in BY_NAME]
    if unknown or not options.by:
        what = f"{unknown[0]!r} is no acquisition parameter" if unknown else "No parameter makes the domains"
        raise InputError(f"{what}; choose among {', '.join(BY_NAME)}.")


def domains_of(cohort: Sequence[Member], options: SortOptions) -> list[str]:
    """The domain of each series: its values of the parameters ``by``, joined by commas."""
    columns = [_named(name, [_value(member, name, options.source) for member in cohort]) for name in options.by]
    return [", ".join(parts) for parts in zip(*columns, strict=True)]


def _value(member: Member, name: str, source: str) -> Value:
    row = member.rows.get(name, {})
    if source == "predicted":
        return row.get("predicted")
    header = row.get("header")
    return row.get("predicted") if source == "filled" and header is None else header


def _named(name: str, values: Sequence[Value]) -> list[str]:
    """Values as names of domains: those that are the same have one name, and near numbers, too."""
    if BY_NAME[name].kind == "continuous":
        return _near(name, values)
    names: dict[Value, str] = {}
    for value in values:
        key = key_of(name, value)
        if key is not None:
            names.setdefault(key, text_of(name, field_strength(float(key)) if name == "field_strength" else value))
    return [_with_unit(name, names[key]) if (key := key_of(name, value)) in names else UNKNOWN for value in values]


def _near(name: str, values: Sequence[Value]) -> list[str]:
    """Numbers in groups from their smallest to ``BREADTH`` times that; a group's name says from where to where."""
    groups: list[list[float]] = []
    for number in sorted(float(value) for value in values if value is not None):
        if groups and number <= BREADTH * groups[-1][0]:
            groups[-1].append(number)
        else:
            groups.append([number])
    names = {}
    for group in groups:
        ends = dict.fromkeys(f"{end:.3g}" for end in (group[0], group[-1]))
        names |= dict.fromkeys(group, _with_unit(name, " to ".join(ends)))
    return [UNKNOWN if value is None else names[float(value)] for value in values]


def _with_unit(name: str, text: str) -> str:
    return f"{text} {BY_NAME[name].unit}".strip()


def _copies(cohort: Sequence[Member], domains: Sequence[str]) -> dict[str, Content]:
    """Where each file goes, below the result's folder: its domain, its series, its own name."""
    contents: dict[str, Content] = {}
    taken: Counter[str] = Counter()
    for member, domain in zip(cohort, domains, strict=True):
        place = member.place
        series = "" if len(place.files) == 1 else f"/{_plain(place.name)}"
        base = f"{FOLDER}/{_plain(domain)}{series}"
        for file in _files(member):
            name = file.name if series else f"{_plain(str(Path(place.name).parent))}_{file.name}".removeprefix("._")
            target = f"{base}/{name}"
            taken[target.lower()] += 1  # some systems do not tell capitals from small letters
            again = taken[target.lower()]
            contents[target if again == 1 else f"{base}/{again}_{name}"] = file
    return contents


def _files(member: Member) -> tuple[Path, ...]:
    """The files of a series, with its sidecar."""
    from DeepMRILib.iap.header_bids import sidecar_of

    sidecar = sidecar_of(member.place.path) if member.place.kind == "image" else None
    return member.place.files if sidecar is None else (*member.place.files, sidecar)


def _plain(name: str) -> str:
    """A name that can be a folder's on every system.

    Example:
        >>> _plain("SIEMENS, 1.5 T"), _plain("sub-1/anat"), _plain("..")
        ('SIEMENS_1.5_T', 'sub-1_anat', '_')
    """
    plain = re.sub(r"[^\w.+-]+", "_", name, flags=re.ASCII).strip(" _")
    return plain if plain.strip(".") else plain.replace(".", "") or "_"


def _written(contents: dict[str, Content], options: SortOptions) -> Table:
    what = "link" if options.files == "link" else "copy"
    rows = [{"path": place, "what": f"{what} of {file}"} for place, file in contents.items()]
    return Table.from_rows(rows) if rows else Table({"path": [], "what": []})


def _notes(
    domains: Sequence[str], cohort: Sequence[Member], model: Model | None, options: SortOptions
) -> tuple[str, ...]:
    notes = list(model.notes) if model is not None else []
    if options.source != "header" and set(options.by) & set(CORRELATION_ONLY):
        notes.append("The contrast agent is told from scanner, era and protocol alone, as it goes with them.")
    outside = sum(member.state == "bad" for member in cohort)
    if outside:
        notes.append(f"{outside} of {len(cohort)} series are unlike those that the network was trained on.")
    single = sum(count == 1 for count in Counter(domains).values())
    if single:
        counted = "1 of the domains has" if single == 1 else f"{single} of the domains have"
        notes.append(f"{counted} one series: harmonisation such as ComBat needs two or more.")
    if UNKNOWN in "".join(domains):
        notes.append(f"Series of which a value is not known stand under {UNKNOWN}.")
    return tuple(dict.fromkeys(notes))
