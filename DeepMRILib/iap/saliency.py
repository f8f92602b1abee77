"""What of a slice decides about one parameter: how much the answer changes where a patch is hidden.

Zeiler and Fergus, ECCV 2014, with the slice's local mean in place of the patch: a grey square would itself be a cue.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import logsumexp

from DeepMRILib.errors import InputError
from DeepMRILib.iap.answering import Answer
from DeepMRILib.iap.layout import Head
from DeepMRILib.iap.model import Model
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.progress import Progress, silent

PATCHES = 14
"""Patches along the slice's longer edge; they overlap by half."""
Box = tuple[slice, slice]


def occlusion(
    model: Model, image: NDArray, answer: Answer, *, batch: int = 16, progress: Progress | None = None
) -> NDArray:
    """How much each part of a slice decides (rows, columns) float32; 0 where nothing changes.

    Args:
        model: that gave the answer.
        image: (rows, columns) raw pixels.
        answer: to one parameter. Of a class the map is the loss of its log-odds when the patch is hidden: positive
            where the patch speaks for it, however sure the answer is. Of a number it is the size of its change, in
            units of the deviation that the network gives it, or, if it gives none, of the parameter's tolerance.
        batch: patches at once.
        progress: told how far it is.

    Raises:
        InputError: a slice of one row or column.
        Cancelled: by ``progress``.
    """
    image = np.asarray(image)
    if image.ndim != 2 or min(image.shape) < 2:
        raise InputError(f"A slice of shape {image.shape} has no parts that could be hidden.")
    values = np.nan_to_num(image.astype(np.float32), posinf=0.0, neginf=0.0)
    progress = progress or silent
    edge = max(2, round(max(image.shape) * 2 / (PATCHES + 1)))
    smooth = ndimage.uniform_filter(values, 2 * edge + 1, mode="nearest")
    boxes = [box for box in _boxes(image.shape, edge) if not np.allclose(values[box], smooth[box], rtol=1e-3, atol=0)]
    untouched = answer.head.outputs(model.logits([values]))
    total, count = np.zeros(image.shape), np.zeros(image.shape)
    for box in _boxes(image.shape, edge):
        count[box] += 1
    for start in range(0, len(boxes), batch):
        progress(start / len(boxes), f"Hidden {start} of {len(boxes)} parts of the slice")
        chosen = boxes[start : start + batch]
        outputs = answer.head.outputs(model.logits([_hidden(values, smooth, box) for box in chosen]))
        for box, change in zip(chosen, _changes(answer, untouched, outputs), strict=True):
            total[box] += change
    return (total / np.maximum(count, 1)).astype(np.float32)


def _boxes(shape: tuple[int, ...], edge: int) -> Iterator[Box]:
    """Squares of an edge that overlap by half and reach the image's borders."""
    step = max(1, edge // 2)
    for top in range(0, max(shape[0] - edge + step, 1), step):
        for left in range(0, max(shape[1] - edge + step, 1), step):
            yield slice(top, top + edge), slice(left, left + edge)


def _hidden(values: NDArray, smooth: NDArray, box: Box) -> NDArray:
    hidden = values.copy()
    hidden[box] = smooth[box]
    return hidden


def _changes(answer: Answer, untouched: NDArray, outputs: NDArray) -> NDArray:
    """(n,) of the outputs (n, m) with patches hidden, against those (1, m) without."""
    if answer.head.kind != "continuous":
        place = answer.head.classes.index(answer.value)
        return _log_odds(untouched, place) - _log_odds(outputs, place)
    return np.abs(outputs[:, 0] - untouched[:, 0]) / _unit(answer.head, untouched)


def _log_odds(outputs: NDArray, place: int) -> NDArray:
    """(n,) of one class against all others."""
    return outputs[:, place] - logsumexp(np.delete(outputs, place, axis=1), axis=1)


def _unit(head: Head, untouched: NDArray) -> float:
    """What counts as one: the network's deviation, or the tolerance of the parameter at this value."""
    if untouched.shape[1] > 1:
        return float(np.exp(untouched[0, 1]))
    parameter, value = BY_NAME[head.parameter], abs(float(head.value(untouched[0, :1])[0]))
    tolerance = max(parameter.absolute, parameter.relative * value)
    return tolerance / head.deviation / (value if head.logarithm else 1.0)
