"""Draw the pictures of reports in README and docs: IVIM methods on the nested squares, lesions by every engine.

    python Utilities/make_report_pictures.py [ivim] [interactive]

Those of IVIM are in the report of ``deepmri ivim evaluate``; a network of a single member is trained at each SNR, and
without PyTorch it is left out. Those of lesions are in the demonstration.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Utilities")]

from demo_interactive_material import ENGINES, KINDS
from demo_interactive_page import POINT, SHOWN
from demo_interactive_pictures import outlines

from DeepMRILib import interactive, ivim
from DeepMRILib.interactive.baselines import baseline
from DeepMRILib.ivim.evaluation import METHOD_NAMES, Evaluation
from DeepMRILib.ivim.evaluation_plots import comparison, errors_by_snr

FOLDER = ROOT / "Screenshots"
DPI = 130


def main() -> None:
    """Draw the pictures of the methods that are named, or of all."""
    FOLDER.mkdir(exist_ok=True)
    pictures = {"ivim": draw_ivim, "interactive": draw_interactive}
    for name in sys.argv[1:] or pictures:
        pictures[name]()


def draw_ivim() -> None:
    """Evaluate all methods and draw the squares and the errors."""
    network = ("ivimnet",) if importlib.util.find_spec("torch") is not None else ()
    methods = ("lsq", "segmented", "bayes", *network)
    options = ivim.EvaluateOptions(methods=methods, snr=(10.0, 20.0, 50.0), n=5000, trainings=1, members=1)
    found = ivim.evaluate(options)
    squares_of(found, "f").savefig(FOLDER / "IVIMFit-squares.png", dpi=DPI)
    errors = errors_by_snr(found, "median_error", "Median error (%)")
    errors.savefig(FOLDER / "IVIMFit-errors.png", dpi=DPI)


def squares_of(found: Evaluation, name: str) -> Figure:
    """The nested squares of one parameter: truth, each method, differences."""
    maps = {METHOD_NAMES[method]: found.squares[f"{name}_{method}"] for method in found.provenance.inputs["methods"]}
    return comparison(name, found.squares[f"{name}_true"], maps)


def draw_interactive() -> None:
    """Segment a lesion of each kind from its six points by every engine without weights."""
    lesions, found, points = {}, {}, {}
    for kind in KINDS:
        made = interactive.lesion_phantom(kind)
        placed = made.points["lesion"]
        lesions[kind] = (made.image, made.label.array > 0)
        points[kind] = [(placed, POINT)]
        found[kind] = {ENGINES["ellipsoid"]: baseline("ellipsoid", [made.image], [placed]).whole > 0}
        for engine in SHOWN[1:]:
            result = interactive.segment(made.image, placed, interactive.SegmentOptions(engine=engine))
            found[kind][ENGINES[engine]] = result.mask.array > 0
    outlines(lesions, found, points).savefig(FOLDER / "InteractiveSeg-engines.png", dpi=DPI)


if __name__ == "__main__":
    main()
