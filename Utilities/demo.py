"""The demonstration: make an abdomen-sized phantom, fit it, and write a page that compares the maps with the truth.

    python Utilities/demo.py --output demo

Everything is done by the command line ``deepmri``, as a user would; only the comparison is computed here.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from DeepMRILib import cli, figures, files, plots
from DeepMRILib.ivim.quantities import QUANTITIES
from DeepMRILib.ivim.report import map_panels
from DeepMRILib.ivim.scores import TOGETHER, evaluate_maps
from DeepMRILib.report import Report
from DeepMRILib.results import RESULT_FILE
from DeepMRILib.tables import Table
from DeepMRILib.volume import LabelVolume, Volume

COMPARED = ("D", "f", "D_star")
ERROR_COLUMNS = [f"{QUANTITIES[name].label}{kind}" for name in COMPARED for kind in ("", ", constant")]
MEDIAN_COLUMNS = [f"{QUANTITIES[name].label}, {kind}" for name in COMPARED for kind in ("fit", "truth")]
ORGANS = (
    "liver",
    "spleen",
    "kidney cortex",
    "kidney medulla",
    "pancreas",
    "muscle",
    "stomach wall",
    "liver metastasis",
)


def main() -> int:
    """Run the demonstration; the exit code is that of the first command that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo"))
    parser.add_argument("--overwrite", action="store_true", help="replace an older demonstration")
    arguments = parser.parse_args()
    output: Path = arguments.output
    if output.exists():
        if not arguments.overwrite or not (output / "fit" / RESULT_FILE).is_file():
            print(f"{output} exists and is not replaced; choose another --output.", file=sys.stderr)
            return 2
        shutil.rmtree(output)
    output.mkdir(parents=True)
    commands = [
        ["ivim", "phantom", "-o", str(output / "phantom")],
        ["ivim", "fit", str(output / "phantom" / "dwi.nii.gz"), "--method", "lsq",
         "--labels", str(output / "phantom" / "labels.nii.gz"), "-o", str(output / "fit")],
    ]  # fmt: skip
    seconds = []
    for command in commands:
        print("deepmri " + " ".join(command))
        started = time.perf_counter()
        code = cli.main(command)
        if code:
            return code
        seconds.append(time.perf_counter() - started)
    write_page(output, commands, seconds)
    print(f"Written: {output / 'index.html'}")
    return 0


def write_page(output: Path, commands: list[list[str]], seconds: list[float]) -> None:
    """The page that opens first."""
    result = json.loads((output / "fit" / RESULT_FILE).read_text(encoding="utf-8"))
    maps = {name: files.read_volume(output / "fit" / f"{name}.nii.gz") for name in (*COMPARED, "S0")}
    truth = {name: files.read_volume(output / "phantom" / f"{name}_true.nii.gz") for name in COMPARED}
    labels = files.read_labels(output / "phantom" / "labels.nii.gz")
    fitted = np.asarray(files.read_volume(output / "fit" / "fitted.nii.gz")) > 0
    provenance = result["provenance"]

    report = Report("DeepMRI demonstration", "IVIM maps of a computed abdomen, by bounded least squares in each voxel")
    report.text(
        "This page was made by the commands below: the first computes diffusion-weighted images of an abdomen-like "
        "phantom with known parameters, the second fits the bi-exponential IVIM model to them in every voxel."
    )
    report.facts({f"Command {n}": "deepmri " + " ".join(command) for n, command in enumerate(commands, 1)})
    rate = provenance["inputs"]["voxels_fitted"] / provenance["seconds"]["fit"]
    report.facts(
        {
            "Series": " x ".join(str(n) for n in provenance["inputs"]["shape"]),
            "Voxels fitted": f"{provenance['inputs']['voxels_fitted']:,}",
            "Time of the fit": f"{provenance['seconds']['fit']:.2f} s ({rate:,.0f} voxels per second)",
            "Time of the whole command": f"{seconds[1]:.1f} s, with reading, writing and the report",
        }
    )
    report.section("Maps and truth")
    for name in COMPARED:
        save(
            report, compared(name, maps[name], truth[name]), output, name, f"{QUANTITIES[name].meaning}: fit and truth."
        )
    report.section("Decay in each organ")
    save(report, decay(output), output, "decay", "Mean signal of some organs and the curve fitted to it.")
    report.section("Median of each organ")
    report.table(
        medians(maps, truth, labels, fitted),
        formats=dict.fromkeys(MEDIAN_COLUMNS, ".3g"),
        caption="Median over the organ's voxels, of the fit and of the truth: what a study reports.",
    )
    report.section("Error in each voxel")
    report.table(
        errors(maps, truth, labels, fitted),
        formats=dict.fromkeys(ERROR_COLUMNS, ".1f"),
        caption="Median of |fit - truth| / truth over the voxels, in percent.",
    )
    report.text(
        "The constant guess is the same number for every voxel, the median of the truth over these organs. Within one "
        "organ the phantom's truth hardly varies, so the constant is good where the organ is near that median, and "
        "knows nothing of the others; voxel by voxel, the noise of f and D* exceeds the differences between organs. "
        "Blood vessels, fluids and fat are left out: the truth of blood lies outside the bounds of the fit."
    )
    report.section("Files")
    report.facts({str(path.relative_to(output)): f"{path.stat().st_size / 1e6:.2f} MB" for path in listed(output)})
    report.write(output / "index.html")


def listed(output: Path) -> list[Path]:
    """The files that the two commands left."""
    return sorted(path for path in output.rglob("*") if path.is_file() and path.name != "index.html")


def save(report: Report, figure: Figure, output: Path, name: str, caption: str) -> None:
    """Put a figure into the page and beside it as PNG."""
    folder = output / "figures"
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=200)
    report.figure(figure, caption)


def compared(name: str, fit: Volume, truth: Volume) -> Figure:
    """A map beside its truth and their difference."""
    (shown,) = map_panels({name: fit})
    low, high = shown.window
    panels = [
        figures.Panel(f"{shown.name}, fit", fit, shown.unit, shown.window, shown.colors, shown.scale),
        figures.Panel(f"{shown.name}, truth", truth, shown.unit, shown.window, shown.colors, shown.scale),
        figures.Panel("fit - truth", fit.like(np.asarray(fit) - np.asarray(truth)), shown.unit,
                      ((low - high) / 2, (high - low) / 2), "RdBu_r", shown.scale),
    ]  # fmt: skip
    return figures.montage(panels, count=2)


def decay(output: Path) -> Figure:
    """Decay curves from the tables that the fit wrote."""
    points, lines = (read_rows(output / "fit" / name) for name in ("decay.csv", "decay_fit.csv"))
    curves = []
    for region in ORGANS[:6]:
        own = [row for row in points if row["region"] == region]
        line = [row for row in lines if row["region"] == region]
        if not own:
            continue
        start = float(line[0]["signal"])  # the curve begins at b = 0
        curves.append(
            plots.Curve(
                region,
                [float(row["b"]) for row in own],
                [float(row["signal"]) / start for row in own],
                line_x=[float(row["b"]) for row in line],
                line_y=[float(row["signal"]) / start for row in line],
            )
        )
    return plots.decay_plot(curves, y_label="Signal relative to S0", log=True)


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def medians(maps: dict[str, Volume], truth: dict[str, Volume], labels: LabelVolume, fitted: np.ndarray) -> Table:
    """Median of each map and of its truth in each organ, D and D* in 10^-3 mm2/s."""
    rows = []
    for label, region in labels.names.items():
        inside = (labels.array == label) & fitted
        if region not in ORGANS or not inside.any():
            continue
        row: dict[str, object] = {"organ": region}
        for name in COMPARED:
            scale = 1.0 if name == "f" else 1000.0
            shown = QUANTITIES[name].label
            row[f"{shown}, fit"] = scale * float(np.median(np.asarray(maps[name])[inside]))
            row[f"{shown}, truth"] = scale * float(np.median(np.asarray(truth[name])[inside]))
        rows.append(row)
    return Table.from_rows(rows, {name: "10⁻³ mm²/s" for name in MEDIAN_COLUMNS if not name.startswith("f")})


def errors(maps: dict[str, Volume], truth: dict[str, Volume], labels: LabelVolume, fitted: np.ndarray) -> Table:
    """Median relative error of each map in each organ, beside that of a constant guess."""
    studied = [label for label, region in labels.names.items() if region in ORGANS]
    organs = LabelVolume(np.where(np.isin(labels.array, studied), labels.array, 0), labels.affine, labels.names)
    table = evaluate_maps({name: maps[name] for name in COMPARED}, truth, organs, inside=fitted).columns
    rows: dict[str, dict[str, object]] = {}
    for n, region in enumerate(table["region"]):
        shown = QUANTITIES[table["parameter"][n]].label
        name = "all of these" if region == TOGETHER else region
        row = rows.setdefault(name, {"organ": name, "voxels": table["voxels"][n]})
        row[shown], row[f"{shown}, constant"] = (100 * table[key][n] for key in ("median_error", "constant_error"))
    return Table.from_rows(rows.values(), dict.fromkeys(ERROR_COLUMNS, "%"))


if __name__ == "__main__":
    sys.exit(main())
