"""Real abdomens: medians of D and f per organ, of every method, against the maps that the data's authors published.

    python Testing/benchmarks/bench_abdomen.py [--networks]

Their model is another one (it describes the phase of flowing blood, Wetscherek et al., MRM 2015), so equality is not
expected. The constant guess beside it is the median of all organs' published values. Networks are trained once, on all
four volunteers together, as for a study.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from real_data import DATA, Abdomen, abdomen

from DeepMRILib import ivim
from DeepMRILib.ivim.result import IVIMResult
from DeepMRILib.tables import Table

VOLUNTEERS = (1, 2, 3, 4)
BARS = {"liver": {"D": 0.45e-3, "f": 0.12}, "kidney": {"D": 0.65e-3, "f": 0.18}}
"""How far a median may lie from the published one; kidney not in volunteer 2, where it is one voxel."""
Method = Callable[[Abdomen], IVIMResult]


def fits(method: str) -> Method:
    """A method that needs no network."""
    options = ivim.FitOptions(method=method)
    return lambda data: ivim.fit(data.series, options, mask=data.regions, labels=data.regions)


def network(preset: str, seed: int = 0) -> Method:
    """One network for the four volunteers, trained on all voxels of tissue."""
    series = [abdomen(volunteer).series for volunteer in VOLUNTEERS]
    model = ivim.train(series, ivim.TrainOptions(preset=preset, seed=seed))
    return lambda data: ivim.apply(model, data.series, mask=data.regions, labels=data.regions)


def rows(method: Method, volunteers: tuple[int, ...] = VOLUNTEERS) -> Table:
    """One row per volunteer and organ."""
    found = []
    for volunteer in volunteers:
        data = abdomen(volunteer)
        result = method(data)
        for label, organ in data.regions.names.items():
            inside = data.regions.array == label
            row = {"volunteer": volunteer, "organ": organ, "voxels": int(inside.sum())}
            for name in ("D", "f"):
                row[name] = float(np.median(result.maps[name].array[inside]))
                row[f"{name} published"] = float(np.nanmedian(data.upstream[name][inside[..., 0]]))
            row["D_star"] = float(np.median(result.maps["D_star"].array[inside]))
            found.append(row)
    return Table.from_rows(found)


def verdict(volunteer: int, organ: str, differences: dict[str, float]) -> str:
    """Whether the bars are met; "-" where there is none."""
    if organ not in BARS or (volunteer, organ) == (2, "kidney"):
        return "-"
    return " ".join(f"{name} {'yes' if abs(differences[name]) <= bar else 'NO'}" for name, bar in BARS[organ].items())


def show(title: str, table: Table) -> None:
    """Print one method's table."""
    guess = {name: float(np.median(table.columns[f"{name} published"])) for name in ("D", "f")}
    print(f"\n{title}; constant guess D {1e3 * guess['D']:.2f}, f {guess['f']:.2f}\n")
    print("| volunteer | organ | voxels | D | published | f | published | D* | within the bars |")
    print("|---|---|---|---|---|---|---|---|---|")
    for volunteer, organ, voxels, D, D_known, f, f_known, D_star in table.rows:
        within = verdict(volunteer, organ, {"D": D - D_known, "f": f - f_known})
        print(
            f"| {volunteer} | {organ} | {voxels} | {1e3 * D:.2f} | {1e3 * D_known:.2f} | {f:.2f} | {f_known:.2f} "
            f"| {1e3 * D_star:.0f} | {within} |"
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", action="store_true", help="train networks on the four volunteers, too")
    arguments = parser.parse_args()
    if not (DATA / "ivim_abdomen").is_dir():
        sys.exit(f"No real data at {DATA}; set DEEPMRI_TEST_DATA.")
    print("D and D* in 10^-3 mm2/s.")
    for name in ("lsq", "segmented", "bayes"):
        show(name, rows(fits(name)))
    if arguments.networks:
        for preset in ("optim", "orig", "default"):
            show(f"ivimnet, {preset}", rows(network(preset)))


if __name__ == "__main__":
    main()
