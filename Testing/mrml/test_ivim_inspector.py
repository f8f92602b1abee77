"""What a series and its fits say at a point and in a segment: every kind of series, transforms, frames."""

from __future__ import annotations

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import AFFINES, aTransform, deformationNode, transformNode

from DeepMRILib import ivim
from DeepMRILib.errors import InputError
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.mrml import ivim as nodes
from DeepMRILib.mrml.diffusion import nodeFromDiffusion
from DeepMRILib.mrml.ivim_fits import FitKind, FitNodes
from DeepMRILib.mrml.ivim_inspector import inspect, showInspection
from DeepMRILib.mrml.ivim_series import fitInputs, seriesFrames
from DeepMRILib.mrml.plots import seriesOf
from DeepMRILib.mrml.points import fiducialsFromPoints
from DeepMRILib.mrml.segments import segmentationFromLabels
from DeepMRILib.mrml.volumes import nodeFromVolume
from DeepMRILib.volume import DiffusionVolume, Volume

VOXEL = (4, 3, 2)


def example(affine=None) -> DiffusionVolume:
    series = fit_inputs()["volume"]
    return DiffusionVolume(series.array, series.affine if affine is None else AFFINES[affine], series.b_values)


def point_at(series: DiffusionVolume, voxel, node):
    """A point in the world, a little off the middle of a voxel."""
    position = series.affine @ [*(np.array(voxel) + 0.2), 1]
    return fiducialsFromPoints([position[:3]], "here", referenceVolume=node)


def fitted(series: DiffusionVolume, name: str = "dwi"):
    node, result = nodeFromDiffusion(series, name), ivim.fit(series)
    nodes.deliverFit(result, node, FitNodes(), sdMaps=True)
    return node, result


@pytest.mark.parametrize("affine", [None, "left-handed", "oblique", "left-handed oblique"])
@pytest.mark.parametrize("transform", ["none", "linear", "deformation"])
def test_the_voxel_under_the_point_is_shown_under_every_transform(scene, affine, transform: str) -> None:
    series = example(affine)
    node, result = fitted(series)
    if transform != "none":
        moved = transformNode(aTransform()) if transform == "linear" else deformationNode()
        node.SetAndObserveTransformNodeID(moved.GetID())
    point = point_at(series, VOXEL, node)
    seen = inspect(node, point)
    assert np.array_equal(seen.signal, series.array[VOXEL])
    fit = seen.fits["least squares"]
    assert fit.values["D"] == pytest.approx(result.maps["D"].array[VOXEL])
    assert fit.spreads["f"] == pytest.approx(result.maps["f_sd"].array[VOXEL])
    parameters = [result.maps[name].array[VOXEL] for name in MODELS["biexp"].parameters]
    assert np.allclose(fit.curve, MODELS["biexp"].signal(seen.dense, *parameters))


def test_all_fits_have_their_curve_and_the_chart_names_them(scene) -> None:
    node, result = fitted(example())
    nodes.deliverFit(result, node, FitNodes(), kind=FitKind("bayes", "biexp"))
    point = point_at(example(), VOXEL, node)
    seen = inspect(node, point)
    assert list(seen.fits) == ["least squares", "Bayes"]
    assert seen.fits["Bayes"].spreads == {}
    chart = showInspection(seen, node, point)
    assert [series.GetName() for series in seriesOf(chart)] == ["measured", "least squares", "Bayes"]
    assert chart.GetTitle() == "dwi at here"
    count = scene.GetNumberOfNodes()
    point.SetNthControlPointPositionWorld(0, *(example().affine @ [5, 4, 1, 1])[:3])
    assert showInspection(inspect(node, point), node, point, chart) is chart
    assert scene.GetNumberOfNodes() == count
    table = seriesOf(chart)[0].GetTableNode()
    assert np.array_equal(slicer.util.arrayFromTableColumn(table, "measured"), example().array[5, 4, 1])


def test_where_nothing_was_fitted_there_is_no_curve(scene) -> None:
    series = example()
    node = nodeFromDiffusion(series, "dwi")
    mask = np.zeros(series.shape, bool)
    mask[5:] = True
    nodes.deliverFit(ivim.fit(series, mask=mask), node, FitNodes())
    assert inspect(node, point_at(series, VOXEL, node)).fits == {}
    assert list(inspect(node, point_at(series, (6, 3, 2), node)).fits) == ["least squares"]


def test_a_point_outside_and_one_not_placed_are_sentences_and_the_chart_is_empty(scene) -> None:
    node, _ = fitted(example())
    inside = point_at(example(), VOXEL, node)
    chart = showInspection(inspect(node, inside), node, inside)
    for voxel in ((-2, 3, 2), (4, 3, 99)):
        with pytest.raises(InputError, match="The point lies outside of dwi"):
            inspect(node, point_at(example(), voxel, node))
    with pytest.raises(InputError, match="Click in a slice view"):
        inspect(node, fiducialsFromPoints(np.zeros((0, 3)), "none"))
    assert showInspection(None, node, inside, chart) is chart
    assert seriesOf(chart) == []
    assert showInspection(None, node, inside) is None
    plain = nodeFromVolume(Volume(example().array, example().affine), "plain")
    with pytest.raises(InputError, match="No b-values"):
        inspect(plain, inside)
    assert len(inspect(plain, inside, typed=" ".join(map(str, example().b_values))).signal) == 9


def test_a_segment_shows_its_mean(scene) -> None:
    node, result = fitted(example())
    labels = fit_inputs()["labels"]
    organs = segmentationFromLabels(labels, labels.names, name="organs", source=node)
    kidney = organs.GetSegmentation().GetSegmentIdBySegmentName("kidney")
    inside = labels.array == 2
    seen = inspect(node, organs, kidney)
    assert seen.voxels == inside.sum()
    assert np.allclose(seen.signal, example().array[inside].mean(axis=0))
    fit = seen.fits["least squares"]
    assert fit.values["D"] == pytest.approx(result.maps["D"].array[inside].mean())
    assert fit.spreads["D"] == pytest.approx(result.maps["D"].array[inside].std(), rel=1e-4)
    assert np.abs(fit.curve[0] / seen.signal[0] - 1) < 0.05
    organs.GetSegmentation().AddEmptySegment("void", "void")
    with pytest.raises(InputError, match="The segment void has no voxel inside the image dwi"):
        inspect(node, organs, "void")


def test_of_exams_in_a_sequence_the_shown_one_is_looked_at(scene) -> None:
    series = example()
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "exams")
    for n in range(3):
        frame = nodeFromDiffusion(series.with_array(series.array * (n + 1)), f"exam {n}")
        sequence.SetDataNodeAtValue(frame, str(n))
        scene.RemoveNode(frame)
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    logic = slicer.modules.sequences.logic()
    logic.UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(sequence)
    typed = " ".join(f"{b:g}" for b in series.b_values)
    results = [ivim.fit(fitInputs(frame, typed, geometryNode=proxy)["volume"]) for frame in seriesFrames(proxy)]
    nodes.deliverFrames(results, proxy, FitNodes(), sdMaps=True)
    point = point_at(series, VOXEL, proxy)
    for number in (0, 2, 1):
        browser.SetSelectedItemNumber(number)
        logic.UpdateProxyNodesFromSequences(browser)
        seen = inspect(proxy, point, typed=typed)
        assert np.allclose(seen.signal, series.array[VOXEL] * (number + 1))
        assert seen.fits["least squares"].values["S0"] == pytest.approx(results[number].maps["S0"].array[VOXEL])
        assert set(seen.fits["least squares"].spreads) == {"D", "f", "D_star", "S0"}


def test_a_sequence_of_images_is_read_without_stacking_it(scene) -> None:
    series = example()
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "dwi")
    sequence.SetIndexName("b-value")
    sequence.SetIndexUnit("s/mm2")
    for n, b in enumerate(series.b_values):
        frame = nodeFromVolume(Volume(series.array[..., n], series.affine), f"b{b:g}")
        sequence.SetDataNodeAtValue(frame, f"{b:g}")
        scene.RemoveNode(frame)
    seen = inspect(sequence, fiducialsFromPoints([(series.affine @ [*VOXEL, 1])[:3]], "here"))
    assert np.allclose(seen.signal, series.array[VOXEL])
