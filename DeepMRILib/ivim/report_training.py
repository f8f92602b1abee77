"""The page about a training: how the loss fell, on what, and with which settings."""

from __future__ import annotations

from DeepMRILib.ivim.curves import loss_curves
from DeepMRILib.ivim.models import MODELS
from DeepMRILib.ivim.report import LOSS_CAPTION, add_settings, b_values_listed
from DeepMRILib.ivim.trained import TrainedModel
from DeepMRILib.plots import loss_plot
from DeepMRILib.report import Report


def train_report(model: TrainedModel) -> Report:
    """The loss curve, the series and the settings of a training."""
    made = model.provenance
    report = Report("IVIM network", f"{made.engine[0].upper()}{made.engine[1:]}")
    report.facts(
        {
            "Name": model.name,
            "Model": MODELS[model.options.model].equation,
            "b-values": b_values_listed(dict.fromkeys(model.b_values)),
            "Images": len(model.b_values),
            "Series": made.inputs["series"],
            "Voxels": f"{model.voxels:,}",
            "Time of the training": f"{made.seconds['train']:.1f} s",
            "DeepMRI": made.version,
        }
    )
    for note in made.notes:
        report.note(note)
    report.section("Training")
    report.figure(loss_plot(loss_curves(model.history)), LOSS_CAPTION)
    report.section("Series")
    report.table(model.series, caption="The series that the network was trained on.")
    add_settings(report, made)
    return report
