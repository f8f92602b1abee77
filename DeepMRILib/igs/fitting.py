"""Whether a pattern is for images of some shape."""

from __future__ import annotations

from collections.abc import Sequence

from DeepMRILib.errors import InputError
from DeepMRILib.igs.encoding import Encoding


def check_fit(encoding: Encoding, contrasts: int, shape: Sequence[int]) -> None:
    """Refuse a pattern that is not for images (n, c, h, w) or (n, c, d, h, w) of this shape.

    Args:
        encoding: of the pattern.
        contrasts: how many masks it has.
        shape: of the images.

    Raises:
        InputError: another size along an encoded axis, an axis that is not there, other contrasts.
    """
    spatial = tuple(shape[2:])
    for axis, n in zip(encoding.axes, encoding.shape, strict=True):
        if -axis > len(spatial):
            raise InputError(
                f"The pattern is for volumes (axis {axis}), and these are slices. Choose the slice axis volume."
            )
        if spatial[axis] != n:
            raise InputError(
                f"The pattern is for {n} {encoding.word} along the axis {axis}, and the slices have {spatial[axis]} "
                f"pixels there ({' x '.join(map(str, spatial))}). Search one for images of this size, or pad or cut "
                "the images to it (size)."
            )
    if contrasts not in (1, shape[1]):
        raise InputError(
            f"The pattern is for {contrasts} contrasts, and the images have {shape[1]}. Give images with the contrasts "
            "that it was searched on, or search one pattern for all."
        )
