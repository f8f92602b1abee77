"""Cases added to a dataset: what is written, what is refused, and that nothing is half written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.interactive.dataset import open_dataset, read_case
from DeepMRILib.interactive.dataset_check import check_dataset
from DeepMRILib.interactive.example_pipeline import example_case, export_inputs
from DeepMRILib.interactive.export import export, export_case
from DeepMRILib.interactive.options_pipeline import ExportOptions
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.volume import LabelVolume, Volume


def _case(number: int = 0) -> tuple[Volume, np.ndarray, LabelVolume]:
    volume, mask = example_case(number)
    return volume, synthetic_points(mask, depth=2.0, seed=number), mask


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of one case."""
    place = tmp_path / "Task401_New"
    export_case(place, "first", *_case(), modalities=("T1",), subtype="lipoma")
    return place


def test_a_new_dataset_is_made_and_read_again(folder: Path) -> None:
    dataset = open_dataset(folder)
    assert (dataset.name, dataset.channels, dataset.labels) == ("Task401_New", ("T1",), {1: "lesion"})
    assert dataset.cases[0].subtype == "lipoma"
    volume, points, mask = _case()
    images, label, found = read_case(dataset.cases[0])
    np.testing.assert_allclose(images[0].array, volume.array, rtol=1e-6)
    np.testing.assert_array_equal(label.array, mask.array)
    voxels = {tuple(row) for row in np.rint(volume.voxel_from_ras(points)).astype(int).tolist()}
    assert {tuple(row) for row in np.rint(images[0].voxel_from_ras(found["lesion"])).astype(int).tolist()} == voxels
    assert check_dataset(dataset) == ()
    assert sorted(_snapshot(folder)) == [
        "dataset.json", "imagesTr/first_0000.nii.gz", "interactionsTr/first.nii.gz", "labelsTr/first.nii.gz",
    ]  # fmt: skip


def test_files_are_as_interactivenet_wants_them(folder: Path) -> None:
    import nibabel

    image, label, points = (
        nibabel.load(folder / path)
        for path in ("imagesTr/first_0000.nii.gz", "labelsTr/first.nii.gz", "interactionsTr/first.nii.gz")
    )
    assert np.array_equal(image.affine, label.affine)
    assert np.array_equal(image.affine, points.affine)
    assert image.shape == label.shape == points.shape
    assert set(np.unique(points.dataobj)) == {0, 1}
    content = json.loads((folder / "dataset.json").read_text())
    entry = content["train"][0]
    assert {*entry} == {"image", "label", "interaction", "class"}
    assert (content["numTraining"], content["numTest"]) == (1, 0)


def test_the_entry_is_added_and_all_else_stays(folder: Path) -> None:
    path = folder / "dataset.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "reference": "ours", "unknown": [1, 2]}))
    export_case(folder, "second", *_case(1))
    export_case(folder, "held", *_case(2), subset="test")
    after = json.loads(path.read_text())
    assert (after["reference"], after["unknown"]) == ("ours", [1, 2])
    assert [entry["image"] for entry in after["train"]] == [
        "./imagesTr/first_0000.nii.gz",
        "./imagesTr/second_0000.nii.gz",
    ]
    assert after["training"] == after["train"]
    assert after["test"][0]["interaction"] == "./interactionsTs/held.nii.gz"
    assert (after["numTraining"], after["numTest"]) == (2, 1)
    assert check_dataset(open_dataset(folder)) == ()


def test_a_name_that_is_taken_is_refused_and_replaced_when_asked(folder: Path) -> None:
    before = _snapshot(folder)
    with pytest.raises(InputError, match="has a case first already"):
        export_case(folder, "first", *_case(1))
    assert _snapshot(folder) == before
    volume, points, _ = _case(1)
    export_case(folder, "first", volume, points, subset="test", overwrite=True)
    dataset = open_dataset(folder)
    assert (len(dataset.cases), len(dataset.test_cases)) == (0, 1)
    # nothing of the old case is left to be taken for the new one's
    assert sorted(_snapshot(folder)) == ["dataset.json", "imagesTs/first_0000.nii.gz", "interactionsTs/first.nii.gz"]


def test_several_images_labels_and_negative_points(tmp_path: Path) -> None:
    volume, points, mask = _case()
    two = LabelVolume(np.where(mask.array, 2, 0) + (np.indices(mask.shape)[0] > 21), mask.affine, {1: "rim", 2: "core"})
    rim = two.ras_from_voxel([[22, 5, 5], [23, 6, 6], [22, 9, 9], [23, 15, 2], [22, 3, 14], [23, 20, 20]])
    other = Volume(np.arange(12.0 * 12 * 12).reshape(12, 12, 12), volume.affine @ np.diag([2, 2, 2, 1]))
    case = export_case(
        tmp_path, "a", [volume, other], {"core": points, "rim": rim}, two,
        negative=rim[:2] + 0.5, modalities=("T1", "T2"),
    )  # fmt: skip
    assert [path.name for path in case.images] == ["a_0000.nii.gz", "a_0001.nii.gz"]
    dataset = open_dataset(tmp_path)
    assert dataset.labels == {1: "core", 2: "rim"}
    images, label, found = read_case(dataset.cases[0])
    assert images[1].same_grid(volume)
    np.testing.assert_array_equal(label.array == 1, two.array == 2)
    assert {name: len(some) for name, some in found.items()} == {"core": 6, "rim": 6}
    np.testing.assert_allclose(files.read_points(tmp_path / "negativeTr" / "a.csv"), rim[:2] + 0.5)
    assert check_dataset(dataset) == ()


def test_a_raw_folder_gets_its_description(folder: Path) -> None:
    (folder / "dataset.json").unlink()
    export_case(folder, "second", *_case(1))
    assert [case.name for case in open_dataset(folder).cases] == ["first", "second"]


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    volume, points, mask = _case()
    before = _snapshot(folder)
    wrong = [
        ((folder, "x", [volume, volume], points, mask), {}, "has 1 image of each case .T1., and 2 were given"),
        ((folder, "x", volume, {"a": points, "b": points}, mask), {}, "points of a; the dataset's labels are lesion"),
        ((folder, "x", volume, points, mask), {"modalities": ("CT",)}, "has T1. Leave them out"),
        ((folder, "x", volume, points + 500, mask), {}, "Point 1 of lesion at .* lies outside the image"),
        ((folder, "x", volume, np.zeros((0, 3)), mask), {}, "There is no point"),
        ((folder, "x", volume, points, Volume(mask.array[1:], mask.affine)), {}, "does not lie on the image's grid"),
        ((folder, "x", volume, points, mask.like(mask.array * 0)), {}, "The mask is empty"),
        ((folder, "x", [], points, mask), {}, "There is no image"),
        ((folder, "../x", volume, points, mask), {}, "cannot name a case"),
        ((folder, "x_0001", volume, points, mask), {}, "as these number the modalities"),
        ((tmp_path / "new", "x", volume, points, mask), {"modalities": ("T1", "T2")}, "2 modalities were named for 1"),
    ]  # fmt: skip
    for given, keywords, sentence in wrong:
        with pytest.raises(InputError, match=sentence):
            export_case(*given, **keywords)
    assert _snapshot(folder) == before
    assert not (tmp_path / "new").exists()


def test_a_failed_write_leaves_the_dataset_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = _snapshot(folder)
    real, written = files.write_volume, []

    def failing(volume: Volume, path: Path, **settings: object) -> None:
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(path)
        real(volume, path, **settings)

    monkeypatch.setattr(files, "write_volume", failing)
    with pytest.raises(OutputError, match="the disk is full"):
        export_case(folder, "second", *_case(1))
    assert _snapshot(folder) == before
    assert check_dataset(open_dataset(folder)) == ()


def test_the_job_writes_to_a_dataset(tmp_path: Path) -> None:
    options = ExportOptions(dataset=str(tmp_path / "ds"), case="one", modalities=("CT",), subtype="a")
    given = export_inputs()
    result = export(given["volume"], given["points_ras"], options, mask=given["mask"])
    assert result.table.columns["holds"] == ["CT", "label", "interactions"]
    assert all(Path(path).is_file() for path in result.table.columns["file"])
    assert open_dataset(tmp_path / "ds").channels == ("CT",)
    result.save(tmp_path / "out")
    assert (tmp_path / "out" / "table.csv").is_file()


def test_without_a_dataset_the_case_is_the_result(tmp_path: Path) -> None:
    given = export_inputs()
    path = tmp_path / "t2.nii.gz"
    files.write_volume(given["volume"], path)
    result = export(given["volume"], given["points_ras"], mask=given["mask"], channels=[path])
    result.save(tmp_path / "out")
    assert {item.name for item in (tmp_path / "out").iterdir()} >= {
        "image_1.nii.gz", "image_2.nii.gz", "interactions.nii.gz", "label.nii.gz", "result.json",
    }  # fmt: skip
    assert (files.read_volume(tmp_path / "out" / "interactions.nii.gz").array > 0).sum() == 6
    assert all((tmp_path / "out" / name).is_file() for name in result.table.columns["file"])
    assert result.table.columns["holds"] == ["MR 1", "MR 2", "label", "interactions"]


def test_points_in_one_voxel_are_told() -> None:
    given = export_inputs()
    points = np.concatenate([given["points_ras"], given["points_ras"][:1] + 0.01])
    notes = export(given["volume"], points, mask=given["mask"]).provenance.notes
    assert notes == ("1 of 7 points share their voxel with another and are one in the file.",)
