"""Which part of an image a segmentation looks at, whatever the engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from DeepMRILib.errors import WeightsError
from DeepMRILib.interactive.crop import Box, box_around
from DeepMRILib.interactive.options import SegmentOptions
from DeepMRILib.interactive.prepare_box import geometry_around
from DeepMRILib.interactive.prompts import Prompts
from DeepMRILib.interactive.trained import SHIPPED, read_plan
from DeepMRILib.volume import Volume


def part_around(volume: Volume, prompts: Prompts, options: SegmentOptions, model: Path | str | None = None) -> Box:
    """The box around the points: with the margin of the options, and for a network as much as it has learned to see.

    A network that sees less than in training is misled: it brings the values of the part to a common scale. Only the
    model's description is read here, so PyTorch is not needed.

    Args:
        volume: the whole image.
        prompts: the points.
        options: the engine and the margin.
        model: of the engine network; the shipped one when None.

    Raises:
        WeightsError: the model that was given is missing or damaged.
    """
    box = box_around(volume.voxel_from_ras(prompts.all_positive), volume, options)
    if options.engine != "network":
        return box
    try:
        plan = read_plan(SHIPPED if model is None else model)
    except WeightsError:
        if model is not None:
            raise
        return box  # the engine says how to get one
    wanted = geometry_around(prompts.all_positive, volume.shape, volume.affine, plan).box
    start = np.minimum(box.start, wanted.start)
    stop = np.maximum(box.stop, wanted.stop)
    return Box(tuple(start.tolist()), tuple(stop.tolist()))
