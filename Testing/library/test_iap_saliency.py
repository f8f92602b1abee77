"""What of a slice decides: patches of the slice are hidden, one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from iap_models import HalvesModel, halves, volume_of

from DeepMRILib import iap
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.iap.answering import answers
from DeepMRILib.iap.saliency import occlusion
from DeepMRILib.volume import Volume


class CornerModel(HalvesModel):
    """The echo time is how bright one spot at the top left is; the vendor, how bright one at the bottom right is."""

    def _one(self, image):
        spot, other = image[6:10, 6:10].mean(), image[30:34, 30:34].mean()
        return np.array([0, -9, (other - 50) / 10, 0, 0, spot / 100, np.log(0.5), 0, 0, 0, 0])


def slice_with_spots() -> np.ndarray:
    """Noise, and two bright spots on a dark ground."""
    image = np.random.default_rng(0).uniform(0, 5, (40, 40))
    image[6:10, 6:10] += 200
    image[30:34, 30:34] += 200
    return image.astype(np.uint16)


def heaviest(found) -> tuple[int, int]:
    return tuple(int(place) for place in np.unravel_index(np.abs(found).argmax(), found.shape))


def test_the_map_is_large_where_the_answer_comes_from():
    model, image = CornerModel(), slice_with_spots()
    told = answers(model, [image])
    vendor = occlusion(model, image, told["manufacturer"])
    assert vendor.shape == image.shape
    assert vendor.dtype == np.float32
    row, column = heaviest(vendor)
    assert 25 <= row <= 38
    assert 25 <= column <= 38
    assert vendor.max() > 0.5, "hiding the spot costs SIEMENS its probability"
    assert np.abs(vendor[:20, :20]).max() < 1e-6
    echo = occlusion(model, image, told["echo_time"])
    row, column = heaviest(echo)
    assert 3 <= row <= 14
    assert 3 <= column <= 14
    # the spot hidden by its surroundings' mean loses most of 2 in units of 0.5; each pixel is seen by four patches
    assert 1 < echo.max() <= 4
    assert np.abs(echo[20:, 20:]).max() < 1e-6


def test_numbers_without_a_deviation_count_in_tolerances():
    class Single(CornerModel):
        def __init__(self) -> None:
            super().__init__(calibrated=False)
            self.layout = iap.Layout((iap.Head("echo_time", "continuous", 0, 1),))

        def _one(self, image):
            return np.array([image[6:10, 6:10].mean()])

    model, image = Single(), slice_with_spots()
    found = occlusion(model, image, answers(model, [image])["echo_time"])
    assert 5 < found.max() < 20, "all of it is 20 tolerances of 5 %"


def test_nothing_is_asked_about_parts_without_content():
    asked = []

    class Counting(CornerModel):
        def logits(self, slices):
            asked.append(len(slices))
            return super().logits(slices)

    image = np.zeros((64, 64), np.uint16)
    image[6:10, 6:10] = 100
    model = Counting()
    told = answers(model, [image])["echo_time"]
    occlusion(model, image, told)
    assert sum(asked) < 40, "of more than 200 patches only those on or near the spot"


def test_the_map_lies_on_the_image(tmp_path):
    slices = [halves(0.2, 20), halves(0.6, 21), halves(0.3, 22)]
    turned = np.array([[0, 0, 2.0, 5], [-1.5, 0.2, 0, 6], [0.2, 1.5, 0, 7], [0, 0, 0, 1]])
    for image in (volume_of(slices), Volume(volume_of(slices).array, turned)):
        result = iap.predict(image, HalvesModel(), iap.PredictOptions(saliency="manufacturer"))
        assert result.saliency.same_grid(image)
        place = result.parameters.columns["parameter"].index("manufacturer")
        deciding = result.parameters.columns["slice"][place]
        rest = np.delete(result.saliency.array, deciding, axis=2)
        assert np.abs(result.saliency.array[:, :, deciding]).max() > 0
        assert not rest.any()
    result.save(tmp_path / "out")
    assert (tmp_path / "out" / "saliency.nii.gz").is_file()


def test_of_volumes_the_map_is_where_the_spot_is():
    image = np.zeros((40, 40, 3), np.uint16)
    image += slice_with_spots().T[:, :, None]
    volume = Volume(image, np.diag([-2.0, -2.0, 3.0, 1.0]))
    result = iap.predict(volume, CornerModel(), iap.PredictOptions(saliency="echo_time"))
    i, j, _ = np.unravel_index(result.saliency.array.argmax(), image.shape)
    assert 3 <= i <= 14
    assert 3 <= j <= 14


def test_a_slice_without_parts_is_told_and_cancelling_stops():
    model, image = CornerModel(), slice_with_spots()
    told = answers(model, [image])["manufacturer"]
    with pytest.raises(InputError, match=r"shape \(1, 40\) has no parts"):
        occlusion(model, image[:1], told)

    def stop(*_):
        raise Cancelled

    with pytest.raises(Cancelled):
        occlusion(model, image, told, progress=stop)
