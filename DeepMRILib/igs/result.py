"""What the jobs of KSpaceIGS return; trained networks stand in ``trained``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from DeepMRILib.igs.pattern import FILE, Kind, Pattern
from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

GIF = "growth.gif"


@dataclass(frozen=True, eq=False)
class PatternResult(Result):
    """A pattern and how it was found (``igs.find``).

    Attributes:
        pattern: also a file of its own, pattern.json.
        lines: a row for each line in order: ``step``, ``contrast``, ``line`` (of points ``line`` and ``line_2``),
            ``offset`` from DC, ``gradient``, ``loss``.
        rivals: a row for each number of lines compared: ``lines``, ``acceleration``, ``igs``, ``block``, ``centre``
            (losses on the selection set), ``block_shift``, ``recommended``.
        mask: the recommended pattern (N,), (N1, N2), or (contrasts, ...) bool.
        growth: magnitudes (steps, h, w) float32 of one slice with more and more lines, for pictures.
        growth_lines: (steps,) how many lines each has.
        example: the full slice (h, w) of ``growth``.
        growth_labels: (steps, h, w) uint8, what the network finds in them; None without one that segments.
        growth_kspace: log k-space of the slice, 0 to 1, along the axes of a picture of it (see ``growth``).
        example_labels: (h, w) uint8 true labels of the slice; None where there are none.
    """

    pattern: Pattern
    lines: Table
    rivals: Table
    mask: NDArray
    growth: NDArray
    growth_lines: NDArray
    example: NDArray
    growth_labels: NDArray | None = None
    growth_kspace: NDArray | None = None
    example_labels: NDArray | None = None

    def write_files(self, folder: Path) -> None:
        """Also pattern.json, and the animation growth.gif where matplotlib is installed."""
        self.pattern.save(folder / FILE)
        if len(self.growth) and find_spec("matplotlib") is not None:
            from DeepMRILib.igs.growth_frames import frames_of, write_gif

            write_gif(folder / GIF, frames_of(self))
        super().write_files(folder)


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """Patterns compared on cases that they were not chosen on (``igs.test``).

    Attributes:
        scores: a row for each pattern, number of lines, draw, case and structure: ``pattern``, ``lines``, ``draw``,
            ``case``, ``structure``, and the measures, NaN where one does not apply: ``dice`` and ``hd95`` of structures
            and of their ``mean``; ``correct`` (the part of the case's slices) and ``probability`` (of the true class)
            of the ``class``; ``psnr``, ``ssim`` and ``nmse`` of the zero-filled ``image``, and of the
            ``reconstruction`` by a network.
        summary: a row for each pattern, number of lines, structure and measure: ``pattern``, ``lines``,
            ``acceleration``, ``recommended`` (whether the pattern is the recommended one at this number),
            ``structure``, ``measure`` (also ``auc``), ``mean``, ``low``, ``high``, ``cases``, and what the recommended
            pattern has more: ``difference``, ``difference_low``, ``difference_high``, ``p``, over the
            ``difference_cases`` that have both.
        trivial: what is reached without looking at k-space: ``structure``, ``measure``, ``mean``, ``low``, ``high``,
            ``cases``, ``what``.
        masks: pattern and lines, such as ``igs_16``, to its mask (contrasts or 1, *shape) bool; of a random pattern the
            first draw.
        examples: pictures (h, w) of one slice: ``full``, ``truth``, and for each pattern, such as ``igs``, its
            magnitudes and ``igs_found``, the network's labels or reconstruction.
        about: ``task``, ``patterns`` (name to words), ``recommended`` (lines to pattern), ``structures``,
            ``label_names``, ``example_lines``, ``view`` (how pictures are turned, as in ``SliceDataset``).
    """

    scores: Table
    summary: Table
    trivial: Table
    masks: dict[str, NDArray]
    examples: dict[str, NDArray] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AppliedPattern(Result):
    """An image as the pattern leaves it (``igs.apply``).

    Attributes:
        undersampled: magnitudes (i, j, k), or (i, j, k, c), zero-filled.
        segmentation: of the network, where one was given.
        mask: the k-space lines of a slice as an image, 1 where acquired.
        classes: a row for each slice: ``slice``, ``case``, ``class``, ``probability``, where the network tells classes.
        reconstruction: magnitudes, where the network makes images.
    """

    undersampled: Volume
    mask: NDArray
    segmentation: LabelVolume | None = None
    classes: Table | None = None
    reconstruction: Volume | None = None


@dataclass(frozen=True, eq=False)
class ExportResult(Result):
    """A mask in the files of other programs (``igs.export``).

    Attributes:
        pattern: what was exported.
        lines: how many of its lines.
        kind: igs, block or centre.
        formats: the files that are written.
        timing: a row: ``lines``, ``acceleration``, ``repetitions``, ``seconds``, ``seconds_of_all_lines``.
        trains: which line each echo of each train acquires, where there are echo trains: ``train``, ``echo``,
            ``line``, ``offset`` (of points also ``line_2``, ``offset_2``).
        sequences: file name to the text of a Pulseq sequence.
    """

    pattern: Pattern
    lines: int
    kind: Kind
    formats: tuple[str, ...]
    timing: Table
    trains: Table | None = None
    sequences: dict[str, str] = field(default_factory=dict)

    @property
    def mask(self) -> NDArray:
        """(N,) or (N1, N2) bool, or (contrasts, ...): what is acquired."""
        return self.pattern.mask(self.lines, kind=self.kind)

    def write_files(self, folder: Path) -> None:
        """The chosen files, and the scan time."""
        from DeepMRILib.igs.exporting import write_formats

        write_formats(self, folder)
        # of the sequences result.json holds the names; their text has files of its own
        Result.write_files(replace(self, sequences=dict.fromkeys(self.sequences, "")), folder)


@dataclass(frozen=True, eq=False)
class SampleResult(Result):
    """A generated dataset (``igs.sample``): each slice is a case of its own.

    Attributes:
        image: magnitudes (i, j, k), a slice of each case along k.
        labels: what is where.
        phase: in radians, where the phantom has one.
    """

    image: Volume
    labels: LabelVolume
    phase: Volume | None = None
