"""Geodesic distances: the true ones, and those of GeodisTK's raster scan."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.interactive.geodesic import exponential, geodesic_distance
from DeepMRILib.interactive.geodesic_scan import FORWARD
from DeepMRILib.interactive.geodesic_sweep import all_costs, swept

SPACING = (1.0, 1.3, 2.5)


def an_image(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def cost(image: np.ndarray, a: tuple, b: tuple, spacing: tuple, weight: float) -> float:
    length = float(np.sqrt(sum(((x - y) * s) ** 2 for x, y, s in zip(a, b, spacing, strict=True))))
    difference = float(np.linalg.norm(np.atleast_1d(image[a].astype(float) - image[b].astype(float)))) + 1e-5
    return length / ((1 - weight) + weight / difference)


def raster_scan(image: np.ndarray, seeds: list, spacing: tuple, weight: float) -> np.ndarray:
    """GeodisTK's four scans, one voxel at a time, as its description says."""
    shape = image.shape[:3]
    found = np.full(shape, 1e10)
    for seed in seeds:
        found[seed] = 0.0
    forward = list(itertools.product(*map(range, shape)))
    neighbours = [tuple(step) for step in FORWARD.tolist()]
    for _ in range(4):
        for order, side in ((forward, 1), (forward[::-1], -1)):
            for voxel in order:
                for step in neighbours:
                    other = tuple(x + side * s for x, s in zip(voxel, step, strict=True))
                    if all(0 <= x < n for x, n in zip(other, shape, strict=True)):
                        found[voxel] = min(found[voxel], found[other] + cost(image, voxel, other, spacing, weight))
    return found


def exact(image: np.ndarray, seeds: list, spacing: tuple, weight: float) -> np.ndarray:
    """Dijkstra over the 26 neighbours."""
    shape = image.shape[:3]
    index = np.arange(np.prod(shape)).reshape(shape)
    rows, columns, costs = [], [], []
    for step in FORWARD.tolist():
        here = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(step, shape, strict=True))
        there = tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in zip(step, shape, strict=True))
        length = np.sqrt(((np.array(step) * spacing) ** 2).sum())
        difference = np.abs(image[here].astype(float) - image[there]) + 1e-5
        rows.append(index[here].ravel())
        columns.append(index[there].ravel())
        costs.append((length / ((1 - weight) + weight / difference)).ravel())
    data = (np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns)))
    graph = sparse.csr_matrix(data, shape=(index.size, index.size))
    sources = [index[seed] for seed in seeds]
    return dijkstra(graph, directed=False, indices=sources, min_only=True).reshape(shape)


def test_the_forward_set_and_its_opposite_are_all_26_neighbours() -> None:
    both = {tuple(step) for step in np.concatenate([FORWARD, -FORWARD]).tolist()}
    assert len(both) == 26
    assert (0, 0, 0) not in both


@pytest.mark.parametrize(("weight", "channels"), [(1.0, 1), (0.5, 1), (0.0, 1), (0.9, 2)])
def test_compat_is_the_raster_scan(weight: float, channels: int) -> None:
    image = an_image((7, 8, 6, channels))
    seeds = [(1, 2, 3), (5, 6, 1)]
    found = geodesic_distance(image, seeds, SPACING, edge_weight=weight, kind="compat")
    assert found.dtype == np.float32
    assert np.allclose(found, raster_scan(image, seeds, SPACING, weight), rtol=1e-5, atol=1e-5)


def test_compat_has_not_converged() -> None:
    image = an_image((10, 11, 12), seed=3)
    compat = geodesic_distance(image, [(0, 0, 0)], SPACING, kind="compat")
    assert (compat > geodesic_distance(image, [(0, 0, 0)], SPACING) + 1e-3).any()


@pytest.mark.parametrize("weight", [0.0, 0.9, 1.0])
def test_converged_is_exact(weight: float) -> None:
    image = an_image((20, 17, 9), seed=1)
    seeds = [(3, 4, 5), (17, 2, 1)]
    found = geodesic_distance(image, seeds, SPACING, edge_weight=weight)
    truth = exact(image, seeds, SPACING, weight)
    assert np.allclose(found, truth, rtol=1e-4, atol=1e-4)


def test_a_mask_and_indices_are_the_same_seeds() -> None:
    image = an_image((6, 5, 4))
    mask = np.zeros(image.shape, dtype=bool)
    mask[2, 3, 1] = mask[0, 0, 0] = True
    assert np.array_equal(
        geodesic_distance(image, mask, SPACING), geodesic_distance(image, [[2, 3, 1], [0, 0, 0]], SPACING)
    )


def test_the_order_and_direction_of_axes_do_not_matter() -> None:
    image = an_image((8, 9, 7))
    found = geodesic_distance(image, [(1, 2, 3)], SPACING, edge_weight=0.9)
    turned = geodesic_distance(
        image.transpose(2, 0, 1)[::-1], [(3, 1, 2)], (SPACING[2], SPACING[0], SPACING[1]), edge_weight=0.9
    )
    assert np.allclose(turned[::-1].transpose(1, 2, 0), found, rtol=1e-5)


def test_several_sets_of_seeds_at_once_are_each_its_own() -> None:
    image = an_image((9, 8, 7))[..., None]
    start = np.full((2, 9, 8, 7), np.inf, dtype=np.float32)
    start[0, 0, 0, 0] = start[1, 8, 7, 6] = 0
    both = swept(start, all_costs(image, SPACING, 1.0), rounds=50)
    for number, seed in enumerate([(0, 0, 0), (8, 7, 6)]):
        assert np.array_equal(both[number], geodesic_distance(image, [seed], SPACING))


def test_one_slice_and_one_voxel() -> None:
    assert geodesic_distance(np.zeros((1, 1, 1)), [[0, 0, 0]], (1, 1, 1)).item() == 0
    flat = geodesic_distance(np.zeros((4, 1, 4)), [[0, 0, 0]], (1, 9, 1), edge_weight=0.0)
    assert flat[3, 0, 3] == pytest.approx(3 * np.sqrt(2))


def test_the_exponential_is_one_at_the_seeds() -> None:
    image = an_image((6, 6, 6))
    found = exponential(image, [(1, 1, 1)], SPACING)
    assert found[1, 1, 1] == 1
    assert np.allclose(found, np.exp(-geodesic_distance(image, [(1, 1, 1)], SPACING)))


def test_torch_finds_the_same() -> None:
    pytest.importorskip("torch")
    from DeepMRILib.interactive.geodesic_torch import swept_by_torch

    image = an_image((9, 7, 8, 2))
    start = np.full((2, *image.shape[:3]), np.inf, dtype=np.float32)
    start[0, 4, 4, 4] = start[1, 0, 6, 2] = 0
    for weight in (0.9, 1.0):
        found = swept_by_torch(start, image, SPACING, weight, device="cpu", rounds=50)
        assert np.allclose(found, swept(start, all_costs(image, SPACING, weight), rounds=50), rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": np.zeros((3, 3))}, "shape"),
        ({"image": np.full((3, 3, 3), np.nan)}, "not finite"),
        ({"seeds": [[3, 0, 0]]}, "outside"),
        ({"seeds": np.zeros((3, 3, 3), dtype=bool)}, "no seed"),
        ({"seeds": np.zeros((2, 3, 3), dtype=bool)}, "expected the same"),
        ({"seeds": [[1, 1]]}, "indices"),
        ({"spacing": (1, 0, 1)}, "positive"),
        ({"edge_weight": 1.5}, "from 0 to 1"),
        ({"kind": "other"}, "converged or compat"),
    ],
)
def test_what_cannot_be_used_is_named(change: dict, words: str) -> None:
    given = {"image": np.zeros((3, 3, 3)), "seeds": [[1, 1, 1]], "spacing": (1, 1, 1)} | change
    with pytest.raises(InputError, match=words):
        geodesic_distance(given.pop("image"), given.pop("seeds"), given.pop("spacing"), **given)


@pytest.mark.parametrize("kind", ["converged", "compat"])
def test_it_can_be_stopped(kind: str) -> None:
    def stop(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        geodesic_distance(np.zeros((5, 5, 5)), [[0, 0, 0]], (1, 1, 1), kind=kind, progress=stop)
