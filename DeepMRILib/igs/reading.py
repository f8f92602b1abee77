"""Slices of many sources as one dataset: only those of the part and number asked for are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from DeepMRILib.device import free_memory, in_words
from DeepMRILib.errors import InputError
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.joining import joined, nbytes, spread, without_empty
from DeepMRILib.igs.options import DataOptions
from DeepMRILib.igs.scanner import with_noise, with_phase
from DeepMRILib.igs.slicing import even_rows
from DeepMRILib.igs.splitting import case_note, case_parts, part_of, with_notes
from DeepMRILib.progress import Progress, silent


@dataclass(frozen=True)
class Source:
    """Something that holds slices of one case.

    Attributes:
        case: the patient or scan.
        name: of the file, for sentences.
        read: its slices, at most as many as said (0 for all) where it can leave some unread.
        kind: a class, where cases have one: parts get each in like shares.
    """

    case: str
    name: str
    read: Callable[[int], SliceDataset]
    kind: int | None = None


def read_sources(
    sources: Sequence[Source], options: DataOptions, progress: Progress = silent, notes: tuple[str, ...] = ()
) -> SliceDataset:
    """The slices of many sources: only those of the part and number asked for are read.

    Args:
        sources: of one or more cases.
        options: part, seed, slices and size are used, and the phase and noise to add.
        progress: told source by source.
        notes: that stand before those of the sources.

    Raises:
        InputError: a source cannot be used, or together they need more memory than there is.
    """
    parts = case_parts([source.case for source in sources], options.seed, _kinds(sources))
    if options.part == "all" or not parts:  # the slices of one or two cases are divided when they are there
        whole = options if options.part == "all" else replace(options, slices=0)
        dataset = _read_all(sources, whole, progress)
        dataset.require_classes()
        dataset = part_of(dataset, options.part, options.seed)
    else:
        chosen = [source for source in sources if parts[source.case] == options.part]
        dataset = _read_all(chosen, options, progress)
        dataset.require_classes()
        dataset = with_notes(dataset, case_note(parts, options.part))
    dataset = replace(dataset, notes=(*notes, *dataset.notes))
    return as_scanned(spread(dataset, options.slices), options)


def _read_all(sources: Sequence[Source], options: DataOptions, progress: Progress) -> SliceDataset:
    """All slices with signal; with ``slices`` the like number of each source."""
    pieces, empty, total = [], 0, 0
    if options.slices and len(sources) > options.slices:
        sources = [sources[row] for row in even_rows(len(sources), options.slices)]
    share = -(-options.slices // len(sources)) if options.slices else 0
    used = 0
    for number, source in enumerate(sources):
        progress(number / len(sources), f"Reading {source.name}")
        piece = _read_one(source, share)
        kept = without_empty(piece)
        total += len(piece)
        empty += len(piece) - (0 if kept is None else len(kept))
        if kept is None:
            continue
        pieces.append(spread(kept, share))
        used += nbytes(pieces[-1])
        _check_memory(used, number + 1, len(sources))
    if not pieces:
        raise InputError(f"{sources[0].name} is 0 everywhere. Give images that show something.")
    dataset = joined(pieces, options.size)
    if empty:
        dataset = with_notes(dataset, f"{empty} of {total} slices hold no signal and were left out.")
    return dataset


def _read_one(source: Source, most: int) -> SliceDataset:
    """The slices of a source; its sentences name it."""
    try:
        return source.read(most)
    except InputError as error:
        if source.name in str(error) or source.name == "The image":
            raise
        raise InputError(f"{source.name}: {error}") from error


def _check_memory(used: int, done: int, count: int) -> None:
    """Refuse what will not fit, as soon as the first cases tell: joining needs all of it twice."""
    free = free_memory("cpu")
    expected = used / done * count
    if free is not None and 2 * expected - used > free:
        raise InputError(
            f"The slices of {count} files need about {in_words(round(2 * expected))} of memory, and there are "
            f"{in_words(free + used)}. Take fewer slices (slices), smaller ones (size), or a part."
        )


def _kinds(sources: Sequence[Source]) -> dict[str, int] | None:
    if any(source.kind is None for source in sources):
        return None
    return {source.case: source.kind for source in sources}


def as_scanned(dataset: SliceDataset, options: DataOptions) -> SliceDataset:
    """The dataset with the phase and the noise asked for."""
    if options.smooth_phase:
        dataset = with_phase(dataset, options.smooth_phase, options.seed)
    return with_noise(dataset, options.noise, options.seed) if options.noise else dataset
