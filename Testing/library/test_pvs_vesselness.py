"""Second derivatives, their eigenvalues, and the filters for tubes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib.errors import Cancelled
from DeepMRILib.pvs.eigenvalues import symmetric_eigenvalues
from DeepMRILib.pvs.hessian import hessian_at, kernels
from DeepMRILib.pvs.vesselness import eigenvalues_at, frangi, jerman

SHAPE = (41, 41, 41)
MIDDLE = 20
WIDTHS = (0.8, 1.2, 1.8)
PLACES = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
ORDERS = ((2, 0, 0), (0, 2, 0), (0, 0, 2), (1, 1, 0), (1, 0, 1), (0, 1, 1))
EVERYWHERE = np.ones(SHAPE, bool)


def offsets() -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(n) - MIDDLE for n in SHAPE], indexing="ij"), axis=-1).astype(float)


def a_tube(direction: tuple[float, float, float], width: float = 1.2) -> np.ndarray:
    """A bright tube through the middle whose cross-section is a Gaussian."""
    unit = np.array(direction) / np.linalg.norm(direction)
    at = offsets()
    across = (at**2).sum(-1) - (at @ unit) ** 2
    return np.exp(-across / (2 * width**2)).astype(np.float32)


def a_plate(width: float = 1.2) -> np.ndarray:
    return np.exp(-(offsets()[..., 0] ** 2) / (2 * width**2)).astype(np.float32)


def a_blob(width: float = 1.2) -> np.ndarray:
    return np.exp(-(offsets() ** 2).sum(-1) / (2 * width**2)).astype(np.float32)


def vesselness(image: np.ndarray, *, bright: bool = True, name: str = "frangi", scales: tuple = WIDTHS) -> np.ndarray:
    one = frangi if name == "frangi" else jerman
    fixed = {"noise": 0.2} if name == "frangi" else {"largest": 0.6}
    found = [one(values, bright=bright, **fixed) for values in eigenvalues_at(image, EVERYWHERE, scales)]
    return np.max(found, axis=0).reshape(SHAPE)


def matrices_of(entries: np.ndarray) -> np.ndarray:
    full = np.empty((entries.shape[1], 3, 3))
    for row, (a, b) in enumerate(PLACES):
        full[:, a, b] = full[:, b, a] = entries[row]
    return full


class TestEigenvalues:
    @pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
    def test_those_of_numpy_smallest_magnitude_first(self, size: float) -> None:
        entries = (np.random.default_rng(0).normal(size=(6, 40_000)) * size).astype(np.float32)
        expected = np.linalg.eigvalsh(matrices_of(entries))
        expected = np.take_along_axis(expected, np.abs(expected).argsort(axis=1), axis=1).T
        np.testing.assert_allclose(symmetric_eigenvalues(entries), expected, atol=1e-6 * size * 10)

    def test_double_and_triple_ones(self) -> None:
        rng = np.random.default_rng(1)
        turn = np.linalg.qr(rng.normal(size=(200, 3, 3)))[0]
        for given in ([0.01, 3.0, 3.0], [-2.0, -2.0, -2.0], [1.0, 1.0, -5.0], [0.0, 0.0, 0.0]):
            full = turn @ np.diag(given) @ turn.transpose(0, 2, 1)
            entries = np.stack([full[:, a, b] for a, b in PLACES])
            expected = sorted(given, key=abs)
            np.testing.assert_allclose(symmetric_eigenvalues(entries), np.tile(expected, (200, 1)).T, atol=2e-6)

    def test_none_of_none(self) -> None:
        assert symmetric_eigenvalues(np.empty((6, 0))).shape == (3, 0)


class TestSecondDerivatives:
    @pytest.mark.parametrize("sigma", [0.8, 1.0, 1.6])
    def test_those_of_scipy_where_its_samples_are_dense_enough(self, sigma: float) -> None:
        image = np.random.default_rng(2).normal(size=(30, 25, 20)).astype(np.float32)
        where = np.zeros(image.shape, bool)
        where[8:-8, 8:-8, 8:-8] = True
        found = hessian_at(image, sigma, 0, where)
        for row, order in enumerate(ORDERS):
            expected = sigma**2 * ndimage.gaussian_filter(image.astype(float), sigma, order, truncate=4)[where]
            # scipy's are cut off at 4 sigma without a correction, which is up to 1 % of them
            np.testing.assert_allclose(found[row], expected, atol=0.01 * np.abs(expected).max())

    @pytest.mark.parametrize("sigma", [0.3, 0.5, 1.0, 2.5])
    def test_exact_for_parabolas_at_any_scale(self, sigma: float) -> None:
        x, y, z = np.moveaxis(offsets(), -1, 0)
        image = (1000 + 3 * x + 0.5 * x**2 - 1.5 * y**2 + 0.25 * x * z - 2 * y * z).astype(np.float32)
        where = np.zeros(SHAPE, bool)
        where[MIDDLE, MIDDLE, MIDDLE] = True
        found = hessian_at(image, sigma, 0, where)[:, 0] / sigma**2
        np.testing.assert_allclose(found, [1, -3, 0, 0, 0.25, -2], atol=2e-3)

    def test_the_kernels_are_even_and_odd(self) -> None:
        smooth, first, second = kernels(0.6)
        np.testing.assert_allclose(smooth.sum(), 1)
        np.testing.assert_allclose(first, -first[::-1])
        np.testing.assert_allclose(second, second[::-1])

    def test_slabs_are_seamless(self) -> None:
        image = np.random.default_rng(3).normal(size=(70, 12, 11)).astype(np.float32)
        where = np.random.default_rng(4).random(image.shape) > 0.5
        whole = symmetric_eigenvalues(hessian_at(image, 1.0, 0, where))
        (found,) = eigenvalues_at(image, where, (1.0,))
        np.testing.assert_allclose(found, whole, atol=1e-5)

    def test_cancelling_stops_it(self) -> None:
        def stop(fraction: float, message: str) -> None:
            raise Cancelled

        with pytest.raises(Cancelled):
            list(eigenvalues_at(a_blob(), EVERYWHERE, WIDTHS, stop))


class TestFilters:
    @pytest.mark.parametrize("name", ["frangi", "jerman"])
    def test_highest_on_the_centre_line(self, name: str) -> None:
        found = vesselness(a_tube((0, 0, 1)), name=name)
        # Jerman's is 1 over the whole middle of a strong tube
        assert found[MIDDLE, MIDDLE, MIDDLE] == found.max()
        assert found[MIDDLE, MIDDLE, MIDDLE] > 10 * found[MIDDLE + 5, MIDDLE, MIDDLE]

    @pytest.mark.parametrize("width", [1.0, 1.5, 2.0])
    def test_strongest_at_the_scale_of_the_width(self, width: float) -> None:
        # s^2 |l2| of a Gaussian tube of width w is proportional to s^2 w^2 / (s^2 + w^2)^2: highest at s = w
        scales = tuple(np.arange(0.6, 3.01, 0.1).round(1).tolist())
        where = np.zeros(SHAPE, bool)
        where[MIDDLE, MIDDLE, MIDDLE] = True
        strength = [-values[1, 0] for values in eigenvalues_at(a_tube((0, 0, 1), width), where, scales)]
        assert scales[int(np.argmax(strength))] == pytest.approx(width, abs=0.15)

    @pytest.mark.parametrize("name", ["frangi", "jerman"])
    def test_plates_score_low(self, name: str) -> None:
        assert vesselness(a_plate(), name=name)[MIDDLE, MIDDLE, MIDDLE] < 1e-3

    def test_blobs_score_low_with_frangi(self) -> None:
        tube, blob = (vesselness(image)[MIDDLE, MIDDLE, MIDDLE] for image in (a_tube((0, 0, 1)), a_blob()))
        assert blob < 0.2 * tube

    @pytest.mark.parametrize("name", ["frangi", "jerman"])
    def test_the_direction_makes_no_difference(self, name: str) -> None:
        directions = ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1), (3, -1, 2))
        found = [vesselness(a_tube(way), name=name)[MIDDLE, MIDDLE, MIDDLE] for way in directions]
        assert max(found) < 1.05 * min(found)

    @pytest.mark.parametrize("name", ["frangi", "jerman"])
    def test_dark_tubes_are_bright_ones_turned_over(self, name: str) -> None:
        tube = a_tube((1, 1, 0))
        np.testing.assert_allclose(
            vesselness(1 - tube, bright=False, name=name), vesselness(tube, name=name), atol=1e-4
        )
        assert vesselness(1 - tube, name=name)[MIDDLE, MIDDLE, MIDDLE] == 0

    def test_frangi_is_the_formula(self) -> None:
        small, middle, large = -0.1, -0.6, -0.8
        a = b = 0.5
        c = 0.3
        flat, blob = middle / large, abs(small) / np.sqrt(middle * large)
        strength = np.sqrt(small**2 + middle**2 + large**2)
        expected = (
            (1 - np.exp(-(flat**2) / (2 * a**2)))
            * np.exp(-(blob**2) / (2 * b**2))
            * (1 - np.exp(-(strength**2) / (2 * c**2)))
        )
        found = frangi(np.array([[small], [middle], [large]], np.float32), bright=True, noise=c)
        assert found[0] == pytest.approx(expected, rel=1e-5)

    def test_jerman_is_the_formula(self) -> None:
        values = np.array([[0, 0, 0, 0], [-0.2, -0.6, 0.2, -0.1], [-0.8, -0.8, -0.8, -0.15]], np.float32)
        # tau max(l3) = 0.4, which the last one's l3 is below
        expected = [0.2**2 * 0.6 * 3**3, 1, 0, 0.1**2 * 0.3 * (3 / 0.5) ** 3]
        np.testing.assert_allclose(jerman(values, bright=True, tau=0.5), expected, rtol=1e-5)

    def test_an_even_image_has_no_tubes(self) -> None:
        image = np.full(SHAPE, 700, np.float32)
        for name in ("frangi", "jerman"):
            assert vesselness(image, name=name).max() < 1e-6
        (values,) = eigenvalues_at(np.zeros(SHAPE, np.float32), EVERYWHERE, (1.0,))
        assert frangi(values, bright=True).max() == 0
        assert jerman(values, bright=True).max() == 0
