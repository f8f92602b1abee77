"""A sampling pattern: lines of k-space in the order in which they serve, so that its first n are the pattern of n."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.igs.encoding import Encoding
from DeepMRILib.igs.kspace import line_count

Kind = Literal["igs", "block", "centre", "recommended"]
FILE = "pattern.json"
FORMAT = 1
_LARGEST_FILE = 50_000_000


@dataclass(frozen=True)
class Rung:
    """How the rivals did at one number of lines, on the slices that the pattern was chosen on.

    Attributes:
        lines: how many.
        igs, block, centre: the loss of each; None where the constraints leave no such pattern.
        block_shift: of the best block, how far its middle lies from DC along each encoded axis.
        winner: which of the three has the lowest loss.
    """

    lines: int
    igs: float
    block: float | None
    centre: float | None
    block_shift: tuple[int, ...]
    winner: Literal["igs", "block", "centre"]


@dataclass(frozen=True)
class Pattern:
    """Lines in order.

    Attributes:
        orders: for each contrast (one for all where they share it) flat indices, DC first; without repetition.
        shape: the number of lines (N,), or of points (N1, N2).
        axes: of the image that they encode, negative.
        losses: the loss with the first n lines, for each n from 1; None where it was not computed.
        gradients: (contrasts, lines) the derivative for which each line was taken; None of those that were forced.
        rungs: the rivals, by ascending number of lines.
        about: how it was found: loss, network, data, seed, constraints (JSON values).
        notes: what a reader must know, one sentence each.

    Example:
        >>> pattern = Pattern(((4, 3, 5, 2),), (8,), (-1,))
        >>> pattern.mask(lines=2).astype(int)
        array([0, 0, 0, 1, 1, 0, 0, 0])
    """

    orders: tuple[tuple[int, ...], ...]
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    losses: tuple[float | None, ...] = ()
    gradients: tuple[tuple[float | None, ...], ...] = ()
    rungs: tuple[Rung, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.orders or len({len(order) for order in self.orders}) > 1 or not self.orders[0]:
            raise InputError("A pattern has at least one line, and the same number for each contrast.")
        for order in self.orders:
            if len(set(order)) < len(order) or min(order) < 0 or max(order) >= self.encoding.size:
                raise InputError(
                    f"A pattern names each of its lines once, from 0 to {self.encoding.size - 1}; these are "
                    f"{', '.join(map(str, order[:8]))}{' ...' if len(order) > 8 else ''}."
                )

    @property
    def encoding(self) -> Encoding:
        """The phase-encoded axes."""
        return Encoding(self.axes, self.shape)

    @property
    def lines(self) -> int:
        """The most lines (or points) that it can give."""
        return len(self.orders[0])

    @property
    def order(self) -> NDArray:
        """Line indices, DC first: (lines,); of points (lines, 2); with an axis before for contrasts of their own."""
        flat = np.array(self.orders, dtype=np.int64)
        found = flat if len(self.shape) == 1 else np.stack(np.unravel_index(flat, self.shape), axis=-1)
        return found[0] if len(self.orders) == 1 else found

    def count(self, lines: int | None = None, acceleration: float | None = None) -> int:
        """How many lines are meant: all of the pattern's where nothing is said.

        Raises:
            InputError: more than the pattern has, or both are given.
        """
        if lines is None and acceleration is None:
            return self.lines
        wanted = line_count(self.encoding.size, lines=lines, acceleration=acceleration)
        if wanted > self.lines:
            raise InputError(
                f"{wanted} {self.encoding.word} were asked for, and the pattern was searched up to {self.lines}. "
                "Search one with more lines, or ask for fewer."
            )
        return wanted

    def mask(self, lines: int | None = None, acceleration: float | None = None, kind: Kind = "igs") -> NDArray:
        """(N,) bool, or (N1, N2) for points; (contrasts, ...) for contrasts of their own: what is acquired.

        Args:
            lines: how many, or
            acceleration: of how many one is acquired; by default all lines of the pattern.
            kind: of the search itself, the best shifted block, the centre, or whichever won on the selection set.
        """
        wanted = self.count(lines, acceleration)
        masks = np.stack([self._mask(order, wanted, kind) for order in self.orders])
        return masks[0] if len(self.orders) == 1 else masks

    def masks(self, lines: int | None = None, acceleration: float | None = None, kind: Kind = "igs") -> NDArray:
        """As ``mask``, always with the axis of contrasts: (contrasts or 1, *shape)."""
        return self.mask(lines, acceleration, kind).reshape(-1, *self.shape)

    def _mask(self, order: Sequence[int], wanted: int, kind: Kind) -> NDArray:
        from DeepMRILib.igs.blocks import block_mask

        if kind == "recommended":
            kind = self.recommended(wanted)
        if kind == "igs":
            mask = np.zeros(self.encoding.size, dtype=bool)
            mask[list(order[:wanted])] = True
            return mask.reshape(self.shape)
        return block_mask(self.encoding, wanted, self._shift(wanted) if kind == "block" else None)

    def rung(self, lines: int | None = None) -> Rung | None:
        """The comparison at this number of lines, or the nearest one that was made; None where there is none."""
        wanted = self.lines if lines is None else lines
        return min(self.rungs, key=lambda rung: abs(np.log(rung.lines / wanted)), default=None)

    def recommended(self, lines: int | None = None) -> Literal["igs", "block", "centre"]:
        """Which of the three won on the selection set, at the number of lines nearest to this one."""
        rung = self.rung(lines)
        return "igs" if rung is None else rung.winner

    def _shift(self, wanted: int) -> tuple[int, ...]:
        """The best block's shift; for a number of lines that was not compared, in proportion."""
        rung = self.rung(wanted)
        if rung is None or not rung.block_shift:
            raise InputError("This pattern was searched without rivals: there is no best block. Search with rivals.")
        # a block of points grows along both axes, and so does its shift
        factor = (wanted / rung.lines) ** (1 / len(self.shape))
        shifts = tuple(round(shift * factor) for shift in rung.block_shift)
        if len(shifts) > 1:
            return shifts
        # rounding must not take DC out of the block
        return (min(max(shifts[0], wanted // 2 - wanted + 1), wanted // 2),)

    def save(self, path: Path | str, *, overwrite: bool = False) -> Path:
        """Write the pattern as JSON.

        Raises:
            OutputError: the file exists and ``overwrite`` is false, or it cannot be written.
        """
        from DeepMRILib.writing import replacing

        path = Path(path)
        if path.exists() and not overwrite:
            raise OutputError(f"The file {path} exists. Choose another name, or overwrite it.")
        with replacing(path) as (partial,):
            partial.write_text(self.to_json(), encoding="utf-8")
        return path

    def to_json(self) -> str:
        """The text of pattern.json."""
        about = {"format": FORMAT, "kind": "deepmri-pattern", "fft": "centred, orthonormal", "dc": self.encoding.centre}
        return json.dumps({**about, **dataclasses.asdict(self)}, indent=1, allow_nan=False) + "\n"

    @classmethod
    def load(cls, place: Path | str) -> Pattern:
        """The pattern in a pattern.json, or in the folder of a result that holds one.

        Raises:
            InputError: no such file, or not a pattern.
        """
        from DeepMRILib.igs.pattern_file import read_pattern

        return read_pattern(Path(place))

    def export(
        self, path: Path | str, *, lines: int | None = None, kind: Kind = "recommended", **settings: Any
    ) -> Path:
        """Write the mask for another program; the ending of ``path`` says which.

        ``.json`` this pattern, ``.npy`` the mask, ``.h5`` as fastMRI's test files hold it, ``.cfl`` for BART (with
        ``.hdr``), ``.seq`` a Pulseq gradient-echo sequence (needs pypulseq). See ``exporting.ExportOptions`` for the
        further ``settings`` of a sequence.

        Raises:
            InputError: an ending that is not known.
            OutputError: the file cannot be written.
            DependencyError: the package for this format is not installed.
        """
        from DeepMRILib.igs.exporting import export_mask

        return export_mask(self, Path(path), lines=lines, kind=kind, **settings)
