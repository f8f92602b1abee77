"""The panel's side of a job's folder: what goes in before the worker runs, and what is read after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from DeepMRILib import options as settings
from DeepMRILib import transfer
from DeepMRILib.jobs import Job
from DeepMRILib.worker import CANCEL_FILE, JOB_FILE, RESULT_FILE


def write_job(folder: Path, job: Job, inputs: Mapping[str, Any], options: Any) -> None:
    """Put a job's inputs and options into its folder.

    Raises:
        OSError: no space or no right to write.
    """
    order = {
        "job": job.key,
        "options": settings.to_json(options),
        "inputs": transfer.encode({name: value for name, value in inputs.items() if value is not None}, folder),
    }
    (folder / JOB_FILE).write_text(json.dumps(order), encoding="ascii")


def read_result(folder: Path) -> Any:
    """The job's result, its arrays in memory.

    Raises:
        OSError, ValueError: the worker did not leave a whole result.
    """
    return transfer.decode(json.loads((folder / RESULT_FILE).read_text(encoding="ascii")), folder)


def ask_to_cancel(folder: Path) -> None:
    """Tell the worker that the user has asked to stop."""
    (folder / CANCEL_FILE).touch()
