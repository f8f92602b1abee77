"""Draw the README's pictures of an evaluation: the nested squares by every method, and errors by SNR.

    python Utilities/make_report_pictures.py

They are those of the report of ``deepmri ivim evaluate``. A network of a single member is trained at each SNR; without
PyTorch it is left out.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from DeepMRILib import ivim
from DeepMRILib.ivim.evaluation import METHOD_NAMES, Evaluation
from DeepMRILib.ivim.evaluation_plots import comparison, errors_by_snr

FOLDER = ROOT / "Screenshots"
DPI = 130


def main() -> None:
    """Evaluate and draw."""
    network = ("ivimnet",) if importlib.util.find_spec("torch") is not None else ()
    methods = ("lsq", "segmented", "bayes", *network)
    options = ivim.EvaluateOptions(methods=methods, snr=(10.0, 20.0, 50.0), n=5000, trainings=1, members=1)
    found = ivim.evaluate(options)
    FOLDER.mkdir(exist_ok=True)
    squares_of(found, "f").savefig(FOLDER / "IVIMFit-squares.png", dpi=DPI)
    errors = errors_by_snr(found, "median_error", "Median error (%)")
    errors.savefig(FOLDER / "IVIMFit-errors.png", dpi=DPI)


def squares_of(found: Evaluation, name: str) -> Figure:
    """The nested squares of one parameter: truth, each method, differences."""
    maps = {METHOD_NAMES[method]: found.squares[f"{name}_{method}"] for method in found.provenance.inputs["methods"]}
    return comparison(name, found.squares[f"{name}_true"], maps)


if __name__ == "__main__":
    main()
