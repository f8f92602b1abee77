"""``ivim.fit`` on data as scanners give them, real ones too; each kind of bad input is one sentence."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from DeepMRILib import ivim
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim.bounds import BODY_PARTS
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.ivim.models import biexp
from DeepMRILib.ivim.options import BodyPart
from DeepMRILib.ivim.report import fit_report
from DeepMRILib.options import settings
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume


@pytest.fixture
def series() -> DiffusionVolume:
    return fit_inputs()["volume"]


def noise_free(b: list[float], scale: float = 700.0) -> tuple[DiffusionVolume, tuple[np.ndarray, ...]]:
    """Four voxels of liver to kidney without noise, and their D, f and D*."""
    truth = (
        np.array([1.1e-3, 1.5e-3, 1.9e-3, 2.2e-3]),
        np.array([0.25, 0.1, 0.2, 0.12]),
        np.array([0.07, 0.1, 0.03, 0.02]),
    )
    D, f, D_star = (values.reshape(4, 1, 1) for values in truth)
    return DiffusionVolume(scale * biexp(b, D, f, D_star), np.eye(4), b), truth


PROTOCOL = [0, 10, 20, 40, 80, 150, 300, 500, 800]


def test_noise_free_signals_give_their_parameters_back() -> None:
    series, truth = noise_free(PROTOCOL)
    result = ivim.fit(series)
    for name, known in zip(("D", "f", "D_star"), truth, strict=True):
        assert np.allclose(result.maps[name].array.ravel(), known, rtol=0.01)
    assert np.allclose(result.maps["S0"].array, 700, rtol=1e-3)
    assert np.allclose(result.maps["R2"].array, 1, atol=1e-4)


def test_order_and_repeats_of_images_do_not_matter(series: DiffusionVolume) -> None:
    plain = ivim.fit(series).maps
    order = np.random.default_rng(3).permutation(np.repeat(np.arange(len(series.b_values)), 2))
    mixed = DiffusionVolume(series.array[..., order], series.affine, series.b_values[order])
    for average in ("none", "arithmetic", "geometric"):
        maps = ivim.fit(mixed, ivim.FitOptions(average=average)).maps
        for name in ("D", "f", "D_star", "S0"):
            assert np.allclose(maps[name].array, plain[name].array, rtol=2e-3, atol=1e-6), (average, name)


def test_averages_of_directions_are_what_they_are_called() -> None:
    series, truth = noise_free(PROTOCOL)
    factors = np.exp(np.array([-0.2, 0.0, 0.2]))
    array = np.concatenate([series.array[..., :1], *[series.array[..., 1:] * factor for factor in factors]], axis=3)
    b = [0, *PROTOCOL[1:] * 3]
    maps = ivim.fit(DiffusionVolume(array, np.eye(4), b), ivim.FitOptions(average="geometric")).maps
    assert np.allclose(maps["D"].array.ravel(), truth[0], rtol=0.01)  # exp(-0.2) exp(0) exp(0.2) = 1
    larger = ivim.fit(DiffusionVolume(array, np.eye(4), b), ivim.FitOptions(average="arithmetic")).maps
    assert (larger["S0"].array.mean(), larger["D"].array.mean()) != (maps["S0"].array.mean(), maps["D"].array.mean())


def test_b_values_without_zero_and_a_highest_b_value() -> None:
    series, truth = noise_free([5, *PROTOCOL[1:]])
    assert np.allclose(ivim.fit(series).maps["D"].array.ravel(), truth[0], rtol=0.02)
    cut = ivim.fit(series, ivim.FitOptions(b_max=500))
    assert "1 images above b = 500" in " ".join(cut.provenance.notes)
    assert np.allclose(cut.maps["D"].array.ravel(), truth[0], rtol=0.02)


def test_damaged_and_background_voxels_are_left_out_and_said(series: DiffusionVolume) -> None:
    array = series.array.copy()
    array[0, 0, 0, 3] = np.nan
    array[1, 0, 0, 0] = np.inf
    array[2, 0, 0] = 0
    array[3, 0, 0] = -50
    result = ivim.fit(series.with_array(array))
    fitted = np.asarray(result.fitted).astype(bool)
    assert not fitted[:4, 0, 0].any()
    assert fitted.sum() == fitted.size - 4
    for volume in result.maps.values():
        assert np.isfinite(volume.array).all()
        assert (volume.array[:4, 0, 0] == 0).all()
    clean = ivim.fit(series)
    assert np.array_equal(clean.maps["D"].array[fitted], result.maps["D"].array[fitted])
    assert "2 voxels with NaN" in " ".join(result.provenance.notes)
    assert "2 voxels of background" in " ".join(result.provenance.notes)


@pytest.mark.parametrize("scale", [1e36, 1e200, 1e-40, 1e-200])
def test_signals_beyond_any_scanner_are_damage_and_said(scale: float) -> None:
    series, _ = noise_free(PROTOCOL, scale)
    with pytest.raises(InputError):
        ivim.fit(series)


@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1e6, 1e20])
def test_the_scale_of_signals_does_not_matter(scale: float) -> None:
    series, truth = noise_free(PROTOCOL, scale)
    maps = ivim.fit(series).maps
    assert np.allclose(maps["D"].array.ravel(), truth[0], rtol=0.01)
    assert np.allclose(maps["S0"].array, scale, rtol=1e-3)


def test_a_thousand_regions_take_no_longer_than_the_fit(series: DiffusionVolume) -> None:
    from DeepMRILib.ivim.curves import region_curves

    labels = LabelVolume(np.arange(480).reshape(series.shape) + 1, series.affine)
    assert len(region_curves(ivim.fit(series, labels=labels))) == 480


def test_integer_images_are_fitted_as_they_are(series: DiffusionVolume) -> None:
    rounded = np.clip(np.rint(series.array), 0, None)
    maps = ivim.fit(series.with_array(rounded.astype(np.uint16))).maps
    assert np.array_equal(maps["D"].array, ivim.fit(series.with_array(rounded)).maps["D"].array)


def test_s0_can_be_kept_at_the_lowest_b() -> None:
    series, _ = noise_free(PROTOCOL)
    maps = ivim.fit(series, ivim.FitOptions(fit_s0=False)).maps
    assert np.allclose(maps["S0"].array, series.array[..., 0], rtol=1e-5)


@pytest.mark.parametrize("part", BODY_PARTS)
def test_bounds_of_each_body_part_hold(part: str, series: DiffusionVolume) -> None:
    result = ivim.fit(series, ivim.FitOptions(body_part=part))
    for name in ("D", "f", "D_star"):
        low, high = result.provenance.inputs["bounds"][name]
        values = result.maps[name].array
        assert values.min() >= low - 1e-7
        assert values.max() <= high + 1e-7
    assert (result.maps["D_star"].array >= result.maps["D"].array).all()


def test_every_body_part_of_the_options_has_bounds() -> None:
    assert {*BODY_PARTS, "custom"} == set(BodyPart.__args__)
    assert set(settings(ivim.FitOptions)[2].choices) == set(BodyPart.__args__)


def test_custom_bounds_hold(series: DiffusionVolume) -> None:
    options = ivim.FitOptions(body_part="custom", D_bounds=(0.0008, 0.0012), D_star_bounds=(0.01, 0.02))
    maps = ivim.fit(series, options).maps
    assert maps["D"].array.min() >= 0.0008 - 1e-7
    assert maps["D"].array.max() <= 0.0012 + 1e-7
    assert maps["D_star"].array.max() <= 0.02 + 1e-7


def test_given_bounds_take_the_place_of_the_body_parts(series: DiffusionVolume) -> None:
    result = ivim.fit(series, ivim.FitOptions(body_part="liver", D_bounds=(0.0, 0.001)))
    assert result.provenance.inputs["bounds"]["D"] == [0.0, 0.001]
    assert result.provenance.inputs["bounds"]["D_star"] == list(BODY_PARTS["liver"].bounds.D_star)
    assert result.maps["D"].array.max() <= 0.001 + 1e-7
    assert "D lies on a bound (0 or 0.001)" in " ".join(result.provenance.notes)
    assert max(result.regions.columns["D_at_bound"]) > 0.9
    with pytest.raises(InputError, match="give the lowest and the highest"):
        ivim.fit(series, ivim.FitOptions(D_bounds=(0.001,)))


def test_a_shell_with_jitter_is_one_b_value(series: DiffusionVolume) -> None:
    jitter = [0, 995, 1000, 1003, 990, 1001, 1002, 1004, 998]
    with pytest.raises(InputError, match="needs at least 4 distinct b-values; this series has 2"):
        ivim.fit(DiffusionVolume(series.array, series.affine, jitter))
    array = np.concatenate([series.array, series.array], axis=3)
    b = [*series.b_values, *(series.b_values * 1.01)]
    result = ivim.fit(DiffusionVolume(array, series.affine, b), ivim.FitOptions(average="arithmetic"))
    assert len(result.provenance.inputs["b_values_fitted"]) == 9
    assert len(result.decay) == 9


def test_a_mask_keeps_its_dark_voxels(series: DiffusionVolume) -> None:
    array = series.array.copy()
    array[0, 0] *= 0.01
    dark = series.with_array(array)
    assert not np.asarray(ivim.fit(dark).fitted)[0, 0].any()
    assert np.asarray(ivim.fit(dark, mask=np.ones(series.shape)).fitted)[0, 0].all()


def test_region_table_counts_and_measures(series: DiffusionVolume) -> None:
    labels = fit_inputs()["labels"]
    result = ivim.fit(series)
    table = ivim.roi_table(result, labels)
    assert table.columns["region"] == ["liver", "kidney"]
    assert table.columns["voxels"] == [240, 240]
    assert table.columns["volume_mm3"][0] == pytest.approx(240 * series.voxel_volume)
    assert table.columns["D_median"][1] == pytest.approx(np.median(result.maps["D"].array[6:]), rel=1e-5)
    with pytest.raises(InputError, match="another grid"):
        ivim.roi_table(result, LabelVolume(labels.array[:-1], labels.affine))


def test_the_prediction_is_the_curve_of_the_maps(series: DiffusionVolume) -> None:
    result = ivim.fit(series)
    residual = series.array - ivim.predicted(result, series.b_values)
    rmse = np.sqrt((residual**2).mean(axis=3))
    assert np.allclose(rmse, result.maps["RMSE"].array, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"b_values": []}, "b-values are missing"),
        ({"b_values": [0, 100]}, "2 b-values for 9 images"),
        ({"b_values": [100] * 9}, "All b-values are 100 s/mm2"),
        ({"b_values": [0, -10, *range(7)]}, "contain -10"),
        (
            {"b_values": [0, 0, 0, 100, 100, 100, 500, 500, 500]},
            "needs at least 4 distinct b-values; this series has 3",
        ),
    ],
)
def test_bad_b_values_are_one_sentence(series: DiffusionVolume, change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ivim.fit(DiffusionVolume(series.array, series.affine, **change))


def test_bad_images_masks_and_settings_are_one_sentence(series: DiffusionVolume) -> None:
    shape = series.shape
    elsewhere = series.affine.copy()
    elsewhere[0, 3] += 5
    cases = [
        (lambda: ivim.fit(series.with_array(np.full_like(series.array, np.nan))), "NaN or infinite everywhere"),
        (lambda: ivim.fit(series.with_array(np.zeros_like(series.array))), "No voxel has a positive signal"),
        (lambda: ivim.fit(series.with_array(series.array.astype(complex))), "complex values"),
        (lambda: ivim.fit(Volume(series.array[..., 0], series.affine)), "needs a diffusion series"),
        (lambda: ivim.fit(series, mask=np.zeros(shape)), "mask is empty"),
        (lambda: ivim.fit(series, mask=np.ones((2, 2, 2))), "mask has 2 x 2 x 2 voxels"),
        (lambda: ivim.fit(series, mask=Volume(np.ones(shape), elsewhere)), "lies elsewhere in space"),
        (lambda: ivim.fit(series, labels=LabelVolume(np.ones((2, 2, 2), int), series.affine)), "2 x 2 x 2 voxels"),
        (lambda: ivim.fit(series, labels=np.zeros(shape)), "regions are empty"),
        (lambda: ivim.fit(series, {"method": "lsq"}), "options of a fit are FitOptions"),
        (lambda: ivim.fit(series, ivim.FitOptions(method="magic")), "method is 'magic'"),
        (lambda: ivim.fit(series, ivim.FitOptions(body_part="custom", D_bounds=(0.003, 0.001))), "bounds of D"),
        (lambda: ivim.fit(series, ivim.FitOptions(b_max=15)), "needs at least 4 distinct"),
        (
            lambda: ivim.fit(
                DiffusionVolume(series.array, series.affine, series.b_values + 5), ivim.FitOptions(b_max=3)
            ),
            "no image has so low a b-value; the lowest is 5",
        ),
    ]
    for call, words in cases:
        with pytest.raises(InputError, match=words):
            call()


def test_cancel_stops_the_fit(series: DiffusionVolume) -> None:
    def cancel(fraction: float, message: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        ivim.fit(series, progress=cancel)


def test_voxels_of_which_nothing_is_known_are_not_fitted() -> None:
    series, _ = noise_free(PROTOCOL)
    array = np.array(series.array)
    array[2, 0, 0, -3:] = -2000  # bright at low b-values, and negative on the whole
    for method in ("lsq", "segmented", "bayes"):
        result = ivim.fit(series.with_array(array), ivim.FitOptions(method=method), mask=np.ones(series.shape))
        assert np.asarray(result.fitted).ravel().tolist() == [1, 1, 0, 1], method
        assert all((volume.array[2] == 0).all() for volume in result.maps.values()), method
        assert result.regions.columns["voxels"] == [3], method
        assert result.provenance.inputs["voxels_fitted"] == 3
        assert "1 voxels whose mean over all images is not positive" in " ".join(result.provenance.notes)
    one = np.zeros(series.shape)
    one[2] = 1
    with pytest.raises(InputError, match="No voxel could be fitted. 1 voxels whose mean"):
        ivim.fit(series.with_array(array), mask=one)


def test_half_precision_images_are_fitted_without_a_warning(series: DiffusionVolume) -> None:
    half = series.with_array(series.array.astype(np.float16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(ivim.fit(half).maps["D"].array).all()


def test_a_range_of_b_values_that_leaves_too_few_says_so(series: DiffusionVolume) -> None:
    with pytest.raises(InputError, match="b_min is 500 s/mm2 and b_max 100: no b-value lies between"):
        ivim.fit(series, ivim.FitOptions(b_min=500, b_max=100))
    with pytest.raises(InputError, match="Of 9 images b_min and b_max leave 3"):
        ivim.fit(series, ivim.FitOptions(b_max=20))


def test_regions_without_a_fitted_voxel_have_a_page_too(series: DiffusionVolume) -> None:
    mask, labels = np.zeros(series.shape), np.zeros(series.shape, dtype=np.uint8)
    mask[0, 0, 0], labels[1, 1, 1] = 1, 1
    result = ivim.fit(series, mask=mask, labels=LabelVolume(labels, series.affine))
    assert result.regions.columns["voxels"] == [0]
    page = fit_report(result).html()
    assert "Regions" in page
    assert "Mean signal of each region" not in page


def test_curves_that_explain_nothing_are_told() -> None:
    noise = np.random.default_rng(6).normal(100, 20, (6, 6, 6, len(PROTOCOL))).astype(np.float32)
    notes = " ".join(ivim.fit(DiffusionVolume(noise, np.eye(4), PROTOCOL)).provenance.notes)
    assert "explains less than half of the signal's variance" in notes
    clean, _ = noise_free(PROTOCOL)
    assert "explains less" not in " ".join(ivim.fit(clean).provenance.notes)
