"""Patterns for other programs: which files there are, and what a sequence is like."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from DeepMRILib.errors import InputError, OutputError, require
from DeepMRILib.igs.exporting_files import HDF5_PURPOSE, Acquisition, write_bart, write_h5, write_npy
from DeepMRILib.igs.exporting_pulseq import PURPOSE as PULSEQ_PURPOSE
from DeepMRILib.igs.exporting_pulseq import RESEARCH, sequence_text
from DeepMRILib.igs.options_network import KIND
from DeepMRILib.igs.pattern import Kind, Pattern
from DeepMRILib.igs.result import ExportResult
from DeepMRILib.igs.timing import echo_trains, repetitions, scan_seconds, trains_table
from DeepMRILib.options import from_json, option, to_json, validate
from DeepMRILib.progress import Progress, part, silent
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.writing import replacing

Format = Literal["json", "npy", "h5", "bart", "pulseq"]
ENDINGS: dict[str, Format] = {
    ".json": "json", ".npy": "npy", ".h5": "h5", ".hdf5": "h5", ".cfl": "bart", ".hdr": "bart", ".seq": "pulseq",
}  # fmt: skip
WRITERS: dict[str, Callable[[Acquisition, Path], None]] = {"npy": write_npy, "h5": write_h5, "bart": write_bart}


@dataclass(frozen=True)
class ExportOptions:
    """Which lines are exported, to which files, and what a sequence is like."""

    lines: int = option(0, "Lines that are acquired; 0 takes all of the pattern", range=(0, 1_000_000))
    acceleration: float = option(
        0.0, "Acceleration instead of a number of lines, such as 8; 0 lets lines decide", range=(0, 10_000)
    )
    kind: Kind = option("recommended", KIND)
    formats: tuple[Format, ...] = option(
        ("json", "npy", "h5", "bart"),
        "Files: json is the pattern, npy NumPy, h5 as fastMRI's test files, bart .cfl and .hdr, pulseq a .seq sequence",
    )
    tr: float = option(12.0, "Repetition time", unit="ms", range=(0.1, 100_000), label="TR")
    te: float = option(
        0.0, "Echo time of the sequence; 0 takes the shortest", unit="ms", range=(0, 1000), label="TE", advanced=True
    )
    flip: float = option(15.0, "Flip angle of the sequence", unit="degrees", range=(0.1, 180), advanced=True)
    fov: float = option(
        256.0, "Field of view of the sequence along readout and phase encoding", unit="mm", range=(1, 1000), label="FOV"
    )
    slice_thickness: float = option(
        5.0, "Slice thickness of the sequence, of points the thickness of a partition", unit="mm", range=(0.1, 1000)
    )
    readout_samples: int = option(
        0, "Samples of a readout; 0 takes as many as there are lines", range=(0, 8192), advanced=True
    )
    dwell: float = option(10.0, "Time between two samples", unit="us", range=(0.5, 1000), advanced=True)
    echo_train: int = option(
        1, "Lines after each excitation, for the scan time and the table of trains; .seq files have one",
        range=(1, 1024), advanced=True,
    )  # fmt: skip
    effective_echo: int = option(1, "Echo of a train that acquires DC, counted from 1", range=(1, 1024), advanced=True)
    averages: int = option(1, "How often each line is acquired", range=(1, 1000), advanced=True)
    dummies: int = option(16, "Repetitions at the start without a signal", range=(0, 10_000), advanced=True)
    max_gradient: float = option(28.0, "Strongest gradient of the system", unit="mT/m", range=(1, 500), advanced=True)
    max_slew: float = option(120.0, "Highest slew rate of the system", unit="T/m/s", range=(1, 1000), advanced=True)


def export(
    pattern: Pattern | Path | str, options: ExportOptions | None = None, *, progress: Progress | None = None
) -> ExportResult:
    """A pattern's mask for other programs, with its scan time.

    Args:
        pattern: or the place of one.
        options: see ``ExportOptions``.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: more lines than the pattern has, or a sequence that is not possible.
        DependencyError: the package for a format is not installed.
        OutputError: a sequence that was made does not acquire the mask.
    """
    options, progress = validate(options or ExportOptions()), progress or silent
    started = time.perf_counter()
    pattern = pattern if isinstance(pattern, Pattern) else Pattern.load(pattern)
    acquisition = Acquisition.of(pattern, options.lines or None, options.acceleration or None, options.kind)
    for name, module, purpose in (("h5", "h5py", HDF5_PURPOSE), ("pulseq", "pypulseq", PULSEQ_PURPOSE)):
        if name in options.formats:
            require(module, purpose)
    sequences = _sequences(acquisition, options, part(progress, 0, 0.95)) if "pulseq" in options.formats else {}
    progress(1.0, "Files ready")
    provenance = Provenance(
        "igs.export",
        "Masks with exact counts; Pulseq spoiled gradient echo (DeepMRILib.igs.exporting)",
        to_json(options),
        seconds={"total": time.perf_counter() - started},
        inputs={"shape": list(pattern.shape), **acquisition.about()},
        notes=_notes(acquisition, options, sequences),
    )
    return ExportResult(
        provenance,
        pattern,
        lines=acquisition.lines,
        kind=acquisition.kind,
        formats=options.formats,
        timing=_timing(acquisition, options),
        trains=_trains(acquisition, options),
        sequences=sequences,
    )


def export_mask(
    pattern: Pattern, path: Path | str, lines: int | None = None, kind: Kind = "recommended", *,
    overwrite: bool = False, **settings: Any,
) -> Path:  # fmt: skip
    """Write a pattern's mask for another program; the ending of ``path`` says which.

    ``.json`` the whole pattern, ``.npy`` and ``.h5`` the mask, ``.cfl`` (or ``.hdr``) both files of BART, ``.seq`` a
    Pulseq sequence. Where contrasts have masks of their own, all of them are written, but a sequence has one: choose
    it by ``contrast``, counted from 0.

    Args:
        pattern: of which a mask is written.
        path: of the file.
        lines: how many of its lines; by default all.
        kind: which of its patterns.
        overwrite: whether a file that exists is replaced.
        settings: further ones of ``ExportOptions``, and ``contrast``.

    Raises:
        InputError: an ending or a setting that is not known, or a sequence that is not possible.
        OutputError: the file exists, or cannot be written.
        DependencyError: the package for this format is not installed.
    """
    path = Path(path)
    name = ENDINGS.get(path.suffix.lower())
    if name is None:
        raise InputError(f"{path.name} has no ending that is known. Choose one of {', '.join(ENDINGS)}.")
    contrast = settings.pop("contrast", None)
    options = from_json(ExportOptions, {**settings, "lines": lines or 0, "kind": kind})
    if contrast is not None and name != "pulseq":
        raise InputError(f"A {path.suffix} file holds the masks of all contrasts; contrast is for .seq files.")
    targets = (path.with_suffix(".cfl"), path.with_suffix(".hdr")) if name == "bart" else (path,)
    for target in targets:
        if target.exists() and not overwrite:
            raise OutputError(f"The file {target} exists. Choose another name, or overwrite it.")
    if name == "json":
        return pattern.save(path, overwrite=overwrite)
    acquisition = Acquisition.of(pattern, lines, options.acceleration or None, kind)
    if name == "pulseq":
        text = sequence_text(acquisition.masks[_one_contrast(acquisition, contrast)], options)
        with replacing(path) as (partial,):
            partial.write_text(text, encoding="utf-8")
        return path
    with replacing(*targets) as partial:
        _write_beside(WRITERS[name], acquisition, partial)
    return path


def write_formats(result: ExportResult, folder: Path) -> None:
    """Write a result's files into a folder: pattern.json, mask.npy, mask.h5, mask.cfl and .hdr, and the sequences."""
    acquisition = Acquisition(result.pattern, result.lines, result.kind)
    if "json" in result.formats:
        result.pattern.save(folder / "pattern.json")
    for name, file in (("npy", "mask.npy"), ("h5", "mask.h5"), ("bart", "mask.cfl")):
        if name in result.formats:
            WRITERS[name](acquisition, folder / file)
    for name, text in result.sequences.items():
        (folder / name).write_text(text, encoding="utf-8")


def _write_beside(
    write: Callable[[Acquisition, Path], None], acquisition: Acquisition, partial: tuple[Path, ...]
) -> None:
    """Write to temporary names; of BART's two files the header goes by the data's name."""
    write(acquisition, partial[0])
    if len(partial) == 2:
        partial[0].with_suffix(".hdr").replace(partial[1])


def _one_contrast(acquisition: Acquisition, contrast: int | None) -> int:
    count = len(acquisition.masks)
    if contrast is None and count > 1:
        raise InputError(
            f"The pattern has masks of its own for {count} contrasts, and a sequence acquires one. Choose it by "
            f"contrast, from 0 to {count - 1}."
        )
    if contrast is not None and not 0 <= contrast < count:
        raise InputError(f"There is no contrast {contrast}; choose 0 to {count - 1}.")
    return contrast or 0


def _sequences(acquisition: Acquisition, options: ExportOptions, progress: Progress) -> dict[str, str]:
    masks = acquisition.masks
    names = ["sequence.seq"] if len(masks) == 1 else [f"sequence_{number}.seq" for number in range(len(masks))]
    return {
        name: sequence_text(mask, options, part(progress, place / len(masks), (place + 1) / len(masks)))
        for place, (name, mask) in enumerate(zip(names, masks, strict=True))
    }


def _notes(acquisition: Acquisition, options: ExportOptions, sequences: dict[str, str]) -> tuple[str, ...]:
    notes = list(acquisition.pattern.notes)
    if sequences:
        notes.append(RESEARCH)
    if len(acquisition.masks) > 1:
        notes.append("Each contrast has a mask of its own: they lie along the first axis, and each has a sequence.")
    if sequences and options.echo_train > 1:
        notes.append(
            "The sequence is a gradient echo of one line per excitation; scan time and trains are not its own."
        )
    if acquisition.lines % options.echo_train:
        notes.append(f"The last echo trains are not full: {acquisition.lines} is no multiple of {options.echo_train}.")
    return tuple(notes)


def _timing(acquisition: Acquisition, options: ExportOptions) -> Table:
    given = {"echo_train": options.echo_train, "averages": options.averages, "dummies": options.dummies}
    size = acquisition.pattern.encoding.size
    row = {
        "lines": acquisition.lines,
        "acceleration": size / acquisition.lines,
        "repetitions": repetitions(acquisition.lines, **given),
        "seconds": scan_seconds(acquisition.lines, options.tr, **given),
        "seconds_of_all_lines": scan_seconds(size, options.tr, **given),
    }
    return Table.from_rows([row], {"seconds": "s", "seconds_of_all_lines": "s"})


def _trains(acquisition: Acquisition, options: ExportOptions) -> Table | None:
    """Which line each echo acquires, of the first contrast; None without echo trains."""
    if options.echo_train == 1:
        return None
    encoding = acquisition.pattern.encoding
    chosen = acquisition.masks[0].ravel()
    offsets = encoding.offsets()[chosen]
    lines = offsets + [n // 2 for n in encoding.shape]
    return Table(trains_table(offsets, lines, echo_trains(offsets, options.echo_train, options.effective_echo)))
