"""A pattern applied: the image that its lines give, on any axis, and what a network makes of it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from DeepMRILib import files, igs
from DeepMRILib.errors import InputError
from DeepMRILib.igs.example import apply_inputs
from DeepMRILib.igs.measuring import measured
from DeepMRILib.igs.slicing import slices_of, volume_of
from DeepMRILib.volume import Volume

CASES = [
    ((-1,), (9,), "k"), ((-2,), (8,), "k"), ((-2, -1), (8, 9), "k"), ((-1,), (8,), "i"), ((-2,), (7,), "i"),
    ((-1,), (9,), "j"), ((-2,), (7,), "j"), ((-3,), (7,), "volume"), ((-3, -1), (7, 9), "volume"),
    ((-2, -1), (8, 9), "volume"),
]  # fmt: skip


def pattern(shape: tuple[int, ...], axes: tuple[int, ...], contrasts: int = 1) -> igs.Pattern:
    """Half of the lines or points, at random."""
    random = np.random.default_rng(0)
    size = int(np.prod(shape))
    orders = [tuple(int(line) for line in random.permutation(size)[: size // 2]) for _ in range(contrasts)]
    return igs.Pattern(tuple(orders), shape, axes)


@pytest.mark.parametrize(("axes", "shape", "slice_axis"), CASES)
@pytest.mark.parametrize("contrasts", [1, 2, -2])
@pytest.mark.parametrize("kind", ["c", "f"])
def test_an_image_through_a_pattern_is_what_its_slices_are(axes, shape, slice_axis, contrasts, kind, rng):
    """Of odd and even sizes, and of contrasts that share a mask (2) or have their own (-2)."""
    array = rng.random((9, 8, 7) if contrasts == 1 else (9, 8, 7, 2))
    array = array + 1j * rng.random(array.shape) if kind == "c" else array
    image, made = Volume(array, np.diag([2.0, 3, 4, 1])), pattern(shape, axes, max(1, -contrasts))
    options = igs.DataOptions(slice_axis=slice_axis)
    expected = volume_of(
        measured(igs.SliceDataset(slices_of(image, options)), made.masks(), made.encoding), image, options
    )
    found = igs.undersample(image, made, slice_axis=slice_axis)
    assert found.array.dtype == np.float32
    assert found.same_grid(image)
    np.testing.assert_allclose(found.array, expected.array, atol=2e-6)


def test_all_lines_leave_the_image_as_it_was(rng):
    image = rng.integers(0, 1000, (9, 8, 7)).astype(np.int16)
    whole = igs.Pattern((tuple(range(9)),), (9,), (-1,))
    np.testing.assert_allclose(igs.undersample(image, whole).array, image, atol=1e-3)


def test_the_number_of_lines_and_the_kind_are_chosen(rng):
    image = rng.random((16, 8, 2))
    made = igs.Pattern(((8, 1, 15, 4),), (16,), (-1,))
    dc = np.abs(image.mean(axis=0, keepdims=True)).repeat(16, axis=0)
    np.testing.assert_allclose(igs.undersample(image, made, 1).array, dc, atol=1e-6)
    np.testing.assert_allclose(igs.undersample(image, made, acceleration=16).array, dc, atol=1e-6)
    centre = igs.undersample(image, made, 3, kind="centre").array
    lines = igs.Pattern(((8, 7, 9),), (16,), (-1,))
    np.testing.assert_allclose(centre, igs.undersample(image, lines).array, atol=1e-6)


@pytest.mark.parametrize(
    ("made", "slice_axis", "sentence"),
    [
        (pattern((16,), (-1,)), "k", r"for 16 lines along the axis -1, and the slices have 9 pixels there \(8 x 9\)"),
        (pattern((9,), (-1,)), "i", r"for 9 lines along the axis -1, and the slices have 8"),
        (pattern((7,), (-3,)), "k", "The pattern is for volumes"),
        (pattern((9,), (-1,), contrasts=2), "k", "The pattern is for 2 contrasts, and the images have 1"),
    ],
)
def test_a_pattern_for_other_images_is_refused(made, slice_axis, sentence, rng):
    with pytest.raises(InputError, match=sentence):
        igs.undersample(rng.random((9, 8, 7)), made, slice_axis=slice_axis)
    with pytest.raises(InputError, match=sentence):
        igs.apply(Volume(rng.random((9, 8, 7))), made, igs.ApplyOptions(slice_axis=slice_axis))


def test_more_lines_than_the_pattern_has_and_bad_images_are_refused(rng):
    made = pattern((8,), (-1,))
    with pytest.raises(InputError, match="5 lines were asked for, and the pattern was searched up to 4"):
        igs.undersample(rng.random((8, 8, 2)), made, 5)
    with pytest.raises(InputError, match="NaN"):
        igs.undersample(np.full((8, 8, 2), np.nan), made)
    with pytest.raises(InputError, match="either a number of lines or an acceleration"):
        igs.apply(Volume(rng.random((8, 8, 2))), made, igs.ApplyOptions(lines=2, acceleration=4.0))


def test_the_job_gives_what_undersample_gives_and_saves_it(tmp_path):
    inputs = apply_inputs()
    image, made = inputs["data"], inputs["pattern"]
    result = igs.apply(image, made, igs.ApplyOptions(lines=6, kind="igs"))
    np.testing.assert_allclose(result.undersampled.array, igs.undersample(image, made, 6).array, atol=1e-5)
    assert result.undersampled.same_grid(image)
    np.testing.assert_array_equal(result.mask, np.tile(made.mask(6), (48, 1)))
    folder = result.save(tmp_path / "out")
    assert {path.name for path in folder.iterdir()} == {"undersampled.nii.gz", "mask.npy", "result.json"}
    about = json.loads((folder / "result.json").read_text())["provenance"]
    assert about["inputs"]["lines"] == 6
    assert about["inputs"]["kind"] == "igs"
    assert any("k-space was simulated from magnitude images" in note for note in about["notes"])


def test_the_phase_of_the_image_counts():
    inputs = apply_inputs()
    image, phase, made = inputs["data"], inputs["phase"], inputs["pattern"]
    turned = Volume(image.array * np.exp(1j * phase.array), image.affine)
    result = igs.apply(image, made, igs.ApplyOptions(kind="igs"), phase=phase)
    np.testing.assert_allclose(result.undersampled.array, igs.undersample(turned, made).array, atol=1e-5)
    assert not any("simulated from magnitude" in note for note in result.provenance.notes)


def test_the_recommended_pattern_is_taken_and_said():
    inputs = apply_inputs()
    result = igs.apply(inputs["data"], inputs["pattern"], igs.ApplyOptions(lines=6))
    assert result.provenance.inputs["kind"] == "block"
    assert result.mask[0].sum() == 6


def test_files_folders_and_slices_are_taken(tmp_path):
    inputs = apply_inputs()
    made = inputs["pattern"]
    made.save(tmp_path / "pattern.json")
    sample = igs.sample(igs.SampleOptions(cases=4, size=48)).save(tmp_path / "sample")
    from_file = igs.apply(sample / "image.nii.gz", tmp_path / "pattern.json").undersampled
    image = files.read_volume(sample / "image.nii.gz")
    assert from_file.same_grid(image)
    from_folder = igs.apply(sample, tmp_path).undersampled
    assert from_folder.shape == (48, 48, 4)
    hearts = igs.ring_phantom(4, 48)
    from_slices = igs.apply(hearts, made).undersampled
    assert from_slices.spacing[:2] == pytest.approx(hearts.spacing)
    np.testing.assert_allclose(from_slices.array, from_folder.array, atol=1e-4)


def test_empty_slices_stay_where_they_are():
    inputs = apply_inputs()
    array = inputs["data"].array.copy()
    array[:, :, [0, 3]] = 0
    found = igs.apply(Volume(array), inputs["pattern"]).undersampled.array
    np.testing.assert_array_equal((found != 0).any(axis=(0, 1)), [False, True, True, False, True, True, True, True])


def test_slices_are_padded_to_the_patterns_size_and_cut_back():
    image = apply_inputs()["data"]
    made = pattern((64,), (-1,))
    result = igs.apply(image, made, igs.ApplyOptions(size=(64, 64), slices=3))
    assert result.undersampled.shape == image.shape
    padded = np.zeros((64, 48, 8), dtype=np.float32)
    padded[8:56] = image.array
    expected = igs.undersample(padded, made).array[8:56]
    taken = [1, 4, 6]
    np.testing.assert_allclose(result.undersampled.array[:, :, taken], expected[:, :, taken], atol=1e-5)
    assert not np.delete(result.undersampled.array, taken, axis=2).any()


def test_several_volumes_are_refused():
    volumes = igs.SliceDataset(np.ones((2, 1, 4, 8, 8)))
    with pytest.raises(InputError, match="The data are 2 volumes; a pattern is applied to one at a time"):
        igs.apply(volumes, pattern((8,), (-1,)))


@pytest.mark.torch
class TestNetworks:
    """What a network makes of an undersampled image."""

    @pytest.fixture(autouse=True)
    def torch(self):
        return pytest.importorskip("torch")

    def test_a_network_segments_the_undersampled_image_scaled_by_the_full_one(self, torch):
        class Brightness(torch.nn.Module):
            def forward(self, images):
                return torch.cat([torch.zeros_like(images), images - 1, 2 * (images - 2)], dim=1)

        network = Brightness()
        network.trained_on = {"labels": {"1": "bright", "2": "brighter"}}
        inputs = apply_inputs()
        image = inputs["data"]
        result = igs.apply(image, inputs["pattern"], igs.ApplyOptions(device="cpu", kind="igs"), network=network)
        seen, full = result.undersampled.array, image.array
        score = (seen - full.mean(axis=(0, 1))) / full.std(axis=(0, 1))
        np.testing.assert_array_equal(result.segmentation.array, (score > 1).astype(int) + (score > 3))
        assert result.segmentation.names == {1: "bright", 2: "brighter"}
        assert result.segmentation.same_grid(image)
        assert result.provenance.inputs["network"] == "Brightness"

    def test_a_module_that_tells_classes_fills_the_table(self, torch):
        class Brightness(torch.nn.Module):
            def forward(self, images):
                return torch.stack([images[:, 0, 0, 0], images[:, 0, 0, 1]], dim=1)

        hearts = igs.ring_phantom(3, 32)
        table = igs.apply(hearts, pattern((32,), (-1,)), network=Brightness()).classes
        assert table.columns["slice"] == [0, 1, 2]
        assert set(table.columns["class"]) <= {"0", "1"}
        assert all(0.5 <= value <= 1 for value in table.columns["probability"])

    def test_a_module_that_makes_images_gives_the_reconstruction_in_the_images_units(self, torch):
        hearts = igs.ring_phantom(3, 32, noise=0)
        result = igs.apply(hearts, pattern((32,), (-1,)), network=torch.nn.Identity())
        np.testing.assert_allclose(result.reconstruction.array, result.undersampled.array, atol=1e-5)
