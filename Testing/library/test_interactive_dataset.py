"""Datasets for training: their layouts, their cases, and every fault with its sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import InputError, OutputError
from DeepMRILib.interactive.dataset import Dataset, open_dataset, read_case
from DeepMRILib.interactive.dataset_check import check_dataset
from DeepMRILib.interactive.dataset_json import write_dataset_json
from DeepMRILib.volume import Volume

AFFINE = np.array([[-1.1, 0.2, 0, 40], [0.2, 1.1, 0, -30], [0, 0, 2.5, 7], [0, 0, 0, 1]])
SHAPE = (20, 18, 10)
CORNERS = np.array([[6, 9, 5], [13, 9, 5], [9, 6, 5], [9, 13, 5], [9, 9, 3], [9, 9, 7]])


def _label(number: int = 1) -> np.ndarray:
    label = np.zeros(SHAPE, dtype=np.uint8)
    label[5:15, 5:15, 2:9] = number
    return label


def _interactions(value: int = 1, corners: np.ndarray = CORNERS) -> np.ndarray:
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[tuple(corners.T)] = value
    return array


def _write(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_volume(Volume(array, affine), path)


def _add(folder: Path, name: str, *, end: str = "Tr", modalities: int = 1, **changed: np.ndarray) -> None:
    """A case in InteractiveNet's layout; ``changed`` replaces its label or interactions."""
    rng = np.random.default_rng(len(name))
    for number in range(modalities):
        values = rng.normal(100, 10, SHAPE).astype(np.float32)
        _write(folder / f"images{end}" / f"{name}_{number:04d}.nii.gz", values)
    _write(folder / f"labels{end}" / f"{name}.nii.gz", changed.get("label", _label()))
    _write(folder / f"interactions{end}" / f"{name}.nii.gz", changed.get("interactions", _interactions()))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Three cases and one test case in InteractiveNet's layout, two images each."""
    folder = tmp_path / "Task400_Lumps"
    for name in ("case_a", "case_b", "case_c"):
        _add(folder, name, modalities=2)
    _add(folder, "case_t", end="Ts", modalities=2)
    (folder / "subtypes.json").write_text(json.dumps({"case_a": "lipoma", "case_b": "myxoma"}))
    return folder


def _texts(dataset: Dataset) -> str:
    return "\n".join(map(str, check_dataset(dataset)))


def test_a_folder_without_description_is_read_by_its_names(raw: Path) -> None:
    dataset = open_dataset(raw)
    assert dataset.channels == ("MR 1", "MR 2")
    assert dataset.labels == {1: "lesion"}
    assert [case.name for case in dataset.cases] == ["case_a", "case_b", "case_c"]
    assert [case.name for case in dataset.test_cases] == ["case_t"]
    assert [case.subtype for case in dataset.cases] == ["lipoma", "myxoma", ""]
    assert "no dataset.json" in dataset.notes[0]
    assert check_dataset(dataset) == ()


def test_points_come_through_the_affine(raw: Path) -> None:
    images, label, points = read_case(open_dataset(raw).cases[0])
    assert len(images) == 2
    np.testing.assert_array_equal(label.array, _label())
    found = np.rint(images[0].voxel_from_ras(points["lesion"])).astype(int)
    assert set(map(tuple, found.tolist())) == set(map(tuple, CORNERS.tolist()))


def test_written_description_is_read_again_and_serves_both_families(raw: Path) -> None:
    path = write_dataset_json(raw, channels=("T1", "T2"), labels={1: "tumour"})
    content = json.loads(path.read_text())
    assert content["labels"] == {"0": "background", "1": "tumour"}
    assert content["training"] == content["train"]
    assert content["train"][0]["class"] == "lipoma"
    assert content["train"][0]["image"] == "./imagesTr/case_a_0000.nii.gz"
    dataset = open_dataset(raw)
    assert (dataset.channels, dataset.labels) == (("T1", "T2"), {1: "tumour"})
    assert [len(case.images) for case in dataset.cases] == [2, 2, 2]
    assert check_dataset(dataset) == ()
    with pytest.raises(OutputError, match="is there already and is not replaced"):
        write_dataset_json(raw)


def test_decathlon_layout_with_both_modalities_in_one_file(tmp_path: Path) -> None:
    two = np.stack([np.full(SHAPE, 3.0), _label() * 2.0], axis=-1).astype(np.float32)
    _write(tmp_path / "imagesTr" / "BRATS_001.nii.gz", two)
    _write(tmp_path / "labelsTr" / "BRATS_001.nii.gz", _label())
    _write(tmp_path / "imagesTs" / "BRATS_002.nii.gz", two)
    description = {
        "name": "BRATS",
        "modality": {"0": "FLAIR", "1": "T1w"},
        "labels": {"0": "background", "1": "edema"},
        "training": [{"image": "./imagesTr/BRATS_001.nii.gz", "label": "./labelsTr/BRATS_001.nii.gz"}],
        "test": ["./imagesTs/BRATS_002.nii.gz"],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(description))
    dataset = open_dataset(tmp_path, synthetic=3)
    images, _, points = read_case(dataset.cases[0])
    np.testing.assert_array_equal(images[1].array, two[..., 1])
    assert dataset.test_cases[0].label is None
    assert points["edema"].shape == (6, 3)
    assert "synthetic" in dataset.notes[0]
    np.testing.assert_array_equal(
        read_case(open_dataset(tmp_path, synthetic=3).cases[0]).points["edema"], points["edema"]
    )
    assert not np.array_equal(read_case(open_dataset(tmp_path, synthetic=4).cases[0]).points["edema"], points["edema"])


def test_several_labels_keep_their_points_and_are_numbered_in_order(tmp_path: Path) -> None:
    label, shift = _label(2), np.array([0, 0, 0])
    label[16:19, :, :] = 5
    second = np.array([[16, 2, 3], [18, 5, 5], [17, 9, 2], [17, 3, 7], [17, 11, 1], [16, 14, 8]])
    points = _interactions(2) + _interactions(5, second + shift)
    _add(tmp_path, "two", label=label, interactions=points)
    write_dataset_json(tmp_path, labels={2: "core", 5: "rim"})
    dataset = open_dataset(tmp_path)
    assert dataset.label_names == ("core", "rim")
    _, found, by_name = read_case(dataset.cases[0])
    assert found.names == {1: "core", 2: "rim"}
    assert (found.array == 2).sum() == (label == 5).sum()
    assert {name: len(some) for name, some in by_name.items()} == {"core": 6, "rim": 6}
    assert check_dataset(dataset) == ()


def test_points_files_stand_for_interactions(raw: Path) -> None:
    image = files.read_volume(raw / "imagesTr" / "case_a_0000.nii.gz")
    points = image.ras_from_voxel(CORNERS)
    (raw / "interactionsTr" / "case_a.nii.gz").unlink()
    rows = "\n".join(",".join(map(str, row)) for row in points.tolist())
    (raw / "interactionsTr" / "case_a.csv").write_text(f"r,a,s\n{rows}\n")
    (raw / "interactionsTr" / "case_b.nii.gz").unlink()
    markup = {
        "coordinateSystem": "LPS",
        "controlPoints": [{"position": (row * [-1, -1, 1]).tolist()} for row in points],
    }
    (raw / "interactionsTr" / "case_b.mrk.json").write_text(json.dumps({"markups": [markup]}))
    for case in open_dataset(raw).cases[:2]:
        np.testing.assert_allclose(read_case(case).points["lesion"], points, atol=1e-6)


def test_points_of_a_file_take_the_label_they_lie_in(tmp_path: Path) -> None:
    label = _label(1)
    label[16:19, :, :] = 2
    _add(tmp_path, "two", label=label)
    (tmp_path / "interactionsTr" / "two.nii.gz").unlink()
    places = Volume(label, AFFINE).ras_from_voxel([[9, 9, 5], [17, 3, 3], [17, 5, 5]])
    (tmp_path / "interactionsTr" / "two.csv").write_text("\n".join(",".join(map(str, row)) for row in places.tolist()))
    points = read_case(open_dataset(tmp_path).cases[0]).points
    assert {name: len(some) for name, some in points.items()} == {"label 1": 1, "label 2": 2}


def test_interactivenets_description_with_its_only_label_at_zero(raw: Path) -> None:
    content = json.loads(write_dataset_json(raw).read_text())
    text = json.dumps({**content, "labels": {"0": "tumour"}})
    (raw / "dataset.json").write_text(text)
    dataset = open_dataset(raw)
    assert dataset.labels == {1: "tumour"}
    assert "1 is taken as tumour" in dataset.notes[0]


def test_the_home_folder_is_found(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(raw.parent))
    assert len(open_dataset(Path("~") / raw.name).cases) == 3


def test_reading_changes_nothing(raw: Path) -> None:
    before = {path: path.read_bytes() for path in raw.rglob("*") if path.is_file()}
    dataset = open_dataset(raw, synthetic=0)
    check_dataset(dataset)
    assert before == {path: path.read_bytes() for path in raw.rglob("*") if path.is_file()}


def _shifted(mm: float) -> np.ndarray:
    affine = AFFINE.copy()
    affine[2, 3] += mm
    return affine


def _other_spacing(raw: Path) -> None:
    _write(raw / "interactionsTr" / "case_a.nii.gz", _interactions(), AFFINE @ np.diag([1, 1, 1.2, 1]))


def _turned(raw: Path) -> None:
    turn = np.array([[np.cos(0.1), -np.sin(0.1), 0, 0], [np.sin(0.1), np.cos(0.1), 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    _write(raw / "imagesTr" / "case_a_0001.nii.gz", np.ones(SHAPE, dtype=np.float32), turn @ AFFINE)


def _zero_spacing(raw: Path) -> None:
    import nibabel

    header = nibabel.Nifti1Image(_label(), None).header
    header["pixdim"][3] = 0
    header.set_sform(np.diag([1.0, 1.0, 0.0, 1.0]), code=1)
    path = raw / "labelsTr" / "case_a.nii.gz"
    nibabel.Nifti1Image(_label(), None, header).to_filename(path)


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "moved label": (
        lambda raw: _write(raw / "labelsTr" / "case_a.nii.gz", _label(), _shifted(3.2)),
        "case_a: the label map does not lie on the image: its origin differs by 3.2 mm.",
    ),
    "smaller label": (
        lambda raw: _write(raw / "labelsTr" / "case_a.nii.gz", _label()[:, :, 1:]),
        "case_a: the label map does not lie on the image: it has 20 x 18 x 9 voxels and the image 20 x 18 x 10.",
    ),
    "other spacing": (
        _other_spacing,
        "case_a: the interactions do not lie on the image: its spacing is 1.118 x 1.118 x 3",
    ),
    "turned": (_turned, "case_a: image 2 does not lie on the first image: its axes are turned by 5.73 degrees."),
    "missing file": (
        lambda raw: (write_dataset_json(raw), (raw / "labelsTr" / "case_a.nii.gz").unlink()),
        "case_a: there is no file",
    ),
    "no points": (
        lambda raw: _write(raw / "interactionsTr" / "case_a.nii.gz", _interactions() * 0),
        "case_a: there are no points.",
    ),
    "segmentation as points": (
        lambda raw: _write(raw / "interactionsTr" / "case_a.nii.gz", _label()),
        "The interactions of case_a: case_a.nii.gz marks 700 voxels: it is a segmentation, not points.",
    ),
    "astray": (
        lambda raw: _write(raw / "interactionsTr" / "case_a.nii.gz", _interactions(1, CORNERS - [4, 0, 0])),
        "case_a: 1 of 6 points lies outside the label.",
    ),
    "few": (
        lambda raw: _write(raw / "interactionsTr" / "case_a.nii.gz", _interactions(1, CORNERS[:4])),
        "case_a: there are 4 points; six are expected.",
    ),
    "modality missing": (
        lambda raw: (raw / "imagesTr" / "case_a_0001.nii.gz").unlink(),
        "The case case_a has 1 image; the dataset names 2 modalities.",
    ),
    "empty label": (
        lambda raw: _write(raw / "labelsTr" / "case_a.nii.gz", _label() * 0),
        "case_a: the label map is empty.",
    ),
    "unknown label": (
        lambda raw: (write_dataset_json(raw), _write(raw / "labelsTr" / "case_a.nii.gz", _label(7))),
        "The label map of case_a holds the value 7; the dataset names 1 (lesion).",
    ),
    "zero spacing": (_zero_spacing, "case_a: The affine must be an invertible 4 x 4 matrix"),
    "no finite value": (
        lambda raw: _write(raw / "imagesTr" / "case_a_0000.nii.gz", np.full(SHAPE, np.nan, dtype=np.float32)),
        "case_a: image 1 holds no finite value.",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence(raw: Path, fault: str) -> None:
    spoil, sentence = FAULTS[fault]
    spoil(raw)
    texts = _texts(open_dataset(raw))
    assert sentence in texts
    assert "case_b" not in texts


def test_points_outside_the_label_may_be_meant_so(raw: Path) -> None:
    FAULTS["astray"][0](raw)
    (fault,) = check_dataset(open_dataset(raw))
    assert not fault.fatal


def test_two_cases_of_one_name_are_told(raw: Path) -> None:
    dataset = open_dataset(raw)
    doubled = replace(dataset, cases=(*dataset.cases, dataset.cases[0]))
    assert "case_a: 2 cases have this name. Give each a name of its own." in _texts(doubled)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not valid JSON"),
        ("[]", "holds no description of a dataset"),
        ('{"labels": {}}', "lists no cases"),
        ('{"training": [7]}', "has the entry 7; expected an image and a label"),
        ('{"training": [], "modality": {"a": "MR"}}', '"modality" of'),
        ('{"training": [], "labels": 3}', '"labels" of'),
        ('{"training": [], "labels": {"1": "a", "2": "a"}}', "names two labels alike"),
        ('{"training": []}', "holds no cases"),
    ],
)
def test_a_damaged_description_is_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(InputError, match=sentence):
        open_dataset(tmp_path)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no cases"):
        open_dataset(tmp_path)
