"""The signals of a whole study as one matrix; one series is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.files.study import SeriesFile
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.ivim.prepare import choose, chosen_signals, jitter
from DeepMRILib.ivim.signal_store import SignalStore, copy_rows, signal_store
from DeepMRILib.progress import Progress
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume, Volume

Series = DiffusionVolume | SeriesFile | Path | str
Mask = Volume | NDArray | Path | str
BLOCK_BYTES = 16 * 1024**2
"""About so much of a series is copied at once."""
MOST_SHOWN = 24
REMEDY = (
    "needs the same b-values everywhere: average the images of one b-value (average arithmetic), leave out the "
    "highest (b_max) or the lowest (b_min), or train a network for each protocol."
)


@dataclass(frozen=True)
class Source:
    """One series of a study and its mask; those that are paths are read when their turn comes."""

    number: int
    series: DiffusionVolume | SeriesFile
    mask: Mask | None

    @property
    def name(self) -> str:
        """What sentences and tables call it."""
        if isinstance(self.series, SeriesFile):
            return f"series {self.number} ({self.series.path.name})"
        return f"series {self.number}"

    def read(self) -> tuple[DiffusionVolume, Volume | NDArray | None]:
        """The series and its mask in memory."""
        series = self.series.read() if isinstance(self.series, SeriesFile) else self.series
        mask = files.read_volume(self.mask) if isinstance(self.mask, (str, Path)) else self.mask
        return series, mask


@dataclass(frozen=True, eq=False)
class Study:
    """Signals of all voxels of all series.

    Attributes:
        signals: (voxels, n), in memory or a memory map; only to be read.
        b_values: (n,) in s/mm2, of the first series.
        series: one row per series: ``series``, ``voxels``, ``images``, ``notes``.
        notes: what holds for all, one sentence each.
    """

    signals: NDArray
    b_values: NDArray
    series: Table
    notes: tuple[str, ...]


def sources(volumes: Series | Sequence[Series], masks: Mask | Sequence[Mask | None] | None) -> list[Source]:
    """The series of a study, each with its mask.

    Raises:
        InputError: no series, something that is none, or not one mask for each.
    """
    given = [volumes] if isinstance(volumes, Series) else _several(volumes)
    if not given:
        raise InputError("There is no series to train on. Give at least one diffusion series.")
    if masks is None or (isinstance(masks, Sequence) and not isinstance(masks, str) and not len(masks)):
        beside = [None] * len(given)
    else:
        beside = [masks] if isinstance(masks, (Volume, np.ndarray, Path, str)) else list(masks)
    if len(beside) != len(given):
        raise InputError(
            f"The number of masks is {len(beside)}, and that of series {len(given)}. Give one mask for each series, "
            "in their order, or none at all."
        )
    return [_source(number, *pair) for number, pair in enumerate(zip(given, beside, strict=True), 1)]


def _several(volumes: Any) -> list[Any]:
    if not isinstance(volumes, Sequence):
        raise InputError(
            f"A study is a diffusion series or a list of them (DiffusionVolume, or files); got a "
            f"{type(volumes).__name__}."
        )
    return list(volumes)


def _source(number: int, series: Any, mask: Any) -> Source:
    if isinstance(series, (str, Path)):
        series = SeriesFile(Path(series))
    if not isinstance(series, (DiffusionVolume, SeriesFile)):
        raise InputError(
            f"Series {number} of the study is a {type(series).__name__}; expected a diffusion series "
            "(DiffusionVolume) or the path of one."
        )
    return Source(number, series, mask)


@contextmanager
def study_signals(
    study: Sequence[Source], options: FitOptions, *, most: int, seed: int, progress: Progress
) -> Iterator[Study]:
    """The signals of a study while the block runs; a temporary file that they may need goes with it.

    Args:
        study: the series.
        options: which images and voxels count.
        most: voxels, drawn at random from all; 0 takes all.
        seed: of the drawing.
        progress: told of each series.

    Raises:
        InputError: a series that cannot be used, or whose b-values are others than the first one's.
        OutputError: the disk of the temporary files is full.
    """
    with signal_store() as store, signal_store() as drawn:
        rows, first = [], None
        for done, source in enumerate(study):
            progress(done / len(study), f"Reading {source.name} of {len(study)}")
            with _named(source, study):
                row, b_values = _append(source, options, store, first)
            first = (source.name, b_values) if first is None else first
            rows.append(row)
        notes: tuple[str, ...] = ()
        if 0 < most < store.rows:
            chosen = np.random.default_rng([seed, 1]).choice(store.rows, most, replace=False)
            copy_rows(store.matrix(), np.sort(chosen), drawn)
            notes = (f"{most:,} of {store.rows:,} voxels were drawn at random for the training.",)
            store.close()
        yield Study((drawn if notes else store).matrix(), first[1], Table.from_rows(rows), notes)


@contextmanager
def _named(source: Source, study: Sequence[Source]) -> Iterator[None]:
    """Say of which series an error is, where there are several."""
    try:
        yield
    except InputError as error:
        if len(study) == 1:
            raise
        raise InputError(f"{source.name[0].upper()}{source.name[1:]}: {error}") from error


def _append(
    source: Source, options: FitOptions, store: SignalStore, first: tuple[str, NDArray] | None
) -> tuple[dict[str, Any], NDArray]:
    """Add one series to the store. It is in memory only while this runs."""
    series, mask = source.read()
    choice = choose(series, options, mask)
    _, b_values = chosen_signals(series, choice, options.average, slice(0, 0))
    if first is not None and not same_b_values(b_values, first[1]):
        raise InputError(
            f"It has {b_values_text(b_values)}, and {first[0]} has {b_values_text(first[1])}. One network {REMEDY}"
        )
    bytes_per_plane = 4 * series.array.size // len(series.array)
    planes = max(1, BLOCK_BYTES // bytes_per_plane)
    for start in range(0, len(series.array), planes):
        values, _ = chosen_signals(series, choice, options.average, slice(start, start + planes))
        store.append(values)
    row = {
        "series": source.name,
        "voxels": int(choice.inside.sum()),
        "images": int(b_values.size),
        "notes": " ".join(choice.notes),
    }
    return row, b_values


def same_b_values(found: NDArray, expected: NDArray) -> bool:
    """Whether ascending b-values (n,) are as expected, apart from the jitter that ``prepare.b_groups`` allows."""
    if len(found) != len(expected):
        return False
    return bool((np.abs(np.asarray(found) - expected) <= jitter(np.maximum(found, expected))).all())


def b_values_text(b_values: NDArray) -> str:
    """9 images (b = 0, 10, 20 s/mm2 ...); of many the distinct ones, with how often each is there."""
    values, counts = np.unique(np.round(b_values), return_counts=True)
    words = [f"{b:g}" + (f" x {count}" if count > 1 else "") for b, count in zip(values, counts, strict=True)]
    more = f", ... {words[-1]}" if len(words) > MOST_SHOWN else ""
    images = "image" if len(b_values) == 1 else "images"
    return f"{len(b_values)} {images} (b = {', '.join(words[:MOST_SHOWN])}{more} s/mm2)"
