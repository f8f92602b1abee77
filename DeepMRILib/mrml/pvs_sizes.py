"""How many perivascular spaces there are of which size: a chart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.mrml.plots import chartFromCurves
from DeepMRILib.plots import Curve
from DeepMRILib.tables import Table

EDGES_MM3 = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""The same in every chart, so that two brains can be compared."""
MOST_REGIONS = 6
"""More curves cannot be told apart."""
WHOLE = "Whole brain"


def sizeChart(census: Table, name: str, existing: Any = None) -> Any:
    """A chart with the number of clusters by volume: of the whole brain, and of the regions with most clusters.

    Volumes are on a logarithmic axis. The two sides of a region count together.

    Args:
        census: as of ``PVSResult``.
        existing: the chart to update.
    """
    volumes = np.asarray(census.columns.get("volume", []), dtype=float)
    regions = [bothSides(str(region)) for region in census.columns.get("region", [])]
    curves = [_curve(WHOLE, volumes)]
    common = [region for region, _count in Counter(regions).most_common(MOST_REGIONS)]
    if len(common) > 1:
        curves += [_curve(region, volumes[[one == region for one in regions]]) for region in sorted(common)]
    chart = chartFromCurves(curves, name, xTitle="Volume of a cluster (mm³)", yTitle="Clusters", existing=existing)
    chart.SetXAxisLogScale(True)
    return chart


def bothSides(region: str) -> str:
    """A region's name without its side.

    Example:
        >>> bothSides("Left basal ganglia"), bothSides("Brainstem")
        ('Basal ganglia', 'Brainstem')
    """
    for side in ("Left ", "Right "):
        if region.startswith(side):
            rest = region.removeprefix(side)
            return rest[:1].upper() + rest[1:]
    return region


def _curve(name: str, volumes: NDArray) -> Curve:
    """A histogram as a line with steps; what lies beyond the first or the last edge counts with what is next to it."""
    counts, _edges = np.histogram(np.clip(volumes, EDGES_MM3[0], EDGES_MM3[-1]), EDGES_MM3)
    return Curve(name, [], [], line_x=np.repeat(EDGES_MM3, 2)[1:-1], line_y=np.repeat(counts, 2))
