"""The examples in the library's docstrings run and give what they say."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "DeepMRILib"
IN_SLICER = ("mrml", "panel")
FILES = [
    path.relative_to(LIBRARY.parent).with_suffix("")
    for path in sorted(LIBRARY.rglob("*.py"))
    if path.relative_to(LIBRARY).parts[0] not in IN_SLICER and ">>>" in path.read_text(encoding="utf-8")
]


def test_there_are_examples() -> None:
    assert len(FILES) > 5


@pytest.mark.parametrize("file", FILES, ids=lambda file: ".".join(file.parts[1:]))
def test_examples_of_a_module(file: Path) -> None:
    if file.stem.startswith(("train_", "network")):
        pytest.importorskip("torch")
    module = importlib.import_module(".".join(file.parts))
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
