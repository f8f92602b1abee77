"""Draw the icons of the extension and its modules: 128 x 128 pixels, transparent corners. Needs matplotlib.

A new module adds one function that draws on an axes of 0 to 1 in both directions, and one line in ``ICONS``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
SIZE = 128  # pixels, as Slicer's template and the index ask
OVERSAMPLING = 8  # drawn larger and averaged, which keeps thin lines even

NIGHT, STEEL, TISSUE, PALE = "#0d1b2e", "#1d3a5c", "#8aa4bf", "#e8f0f7"
ORANGE, TEAL = "#ff9f43", "#2ec4b6"


def outline(center: tuple[float, float], radii: tuple[float, float], wobble: tuple[float, ...] = ()) -> NDArray:
    """Points (n, 2) of an ellipse whose radius varies by ``wobble[m] * cos((m + 1) * angle)``."""
    angle = np.linspace(0, 2 * np.pi, 361)
    radius = 1 + sum(w * np.cos((m + 1) * angle) for m, w in enumerate(wobble))
    return np.c_[center[0] + radii[0] * radius * np.cos(angle), center[1] + radii[1] * radius * np.sin(angle)]


def tile(axes: Axes) -> None:
    """The rounded dark square that all icons stand on, lighter towards the top."""
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import FancyBboxPatch

    box = FancyBboxPatch((0.13, 0.13), 0.74, 0.74, boxstyle="round,pad=0.11", lw=0, transform=axes.transData)
    shade = LinearSegmentedColormap.from_list("tile", [NIGHT, STEEL])
    image = axes.imshow(np.linspace(0, 1, 256)[:, None], cmap=shade, extent=(0, 1, 0, 1), origin="lower")
    image.set_clip_path(box)


def curve(axes: Axes, x: NDArray, y: NDArray, color: str, width: float) -> None:
    """A line with a dark edge, which stands out from whatever is below."""
    axes.plot(x, y, color=NIGHT, lw=width * 2, solid_capstyle="round", zorder=5)
    axes.plot(x, y, color=color, lw=width, solid_capstyle="round", zorder=6)


def draw_ivim_fit(axes: Axes) -> None:
    """The bi-exponential decay of a voxel's signal over an axial slice of the abdomen."""
    body = outline((0.5, 0.46), (0.42, 0.315), (0, 0.03, 0, -0.02))
    axes.fill(*body.T, color="#34506f", lw=0)
    axes.plot(*body.T, color=PALE, lw=3)
    axes.fill(*outline((0.345, 0.51), (0.19, 0.19), (0.2, -0.06, 0.05)).T, color="#c26a4e", lw=0)  # liver
    axes.fill(*outline((0.745, 0.53), (0.075, 0.10)).T, color="#9a6a96", lw=0)  # spleen
    for x in (0.335, 0.665):
        axes.fill(*outline((x, 0.32), (0.06, 0.075)).T, color="#e0ab8b", lw=0)  # kidneys
    axes.fill(*outline((0.5, 0.275), (0.07, 0.062)).T, color=PALE, lw=0)  # vertebra
    axes.fill(*outline((0.535, 0.385), (0.035, 0.035)).T, color="#ef5d55", lw=0)  # aorta

    b = np.linspace(0, 1, 200)
    curve(axes, *_decay(b), ORANGE, 5)
    x, y = _decay(np.array([0, 0.06, 0.25, 0.6, 1]))
    axes.scatter(x, y, s=85, color=PALE, edgecolors=NIGHT, linewidths=1.6, zorder=7)


def _decay(b: NDArray) -> tuple[NDArray, NDArray]:
    """Where the signal at relative b-values (n,) stands in the icon."""
    signal = 0.35 * np.exp(-18 * b) + 0.65 * np.exp(-1.3 * b)
    return 0.12 + 0.76 * b, 0.10 + 0.78 * signal


def draw_deep_mri(axes: Axes) -> None:
    """An axial slice of the head: anatomy on the left, a network's nodes on the right."""
    skull = outline((0.5, 0.5), (0.355, 0.43), (0, 0.015))
    axes.fill(*skull.T, color=PALE, lw=0)
    axes.fill(*outline((0.5, 0.5), (0.32, 0.395), (0, 0.015)).T, color=NIGHT, lw=0)
    left = outline((0.5, 0.5), (0.29, 0.365), (0, 0.02, 0, 0, 0, 0, 0, 0, 0, 0, 0.022))
    left = left[left[:, 0] < 0.488]
    axes.fill(*left.T, color=TISSUE, lw=0)
    folds = ((0.32, 0.67, 0.8), (0.285, 0.51, 1.5), (0.31, 0.35, 2.4), (0.415, 0.76, 0.3), (0.41, 0.22, 2.8))
    for x, y, turn in folds:
        bend = np.linspace(turn, turn + 2.2, 40)
        axes.plot(x + 0.052 * np.cos(bend), y + 0.052 * np.sin(bend), color=STEEL, lw=3, solid_capstyle="round")
    axes.fill(*outline((0.452, 0.51), (0.022, 0.10), (0.35,)).T, color=NIGHT, lw=0)  # ventricle

    layers = [[(0.545, y) for y in (0.64, 0.36)], [(0.645, y) for y in (0.73, 0.5, 0.27)], [(0.745, 0.5)]]
    for start, stop in pairwise(layers):
        for a in start:
            for c in stop:
                axes.plot([a[0], c[0]], [a[1], c[1]], color=TEAL, lw=1.6)
    for nodes, color in zip(layers, (PALE, TEAL, ORANGE), strict=True):
        axes.scatter(*np.transpose(nodes), s=125, color=color, edgecolors=NIGHT, linewidths=1.6, zorder=7)


def draw_interactive_seg(axes: Axes) -> None:
    """A lesion in an axial slice, its six points just inside the margin, and the outline found from them."""
    axes.fill(*outline((0.5, 0.5), (0.43, 0.40), (0, 0.02)).T, color="#34506f", lw=0)
    axes.plot(*outline((0.5, 0.5), (0.43, 0.40), (0, 0.02)).T, color=PALE, lw=2.5)
    lesion = outline((0.5, 0.49), (0.27, 0.25), (0.03, 0.09, -0.06, 0.03, 0.02))
    axes.fill(*lesion.T, color="#c9b7a6", lw=0)
    axes.fill(*outline((0.56, 0.53), (0.09, 0.07), (0.1, 0.15)).T, color="#8f7d70", lw=0)
    curve(axes, *lesion.T, TEAL, 5)
    angles = np.deg2rad([8, 62, 128, 190, 245, 310])
    nearest = [int(np.argmin(np.abs(np.linspace(0, 2 * np.pi, len(lesion)) - angle))) for angle in angles]
    inside = 0.5 + 0.72 * (lesion[nearest] - 0.5)
    axes.scatter(*inside.T, s=120, color=ORANGE, edgecolors=NIGHT, linewidths=1.8, zorder=7)


def draw_pvs_segment(axes: Axes) -> None:
    """An axial slice of the brain whose white matter is crossed by thin spaces that run towards the ventricles."""
    axes.fill(*outline((0.5, 0.5), (0.40, 0.45), (0, 0.015)).T, color=PALE, lw=0)
    axes.fill(*outline((0.5, 0.5), (0.365, 0.415), (0, 0.015)).T, color=NIGHT, lw=0)
    folds = (0, 0.02, 0, 0, 0, 0, 0, 0, 0, 0, 0.022)
    axes.fill(*outline((0.5, 0.5), (0.335, 0.385), folds).T, color="#5d7793", lw=0)  # cortex
    axes.fill(*outline((0.5, 0.5), (0.275, 0.325), folds).T, color="#b9cadb", lw=0)  # white matter
    axes.plot([0.5, 0.5], [0.125, 0.3], color=NIGHT, lw=2.5)
    axes.plot([0.5, 0.5], [0.7, 0.875], color=NIGHT, lw=2.5)
    for side in (-1, 1):
        ventricle = outline((0, 0), (0.034, 0.115), (0.25, 0.1))
        turn = np.deg2rad(-14)
        turned = ventricle @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        axes.fill(*(turned * (side, 1) + (0.5 + 0.055 * side, 0.5)).T, color=NIGHT, lw=0)
        for angle, near, far in ((62, 0.13, 0.25), (38, 0.11, 0.235), (12, 0.10, 0.22), (-14, 0.10, 0.225),
                                 (-40, 0.115, 0.24), (-64, 0.14, 0.26)):  # fmt: skip
            along = np.linspace(near, far, 30)
            bend = np.deg2rad(angle) + 1.6 * (along - near)
            x, y = 0.5 + side * (0.05 + along * np.cos(bend)), 0.5 + 1.15 * along * np.sin(bend)
            curve(axes, x, y, ORANGE, 2.8)


def draw_kspace_igs(axes: Axes) -> None:
    """k-space, bright in its middle, and the lines that are acquired: many near the middle, some further out."""
    across, up = np.meshgrid(np.linspace(-1, 1, 200), np.linspace(-1, 1, 200))
    rng = np.random.default_rng(3)
    ripple = 0.75 + 0.25 * np.cos(17 * across + 3 * rng.normal()) * np.cos(13 * up)
    power = np.exp(-1.9 * np.hypot(across, up)) * ripple
    colors = np.zeros((200, 200, 4))
    colors[..., :3] = [int(PALE[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    inside = np.clip(8 * (0.98 - np.hypot(across, up)), 0, 1)
    colors[..., 3] = np.clip(1.8 * power, 0, 1) * inside
    axes.imshow(colors, extent=(0.1, 0.9, 0.1, 0.9), origin="lower", interpolation="bilinear", zorder=2)
    for x in (0.2, 0.335, 0.42, 0.5, 0.58, 0.82):
        axes.plot([x, x], [0.14, 0.86], color=TEAL, lw=3.4, zorder=6)
    axes.plot([0.69, 0.69], [0.14, 0.86], color=ORANGE, lw=4.6, zorder=6)  # the newest


def draw_iap_predict(axes: Axes) -> None:
    """A slice of the head, and what it says of three parameters: two as in the header, one not."""
    axes.fill(*outline((0.33, 0.5), (0.235, 0.30), (0, 0.015)).T, color=PALE, lw=0)
    axes.fill(*outline((0.33, 0.5), (0.21, 0.275), (0, 0.015)).T, color=NIGHT, lw=0)
    axes.fill(*outline((0.33, 0.5), (0.188, 0.25), (0, 0.02, 0, 0, 0, 0, 0, 0, 0, 0, 0.022)).T, color=TISSUE, lw=0)
    for side in (-1, 1):
        axes.fill(*outline((0.33 + 0.05 * side, 0.51), (0.025, 0.075), (0.3,)).T, color=NIGHT, lw=0)
    for y, same in ((0.74, True), (0.5, False), (0.26, True)):
        color = TEAL if same else ORANGE
        for offset in (-0.042, 0.042):
            axes.plot([0.65, 0.87], [y + offset, y + offset], color=color, lw=5.5, solid_capstyle="round", zorder=6)
        if not same:
            axes.plot([0.70, 0.82], [y - 0.105, y + 0.105], color=color, lw=5.5, solid_capstyle="round", zorder=6)


ICONS: dict[str, Callable[[Axes], None]] = {
    "DeepMRI.png": draw_deep_mri,
    "IVIMFit/Resources/Icons/IVIMFit.png": draw_ivim_fit,
    "InteractiveSeg/Resources/Icons/InteractiveSeg.png": draw_interactive_seg,
    "PVSSegment/Resources/Icons/PVSSegment.png": draw_pvs_segment,
    "KSpaceIGS/Resources/Icons/KSpaceIGS.png": draw_kspace_igs,
    "IAPPredict/Resources/Icons/IAPPredict.png": draw_iap_predict,
}


def render(draw: Callable[[Axes], None]) -> NDArray:
    """The icon as uint8 (128, 128, 4)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(SIZE / 72, SIZE / 72), dpi=72 * OVERSAMPLING, frameon=False)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    tile(axes)
    draw(axes)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba(), dtype=float) / 255
    blocks = (SIZE, OVERSAMPLING, SIZE, OVERSAMPLING)
    alpha = pixels[..., 3].reshape(blocks).mean(axis=(1, 3))
    # Colors are averaged by their opacity, or transparent corners would bleed into the edge.
    color = (pixels[..., :3] * pixels[..., 3:]).reshape(*blocks, 3).mean(axis=(1, 3))
    color /= np.maximum(alpha, 1e-6)[..., None]
    return np.rint(255 * np.dstack([color, alpha]).clip(0, 1)).astype(np.uint8)


def main() -> int:
    """Write all icons."""
    from matplotlib.image import imsave

    for name, draw in ICONS.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        imsave(path, render(draw), metadata={"Software": None})
        sys.stdout.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
