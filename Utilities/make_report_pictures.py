"""Draw the pictures of reports in README and docs: IVIM on nested squares, lesions and spaces by every engine.

    python Utilities/make_report_pictures.py [ivim] [interactive] [pvs]

Those of IVIM are in the report of ``deepmri ivim evaluate``; a network of a single member is trained at each SNR, and
without PyTorch it is left out. Those of lesions and of perivascular spaces are in the demonstration; the network for
the latter is left out where there is none, or no PyTorch.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Utilities")]

from demo_interactive_material import ENGINES, KINDS
from demo_interactive_page import POINT, SHOWN
from demo_interactive_pictures import outlines
from demo_pvs import FILTERS, SEED, is_shipped
from demo_pvs_page import ENGINES as PVS_ENGINES

from DeepMRILib import interactive, ivim, pvs
from DeepMRILib.interactive.baselines import baseline
from DeepMRILib.ivim.evaluation import METHOD_NAMES, Evaluation
from DeepMRILib.ivim.evaluation_plots import comparison, errors_by_snr
from DeepMRILib.pvs.report_pictures import found_and_missed

FOLDER = ROOT / "Screenshots"
DPI, PVS_DPI = 130, 100


def main() -> None:
    """Draw the pictures of the methods that are named, or of all."""
    FOLDER.mkdir(exist_ok=True)
    pictures = {"ivim": draw_ivim, "interactive": draw_interactive, "pvs": draw_pvs}
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


def draw_pvs() -> None:
    """Find the spaces of the demonstration's head by each filter, and by the network where there is one."""
    made = pvs.phantom(options=pvs.PhantomOptions(seed=int(SEED)))
    options = {name: pvs.SegmentOptions(filter=name) for name in FILTERS}
    if is_shipped() and importlib.util.find_spec("torch") is not None:
        options["network"] = pvs.SegmentOptions(engine="network")
    found = {}
    for name, chosen in options.items():
        result = pvs.segment(made.images, parcellation=made.parcellation, options=chosen)
        found[PVS_ENGINES[name]] = result.segmentation
    t1, truth = made.images["t1"], made.truth.like(np.asarray(made.truth.array) > 0)
    found_and_missed(t1, truth, found, made.brain).savefig(FOLDER / "PVSSegment-engines.png", dpi=PVS_DPI)


if __name__ == "__main__":
    main()
