"""The page about a training: how the loss fell, and how good the network is on patches that it has not seen."""

from __future__ import annotations

import numpy as np

from DeepMRILib.plots import LossCurve, loss_plot
from DeepMRILib.pvs.trained import TrainedNetwork
from DeepMRILib.report import Report
from DeepMRILib.tables import Table

SCORES = {
    "method": "Method",
    "where": "Where",
    "average_precision": "Average precision",
    "dice": "Dice",
    "cluster_f1": "F1 of clusters",
    "threshold": "Threshold",
}


def train_report(result: TrainedNetwork) -> Report:
    """The loss curve, the scores beside vesselness and chance, and how it was made."""
    made = result.provenance
    report = Report("Network for perivascular spaces", f"{result.name}: {made.engine}")
    size = sum(array.size for array in result.weights.values())
    report.facts(
        {
            "Weights": f"{size / 1e6:.2f} million",
            "Trained on": result.training_data,
            "Licence": result.licence,
            "DeepMRI": made.version,
            **({"SHA-256 of the weights": made.weights_sha256} if made.weights_sha256 else {}),
        }
    )
    for note in made.notes:
        report.note(note)
    report.section("Training")
    epochs, losses, judged = (
        np.array(result.history.columns[name], dtype=float) for name in ("epoch", "loss", "average_precision")
    )
    report.figure(
        loss_plot([LossCurve(result.name, epochs, losses, 1 - judged)], y_label="Loss; 1 - average precision"),
        "The loss in training (dotted) and 1 - average precision of generated patches that are held out (solid).",
    )
    report.section("Scores on patches held out")
    columns = {
        title: [round(value, 3) if isinstance(value, float) else value for value in result.scores.columns[name]]
        for name, title in SCORES.items()
    }
    report.table(
        Table(columns),
        caption="The network at 0.5, filters at their best threshold; the real world is not as it is drawn here.",
    )
    report.section("How it was made")
    report.facts({name: value for name, value in made.options.items() if value not in ("", [])})
    return report
