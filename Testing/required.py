"""What a test needs and may not be there: left out on a developer's computer, a failure in continuous integration."""

from __future__ import annotations

import importlib
import os

import pytest


def everything() -> bool:
    """Whether nothing may be left out: DEEPMRI_REQUIRE_DATA is set, as continuous integration does."""
    return bool(os.environ.get("DEEPMRI_REQUIRE_DATA"))


def need(module: str, reason: str) -> None:
    """Import a module; without it the tests of a folder are skipped, or, where nothing may be, an error."""
    if everything():
        importlib.import_module(module)
    else:
        pytest.importorskip(module, reason=reason)
