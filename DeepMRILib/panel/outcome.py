"""What a button has done, said below it; and names for the files that it writes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from DeepMRILib.errors import DeepMRIError


def plainName(text: str) -> str:
    """A name that files can have."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-") or "case"


def sayOutcome(label: Any, action: Callable[[], str]) -> None:
    """Do something at the press of a button, and show below it how that ended."""
    try:
        text = action()
    except DeepMRIError as error:
        text = str(error)
    label.setText(text)
    label.setVisible(bool(text))
