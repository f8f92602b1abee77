"""A Pulseq sequence that acquires exactly a mask's lines: a spoiled gradient echo, 2D for lines and 3D for points.

Pulseq: Layton et al., Magn Reson Med 2017;77:1544-1552. A line at index j of N has the phase-encoding area
(j - N // 2) / FOV. Each file is read back after it was written, and refused if its k-space is not the mask.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, OutputError, require
from DeepMRILib.progress import Progress, silent

if TYPE_CHECKING:
    from DeepMRILib.igs.exporting import ExportOptions

PURPOSE = "Writing a Pulseq sequence"
RESEARCH = "Research only: not for scanning without the safety checks of your site."
RASTER = 1e-5
SPOILING = math.radians(117)
"""Increment of the radio-frequency phase (Zur et al., Magn Reson Med 1991;21:251-263)."""
MOST_READOUTS = 30_000
CYCLES = 4
"""Of the spoiler over the slice."""


@dataclass(frozen=True)
class Geometry:
    """What is encoded, in metres; y is phase-encoded, z too where there are points.

    Attributes:
        lines: along y.
        partitions: along z, 1 in 2D.
        samples: along x.
        field_of_view: along x and y.
        slab: thickness of what is excited.
    """

    lines: int
    partitions: int
    samples: int
    field_of_view: float
    slab: float

    @classmethod
    def of(cls, mask: NDArray, options: ExportOptions) -> Geometry:
        """Of a mask (1, N) or (N1, N2)."""
        partitions, lines = mask.shape
        return cls(
            lines,
            partitions,
            options.readout_samples or lines,
            options.fov / 1000,
            options.slice_thickness / 1000 * partitions,
        )

    def areas(self, partition: int, line: int) -> tuple[float, float]:
        """Of the phase-encoding gradients along y and z, in 1/m."""
        along_z = (partition - self.partitions // 2) / self.slab if self.partitions > 1 else 0.0
        return (line - self.lines // 2) / self.field_of_view, along_z


def sequence_text(mask: NDArray, options: ExportOptions, progress: Progress | None = None) -> str:
    """The text of a .seq file.

    Args:
        mask: (N,), or (N1, N2) bool: the last axis is phase-encoded along y and labelled LIN, the one before along z
            and labelled PAR.
        options: of the sequence.
        progress: told how far it is; may raise ``Cancelled``.

    Raises:
        InputError: the timing or the gradients that were asked for are not possible.
        OutputError: what was written does not acquire the mask; nothing is kept.
        DependencyError: pypulseq is not installed.
    """
    pulseq, progress = require("pypulseq", PURPOSE), progress or silent
    mask = np.atleast_2d(mask)
    if mask.sum() * options.averages > MOST_READOUTS:
        raise InputError(
            f"A sequence of {mask.sum() * options.averages} readouts is too long for a file; at most {MOST_READOUTS} "
            "are written. Choose fewer points or averages."
        )
    geometry = Geometry.of(mask, options)
    if geometry.slab > 1:
        raise InputError(
            f"{geometry.partitions} partitions of {options.slice_thickness:g} mm are a slab of {geometry.slab:g} m; at "
            "most 1 m can be encoded. Choose a smaller slice thickness."
        )
    try:
        sequence = _Builder(pulseq, geometry, options).build(mask, progress)
    except (ValueError, AssertionError) as error:  # pypulseq's way to say that limits are exceeded
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"This sequence is not possible: {str(error).rstrip('.')}. Choose a larger field of view or slice "
            "thickness, a longer dwell time, or a stronger gradient system."
        ) from error
    passed, problems = sequence.check_timing()
    if not passed:
        raise OutputError(f"The sequence fails Pulseq's timing check ({problems[0]}) and was not written.")
    with tempfile.TemporaryDirectory(prefix="deepmri-") as folder:
        path = Path(folder) / "sequence.seq"
        sequence.write(str(path), check_timing=False)
        progress(0.8, "Reading the sequence back")
        _verify(pulseq, path, mask, geometry, options.averages)
        return path.read_text(encoding="utf-8")


class _Builder:
    """The parts of the sequence, made once; a repetition differs in its phase-encoding steps alone."""

    def __init__(self, pulseq: ModuleType, geometry: Geometry, options: ExportOptions) -> None:
        self._pulseq, self._geometry, self._options = pulseq, geometry, options
        # any two or three axes together keep the limits, however the slice is turned
        share = 1 / math.sqrt(3)
        self.system = pulseq.Opts(
            max_grad=options.max_gradient * share, grad_unit="mT/m", max_slew=options.max_slew * share,
            slew_unit="T/m/s", rf_ringdown_time=20e-6, rf_dead_time=100e-6, adc_dead_time=10e-6,
        )  # fmt: skip
        self._excite()
        self._read()
        self._encode()
        self._delays()

    def _trapezoid(self, channel: str, **shape: float) -> SimpleNamespace:
        return self._pulseq.make_trapezoid(channel, system=self.system, **shape)

    def _excite(self) -> None:
        """A sinc, as short as the gradient allows."""
        bandwidth_time = 4
        shortest = bandwidth_time / (0.9 * self.system.max_grad * self._geometry.slab)
        self.rf, self.gz, self.gz_back = self._pulseq.make_sinc_pulse(
            flip_angle=math.radians(self._options.flip), duration=max(2e-3, _raster(shortest)), apodization=0.5,
            slice_thickness=self._geometry.slab, time_bw_product=bandwidth_time, system=self.system, use="excitation",
            delay=self.system.rf_dead_time, return_gz=True,
        )  # fmt: skip

    def _read(self) -> None:
        """The readout; the sample n // 2 lies at the centre of k-space."""
        samples, dwell = self._geometry.samples, round(self._options.dwell * 10) * 1e-7
        step = 1 / self._geometry.field_of_view
        flat = _raster(samples * dwell)
        self.gx = self._trapezoid("x", amplitude=step / dwell, flat_time=flat)
        self.adc = self._pulseq.make_adc(samples, dwell=dwell, delay=self.gx.rise_time, system=self.system)
        self._to_centre = (samples // 2 + 0.5) * dwell
        self.read_area = self.gx.amplitude * (self.gx.rise_time / 2 + self._to_centre)

    def _encode(self) -> None:
        """Prephasers and rewinders of one length for all steps."""
        geometry = self._geometry
        y, z = (abs(area) for area in geometry.areas(0, 0))
        spoil_x, spoil_z = 2 * geometry.samples / geometry.field_of_view, CYCLES / geometry.slab
        self.prephase = max(self._shortest(area) for area in (self.read_area, y, abs(self.gz_back.area) + z))
        self.rewind = max(self._shortest(area) for area in (spoil_x, y, spoil_z + z))
        self.gx_before = self._trapezoid("x", area=-self.read_area, duration=self.prephase)
        self.gx_spoil = self._trapezoid("x", area=spoil_x, duration=self.rewind)
        self.spoil_z = spoil_z

    def _shortest(self, area: float) -> float:
        """The time that a gradient of this area takes, with room for pypulseq's own rounding."""
        return _raster(self._pulseq.calc_duration(self._trapezoid("x", area=area or 1.0))) + 2 * RASTER

    def _delays(self) -> None:
        """Lengthen the prephaser to the echo time, and the spoiler to the repetition time."""
        options, pulseq = self._options, self._pulseq
        excite = pulseq.calc_duration(self.rf, self.gz)
        centre = self.rf.delay + pulseq.calc_rf_center(self.rf)[0]
        te = excite - centre + self.prephase + self.gx.rise_time + self._to_centre
        if options.te and options.te / 1000 < te - RASTER / 2:
            raise InputError(f"TE is {options.te:g} ms; this sequence needs at least {te * 1000:.2f} ms.")
        wait = max(0, round((options.te / 1000 - te) / RASTER)) * RASTER
        self.before = self.prephase + wait
        used = excite + self.before + pulseq.calc_duration(self.gx, self.adc)
        if options.tr / 1000 < used + self.rewind - RASTER / 2:
            least = math.ceil((used + self.rewind) * 1e5) / 100
            raise InputError(
                f"TR is {options.tr:g} ms; this sequence needs at least {least:g} ms. Choose a longer TR, a shorter "
                "TE, or a shorter dwell time."
            )
        self.rest = round((options.tr / 1000 - used) / RASTER) * RASTER

    def build(self, mask: NDArray, progress: Progress) -> Any:
        """The whole sequence: dummies at DC, then the mask's lines in ascending order."""
        sequence = self._pulseq.Sequence(self.system)
        centre = (self._geometry.partitions // 2, self._geometry.lines // 2)
        steps = [(centre, -1)] * self._options.dummies
        chosen = [(int(row), int(column)) for row, column in np.argwhere(mask)]
        steps += [(place, average) for average in range(self._options.averages) for place in chosen]
        reference = calibration(mask)
        phase = increment = 0.0
        for number, (place, average) in enumerate(steps):
            if number % 100 == 0:
                progress(0.7 * number / len(steps), f"Writing repetition {number + 1} of {len(steps)}")
            self.rf.phase_offset = self.adc.phase_offset = phase
            increment = (increment + SPOILING) % (2 * math.pi)
            phase = (phase + increment) % (2 * math.pi)
            labels = [] if average < 0 else self._labels(place, average, bool(reference[place]))
            self._repeat(sequence, place, labels)
        for name, value in self._definitions().items():
            sequence.set_definition(name, value)
        return sequence

    def _labels(self, place: tuple[int, int], average: int, reference: bool) -> list[SimpleNamespace]:
        values = {"LIN": place[1], "PAR": place[0], "AVG": average, "REF": reference, "IMA": reference}
        if self._geometry.partitions == 1:
            del values["PAR"]
        return [self._pulseq.make_label(name, "SET", value) for name, value in values.items()]

    def _repeat(self, sequence: Any, place: tuple[int, int], labels: list[SimpleNamespace]) -> None:
        """One repetition; without labels it is a dummy, and nothing is received."""
        y, z = self._geometry.areas(*place)
        delay = self._pulseq.make_delay
        sequence.add_block(self.rf, self.gz)
        sequence.add_block(
            self.gx_before,
            self._trapezoid("y", area=y, duration=self.prephase),
            self._trapezoid("z", area=self.gz_back.area + z, duration=self.prephase),
            delay(self.before),
        )
        sequence.add_block(self.gx, *([self.adc, *labels] if labels else []))
        sequence.add_block(
            self.gx_spoil,
            self._trapezoid("y", area=-y, duration=self.rewind),
            self._trapezoid("z", area=self.spoil_z - z, duration=self.rewind),
            delay(self.rest),
        )

    def _definitions(self) -> dict[str, Any]:
        geometry = self._geometry
        return {
            "Name": "deepmri_kspace_igs",
            "Note": RESEARCH,
            "FOV": [geometry.field_of_view, geometry.field_of_view, geometry.slab],
            "Matrix": [geometry.samples, geometry.lines, geometry.partitions],
            "kSpaceCenterLine": geometry.lines // 2,
            "kSpaceCenterPartition": geometry.partitions // 2,
            "TR": self._options.tr / 1000,
        }


def calibration(mask: NDArray) -> NDArray:
    """Of a mask (N1, N2) the largest box around DC that is all acquired: reference lines for parallel imaging.

    Of lines it is the stretch with DC; a single line or point is none.
    """
    found = np.zeros_like(mask)
    middle = [n // 2 for n in mask.shape]
    if not mask[tuple(middle)]:
        return found
    low, high = list(middle), [place + 1 for place in middle]
    grown = True
    while grown:
        grown = False
        for axis in range(2):
            for side in (-1, 1):
                start, stop = list(low), list(high)
                if side < 0:
                    start[axis] -= 1
                else:
                    stop[axis] += 1
                if start[axis] >= 0 and stop[axis] <= mask.shape[axis] and mask[_box(start, stop)].all():
                    low, high, grown = start, stop, True
    if math.prod(stop - start for start, stop in zip(low, high, strict=True)) > 1:
        found[_box(low, high)] = True
    return found


def _box(start: list[int], stop: list[int]) -> tuple[slice, ...]:
    return tuple(slice(first, last) for first, last in zip(start, stop, strict=True))


def _verify(pulseq: ModuleType, path: Path, mask: NDArray, geometry: Geometry, averages: int) -> None:
    """Refuse a file whose k-space, simulated from its gradients, or whose labels are not the mask."""
    found = pulseq.Sequence()
    found.read(str(path))
    labels = found.evaluate_labels(evolution="adc")
    kspace = found.calculate_kspace()[0].reshape(3, -1, geometry.samples)[:, :, geometry.samples // 2]
    count = np.zeros(mask.shape, dtype=int)
    steps = np.stack(
        [kspace[2] * geometry.slab, kspace[1] * geometry.field_of_view, kspace[0] * geometry.field_of_view]
    )
    if geometry.partitions == 1:
        steps[0] = 0
    whole = np.rint(steps).astype(int)
    lines, partitions = whole[1] + geometry.lines // 2, whole[0] + geometry.partitions // 2
    np.add.at(count, (partitions % mask.shape[0], lines % mask.shape[1]), 1)
    right = (
        np.abs(steps - whole).max() < 0.01
        and not whole[2].any()
        and np.array_equal(count, mask * averages)
        and np.array_equal(labels["LIN"], lines)
        and (geometry.partitions == 1 or np.array_equal(labels["PAR"], partitions))
    )
    if not right:
        raise OutputError(
            "The sequence was read back and does not acquire the lines of the mask; it was not written. Please report "
            "this with the pattern and the settings."
        )


def _raster(seconds: float) -> float:
    """The next multiple of the raster."""
    return math.ceil(round(seconds / RASTER, 6)) * RASTER
