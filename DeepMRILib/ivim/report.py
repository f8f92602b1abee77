"""The pages with pictures that stand beside the maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from DeepMRILib.figures import Panel, montage
from DeepMRILib.ivim.curves import loss_curves, region_curves
from DeepMRILib.ivim.models import MODELS, SignalModel
from DeepMRILib.ivim.quantities import QUALITY, QUANTITIES, scale_of, shown_unit
from DeepMRILib.ivim.regions import distinct_b_values
from DeepMRILib.ivim.result import IVIMResult, PhantomResult
from DeepMRILib.plots import decay_plot, loss_plot
from DeepMRILib.report import NO_VALUE, Report
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table
from DeepMRILib.volume import DiffusionVolume, Volume

LOSS_CAPTION = "Loss after each epoch, mean of all members; a marker stands where that of validation was lowest."
MARGIN = 6
MOST_CURVES = 7
"""More than this many curves in one plot cannot be told apart."""
COLOUR_MAPS = {
    "Viridis": "viridis",
    "Inferno": "inferno",
    "Plasma": "plasma",
    "Cividis": "cividis",
    "Magma": "magma",
    "Grey": "gray",
}


def fit_report(result: IVIMResult) -> Report:
    """Maps, decay curves, the table of regions, and how they were made."""
    made = result.provenance
    model = MODELS[made.inputs["model"]]
    b_values = distinct_b_values(np.array(made.inputs["b_values_fitted"]))
    report = Report("Intravoxel incoherent motion", f"{made.engine[0].upper()}{made.engine[1:]}")
    report.facts(_files(made.inputs.get("files", {})))
    report.facts(
        {
            "Model": model.equation,
            "b-values": b_values_listed(b_values),
            "Images": len(made.inputs["b_values"]),
            "Voxels fitted": f"{made.inputs['voxels_fitted']:,}",
            "Time of the fit": f"{made.seconds['fit']:.2f} s",
            "DeepMRI": made.version,
            **({"SHA-256 of the weights": made.weights_sha256} if made.weights_sha256 else {}),
        }
    )
    for note in made.notes:
        report.note(note)
    report.section("Maps")
    around = _box(np.asarray(result.fitted) > 0)
    parameters = {name: _cropped(result.maps[name], around) for name in model.parameters}
    report.figure(montage(map_panels(parameters)), "Parameters in axial slices, patient's right on the left.")
    spreads = [f"{name}_sd" for name in model.parameters if f"{name}_sd" in result.maps]
    if spreads:
        uncertain = {name: _cropped(result.maps[name], around) for name in spreads}
        report.figure(montage(map_panels(uncertain)), "How uncertain they are: the standard deviation of each.")
    quality = {name: _cropped(result.maps[name], around) for name in QUALITY}
    report.figure(montage(map_panels(quality)), "How well the curve fits in each voxel.")
    curves = [replace(curve, error=None) for curve in region_curves(result)]
    if curves:  # none where no voxel of any region was fitted
        report.section("Decay")
        limit = f"; the first {MOST_CURVES} of {len(curves)} regions" if len(curves) > MOST_CURVES else ""
        report.figure(
            decay_plot(curves[:MOST_CURVES], y_label="Signal relative to S0", log=True),
            f"Mean signal of each region and the mean of its voxels' fitted curves{limit}.",
        )
    report.section("Regions")
    report.table(
        short_table(result.regions, model), caption="Median, with lower and upper quartile, of the fitted voxels."
    )
    if result.training is not None:
        report.section("Training of the network")
        report.figure(loss_plot(loss_curves(result.training)), LOSS_CAPTION)
    add_settings(report, made)
    return report


def add_settings(report: Report, made: Provenance) -> None:
    """The settings of a fit or a training, and the bounds of its parameters."""
    report.section("How it was made")
    report.facts({name: value for name, value in made.options.items() if not isinstance(value, list)})
    report.table(bounds_table(made.inputs["bounds"]), caption="Bounds of the parameters; S0 relative to the lowest b.")


def b_values_listed(b_values: Iterable[float]) -> str:
    """0, 50, 800 s/mm²."""
    return ", ".join(f"{b:g}" for b in b_values) + " s/mm²"


def shown_images(series: DiffusionVolume) -> dict[float, Volume]:
    """b-value to image: the lowest, one near a quarter of the highest, and the highest."""
    b = series.b_values
    shown = dict.fromkeys((int(np.argmin(b)), int(np.argmin(np.abs(b - b.max() / 4))), int(np.argmax(b))))
    return {float(b[n]): series.like(series.array[..., n]) for n in shown}


def _files(files: dict[str, Any]) -> dict[str, str]:
    """The input files by what they are for, when the command line has read them."""
    names = {"model": "Network"}  # the signal equation is called a model, too
    return {
        names.get(name, name.capitalize()): str(record["path"]) for name, record in files.items() if "path" in record
    }


def _box(inside: NDArray) -> tuple[slice, ...]:
    """The part of the grid that holds the fitted voxels, with a margin: a small organ fills its picture."""
    found = np.argwhere(inside)
    low, high = found.min(axis=0), found.max(axis=0) + 1
    margin = np.array([MARGIN, MARGIN, 0])
    return tuple(slice(max(0, a - m), b + m) for a, b, m in zip(low, high, margin, strict=True))


def _cropped(volume: Volume, box: tuple[slice, ...]) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] = volume.ras_from_voxel([[part.start for part in box]])[0]
    return Volume(volume.array[box], affine)


def map_panels(maps: dict[str, Volume]) -> list[Panel]:
    """Panels of known maps, D and D* in 10^-3 mm2/s as papers print them."""
    panels = []
    for name, volume in maps.items():
        quantity, scale = QUANTITIES[name], scale_of(name)
        window = None if quantity.window is None else tuple(scale * edge for edge in quantity.window)
        colours = COLOUR_MAPS[quantity.colour]
        panels.append(Panel(quantity.label, volume, unit=shown_unit(name), window=window, colors=colours, scale=scale))
    return panels


def short_table(regions: Table, model: SignalModel) -> Table:
    """The table of regions as a reader wants it: median and quartiles, D and D* in 10^-3 mm2/s."""
    columns = {name: list(regions.columns[name]) for name in ("region", "voxels")}
    units = {}
    for name in model.parameters:
        scale = scale_of(name)
        values = zip(*(regions.columns[f"{name}_{key}"] for key in ("median", "q25", "q75")), strict=True)
        label = QUANTITIES[name].label
        columns[label] = [_spread([scale * value for value in row]) for row in values]
        if shown_unit(name):
            units[label] = shown_unit(name)
    for name in ("D_star", "D_star1", "D_star2"):
        if name in model.parameters:
            parts = regions.columns[f"{name}_at_bound"]
            columns[f"{QUANTITIES[name].label} on a bound"] = [
                NO_VALUE if np.isnan(part) else f"{part:.0%}" for part in parts
            ]
    return Table(columns, units)


def _spread(values: Sequence[float]) -> str:
    if np.isnan(values[0]):
        return NO_VALUE
    digits = max(0, 2 - int(np.floor(np.log10(max(abs(value) for value in values) or 1.0))))
    median, low, high = (f"{value:.{digits}f}" for value in values)
    return f"{median} ({low}–{high})"


def bounds_table(bounds: dict[str, list[float]]) -> Table:
    """Lowest and highest value of each parameter."""
    names = list(bounds)
    return Table(
        {
            "parameter": [QUANTITIES[name].label for name in names],
            "lowest": [bounds[name][0] for name in names],
            "highest": [bounds[name][1] for name in names],
            "unit": [QUANTITIES[name].unit.replace("mm2", "mm²") if name != "S0" else "relative" for name in names],
        }
    )


def phantom_report(result: PhantomResult) -> Report:
    """The phantom's images and its truth."""
    made = result.provenance
    report = Report("Abdomen phantom", "Computed diffusion-weighted images with known parameters; no patient")
    report.facts(
        {
            "b-values": b_values_listed(result.dwi.b_values),
            "Grid": " x ".join(str(n) for n in result.dwi.shape),
            "Spacing": " x ".join(f"{edge:g}" for edge in result.dwi.spacing) + " mm",
            "Noise": f"{made.options['noise']}, SNR {made.options['snr']:g} at b = 0, seed {made.seed}",
        }
    )
    panels = [Panel(f"b = {b:g}", image) for b, image in shown_images(result.dwi).items()]
    report.section("Images")
    report.figure(montage(panels), "Axial slices at three b-values, patient's right on the left.")
    report.section("Truth")
    truth = {name.removesuffix("_true"): volume for name, volume in result.truth.items()}
    report.figure(montage(map_panels(truth)), "The parameters that the images were computed from.")
    report.figure(
        montage([Panel("Tissues", panels[0].volume)], outline=result.labels, names=result.labels.names, count=1),
        "The tissues' borders.",
    )
    return report
