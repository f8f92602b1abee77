"""Verdicts on header and image: tolerances, missing values, unseen classes, intervals and sets."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from DeepMRILib.errors import InputError
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.verdicts import VERDICTS, Verdict, compare, same


@pytest.mark.parametrize(
    ("name", "header", "inside", "outside"),
    [
        ("repetition_time", 1000.0, 1050.0, 1050.1),
        ("repetition_time", 1000.0, 950.0, 949.9),
        ("echo_time", 2.0, 2.1, 2.11),
        ("inversion_time", 2500.0, 2375.0, 2374.0),
        ("flip_angle", 8.0, 8.5, 8.51),  # 0.5 degrees are more than 5 %
        ("flip_angle", 90.0, 94.5, 94.6),
        ("field_strength", 1.494, 1.5, 3.0),
        ("field_strength", 2.8936, 3.0, 1.5),
        ("field_strength", 7.0, 6.6, 4.7),
        ("slice_thickness", 1.0, 1.02, 1.03),
        ("slice_thickness", 5.0, 5.1, 5.11),
        ("field_of_view", 20.0, 21.0, 21.1),
        ("field_of_view", 360.0, 367.2, 367.3),
        ("echo_train", 8.0, 8.0, 9.0),
        ("averages", 2.0, 2.02, 2.03),
        ("manufacturer", "SIEMENS", "Siemens Healthineers", "GE"),
        ("manufacturer", "GE", "GE MEDICAL SYSTEMS", "GENERIC"),
        ("model", "TrioTim", "TIM TRIO", "Trio"),
        ("model", "Signa HDxt", "SIGNA HDXT", "SIGNA HDx"),
        ("scan_options", "PFP\\FS", "FS\\PFP", "PFP\\SFS"),
        ("contrast_agent", "MAGNEVIST", "MMAGNEVIST", "MULTIHANCE"),
        ("matrix", "384x360", "384X360", "360x384"),
    ],
)
def test_tolerances_are_those_of_the_table(name: str, header: Any, inside: Any, outside: Any) -> None:
    assert compare(name, header, inside) == "agree"
    assert compare(BY_NAME[name], header, outside) == "disagree"


def test_missing_comes_before_all_but_no_prediction() -> None:
    assert compare("echo_time", None, 10.0) == "missing in the header"
    assert compare("echo_time", float("nan"), 10.0) == "missing in the header"
    assert compare("echo_time", None, 10.0, probability=0.1, abstain=0.5) == "missing in the header"
    assert compare("echo_time", None, None) == "not predicted"
    assert compare("echo_time", 10.0, None) == "not predicted"
    assert compare("echo_time", 10.0, float("nan")) == "not predicted"
    assert compare("echo_time", None, None, expected=True) == "missing in the header"
    assert compare("echo_time", 10.0, None, expected=True) == "not predicted"
    assert not same("echo_time", None, None)


def test_a_header_outside_the_models_classes_is_unseen() -> None:
    classes = ("320x320", "384x384")
    assert compare("matrix", "512x358", "384x384", classes=classes, probability=0.99) == "unseen class"
    assert compare("matrix", "384x384", "384x384", classes=classes) == "agree"
    assert compare("matrix", "320x320", "384x384", classes=classes) == "disagree"
    fields = (1.494, 1.5, 2.8936, 3.0)
    assert compare("field_strength", 7.0, 3.0, classes=fields) == "unseen class"
    assert compare("field_strength", 1.5, 1.494, classes=fields) == "agree"
    assert compare("manufacturer", "PHILIPS", "GE MEDICAL SYSTEMS", classes=("GE MEDICAL SYSTEMS", "SIEMENS")) == (
        "unseen class"
    )


def test_answers_below_the_probability_are_unsure() -> None:
    assert compare("manufacturer", "GE", "GE", probability=0.59, abstain=0.6) == "unsure"
    assert compare("manufacturer", "GE", "GE", probability=0.6, abstain=0.6) == "agree"
    assert compare("manufacturer", "GE", "SIEMENS", probability=0.9) == "disagree"
    assert compare("repetition_time", 500.0, 900.0, abstain=0.9) == "disagree"  # numbers have no probability


def test_intervals_that_hold_the_headers_number() -> None:
    assert compare("echo_time", 12.0, 10.0, interval=(8.0, 13.0)) == "agree"
    assert compare("echo_time", 14.0, 10.0, interval=(8.0, 13.0)) == "disagree"
    assert compare("echo_time", 12.0, 10.0, interval=(13.0, 8.0)) == "agree"  # in either order
    # So wide that nearly any header lies in it
    assert compare("repetition_time", 3000.0, 900.0, interval=(500.0, 4000.0)) == "unsure"
    assert compare("repetition_time", 3000.0, 900.0, interval=(-10.0, 4000.0)) == "unsure"
    assert compare("repetition_time", 910.0, 900.0, interval=(500.0, 4000.0)) == "agree"  # by itself close enough
    # Within the tolerance, though a narrow interval leaves it out
    assert compare("repetition_time", 1000.0, 1020.0, interval=(1010.0, 1030.0)) == "agree"


def test_sets_that_hold_the_headers_class() -> None:
    assert compare("model", "Skyra", "Avanto", among=("Avanto", "Skyra")) == "unsure"
    assert compare("model", "Trio", "Avanto", among=("Avanto", "Skyra")) == "disagree"
    assert compare("slice_thickness", 1.0, 2.0, among=(2.0, 1.01)) == "unsure"


def test_a_class_less_likely_than_all_others_together_settles_nothing() -> None:
    several = ("Avanto", "Skyra", "Trio", "Prisma")
    assert compare("model", "Skyra", "Skyra", probability=0.25, among=several) == "unsure"
    assert compare("model", "Skyra", "Skyra", probability=0.49, among=several) == "unsure"
    assert compare("model", "Skyra", "Skyra", probability=0.5, among=several) == "agree"
    # The set rules all others out, or the header's
    assert compare("model", "Skyra", "Skyra", probability=0.45, among=("Skyra",)) == "agree"
    assert compare("model", "Verio", "Skyra", probability=0.25, among=several) == "disagree"
    # Classes that stand for one value are one
    assert compare("field_strength", 1.5, 1.494, probability=0.45, among=(1.494, 1.5)) == "agree"
    assert compare("field_strength", 1.5, 1.494, probability=0.45, among=(1.494, 1.5, 3.0)) == "unsure"
    # A network without calibration has no sets
    assert compare("model", "Skyra", "Skyra", probability=0.3) == "unsure"
    assert compare("model", "Skyra", "Avanto", probability=0.3) == "unsure"
    assert compare("model", "Skyra", "Avanto", probability=0.6) == "disagree"


def test_every_verdict_is_in_the_list() -> None:
    assert get_args(Verdict) == VERDICTS


def test_bad_input_has_its_sentence() -> None:
    with pytest.raises(InputError, match="'echo' is no acquisition parameter; there are manufacturer"):
        compare("echo", 1.0, 1.0)
    with pytest.raises(InputError, match="Echo time is 'long'; a number was expected"):
        compare("echo_time", "long", 1.0)
