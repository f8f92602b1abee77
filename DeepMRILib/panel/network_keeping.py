"""Networks that were trained in a panel: put into the store of this computer under a name that is free."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from DeepMRILib.model_store import ModelStore
from DeepMRILib.panel.machine import modelStore


def keepNetwork(trained: Any) -> ModelStore:
    """Put a trained network into the store of this computer, which is returned.

    Raises:
        OutputError: there is a model of that name, or no space or right to write.
    """
    store = modelStore()
    with tempfile.TemporaryDirectory() as folder:
        store.add(trained.save(Path(folder) / trained.name))
    return store


def freeName(store: ModelStore, like: str) -> str:
    """A name that no model has: the one given, or with the next free number behind it."""
    taken = {model.card.name for model in store.list()}
    stem, _dash, number = like.rpartition("-")
    if not (stem and number.isdecimal()):
        stem, number = like, "1"
    candidates = (f"{stem}-{n}" for n in range(int(number), int(number) + len(taken) + 2))
    return next(name for name in candidates if name not in taken)
