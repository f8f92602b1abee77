"""Points of several segments in one file, and points as marked voxels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.volume import LabelVolume

AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -5], [0, 0, 3, 1], [0, 0, 0, 1]])


def save(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_with_segments_gives_points_by_name(tmp_path: Path) -> None:
    rows = "segment,name,r,a,s\nmetastasis,left,1,2,3\ncyst,left,4,5,6\n,negative,0,0,0\nmetastasis,right,7,8,9\n"
    found = files.read_prompts(save(tmp_path / "p.csv", rows))
    assert list(found) == ["metastasis", "cyst"]
    np.testing.assert_array_equal(found["metastasis"], [[1, 2, 3], [7, 8, 9]])
    np.testing.assert_array_equal(found["cyst"], [[4, 5, 6]])


def test_a_table_of_inside_and_outside_points_serves_for_both(tmp_path: Path) -> None:
    rows = "segment,name,r,a,s\nlesion,left,1,2,3\n,negative,0,0,9\nlesion,right,7,8,9\n"
    path = save(tmp_path / "p.csv", rows)
    np.testing.assert_array_equal(files.read_prompts(path), [[1, 2, 3], [7, 8, 9]])
    np.testing.assert_array_equal(files.read_outside_points(path), [[0, 0, 9]])
    np.testing.assert_array_equal(files.read_outside_points(save(tmp_path / "q.csv", "r,a,s\n1,2,3\n")), [[1, 2, 3]])
    with pytest.raises(InputError, match="holds no points"):
        files.read_outside_points(save(tmp_path / "r.csv", "segment,r,a,s\nlesion,1,2,3\n"))


@pytest.mark.parametrize(
    "text",
    [
        "segment,r,a,s\none,1,2,3\none,4,5,6\n",
        "segment,r,a,s\n,1,2,3\n,4,5,6\n",
        "r,a,s\n1,2,3\n4,5,6\n",
        "1,2,3\n4,5,6\n",
    ],
)
def test_points_of_one_segment_are_an_array(tmp_path: Path, text: str) -> None:
    np.testing.assert_array_equal(files.read_prompts(save(tmp_path / "p.csv", text)), [[1, 2, 3], [4, 5, 6]])


def test_several_lists_in_one_file_are_several_segments(tmp_path: Path) -> None:
    def markup(name: str, *positions: list[float]) -> dict:
        points = [{"position": position, "positionStatus": "defined"} for position in positions]
        return {"type": "Fiducial", "name": name, "coordinateSystem": "LPS", "controlPoints": points}

    text = json.dumps({"markups": [markup("a", [1, 2, 3]), markup("b", [4, 5, 6], [7, 8, 9])]})
    found = files.read_prompts(save(tmp_path / "p.mrk.json", text))
    np.testing.assert_array_equal(found["a"], [[-1, -2, 3]])
    np.testing.assert_array_equal(found["b"], [[-4, -5, 6], [-7, -8, 9]])
    np.testing.assert_array_equal(
        files.read_prompts(save(tmp_path / "q.mrk.json", json.dumps({"markups": [markup("a", [1, 2, 3])]}))),
        [[-1, -2, 3]],
    )


def test_marked_voxels_of_an_image_are_points(tmp_path: Path) -> None:
    array = np.zeros((5, 6, 4), np.uint8)
    array[1, 2, 3] = array[4, 0, 0] = 1
    files.write_labels(LabelVolume(array, AFFINE, {1: "lesion"}), tmp_path / "one.nii.gz")
    np.testing.assert_allclose(files.read_prompts(tmp_path / "one.nii.gz"), [[8, -1, 10], [2, -5, 1]])
    array[0, 0, 0] = 2
    files.write_labels(LabelVolume(array, AFFINE, {1: "lesion", 2: "cyst"}), tmp_path / "two.nii.gz")
    np.testing.assert_allclose(files.read_prompts(tmp_path / "two.nii.gz")["cyst"], [[10, -5, 1]])


def test_a_segmentation_is_not_taken_for_points(tmp_path: Path) -> None:
    files.write_labels(LabelVolume(np.ones((30, 30, 30), np.uint8), AFFINE), tmp_path / "mask.nii.gz")
    with pytest.raises(InputError, match=r"mask\.nii\.gz marks more than 10000 voxels.*deepmri interactive points"):
        files.read_prompts(tmp_path / "mask.nii.gz")


def test_a_small_segmentation_is_not_taken_for_points_and_balls_are(tmp_path: Path) -> None:
    small = np.zeros((20, 20, 20), np.uint8)
    small[4:8, 5:9, 6:9] = 1
    files.write_labels(LabelVolume(small, AFFINE), tmp_path / "small.nii.gz")
    with pytest.raises(InputError, match=r"small\.nii\.gz marks 48 voxels: it is a segmentation"):
        files.read_prompts(tmp_path / "small.nii.gz")
    balls = np.zeros((20, 20, 20), np.uint8)
    for i, j, k in ((1, 9, 9), (16, 9, 9), (9, 1, 9), (9, 16, 9), (9, 9, 1), (9, 9, 16)):
        balls[i : i + 3, j : j + 3, k : k + 3] = 1
    files.write_labels(LabelVolume(balls, AFFINE), tmp_path / "balls.nii.gz")
    assert files.read_prompts(tmp_path / "balls.nii.gz").shape == (6 * 27, 3)


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("p.csv", "segment,r,a,s\none,1,2,x\n", "is not a complete points file"),
        ("p.csv", "segment,r,a,s\none,1,2\n", "is not a complete points file"),
        ("p.csv", "segment,r,a,s\none,1,2,inf\n", "a point that is not a number"),
        ("p.mrk.json", '{"markups": 3}', 'it has no list of "markups"'),
        ("p.mrk.json", "[1]", 'it has no list of "markups"'),
        ("p.mrk.json", '{"markups": [{"controlPoints": [{"position": null}]}]}', "the position None where 3 coord"),
        ("p.mrk.json", '{"markups": [{}, {}]}', "holds no points"),
        ("p.txt", "1 2 3", r"p\.txt"),
    ],
)
def test_bad_files_are_one_sentence(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        files.read_prompts(save(tmp_path / name, text))
