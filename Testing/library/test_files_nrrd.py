"""NRRD and MetaImage: spaces, axes, encodings, diffusion keys, and Slicer's own reader and writer both ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nrrd
import numpy as np
import pytest
from files_samples import assert_same_world, random_affine
from numpy.typing import NDArray

from DeepMRILib import files
from DeepMRILib.errors import InputError
from DeepMRILib.files.directions import unit
from DeepMRILib.volume import DiffusionVolume

DIRECTIONS = "(2,0,0) (0,3,0) (0,0,4)"


def a_header(**changes: str) -> dict[str, str]:
    """The fields of a small image, in the order in which they are written."""
    header = {
        "type": "short",
        "dimension": "3",
        "space": "left-posterior-superior",
        "sizes": "3 4 5",
        "space directions": DIRECTIONS,
        "kinds": "domain domain domain",
        "endian": "little",
        "encoding": "raw",
        "space origin": "(10,20,30)",
    }
    header.update({key.replace("_", " "): value for key, value in changes.items()})
    return {key: value for key, value in header.items() if value}


def write_by_hand(
    path: Path, header: dict[str, str], values: NDArray | bytes, keys: dict[str, str] | None = None
) -> None:
    lines = ["NRRD0005", *(f"{key}: {value}" for key, value in header.items())]
    lines += [f"{key}:={value}" for key, value in (keys or {}).items()]
    content = values if isinstance(values, bytes) else values.tobytes(order="F")
    path.write_bytes("\n".join(lines).encode() + b"\n\n" + content)


@pytest.fixture
def values() -> NDArray:
    return np.arange(60, dtype="<i2").reshape(3, 4, 5)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("left-posterior-superior", (-1, -1, 1)),
        ("LPS", (-1, -1, 1)),
        ("right-anterior-superior", (1, 1, 1)),
        ("RAS", (1, 1, 1)),
        ("left-anterior-superior", (-1, 1, 1)),
        ("LAS", (-1, 1, 1)),
    ],
)
def test_spaces(tmp_path: Path, values: NDArray, space: str, signs: tuple[int, ...]) -> None:
    write_by_hand(tmp_path / "v.nrrd", a_header(space=space), values)
    volume = files.read_volume(tmp_path / "v.nrrd")
    np.testing.assert_array_equal(volume.array, values)
    np.testing.assert_array_equal(volume.affine[:3], np.diag(signs) @ [[2, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30]])


def test_an_unknown_space_is_refused(tmp_path: Path, values: NDArray) -> None:
    write_by_hand(tmp_path / "v.nrrd", a_header(space="scanner-xyz"), values)
    with pytest.raises(InputError, match="in the space 'scanner-xyz', which does not say where the patient's right is"):
        files.read_volume(tmp_path / "v.nrrd")


def test_without_a_space_the_axes_are_those_of_itk(tmp_path: Path, values: NDArray) -> None:
    itk = pytest.importorskip("SimpleITK")
    header = a_header(space="", space_directions="", space_origin="", kinds="")
    write_by_hand(tmp_path / "v.nrrd", {**header, "spacings": "2 3 4"}, values)
    volume = files.read_volume(tmp_path / "v.nrrd")
    assert volume.spacing == (2, 3, 4)
    lps = itk.ReadImage(str(tmp_path / "v.nrrd")).TransformIndexToPhysicalPoint((2, 3, 4))
    np.testing.assert_allclose(volume.ras_from_voxel([[2, 3, 4]])[0], np.array(lps) * [-1, -1, 1])


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_the_axis_of_components_may_stand_anywhere(tmp_path: Path, rng: np.random.Generator, place: int) -> None:
    array = rng.integers(0, 99, (3, 4, 5, 2)).astype("<i2")
    stored = np.moveaxis(array, 3, place)
    parts = ["domain"] * 3, DIRECTIONS.split()
    for part, other in zip(parts, ("vector", "none"), strict=True):
        part.insert(place, other)
    header = a_header(dimension="4", sizes=" ".join(map(str, stored.shape)), kinds=" ".join(parts[0]))
    write_by_hand(tmp_path / "v.nrrd", {**header, "space directions": " ".join(parts[1])}, stored)
    volume = files.read_volume(tmp_path / "v.nrrd", components=True)
    np.testing.assert_array_equal(volume.array, array)
    assert volume.spacing == (2, 3, 4)


@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2", "ascii"])
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr"])
def test_encodings_and_detached_data(tmp_path: Path, values: NDArray, encoding: str, suffix: str) -> None:
    header = {"encoding": encoding, "space": "RAS", "space directions": np.eye(3), "space origin": np.zeros(3)}
    nrrd.write(str(tmp_path / f"v{suffix}"), values, header)
    np.testing.assert_array_equal(files.read_volume(tmp_path / f"v{suffix}").array, values)


def test_big_endian_values(tmp_path: Path, values: NDArray) -> None:
    write_by_hand(tmp_path / "v.nrrd", a_header(endian="big"), values.astype(">i2"))
    array = files.read_volume(tmp_path / "v.nrrd").array
    np.testing.assert_array_equal(array, values)
    assert array.dtype.isnative


def test_real_images_are_where_itk_says(shared_data: Path) -> None:
    itk = pytest.importorskip("SimpleITK")
    for name in ("brain1_image", "prostate_phantom_subvolume", "breast1_label"):
        path = shared_data / "seg_pyradiomics_mr" / f"{name}.nrrd"
        volume, image = files.read_volume(path), itk.ReadImage(str(path))
        np.testing.assert_array_equal(volume.array, itk.GetArrayFromImage(image).T)
        corner = tuple(n - 1 for n in volume.shape)
        lps = np.array(image.TransformIndexToPhysicalPoint(corner))
        np.testing.assert_allclose(volume.ras_from_voxel([corner])[0], lps * [-1, -1, 1], atol=1e-4)


# What cannot be read


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.95])
def test_truncated_files(tmp_path: Path, rng: np.random.Generator, encoding: str, part: float) -> None:
    path = tmp_path / "v.nrrd"
    nrrd.write(
        str(path),
        rng.integers(0, 999, (9, 9, 9)),
        {"encoding": encoding, "space": "RAS", "space directions": np.eye(3)},
    )
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(InputError, match=r"v\.nrrd.*(NRRD|truncated|axes)") as caught:
        files.read_volume(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sizes": "10000 10000 10000"}, r"claims 10000 x 10000 x 10000 values \(2 TB\), but the file holds only 120"),
        ({"sizes": "10000 10000 10000", "encoding": "gzip"}, "claims 10000 x 10000"),
        ({"sizes": "3 4 -5"}, "claims an image of 3 x 4 x -5 voxels"),
        ({"sizes": "3 4 0"}, "claims an image of 3 x 4 x 0 voxels"),
        ({"sizes": "3 four 5"}, "is not a complete NRRD file"),
        ({"sizes": "3 4 6"}, "claims 3 x 4 x 6 values"),
        ({"encoding": "lzma"}, "is not a complete NRRD file: Unsupported encoding"),
        ({"type": "block"}, "holds values of type 'block'; numbers were expected"),
        ({"endian": ""}, "is not a complete NRRD file"),
        (
            {"dimension": "2", "sizes": "12 5", "space_directions": "(1,0) (0,1)", "kinds": ""},
            "has 2 axes of which 0 lie",
        ),
        ({"space_directions": "(0,0,0) (0,3,0) (0,0,4)"}, "The affine must be an invertible"),
        ({"data_file": "v.raw"}, r"The data of v\.nrrd lie in v\.raw, which is not there"),
    ],
)
def test_bad_headers(tmp_path: Path, values: NDArray, changes: dict[str, str], sentence: str) -> None:
    write_by_hand(tmp_path / "v.nrrd", a_header(**changes), values)
    with pytest.raises(InputError, match=sentence):
        files.read_volume(tmp_path / "v.nrrd")


def test_wrong_magic(tmp_path: Path) -> None:
    (tmp_path / "v.nrrd").write_bytes(b"P5 3 4 255\n" + bytes(20))
    with pytest.raises(InputError, match=r"v\.nrrd is not a NRRD file: it does not begin with NRRD"):
        files.read_volume(tmp_path / "v.nrrd")
    with pytest.raises(InputError, match="There is no NRRD image"):
        files.read_volume(tmp_path / "w.nrrd")


def test_four_axes_in_time(tmp_path: Path) -> None:
    header = a_header(dimension="4", sizes="3 4 5 2", kinds="domain domain domain time", space_directions="")
    write_by_hand(tmp_path / "v.nrrd", header, np.zeros((3, 4, 5, 2), "<i2"))
    with pytest.raises(InputError, match="is a series of 2 images"):
        files.read_volume(tmp_path / "v.nrrd")


# Diffusion


def a_scheme(**changes: str) -> dict[str, str]:
    keys = {
        "modality": "DWMRI",
        "DWMRI_b-value": "800",
        "DWMRI_gradient_0000": "0 0 0",
        "DWMRI_gradient_0001": "0 0.5 0",
    }
    keys["DWMRI_gradient_0002"] = "0.6 0 0.8"
    keys.update(changes)
    return {key: value for key, value in keys.items() if value}


def write_diffusion_by_hand(path: Path, keys: dict[str, str], **changes: str) -> None:
    header = a_header(dimension="4", sizes="3 4 5 3", kinds="domain domain domain list", **changes)
    header["space directions"] = DIRECTIONS + " none"
    write_by_hand(path, header, np.zeros((3, 4, 5, 3), "<i2"), keys)


def test_lengths_of_gradients_are_b_values(tmp_path: Path) -> None:
    write_diffusion_by_hand(tmp_path / "d.nrrd", a_scheme())
    series = files.read_diffusion(tmp_path / "d.nrrd")
    np.testing.assert_allclose(series.b_values, [0, 200, 800])
    np.testing.assert_allclose(series.directions, [[0, 0, 0], [0, -1, 0], [-0.6, 0, 0.8]], atol=1e-12)


def test_measurement_frame(tmp_path: Path) -> None:
    """Each vector of the field is an axis of the frame: here the first gradient axis is the patient's S."""
    write_diffusion_by_hand(tmp_path / "d.nrrd", a_scheme(), space="RAS", measurement_frame="(0,0,1) (1,0,0) (0,1,0)")
    series = files.read_diffusion(tmp_path / "d.nrrd")
    np.testing.assert_allclose(series.directions[1:], [[1, 0, 0], [0, 0.8, 0.6]], atol=1e-12)


def test_b_matrices(tmp_path: Path) -> None:
    g = np.array([0.6, 0.0, 0.8])
    matrix = 700 * np.outer(g, g)[np.triu_indices(3)]
    keys = {"modality": "DWMRI", "DWMRI_b-value": "700", "DWMRI_B-matrix_0000": "0 0 0 0 0 0", "DWMRI_NEX_0000": "2"}
    keys["DWMRI_B-matrix_0002"] = " ".join(map(str, matrix))
    write_diffusion_by_hand(tmp_path / "d.nrrd", keys, space="RAS")
    series = files.read_diffusion(tmp_path / "d.nrrd")
    np.testing.assert_allclose(series.b_values, [0, 0, 700])
    np.testing.assert_allclose(np.abs(series.directions[2] @ g), 1)


def test_repeats(tmp_path: Path) -> None:
    keys = a_scheme(DWMRI_NEX_0000="2", DWMRI_gradient_0001="")
    write_diffusion_by_hand(tmp_path / "d.nrrd", keys)
    np.testing.assert_allclose(files.read_diffusion(tmp_path / "d.nrrd").b_values, [0, 0, 800])


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (a_scheme(DWMRI_gradient_0001=""), "lacks DWMRI_gradient_0001"),
        (a_scheme(DWMRI_gradient_0003="1 0 0"), "holds 4 diffusion gradients for 3 images"),
        (a_scheme(DWMRI_gradient_0002="1 0"), "holds '1 0' where 3 numbers were expected"),
        (a_scheme(DWMRI_gradient_0002="1 0 x"), "holds '1 0 x' where 3 numbers"),
        (a_scheme(**{"DWMRI_b-value": ""}), "lacks DWMRI_b-value"),
        (a_scheme(**{"DWMRI_b-value": "-5"}), "The b-values contain -5"),
        ({"modality": "DWMRI", "DWMRI_b-value": "5"}, "holds no diffusion gradients"),
        ({"modality": "other"}, r"There are no b-values for d\.nrrd: none of d\.bval"),
    ],
)
def test_schemes_that_do_not_match(tmp_path: Path, keys: dict[str, str], sentence: str) -> None:
    write_diffusion_by_hand(tmp_path / "d.nrrd", keys)
    with pytest.raises(InputError, match=sentence):
        files.read_diffusion(tmp_path / "d.nrrd")
    np.testing.assert_array_equal(files.read_diffusion(tmp_path / "d.nrrd", [0, 1, 2]).b_values, [0, 1, 2])


def test_a_series_of_b_zero(tmp_path: Path) -> None:
    files.write_diffusion(DiffusionVolume(np.ones((2, 2, 2, 3)), np.eye(4), [0, 0, 0]), tmp_path / "d.nrrd")
    np.testing.assert_array_equal(files.read_diffusion(tmp_path / "d.nrrd").b_values, [0, 0, 0])


# Slicer's own storage node


@pytest.fixture
def slicer_scene() -> Any:
    slicer = pytest.importorskip("slicer", reason="needs Slicer's MRML libraries: pip install slicer-core")
    return slicer.vtkMRMLScene()


def slicer_reads(scene: Any, path: Path) -> Any:
    import slicer

    node, storage = slicer.vtkMRMLDiffusionWeightedVolumeNode(), slicer.vtkMRMLNRRDStorageNode()
    scene.AddNode(node)
    scene.AddNode(storage)
    storage.SetFileName(str(path))
    assert storage.ReadData(node) == 1
    return node


def as_volume(node: Any) -> DiffusionVolume:
    """A DWI node's own idea of its image, weighting and place, independent of the code under test."""
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    image, matrix, frame = node.GetImageData(), vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(*image.GetDimensions()[::-1], -1)
    node.GetIJKToRASMatrix(matrix)
    node.GetMeasurementFrameMatrix(frame)
    affine, frame = (np.array([[m.GetElement(i, j) for j in range(4)] for i in range(4)]) for m in (matrix, frame))
    count = node.GetNumberOfGradients()
    gradients = np.array([node.GetDiffusionGradient(i) for i in range(count)])
    b_values = [node.GetBValue(i) for i in range(count)]
    return DiffusionVolume(np.moveaxis(array, (0, 1, 2), (2, 1, 0)), affine, b_values, gradients @ frame[:3, :3].T)


@pytest.mark.parametrize("count", [3, 6, 9])
@pytest.mark.parametrize("seed", range(3))
def test_slicer_reads_what_we_write(tmp_path: Path, slicer_scene: Any, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    b_values = np.linspace(0, 900, count)
    directions = unit(rng.normal(size=(count, 3))) * (b_values > 0)[:, None]
    ours = DiffusionVolume(
        rng.integers(0, 99, (3, 4, 5, count)).astype(np.int16), random_affine(rng), b_values, directions
    )
    files.write_diffusion(ours, tmp_path / "d.nrrd")
    theirs = as_volume(slicer_reads(slicer_scene, tmp_path / "d.nrrd"))
    np.testing.assert_allclose(theirs.b_values, b_values, atol=1e-9)
    np.testing.assert_allclose(theirs.directions, directions, atol=1e-9)
    for image in range(count):
        assert_same_world(ours.like(ours.array[..., image]), theirs.like(theirs.array[..., image]))


def test_slicer_reads_b_values_without_directions(tmp_path: Path, slicer_scene: Any) -> None:
    files.write_diffusion(DiffusionVolume(np.ones((2, 2, 2, 3)), np.eye(4), [0, 50, 800]), tmp_path / "d.nrrd")
    np.testing.assert_allclose(as_volume(slicer_reads(slicer_scene, tmp_path / "d.nrrd")).b_values, [0, 50, 800])


@pytest.mark.parametrize("seed", range(3))
def test_we_read_what_slicer_writes(tmp_path: Path, slicer_scene: Any, seed: int) -> None:
    """With a measurement frame that is not the identity, and more than six images: Slicer writes no keys for fewer."""
    import slicer
    import vtk

    rng = np.random.default_rng(seed)
    count = 8
    series = DiffusionVolume(
        rng.integers(0, 99, (3, 4, 5, count)).astype(np.int16),
        random_affine(rng),
        np.linspace(0, 700, count),
        unit(rng.normal(size=(count, 3))) * (np.arange(count) > 0)[:, None],
    )
    files.write_diffusion(series, tmp_path / "ours.nrrd")
    node = slicer_reads(slicer_scene, tmp_path / "ours.nrrd")
    frame, turn = vtk.vtkMatrix4x4(), np.linalg.qr(rng.normal(size=(3, 3)))[0]
    for i in range(3):
        for j in range(3):
            frame.SetElement(i, j, turn[i, j])
    node.SetMeasurementFrameMatrix(frame)
    storage = slicer.vtkMRMLNRRDStorageNode()
    slicer_scene.AddNode(storage)
    storage.SetFileName(str(tmp_path / "theirs.nrrd"))
    assert storage.WriteData(node) == 1
    expected, back = as_volume(node), files.read_diffusion(tmp_path / "theirs.nrrd")
    np.testing.assert_allclose(back.b_values, series.b_values, atol=1e-9)
    np.testing.assert_allclose(back.directions, expected.directions, atol=1e-9)
    for image in range(count):
        assert_same_world(back.like(back.array[..., image]), series.like(series.array[..., image]))


# MetaImage


@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("components", [1, 2])
def test_meta_image(tmp_path: Path, rng: np.random.Generator, suffix: str, compressed: bool, components: int) -> None:
    itk = pytest.importorskip("SimpleITK")
    array = rng.integers(0, 99, (5, 4, 3, components)).astype(np.int16)
    image = itk.GetImageFromArray(array if components > 1 else array[..., 0], isVector=components > 1)
    image.SetSpacing((1, 2, 3))
    image.SetOrigin((10, 20, 30))
    image.SetDirection(np.linalg.qr(rng.normal(size=(3, 3)))[0].ravel().tolist())
    itk.WriteImage(image, str(tmp_path / f"v{suffix}"), compressed)
    volume = files.read_volume(tmp_path / f"v{suffix}", components=True)
    np.testing.assert_array_equal(volume.array.reshape(3, 4, 5, components), np.moveaxis(array, (0, 2), (2, 0)))
    lps = np.array(image.TransformIndexToPhysicalPoint((2, 3, 4)))
    np.testing.assert_allclose(volume.ras_from_voxel([[2, 3, 4]])[0], lps * [-1, -1, 1])


def test_meta_images_that_are_none(tmp_path: Path) -> None:
    itk = pytest.importorskip("SimpleITK")
    path = tmp_path / "v.mha"
    itk.WriteImage(itk.GetImageFromArray(np.ones((5, 4, 3), np.int16)), str(path))
    content = path.read_bytes()
    path.write_bytes(content[:-40])
    with pytest.raises(InputError, match=r"The header of v\.mha claims 3 x 4 x 5 values"):
        files.read_volume(path)
    path.write_bytes(content.replace(b"DimSize = 3 4 5", b"DimSize = 10000 10000 10000"))
    with pytest.raises(InputError, match="claims 10000 x 10000 x 10000 values"):
        files.read_volume(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"v\.mha is not a complete MetaImage file"):
        files.read_volume(path)
    (tmp_path / "v.mhd").write_bytes(content.replace(b"= LOCAL", b"= v.raw"))
    with pytest.raises(InputError, match=r"lie in v\.raw, which is not there"):
        files.read_volume(tmp_path / "v.mhd")
    itk.WriteImage(itk.Image([2, 2, 2, 2], itk.sitkUInt8), str(path))
    with pytest.raises(InputError, match=r"v\.mha has 4 axes; an image of 3 was expected"):
        files.read_volume(path)
    path.write_bytes(content.replace(b"MET_SHORT", b"MET_OTHER"))
    with pytest.raises(InputError, match=r"not a complete MetaImage file: MET_OTHER is missing or unknown"):
        files.read_volume(path)


@pytest.mark.parametrize(
    "frame", ["none", "none none none", "(1,0,0) (0,1,0)", "(1,0) (0,1)", "(nan,0,0) (0,1,0) (0,0,1)"]
)
def test_a_measurement_frame_that_is_none(tmp_path: Path, frame: str) -> None:
    write_diffusion_by_hand(tmp_path / "d.nrrd", a_scheme(), space="RAS", measurement_frame=frame)
    with pytest.raises(InputError, match=r"(measurement frame of d.nrrd is not|d.nrrd is not a complete NRRD)"):
        files.read_diffusion(tmp_path / "d.nrrd")


@pytest.mark.parametrize("channels", [-1, 0])
def test_a_metaimage_without_channels(tmp_path: Path, channels: int) -> None:
    (tmp_path / "a.mha").write_bytes(
        f"NDims = 3\nDimSize = 2 2 2\nElementNumberOfChannels = {channels}\nElementType = MET_UCHAR\n"
        "ElementDataFile = LOCAL\n".encode()
        + bytes(8)
    )
    with pytest.raises(InputError, match=f"a.mha is not a complete MetaImage file: it names {channels} channels"):
        files.read_volume(tmp_path / "a.mha")
