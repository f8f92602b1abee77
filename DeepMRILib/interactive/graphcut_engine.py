"""Segmentation by a graph cut with a geodesic term."""

from __future__ import annotations

from DeepMRILib.interactive.engine import Answer, Problem
from DeepMRILib.interactive.geodesic_engine import segment_by_geodesics
from DeepMRILib.progress import Progress


def segment_by_graph_cut(problem: Problem, progress: Progress) -> Answer:
    """Segment by a graph cut that starts from geodesic distances."""
    return segment_by_geodesics(problem, progress)
