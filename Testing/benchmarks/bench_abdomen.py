"""Real abdomens: medians of D per organ against the maps that the data's authors published.

    python Testing/benchmarks/bench_abdomen.py

Their model is another one (it describes the phase of flowing blood, Wetscherek et al., MRM 2015), so equality is not
expected. The constant guess beside it is the median of all organs' published D.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from real_data import DATA, abdomen

from DeepMRILib import ivim
from DeepMRILib.tables import Table

BARS = {"liver": 0.45e-3, "kidney": 0.65e-3}
"""How far the median of D may lie from the published one, in mm2/s; kidney not in volunteer 2 (one voxel)."""


def rows(volunteers: tuple[int, ...] = (1, 2, 3, 4)) -> Table:
    """One row per volunteer and organ."""
    found = []
    for volunteer in volunteers:
        data = abdomen(volunteer)
        result = ivim.fit(data.series, ivim.FitOptions(), mask=data.regions, labels=data.regions)
        for label, organ in data.regions.names.items():
            inside = data.regions.array == label
            published = {name: float(np.nanmedian(values[inside[..., 0]])) for name, values in data.upstream.items()}
            row = {"volunteer": volunteer, "organ": organ, "voxels": int(inside.sum())}
            for name in ("D", "f"):
                row[name] = float(np.median(result.maps[name].array[inside]))
                row[f"{name} published"] = published[name]
            row["D_star"] = float(np.median(result.maps["D_star"].array[inside]))
            found.append(row)
    return Table.from_rows(found)


def main() -> None:
    """Print the table, and whether the bars are met."""
    if not (DATA / "ivim_abdomen").is_dir():
        sys.exit(f"No real data at {DATA}; set DEEPMRI_TEST_DATA.")
    table = rows()
    guess = float(np.median(table.columns["D published"]))
    print("| volunteer | organ | voxels | D | D published | constant | f | f published | D* | within the bar |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for volunteer, organ, voxels, D, D_known, f, f_known, D_star in table.rows:
        bar = BARS.get(organ) if (volunteer, organ) != (2, "kidney") else None
        verdict = "-" if bar is None else f"{'yes' if abs(D - D_known) <= bar else 'NO'} ({1e3 * (D - D_known):+.2f})"
        print(
            f"| {volunteer} | {organ} | {voxels} | {1e3 * D:.2f} | {1e3 * D_known:.2f} | {1e3 * guess:.2f} "
            f"| {f:.2f} | {f_known:.2f} | {1e3 * D_star:.0f} | {verdict} |"
        )
    print("D and D* in 10^-3 mm2/s.")


if __name__ == "__main__":
    main()
