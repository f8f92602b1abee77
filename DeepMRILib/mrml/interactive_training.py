"""Nodes for training and for trying: points from a known segment, cases of a dataset, generated lesions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.dataset import Case
from DeepMRILib.interactive.export import export_case
from DeepMRILib.interactive.phantom import PhantomOptions, PhantomResult, phantom
from DeepMRILib.interactive.points import check_points, side_names
from DeepMRILib.interactive.prompts import DEFAULT_LABEL
from DeepMRILib.interactive.synthetic import UserError, synthetic_points
from DeepMRILib.mrml.codes import Code
from DeepMRILib.mrml.hierarchy import placeBeside
from DeepMRILib.mrml.interactive_inputs import channelPart
from DeepMRILib.mrml.points import fiducialsFromPoints, pointsFromFiducials
from DeepMRILib.mrml.segments import labelsFromSegmentation, maskFromSegment, segmentationFromLabels
from DeepMRILib.mrml.terminology import ALTERED, terminologyEntry
from DeepMRILib.mrml.volumes import nodeFromVolume, volumeFromNode
from DeepMRILib.volume import Volume

MASS: Code = ("4147007", "SCT", "Mass")
TRUTH_COLOUR = (0.35, 0.80, 0.45)
SAMPLE_NAME = "InteractiveSegLesion"
SAMPLE = PhantomOptions(kind="lobulated", seed=2, lesions=2)
"""Two lesions: from the six points of the first the segmentation reaches a little beyond its margin between two lobes,
where it gives way to a point outside; the second is a segment of its own."""


def syntheticPoints(
    segmentationNode: Any,
    segmentId: str,
    volumeNode: Any,
    *,
    depth: float = 5.0,
    jitter: float = 0.0,
    error: UserError = "fixed",
    seed: int = 0,
    extra: int = 0,
    existing: Any = None,
) -> Any:
    """A point list with six points (and ``extra``) as a user would place them inside a known segment.

    Args:
        volumeNode: the image, on whose grid the segment is looked at; transforms of both are followed.
        depth, jitter, error, seed, extra: as of ``interactive.synthetic.synthetic_points``, lengths in mm.
        existing: the list to fill; a new one by default.

    Raises:
        InputError: no such segment, or nothing of it in the image.
    """
    mask = maskFromSegment(segmentationNode, segmentId, volumeNode)
    points = synthetic_points(mask, depth=depth, jitter=jitter, error=error, seed=seed, extra=extra)
    name = f"{segmentationNode.GetSegmentation().GetSegment(segmentId).GetName()} points"
    return fiducialsFromPoints(points, name, side_names(points), existing, volumeNode)


def exportCase(
    folder: Path | str,
    name: str,
    volumeNode: Any,
    points: Any,
    *,
    segmentationNode: Any = None,
    segments: Mapping[str, str] | str | None = None,
    negativeNode: Any = None,
    channels: Sequence[Any] = (),
    overwrite: bool = False,
) -> Case:
    """Add an image with its points and segments to a dataset, in InteractiveNet's layout.

    Everything is brought into the frame of the image and onto its grid; transforms are followed.

    Args:
        folder: of the dataset, which is made if absent.
        name: of the case.
        points: a point list, of what the dataset calls a lesion; or point lists by the name of their label.
        segmentationNode, segments: the ID of the segment, or IDs by the name of their label; without them the case can
            be tested on, but not trained.
        negativeNode: points where no label is.
        channels: further images of the same place.
        overwrite: replace a case of that name.

    Raises:
        InputError: nodes that cannot be used or do not fit the dataset, or a name that is taken.
        OutputError: the folder cannot be written to.
    """
    volume = volumeFromNode(volumeNode)
    several = isinstance(points, Mapping)
    lists = dict(points) if several else {DEFAULT_LABEL: points}
    positive = {label: pointsFromFiducials(node, volumeNode) for label, node in lists.items()}
    for label, places in positive.items():
        check_points(places, volume, name=label if len(positive) > 1 else "")
    negative = None if negativeNode is None else pointsFromFiducials(negativeNode, volumeNode)
    return export_case(
        folder,
        name,
        [volume, *(channelPart(node, volumeNode, volume) for node in channels)],
        positive if several else positive[DEFAULT_LABEL],
        _mask(segmentationNode, segments, list(lists), volumeNode),
        negative=negative if negative is not None and len(negative) else None,
        overwrite=overwrite,
    )


def _mask(node: Any, segments: Mapping[str, str] | str | None, labels: list[str], volumeNode: Any) -> Volume | None:
    """The segments as 1, 2, 3... in the order of the labels; None without segments."""
    if node is None or not segments:
        return None
    ids = {labels[0]: segments} if isinstance(segments, str) else dict(segments)
    if set(ids) != set(labels):
        raise InputError(
            f"There are points of {', '.join(labels)} and segments of {', '.join(ids)}. Name the same labels in both."
        )
    if len(labels) == 1:
        return maskFromSegment(node, ids[labels[0]], volumeNode)
    return labelsFromSegmentation(node, volumeNode, [ids[label] for label in labels])[0]


def phantomNodes(
    options: PhantomOptions | None = None, name: str = SAMPLE_NAME, *, withPoints: bool = True
) -> tuple[Any, Any, list[Any]]:
    """A generated lesion: its image, its true outline as a segmentation that is not shown, and six points each.

    Args:
        options: see ``PhantomOptions``.
        name: of the image, and the first part of the segmentation's name.
        withPoints: also make the point lists; otherwise there are none.

    Raises:
        InputError: a setting out of its range.
    """
    made = phantom(options or PhantomOptions())
    images = [
        nodeFromVolume(volume, name if n == 0 else f"{name} {n + 1}") for n, volume in enumerate(made.images.values())
    ]
    names = made.label.names
    truth = segmentationFromLabels(
        made.label,
        names,
        {min(names): TRUTH_COLOUR},
        name=f"{name} truth",
        source=images[0],
        terminology=dict.fromkeys(names, terminologyEntry(ALTERED, MASS)),
    )
    placeBeside(truth, images[0])
    truth.GetDisplayNode().SetVisibility(False)
    return images[0], truth, _lists(made, images[0]) if withPoints else []


def _lists(made: PhantomResult, image: Any) -> list[Any]:
    """A point list for each lesion of a phantom."""
    rows = [dict(zip(made.points.columns, row, strict=True)) for row in made.points.rows]
    lists = []
    for label in made.label.names.values():
        own = [row for row in rows if row["segment"] == label]
        places = [[row[axis] for axis in "ras"] for row in own]
        lists.append(fiducialsFromPoints(places, label, [row["name"] for row in own], None, image))
    return lists
