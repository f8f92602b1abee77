"""Every method on real data and on the task force's reference signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks import bench_abdomen, bench_osipi
from real_data import REFERENCE_CORD_D_STAR, cord, osipi

from DeepMRILib import ivim

CLASSICAL = ("lsq", "segmented", "bayes")


@pytest.mark.parametrize("method", CLASSICAL)
def test_organs_of_real_abdomens_are_near_the_published_maps(method: str, shared_data: Path) -> None:
    table = bench_abdomen.rows(bench_abdomen.fits(method))
    judged, organs = 0, {}
    for volunteer, organ, _, D, D_known, f, f_known, _ in table.rows:
        verdict = bench_abdomen.verdict(volunteer, organ, {"D": D - D_known, "f": f - f_known})
        assert "NO" not in verdict, (volunteer, organ, D - D_known, f - f_known)
        judged += verdict != "-"
        organs[volunteer, organ] = D
    assert judged == 7  # four livers and three kidneys
    assert all(organs[volunteer, "kidney"] > organs[volunteer, "liver"] for volunteer in bench_abdomen.VOLUNTEERS)


@pytest.mark.parametrize("method", list(bench_osipi.CLASSICAL))
def test_osipi_would_pass_every_tissue(method: str, shared_data: Path) -> None:
    data = osipi()
    mask = np.ones((len(data.tissues), 1, 1), dtype=bool)
    found = bench_osipi.estimates(ivim.fit(data.series(), bench_osipi.CLASSICAL[method], mask=mask))
    assert bench_osipi.passes(found, data).all()
    if method != "segmented":  # it takes blood for gone from its split on, and slow blood is not
        for name, limit in (("D", 0.01), ("f", 0.08), ("D_star", 0.05)):  # OSIPI's own limits pass nearly anything
            assert (np.abs(found[name] - data.truth[name]) <= limit * data.truth[name]).all(), name


def test_a_constant_guess_is_not_passed(shared_data: Path) -> None:
    data = osipi()
    guess = {name: np.full(len(data.tissues), np.median(truth)) for name, truth in data.truth.items()}
    assert not bench_osipi.passes(guess, data).all()


@pytest.mark.parametrize("method", CLASSICAL)
def test_a_real_cord_without_b_zero_is_fitted(method: str, shared_data: Path) -> None:
    data = cord()
    options = ivim.FitOptions(method=method, body_part="brain", D_star_bounds=REFERENCE_CORD_D_STAR)
    result = ivim.fit(data.series, options, mask=data.mask)
    inside = np.asarray(data.mask) > 0
    assert data.series.b_values.min() > 0
    assert np.array_equal(np.asarray(result.fitted) > 0, inside)  # every voxel of a mask is meant
    assert np.median(result.maps["R2"].array[inside]) > np.median(data.reference["R2"][inside])
    if method == "lsq":  # as the toolbox fits, with its range of D*
        known = np.median(data.reference["D"][inside])
        assert abs(np.median(result.maps["D"].array[inside]) - known) < 0.4 * known
