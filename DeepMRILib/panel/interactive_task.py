"""The task of the InteractiveSeg panel: what a segmentation from points needs of the scene, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from slicer import (
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
    vtkMRMLVectorVolumeNode,
)
from slicer.parameterNodeWrapper import Default

from DeepMRILib.panel.task import JobTask


class InteractiveSegTask(JobTask):
    """Segments what six or more points lie just inside of, and writes it into one segment.

    ``InteractiveSegLogic(InteractiveSegTask, JobLogic)`` is the module's Logic. The node parameters, for the .ui file:

    - ``inputVolume``: the image
    - ``channels``: list of further images of the same place
    - ``points``: point list of the lesion; a new segment is called like it
    - ``otherPoints``: list of further point lists, each a segment of its own that competes for the voxels
    - ``negativePoints``: point list where no segment is
    - ``model``: name or folder of a network, for the engine network; empty for the one of DeepMRI
    - ``segmentation``, ``segment``: where the result goes: node and ID of the segment; empty for new ones
    - ``keepOthers``: leave voxels out that belong to other segments already, so that segments never overlap
    - ``refine``: start from what the chosen segment holds
    - ``live``: segment while points are placed and dragged
    - ``resultsTable``: one row per segment
    - ``wantConfidence``, ``confidenceMap``: whether there is a map of confidence, and its node
    """

    jobKey = "interactive.segment"
    inputParameters: ClassVar = {
        "volume": "inputVolume",
        "points_ras": "points",
        "negative_points": "negativePoints",
        "channels": "channels",
        "model": "model",
    }
    viewParameters = ("otherPoints", "live", "refine", "keepOthers", "wantConfidence", "segment")
    nodeParameters: ClassVar = {
        "inputVolume": vtkMRMLScalarVolumeNode | vtkMRMLVectorVolumeNode | None,
        "channels": list[vtkMRMLScalarVolumeNode],
        "points": vtkMRMLMarkupsFiducialNode,
        "otherPoints": list[vtkMRMLMarkupsFiducialNode],
        "negativePoints": vtkMRMLMarkupsFiducialNode,
        "model": str,
        "segmentation": vtkMRMLSegmentationNode,
        "segment": str,
        "keepOthers": bool,
        "refine": bool,
        "live": Annotated[bool, Default(True)],
        "resultsTable": vtkMRMLTableNode,
        "wantConfidence": bool,
        "confidenceMap": vtkMRMLScalarVolumeNode,
    }

    def process(
        self,
        volumeNode: Any,
        points: Any,
        options: Any = None,
        *,
        negativePoints: Any = None,
        segmentation: Any = None,
        segment: str = "",
        model: str = "",
        channels: Sequence[Any] = (),
    ) -> Any:
        """Segment in this process; returns ``DeepMRILib.mrml.interactive.Delivered``."""
        raise NotImplementedError
