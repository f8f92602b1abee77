"""A generated head with perivascular spaces as nodes: sample data, and what the self test works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from DeepMRILib.mrml.hierarchy import placeBeside
from DeepMRILib.mrml.pvs import BRAIN, SEGMENT_NAME, SPACE
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.terminology import ANATOMY, terminologyEntry
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.pvs.phantom import phantom
from DeepMRILib.pvs.phantom_options import PhantomOptions
from DeepMRILib.volume import LabelVolume

SAMPLE_NAME = "PVSSegmentPhantom"
SAMPLE = PhantomOptions()
SMALL = PhantomOptions(tubes=60, diameter=1.6, spacing=(2.0, 2.0, 2.0), oblique=True)
"""A coarse head for tests: made in 2 s instead of 12."""
TRUTH_COLOUR = (0.35, 0.80, 0.45)


@dataclass(frozen=True)
class SampleNodes:
    """The nodes of a generated head.

    Attributes:
        t1: its T1 (or T2).
        flair: its FLAIR, where one was asked for.
        brain: label map of its brain.
        parcellation: label map with FreeSurfer's numbers.
        truth: segmentation of its spaces, not shown.
    """

    t1: Any
    flair: Any
    brain: Any
    parcellation: Any
    truth: Any

    @property
    def all(self) -> list[Any]:
        """Those that there are."""
        return [node for node in vars(self).values() if node is not None]


def sampleNodes(options: PhantomOptions | None = None, name: str = SAMPLE_NAME) -> SampleNodes:
    """Compute a head with tubes and add it to the scene.

    Args:
        options: see ``PhantomOptions``.
        name: of the image, and the first part of the other nodes' names.

    Raises:
        InputError: a setting out of its range.
    """
    made = phantom(options=SAMPLE if options is None else options)
    first, *others = made.images.values()
    image = nodeFromVolume(first, name)
    spaces = LabelVolume((np.asarray(made.truth.array) > 0).astype(np.uint8), made.truth.affine, {1: SEGMENT_NAME})
    truth = segmentationFromLabels(
        spaces,
        {1: SEGMENT_NAME},
        {1: TRUTH_COLOUR},
        name=f"{name} truth",
        source=image,
        terminology={1: terminologyEntry(ANATOMY, SPACE, BRAIN)},
    )
    truth.GetDisplayNode().SetVisibility(False)
    nodes = SampleNodes(
        t1=image,
        flair=nodeFromVolume(others[0], f"{name} FLAIR") if others else None,
        brain=nodeFromVolume(made.brain, f"{name} brain"),
        parcellation=nodeFromVolume(made.parcellation, f"{name} parcellation"),
        truth=truth,
    )
    for node in nodes.all:
        if node is not image:
            placeBeside(node, image)
    return nodes
