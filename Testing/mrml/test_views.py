"""Pictures of slice views and charts show what the nodes hold, where it is."""

from __future__ import annotations

import ctypes.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
from mrml_samples import AFFINES, countNodes
from slicerapp.view3d import renderView3D
from slicerapp.views import NoGraphicsError, pixels, renderChart, renderSlices, requireGraphics

from DeepMRILib.mrml.display import showMap
from DeepMRILib.mrml.plots import chartFromCurves
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.plots import Curve
from DeepMRILib.volume import Volume

TESTING = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def graphics(scene):
    try:
        requireGraphics()
    except NoGraphicsError as error:
        pytest.skip(str(error))


def _centred(affine):
    """The affine moved so that the middle of a 40 x 40 x 40 image is at the origin."""
    moved = affine.copy()
    moved[:3, :3] /= np.linalg.norm(moved[:3, :3], axis=0)
    moved[:3, 3] = -moved[:3, :3] @ np.full(3, 19.5)
    return moved


def _blob(affine, at):
    """An image that is bright within 5 mm of a point in RAS."""
    volume = Volume(np.zeros((40, 40, 40), np.float32), affine)
    distance = np.linalg.norm(volume.ras_from_voxel(np.argwhere(volume.array == 0)) - at, axis=1)
    return Volume((distance < 5).astype(np.float32).reshape(volume.shape), affine)


def _centre(shown):
    """Where the marked pixels are, from -1 to 1: right of the picture, top of the picture."""
    rows, columns = np.nonzero(shown)
    height, width = shown.shape
    return 2 * columns.mean() / (width - 1) - 1, 1 - 2 * rows.mean() / (height - 1)


AXES = {"Axial": (0, 1), "Coronal": (0, 2), "Sagittal": (1, 2)}
"""Which coordinates run along a view's width and height."""


@pytest.mark.parametrize(
    ("affine", "orientation"), [*((name, "Axial") for name in AFFINES), ("oblique", "Coronal"), ("oblique", "Sagittal")]
)
def test_bright_spot_is_where_a_radiologist_looks_for_it(tmp_path, affine, orientation):
    """The patient's right, and in sagittal views the front, is on the picture's left; front or head is on top."""
    right, top = AXES[orientation]
    at = np.array([8.0, 6.0, 10.0])
    node = nodeFromVolume(_blob(_centred(AFFINES[affine]), at), "image")
    showMap(node, "Grey", (0, 1))
    path = renderSlices(slicer.mrmlScene, node, tmp_path / "view.png", (orientation,), at=at, size=(100, 100))
    picture = pixels(path)
    across, up = _centre(picture[..., 0] > 128)
    # Right and front have positive RAS and lie to the left.
    assert np.sign(across) == -np.sign(at[right])
    assert np.sign(up) == np.sign(at[top])
    assert abs(across) > 0.15
    assert abs(up) > 0.1


def test_layers_segments_and_size(scene, tmp_path):
    image = nodeFromVolume(_blob(_centred(AFFINES["plain"]), [0, 0, 0]), "image")
    showMap(image, "Grey", (0, 1))
    overlay = nodeFromVolume(Volume(np.ones((40, 40, 40)), _centred(AFFINES["plain"])), "map")
    showMap(overlay, "Red", (0, 1))
    path = tmp_path / "plain.png"
    plain = pixels(renderSlices(scene, image, path, size=(120, 100)))
    assert plain.shape == (100, 360, 3)
    assert np.array_equal(plain[..., 0], plain[..., 2])
    layered = pixels(renderSlices(scene, image, path, foreground=overlay, opacity=1, size=(120, 100)))
    assert layered[50, 60, 0] > 200
    assert layered[50, 60, 2] < 50
    blob = _blob(_centred(AFFINES["plain"]), [0, 0, 0])
    segmentationFromLabels(Volume(blob.array.astype(np.uint8), blob.affine), {1: "blob"}, {1: (0, 1, 0)})
    drawn = pixels(renderSlices(scene, image, path, size=(120, 100)))
    assert drawn[50, 60, 1] > drawn[50, 60, 0]
    assert (drawn != plain).any()


def test_legend_is_in_the_last_view_only(scene, tmp_path):
    image = nodeFromVolume(Volume(np.zeros((40, 40, 40)), _centred(AFFINES["plain"])), "map")
    showMap(image, "Grey", (0, 1))
    picture = pixels(renderSlices(scene, image, tmp_path / "legend.png", legend=True, size=(150, 150)))
    assert picture[:, :300].max() < 20
    assert picture[:, 300:].max() > 200


def test_scene_stays_as_it_was(scene, tmp_path):
    image = nodeFromVolume(_blob(_centred(AFFINES["oblique"]), [0, 0, 0]), "image")
    nodes = countNodes(scene)
    renderSlices(scene, image, tmp_path / "view.png", rotate=True, zoom=2)
    assert countNodes(scene) == nodes


def test_zoom_shows_less(scene, tmp_path):
    image = nodeFromVolume(_blob(_centred(AFFINES["plain"]), [0, 0, 0]), "image")
    showMap(image, "Grey", (0, 1))
    near, far = (
        (pixels(renderSlices(scene, image, tmp_path / "view.png", ("Axial",), zoom=zoom)) > 128).mean()
        for zoom in (2, 1)
    )
    assert near == pytest.approx(4 * far, rel=0.15)


def test_chart(scene, tmp_path):
    curves = [Curve("a", [0, 1, 2], [3, 2, 1], line_x=[0, 2], line_y=[3, 1]), Curve("b", [0, 1, 2], [1, 1, 1])]
    chart = chartFromCurves(curves, "decay", xTitle="b", yTitle="signal")
    nodes = countNodes(scene)
    picture = pixels(renderChart(chart, tmp_path / "chart.png", size=(320, 240))).astype(int)
    assert picture.shape == (240, 320, 3)
    assert countNodes(scene) == nodes
    for colour in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):
        assert (np.abs(picture - colour).max(axis=2) < 12).sum() > 20


def test_without_opengl_there_is_one_clear_sentence():
    code = (
        "from slicerapp.views import NoGraphicsError, requireGraphics\n"
        "try:\n    requireGraphics()\nexcept NoGraphicsError as error:\n    print(error)\n"
    )
    # A back end whose library is not there: VTK then has none.
    env = {**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": "vtkOSOpenGLRenderWindow", "PYTHONPATH": str(TESTING)}
    result = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    if not result.stdout and ctypes.util.find_library("OSMesa"):
        pytest.skip("OSMesa is installed: this machine can always draw")
    assert result.stdout.startswith("Pictures need OpenGL")


def test_a_3d_view_shows_the_surface_of_a_segment_where_it_is(scene, tmp_path):
    blob = _blob(_centred(np.eye(4)), (8.0, 0.0, 6.0))
    node = segmentationFromLabels(Volume(blob.array.astype(np.uint8), blob.affine), {1: "blob"}, {1: (1.0, 0.0, 0.0)})
    node.CreateClosedSurfaceRepresentation()
    before = countNodes(scene)
    path = renderView3D(scene, tmp_path / "view.png", towards=(0.0, 1.0, 0.0), distance=100.0, size=(200, 200))
    assert countNodes(scene) == before
    picture = pixels(path).astype(int)
    across, up = _centre(picture[..., 0] > picture[..., 2] + 60)
    # seen from behind, right is right
    assert across > 0.15
    assert up > 0.1
