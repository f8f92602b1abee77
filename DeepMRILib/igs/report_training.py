"""The page about a training: how the loss fell, and how good the network is on cases that it has not seen."""

from __future__ import annotations

import numpy as np

from DeepMRILib.igs.trained import TrainedNetwork
from DeepMRILib.plots import LossCurve, loss_plot
from DeepMRILib.report import Report
from DeepMRILib.tables import Table

TITLES = {
    "method": "Method", "images": "Images", "lines": "Lines", "dice": "Dice", "accuracy": "Accuracy", "psnr": "PSNR",
}  # fmt: skip
CAPTIONS = {
    "segmentation": "Mean Dice of all structures of the cases held out; background is the guess that there is nothing.",
    "classification": "Share of the slices held out whose class is right, beside guessing the most frequent class.",
    "reconstruction": "Mean PSNR of the cases held out, beside zero-filled images and the mean image of the training.",
}
HELD_OUT = "The cases held out have decided which epoch is kept, so these numbers are a little too good."


def train_report(result: TrainedNetwork) -> Report:
    """The loss curve, the scores on full and undersampled images beside guesses, and how it was made."""
    made = result.provenance
    report = Report("Network that looks at undersampled images", f"{result.name}: {made.engine}")
    size = sum(array.size for array in result.weights.values())
    report.facts(
        {
            "Task": result.task,
            **({"Labels": ", ".join(result.labels.values())} if result.labels else {}),
            "Weights": f"{size / 1e3:.0f} thousand",
            "Trained on": result.training_data,
            "Size of the images": " x ".join(map(str, result.size)),
            "Licence": result.licence,
            "DeepMRI": made.version,
            **({"SHA-256 of the weights": made.weights_sha256} if made.weights_sha256 else {}),
        }
    )
    for note in made.notes:
        report.note(note)
    report.section("Training")
    curve = {name: np.array(result.history.columns[name], dtype=float) for name in ("epoch", "loss", "held_out")}
    report.figure(
        loss_plot([LossCurve(result.name, curve["epoch"], curve["loss"], curve["held_out"])]),
        "The loss in training (dotted) and of the cases held out (solid), full and undersampled alike.",
    )
    report.section("Scores on cases held out")
    columns = {TITLES[name]: list(values) for name, values in result.scores.columns.items()}
    units = {TITLES[name]: unit for name, unit in result.scores.units.items()}
    measure = list(columns)[-1]
    digits = ".1f" if measure == "PSNR" else ".3f"
    report.table(Table(columns, units), formats={measure: digits}, caption=CAPTIONS[result.task])
    report.text(HELD_OUT)
    report.section("How it was made")
    report.facts({name: value for name, value in made.options.items() if value not in ("", [])})
    return report
