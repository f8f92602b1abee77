"""The engines that need no weights."""

from __future__ import annotations

from DeepMRILib.interactive.engine import Engine
from DeepMRILib.interactive.geodesic_engine import segment_by_geodesics
from DeepMRILib.interactive.graphcut_engine import segment_by_graph_cut

ENGINES: dict[str, Engine] = {"geodesic": segment_by_geodesics, "graphcut": segment_by_graph_cut}
"""Name to engine."""
