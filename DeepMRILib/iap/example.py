"""Small simulated series on which jobs that need no network run in a moment: for tests and the docs."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

from DeepMRILib.iap.options_network import SimulateOptions

SMALL = SimulateOptions(subjects=6, series=3, slices=3, size=32, form="bids", headers="wrong", seed=12)


def audit_inputs() -> dict[str, Any]:
    """A folder with eighteen simulated series of six subjects, as NIfTI images with sidecars, some of them wrong."""
    return {"folder": _series()}


def analyse_inputs() -> dict[str, Any]:
    """The same folder; its participants.tsv has a column ``split``."""
    return {"folder": _series()}


def sort_inputs() -> dict[str, Any]:
    """The same folder, without a network: to be sorted by what the headers say."""
    return {"folder": _series()}


def predict_inputs() -> dict[str, Any]:
    """One series of that folder, without a network: its header is looked through."""
    return {"data": sorted(_series().rglob("*.nii.gz"))[0]}


def no_inputs() -> dict[str, Any]:
    """Nothing: settings are all that is needed."""
    return {}


def _series() -> Path:
    return Path(_simulated().name) / "data" / "series"


@functools.cache
def _simulated() -> tempfile.TemporaryDirectory:
    from DeepMRILib.iap.simulating import simulation

    folder = tempfile.TemporaryDirectory(prefix="deepmri-example-")
    simulation(SMALL).save(Path(folder.name) / "data")
    subjects = sorted(path.name for path in (Path(folder.name) / "data" / "series").glob("sub-*"))
    lines = [
        "participant_id\tsplit",
        *(f"{name}\t{'test' if n % 3 == 2 else 'train'}" for n, name in enumerate(subjects)),
    ]
    (Path(folder.name) / "data" / "series" / "participants.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
