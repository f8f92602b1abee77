"""Fits of several methods and models side by side: found again, updated in place, kept by a saved scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slicer
import slicer.util
from mrml_samples import throughBundle

from DeepMRILib import ivim
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.mrml import ivim as nodes
from DeepMRILib.mrml.diffusion import nodeFromDiffusion
from DeepMRILib.mrml.hierarchy import sourceOf
from DeepMRILib.mrml.ivim_fits import FitKind, FitNodes, findFits, isOfAnotherFit, moreOf
from DeepMRILib.tables import Table

LSQ, BAYES, OPTIM = FitKind("lsq", "biexp"), FitKind("bayes", "biexp"), FitKind("ivimnet", "triexp", "optim")


@pytest.fixture(scope="module")
def result() -> ivim.IVIMResult:
    return ivim.fit(fit_inputs()["volume"])


@pytest.fixture
def series(scene):
    return nodeFromDiffusion(fit_inputs()["volume"], "dwi")


def test_a_kind_says_which_fit_it_is() -> None:
    assert (LSQ.short, LSQ.title) == ("lsq", "least squares")
    assert (OPTIM.short, OPTIM.title) == ("ivimnet optim triexp", "IVIM-NET optim, tri-exponential")
    for kind in (LSQ, BAYES, OPTIM):
        assert FitKind.fromKey(kind.key) == kind
    assert FitKind.of(ivim.FitOptions(method="ivimnet", preset="orig")) == FitKind("ivimnet", "biexp", "orig")
    assert FitKind.of(ivim.FitOptions(method="ivimnet"), "study-1").network == "study-1"
    assert FitKind.of(ivim.FitOptions(preset="orig")) == LSQ


def test_each_kind_has_nodes_of_its_own_and_is_found_again(series, result) -> None:
    first = nodes.deliverFit(result, series, FitNodes())
    second = nodes.deliverFit(result, series, FitNodes(), kind=BAYES, sdMaps=True)
    assert first.DMap.GetName() == "dwi D lsq"
    assert second.DMap.GetName() == "dwi D bayes"
    assert findFits(series) == {LSQ: first, BAYES: second}
    assert set(second.more) == {"D_sd", "f_sd", "D_star_sd", "S0_sd"}
    assert isOfAnotherFit(first.fMap, series, BAYES)
    assert not isOfAnotherFit(first.fMap, series, LSQ)
    assert isOfAnotherFit(first.regionsTable, nodeFromDiffusion(fit_inputs()["volume"], "other"), LSQ)
    assert not isOfAnotherFit(series, series, LSQ)
    assert findFits(None) == {}


def test_further_maps_are_updated_once_they_are_there(series, result) -> None:
    first = nodes.deliverFit(result, series, FitNodes(), sdMaps=True, qualityMaps=True)
    count = slicer.mrmlScene.GetNumberOfNodes()
    brighter = replace(result, maps={name: one.like(one.array * 2) for name, one in result.maps.items()})
    again = nodes.deliverFit(brighter, series, replace(first, more=moreOf(first)))
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert again == first
    shown = slicer.util.arrayFromVolume(first.more["D_sd"]).transpose(2, 1, 0)
    assert np.array_equal(shown, brighter.maps["D_sd"].array)


def test_uncertainty_and_quality_say_what_they_are_and_look_like_it(series, result) -> None:
    more = nodes.deliverFit(result, series, FitNodes(), sdMaps=True, qualityMaps=True).more
    assert set(more) == {"D_sd", "f_sd", "D_star_sd", "S0_sd", "R2", "RMSE", "quality"}
    assert more["D_sd"].GetDescription().startswith("Standard deviation of D; least squares")
    assert more["D_sd"].GetVoxelValueUnits().GetCodeValue() == "mm2/s"
    display = more["D_sd"].GetDisplayNode()
    assert display.GetColorNode().GetName() == "Magma"
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((0, 0.001))
    quality = more["quality"].GetDisplayNode()
    assert (quality.GetWindowLevelMin(), quality.GetWindowLevelMax()) == (0, 1)
    assert all(sourceOf(node) is series for node in more.values())


def test_the_fitted_signal_and_the_loss_curve_come_where_there_are_some(series) -> None:
    fitted = ivim.fit(fit_inputs()["volume"], ivim.FitOptions(predicted=True))
    history = Table({"epoch": [1, 1, 2, 2], "member": [0, 1, 0, 1], "loss": [4.0, 2.0, 2.0, 1.0]})
    made = nodes.deliverFit(replace(fitted, training=history), series, FitNodes())
    predicted, losses = made.more["predicted"], made.more["training"]
    assert predicted.GetImageData().GetNumberOfScalarComponents() == 9
    assert predicted.GetDescription().startswith("Fitted signal; least squares")
    assert losses.GetNumberOfPlotSeriesNodes() == 1
    table = losses.GetNthPlotSeriesNode(0).GetTableNode()
    assert slicer.util.arrayFromTableColumn(table, "training").tolist() == [3.0, 1.5]


def test_the_engine_and_the_weights_stand_in_the_description(series, result) -> None:
    made = replace(result, provenance=replace(result.provenance, weights_sha256="0123456789abcdef" * 4))
    fit = nodes.deliverFit(made, series, FitNodes(), kind=FitKind("ivimnet", "biexp", "study-1"))
    assert "IVIM-NET study-1" in fit.DMap.GetDescription()
    assert "weights 0123456789ab" in fit.DMap.GetDescription()
    assert fit.DMap.GetName() == "dwi D ivimnet study-1"


def test_a_saved_scene_knows_its_fits(scene, series, result, tmp_path) -> None:
    nodes.deliverFit(result, series, FitNodes(), sdMaps=True)
    nodes.deliverFit(result, series, FitNodes(), kind=BAYES)
    throughBundle(scene, tmp_path / "scene.mrb")
    found = findFits(slicer.util.getNode("dwi"))
    assert {kind: fit.DMap.GetName() for kind, fit in found.items()} == {LSQ: "dwi D lsq", BAYES: "dwi D bayes"}
    assert found[LSQ].more["f_sd"].GetName() == "dwi f_sd lsq"
    assert found[BAYES].regionsTable.GetNumberOfRows() == 1
    assert found[BAYES].decayChart.GetName() == "dwi IVIM decay bayes"


def test_a_deleted_map_is_missing_and_without_the_leading_one_there_is_no_fit(scene, series, result) -> None:
    fit = nodes.deliverFit(result, series, FitNodes(), sdMaps=True)
    scene.RemoveNode(fit.more["D_sd"])
    scene.RemoveNode(fit.fMap)
    found = findFits(series)[LSQ]
    assert found.fMap is None
    assert set(found.more) == {"f_sd", "D_star_sd", "S0_sd"}
    scene.RemoveNode(fit.DMap)
    assert findFits(series) == {}


def test_of_two_fits_of_one_kind_the_later_counts(series, result) -> None:
    nodes.deliverFit(result, series, FitNodes())
    second = nodes.deliverFit(result, series, FitNodes())
    assert findFits(series) == {LSQ: second}
