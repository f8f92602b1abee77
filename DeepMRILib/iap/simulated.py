"""The result of ``iap.simulate``: series and truth, written as a data set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from DeepMRILib.iap.options_network import SimulateOptions
from DeepMRILib.iap.result import SimulationResult
from DeepMRILib.iap.simulated_files import header_of, place_of, write_bids, write_dicom
from DeepMRILib.iap.simulating import NOTE, SimulatedSeries
from DeepMRILib.options import to_json
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

FOLDER = "series"
"""Of the result's folder: where the series lie, so that truth and report are not taken for one of them."""
EXAMPLES = 12
"""So many slices are kept for pictures."""


def result_of(made: list[SimulatedSeries], options: SimulateOptions, started: float) -> SimulationResult:
    """The result of these series, whose files are written when it is saved."""
    rows = []
    for one in made:
        _, amiss = header_of(one, options.headers, options.seed)
        rows.append(
            {
                "series": one.name,
                "patient": one.patient,
                "path": (Path(FOLDER) / place_of(one, options.form)).as_posix(),
                "anatomy": one.subject.anatomy,
                **one.values(),
                "amiss": "; ".join(f"{name} {what}" for name, what in amiss.items()),
            }
        )
    return SimulationResult(
        provenance=Provenance(
            job="iap.simulate",
            engine="signal equations of spin echo, spoiled gradient echo and inversion recovery on drawn subjects",
            options=to_json(options),
            seed=options.seed,
            seconds={"simulate": time.perf_counter() - started},
            notes=(NOTE,),
        ),
        truth=Table.from_rows(rows, UNITS),
        examples={f"{one.name} {one.protocol.kind}": one.slices[len(one.slices) // 2] for one in made[:EXAMPLES]},
        made=tuple(made),
        wanted=options,
    )


UNITS = {
    "field_strength": "T", "repetition_time": "ms", "echo_time": "ms", "inversion_time": "ms", "flip_angle": "deg",
    "bandwidth": "Hz", "slice_thickness": "mm", "pixel_spacing": "mm", "field_of_view": "mm",
}  # fmt: skip


def write_series(made: Sequence[SimulatedSeries], options: SimulateOptions, folder: Path) -> None:
    """All series' files in the result's folder, with headers as the options say."""
    write = write_dicom if options.form == "dicom" else write_bids
    for one in made:
        write(one, header_of(one, options.headers, options.seed)[0], folder / FOLDER)
