"""Folders are recognised, read by case, and refused in a sentence that names the file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from files_dicom_writer import write_classic
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.igs import DataOptions, SampleResult, read_dataset
from DeepMRILib.results import Provenance
from DeepMRILib.volume import DiffusionVolume, LabelVolume, Volume

ALL = DataOptions()
AFFINE = np.diag([1.5, 1.5, 8.0, 1.0])


def image_of(shape: tuple[int, ...] = (10, 8, 3), value: float = 100.0) -> NDArray:
    return np.full(shape, value, np.float32) + np.arange(shape[0])[:, None, None].reshape(-1, *[1] * (len(shape) - 1))


def labels_of(shape: tuple[int, ...] = (10, 8, 3), *values: int) -> NDArray:
    array = np.zeros(shape, np.uint8)
    for place, value in enumerate(values or (1,)):
        array[place + 1] = value
    return array


def save(path: Path, array: NDArray, affine: NDArray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_volume(Volume(array, affine), path)
    return path


def make_acdc(folder: Path, patients: int = 4) -> None:
    for number in range(1, patients + 1):
        name = f"patient{number:03d}"
        shape = (10 + number, 8, 3)
        save(folder / name / f"{name}_4d.nii.gz", image_of((*shape, 2)))
        (folder / name / "Info.cfg").write_text("ED: 1")
        for frame in ("01", "12"):
            save(folder / name / f"{name}_frame{frame}.nii.gz", image_of(shape))
            save(folder / name / f"{name}_frame{frame}_gt.nii.gz", labels_of(shape, 1, 2, 3))


def make_brats(folder: Path, cases: int = 3) -> None:
    for number in range(1, cases + 1):
        name = f"BraTS20_Training_{number:03d}"
        for value, contrast in enumerate(("flair", "t1", "t1ce", "t2"), start=1):
            save(folder / name / f"{name}_{contrast}.nii.gz", image_of(value=10.0 * value))
        save(folder / name / f"{name}_seg.nii.gz", labels_of((10, 8, 3), 1, 2, 4))


def make_decathlon(folder: Path, cases: int = 4) -> None:
    names = [f"BRATS_{number:03d}" for number in range(1, cases + 1)]
    for name in names:
        save(folder / "imagesTr" / f"{name}.nii.gz", np.stack([image_of(), image_of()], axis=3))
        save(folder / "labelsTr" / f"{name}.nii.gz", labels_of())
    training = [{"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"} for name in names]
    content = {
        "name": "BRATS",
        "modality": {"0": "FLAIR", "1": "T1w"},
        "labels": {"0": "background", "1": "edema", "2": "tumor"},
        "training": training,
    }
    (folder / "dataset.json").write_text(json.dumps(content))


@pytest.mark.parametrize("below", ["", "database/training"])
def test_acdc(tmp_path: Path, below: str) -> None:
    make_acdc(tmp_path / below)
    found = read_dataset(tmp_path, ALL)
    assert found.images.shape == (4 * 2 * 3, 1, 8, 14)
    assert found.names == {1: "RV cavity", 2: "LV myocardium", 3: "LV cavity"}
    assert sorted(set(found.cases)) == ["patient001", "patient002", "patient003", "patient004"]
    assert found.spacing == (1.5, 1.5)
    assert found.notes[0] == "The folder was read as ACDC: 8 images of 4 cases."
    assert any("4 sizes" in note and "8 x 14" in note for note in found.notes)


def test_parts_keep_patients_apart_and_read_no_others(tmp_path: Path) -> None:
    make_acdc(tmp_path)
    parts = {part: read_dataset(tmp_path, DataOptions(part=part)) for part in ("train", "select", "test")}
    assert [len(set(part.cases)) for part in parts.values()] == [2, 1, 1]
    assert set().union(*(part.cases for part in parts.values())) == set(read_dataset(tmp_path, ALL).cases)
    held = parts["test"].cases[0]
    (tmp_path / held / f"{held}_frame01.nii.gz").write_bytes(b"broken")
    assert len(read_dataset(tmp_path, DataOptions(part="train"))) == len(parts["train"])
    with pytest.raises(InputError, match=f"{held}_frame01.nii.gz is not a complete NIfTI file"):
        read_dataset(tmp_path, DataOptions(part="test"))


def test_slices_are_spread_over_the_cases(tmp_path: Path) -> None:
    make_acdc(tmp_path)
    found = read_dataset(tmp_path, DataOptions(slices=8, size=(12, 12)))
    assert found.images.shape == (8, 1, 12, 12)
    assert len(set(found.cases)) == 4
    few = read_dataset(tmp_path, DataOptions(slices=2))
    assert len(few) == 2
    assert len(set(few.cases)) == 2


def test_brats(tmp_path: Path) -> None:
    make_brats(tmp_path)
    found = read_dataset(tmp_path, ALL)
    assert found.images.shape == (9, 4, 8, 10)
    np.testing.assert_array_equal(found.images[0, :, 0, 0], [10, 20, 30, 40])
    assert set(np.unique(found.targets)) == {0, 1, 2, 3}
    assert found.names == {1: "NCR/NET", 2: "ED", 3: "ET"}
    assert any("tumour core 1 + 3" in note for note in found.notes)


def test_the_case_of_brats_with_another_name_and_one_without_a_contrast(tmp_path: Path) -> None:
    make_brats(tmp_path)
    folder = tmp_path / "BraTS20_Training_002"
    (folder / "BraTS20_Training_002_seg.nii.gz").rename(folder / "W39_1998.09.19_Segm.nii.gz")
    assert len(set(read_dataset(tmp_path, ALL).cases)) == 3
    (folder / "BraTS20_Training_002_t1ce.nii.gz").unlink()
    with pytest.raises(InputError, match="BraTS20_Training_002 has no BraTS20_Training_002_t1ce.nii.gz"):
        read_dataset(tmp_path, ALL)


def test_contrasts_on_other_grids_are_refused(tmp_path: Path) -> None:
    make_brats(tmp_path)
    save(tmp_path / "BraTS20_Training_003" / "BraTS20_Training_003_t2.nii.gz", image_of((10, 8, 4)))
    with pytest.raises(InputError, match="BraTS20_Training_003_t2.nii.gz does not lie on the grid"):
        read_dataset(tmp_path, ALL)


def test_the_decathlon(tmp_path: Path) -> None:
    make_decathlon(tmp_path)
    found = read_dataset(tmp_path, ALL)
    assert found.images.shape == (12, 2, 8, 10)
    assert found.names == {1: "edema", 2: "tumor"}
    assert found.classes == 3  # named, though it does not occur
    assert "Contrasts: FLAIR, T1w." in found.notes


def test_nnunets_form_of_dataset_json(tmp_path: Path) -> None:
    for channel in (0, 1):
        save(tmp_path / "imagesTr" / f"case1_{channel:04d}.nii.gz", image_of(value=1.0 + channel))
    save(tmp_path / "labelsTr" / "case1.nii.gz", labels_of())
    content = {"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "cyst": 1}, "numTraining": 1}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    found = read_dataset(tmp_path, ALL)
    assert found.images.shape == (3, 2, 8, 10)
    assert found.names == {1: "cyst"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not valid JSON"),
        ("[]", "describes no segmentation"),
        ('{"labels": {"0": "background"}, "training": ["x"]}', "expected an image and a label"),
        ('{"labels": {"0": "background"}, "training": []}', "lists no cases"),
        ('{"labels": {"tumour": [1, 2]}, "training": [{"image": "a.nii", "label": "b.nii"}]}', "names the label"),
    ],
)
def test_a_dataset_json_that_says_nothing_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(InputError, match=words):
        read_dataset(tmp_path, ALL)


def test_two_folders_with_equal_names(tmp_path: Path) -> None:
    for name in "abc":
        save(tmp_path / "images" / f"{name}.nii.gz", image_of())
    for name in "ab":
        save(tmp_path / "labels" / f"{name}.nii.gz", labels_of((10, 8, 3), 255))
    found = read_dataset(tmp_path, ALL)
    assert sorted(set(found.cases)) == ["a", "b"]
    assert set(np.unique(found.targets)) == {0, 1}
    assert "1 of 3 images have no label map and were left out." in found.notes
    apart = read_dataset(tmp_path / "images", ALL, labels=tmp_path / "labels")
    np.testing.assert_array_equal(apart.targets, found.targets)
    with pytest.raises(InputError, match="No image of .* has a label map of the same name"):
        read_dataset(tmp_path / "images", ALL, labels=tmp_path)


@pytest.mark.parametrize("suffix", ["_seg", "_label", "_labels", "_mask", "_gt"])
def test_label_maps_beside_images(tmp_path: Path, suffix: str) -> None:
    for name in ("one", "two"):
        save(tmp_path / f"{name}.nii.gz", image_of())
        labels = LabelVolume(labels_of((10, 8, 3), 2), AFFINE, {2: "liver"})
        files.write_labels(labels, tmp_path / f"{name}{suffix}.nii.gz")
    found = read_dataset(tmp_path, ALL)
    assert sorted(set(found.cases)) == ["one", "two"]
    assert found.names == {2: "liver"}
    assert found.classes == 3


def test_all_parts_of_plain_folders_have_the_same_classes(tmp_path: Path) -> None:
    for number in range(8):
        save(tmp_path / f"case{number}.nii.gz", image_of())
        save(tmp_path / f"case{number}_seg.nii.gz", labels_of((10, 8, 3), *((1, 4) if number == 0 else (1,))))
    parts = [read_dataset(tmp_path, DataOptions(part=part)) for part in ("train", "select", "test")]
    assert [part.classes for part in parts] == [5, 5, 5]


def test_images_alone_are_for_reconstruction(tmp_path: Path) -> None:
    for name in "abcd":
        save(tmp_path / f"{name}.nii.gz", image_of())
    found = read_dataset(tmp_path, ALL)
    assert found.task == "reconstruction"
    assert any("holds no labels" in note for note in found.notes)


def test_classes_in_a_table(tmp_path: Path) -> None:
    rows = ["file,label,case"]
    for number in range(8):
        save(tmp_path / f"{number}.nii.gz", image_of((10, 8, 1)))
        rows.append(f"{number}.nii.gz,{'tumour' if number % 4 == 0 else 'healthy'},p{number}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    found = read_dataset(tmp_path, ALL)
    assert found.task == "classification"
    assert found.names == {0: "healthy", 1: "tumour"}
    np.testing.assert_array_equal(found.targets, [1, 0, 0, 0, 1, 0, 0, 0])
    (tmp_path / "labels.csv").write_text("file;label\n0.nii.gz;2\n1.nii.gz;1\n")
    np.testing.assert_array_equal(read_dataset(tmp_path, ALL).targets, [2, 1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name,label\na,1\n", "has no file"),
        ("file,label\n", "has no rows"),
        ("file,label\nx.nii.gz,1\n", "'x.nii.gz', which is not there"),
        ("file,label\na.nii.gz,\n", "without a label"),
        ("file,label\na.nii.gz,1\n", "one class only"),
        ("file,label\na.nii.gz,1\na.nii.gz,2\n", "'a.nii.gz' more than once"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path: Path, text: str, words: str) -> None:
    save(tmp_path / "a.nii.gz", image_of())
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        read_dataset(tmp_path, ALL)


def test_our_own_sample(tmp_path: Path) -> None:
    radians = np.linspace(-3, 3, 240).reshape(10, 8, 3).astype(np.float32)
    result = SampleResult(
        Provenance("igs.sample", "phantom", {}, notes=("A phantom.",)),
        Volume(image_of(), AFFINE),
        LabelVolume(labels_of(), AFFINE, {1: "ring"}),
        Volume(radians, AFFINE),
    )
    result.save(tmp_path / "sample")
    found = read_dataset(tmp_path / "sample", ALL)
    assert len(set(found.cases)) == len(found) == 3
    assert found.names == {1: "ring"}
    np.testing.assert_allclose(np.angle(found.images[:, 0]), radians.transpose(2, 1, 0), atol=1e-5)
    assert "A phantom." in found.notes
    assert any(note.endswith("a sample of DeepMRI: 1 image.") for note in found.notes)  # its 3 slices are 3 cases
    assert len(read_dataset(tmp_path / "sample", DataOptions(part="test"))) == 1


def test_a_dicom_series_with_labels_drawn_on_it(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(1, 500, (10, 8, 3, 1)).astype(np.int16)
    write_classic(tmp_path / "dicom", DiffusionVolume(array, AFFINE, [0]), weighted=False)
    image = files.read_volume(tmp_path / "dicom")
    labels = LabelVolume(labels_of(image.shape, 1), image.affine)
    found = read_dataset(tmp_path / "dicom", ALL, labels=labels)
    np.testing.assert_array_equal(found.images[:, 0], np.asarray(image).transpose(2, 1, 0))
    assert set(found.cases) == {"dicom"}
    assert found.task == "segmentation"


def test_labels_that_do_not_fit_name_their_case(tmp_path: Path) -> None:
    make_acdc(tmp_path)
    save(tmp_path / "patient002" / "patient002_frame12_gt.nii.gz", labels_of((12, 8, 4), 1))
    with pytest.raises(InputError, match=r"patient002_frame12.nii.gz: The label map has 12 x 8 x 4 voxels"):
        read_dataset(tmp_path, ALL)


def test_cases_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.nii.gz", image_of())
    save(tmp_path / "b.nii.gz", np.stack([image_of()] * 2, axis=3))
    with pytest.raises(InputError, match="b has 2 contrasts and a 1"):
        read_dataset(tmp_path, ALL)
    save(tmp_path / "b.nii.gz", image_of() + 1j)
    with pytest.raises(InputError, match="b is complex and a magnitudes"):
        read_dataset(tmp_path, ALL)


def test_pixels_of_other_sizes_are_pointed_out(tmp_path: Path) -> None:
    save(tmp_path / "a.nii.gz", image_of())
    save(tmp_path / "b.nii.gz", image_of(), np.diag([2.0, 2.0, 8.0, 1.0]))
    found = read_dataset(tmp_path, ALL)
    assert found.spacing == (1.75, 1.75)
    assert any("from 1.5 x 1.5 to 2 x 2 mm" in note for note in found.notes)


def test_images_that_are_turned_otherwise_are_pointed_out(tmp_path: Path) -> None:
    save(tmp_path / "a.nii.gz", image_of())
    save(tmp_path / "b.nii.gz", image_of(), AFFINE[:, [1, 0, 2, 3]])
    assert any("oriented differently" in note for note in read_dataset(tmp_path, ALL).notes)


def test_a_folder_of_arrays_is_raw_data(tmp_path: Path, rng: np.random.Generator) -> None:
    for name in "ab":
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(4, 12, 10)) + 1j * rng.normal(size=(4, 12, 10)))
    found = read_dataset(tmp_path, ALL)
    assert found.cases.tolist() == ["a", "b"]
    assert found.coil_images.shape == (2, 1, 4, 12, 10)
    assert "The folder was read as 2 files of raw data." in found.notes


def test_folders_with_nothing_in_them_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is empty"):
        read_dataset(tmp_path, ALL)
    (tmp_path / "readme.txt").write_text("nothing")
    with pytest.raises(InputError, match="holds nothing that can be used"):
        read_dataset(tmp_path, ALL)


def test_labels_given_with_a_folder_that_holds_its_own_are_refused(tmp_path: Path) -> None:
    make_acdc(tmp_path)
    with pytest.raises(InputError, match="Labels can be given with one image"):
        read_dataset(tmp_path, ALL, labels=tmp_path / "labels.nii.gz")


def test_more_than_the_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_acdc(tmp_path)
    monkeypatch.setattr("DeepMRILib.igs.reading.free_memory", lambda device: 20_000)
    with pytest.raises(InputError, match="The slices of 8 files need about"):
        read_dataset(tmp_path, ALL)
