"""The page about a training: loss curves, the choice of postprocessing, and cross-validation."""

from __future__ import annotations

import numpy as np

from DeepMRILib.device import in_words
from DeepMRILib.interactive.postprocess import IN_WORDS
from DeepMRILib.interactive.report_cases import add_scores, shown
from DeepMRILib.interactive.scoring import means
from DeepMRILib.interactive.trained import TrainedModel
from DeepMRILib.plots import LossCurve, loss_plot
from DeepMRILib.report import Report
from DeepMRILib.tables import Table

WAYS = {"weights": "Weights", "postprocessing": "Postprocessing", "mean": "Mean", "folds": "Votes", "chosen": "Chosen"}


def train_report(model: TrainedModel) -> Report:
    """How the networks learned and how good they are on cases that they have not seen."""
    made, plan = model.provenance, model.plan
    report = Report("Segmentation network", f"{model.name}: {made.engine}")
    report.facts(
        {
            "Dataset": made.inputs["dataset"],
            "Cases": made.inputs["training_cases"],
            "Images": ", ".join(plan.channels),
            "Labels": ", ".join(plan.labels),
            "Voxels": " x ".join(f"{edge:.3g}" for edge in plan.spacing) + " mm",
            "Levels": len(plan.strides),
            "Networks": len(model.folds),
            "Postprocessing": IN_WORDS[model.postprocessing],
            "Memory of a step": in_words(made.inputs["memory"]),
            "Time of the training": f"{made.seconds['train']:.0f} s",
            "DeepMRI": made.version,
            "SHA-256 of the weights": made.weights_sha256,
        }
    )
    for note in made.notes:
        report.note(note)
    report.section("Training")
    report.figure(
        loss_plot(loss_curves(model.history), y_label="Loss; 1 - Dice in validation"),
        "Of each fold the training loss (dotted) and 1 - Dice of the cases that are held back (solid).",
    )
    if len(model.scores):
        report.section("Cross-validation")
        report.table(shown(means(_rows(model.scores))), caption="Means over the cases, each by the network without it.")
        add_scores(report, model.scores, model.pictures)
        report.section("Weights and postprocessing")
        report.table(_choices(model.choices), caption="Mean Dice of the held-out cases in each fold, in 3D.")
    report.section("How it was made")
    report.facts({name: value for name, value in made.options.items() if value not in ("", [])})
    return report


def loss_curves(history: Table) -> list[LossCurve]:
    """A curve for each fold: the loss in training, 1 - Dice in validation."""
    folds = np.array(history.columns["fold"])
    epochs, losses = (np.array(history.columns[name], dtype=float) for name in ("epoch", "loss"))
    dice = np.array([np.nan if value is None else value for value in history.columns["dice"]], dtype=float)
    return [
        LossCurve(f"fold {fold}", epochs[folds == fold], losses[folds == fold], 1 - dice[folds == fold])
        for fold in dict.fromkeys(folds.tolist())
    ]


def _rows(table: Table) -> list[dict]:
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _choices(table: Table) -> Table:
    columns = {}
    for name, values in table.columns.items():
        title = WAYS.get(name, name.replace("fold", "Fold "))
        words = [IN_WORDS[value] for value in values] if name == "postprocessing" else values
        columns[title] = [round(value, 4) if isinstance(value, float) else value for value in words]
    return Table(columns)
