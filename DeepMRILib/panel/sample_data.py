"""Samples that modules add to Slicer's Sample Data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def registerSample(name: str, moduleFile: Path | str, load: Callable[[Any], list[Any]]) -> None:
    """Add a sample that is computed on this computer: nothing is downloaded.

    Args:
        name: of the sample, and of its picture in the module's ``Resources/Icons``.
        moduleFile: the module's ``.py``.
        load: adds the sample's nodes to the scene and returns them; is given Slicer's description of the sample.
    """
    import SampleData  # there once Slicer has started

    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="DeepMRI",
        sampleName=name,
        thumbnailFileName=str(Path(moduleFile).parent / "Resources" / "Icons" / f"{name}.png"),
        uris="",
        fileNames=name,
        nodeNames=name,
        customDownloader=load,
    )
