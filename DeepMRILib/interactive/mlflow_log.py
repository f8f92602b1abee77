"""Logging a training to MLflow, for those who keep their experiments there; nothing without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from DeepMRILib.errors import OutputError, require

if TYPE_CHECKING:
    from DeepMRILib.interactive.trained import TrainedModel

DATABASE = "mlflow.db"
"""Of a folder; MLflow's older stores of plain files are no longer kept up."""
_LONGEST = 500  # characters that MLflow takes as a parameter


def check(where: str) -> None:
    """Say before a training that it cannot be logged.

    Args:
        where: folder or address of a tracking store; empty for none, and then nothing happens.

    Raises:
        DependencyError: MLflow is not installed.
    """
    if where:
        require("mlflow", "Logging a training to MLflow")


def log_training(model: TrainedModel, where: str) -> None:
    """Log settings, loss curves, scores and tables of a training as a run of the experiment named as the model.

    Raises:
        DependencyError: MLflow is not installed.
        OutputError: the store refuses.
    """
    if not where:
        return
    mlflow = require("mlflow", "Logging a training to MLflow")
    from mlflow.exceptions import MlflowException

    try:
        _open(mlflow, where, model.name)
        with mlflow.start_run(run_name="training"):
            mlflow.set_tag("Mode", "training")
            mlflow.log_params({name: str(value)[:_LONGEST] for name, value in model.provenance.options.items()})
            mlflow.log_params({"postprocessing": model.postprocessing, "weights": model.provenance.inputs["weights"]})
            for row in model.history.rows:
                entry = dict(zip(model.history.columns, row, strict=True))
                known = {
                    f"fold{entry['fold']} {name}": float(entry[name])
                    for name in ("loss", "dice", "learning_rate")
                    if entry[name] is not None
                }
                mlflow.log_metrics(known, step=entry["epoch"])
            mlflow.log_metrics({name.replace(" of ", "."): value for name, value in model.metrics.items()})
            for name in ("scores", "choices"):
                table = getattr(model, name)
                if len(table):
                    mlflow.log_dict(table.columns, f"{name}.json")
    except (MlflowException, OSError) as error:
        raise OutputError(f"The training cannot be logged to MLflow at {where}: {error}") from error


def _open(mlflow: Any, where: str, name: str) -> None:
    """Make the experiment of that name the current one, in a folder's database or at an address."""
    if "://" in where:
        mlflow.set_tracking_uri(where)
        mlflow.set_experiment(name)
        return
    folder = Path(where).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{(folder / DATABASE).as_posix()}")
    if mlflow.get_experiment_by_name(name) is None:
        mlflow.create_experiment(name, artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment(name)
