"""What the header of a series says about its acquisition: from DICOM files, enhanced ones too, or a BIDS sidecar."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from DeepMRILib.iap.parameters import Value


@dataclass(frozen=True)
class Header:
    """The acquisition parameters of one series.

    Attributes:
        values: by name of ``parameters.PARAMETERS``, all of them, None where the header does not say; numbers in the
            parameter's unit, words as vendors' aliases agree on (``SIEMENS`` of "Siemens Healthineers"), several words
            joined by a backslash as in DICOM, matrices as ``256x192`` (frequency x phase).
        raw: the same as it stands there.
        source: the file or folder.
        kind: where it comes from.
        series: series' UID, of a sidecar its name.
        patient: an identifier that tells patients apart, empty where there is none.
        description: of the series.
        files: how many files it has.
        notes: what is odd about it, one sentence each.
    """

    values: dict[str, Value]
    raw: dict[str, str] = field(default_factory=dict)
    source: str = ""
    kind: Literal["dicom", "enhanced", "bids", "none"] = "none"
    series: str = ""
    patient: str = ""
    description: str = ""
    files: int = 1
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Value:
        return self.values[name]


def read_header(source: Path | str | Any) -> Header:
    """The header of a series.

    Args:
        source: a DICOM file, a folder with one DICOM series, a BIDS sidecar (.json), an image with a sidecar beside it
            (scan.nii.gz and scan.json), or a pydicom dataset.

    Raises:
        InputError: nothing readable there, not MR, or several series in the folder.
        DependencyError: DICOM needs pydicom.
    """
    from DeepMRILib.iap.header_reading import header_of

    return header_of(source)
