"""The acquisition parameters: what they are called in DICOM and BIDS, their units, and when two values are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["categorical", "ordinal", "continuous"]
Value = str | float | None
"""A parameter's value: a word of a categorical one, a number in its unit of the others, None where it is missing."""


@dataclass(frozen=True)
class Parameter:
    """One acquisition parameter.

    Attributes:
        name: in tables, settings and files.
        label: for people.
        kind: categorical (words), ordinal (numbers of which few values occur), continuous (numbers).
        unit: of its numbers.
        keyword: of DICOM.
        bids: of BIDS sidecars.
        bids_factor: what a sidecar's number is multiplied by to be in ``unit``.
        relative, absolute: two numbers agree when they differ by less than either: the fraction of the header's, or
            the number in ``unit``.
    """

    name: str
    label: str
    kind: Kind
    unit: str = ""
    keyword: str = ""
    bids: str = ""
    bids_factor: float = 1.0
    relative: float = 0.0
    absolute: float = 0.0


PARAMETERS: tuple[Parameter, ...] = (
    Parameter("manufacturer", "Manufacturer", "categorical", keyword="Manufacturer", bids="Manufacturer"),
    Parameter("model", "Scanner model", "categorical", keyword="ManufacturerModelName", bids="ManufacturersModelName"),
    Parameter(
        "field_strength", "Field strength", "ordinal", "T", "MagneticFieldStrength", "MagneticFieldStrength", 1.0, 0.06
    ),
    Parameter("sequence", "Sequence", "categorical", keyword="ScanningSequence", bids="ScanningSequence"),
    Parameter("acquisition_type", "2D or 3D", "categorical", keyword="MRAcquisitionType", bids="MRAcquisitionType"),
    Parameter("variant", "Sequence variant", "categorical", keyword="SequenceVariant", bids="SequenceVariant"),
    Parameter("scan_options", "Scan options", "categorical", keyword="ScanOptions", bids="ScanOptions"),
    Parameter("patient_position", "Patient position", "categorical", keyword="PatientPosition", bids="PatientPosition"),
    Parameter("contrast_agent", "Contrast agent", "categorical", "", "ContrastBolusAgent", "ContrastBolusAgent"),
    Parameter("repetition_time", "Repetition time", "continuous", "ms", "RepetitionTime", "RepetitionTime", 1e3, 0.05),
    Parameter("echo_time", "Echo time", "continuous", "ms", "EchoTime", "EchoTime", 1e3, 0.05),
    Parameter("inversion_time", "Inversion time", "continuous", "ms", "InversionTime", "InversionTime", 1e3, 0.05),
    Parameter("flip_angle", "Flip angle", "continuous", "deg", "FlipAngle", "FlipAngle", 1.0, 0.05, 0.5),
    Parameter("echo_train", "Echo train length", "ordinal", "", "EchoTrainLength", "EchoTrainLength"),
    Parameter("averages", "Averages", "ordinal", "", "NumberOfAverages", "NumberOfAverages", 1.0, 0.01),
    Parameter("bandwidth", "Pixel bandwidth", "continuous", "Hz", "PixelBandwidth", "PixelBandwidth", 1.0, 0.05),
    Parameter(
        "slice_thickness", "Slice thickness", "ordinal", "mm", "SliceThickness", "SliceThickness", 1.0, 0.02, 0.02
    ),
    Parameter(
        "slice_spacing", "Spacing of slices", "continuous", "mm", "SpacingBetweenSlices", "SpacingBetweenSlices",
        1.0, 0.02, 0.02,
    ),
    Parameter("pixel_spacing", "Pixel spacing", "continuous", "mm", "PixelSpacing", "", 1.0, 0.02, 0.005),
    Parameter("field_of_view", "Field of view", "ordinal", "mm", "", "", 1.0, 0.02, 1.0),
    Parameter("matrix", "Acquisition matrix", "categorical", keyword="AcquisitionMatrix"),
)  # fmt: skip
"""All that are known, in the order of tables. A model tells some of them."""

BY_NAME: dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS}

NO_AGENT = "none"
"""The value of ``contrast_agent`` where the header names none."""
CORRELATION_ONLY = ("contrast_agent",)
"""What an image taken before the agent was given cannot show: a model tells it from scanner, era and protocol alone."""
