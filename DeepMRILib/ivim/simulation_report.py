"""The pages of simulated signals and of the nested squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.figures import Panel, montage
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.quantities import scale_of, shown_label
from DeepMRILib.ivim.report import b_values_listed, map_panels, shown_images
from DeepMRILib.ivim.result import PhantomResult
from DeepMRILib.ivim.simulate import Simulation
from DeepMRILib.plots import Curve, decay_plot
from DeepMRILib.report import Report
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume

DECAYS = 4
CURVE_POINTS = 71


def simulation_report(result: Simulation) -> Report:
    """Some decays with the curves that they were made from, and how the true parameters spread."""
    made = result.provenance
    model = MODELS[made.inputs["model"]]
    report = Report("Simulated IVIM signals", "Random parameters within ranges; no patient")
    report.facts(
        {
            "Model": model.equation,
            "Voxels": f"{made.options['n']:,}, on a grid of {' x '.join(map(str, result.dwi.shape))}",
            **_protocol(made, result.dwi),
            "Purpose": f"{made.options['purpose']}; the other purpose draws other numbers, also with this seed",
        }
    )
    report.section("Some voxels")
    signals = result.dwi.array.reshape(-1, result.dwi.b_values.size)
    dense = np.linspace(0, result.dwi.b_values.max(), CURVE_POINTS)
    truth = {name: result.truth[f"{name}_true"].array.ravel().astype(float) for name in model.parameters}
    curves = []
    for voxel in range(min(DECAYS, len(signals))):
        curve = model.signal(dense, *(truth[name][voxel] for name in model.parameters))
        S0 = truth["S0"][voxel]
        points = signals[voxel] / S0
        curves.append(Curve(f"voxel {voxel + 1}", result.dwi.b_values, points, None, dense, curve / S0))
    report.figure(decay_plot(curves, y_label="Signal relative to S0"), "Simulated points and the curve without noise.")
    report.section("Truth")
    report.table(truth_table(truth), caption="What was drawn, over all voxels.")
    return report


def truth_table(truth: dict[str, NDArray]) -> Table:
    """How the true parameters (n,) spread, in the units that papers print."""
    rows = []
    for name, values in truth.items():
        shown = scale_of(name) * values
        rows.append({"parameter": shown_label(name), "lowest": float(shown.min()), "mean": float(shown.mean()),
                     "highest": float(shown.max())})  # fmt: skip
    return Table.from_rows(rows)


def squares_report(result: PhantomResult) -> Report:
    """The images of the nested squares, and their truth."""
    report = Report("Nested squares", "Computed images of three homogeneous squares; no patient")
    report.facts(_protocol(result.provenance, result.dwi))
    report.section("Images")
    panels = [Panel(f"b = {b:g} s/mm²", image, window=(0.0, 1.1)) for b, image in shown_images(result.dwi).items()]
    report.figure(montage(panels), "The squares at some b-values, on one scale: S0 is 1 everywhere.")
    report.section("Truth")
    truth = {name.removesuffix("_true"): volume for name, volume in result.truth.items()}
    truth.pop("S0")
    report.figure(montage(map_panels(truth)), "The parameters that the images were computed from.")
    return report


def _protocol(made: Provenance, series: DiffusionVolume) -> dict[str, str]:
    snr = made.options["snr"]
    levels = " to ".join(f"{level:g}" for level in (snr if isinstance(snr, list) else [snr]))
    noise = "none" if made.options["noise"] == "none" else f"{made.options['noise']}, SNR {levels} at b = 0"
    return {
        "b-values": b_values_listed(series.b_values),
        "Noise": f"{noise}; seed {made.seed}",
    }
