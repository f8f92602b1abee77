"""The abdominal phantom: an anatomy that stays put, a truth that its signal obeys, and the noise that was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim.phantom import LIVER_SIGNAL, Phantom, PhantomOptions, make_phantom, phantom
from DeepMRILib.ivim.phantom_shapes import NoiseField, Points, Shape, ellipsoid, tube
from DeepMRILib.ivim.phantom_tissues import LABELS, TISSUES
from DeepMRILib.options import settings

SMALL = PhantomOptions(size=(48, 38, 6), spacing=(7.8, 7.8, 24.0), b_values=(0, 50, 400, 800))


@pytest.fixture(scope="module")
def made() -> Phantom:
    """The default anatomy at its full size, few images, no noise."""
    return make_phantom(PhantomOptions(b_values=(0, 30, 200, 800), noise="none"))


def region(made: Phantom, name: str) -> np.ndarray:
    return made.labels.array == LABELS[name]


def center(made: Phantom, name: str) -> np.ndarray:
    return made.labels.ras_from_voxel(np.argwhere(region(made, name))).mean(axis=0)


def test_the_same_settings_give_the_same_images() -> None:
    first, again = make_phantom(SMALL), make_phantom(SMALL)
    np.testing.assert_array_equal(first.series.array, again.series.array)
    other = make_phantom(replace(SMALL, seed=1))
    assert (first.series.array != other.series.array).mean() > 0.99
    np.testing.assert_array_equal(first.labels.array, other.labels.array)


def test_another_subject_has_another_anatomy_with_the_same_organs() -> None:
    first, other = (make_phantom(replace(SMALL, subject=n)) for n in (0, 1))
    same = (first.labels.array == other.labels.array).mean()
    assert 0.7 < same < 0.97
    assert abs(center(first, "liver") - center(other, "liver")).max() < 15


def test_the_anatomy_does_not_depend_on_the_grid(made: Phantom) -> None:
    coarse = make_phantom(replace(SMALL, noise="none"))
    for organ in ("liver", "spleen", "kidney_cortex", "muscle"):
        volumes = [region(p, organ).sum() * p.labels.voxel_volume for p in (made, coarse)]
        assert volumes[0] == pytest.approx(volumes[1], rel=0.25)


def test_every_tissue_is_there_and_named(made: Phantom) -> None:
    assert set(np.unique(made.labels.array)) == {0, *LABELS.values()}
    assert made.labels.names == made.names == {LABELS[key]: tissue.name for key, tissue in TISSUES.items()}
    assert len(set(made.names.values())) == len(TISSUES)


def test_organs_lie_where_they_do_in_people(made: Phantom) -> None:
    assert made.series.affine[0, 0] < 0 < made.series.affine[1, 1]  # LAS, as scanners store it
    assert center(made, "liver")[0] > 30  # RAS: the patient's right is positive
    assert center(made, "gallbladder")[0] > 30
    assert center(made, "spleen")[0] < -60
    assert center(made, "stomach")[0] < -20
    assert center(made, "cord")[1] < center(made, "marrow")[1] < center(made, "pancreas")[1]
    assert center(made, "lung")[2] > center(made, "liver")[2] > center(made, "bowel")[2]
    kidneys = made.labels.ras_from_voxel(np.argwhere(region(made, "kidney_cortex")))
    right, left = kidneys[kidneys[:, 0] > 0], kidneys[kidneys[:, 0] < 0]
    assert right[:, 2].mean() < left[:, 2].mean()  # the liver pushes the right one down


@pytest.mark.parametrize(
    ("organ", "low", "high"),
    [("liver", 900, 1900), ("spleen", 70, 300), ("pancreas", 40, 120), ("gallbladder", 15, 70)],
)
def test_organs_have_the_size_of_an_adults(made: Phantom, organ: str, low: float, high: float) -> None:
    assert low < region(made, organ).sum() * made.labels.voxel_volume / 1000 < high  # ml


def test_truth_is_plausible_and_zero_in_air(made: Phantom) -> None:
    inside = made.truth["S0"].array > 0
    limits = {"D": (2e-4, 3.3e-3), "f": (0, 0.98), "D_star": (0.008, 0.13), "S0": (1, 6 * LIVER_SIGNAL)}
    for name, (low, high) in limits.items():
        values = made.truth[name].array
        assert values.dtype == np.float32
        assert (values[~inside] == 0).all()
        shown = (made.labels.array > 0) & ((made.truth["f"].array > 0) if name == "D_star" else (values > 0))
        assert values[shown].min() >= low
        assert values[shown].max() <= high
    # labels and truth agree on where the patient is
    assert (region(made, "liver") <= inside).all()


@pytest.mark.parametrize("organ", ["liver", "spleen", "kidney_cortex", "muscle", "metastasis"])
def test_organs_have_the_parameters_of_the_table(made: Phantom, organ: str) -> None:
    inside, tissue = region(made, organ), TISSUES[organ]
    for name in ("D", "f", "D_star"):
        values = made.truth[name].array[inside]
        assert np.median(values) == pytest.approx(getattr(tissue, name), rel=0.12)
    pure = ndimage.binary_erosion(inside, iterations=2)
    if organ == "liver":  # varies a little, and smoothly
        spread = made.truth["D"].array[pure]
        assert 0.005 < spread.std() / spread.mean() < 0.06


def test_the_signal_obeys_the_equation_where_a_voxel_holds_one_tissue(made: Phantom) -> None:
    b = made.series.b_values
    checked = 0
    for organ in ("liver", "kidney_cortex", "spleen", "stomach_content", "muscle"):
        pure = ndimage.binary_erosion(region(made, organ), np.ones((3, 3, 3)))
        D, f, D_star, S0 = (made.truth[name].array[pure][:, None] for name in ("D", "f", "D_star", "S0"))
        expected = S0 * (f * np.exp(-b * D_star) + (1 - f) * np.exp(-b * D))
        relative = np.abs(made.series.array[pure] / expected - 1).max(axis=1)
        # twigs of vessels thinner than half a voxel do not show in the labels
        assert np.quantile(relative, 0.8) < 1e-5
        checked += pure.sum()
    assert checked > 5000


def test_mixed_voxels_keep_the_initial_slope() -> None:
    made = make_phantom(replace(SMALL, b_values=(0, 0.01), noise="none"))
    S0, f, D, D_star = (made.truth[name].array for name in ("S0", "f", "D", "D_star"))
    np.testing.assert_allclose(made.series.array[..., 0], S0, rtol=1e-5)
    inside = S0 > 0
    slope = -np.log(made.series.array[..., 1].astype(float)[inside] / made.series.array[..., 0][inside]) / 0.01
    expected = (f * D_star + (1 - f) * D)[inside]
    bright = S0[inside] > 20
    assert np.abs(slope - expected)[bright].max() < 3e-5  # float32 rounds the signals at about 1e-7


@pytest.mark.parametrize("snr", [15.0, 60.0])
def test_gaussian_noise_is_as_strong_as_asked(snr: float) -> None:
    clean, noisy = (make_phantom(replace(SMALL, noise=kind, snr=snr)) for kind in ("none", "gaussian"))
    liver = region(clean, "liver")
    sigma = clean.truth["S0"].array[liver].mean() / snr
    difference = noisy.series.array - clean.series.array
    for image in range(4):
        assert difference[..., image].std() == pytest.approx(sigma, rel=0.03)
    assert abs(difference.mean()) < 0.02 * sigma


def test_rician_noise_has_the_floor_of_magnitude_images() -> None:
    clean, noisy = (make_phantom(replace(SMALL, noise=kind, snr=20)) for kind in ("none", "rician"))
    sigma = clean.truth["S0"].array[region(clean, "liver")].mean() / 20
    air = noisy.series.array[clean.truth["S0"].array == 0]
    assert air.min() >= 0
    assert air.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.03)
    assert air.std() == pytest.approx(sigma * np.sqrt(2 - np.pi / 2), rel=0.03)


def test_directions_repeat_each_b_value_but_zero() -> None:
    made = make_phantom(replace(SMALL, directions=3))
    assert made.series.b_values.tolist() == [0, 50, 50, 50, 400, 400, 400, 800, 800, 800]
    lengths = np.linalg.norm(made.series.directions, axis=1)
    assert lengths == pytest.approx([0] + [1] * 9)
    assert abs(made.series.directions[1:4] @ made.series.directions[1:4].T - np.eye(3)).max() < 0.75
    assert not np.array_equal(made.series.array[..., 1], made.series.array[..., 2])
    assert make_phantom(SMALL).series.directions is None


def test_the_job_returns_a_result_with_its_truth() -> None:
    fractions = []
    result = phantom(SMALL, progress=lambda fraction, _: fractions.append(fraction))
    assert set(result.truth) == {"D_true", "f_true", "D_star_true", "S0_true"}
    assert result.dwi.same_grid(result.labels)
    assert result.provenance.options["size"] == [48, 38, 6]
    assert result.provenance.seed == 0
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1


def test_it_stops_when_asked() -> None:
    def stop(fraction: float, _message: str) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        make_phantom(SMALL, stop)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b_values": ()}, "no b-values"),
        ({"b_values": (0, -5)}, "b_values is -5"),
        ({"size": (0, 40, 8)}, "size is 0"),
        ({"size": (1024, 1024, 500)}, "too much memory"),
        ({"snr": 0.0}, "snr is 0"),
        ({"noise": "poisson"}, "choose one of rician, gaussian, none"),
        ({"spacing": (2.6, 0.0, 6.0)}, "spacing is 0"),
    ],
)
def test_bad_settings_are_named(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make_phantom(replace(SMALL, **change))


def test_a_grid_beside_the_patient_is_only_noise() -> None:
    made = make_phantom(PhantomOptions(size=(4, 4, 4), spacing=(0.5, 0.5, 0.5), b_values=(0,), snr=10))
    assert made.labels.array.shape == (4, 4, 4)  # inside the body, no liver: the nominal liver signal sets the noise
    assert made.series.array.std() > 0


def test_every_setting_is_documented() -> None:
    assert all(item.help and item.range is not None for item in settings(PhantomOptions) if item.kind in (int, float))


def places(*axes: np.ndarray) -> Points:
    x, y, z = np.meshgrid(*(np.asarray(axis, dtype=np.float32) for axis in axes), indexing="ij")
    return Points(x, y, z, 0 * x, 0 * x)


def test_shapes_know_their_distance_and_their_box() -> None:
    axis = np.linspace(-30, 30, 61)
    points = places(axis, axis, axis)
    ball = ellipsoid((2, 0, 0), (10, 10, 10))
    expected = np.sqrt((points.x - 2) ** 2 + points.y**2 + points.z**2) - 10
    # at the very middle the gradient vanishes and the distance is only "inside"
    assert np.abs(ball.distance(points) - expected)[expected > -8].max() < 1e-3
    turned = ellipsoid((0, 0, 0), (20, 6, 4), (20, 30, 40))
    inside = turned.distance(points) < 0
    for coordinates, low, high in zip(points[:3], turned.low, turned.high, strict=True):
        assert low == pytest.approx(coordinates[inside].min(), abs=1.5)
        assert high == pytest.approx(coordinates[inside].max(), abs=1.5)
    assert inside.sum() == pytest.approx(4 / 3 * np.pi * 20 * 6 * 4, rel=0.03)  # 1 mm3 voxels


def test_shapes_combine_as_sets_do() -> None:
    points = places(np.linspace(-20, 20, 41), np.linspace(-10, 10, 21), [0.0])
    left, right = ellipsoid((-5, 0, 0), (8, 8, 8)), ellipsoid((5, 0, 0), (8, 8, 8))

    def inside(shape: Shape) -> np.ndarray:
        return shape.distance(points) < 0

    np.testing.assert_array_equal(inside(left | right), inside(left) | inside(right))
    np.testing.assert_array_equal(inside(left & right), inside(left) & inside(right))
    assert (inside(left - right) <= (inside(left) & ~inside(right))).all()
    assert inside(left.joined(right, 6)).sum() > inside(left | right).sum()
    assert inside(left.grown(2)).sum() > inside(left).sum() > inside(left.grown(-2)).sum()


def test_a_tube_is_as_thick_as_asked_along_its_way() -> None:
    vessel = tube([(0, 0, 0), (10, 0, 0), (20, 0, 0)], (5, 4, 2))
    at = places([0.0, 10.0, 20.0], [0.0], [0.0])
    assert vessel.distance(at).ravel() == pytest.approx([-5, -4, -2], abs=0.05)


def test_noise_depends_on_place_alone() -> None:
    field = NoiseField(20, np.random.default_rng(0))
    axis = np.arange(-150, 150, 3.0)
    whole = field(axis, axis, axis)
    assert whole[7:9, 3:4, 11:12] == pytest.approx(field(axis[7:9], axis[3:4], axis[11:12]), abs=1e-5)
    assert whole.std() == pytest.approx(1, abs=0.12)
    assert np.abs(np.diff(whole, axis=0)).max() < 1  # smooth
