"""Stand-in for Slicer's module ``SampleData``: keeps what modules register, and never goes to the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import slicer


@dataclass
class SampleDataSource:
    """One sample data set; ``slicer.modules.sampleDataSources[category]`` lists them."""

    sampleName: str | None = None
    uris: Any = None
    fileNames: Any = None
    nodeNames: Any = None
    customDownloader: Callable[[SampleDataSource], list[Any]] | None = None
    thumbnailFileName: str | None = None
    loadFileTypes: Any = None
    loadFiles: Any = None
    loadFileProperties: Any = None
    checksums: Any = None


class SampleDataLogic:
    """Registers sample data sets."""

    @staticmethod
    def registerCustomSampleDataCategory(category: str, title: str) -> None:
        if not hasattr(slicer.modules, "sampleDataSourceCategories"):
            slicer.modules.sampleDataSourceCategories = {}
        slicer.modules.sampleDataSourceCategories[category] = {"title": title}

    @staticmethod
    def registerCustomSampleDataSource(category: str = "Custom", **settings: Any) -> None:
        if not hasattr(slicer.modules, "sampleDataSources"):
            slicer.modules.sampleDataSources = {}
        sources = slicer.modules.sampleDataSources.setdefault(category, [])
        source = SampleDataSource(**settings)
        if source not in sources:
            sources.append(source)

    def downloadSamples(self, sampleName: str) -> list[Any]:
        """Always refused: Slicer's own goes to the network here, past a data set's own loader."""
        raise RuntimeError(f"sample data {sampleName!r} would be downloaded; only its button uses its own loader")


def pressButton(sampleName: str) -> None:
    """What the button of a data set does in Slicer: call its own loader with the source, and drop what it returns."""
    categories = getattr(slicer.modules, "sampleDataSources", {})
    source = next(s for sources in categories.values() for s in sources if s.sampleName == sampleName)
    if source.customDownloader is None:
        raise RuntimeError(f"sample data {sampleName!r} is only on the network")
    source.customDownloader(source)
