"""``deepmri models``: the models on this computer, listed, shown, added, deleted and checked."""

from __future__ import annotations

from pathlib import Path

from DeepMRILib.model_store import Model, ModelStore

SUMMARY = "The models on this computer. Commands: list, show, add, delete, check."


def list_models(method: str | None = None) -> str:
    """List the models.

    Args:
        method: only those of this method.
    """
    store = ModelStore()
    models = store.list(method)
    if not models:
        return f"No models in {store.folder}."
    return "\n".join(f"{one.card.name}  {one.card.method}  {one.card.version}  {_origin(one)}" for one in models)


def show(name: str) -> str:
    """Show what is known of a model: its licence, source, training and figures.

    Args:
        name: of the model.
    """
    model = ModelStore().find(name)
    card = model.card
    lines = {
        "name": card.name,
        "method": card.method,
        "version": card.version,
        "licence": card.licence,
        "source": card.source,
        "training data": card.training_data,
        "metrics": ", ".join(f"{key} {value:g}" for key, value in card.metrics.items()),
        "sha256": card.sha256,
        "folder": f"{model.folder} ({_origin(model)})",
    }
    return "\n".join(f"{key}: {value}" for key, value in lines.items() if value)


def add(folder: Path, overwrite: bool = False) -> str:
    """Copy a model's folder into your own models, after it has been checked.

    Args:
        folder: holds model.json and model.safetensors.
        overwrite: replace a model of that name.
    """
    model = ModelStore().add(folder, overwrite=overwrite)
    return f"Added {model.card.name} for {model.card.method}, licence {model.card.licence}, in {model.folder}."


def delete(name: str) -> str:
    """Delete one of your own models.

    Args:
        name: of the model.
    """
    ModelStore().delete(name)
    return f"Deleted {name}."


def check(name: str) -> str:
    """Read all of a model and compare it with its description.

    Args:
        name: of the model.
    """
    model = ModelStore().check(name)
    return f"{model.card.name} is whole: its weights are those of sha256 {model.card.sha256}."


def _origin(model: Model) -> str:
    return "with the extension" if model.shipped else "your own"


COMMANDS = {"list": list_models, "show": show, "add": add, "delete": delete, "check": check}
"""Each returns the text that it has to say."""
