"""How long ``import DeepMRILib`` and its method packages take, in fresh processes.

python Testing/benchmarks/bench_import.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "vtk", "slicer", "qt", "monai", "nibabel", "matplotlib")
CODE = (
    "import time; t = time.perf_counter(); import {0}; print(time.perf_counter() - t); "
    "import sys; print([m for m in {1} if m in sys.modules])"
)


def measure(module: str, repeats: int = 7) -> tuple[float, float, str]:
    """Median and slowest import in seconds, and the heavy packages that came along."""
    seconds, heavy = [], ""
    for _ in range(repeats):
        ran = subprocess.run(
            [sys.executable, "-c", CODE.format(module, HEAVY)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        first, heavy = ran.stdout.splitlines()
        seconds.append(float(first))
    return statistics.median(seconds), max(seconds), heavy


def main() -> None:
    """Print the table."""
    methods = sorted(path.parent.name for path in (ROOT / "DeepMRILib").glob("*/__init__.py"))
    names = ["DeepMRILib", *(f"DeepMRILib.{name}" for name in methods if name not in ("mrml", "panel"))]
    print("| import | median s | slowest s | heavy packages that came along |\n|---|---|---|---|")
    for name in ["numpy", *names]:
        median, slowest, heavy = measure(name)
        print(f"| {name} | {median:.3f} | {slowest:.3f} | {heavy} |")


if __name__ == "__main__":
    main()
