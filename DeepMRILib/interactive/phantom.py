"""Generated lesions with their truth and their points: sample data that anyone may have, and a test of engines.

The lesion is an ellipsoid with an uneven surface in a background of two tissues. Kinds differ in what makes them hard
(``phantom_kinds``): uneven brightness, low contrast, a neighbour as bright as the lesion, thick slices, or, for
``hard``, most of that together. Networks are trained on other generated lesions (``lesions``), so that these can tell
how good they are.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.errors import InputError
from DeepMRILib.interactive.phantom_fields import Grid
from DeepMRILib.interactive.phantom_grid import GridName, grid_affine
from DeepMRILib.interactive.phantom_kinds import KINDS, THICK_SIZE, THICK_SPACING, Kind, KindName
from DeepMRILib.interactive.phantom_scene import Scene, brightness, draw_scene, mean_of_parts, scanned
from DeepMRILib.interactive.points import points_table
from DeepMRILib.interactive.prompts import DEFAULT_LABEL
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.options import option, to_json, validate
from DeepMRILib.progress import Progress, part
from DeepMRILib.results import Provenance, Result
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

DEPTH_MM = 5.0
SECOND_LABEL = "second lesion"
MOST_VOXELS = 40_000_000
"""Of the fine grid that a phantom is drawn on: about 2 GB while it is made."""
_VOLUMES_ML = (13.5, 50.0)
_LARGEST_SHARE = 1 / 8  # of the image
_FINE_MM = 1.2


@dataclass(frozen=True)
class PhantomOptions:
    """What the lesion is like and how it is scanned."""

    kind: KindName = option("hetero", "What makes the lesion hard to segment")
    seed: int = option(0, "Which lesion: the same seed gives the same images", range=(0, 2**31 - 1))
    size: tuple[int, int, int] = option(
        (0, 0, 0), "Number of voxels along the axes of the image; 0 takes that of the kind", range=(0, 1024)
    )
    spacing: tuple[float, float, float] = option(
        (0.0, 0.0, 0.0), "Voxel edges; 0 takes those of the kind", unit="mm", range=(0.0, 20.0)
    )
    grid: GridName = option("straight", "How the axes of the image lie in the patient", advanced=True)
    volume: float = option(0.0, "Volume of each lesion, about; 0 draws it", unit="ml", range=(0.0, 1000.0))
    images: int = option(1, "Images of the same place with different contrast", range=(1, 2), advanced=True)
    lesions: int = option(1, "Lesions that touch, each a segment of its own", range=(1, 2), advanced=True)


@dataclass(frozen=True, eq=False)
class LesionPhantom:
    """A lesion with its truth.

    Attributes:
        image: (i, j, k) float32, or (i, j, k, 2) of two contrasts.
        label: 0 none, 1 the lesion, 2 a second one.
        points: six points (6, 3) in RAS mm just inside the margin of each, by its name.
        kind: what made it hard.
    """

    image: Volume
    label: LabelVolume
    points: dict[str, NDArray]
    kind: str


@dataclass(frozen=True)
class PhantomResult(Result):
    """A phantom to be saved.

    Attributes:
        images: ``image``, and of two contrasts ``image_2``.
        label: 0 none, 1 the lesion, 2 a second one.
        points: one row per point: ``segment``, ``name``, ``r``, ``a``, ``s`` (mm); ``interactive segment`` reads it.
    """

    images: dict[str, Volume] = field(default_factory=dict)
    label: LabelVolume | None = None
    points: Table = field(default_factory=lambda: Table({}))


def phantom(options: PhantomOptions = PhantomOptions(), *, progress: Progress | None = None) -> PhantomResult:
    """A generated lesion as a result that can be saved.

    Raises:
        InputError: a setting out of its range, more voxels than fit into memory, or a lesion too large for the image.
    """
    started = time.perf_counter()
    options = validate(options)
    made = _made(options, part(progress, 0.0, 1.0))
    provenance = Provenance(
        "interactive.phantom",
        "Generated lesion in a background of two tissues",
        to_json(options),
        seed=options.seed,
        seconds={"total": time.perf_counter() - started},
        inputs={"shape": list(made.image.shape), "spacing": list(made.image.spacing)},
        notes=("The lesion is drawn, not measured: it is for trying and testing methods.",),
    )
    arrays = np.moveaxis(made.image.array.reshape(*made.image.shape, -1), -1, 0)
    names = ["image" if n == 1 else f"image_{n}" for n in range(1, len(arrays) + 1)]
    images = {name: made.image.like(array) for name, array in zip(names, arrays, strict=True)}
    return PhantomResult(provenance, images, made.label, points_table(made.points))


def lesion_phantom(
    kind: KindName = "hetero",
    seed: int = 0,
    *,
    size: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    grid: GridName = "straight",
    volume: float = 0.0,
    images: int = 1,
    lesions: int = 1,
) -> LesionPhantom:
    """A generated lesion; the arguments are those of ``PhantomOptions``.

    Raises:
        InputError: as ``phantom``.

    Example:
        >>> small = lesion_phantom("homog", size=(32, 32, 32), spacing=(2, 2, 2))
        >>> small.image.array.shape, small.points["lesion"].shape
        ((32, 32, 32), (6, 3))
    """
    options = PhantomOptions(
        kind=kind,
        seed=seed,
        size=tuple(size or (0, 0, 0)),
        spacing=tuple(spacing or (0.0, 0.0, 0.0)),
        grid=grid,
        volume=volume,
        images=images,
        lesions=lesions,
    )
    return _made(validate(options), part(None, 0.0, 1.0))


def hard_tier(seeds: Iterable[int] = range(10)) -> Iterator[LesionPhantom]:
    """Hard lesions: of every ten seeds the first six with voxels of 1 mm, the others 0.9 x 0.9 x 4.5 mm."""
    for seed in seeds:
        thick = {"size": THICK_SIZE, "spacing": THICK_SPACING} if seed % 10 >= 6 else {}
        yield lesion_phantom("hard", seed, **thick)


def _made(options: PhantomOptions, progress: Progress) -> LesionPhantom:
    kind = _scan(options)
    divided = tuple(max(1, round(edge / _FINE_MM)) for edge in kind.spacing)
    shape = tuple(n * parts for n, parts in zip(kind.size, divided, strict=True))
    if np.prod(shape, dtype=float) > MOST_VOXELS:
        raise InputError(
            f"A phantom of {' x '.join(map(str, kind.size))} voxels needs too much memory. Choose fewer voxels."
        )
    fine = Grid(shape, tuple(edge / parts for edge, parts in zip(kind.spacing, divided, strict=True)))
    rng = np.random.default_rng([options.seed, *options.kind.encode()])
    volumes = _volumes(options, kind, rng)
    level = rng.uniform(*kind.brightness)
    progress(0.0, "Drawing the lesion")
    scene = draw_scene(kind, fine, volumes, rng)
    progress(0.6, "Scanning it")
    images = [scanned(brightness(scene, level, n), kind, fine, divided, rng) for n in range(options.images)]
    affine = grid_affine(kind.size, kind.spacing, options.grid)
    label = LabelVolume(_labels(scene, options.lesions, divided), affine, {1: DEFAULT_LABEL, 2: SECOND_LABEL})
    points = {
        name: synthetic_points(label, label=number, depth=DEPTH_MM, seed=options.seed)
        for number, name in label.names.items()
    }
    progress(1.0, "Phantom ready")
    return LesionPhantom(
        Volume(images[0] if len(images) == 1 else np.stack(images, axis=-1), affine), label, points, options.kind
    )


def _scan(options: PhantomOptions) -> Kind:
    """The kind with the size and the spacing that were asked for."""
    kind = KINDS[options.kind]
    size = tuple(given or usual for given, usual in zip(options.size, kind.size, strict=True))
    spacing = tuple(given or usual for given, usual in zip(options.spacing, kind.spacing, strict=True))
    return replace(kind, size=size, spacing=spacing)


def _volumes(options: PhantomOptions, kind: Kind, rng: np.random.Generator) -> list[float]:
    """The volume of each lesion in mm3."""
    whole = float(np.prod(kind.size) * np.prod(kind.spacing)) / 1000.0
    most = whole * _LARGEST_SHARE / options.lesions
    if options.volume > most:
        raise InputError(
            f"{options.lesions} x {options.volume:g} ml of lesion do not fit into an image of {whole:.3g} ml: at most "
            f"{most:.3g} ml each. Choose a larger image or a smaller lesion."
        )
    # drawn also where it is given, so that the rest stays as it is
    low, high = (min(volume, most * share) for volume, share in zip(_VOLUMES_ML, (0.5, 1.0), strict=True))
    drawn = np.exp(rng.uniform(np.log(low), np.log(high), 2))
    return [1000.0 * (options.volume or volume) for volume in drawn[: options.lesions].tolist()]


def _labels(scene: Scene, lesions: int, divided: tuple[int, int, int]) -> NDArray:
    """The label (i, j, k) that fills at least half of a voxel together with the others, the larger one of two."""
    parts = np.stack([mean_of_parts((scene.lesions == n).astype(np.float32), divided) for n in range(1, lesions + 1)])
    filled = parts.sum(axis=0) >= 0.5
    return np.where(filled, parts.argmax(axis=0) + 1, 0).astype(np.uint8)
