"""The engine ``network`` of ``interactive.segment``: a trained network on the part around the points."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, WeightsError, require
from DeepMRILib.interactive.crop import Box
from DeepMRILib.interactive.engine import Answer, Problem
from DeepMRILib.interactive.network_ask import Asking, asked
from DeepMRILib.interactive.network_device import network_device
from DeepMRILib.interactive.network_evidence import with_prior, without_negatives
from DeepMRILib.interactive.network_forward import Ensemble
from DeepMRILib.interactive.trained import METHOD, SHIPPED, TrainedModel
from DeepMRILib.model_store import CARD, WEIGHTS, Model, ModelStore, find_model
from DeepMRILib.progress import Progress, part
from DeepMRILib.volume import Volume

_KEPT = 2  # networks in memory: of the one before, a user may think better


def segment_by_network(problem: Problem, progress: Progress, *, model: Path | str | None = None) -> Answer:
    """Segment by a trained network.

    Several labels go through a network of as many labels at once, in their order; through a network of one label they
    go one after the other, and compete by their odds. Negative points and an earlier segmentation that the network
    knows nothing of act on its probabilities (``network_evidence``). A preview asks one fold, without flips.

    Args:
        problem: the part around the points.
        progress: runs from 0 to 1.
        model: a model's folder or name; the one that DeepMRI ships when None.

    Raises:
        InputError: no network is shipped and none was given, or it is for another number of images or labels.
        WeightsError: the model is missing, damaged or of another kind.
        DeviceMemoryError: it does not fit.
        DependencyError: PyTorch, MONAI or safetensors is not installed.
        Cancelled: by ``progress``.
    """
    for module in ("torch", "monai", "safetensors"):
        require(module, "Segmenting with a network")
    device = network_device(problem.options.device)
    progress(0.0, "Reading the network")
    trained, ensemble = opened(model, device)
    check_fit(trained, problem.image.shape[3], len(problem.points))
    membership = _membership(ensemble, problem, part(progress, 0.05, 0.85))
    if not trained.plan.negative:
        membership = without_negatives(membership, problem, part(progress, 0.85, 0.98))
    membership = with_prior(membership, problem.prior)
    progress(1.0, "Segmented")
    return Answer(
        membership=membership,
        engine=f"network {trained.name}, {_folds_in_words(trained, problem)}",
        notes=_notes(trained, problem),
        device=device,
        weights_sha256=trained.sha256,
    )


def opened(model: Path | str | None, device: str) -> tuple[TrainedModel, Ensemble]:
    """A trained model and its networks on a resolved device; kept until other ones have been asked for.

    Raises:
        InputError: None was given and none is shipped.
        WeightsError: no such model, or it cannot be used.
    """
    found = _shipped() if model is None else find_model(model, METHOD)
    # a network that is trained anew under the same name has other files
    stamps = tuple(
        path.stat().st_mtime_ns if path.is_file() else 0 for path in (found.folder / CARD, found.folder / WEIGHTS)
    )
    return _opened(found.folder.resolve(), stamps, device)


def _shipped() -> Model:
    try:
        return ModelStore().find(SHIPPED, METHOD)
    except WeightsError as error:
        raise InputError(
            "The engine network needs a trained network, and this copy of DeepMRI has none of its own "
            f"({SHIPPED}). Give the folder or the name of one, or train one with: deepmri interactive train."
        ) from error


@functools.lru_cache(maxsize=_KEPT)
def _opened(folder: Path, stamps: tuple[int, ...], device: str) -> tuple[TrainedModel, Ensemble]:  # noqa: ARG001
    trained = TrainedModel.load(folder)
    return trained, Ensemble.of(trained, device)


def check_fit(trained: TrainedModel, images: int, labels: int) -> None:
    """Refuse images and labels that a network does not know.

    Raises:
        InputError: the text names both numbers.
    """
    plan = trained.plan
    if images != len(plan.channels):
        raise InputError(
            f"The network {trained.name} takes {_count(len(plan.channels), 'image')} ({', '.join(plan.channels)}), and "
            f"{images} {'was' if images == 1 else 'were'} given. Give as many, in this order, or take another network."
        )
    if labels != len(plan.labels) and len(plan.labels) > 1:
        raise InputError(
            f"The network {trained.name} segments {_count(len(plan.labels), 'label')} at once "
            f"({', '.join(plan.labels)}), and points of {labels} were given. Give points of each, in this order, or "
            "choose another network."
        )


def _membership(ensemble: Ensemble, problem: Problem, progress: Progress) -> NDArray:
    """(labels + 1, i, j, k) on the grid of the problem."""
    images = [Volume(problem.image[..., c], problem.affine) for c in range(problem.image.shape[3])]
    points = [images[0].ras_from_voxel(some) for some in problem.points]
    negative = images[0].ras_from_voxel(problem.negative) if len(problem.negative) else None
    preview = problem.options.resolution == "preview"
    flips = problem.options.flips and not preview
    asking = Asking(flips=flips, first_only=preview, depth=problem.options.depth)
    found = asked(ensemble, images, points, asking, negative=negative, progress=progress)
    return filled(found.membership, found.box, problem.shape)


def filled(membership: NDArray, box: Box, shape: tuple[int, int, int]) -> NDArray:
    """Memberships (labels + 1, ...) of a box on a whole grid (labels + 1, i, j, k), background beyond it."""
    whole = np.zeros((len(membership), *shape), dtype=np.float32)
    whole[0] = 1
    whole[(slice(None), *box.slices)] = membership
    return whole


def _folds_in_words(trained: TrainedModel, problem: Problem) -> str:
    if problem.options.resolution == "preview":
        return "one fold"
    count = len(trained.folds)
    flips = ", mean of eight flips" if problem.options.flips else ""
    return f"{'one network' if count == 1 else f'mean of {count} folds'}{flips}"


def _notes(trained: TrainedModel, problem: Problem) -> tuple[str, ...]:
    notes = []
    if len(problem.negative) and not trained.plan.negative:
        notes.append(
            "The network knows no negative points: what is geodesically nearer to one than to the lesion was taken "
            "away from its answer."
        )
    if problem.prior is not None:
        notes.append("The earlier segmentation counted as evidence that is right in three voxels of four.")
    if len(problem.points) > 1 and len(trained.plan.labels) == 1:
        notes.append("The network segments one label at a time; the labels competed by their odds.")
    return tuple(notes)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
