"""What is odd about one header: missing, out of range, contradicting itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from DeepMRILib.iap.aliases import sequence_family
from DeepMRILib.iap.header import Header
from DeepMRILib.iap.header_values import finding_of
from DeepMRILib.iap.parameters import BY_NAME

LIMITS: dict[str, tuple[float, float]] = {
    "field_strength": (0.05, 14.2),
    "repetition_time": (1.0, 30_000.0),
    "echo_time": (0.005, 1_000.0),
    "inversion_time": (5.0, 10_000.0),
    "flip_angle": (0.5, 180.0),
    "echo_train": (1.0, 1_000.0),
    "averages": (0.25, 64.0),
    "bandwidth": (5.0, 20_000.0),
    "slice_thickness": (0.05, 100.0),
    "slice_spacing": (0.05, 100.0),
    "pixel_spacing": (0.02, 20.0),
    "field_of_view": (5.0, 1_000.0),
}
"""Lowest and highest values that scanners of people and small animals use; others are errors or other units."""
EXPECTED = ("manufacturer", "model", "field_strength", "sequence", "acquisition_type", "repetition_time", "echo_time",
            "flip_angle", "slice_thickness")  # fmt: skip
"""Parameters without which a series' contrast and resolution are not known."""

MOST_LETTERS = 200
"""Letters of a header's text that a finding quotes."""


class Finding(NamedTuple):
    """One oddity; ``expected`` says what would not have been odd."""

    series: str
    parameter: str
    value: str
    finding: str
    expected: str


def shown(parameter: str, value: object) -> str:
    """A value with its unit."""
    if value is None or value == "":
        return ""
    unit = BY_NAME[parameter].unit
    text = f"{value:.6g}" if isinstance(value, float) else _brief(str(value))
    return f"{text} {unit}" if unit and isinstance(value, float) else text


def findings_of(name: str, header: Header) -> Iterator[Finding]:
    """What is odd about a header on its own; what is missing is told by ``missing_of``."""
    for note in header.notes:
        parameter, finding = finding_of(note)
        raw = _brief(header.raw.get(parameter, ""))
        zero = finding == "cannot be" and not raw.strip("0. \\[],")
        yield Finding(name, parameter, raw or note, "zero" if zero else finding, note)
    for parameter, (low, high) in LIMITS.items():
        value = header.values[parameter]
        if value is not None and not low <= float(value) <= high:
            unit = BY_NAME[parameter].unit
            yield Finding(
                name, parameter, shown(parameter, value), "out of range", f"{low:g} to {high:g} {unit}".strip()
            )
    yield from _contradictions(name, header)


def _brief(text: str) -> str:
    """A text of a header as far as a table can show it."""
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}..."


def missing_of(header: Header) -> list[str]:
    """The expected parameters that a header does not have; of inversion recovery the inversion time, too."""
    missing = [parameter for parameter in EXPECTED if header.values.get(parameter) is None]
    if sequence_family(header.values.get("sequence")) == "IR" and header.values.get("inversion_time") is None:
        missing.append("inversion_time")
    return missing


def _contradictions(name: str, header: Header) -> Iterator[Finding]:
    values = header.values
    tr, te, ti = (values[one] for one in ("repetition_time", "echo_time", "inversion_time"))
    if tr is not None and te is not None and te >= tr:
        text = f"{shown('echo_time', te)}, repetition time {shown('repetition_time', tr)}"
        yield Finding(name, "echo_time", text, "contradiction", "an echo within the repetition time")
    # Of prepared gradient echoes some vendors give the time between echoes, not between inversions
    slow = sequence_family(values["sequence"]) == "IR" and "GR" not in str(values["sequence"])
    if slow and tr is not None and ti is not None and ti >= tr:
        text = f"{shown('inversion_time', ti)}, repetition time {shown('repetition_time', tr)}"
        yield Finding(name, "inversion_time", text, "contradiction", "an inversion within the repetition time")
    if values["acquisition_type"] is not None and values["acquisition_type"] not in ("1D", "2D", "3D"):
        yield Finding(name, "acquisition_type", str(values["acquisition_type"]), "unknown word", "2D or 3D")
    if values["patient_position"] is not None and not _is_position(str(values["patient_position"])):
        yield Finding(
            name, "patient_position", str(values["patient_position"]), "unknown word", "HFS, FFP and the like"
        )


def _is_position(word: str) -> bool:
    return len(word) in (3, 4) and word[:2] in ("HF", "FF", "LF", "RF", "AF", "PF") and word[2:] in (
        "S", "P", "DL", "DR", "L", "R")  # fmt: skip
