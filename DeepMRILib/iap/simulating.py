"""``iap.simulate`` and its job: series of simulated subjects, with all that was drawn known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import require
from DeepMRILib.iap.options_network import SimulateOptions
from DeepMRILib.iap.parameters import Value
from DeepMRILib.iap.protocols import Family, Protocol, draw_protocol
from DeepMRILib.iap.sliceset import SliceSet
from DeepMRILib.iap.subjects import Subject, View, draw_subject, sections
from DeepMRILib.iap.subjects_anatomy import FIELDS_OF_VIEW, HEIGHTS
from DeepMRILib.iap.tissues import properties
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress, silent

if TYPE_CHECKING:
    from DeepMRILib.iap.result import SimulationResult

NOTE = (
    "These are simulated slices of drawn subjects. Their vendors do not exist, and their signatures are invented: what "
    "is learned from them says nothing of real scanners."
)


@dataclass(frozen=True, eq=False)
class SimulatedSeries:
    """One series.

    Attributes:
        subject, protocol: of what, and how.
        name: of the series, unique.
        patient: of the subject.
        view: what was imaged.
        slices: (n, rows, columns) uint16.
    """

    subject: Subject
    protocol: Protocol
    name: str
    patient: str
    view: View
    slices: NDArray

    def values(self) -> dict[str, Value]:
        """Its parameters by name."""
        return self.protocol.values(self.view.size)


def simulate(options: SimulateOptions | None = None, *, progress: Progress | None = None) -> SliceSet:
    """Simulated slices with known parameters, in memory.

    Args:
        options: how many and which; ``form`` and ``headers`` matter only where files are written (``simulation``).
        progress: told how far it is.

    Returns:
        A ``SliceSet``; its ``extra`` has ``family`` (SE, GRE, IR) and ``anatomy`` of each slice.

    Raises:
        InputError: a bad setting.
        Cancelled: by ``progress``.
    """
    options = validate(SimulateOptions() if options is None else options)
    return as_slice_set(list(simulated_series(options, progress)))


def as_slice_set(made: list[SimulatedSeries]) -> SliceSet:
    """The slices of all series with their true parameters."""
    owner = [one for one in made for _ in one.slices]
    rows = {id(one): one.values() for one in made}
    names = list(next(iter(rows.values()))) if made else []
    return SliceSet(
        slices=[image for one in made for image in one.slices],
        values={name: [rows[id(one)][name] for one in owner] for name in names},
        series=np.array([one.name for one in owner]),
        patients=np.array([one.patient for one in owner]),
        notes=(NOTE,),
        extra={
            "family": np.array([one.protocol.family for one in owner]),
            "anatomy": np.array([one.subject.anatomy for one in owner]),
        },
    )


def simulated_series(options: SimulateOptions, progress: Progress | None = None) -> Iterator[SimulatedSeries]:
    """One series after the other; each subject is drawn from (seed, its number) alone."""
    progress = progress or silent
    for number in range(options.subjects):
        random = np.random.default_rng([options.seed, number])
        subject = draw_subject(random, options.variation)
        patient = f"SIM{options.seed:04d}-{number:05d}"
        for count in range(options.series):
            progress((number + count / options.series) / options.subjects, f"Subject {number + 1}")
            family = options.families[int(random.integers(len(options.families)))]
            yield one_series(subject, family, options, random, name=f"{patient}-{count:03d}", patient=patient)


def one_series(
    subject: Subject,
    family: Family,
    options: SimulateOptions,
    random: np.random.Generator,
    *,
    name: str,
    patient: str,
) -> SimulatedSeries:
    """A series of a subject with a protocol of its own."""
    from DeepMRILib.iap.imaging import images  # SciPy takes most of a second

    protocol = draw_protocol(
        random,
        family,
        FIELDS_OF_VIEW[subject.anatomy],
        options.size,
        correlated=options.correlated,
        held_out=options.held_out,
    )
    view = _view(subject, protocol, options, random)
    tissues = properties(protocol.field, subject.factors)
    slices = images(sections(subject, view), tissues, protocol, random)
    return SimulatedSeries(subject, protocol, name, patient, view, slices)


def _view(subject: Subject, protocol: Protocol, options: SimulateOptions, random: np.random.Generator) -> View:
    """Slices without gaps where there is room, else evenly over the part of the body."""
    low, high = HEIGHTS[subject.anatomy]
    step = min(max(protocol.thickness, 5.0), (high - low) / options.slices)
    first = random.uniform(low, high - step * (options.slices - 1))
    return View(
        size=options.size,
        field_of_view=protocol.field_of_view,
        heights=first + step * np.arange(options.slices),
        thickness=protocol.thickness,
        angle=float(random.normal(0, 0.06)),
        offset=tuple(random.normal(0, 5, 2)),
    )


def simulation(options: SimulateOptions | None = None, *, progress: Progress | None = None) -> SimulationResult:
    """A data set of simulated series, to be written as DICOM files or as NIfTI images with BIDS sidecars.

    Args:
        options: see ``SimulateOptions``. Patients' and series' names and the files' identifiers come from the seed.
        progress: told how far it is; may raise ``Cancelled``.

    Returns:
        ``SimulationResult``; ``save`` writes its folder, with the series under ``series`` and the truth in truth.csv.

    Raises:
        InputError: a bad setting.
        DependencyError: DICOM needs pydicom.
        Cancelled: by ``progress``.
    """
    from DeepMRILib.iap.simulated import result_of

    started = time.perf_counter()
    options = validate(SimulateOptions() if options is None else options)
    if options.form == "dicom":
        require("pydicom", "Writing DICOM files")
    return result_of(list(simulated_series(options, progress)), options, started)
