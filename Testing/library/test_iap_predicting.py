"""``iap.predict``: what the image says beside what the header says, and what is done with bad images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from iap_models import HalvesModel, halves, row_of, siemens_slices, volume_of, write_nifti

from DeepMRILib import iap
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.iap.parameters import BY_NAME
from DeepMRILib.iap.predicting import NOTHING_TO_SEE, REFUSED, UNCALIBRATED
from DeepMRILib.iap.rows import CORRELATION
from DeepMRILib.volume import Volume

SIDECAR = json.dumps({"Modality": "MR", "Manufacturer": "Siemens", "EchoTime": 0.021, "MagneticFieldStrength": 1.494})


@pytest.fixture
def model() -> HalvesModel:
    return HalvesModel()


@pytest.fixture
def siemens() -> list:
    return siemens_slices()


def states(result: iap.IAPResult) -> dict[str, str]:
    return dict(zip(result.outside.columns["check"], result.outside.columns["state"], strict=True))


def test_header_and_image_side_by_side(model, siemens, tmp_path):
    path = write_nifti(tmp_path, "scan", siemens, SIDECAR)
    result = iap.predict(path, model)
    vendor = row_of(result, "manufacturer")
    assert (vendor["header"], vendor["predicted"], vendor["verdict"]) == ("SIEMENS", "SIEMENS", "agree")
    assert vendor["probability"] > 0.9
    assert vendor["set"] == "SIEMENS"
    assert vendor["agreement"] == 1.0
    assert vendor["slice"] == 9, "the surest slice decides"
    echo = row_of(result, "echo_time")
    assert echo["verdict"] == "agree"
    assert echo["low"] < 20.5 < echo["high"]
    assert echo["predicted"] == pytest.approx(20.45, abs=0.1)
    assert echo["probability"] is None
    assert row_of(result, "field_strength")["set"] == "1.5; 3"
    assert row_of(result, "contrast_agent")["note"] == CORRELATION
    assert row_of(result, "inversion_time")["verdict"] == "not predicted"
    assert "only where manufacturer is GE" in row_of(result, "inversion_time")["note"]
    assert len(result.slices) == 10 * 4, "all slices, and all parameters that have a meaning"
    assert result.header["field_strength"] == "1.494"
    assert result.provenance.weights_sha256 == model.weights_sha256
    assert set(states(result).values()) == {"good"}
    result.save(tmp_path / "out")
    assert {"parameters.csv", "slices.csv", "outside.csv"} <= {file.name for file in (tmp_path / "out").iterdir()}


def test_disagreement_and_what_the_header_lacks(model, tmp_path):
    slices = [halves(-0.6, 35)] * 3
    path = write_nifti(tmp_path, "scan", slices, json.dumps({"Manufacturer": "Siemens", "FlipAngle": 30}))
    result = iap.predict(path, model)
    assert row_of(result, "manufacturer")["verdict"] == "disagree"
    assert row_of(result, "manufacturer")["predicted"] == "GE"
    assert row_of(result, "echo_time")["verdict"] == "missing in the header"
    assert row_of(result, "inversion_time")["predicted"] == pytest.approx(100)
    assert row_of(result, "flip_angle")["verdict"] == "not predicted"
    other = write_nifti(tmp_path, "other", slices, json.dumps({"Manufacturer": "Esaote"}))
    assert row_of(iap.predict(other, model), "manufacturer")["verdict"] == "unseen class"


def test_another_place_for_the_header(model, siemens, tmp_path):
    (tmp_path / "elsewhere.json").write_text(SIDECAR)
    result = iap.predict(volume_of(siemens), model, header=tmp_path / "elsewhere.json")
    assert row_of(result, "manufacturer")["verdict"] == "agree"
    bare = iap.predict(volume_of(siemens), model)
    assert row_of(bare, "manufacturer")["verdict"] == "missing in the header"
    assert any("without a header" in note for note in bare.provenance.notes)
    again = iap.predict_job(volume_of(siemens), None, header=iap.read_header(tmp_path / "elsewhere.json"), model=model)
    assert again.parameters == result.parameters


def test_sampled_slices_say_what_all_say(model, tmp_path):
    random = np.random.default_rng(3)
    slices = [halves(0.3 + random.normal(0, 0.05), 20.6 + random.normal(0, 0.3)) for _ in range(60)]
    path = write_nifti(tmp_path, "scan", slices, SIDECAR)
    few, all_of_them = (iap.predict(path, model, iap.PredictOptions(slices=n)) for n in (8, 0))
    assert few.provenance.inputs["looked_at"] == 8
    assert all_of_them.provenance.inputs["looked_at"] == 60
    assert few.parameters.columns["verdict"] == all_of_them.parameters.columns["verdict"]
    assert few.slices.columns["slice"][0] > 5, "from the middle"


def test_abstaining_says_nothing_below_a_probability(model, tmp_path):
    path = write_nifti(tmp_path, "scan", [halves(0.05, 20)] * 4, SIDECAR)
    sure = row_of(iap.predict(path, model, iap.PredictOptions(abstain=0.3)), "manufacturer")
    assert sure["predicted"] == "SIEMENS"
    unsure = row_of(iap.predict(path, model, iap.PredictOptions(abstain=0.9)), "manufacturer")
    assert (unsure["predicted"], unsure["verdict"]) == (None, "unsure")
    assert "likeliest value, SIEMENS, has a probability of 0." in unsure["note"]


def test_without_calibration_there_are_no_sets(siemens, tmp_path):
    path = write_nifti(tmp_path, "scan", siemens, SIDECAR)
    result = iap.predict(path, HalvesModel(calibrated=False))
    assert row_of(result, "manufacturer")["set"] == ""
    assert row_of(result, "echo_time")["low"] is None
    assert UNCALIBRATED in result.provenance.notes


def test_images_unlike_the_training(model, tmp_path):
    path = write_nifti(tmp_path, "scan", [halves(0.3, 400)] * 3, SIDECAR)
    warned = iap.predict(path, model)
    assert states(warned)["unlike the training's images"] == "bad"
    assert row_of(warned, "manufacturer")["predicted"] == "SIEMENS"
    assert any("unlike those that the network was trained on" in note for note in warned.provenance.notes)
    refused = iap.predict(path, model, iap.PredictOptions(outside="refuse"))
    assert row_of(refused, "manufacturer")["predicted"] is None
    assert row_of(refused, "manufacturer")["note"] == REFUSED
    assert row_of(refused, "manufacturer")["header"] == "SIEMENS"
    assert len(refused.slices) == 0


def test_empty_and_constant_slices_are_left_out(model, siemens, tmp_path):
    slices = [np.zeros((40, 40), np.uint16), *siemens[:3], np.full((40, 40), 7, np.uint16)]
    result = iap.predict(write_nifti(tmp_path, "scan", slices, SIDECAR), model)
    assert result.provenance.inputs["looked_at"] == 3
    assert row_of(result, "manufacturer")["slice"] == 3
    nothing = iap.predict(write_nifti(tmp_path, "zero", [np.zeros((40, 40))] * 4, SIDECAR), model)
    assert row_of(nothing, "manufacturer")["predicted"] is None
    assert row_of(nothing, "manufacturer")["note"] == NOTHING_TO_SEE
    assert states(nothing)["slices with nothing but zeros"] == "bad"
    nothing.save(tmp_path / "out")


def test_one_slice_is_said_to_be_one(model, siemens, tmp_path):
    result = iap.predict(write_nifti(tmp_path, "scan", siemens[:1], SIDECAR), model)
    assert row_of(result, "manufacturer")["verdict"] == "agree"
    assert any("one slice" in note for note in result.provenance.notes)


def test_impossible_numbers_are_not_given(model, tmp_path):
    below = HalvesModel()
    heads = list(below.layout.heads)
    heads[2] = iap.Head("echo_time", "continuous", 5, 7, mean=-90.0)
    below.layout = iap.Layout(tuple(heads))
    row = row_of(iap.predict(write_nifti(tmp_path, "scan", [halves(0.3, 20)] * 3, SIDECAR), below), "echo_time")
    assert (row["predicted"], row["verdict"]) == (None, "not predicted")
    assert "which cannot be" in row["note"]


def test_pixels_that_are_not_square_are_pointed_out(model, siemens):
    image = volume_of(siemens, spacing=(2.0, 2.5, 3.0))
    assert states(iap.predict(image, model))["pixels' rows over columns"] == "look"


def test_without_a_model_the_header_is_told(siemens, tmp_path):
    path = write_nifti(tmp_path, "scan", siemens, SIDECAR)
    result = iap.predict(path)
    assert row_of(result, "field_strength")["header"] == 1.5
    assert result.parameters.columns["parameter"] == list(BY_NAME)
    verdicts = dict(zip(BY_NAME, result.parameters.columns["verdict"], strict=True))
    missing = {name for name, verdict in verdicts.items() if verdict == "missing in the header"}
    assert missing == {
        "model", "sequence", "acquisition_type", "repetition_time", "flip_angle", "slice_thickness"
    }  # fmt: skip
    assert {verdicts[name] for name in set(BY_NAME) - missing} == {"not predicted"}
    assert result.provenance.weights_sha256 is None
    with pytest.raises(InputError, match="without a header, and no model"):
        iap.predict(volume_of(siemens))
    with pytest.raises(InputError, match="give a model, or leave saliency empty"):
        iap.predict(path, options=iap.PredictOptions(saliency="echo_time"))


def test_an_inversion_time_is_missing_where_there_was_an_inversion(siemens, tmp_path):
    path = write_nifti(tmp_path, "scan", siemens, json.dumps({"ScanningSequence": "GR_IR", "EchoTime": 0.003}))
    row = row_of(iap.predict(path), "inversion_time")
    assert (row["header"], row["verdict"]) == (None, "missing in the header")
    path = write_nifti(tmp_path, "other", siemens, json.dumps({"ScanningSequence": "SE", "EchoTime": 0.003}))
    assert row_of(iap.predict(path), "inversion_time")["verdict"] == "not predicted"


def test_what_neither_header_nor_model_say_is_listed_where_it_should_be_known(model, siemens, tmp_path):
    path = write_nifti(tmp_path, "scan", siemens, SIDECAR)
    result = iap.predict(path, model)
    row = row_of(result, "repetition_time")
    assert (row["header"], row["predicted"], row["verdict"]) == (None, None, "missing in the header")
    assert "bandwidth" not in result.parameters.columns["parameter"]
    without_header = write_nifti(tmp_path, "bare", siemens)
    assert "repetition_time" not in iap.predict(without_header, model).parameters.columns["parameter"]


def test_what_decides_is_not_shown_of_what_is_not_told(model, siemens, tmp_path):
    path = write_nifti(tmp_path, "scan", siemens, SIDECAR)
    result = iap.predict(path, model, iap.PredictOptions(saliency="inversion_time"))  # of GE alone
    assert result.saliency is None
    assert "What decides is not shown: nothing was told of the inversion time." in result.provenance.notes
    refused = iap.predict(
        write_nifti(tmp_path, "strange", [halves(0.3, 400)] * 3, SIDECAR),
        model,
        iap.PredictOptions(saliency="echo_time", outside="refuse"),
    )
    assert refused.saliency is None
    assert "What decides is not shown: nothing was told of the echo time." in refused.provenance.notes


def test_what_the_model_does_not_tell_is_named(model, siemens):
    with pytest.raises(InputError, match=r"does not tell 'flip_angle'\. It tells manufacturer, contrast_agent"):
        iap.predict(volume_of(siemens), model, iap.PredictOptions(saliency="flip_angle"))


def test_cancelling_stops(model, siemens):
    def stop(fraction: float, message: str) -> None:
        if message.startswith("Slice"):
            raise Cancelled

    with pytest.raises(Cancelled):
        iap.predict(volume_of(siemens), model, progress=stop)


def test_places_without_a_series_are_told(model, tmp_path):
    (tmp_path / "text.txt").write_text("no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "alone.json").write_text(SIDECAR)
    for place, sentence in (
        (tmp_path / "missing.nii", "missing.nii"),
        (tmp_path / "text.txt", "text.txt"),
        (tmp_path / "empty", "holds no MR series"),
        (tmp_path / "alone.json", "is a sidecar"),
    ):
        with pytest.raises(InputError, match=sentence):
            iap.predict(place, model)


class TestDicom:
    """Series as scanners write them."""

    @pytest.fixture
    def study(self, tmp_path) -> Path:
        pytest.importorskip("pydicom")
        made = iap.simulation(iap.SimulateOptions(subjects=2, series=1, slices=4, size=48))
        return made.save(tmp_path / "study") / "series"

    @staticmethod
    def series(study: Path) -> Path:
        return sorted(path for path in study.glob("*/*") if path.is_dir())[0]

    @staticmethod
    def change(folder: Path, **elements) -> None:
        import pydicom

        for path in folder.glob("*.dcm"):
            dataset = pydicom.dcmread(path)
            for name, value in elements.items():
                setattr(dataset, name, value)
            dataset.save_as(path)

    def test_slices_are_named_by_their_uid(self, study, model):
        result = iap.predict(self.series(study), model)
        assert set(result.slices.columns["slice"]) == {0, 1, 2, 3}
        assert all(name.startswith("2.25.") for name in result.slices.columns["name"])
        assert row_of(result, "manufacturer")["verdict"] == "unseen class", "simulated vendors do not exist"

    def test_bright_is_bright_also_of_monochrome1(self, study, model):
        import pydicom

        folder = self.series(study)
        before = iap.predict(folder, model)
        for path in folder.glob("*.dcm"):
            dataset = pydicom.dcmread(path)
            stored = dataset.pixel_array
            dataset.PixelData = (stored.max() - stored).astype("<u2").tobytes()
            dataset.PhotometricInterpretation = "MONOCHROME1"
            dataset.save_as(path)
        after = iap.predict(folder, model)
        assert row_of(after, "manufacturer")["probability"] == pytest.approx(
            row_of(before, "manufacturer")["probability"], abs=0.02
        )

    def test_colour_is_refused(self, study, model):
        self.change(self.series(study), PixelPresentation="COLOR")
        with pytest.raises(InputError, match="in colour"):
            iap.predict(self.series(study), model)

    def test_a_palette_of_colours_is_refused(self, study, model):
        self.change(self.series(study), PhotometricInterpretation="PALETTE COLOR")
        with pytest.raises(InputError, match="in colour"):
            iap.predict(self.series(study), model)

    def test_several_subjects_are_refused(self, study, model):
        with pytest.raises(InputError, match=r"2 series of 2 patients, and one was expected"):
            iap.predict(study, model)

    def test_what_is_not_mr_is_refused(self, study, model):
        self.change(self.series(study), Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2")
        with pytest.raises(InputError, match="MR"):
            iap.predict(self.series(study), model)

    def test_real_files_without_pixels_and_with_zeros(self, shared_data, model):
        folder = shared_data / "dicom_iap" / "nibabel"
        with pytest.raises(InputError, match="without pixels"):
            iap.predict(folder / "csa_slice_norm.dcm", model)
        assert row_of(iap.predict(folder / "csa_slice_norm.dcm"), "repetition_time")["header"] == 2070
        zeros = iap.predict(folder / "decimal_rescale.dcm", model)
        assert row_of(zeros, "manufacturer")["note"] == NOTHING_TO_SEE
        assert row_of(zeros, "manufacturer")["header"] == "SIEMENS"


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    torch = pytest.importorskip("torch")
    from iap_published import plain_network, saved

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    path = saved(plain_network(96), tmp_path_factory.mktemp("published") / "best.h5")
    yield iap.load_model(path, device="cpu")
    torch.set_num_threads(threads)


class TestPublished:
    """The published network's own gates."""

    def test_breast_images_pass_and_others_do_not(self, published, tmp_path):
        from iap_published import breast

        random = np.random.default_rng(1)
        slices = [breast(random, 64, 64) for _ in range(3)]
        prone = {"Manufacturer": "GE", "PatientPosition": "HFP", "MagneticFieldStrength": 1.5, "EchoTime": 0.002}
        image = Volume(volume_of(slices).array, np.diag([-5.0, -5.0, 2.0, 1.0]))
        (tmp_path / "prone.json").write_text(json.dumps(prone))
        good = iap.predict(image, published, header=tmp_path / "prone.json")
        assert set(states(good).values()) == {"good"}
        assert states(good)["slices axial (cosine)"] == "good"
        assert row_of(good, "manufacturer")["predicted"] in ("GE", "SIEMENS", "MPTRONIC SOFTWARE")
        assert UNCALIBRATED in good.provenance.notes
        assert "MIDL 2023" in good.provenance.engine
        assert row_of(good, "contrast_agent")["note"].startswith(CORRELATION)
        (tmp_path / "supine.json").write_text(json.dumps(prone | {"PatientPosition": "HFS", "Manufacturer": "Philips"}))
        bad = states(iap.predict(image, published, header=tmp_path / "supine.json"))
        assert bad["patient prone, by the header"] == "bad"
        assert bad["scanner of GE or Siemens, by the header"] == "bad"

    def test_sagittal_slices_are_pointed_out(self, published):
        from iap_published import breast

        random = np.random.default_rng(1)
        array = np.stack([breast(random, 64, 64) for _ in range(2)])  # i runs from right to left
        sagittal = Volume(array, np.array([[-3.0, 0, 0, 0], [0, -2, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]))
        found = states(iap.predict(sagittal, published, iap.PredictOptions(slice_axis="i")))
        assert found["slices axial (cosine)"] == "bad"

    def test_pixels_that_are_not_square_are_refused(self, published):
        image = volume_of([halves(0.3, 20)] * 2, spacing=(2.0, 2.5, 3.0))
        with pytest.raises(InputError, match=r"2\.5 x 2 mm; the published network takes square ones only"):
            iap.predict(image, published)


def test_without_a_model_the_middle_slices_are_shown(siemens, tmp_path):
    path = write_nifti(tmp_path, "scan", siemens, SIDECAR)
    result = iap.predict(path)
    assert len(result.pictures) == 4
    assert all(image.shape == siemens[0].shape for image in result.pictures.values())


def test_headers_without_readable_pixels_are_told_all_the_same(siemens, tmp_path):
    path = write_nifti(tmp_path, "scan", siemens, SIDECAR)
    path.write_bytes(path.read_bytes()[:-400])
    result = iap.predict(path)
    assert row_of(result, "echo_time")["header"] == 21
    assert not result.pictures
    assert any(note.startswith("No slices are shown: ") for note in result.provenance.notes)
