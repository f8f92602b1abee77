"""The pages about a test and about predictions."""

from __future__ import annotations

from DeepMRILib.interactive.postprocess import IN_WORDS
from DeepMRILib.interactive.predicting import PredictResult
from DeepMRILib.interactive.report_cases import SHOWN, add_scores, overlays, shown
from DeepMRILib.interactive.testing import TestResult
from DeepMRILib.report import Report
from DeepMRILib.results import Provenance
from DeepMRILib.tables import Table

SIZES = {
    **SHOWN,
    "voxels": "Voxels",
    "diameter_coronal": "Coronal diameter",
    "diameter_sagittal": "Sagittal diameter",
}


def test_report(result: TestResult) -> Report:
    """Scores of all cases beside two methods without a network."""
    report = _begun("Test of a segmentation network", result.provenance, "test")
    report.section("Scores")
    report.table(shown(result.means), caption="Means over the test cases.")
    add_scores(report, result.scores, result.pictures)
    _add_settings(report, result.provenance)
    return report


def predict_report(result: PredictResult) -> Report:
    """The sizes of what was found, and slices with its outline."""
    report = _begun("Segmented cases", result.provenance, "predict")
    report.section("Sizes")
    names = [name for name in SIZES if name in result.table.columns]
    units = {
        SIZES[name]: result.table.units[name].replace("mm3", "mm³") for name in names if name in result.table.units
    }
    columns = {
        SIZES[name]: [round(value, 1) if isinstance(value, float) else value for value in result.table.columns[name]]
        for name in names
    }
    report.table(Table(columns, units), caption="Diameters are the longest within a slice.")
    report.section("Slices")
    report.figure(
        overlays(result.pictures),
        "Axial slices in the middle: what the network found solid, the truth, if any, broken.",
    )
    _add_settings(report, result.provenance)
    return report


def _begun(title: str, made: Provenance, step: str) -> Report:
    report = Report(title, made.engine)
    report.facts(
        {
            "Dataset": made.inputs["dataset"],
            "Cases": made.inputs["cases"],
            "Postprocessing": IN_WORDS[made.inputs["postprocessing"]],
            "Time": f"{made.seconds[step]:.1f} s",
            "DeepMRI": made.version,
            "SHA-256 of the weights": made.weights_sha256,
        }
    )
    for note in made.notes:
        report.note(note)
    return report


def _add_settings(report: Report, made: Provenance) -> None:
    report.section("How it was made")
    report.facts(made.options)


test_report.__test__ = False  # no test of pytest's
