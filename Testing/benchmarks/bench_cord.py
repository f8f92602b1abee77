"""A real spinal cord at 7 T without b = 0: medians of every method beside the maps of the toolbox it comes from.

    python Testing/benchmarks/bench_cord.py [--networks]

The toolbox's fit explains many voxels badly (R2 in its own map), and its bounds are narrow; so each method runs with
the bounds of the body part brain and with the toolbox's range of D*.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "Testing")]

from real_data import DATA, REFERENCE_CORD_D_STAR, cord

from DeepMRILib import ivim

BAR = 0.4
"""How far the median of D in the mask may lie from the toolbox's, as a fraction of it."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", action="store_true", help="train networks on the series, too")
    arguments = parser.parse_args()
    if not (DATA / "ivim_cord7T").is_dir():
        sys.exit(f"No real data at {DATA}; set DEEPMRI_TEST_DATA.")
    data = cord()
    inside = np.asarray(data.mask) > 0
    known = float(np.median(data.reference["D"][inside]))
    print(f"{inside.sum()} voxels, b = {', '.join(f'{b:g}' for b in data.series.b_values)} s/mm2")
    print(f"Toolbox: median D {1e3 * known:.3f}, f {np.median(data.reference['f'][inside]):.3f}, "
          f"R2 {np.median(data.reference['R2'][inside]):.2f}\n")  # fmt: skip
    print(
        "| method | range of D* | D | f | D* | R2 | D from the toolbox's | within 40 % |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    options = [ivim.FitOptions(method=name, body_part="brain") for name in ("lsq", "segmented", "bayes")]
    if arguments.networks:
        options += [ivim.FitOptions(method="ivimnet", preset=name, body_part="brain") for name in ("optim", "default")]
    for bounds in ((), REFERENCE_CORD_D_STAR):
        for chosen in options:
            result = ivim.fit(data.series, dataclasses.replace(chosen, D_star_bounds=bounds), mask=data.mask)
            D, f, D_star, R2 = (float(np.median(result.maps[n].array[inside])) for n in ("D", "f", "D_star", "R2"))
            name = chosen.method if chosen.method != "ivimnet" else f"ivimnet, {chosen.preset}"
            limits = "the toolbox's" if bounds else "brain"
            print(
                f"| {name} | {limits} | {1e3 * D:.3f} | {f:.3f} | {1e3 * D_star:.1f} | {R2:.3f} "
                f"| {D / known - 1:+.0%} | {'yes' if abs(D / known - 1) <= BAR else 'NO'} |"
            )
    print("\nD and D* in 10^-3 mm2/s.")


if __name__ == "__main__":
    main()
