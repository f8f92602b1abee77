"""Simulated series as nodes, with their headers kept: sample data for acquisition parameters, and for the self test."""

from __future__ import annotations

from typing import Any

import numpy as np

from DeepMRILib.iap.header import Header
from DeepMRILib.iap.options_network import SimulateOptions
from DeepMRILib.iap.parameters import BY_NAME, Value
from DeepMRILib.iap.protocols import Family
from DeepMRILib.iap.simulated_files import as_volume
from DeepMRILib.iap.simulating import NOTE, SimulatedSeries, one_series
from DeepMRILib.iap.subjects import Anatomy, Subject, draw_subject
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import placeBeside
from DeepMRILib.mrml.iap_headers import keepHeader
from DeepMRILib.mrml.iap_rows import valueText
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.options import validate

SAMPLE_NAME = "IAPPredictSeries"
SAMPLE = SimulateOptions(subjects=1, series=3, slices=12, seed=8)
SMALL = SimulateOptions(subjects=1, series=3, slices=5, size=48)
"""For tests: made in a moment."""
ANATOMY: Anatomy = "head"
NAMES: dict[Family, str] = {"SE": "spin echo", "GRE": "gradient echo", "IR": "inversion recovery"}
BRIGHTEST = 98.5
"""Percentile that is shown white: vessels are brighter."""
OTHER_FIELD = {1.5: 3.0, 3.0: 1.5}
"""What the header of the gradient echo says instead of its field strength."""


def sampleNodes(options: SimulateOptions | None = None, name: str = SAMPLE_NAME) -> list[Any]:
    """Simulate a spin echo, a gradient echo and an inversion recovery of one head, and add them to the scene.

    Their headers are kept with the nodes, as there are no files. The header of the spin echo is right, that of the
    gradient echo says another field strength, and that of the inversion recovery lacks the inversion time.

    Args:
        options: size, slices, variation and seed are used.
        name: begins the names of the nodes.

    Raises:
        InputError: a setting out of its range.
    """
    options = validate(SAMPLE if options is None else options)
    random = np.random.default_rng(options.seed)
    subject = _head(random, options.variation)
    nodes = []
    for number, family in enumerate(NAMES):
        series = one_series(
            subject, family, options, random, name=f"SIM-{number:03d}", patient=f"SIM{options.seed:04d}"
        )
        node = nodeFromVolume(as_volume(series), f"{name} {NAMES[family]}")
        showMap(node, "Grey", (0.0, float(np.percentile(series.slices, BRIGHTEST))))
        keepHeader(node, _header(series))
        node.SetDescription(NOTE)
        nodes.append(node)
    for node in nodes[1:]:
        placeBeside(node, nodes[0])
    return nodes


def _head(random: np.random.Generator, variation: float) -> Subject:
    while True:
        subject = draw_subject(random, variation)
        if subject.anatomy == ANATOMY:
            return subject


def _header(series: SimulatedSeries) -> Header:
    values: dict[str, Value] = {**dict.fromkeys(BY_NAME), **series.values()}
    if series.protocol.family == "GRE":
        values["field_strength"] = OTHER_FIELD[series.protocol.field]
    if series.protocol.family == "IR":
        values["inversion_time"] = None
    raw = {name: valueText(value) for name, value in values.items() if value is not None}
    return Header(values, raw, series=series.name, patient=series.patient, description=NAMES[series.protocol.family])
