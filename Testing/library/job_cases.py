"""Every job as a test's case; those that need PyTorch are marked, and left out where it is missing."""

from __future__ import annotations

import importlib.util

import pytest

from DeepMRILib.jobs import JOBS, Job

HAS_TORCH = importlib.util.find_spec("torch") is not None


def marks(job: Job) -> list[pytest.MarkDecorator]:
    """The marks of a job's case."""
    return [pytest.mark.torch, pytest.mark.skipif(not HAS_TORCH, reason="needs PyTorch")] if job.needs_torch else []


job_cases = pytest.mark.parametrize("job", [pytest.param(job, id=job.key, marks=marks(job)) for job in JOBS])
