"""The task of the InteractiveSeg panel: what a segmentation from points needs of the scene, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

import slicer
from slicer import (
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLTableNode,
    vtkMRMLVectorVolumeNode,
)
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Default

from DeepMRILib.errors import InputError
from DeepMRILib.interactive import InteractiveResult, SegmentOptions
from DeepMRILib.interactive.prompts import Prompts
from DeepMRILib.mrml import interactive as nodes
from DeepMRILib.mrml.interactive_record import segmentOfPoints
from DeepMRILib.mrml.interactive_segments import checkWritable
from DeepMRILib.mrml.nodes import isNode, nodeName
from DeepMRILib.mrml.transaction import transaction
from DeepMRILib.panel.live_request import Request
from DeepMRILib.panel.task import JobTask
from DeepMRILib.volume import unique_names

NETWORK_PACKAGES = ("monai>=1.5", "safetensors>=0.4")
OF_DISTANCES = {"depth", "edge_weight", "denoise"}
"""Settings that a network does not have."""
OF_NETWORKS = {"device", "flips"}


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
    applied: Any = None  # the key of the request that Apply has run last
    inputParameters: ClassVar = {
        "volume": "inputVolume",
        "points_ras": "points",
        "negative_points": "negativePoints",
        "channels": "channels",
        "model": "model",
    }
    viewParameters = ("otherPoints", "segment", "keepOthers", "refine", "live", "wantConfidence")
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

    def preselect(self, parameters: Any) -> None:
        """Choose the first image."""
        self.preselectFirst(parameters, "inputVolume", "vtkMRMLScalarVolumeNode")

    def missing(self, parameters: Any) -> str:
        """What the user still has to choose or to place; of bad points also which one and why."""
        if parameters.inputVolume is None:
            return _("Choose an image first.")
        if parameters.points is None:
            return _("Place six points just inside the margin of the lesion, one on each side.")
        try:
            self.prompts(parameters)
        except InputError as error:
            return str(error)
        return ""

    def irrelevant(self, parameters: Any) -> set[str]:
        """A network has settings of its own, and the other engines have not all of its."""
        return OF_DISTANCES if parameters.engine == "network" else OF_NETWORKS

    def needsTorch(self, parameters: Any) -> bool:
        """Networks do."""
        return parameters.engine == "network"

    def packages(self, parameters: Any) -> Sequence[str]:
        """To build networks and to read their weights."""
        return NETWORK_PACKAGES if self.needsTorch(parameters) else ()

    def inputNodes(self, parameters: Any) -> list[Any]:
        """Also the lists of nodes."""
        more = [node for node in (*parameters.channels, *parameters.otherPoints) if node is not None]
        return [*JobTask.inputNodes(self, parameters), *more]

    def pointLists(self, parameters: Any) -> dict[str, Any]:
        """Each segment's name to its point list: that of an existing segment, or that of the list."""
        lists = [node for node in (parameters.points, *parameters.otherPoints) if node is not None]
        lists = list(dict.fromkeys(lists))
        names = {n: self._segmentName(parameters, node) for n, node in enumerate(lists)}
        return {name: lists[n] for n, name in unique_names(names).items()}

    def segments(self, parameters: Any) -> dict[str, str]:
        """Each segment's name to its ID, of those that exist or did exist."""
        found = {name: self._segmentId(parameters, node) for name, node in self.pointLists(parameters).items()}
        return {name: segmentId for name, segmentId in found.items() if segmentId}

    def prompts(self, parameters: Any) -> Prompts:
        """The points, checked.

        Raises:
            InputError: nothing can be segmented from them.
        """
        lists, negative = self.pointLists(parameters), parameters.negativePoints
        if negative is not None and negative in lists.values():
            text = _("{name} is chosen for the points inside and for those outside. Choose another list for one.")
            raise InputError(text.format(name=negative.GetName()))
        return nodes.promptsFromNodes(parameters.inputVolume, lists, negative)

    def collect(self, parameters: Any, frame: Any = None) -> dict[str, Any]:  # noqa: ARG002 - there is one
        """The job's inputs: only the part of the images around the points."""
        request = Request.of(self, parameters)
        self.applied = request.key
        return request.inputs()

    def inputsOf(self, parameters: Any, prompts: Prompts) -> dict[str, Any]:
        """The job's inputs with points that were checked already.

        Raises:
            InputError: a further image that cannot be used.
        """
        return nodes.croppedInputs(
            parameters.inputVolume,
            prompts,
            self.options(parameters),
            channels=[node for node in parameters.channels if node is not None],
            priorSegmentation=parameters.segmentation if parameters.refine else None,
            priorSegments=self.segments(parameters),
            model=(parameters.model or None) if parameters.engine == "network" else None,
        )

    def preview(self, result: InteractiveResult, parameters: Any) -> None:
        """Show a coarse result in the segments."""
        made = nodes.preview(
            result,
            parameters.inputVolume,
            segmentationNode=parameters.segmentation,
            segments=self.segments(parameters),
            keepOthers=parameters.keepOthers,
        )
        self._keep(made, parameters)

    def deliver(self, results: Sequence[InteractiveResult], parameters: Any) -> str:
        """Put the segments, their table and the confidence into the scene."""
        made = nodes.deliver(
            results[0],
            parameters.inputVolume,
            segmentationNode=parameters.segmentation,
            segments=self.segments(parameters),
            points=self.pointLists(parameters),
            negativeNode=parameters.negativePoints,
            keepOthers=parameters.keepOthers,
            tableNode=parameters.resultsTable,
            wantConfidence=parameters.wantConfidence,
            confidenceNode=parameters.confidenceMap,
        )
        self._keep(made, parameters)
        parameters.resultsTable = made.table
        if made.confidence is not None:
            parameters.confidenceMap = made.confidence
        return nodes.summary(results[0])

    def _keep(self, made: nodes.Delivered, parameters: Any) -> None:
        parameters.segmentation = made.segmentation
        parameters.segment = next(iter(made.segments.values()))

    def _segmentId(self, parameters: Any, node: Any) -> str:
        if node is parameters.points and parameters.segment:
            return parameters.segment
        return segmentOfPoints(node, parameters.segmentation)

    def _segmentName(self, parameters: Any, node: Any) -> str:
        segmentId = self._segmentId(parameters, node)
        known = parameters.segmentation.GetSegmentation().GetSegment(segmentId) if parameters.segmentation else None
        return known.GetName() if known is not None else nodeName(node)

    # ---- Slicer's Python console

    def process(
        self,
        volumeNode: Any,
        points: Any,
        options: SegmentOptions | None = None,
        *,
        negativePoints: Any = None,
        segmentation: Any = None,
        segment: str = "",
        model: Path | str | None = None,
        channels: Sequence[Any] = (),
        keepOthers: bool = False,
        wantConfidence: bool = False,
    ) -> nodes.Delivered:
        """Segment in this process, and put the result into the scene.

        Args:
            volumeNode: the image.
            points: a point list, or point lists by the name of their segment.
            options: see ``SegmentOptions``.
            negativePoints: a point list where no segment is.
            segmentation: to write into; a new one by default.
            segment: ID or name of the segment to replace, of a single point list; a new one by default.
            model: a network's folder or name, for the engine network.
            channels: further images of the same place.
            keepOthers: leave out voxels that belong to other segments already.
            wantConfidence: also make the map of confidence.

        Raises:
            InputError: points, images or settings that cannot be used; the scene is as it was.
        """
        lists = dict(points) if isinstance(points, Mapping) else {nodeName(points): points}
        if segment and len(lists) > 1:
            raise InputError("One segment was named for several point lists. Leave it out, or give one list.")
        options = SegmentOptions() if options is None else options
        if not isinstance(options, SegmentOptions):
            raise InputError(f"{nodeName(options)} was given as settings; give SegmentOptions(...).")
        channels = (channels,) if hasattr(channels, "IsA") else tuple(channels)
        _checkPresent(volumeNode, *lists.values(), negativePoints, segmentation, *channels)
        if segmentation is not None:
            checkWritable(segmentation)
        prompts = nodes.promptsFromNodes(volumeNode, lists, negativePoints)
        inputs = nodes.croppedInputs(volumeNode, prompts, options, channels=channels, model=model)
        result = self.job.run(inputs, options)
        with transaction(slicer.mrmlScene):
            return nodes.deliver(
                result,
                volumeNode,
                segmentationNode=segmentation,
                segments={next(iter(lists)): _segmentIdOf(segmentation, segment)} if segment else None,
                points=lists,
                negativeNode=negativePoints,
                keepOthers=keepOthers,
                wantConfidence=wantConfidence,
            )


def _checkPresent(*given: Any) -> None:
    """Refuse nodes that were removed from the scene: nobody would see what becomes of them."""
    for node in given:
        if isNode(node, "vtkMRMLNode") and not slicer.mrmlScene.IsNodePresent(node):
            raise InputError(f"{nodeName(node)} is not in the scene any more. Load it again, or choose another.")


def _segmentIdOf(node: Any, segment: str) -> str:
    """The ID of a segment that is named by its ID or its name.

    Raises:
        InputError: there is none.
    """
    if node is None:
        raise InputError(f"The segment {segment} was named without its segmentation. Give both, or neither.")
    segmentation = node.GetSegmentation()
    found = segment if segmentation.GetSegment(segment) is not None else segmentation.GetSegmentIdBySegmentName(segment)
    if not found:
        raise InputError(f"The segmentation {nodeName(node)} has no segment {segment}. Choose one of its segments.")
    return found
