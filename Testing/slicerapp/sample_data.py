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
    """Registers sample data sets and loads those that bring their own loader."""

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
        """The nodes of a registered data set.

        Raises:
            RuntimeError: it is not registered, or would have to be downloaded.
        """
        categories = getattr(slicer.modules, "sampleDataSources", {})
        source = next((s for sources in categories.values() for s in sources if s.sampleName == sampleName), None)
        if source is None or source.customDownloader is None:
            raise RuntimeError(f"sample data {sampleName!r} is not registered, or only on the network")
        return source.customDownloader(source)


def downloadSample(sampleName: str) -> Any:
    """The first node of a registered data set."""
    return SampleDataLogic().downloadSamples(sampleName)[0]


def downloadSamples(sampleName: str) -> list[Any]:
    """The nodes of a registered data set."""
    return SampleDataLogic().downloadSamples(sampleName)
