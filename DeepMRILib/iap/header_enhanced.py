"""Headers of enhanced MR images: parameters in nested functional groups, shared by all frames or one for each.

Where the standard's own groups are silent: the classic elements that a conversion left in its "unassigned" groups, and
those that Philips keeps in private ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
AGENTS = "ContrastBolusAgentSequence"
PULSE = ("EchoPulseSequence", "EchoPlanarPulseSequence")
KEYWORDS = (*GROUPS, AGENTS, *PULSE)
PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "repetition_time": (("MRTimingAndRelatedParametersSequence", "RepetitionTime"),),
    "flip_angle": (("MRTimingAndRelatedParametersSequence", "FlipAngle"),),
    "echo_train": (
        ("MRTimingAndRelatedParametersSequence", "EchoTrainLength"),
        ("MRTimingAndRelatedParametersSequence", "RFEchoTrainLength"),
        ("MRTimingAndRelatedParametersSequence", "GradientEchoTrainLength"),
    ),
    "echo_time": (("MREchoSequence", "EffectiveEchoTime"),),
    "inversion_time": (("MRModifierSequence", "InversionTimes"),),
    "averages": (("MRAveragesSequence", "NumberOfAverages"),),
    "bandwidth": (("MRImagingModifierSequence", "PixelBandwidth"),),
    "slice_thickness": (("PixelMeasuresSequence", "SliceThickness"),),
    "slice_spacing": (("PixelMeasuresSequence", "SpacingBetweenSlices"),),
    "pixel_spacing": (("PixelMeasuresSequence", "PixelSpacing"),),
    "frequency_steps": (("MRFOVGeometrySequence", "MRAcquisitionFrequencyEncodingSteps"),),
    "phase_steps": (("MRFOVGeometrySequence", "MRAcquisitionPhaseEncodingStepsInPlane"),),
}
"""Parameter to sequences and the element in them."""
CLASSIC = {
    "sequence": "ScanningSequence",
    "variant": "SequenceVariant",
    "scan_options": "ScanOptions",
    "acquisition_type": "MRAcquisitionType",
    "repetition_time": "RepetitionTime",
    "echo_time": "EchoTime",
    "inversion_time": "InversionTime",
    "flip_angle": "FlipAngle",
    "echo_train": "EchoTrainLength",
    "averages": "NumberOfAverages",
    "bandwidth": "PixelBandwidth",
    "slice_thickness": "SliceThickness",
    "slice_spacing": "SpacingBetweenSlices",
    "matrix": "AcquisitionMatrix",
}
_LEFT_OVER = ((0x0020, 0x9170), (0x0020, 0x9171), (0x2005, 0x140E), (0x2005, 0x140F))
"""Unassigned converted attributes, shared and per frame; and Philips' private counterparts of both."""


def raw_of(dataset: Any) -> dict[str, str]:
    """What the functional groups say: of the first frame, and ``differing``, the parameters that change."""
    shared = list(dataset.get(GROUPS[0]) or ())
    frames = list(dataset.get(GROUPS[1]) or ())
    first = [*frames[:1], *shared]
    raw = {}
    for name, places in PLACES.items():
        found = [text for group in first for text in _texts(group, places)]
        if found:
            # A spin echo's train has no gradient echoes, and the reverse: one of the two lengths is 0
            raw[name] = next((text for text in found if text.strip("0.")), found[0])
    _add_left_over(raw, first)
    if "sequence" not in raw and (words := _pulse(dataset, first)):
        raw["sequence"] = "\\".join(words)
    agent = next((str(item.get("CodeMeaning") or "") for item in dataset.get(AGENTS) or ()), "")
    code = next((str(item.get("ContrastBolusAgent") or "") for item in dataset.get(AGENTS) or ()), "")
    if agent or code:
        raw["contrast_agent"] = agent or code
    differing = [name for name, places in PLACES.items() if _differs(frames, places)]
    if differing:
        raw["differing"] = "\\".join(differing)
    return raw


def _add_left_over(raw: dict[str, str], groups: list[Any]) -> None:
    for item in _left_over(groups):
        for name, keyword in CLASSIC.items():
            # Zero stands there for what the frame does not have
            if name not in raw and keyword in item and (text := _text(item.get(keyword))) not in ("", "0"):
                raw[name] = text


def _left_over(groups: list[Any]) -> Iterator[Any]:
    for group in groups:
        for tag in _LEFT_OVER:
            element = group.get(tag)
            value = None if element is None else element.value
            if value is not None and not isinstance(value, (bytes, str)):
                yield from value


def _texts(group: Any, places: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for sequence, keyword in places:
        for item in group.get(sequence) or ():
            text = _text(item.get(keyword))
            if text:
                yield text


def _differs(frames: list[Any], places: tuple[tuple[str, str], ...]) -> bool:
    if not frames or next(_texts(frames[0], places), None) is None:
        return False
    return len({next(_texts(frame, places), None) for frame in frames}) > 1


def _pulse(dataset: Any, groups: list[Any]) -> list[str]:
    """ScanningSequence's words of Echo Pulse Sequence, Echo Planar Pulse Sequence and Inversion Recovery."""
    words = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["GR", "SE"]}.get(str(dataset.get(PULSE[0]) or "").upper(), [])
    inverted = next(
        (text for group in groups for text in _texts(group, (("MRModifierSequence", "InversionRecovery"),))), ""
    )
    planar = str(dataset.get(PULSE[1]) or "").upper() == "YES"
    return [*(["EP"] if planar else []), *words, *(["IR"] if inverted.upper() == "YES" else [])]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
        return str(value).strip()
    return "\\".join(str(entry) for entry in value)
