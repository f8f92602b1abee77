"""The growth of a pattern as an animation: image, k-space with the newest line, and segmentation, step by step."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError, require
from DeepMRILib.igs.growth import drawn_mask, plane_of
from DeepMRILib.igs.viewing import as_seen, spacing_seen
from DeepMRILib.report_style import INK, MUTED, PALETTE

if TYPE_CHECKING:
    from PIL.Image import Image

    from DeepMRILib.igs.pattern import Pattern
    from DeepMRILib.igs.result import PatternResult

PURPOSE = "Drawing an animation"
SIDE = 224
"""Of a panel, in pixels."""
GAP, TITLE, NAME = 12, 32, 22
COLORS = 64
"""Of a frame: more make the file larger and nothing clearer."""
SECONDS = 0.35
NEWEST = "#ff5a36"
OPACITY = 0.55
LAST = 5
"""How many times longer the last frame stays."""


def frames_of(result: PatternResult) -> list[NDArray]:
    """The frames (rows, columns, 3) uint8 of a result's growth.

    Raises:
        DependencyError: matplotlib or Pillow is not installed.
    """
    inputs = result.provenance.inputs
    return growth_frames(
        result.pattern,
        result.growth,
        result.growth_lines,
        kspace=result.growth_kspace,
        labels=result.growth_labels,
        names={int(label): name for label, name in inputs.get("label_names", {}).items()},
        window=window_of(result.example),
        view=tuple(inputs.get("view", (1, 2))),
        spacing=tuple(inputs.get("spacing", (1.0, 1.0))),
    )


def window_of(image: NDArray) -> float:
    """What is drawn white, so that a single bright pixel does not darken the rest; above 0."""
    return float(np.percentile(image, 99.5)) or float(image.max()) or 1.0


def growth_frames(
    pattern: Pattern,
    images: NDArray,
    lines: Sequence[int],
    *,
    kspace: NDArray | None = None,
    labels: NDArray | None = None,
    names: Mapping[int, str] | None = None,
    window: float | None = None,
    view: tuple[int, int] = (1, 2),
    spacing: Sequence[float] = (1.0, 1.0),
) -> list[NDArray]:
    """A frame (rows, columns, 3) uint8 for each step.

    Args:
        pattern: where the lines lie, and their losses.
        images: (steps, h, w) magnitudes.
        lines: (steps,) how many lines each has.
        kspace: (rows, columns) from 0 to 1, as ``growth.log_kspace``; white lines on black without one.
        labels: (steps, h, w), for a third panel.
        names: of the labels.
        window: what is drawn white.
        view: how slices are turned, as in ``SliceDataset``.
        spacing: edge lengths of a pixel, along h and w the last ones.

    Raises:
        DependencyError: matplotlib or Pillow is not installed.
    """
    window = window or window_of(images[-1])
    size = _panel_size(as_seen(images, view).shape[-2:], spacing_seen(tuple(spacing), view))
    legend = [(name, color_of(label)) for label, name in (names or {}).items()] if labels is not None else []
    frames = []
    before = np.zeros(pattern.shape, dtype=bool)
    for step, count in enumerate(int(n) for n in lines):
        mask = pattern.masks(count)[0]
        panels = {
            "Zero-filled image": _turned(gray(images[step], window), view),
            "k-space, newest in orange": kspace_picture(pattern, mask, mask & ~before, kspace, view),
        }
        if labels is not None:
            panels["What the network finds in it"] = _turned(painted(images[step], labels[step], window), view)
        pictures = {name: _scaled(picture, size) for name, picture in panels.items()}
        frames.append(_composed(pictures, title_of(pattern, count), legend))
        before = mask
    return frames


def title_of(pattern: Pattern, count: int) -> str:
    """How many lines, the acceleration and the loss.

    Example:
        >>> from DeepMRILib.igs.pattern import Pattern
        >>> title_of(Pattern(((4, 3),), (8,), (-1,), losses=(0.5, 0.25)), 2)
        '2 of 8 lines · acceleration 4 · loss 0.25'
    """
    size = pattern.encoding.size
    loss = pattern.losses[count - 1] if count <= len(pattern.losses) else None
    acceleration = f"{size / count:{'.3g' if size < 1000 * count else '.0f'}}"
    words = f"{count} of {size} {pattern.encoding.word} · acceleration {acceleration}"
    return words if loss is None else f"{words} · loss {loss:.3g}"


def color_of(label: int) -> str:
    """The colour of a label, the same in all pictures."""
    return PALETTE[(label - 1) % (len(PALETTE) - 1)]


def gray(image: NDArray, window: float) -> NDArray:
    """(h, w, 3) uint8."""
    values = (255 * np.clip(image / window, 0, 1)).astype(np.uint8)
    return np.repeat(values[..., None], 3, axis=-1)


def painted(image: NDArray, labels: NDArray, window: float) -> NDArray:
    """(h, w, 3) uint8: labels in their colours over the image."""
    picture = gray(image, window).astype(float)
    for label in np.unique(labels[labels > 0]):
        inside = labels == label
        picture[inside] = (1 - OPACITY) * picture[inside] + OPACITY * np.array(_rgb(color_of(int(label))))
    return picture.astype(np.uint8)


def kspace_picture(
    pattern: Pattern, mask: NDArray, newest: NDArray, kspace: NDArray | None, view: tuple[int, int]
) -> NDArray:
    """(rows, columns, 3) uint8: k-space where it is acquired, black elsewhere, the newest lines in orange."""
    if kspace is None:
        kspace = np.ones(pattern.shape if len(pattern.shape) == 2 else (pattern.shape[0],) * 2)
    acquired, new = (drawn_mask(one, pattern.encoding, kspace.shape) for one in (mask, newest))
    picture = gray(np.where(acquired, 0.15 + 0.85 * kspace, 0), 1.0)
    picture[new] = _rgb(NEWEST)
    # turned with the image, not reversed: line numbers ascend down and to the right
    return _turned(picture, (abs(view[0]), abs(view[1]))) if plane_of(pattern.encoding) == (-2, -1) else picture


def write_gif(path: Path, frames: Sequence[NDArray], seconds: float = SECONDS, *, loops: int = 0) -> Path:
    """Write frames as an animated GIF; the last one stays longer.

    Args:
        path: a new file, or one to replace.
        frames: (rows, columns, 3) uint8, all of one size.
        seconds: how long each is shown.
        loops: how often it is played; 0 plays on and on.

    Raises:
        OutputError: the file cannot be written.
        DependencyError: matplotlib or Pillow is not installed.
    """
    from DeepMRILib.writing import replacing

    content = gif(frames, seconds, loops=loops)
    with replacing(Path(path)) as (partial,):
        partial.write_bytes(content)
    return Path(path)


def gif(frames: Sequence[NDArray], seconds: float = SECONDS, *, loops: int = 0) -> bytes:
    """The content of ``write_gif``'s file."""
    if not len(frames):
        raise InputError("There is nothing to animate: give at least one frame.")
    pictures = [_image(frame).quantize(COLORS, dither=0) for frame in frames]
    milliseconds = [round(1000 * seconds)] * (len(pictures) - 1) + [round(1000 * seconds * LAST)]
    buffer = io.BytesIO()
    # without a number of loops a GIF is played once
    settings: dict[str, Any] = {} if loops == 1 else {"loop": max(loops - 1, 0)}
    pictures[0].save(
        buffer, "GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, optimize=False, disposal=1,
        **settings,
    )  # fmt: skip
    return buffer.getvalue()


def _turned(picture: NDArray, view: tuple[int, int]) -> NDArray:
    return as_seen(picture.transpose(2, 0, 1), view).transpose(1, 2, 0)


def _panel_size(shape: tuple[int, ...], spacing: tuple[float, float]) -> tuple[int, int]:
    """Width and height of a panel in pixels, in the true proportions of the slice."""
    tall, wide = (n * edge for n, edge in zip(shape, spacing, strict=True))
    factor = SIDE / max(tall, wide)
    return max(round(wide * factor), 24), max(round(tall * factor), 24)


def _scaled(picture: NDArray, size: tuple[int, int]) -> Image:
    resampling = require("PIL.Image", PURPOSE, "pillow").Resampling
    return _image(picture).resize(size, resampling.NEAREST)


def _composed(panels: Mapping[str, Image], title: str, legend: Sequence[tuple[str, str]]) -> NDArray:
    draw = require("PIL.ImageDraw", PURPOSE, "pillow")
    wide, tall = next(iter(panels.values())).size
    cell = max(wide, SIDE)
    below = NAME if legend else 0
    frame = require("PIL.Image", PURPOSE, "pillow").new(
        "RGB", (len(panels) * (cell + GAP) + GAP, TITLE + NAME + tall + GAP + below), "white"
    )
    pen = draw.Draw(frame)
    pen.text((GAP, TITLE / 2), title, fill=INK, font=_font(14), anchor="lm")
    for n, (name, picture) in enumerate(panels.items()):
        left = GAP + n * (cell + GAP)
        pen.text((left, TITLE + NAME / 2), name, fill=MUTED, font=_font(12), anchor="lm")
        frame.paste(picture, (left + (cell - wide) // 2, TITLE + NAME))
    _draw_legend(pen, legend, frame.size)
    return np.asarray(frame)


def _draw_legend(pen: Any, legend: Sequence[tuple[str, str]], size: tuple[int, int]) -> None:
    right, middle = GAP, size[1] - NAME / 2 - 3
    for name, color in legend:
        width = pen.textlength(name, font=_font(12))
        if right + width + 16 > size[0]:  # more structures than fit: the rest are told by the report
            return
        pen.rectangle((right, middle - 5, right + 10, middle + 5), fill=color)
        pen.text((right + 15, middle), name, fill=INK, font=_font(12), anchor="lm")
        right += width + 30


def _font(size: int) -> Any:
    fonts = require("PIL.ImageFont", PURPOSE, "pillow")
    folder = Path(require("matplotlib", PURPOSE).get_data_path()) / "fonts" / "ttf"
    return fonts.truetype(str(folder / "DejaVuSans.ttf"), size)


def _image(picture: NDArray) -> Image:
    return require("PIL.Image", PURPOSE, "pillow").fromarray(np.ascontiguousarray(picture))


def _rgb(color: str) -> tuple[int, int, int]:
    return tuple(int(color[start : start + 2], 16) for start in (1, 3, 5))
