"""What the jobs of KSpaceIGS return; trained networks stand in ``trained``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from DeepMRILib.igs.pattern import FILE, Pattern
from DeepMRILib.results import Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume


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
    """

    pattern: Pattern
    lines: Table
    rivals: Table
    mask: NDArray
    growth: NDArray
    growth_lines: NDArray
    example: NDArray

    def write_files(self, folder: Path) -> None:
        """Also pattern.json."""
        self.pattern.save(folder / FILE)
        super().write_files(folder)


@dataclass(frozen=True, eq=False)
class Evaluation(Result):
    """Patterns compared on cases that they were not chosen on (``igs.test``).

    Attributes:
        scores: a row for each pattern, number of lines, draw, case and structure: ``pattern``, ``lines``, ``draw``,
            ``case``, ``structure``, and the measures of the task (``dice``, ``hd95``; or ``correct``, ``probability``),
            and of the image (rows with structure ``image``: ``psnr``, ``ssim``, ``nmse``).
        summary: a row for each pattern, number of lines, structure and measure: ``mean``, ``low``, ``high``, and
            against the recommended pattern the paired ``difference``, ``difference_low``, ``difference_high``;
            ``cases``.
        masks: pattern and lines, such as ``igs_16``, to its mask.
        examples: name to picture (h, w) of one slice: full, undersampled, segmentation, for the report.
    """

    scores: Table
    summary: Table
    masks: dict[str, NDArray]
    examples: dict[str, NDArray] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AppliedPattern(Result):
    """An image as the pattern leaves it (``igs.apply``).

    Attributes:
        undersampled: magnitudes (i, j, k), or (i, j, k, c), zero-filled.
        segmentation: of the network, where one was given.
        mask: the k-space lines of a slice as an image, 1 where acquired.
        classes: a row for each slice: ``slice``, ``class``, ``probability``, where the network tells classes.
    """

    undersampled: Volume
    mask: NDArray
    segmentation: LabelVolume | None = None
    classes: Table = field(default_factory=lambda: Table({}))


@dataclass(frozen=True, eq=False)
class ExportResult(Result):
    """A mask in the files of other programs (``igs.export``).

    Attributes:
        pattern: what was exported.
        settings: of the export, for the writers.
        timing: a row: ``lines``, ``acceleration``, ``repetitions``, ``seconds``.
    """

    pattern: Pattern
    timing: Table
    written: dict[str, Any] = field(default_factory=dict)


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
