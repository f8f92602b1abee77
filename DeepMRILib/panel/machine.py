"""Settings of this computer, the same for every scene: the device and the folder of models, kept in QSettings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer

from DeepMRILib.model_store import ModelStore

GROUP = "DeepMRI"
DEFAULTS = {"device": "auto", "model_folder": ""}


def machineSettings() -> dict[str, Any]:
    """The settings of this computer by name."""
    return {name: slicer.util.settingsValue(f"{GROUP}/{name}", default) for name, default in DEFAULTS.items()}


def setMachineSetting(name: str, value: Any) -> None:
    """Keep one setting for all scenes."""
    slicer.app.userSettings().setValue(f"{GROUP}/{name}", value)


def workerEnvironment() -> dict[str, str]:
    """What the worker process must know of this computer."""
    folder = machineSettings()["model_folder"]
    return {"DEEPMRI_HOME": folder} if folder else {}


def modelStore() -> ModelStore:
    """The models on this computer, in the folder that its settings name.

    Raises:
        InputError: that folder lies inside the extension.
    """
    folder = machineSettings()["model_folder"]
    return ModelStore(Path(folder) / "models" if folder else None)
