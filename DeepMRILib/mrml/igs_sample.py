"""Drawn hearts as nodes: sample data for k-space patterns, and what the self test works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from DeepMRILib.igs.sampling import SampleOptions, sample
from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.hierarchy import placeBeside
from DeepMRILib.mrml.igs_inputs import TRUTH
from DeepMRILib.mrml.igs_terms import coloursOf, termsOf
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume

SAMPLE_NAME = "KSpaceIGSHeart"
SAMPLE = SampleOptions()
SMALL = SampleOptions(cases=4, size=48)
"""For tests: made in a moment."""
PI = 3.15


@dataclass(frozen=True)
class SampleNodes:
    """The nodes of a generated dataset, a slice of each case.

    Attributes:
        image: magnitudes.
        labels: what is where, as a segmentation that is not shown.
        phase: in radians; None where the images have none.
    """

    image: Any
    labels: Any
    phase: Any = None

    @property
    def all(self) -> list[Any]:
        """Those that there are."""
        return [node for node in vars(self).values() if node is not None]


def sampleNodes(options: SampleOptions | None = None, name: str = SAMPLE_NAME) -> SampleNodes:
    """Draw images with labels and add them to the scene.

    Args:
        options: see ``SampleOptions``.
        name: of the image, and the first part of the other nodes' names.

    Raises:
        InputError: a setting out of its range.
    """
    made = sample(SAMPLE if options is None else options)
    image = nodeFromVolume(made.image, name)
    names = made.labels.names
    labels = segmentationFromLabels(
        made.labels,
        names,
        coloursOf(names),
        name=f"{name} labels",
        source=image,
        terminology=termsOf(names),
    )
    labels.SetAttribute(TRUTH, SAMPLE_NAME)
    labels.GetDisplayNode().SetVisibility(False)
    phase = None
    if made.phase is not None:
        phase = nodeFromVolume(made.phase, f"{name} phase")
        showMap(phase, "Grey", (-PI, PI))
    nodes = SampleNodes(image, labels, phase)
    for node in nodes.all[1:]:
        placeBeside(node, image)
    return nodes
