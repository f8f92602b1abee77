"""Simulated series: what is drawn, what the images look like, and the files."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.iap import SimulateOptions, simulate, simulation
from DeepMRILib.iap.imaging import images, snr
from DeepMRILib.iap.protocols import RANGES, Protocol, draw_protocol, is_held_out
from DeepMRILib.iap.subjects import Subject, View, draw_subject, sections
from DeepMRILib.iap.subjects_anatomy import DRAWN
from DeepMRILib.iap.tissues import FAT, INDEX, Factors, properties

SMALL = SimulateOptions(subjects=3, series=2, slices=2, size=48, seed=5)
SPIN_ECHO = Protocol("SE", 0, 1.5, 500, 10, 0, 90, False, False, 300, 5, 250, 96, "HFS")


def a_subject(anatomy: str = "head", seed: int = 3) -> Subject:
    return Subject(anatomy, seed, Factors.draw(np.random.default_rng(0), 0.0))


def a_view(**changes: object) -> View:
    return replace(View(96, 250.0, np.array([20.0, 26.0]), 5.0), **changes)


def an_image(protocol: Protocol, seed: int = 0, subject: Subject | None = None) -> np.ndarray:
    subject = subject or a_subject()
    fractions = sections(subject, a_view(field_of_view=protocol.field_of_view))
    return images(fractions, properties(protocol.field), protocol, np.random.default_rng(seed))


def test_the_same_seed_gives_the_same_slices_and_another_one_others() -> None:
    first, second, other = simulate(SMALL), simulate(SMALL), simulate(replace(SMALL, seed=6))
    assert all(np.array_equal(one, two) for one, two in zip(first.slices, second.slices, strict=True))
    assert first.values == second.values
    assert not np.array_equal(first.slices[0], other.slices[0])


def test_a_subject_does_not_depend_on_how_many_there_are() -> None:
    few, many = simulate(replace(SMALL, subjects=1)), simulate(SMALL)
    assert np.array_equal(few.slices[3], many.slices[3])


def test_slices_are_raw_pixels_with_series_patients_and_all_parameters() -> None:
    made = simulate(SMALL)
    assert len(made) == 3 * 2 * 2
    assert made.slices[0].shape == (48, 48)
    assert made.slices[0].dtype == np.uint16
    assert 300 < max(one.max() for one in made.slices) <= 4000
    assert len(set(made.series)) == 6
    assert len(set(made.patients)) == 3
    assert {"echo_time", "field_strength", "matrix", "field_of_view"} <= set(made.values)
    for family, inversion in zip(made.extra["family"], made.values["inversion_time"], strict=True):
        assert (inversion is None) == (family != "IR")
    assert "do not exist" in made.notes[0]


def test_only_the_families_that_were_asked_for() -> None:
    assert set(simulate(replace(SMALL, families=("IR",))).extra["family"]) == {"IR"}


@pytest.mark.parametrize("changes", [{"size": 8}, {"families": ("EPI",)}, {"subjects": 0}])
def test_bad_settings_are_refused(changes: dict) -> None:
    with pytest.raises(InputError):
        simulate(replace(SMALL, **changes))


@pytest.mark.parametrize("anatomy", list(DRAWN))
def test_tissue_fractions_are_fractions_and_lie_where_a_body_is(anatomy: str) -> None:
    fov = {"head": 250.0, "abdomen": 420.0, "breast": 380.0}[anatomy]
    found = sections(a_subject(anatomy), a_view(field_of_view=fov))
    total = found.sum(axis=0)
    assert found.min() >= 0
    assert total.max() <= 1 + 1e-5
    assert 0.15 < total.mean() < 0.9
    assert total[:, :2, :2].max() == 0
    assert (found > 0).any(axis=(1, 2, 3)).sum() >= 4


def test_a_head_has_more_white_matter_than_ventricle_and_fat_around_it() -> None:
    found = sections(a_subject(), a_view())[:, 0]
    share = found.sum(axis=(1, 2))
    assert share[INDEX["white matter"]] > share[INDEX["fluid"]] > 0
    assert found[FAT, 40:56, 40:56].max() == 0


def test_the_same_subject_is_the_same_whatever_is_imaged_of_it() -> None:
    near, far = sections(a_subject(), a_view()), sections(a_subject(), a_view(field_of_view=500.0))
    small = near[:, :, ::2, ::2].sum(axis=(2, 3)) * 4  # each pixel of the far view covers four of the near one
    assert np.allclose(small, far.sum(axis=(2, 3)) * 4, rtol=0.12, atol=30)


def test_white_matter_is_brighter_than_fluid_in_t1_weighted_and_darker_in_t2_weighted_images() -> None:
    fractions = sections(a_subject(), a_view())
    white, fluid = (fractions[INDEX[name]] > 0.97 for name in ("white matter", "fluid"))
    t1 = an_image(SPIN_ECHO)
    t2 = an_image(replace(SPIN_ECHO, tr=5000, te=100))
    assert t1[white].mean() > 1.5 * t1[fluid].mean()
    assert t2[fluid].mean() > 1.5 * t2[white].mean()


def test_inversion_at_its_zero_darkens_fat() -> None:
    fat = sections(a_subject(), a_view())[FAT] > 0.9
    stir = replace(SPIN_ECHO, family="IR", tr=8000, ti=0.693 * 296)
    assert an_image(stir)[fat].mean() < 0.35 * an_image(replace(stir, ti=2000))[fat].mean()


def test_noise_falls_with_field_and_voxel_size() -> None:
    assert snr(replace(SPIN_ECHO, field=3.0)) == pytest.approx(2 * snr(SPIN_ECHO))
    thin = replace(SPIN_ECHO, thickness=1.25)
    assert snr(thin) == pytest.approx(snr(SPIN_ECHO) / 2)

    def background(protocol: Protocol) -> float:
        image = an_image(protocol)
        return image[:, :8, :8].mean() / image.max()

    assert background(replace(SPIN_ECHO, field=3.0)) < 0.7 * background(SPIN_ECHO) < background(thin)


def test_fat_is_shifted_along_the_rows_twice_as_far_at_twice_the_field() -> None:
    from DeepMRILib.iap.imaging import _kspace

    fat = np.zeros((1, 96, 96), np.float32)
    fat[0, 40:50, 40:50] = 1
    for field, pixels in ((1.5, 217.12 / 50), (3.0, 434.25 / 50)):
        shifted = np.abs(np.fft.ifft2(_kspace(0 * fat, fat, replace(SPIN_ECHO, field=field, bandwidth=50.0))))[0]
        centre = (shifted.sum(axis=0) ** 2 @ np.arange(96)) / (shifted.sum(axis=0) ** 2).sum()
        assert centre == pytest.approx(44.5 + pixels, abs=0.5)


def test_who_lies_prone_appears_turned_round() -> None:
    assert np.array_equal(an_image(SPIN_ECHO)[:, ::-1, ::-1], an_image(replace(SPIN_ECHO, position="HFP")))


def test_vendors_leave_their_signatures() -> None:
    fractions = sections(a_subject(), a_view())
    made = [
        images(fractions, properties(1.5), replace(SPIN_ECHO, vendor=vendor), np.random.default_rng(0))
        for vendor in range(3)
    ]
    corners = [np.abs(np.fft.fft2(one[0]))[44:52, 44:52].mean() / one.mean() for one in made]
    assert corners[1] < 0.5 * corners[0]
    assert corners[2] < corners[0]


@pytest.mark.parametrize("family", ["SE", "GRE", "IR"])
def test_protocols_stay_in_their_ranges_and_never_mix_ordinary_and_held_out_combinations(family: str) -> None:
    random = np.random.default_rng(0)
    for held_out in (False, True):
        for _ in range(100):
            one = draw_protocol(random, family, (200.0, 220.0), 96, held_out=held_out)
            assert is_held_out(one) == held_out
            low, high = RANGES[one.kind]["tr"]
            assert low <= one.tr <= high
            assert one.te < one.tr


def test_about_an_eighth_of_all_combinations_is_held_out_at_each_field_strength() -> None:
    random = np.random.default_rng(1)
    from DeepMRILib.iap.protocols import _draw

    drawn = [_draw(random, "SE", (200.0,), 96) for _ in range(3000)]
    for field in (1.5, 3.0):
        assert 0.09 < np.mean([is_held_out(one) for one in drawn if one.field == field]) < 0.16


def test_one_hospital_ties_parameters_to_the_vendor() -> None:
    made = simulate(replace(SMALL, subjects=12, correlated=True, slices=1))
    fields = {}
    for vendor, field in zip(made.values["manufacturer"], made.values["field_strength"], strict=True):
        fields.setdefault(vendor, set()).add(field)
    assert len(fields) == 3
    assert all(len(one) == 1 for one in fields.values())


def test_subjects_are_drawn_from_all_anatomies() -> None:
    random = np.random.default_rng(0)
    assert {draw_subject(random, 0.05).anatomy for _ in range(30)} == set(DRAWN)


def test_a_data_set_of_dicom_files_can_be_read_back(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    result = simulation(SMALL)
    result.save(tmp_path / "out")
    truth = list(csv.DictReader((tmp_path / "out" / "truth.csv").open(encoding="utf-8")))
    assert len(truth) == 6
    made = simulate(SMALL)
    for row in truth:
        paths = sorted((tmp_path / "out" / row["path"]).glob("*.dcm"))
        assert len(paths) == 2
        one = pydicom.dcmread(paths[0])
        assert float(one.RepetitionTime) == pytest.approx(float(row["repetition_time"]))
        assert float(one.MagneticFieldStrength) == float(row["field_strength"])
        assert one.PatientID == row["patient"]
        assert one.SOPClassUID.name == "MR Image Storage"
        number = list(made.series).index(row["series"])
        assert np.array_equal(one.pixel_array, made.slices[number])


def test_the_files_of_one_series_make_a_volume_whose_geometry_agrees_with_nifti(tmp_path: Path) -> None:
    pytest.importorskip("pydicom")
    pytest.importorskip("nibabel")
    for form in ("dicom", "bids"):
        simulation(replace(SMALL, form=form)).save(tmp_path / form)
    series = sorted((tmp_path / "dicom" / "series").glob("*/*"))[1]
    pair = [files.read_volume(series)]
    patient, number = series.name.rsplit("-", 1)
    image = next((tmp_path / "bids" / "series").glob(f"sub-{patient.replace('-', '')}/anat/*run-{number}_MR.nii.gz"))
    pair.append(files.read_volume(image))
    corners = np.array([[0, 0, 0], [47, 47, 1], [0, 47, 0]])
    first, second = (volume.affine for volume in pair)
    to_ras = [np.c_[corners, np.ones(3)] @ one.T for one in (first, second)]
    assert np.allclose(to_ras[0], to_ras[1], atol=1e-2)
    assert np.array_equal(pair[0].array, pair[1].array)


def test_sidecars_are_in_seconds_and_gaps_are_told_in_the_truth(tmp_path: Path) -> None:
    pytest.importorskip("nibabel")
    simulation(replace(SMALL, form="bids", headers="gaps", subjects=6)).save(tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out" / "truth.csv").open(encoding="utf-8")))
    lacking = [row for row in rows if "echo_time missing" in row["amiss"]]
    assert lacking
    assert len(lacking) < len(rows)
    for row in rows:
        sidecar = json.loads((tmp_path / "out" / row["path"].replace(".nii.gz", ".json")).read_text(encoding="utf-8"))
        if "echo_time missing" in row["amiss"]:
            assert "EchoTime" not in sidecar
        else:
            assert sidecar["EchoTime"] == pytest.approx(float(row["echo_time"]) / 1e3)


def test_wrong_headers_differ_from_the_truth_where_it_says_so(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    simulation(replace(SMALL, headers="wrong", subjects=8)).save(tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out" / "truth.csv").open(encoding="utf-8")))
    wrong = 0
    for row in rows:
        one = pydicom.dcmread(next((tmp_path / "out" / row["path"]).glob("*.dcm")))
        agrees = float(one.RepetitionTime) == pytest.approx(float(row["repetition_time"]))
        assert agrees == ("repetition_time wrong" not in row["amiss"])
        wrong += not agrees
    assert wrong
