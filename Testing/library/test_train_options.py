"""The settings of a training, on computers without PyTorch too."""

from __future__ import annotations

import sys

import pytest

from DeepMRILib import options as settings
from DeepMRILib.errors import DependencyError
from DeepMRILib.training import TrainOptions, train


def test_the_settings_are_good_for_every_door() -> None:
    assert settings.validate(TrainOptions()) == TrainOptions()
    assert settings.from_json(TrainOptions, settings.to_json(TrainOptions())) == TrainOptions()
    assert all(item.help for item in settings.settings(TrainOptions))


def test_without_pytorch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DependencyError, match="Training a network needs the Python package torch"):
        train(None, None, None)
