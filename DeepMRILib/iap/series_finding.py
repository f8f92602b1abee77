"""Which series a folder holds: DICOM in any order, NIfTI images, sidecars; by their headers alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, overload

from DeepMRILib.errors import InputError
from DeepMRILib.files.dicom_series import looks_like_dicom
from DeepMRILib.files.paths import is_regular
from DeepMRILib.iap import header_bids
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.header_dicom import Record, read_slim, record_of
from DeepMRILib.iap.header_reading import header_of_records
from DeepMRILib.progress import Progress, silent

Kind = Literal["dicom", "image", "sidecar"]
_LISTED = 8
"""Series that a sentence lists."""
_EVERY = 50
"""Files between two words of progress."""


@dataclass(frozen=True)
class SeriesPlace:
    """A series that was found, with its header; its pixels are still on disk.

    Attributes:
        path: the folder of its files, or its file if it is only one.
        kind: DICOM, an image (with or without sidecar), or a sidecar without an image.
        files: its files.
        header: what they say.
        name: for people and tables, unique in what was found: the path below the folder that was searched.
    """

    path: Path
    kind: Kind
    files: tuple[Path, ...]
    header: Header
    name: str

    @property
    def patient(self) -> str:
        """Of the header; where it does not say, the folder above the series, or of a series at the top its own name."""
        above = Path(self.name).parent.as_posix()
        return self.header.patient or (above if above != "." else self.name)


@dataclass(frozen=True)
class Unread:
    """A file that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class FoundSeries(Sequence[SeriesPlace]):
    """All series of a folder, a sequence of ``SeriesPlace``.

    Attributes:
        places: the series.
        unread: files that are damaged or not of MR. What is plainly something else (texts, tables) is not listed.
    """

    places: tuple[SeriesPlace, ...]
    unread: tuple[Unread, ...] = ()

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> SeriesPlace: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[SeriesPlace, ...]: ...
    def __getitem__(self, index: int | slice) -> SeriesPlace | tuple[SeriesPlace, ...]:
        return self.places[index]

    def __iter__(self) -> Iterator[SeriesPlace]:
        return iter(self.places)


@dataclass
class _Search:
    root: Path
    records: dict[str, list[Record]] = field(default_factory=dict)
    places: list[SeriesPlace] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)


def find_series(folder: Path | str, *, sidecars: bool = False, progress: Progress | None = None) -> FoundSeries:
    """The series of a folder and of the folders in it, sorted by name.

    A file that cannot be read is listed in ``unread`` and the others are done all the same.

    Args:
        folder: with DICOM files, whatever they are called, and NIfTI images. A single file is a folder of one.
        sidecars: list sidecars without an image, too.
        progress: told how far it is.

    Raises:
        InputError: no such folder.
        DependencyError: there are DICOM files and pydicom is not installed.
    """
    folder, progress = Path(folder), progress or silent
    if not folder.exists():
        raise InputError(f"There is no folder {folder}. Check the path.")
    search = _Search(folder if folder.is_dir() else folder.parent)
    paths = list(_files(folder, search))
    for number, path in enumerate(paths):
        if number % _EVERY == 0:
            progress(number / len(paths), f"File {number + 1} of {len(paths)}")
        try:
            _look_at(path, search, sidecars)
        except InputError as error:
            search.unread.append(Unread(path, str(error)))
    search.places += [_dicom_place(records, search) for records in search.records.values()]
    places = _with_unique_names(
        sorted(search.places, key=lambda place: (place.name, place.header.description, place.header.series))
    )
    return FoundSeries(tuple(places), tuple(search.unread))


def one_series(found: FoundSeries, folder: Path) -> SeriesPlace:
    """The only series of a folder.

    Raises:
        InputError: none, or several; the sentence lists them, and says if they are of several patients.
    """
    if len(found) == 1:
        return found[0]
    if not len(found):
        reason = f" The first file that was left out: {found.unread[0].reason}" if found.unread else ""
        raise InputError(f"{folder} holds no MR series. Give a folder with DICOM files or a NIfTI image.{reason}")
    patients = {place.patient for place in found}
    of = f" of {len(patients)} patients" if len(patients) > 1 else ""
    listed = "; ".join(_described(place) for place in found[:_LISTED]) + ("; ..." if len(found) > _LISTED else "")
    raise InputError(
        f"{folder} holds {len(found)} series{of}, and one was expected: {listed}. Give the folder or file of one "
        "series, or treat the whole folder as a cohort (audit, sort, complete)."
    )


def _described(place: SeriesPlace) -> str:
    return f"{place.name} ({place.header.description})" if place.header.description else place.name


def _files(folder: Path, search: _Search) -> Iterator[Path]:
    if not folder.is_dir():
        yield folder
        return

    def fail(error: OSError) -> None:
        search.unread.append(Unread(Path(error.filename or folder), f"It cannot be read ({error.strerror})."))

    for place, folders, names in os.walk(folder, onerror=fail):
        folders.sort()
        for name in sorted(names):
            if not name.startswith(".") and name.upper() != "DICOMDIR":
                yield Path(place, name)


def _look_at(path: Path, search: _Search, sidecars: bool) -> None:
    if not is_regular(path):
        return
    lower = path.name.lower()
    if lower.endswith(header_bids.IMAGES):
        header = header_bids.header_of_image(path)
        search.places.append(SeriesPlace(path, "image", (path,), header, _below(path, search.root)))
    elif lower.endswith(".json"):
        if not sidecars or header_bids.image_of(path) is not None:
            return
        content = header_bids.read_json(path)
        if header_bids.raw_of(content):  # else a description of the data set, or the like
            header = header_bids.header_of_sidecar(path, content=content)
            search.places.append(SeriesPlace(path, "sidecar", (path,), header, _below(path, search.root)))
    elif looks_like_dicom(path):
        record = record_of(read_slim(path), path)
        if not dict(record.raw).get("rows", "").strip("0 "):
            raise InputError(f"{path.name} holds no image. Give the images of an MR series.")
        search.records.setdefault(record.series or f"in {path.parent}", []).append(record)
    elif lower.endswith((".dcm", ".ima")):
        raise InputError(f"{path.name} is no DICOM file, or its beginning is damaged. Copy or export it again.")


def _dicom_place(records: list[Record], search: _Search) -> SeriesPlace:
    kept: dict[str, Record] = {}
    for record in records:
        key = record.instance_uid or str(record.path)
        if key in kept:
            search.unread.append(Unread(record.path, f"It is the same image as {kept[key].path.name}; one is enough."))
        kept.setdefault(key, record)
    files = tuple(record.path for record in kept.values())
    path = files[0] if len(files) == 1 else Path(os.path.commonpath([file.parent for file in files]))
    header = header_of_records(list(kept.values()), str(path))
    return SeriesPlace(path, "dicom", files, header, _below(path, search.root))


def _below(path: Path, root: Path) -> str:
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
    return name if name != "." else root.name


def _with_unique_names(places: list[SeriesPlace]) -> list[SeriesPlace]:
    """Several series in one folder are told apart by the number of the series among them."""
    total, seen = Counter(place.name for place in places), Counter()
    unique = []
    for place in places:
        seen[place.name] += 1
        unique.append(replace(place, name=f"{place.name} [{seen[place.name]}]") if total[place.name] > 1 else place)
    return unique
