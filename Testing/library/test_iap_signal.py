"""The signal equations against values worked out by hand, and the tissues they are given."""

from __future__ import annotations

import math

import numpy as np
import pytest

from DeepMRILib.iap import signal
from DeepMRILib.iap.tissues import FAT, INDEX, TISSUES, Factors, properties


def test_spin_echo_by_hand() -> None:
    # 0.8 (1 - 2 exp(-(600 - 10) / 900) + exp(-600 / 900)) exp(-20 / 80)
    expected = 0.8 * (1 - 2 * 0.5191557 + 0.5134171) * 0.7788008
    assert signal.spin_echo(0.8, 900, 80, tr=600, te=20) == pytest.approx(expected, rel=1e-4)


def test_a_long_repetition_and_a_short_echo_leave_the_proton_density() -> None:
    assert signal.spin_echo(0.7, 1000, 100, tr=1e6, te=1e-6) == pytest.approx(0.7)
    assert signal.inversion_recovery(0.7, 1000, 100, tr=1e6, te=1e-6, ti=1e5) == pytest.approx(0.7)


def test_spoiled_gradient_echo_by_hand() -> None:
    # E1 = exp(-10 / 500) = 0.9801987; sin 30 = 0.5; cos 30 = 0.8660254
    expected = 0.5 * (1 - 0.9801987) / (1 - 0.9801987 * 0.8660254) * math.exp(-5 / 40)
    assert signal.spoiled_gradient_echo(1, 500, 40, tr=10, te=5, flip=30) == pytest.approx(expected, rel=1e-5)


def test_the_ernst_angle_gives_the_largest_gradient_echo() -> None:
    angles = np.linspace(1, 89, 881)
    made = signal.spoiled_gradient_echo(1, 900, 50, tr=30, te=5, flip=angles)
    assert angles[made.argmax()] == pytest.approx(float(signal.ernst_angle(900, 30)), abs=0.06)


def test_inversion_recovery_is_negative_before_its_zero_and_positive_after_it() -> None:
    null = 300 * math.log(2)
    early, late = signal.inversion_recovery(1, 300, 60, tr=1e5, te=10, ti=np.array([0.5 * null, 2 * null]))
    assert early < 0 < late
    assert float(signal.inversion_recovery(1, 300, 60, tr=1e5, te=10, ti=null)) == pytest.approx(0, abs=1e-9)


def test_fat_is_in_phase_at_4_6_ms_and_opposed_at_2_3_ms_at_1_5_t_and_at_half_of_that_at_3_t() -> None:
    assert signal.fat_frequency(1.5) == pytest.approx(217, abs=0.5)
    assert signal.fat_frequency(3.0) == pytest.approx(434, abs=0.5)
    for field, half in ((1.5, 2.303), (3.0, 1.151)):
        assert signal.fat_phase(field, half).real == pytest.approx(-1, abs=0.01)
        assert signal.fat_phase(field, 2 * half).real == pytest.approx(1, abs=0.01)


def test_the_table_has_the_published_values() -> None:
    white, fat = INDEX["white matter"], FAT
    assert properties(1.5).t1[white] == 884
    assert properties(3.0).t2[white] == 69
    assert properties(3.0).t2_star[fat] == 36
    assert properties(1.5).density[INDEX["fluid"]] == 1
    assert all(one.source for one in TISSUES)


def test_relaxation_slows_with_the_field_and_t2_star_is_never_longer_than_t2() -> None:
    factors = Factors.draw(np.random.default_rng(0), 0.2)
    low, high = properties(1.5, factors), properties(3.0, factors)
    assert np.all(high.t1 >= low.t1)
    assert np.all(low.t2_star <= low.t2)
    assert np.all(high.t2_star <= high.t2)


def test_subjects_tissues_vary_as_much_as_was_asked_for() -> None:
    random = np.random.default_rng(1)
    drawn = np.stack([Factors.draw(random, 0.05).t1 for _ in range(400)])
    assert drawn.mean() == pytest.approx(1, abs=0.005)
    assert drawn.std() == pytest.approx(0.05, rel=0.1)
    assert np.all(Factors.draw(random, 0.0).t2 == 1)
