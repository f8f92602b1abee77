"""A stand-in for ``slicer.dicomDatabase`` (ctkDICOMDatabase): it knows the files that it was given, and is not kept."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class DicomDatabase:
    """DICOM files by their instance, as they were imported.

    Args:
        files: read by pydicom.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        import pydicom

        self._files: dict[str, str] = {}
        self._series: dict[str, list[str]] = {}
        for path in files:
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            self._files[str(dataset.SOPInstanceUID)] = str(path)
            self._series.setdefault(str(dataset.SeriesInstanceUID), []).append(str(dataset.SOPInstanceUID))

    def fileForInstance(self, sopInstanceUID: str) -> str:
        """The path of an instance's file; "" where it is not known."""
        return self._files.get(sopInstanceUID, "")

    def instanceForFile(self, file: str) -> str:
        """The instance in a file; "" where it is not known."""
        return next((uid for uid, path in self._files.items() if path == file), "")

    def instancesForSeries(self, seriesUID: str) -> tuple[str, ...]:
        """The instances of a series, in the order of the database."""
        return tuple(self._series.get(seriesUID, ()))
