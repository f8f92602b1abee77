"""The errors that users meet: each is one or two sentences that say what was wrong and what to do."""

from __future__ import annotations

import importlib
from types import ModuleType


class DeepMRIError(Exception):
    """An expected failure whose text is meant for the user: shown as it is, without a traceback."""


class InputError(DeepMRIError, ValueError):
    """What was given cannot be used; the text names it, what was expected, and what to do."""


class OutputError(DeepMRIError, OSError):
    """A result cannot be written: the place exists, is full, or is not ours to write to."""


class WeightsError(DeepMRIError):
    """A model's file is missing, damaged, of another kind, or not safe to read."""


class DeviceMemoryError(DeepMRIError, MemoryError):
    """The computation needs more memory than the device has free."""


class DependencyError(DeepMRIError, ImportError):
    """An optional package is needed for what was asked and is not installed."""


class WorkerError(DeepMRIError):
    """The worker process ended, fell silent or answered in a way that cannot be understood."""


class Cancelled(Exception):  # noqa: N818 - not a failure: the user asked for it
    """Raised inside a job when the user has asked it to stop."""


def require(module: str, purpose: str, package: str | None = None) -> ModuleType:
    """Import an optional ``module``, or say which package to install for which ``purpose``.

    Raises:
        DependencyError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        # A package that is there but lacks a part of its own is a broken install: keep that traceback.
        if error.name is None or not module.startswith(error.name):
            raise
        name = package or module.partition(".")[0]
        raise DependencyError(
            f"{purpose} needs the Python package {name}, which is not installed. Install it with: pip install {name}"
        ) from error
