"""The engine ``network`` of ``pvs.segment``: trained networks on the whole box around the brain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.progress import Progress, part
from DeepMRILib.pvs.clusters import occupied
from DeepMRILib.pvs.engine import Answer, Modality, Problem
from DeepMRILib.pvs.intensity import prepared
from DeepMRILib.pvs.network_folds import Running, mean_of_folds
from DeepMRILib.pvs.network_memory import network_device
from DeepMRILib.pvs.opened import UNET, OpenedNetworks, opened
from DeepMRILib.pvs.options import IntensityRule
from DeepMRILib.pvs.published import SETS

_WORDS = {"t1": "T1", "flair": "FLAIR", "t2": "T2"}
_MARGIN = 16
"""Voxels around the brain that a network of ours sees, two of its coarsest."""


def segment_by_network(problem: Problem, progress: Progress, *, model: Path | str | None = None) -> Answer:
    """Look for perivascular spaces by trained networks; the mean of their probabilities is the answer.

    Networks of other programs see the whole box at once: they know where in the head they are, and a part of it would
    give another answer. As in SHiVAi, probabilities below 0.001 count as 0, and the mean as 0 outside the brain.

    Args:
        problem: one brain.
        progress: runs from 0 to 1.
        model: a model's folder or name, or a file or folder of another program, such as a SHIVA set as it was
            downloaded; the network that DeepMRI ships when None.

    Raises:
        InputError: no such model, none is shipped, or it takes images that were not given.
        WeightsError: the model is damaged or of another kind; a fold that cannot be run is named.
        DeviceMemoryError: it does not fit.
        DependencyError: safetensors, or what a file of another program needs, is not installed.
        Cancelled: by ``progress``.
    """
    device = network_device(problem.options.device)
    progress(0.0, "Reading the network")
    with opened(model, box=problem.brain.shape, progress=part(progress, 0.0, 0.1)) as networks:
        images, notes = input_of(networks, problem)
        half = problem.options.half and device.startswith("cuda")
        running = Running(device, half, problem.options.flips)
        where = _part_seen(networks, problem.brain)
        found, more = mean_of_folds(
            networks, np.ascontiguousarray(images[(slice(None), *where)]), running, part(progress, 0.1, 0.99)
        )
        probability = np.zeros(problem.brain.shape, np.float32)
        probability[where] = found
        probability[~problem.brain] = 0
        progress(1.0, "Segmented")
        return Answer(
            probability=probability,
            engine=in_words(networks, running),
            notes=(*networks.notes, *notes, *more),
            device=device,
            weights_sha256=networks.card.sha256,
        )


def input_of(networks: OpenedNetworks, problem: Problem) -> tuple[NDArray, tuple[str, ...]]:
    """The images (c, x, y, z) that a model takes, as it takes them, and what is to be said of them.

    Raises:
        InputError: it takes an image that was not given.
    """
    modalities, notes = _taken(networks, problem)
    rule, more = _rule(networks, problem)
    images = np.stack([_image(problem, modality, rule, networks) for modality in modalities])
    if networks.masked_input:
        images *= problem.brain
    unused = [_WORDS[name] for name in problem.images if name not in modalities]
    if unused:
        takes = " and ".join(_WORDS[name] for name in networks.images)
        more += (f"The {' and '.join(unused)} was not used: the network {networks.card.name} takes {takes} alone.",)
    return images, (*notes, *more)


def _taken(networks: OpenedNetworks, problem: Problem) -> tuple[Sequence[Modality], tuple[str, ...]]:
    """Which of the images that were given go in, in the network's order."""
    name, takes = networks.card.name, networks.images
    missing = [image for image in takes if image not in problem.images]
    if not missing:
        return takes, ()
    given = " and ".join(_WORDS[image] for image in problem.images)
    if takes == ("t1",) and problem.main == "t2":
        if not networks.takes_t2:
            raise InputError(
                f"The network {name} was made for a T1, and a T2 was given; nothing is known of how well it does on "
                "that. Give a T1, or choose a network that takes an inverted T2, such as SHIVA PVS v2 or later."
            )
        return ("t2",), (f"The network {name} was made for a T1 and looked at the T2, inverted inside the brain.",)
    raise InputError(
        f"The network {name} takes {' and '.join(_WORDS[image] for image in takes)}, and {given} was given. Give the "
        f"{' and '.join(_WORDS[image] for image in missing)} too, or choose another network."
        if set(problem.images) & set(takes)
        else f"The network {name} takes {' and '.join(_WORDS[image] for image in takes)}, and {given} was given. Give "
        "what it takes, or choose another network."
    )


def _rule(networks: OpenedNetworks, problem: Problem) -> tuple[IntensityRule, tuple[str, ...]]:
    chosen = problem.options.intensity
    if chosen in ("model", networks.intensity):
        return networks.intensity, ()
    return chosen, (f"Brightness was scaled by {chosen} as was asked; the network expects {networks.intensity}.",)


def _image(problem: Problem, modality: Modality, rule: IntensityRule, networks: OpenedNetworks) -> NDArray:
    image = prepared(problem, modality, rule)
    if modality == "t2" and "t2" in networks.images:  # made for a T2 as it is: what was inverted goes back
        image = np.where(problem.brain, 1 - image, image)
    return image.astype(np.float32, copy=False)


def _part_seen(networks: OpenedNetworks, brain: NDArray) -> tuple[slice, slice, slice]:
    """The whole box; for a network of ours the brain with a margin."""
    box = occupied(brain) if networks.kind == UNET else None
    if box is None:
        return (slice(None), slice(None), slice(None))
    return tuple(slice(max(0, part.start - _MARGIN), part.stop + _MARGIN) for part in box)


def in_words(networks: OpenedNetworks, running: Running) -> str:
    """The method and where it comes from: the set, how many folds, and the paper."""
    card, count = networks.card, len(networks.folds)
    titles = {one.key: one.title for one in SETS}
    title = titles.get(card.extra.get("published"), f"network {card.name}")
    folds = "one network" if count == 1 else f"mean of {count} folds"
    mirrored = ", mean with the mirrored image" if running.flips and networks.kind == UNET else ""
    bits = ", 16 bits" if running.half else ""
    paper = card.extra.get("paper")
    return f"{title}, {folds}{mirrored}{bits}" + (f"; {paper}" if paper else "")
