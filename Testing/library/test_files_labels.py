"""Label maps with their names, and points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest
from files_samples import assert_same_world, random_affine

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.volume import LabelVolume, Volume


@pytest.fixture
def labels(rng: np.random.Generator) -> Volume:
    return Volume(rng.integers(0, 4, (5, 6, 7)).astype(np.uint8), random_affine(rng))


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "bool", "int64"])
def test_label_maps(tmp_path: Path, labels: Volume, suffix: str, dtype: str) -> None:
    expected = labels.like(labels.array.astype(dtype))
    files.write_volume(expected, tmp_path / f"l{suffix}")
    read = files.read_labels(tmp_path / f"l{suffix}")
    assert read.array.dtype.kind in "iu"
    assert_same_world(expected, read)
    assert files.label_names(tmp_path / f"l{suffix}") == {}


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, 1e20])
def test_images_are_no_label_maps(tmp_path: Path, value: float) -> None:
    array = np.zeros((3, 3, 3), np.float32)
    array[1, 1, 1] = value
    files.write_volume(Volume(array), tmp_path / "l.nii.gz")
    with pytest.raises(
        InputError, match=r"l\.nii\.gz holds values that are not whole numbers; a label map was expected"
    ):
        files.read_labels(tmp_path / "l.nii.gz")


def test_complex_images_are_no_label_maps(tmp_path: Path) -> None:
    files.write_volume(Volume(np.ones((2, 2, 2), complex)), tmp_path / "l.nii")
    with pytest.raises(InputError, match="not whole numbers"):
        files.read_labels(tmp_path / "l.nii")


def test_names_of_segments(tmp_path: Path, labels: Volume) -> None:
    keys = {
        "Segment0_Name": "Leber (größter Anteil)",
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
        "Segment1_Name": "tumour: core",
        "Segment1_LabelValue": "3",
        "Segment10_Name": "no value",
        "Segmentation_MasterRepresentation": "Binary labelmap",
    }
    header = {"space": "RAS", "space directions": np.eye(3), "space origin": np.zeros(3), "encoding": "gzip"}
    nrrd.write(str(tmp_path / "plain.nrrd"), labels.array, header)
    start, _, rest = (tmp_path / "plain.nrrd").read_bytes().partition(b"\n\n")
    lines = "".join(f"\n{key}:={value}" for key, value in keys.items())
    (tmp_path / "s.seg.nrrd").write_bytes(start + lines.encode() + b"\n\n" + rest)
    assert files.label_names(tmp_path / "s.seg.nrrd") == {1: "Leber (größter Anteil)", 3: "tumour: core"}
    np.testing.assert_array_equal(files.read_labels(tmp_path / "s.seg.nrrd").array, labels.array)


def test_overlapping_segments(tmp_path: Path, labels: Volume) -> None:
    layers = Volume(np.stack([labels.array, labels.array], axis=3), labels.affine)
    files.write_volume(layers, tmp_path / "s.seg.nrrd")
    with pytest.raises(InputError, match=r"s\.seg\.nrrd holds several layers, as overlapping segments are stored"):
        files.read_labels(tmp_path / "s.seg.nrrd")


def test_names_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no label map"):
        files.label_names(tmp_path / "s.seg.nrrd")
    (tmp_path / "s.seg.nrrd").write_bytes(b"text")
    with pytest.raises(InputError, match="is not a NRRD file"):
        files.label_names(tmp_path / "s.seg.nrrd")


def test_a_segmentation_that_slicer_wrote(tmp_path: Path, rng: np.random.Generator) -> None:
    slicer = pytest.importorskip("slicer", reason="needs Slicer's MRML libraries: pip install slicer-core")
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    array = np.zeros((8, 9, 7), np.uint8)
    array[2:5, 3:6, 1:3], array[5:7, 2:4, 4:6] = 1, 2
    ours = Volume(array, random_affine(rng))
    files.write_volume(ours, tmp_path / "l.nrrd")
    node = _loaded_label_map(slicer, scene, tmp_path / "l.nrrd")
    segmentation = slicer.vtkMRMLSegmentationNode()
    scene.AddNode(segmentation)
    assert logic.ImportLabelmapToSegmentationNode(node, segmentation)
    for index, name in enumerate(("liver", "kidney, left")):
        segmentation.GetSegmentation().GetNthSegment(index).SetName(name)
    storage = slicer.vtkMRMLSegmentationStorageNode()
    scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "s.seg.nrrd"))
    assert storage.WriteData(segmentation) == 1
    read, names = files.read_labels(tmp_path / "s.seg.nrrd"), files.label_names(tmp_path / "s.seg.nrrd")
    assert sorted(names.values()) == ["kidney, left", "liver"]
    for value, name in names.items():
        expected = ours.ras_from_voxel(np.argwhere(array == {"liver": 1, "kidney, left": 2}[name]))
        found = read.ras_from_voxel(np.argwhere(read.array == value))
        np.testing.assert_allclose(
            found[np.lexsort(found.T.round(2))], expected[np.lexsort(expected.T.round(2))], atol=1e-3
        )


def _loaded_label_map(slicer: Any, scene: Any, path: Path) -> Any:
    node, storage = slicer.vtkMRMLLabelMapVolumeNode(), slicer.vtkMRMLVolumeArchetypeStorageNode()
    scene.AddNode(node)
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    return node


# Points


def markups(*positions: list[float], system: str = "LPS", **point: Any) -> dict[str, Any]:
    points = [
        {"id": str(n), "position": position, "positionStatus": "defined", **point}
        for n, position in enumerate(positions)
    ]
    return {"markups": [{"type": "Fiducial", "coordinateSystem": system, "controlPoints": points}]}


@pytest.mark.parametrize(
    ("system", "signs"), [("LPS", (-1, -1, 1)), ("RAS", (1, 1, 1)), ("0", (1, 1, 1)), ("1", (-1, -1, 1))]
)
def test_markups(tmp_path: Path, system: str, signs: tuple[int, ...]) -> None:
    (tmp_path / "p.mrk.json").write_text(json.dumps(markups([1, 2, 3], [-4, 5.5, 6], system=system)))
    np.testing.assert_array_equal(
        files.read_points(tmp_path / "p.mrk.json"), np.array([[1, 2, 3], [-4, 5.5, 6]]) * signs
    )


def test_points_that_are_not_placed_are_left_out(tmp_path: Path) -> None:
    content = markups([1, 2, 3], [4, 5, 6], system="RAS")
    content["markups"][0]["controlPoints"][0]["positionStatus"] = "undefined"
    (tmp_path / "p.mrk.json").write_text(json.dumps(content))
    np.testing.assert_array_equal(files.read_points(tmp_path / "p.mrk.json"), [[4, 5, 6]])


@pytest.mark.parametrize(
    ("header", "signs"),
    [
        ("# CoordinateSystem = LPS", (-1, -1, 1)),
        ("# CoordinateSystem = RAS", (1, 1, 1)),
        ("# CoordinateSystem = 0", (1, 1, 1)),
        ("", (1, 1, 1)),
    ],
)
def test_fcsv(tmp_path: Path, header: str, signs: tuple[int, ...]) -> None:
    lines = ["# Markups fiducial file version = 4.11", header, "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label"]
    lines += ["1,1.5,2,3,0,0,0,1,1,1,0,F-1,,", "2,4,5,6,0,0,0,1,1,1,0,F-2,,"]
    (tmp_path / "p.fcsv").write_text("\n".join(lines))
    np.testing.assert_array_equal(files.read_points(tmp_path / "p.fcsv"), np.array([[1.5, 2, 3], [4, 5, 6]]) * signs)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("1,2,3\n4,5,6\n", [[1, 2, 3], [4, 5, 6]]),
        ("x,y,z\n1,2,3\n", [[1, 2, 3]]),
        ("label,r,a,s,defined,selected\nF-1,1,2,3,1,1\nF-2,0,0,0,0,1\n", [[1, 2, 3]]),
        ("label,l,p,s\nF-1,1,2,3\n", [[-1, -2, 3]]),
        ("\ufeffR, A, S\r\n1,2,3\r\n\r\n", [[1, 2, 3]]),
    ],
)
def test_tables(tmp_path: Path, content: str, expected: list[list[float]]) -> None:
    (tmp_path / "p.csv").write_text(content, encoding="utf-8", newline="")
    np.testing.assert_array_equal(files.read_points(tmp_path / "p.csv"), expected)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("p.csv", b"", "holds no points"),
        ("p.csv", b"a,b,c\n1,2,3\n", "is not a complete points file: could not convert"),
        ("p.csv", b"1,2\n", "is not a complete points file: 2 coordinates where 3 were expected"),
        ("p.csv", b"r,a,s\n1,2\n", "is not a complete points file"),
        ("p.csv", b"1,2,nan\n", "holds a point that is not a number"),
        ("p.csv", b"\xff\xfe\x00", "is not a text file in UTF-8"),
        ("p.mrk.json", b"{", "is not a complete points file"),
        ("p.mrk.json", b"[]", "is not a complete points file"),
        ("p.mrk.json", b"{}", "is not a complete points file"),
        ("p.mrk.json", json.dumps(markups([1, 2])).encode(), "is not a complete points file"),
        ("p.mrk.json", json.dumps(markups([1, 2, 3], system="XYZ")).encode(), "'XYZ' is neither LPS nor RAS"),
        ("p.mrk.json", json.dumps(markups()).encode(), "holds no points. Place them in Slicer"),
        ("p.fcsv", b"# CoordinateSystem = LPS\n1,2\n", "is not a complete points file"),
        ("p.txt", b"1 2 3", r"p\.txt is no points file. Give one of \.mrk\.json"),
    ],
)
def test_points_that_are_none(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        files.read_points(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_no_points_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no points file"):
        files.read_points(tmp_path / "p.mrk.json")
    with pytest.raises(InputError, match="is a folder; a points file was expected"):
        files.read_points(tmp_path)


@pytest.mark.parametrize("suffix", [".mrk.json", ".fcsv"])
def test_points_that_slicer_wrote(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    slicer = pytest.importorskip("slicer", reason="needs Slicer's MRML libraries: pip install slicer-core")
    scene = slicer.vtkMRMLScene()
    logic = slicer.vtkSlicerMarkupsLogic()
    logic.SetMRMLScene(scene)
    node, points = slicer.vtkMRMLMarkupsFiducialNode(), rng.uniform(-90, 90, (6, 3))
    scene.AddNode(node)
    for point in points:
        node.AddControlPoint(*point)
    storage = (
        slicer.vtkMRMLMarkupsJsonStorageNode() if suffix == ".mrk.json" else slicer.vtkMRMLMarkupsFiducialStorageNode()
    )
    scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / f"p{suffix}"))
    assert storage.WriteData(node) == 1
    np.testing.assert_allclose(files.read_points(tmp_path / f"p{suffix}"), points, atol=1e-3)


def test_an_image_is_where_slicer_puts_it(tmp_path: Path, rng: np.random.Generator) -> None:
    """Slicer flips an axis of left-handed NIfTI files; every voxel still lies where ours does."""
    slicer = pytest.importorskip("slicer", reason="needs Slicer's MRML libraries: pip install slicer-core")
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    scene = slicer.vtkMRMLScene()
    for seed, suffix in ((0, ".nii.gz"), (1, ".nii.gz"), (2, ".nii"), (3, ".nrrd")):
        ours = Volume(rng.integers(0, 99, (3, 4, 5)).astype(np.int16), random_affine(np.random.default_rng(seed)))
        files.write_volume(ours, tmp_path / f"v{suffix}")
        node = _loaded_label_map(slicer, scene, tmp_path / f"v{suffix}")
        image, matrix = node.GetImageData(), vtk.vtkMatrix4x4()
        node.GetIJKToRASMatrix(matrix)
        affine = np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
        array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]).T
        assert_same_world(ours, Volume(array, affine))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("index\tname\n1\tLèvre\n".encode("latin-1"), "is not a text file in UTF-8"),
        (bytes(range(256)), "is not a text file in UTF-8"),
        (b"index\tname\n1\t" + b"x" * 200_000 + b"\n", "is no table of label names"),
        (b"index\tname\n1\t" + b"x" * 10_000_000 + b"\n", "is too large for a table"),
    ],
    ids=["latin-1", "binary", "csv", "large"],
)
def test_a_names_table_that_is_none(tmp_path: Path, content: bytes, words: str) -> None:
    labels = LabelVolume(np.ones((2, 2, 2), np.uint8), np.eye(4), {1: "a"})
    files.write_labels(labels, tmp_path / "l.nii.gz")
    (tmp_path / "l.tsv").write_bytes(content)
    with pytest.raises(InputError, match=words):
        files.read_labels(tmp_path / "l.nii.gz")


def test_a_names_table_as_windows_programs_write_it(tmp_path: Path) -> None:
    files.write_labels(LabelVolume(np.ones((2, 2, 2), np.uint8), np.eye(4), {}), tmp_path / "l.nii.gz")
    (tmp_path / "l.tsv").write_bytes("\ufeffindex\tname\r\n1\tfoie\u0301\r\n".encode())
    assert files.read_labels(tmp_path / "l.nii.gz").names == {1: "foie\u0301"}
