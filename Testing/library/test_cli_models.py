"""``deepmri models``: every command on a real store, every mistake one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import cli
from DeepMRILib.jobs import JOBS
from DeepMRILib.model_store import ModelCard, ModelStore

pytest.importorskip("safetensors")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A model's folder outside the user's store."""
    card = ModelCard("net-1", "ivim", "1.2", "CC-BY-4.0", "doi:10.1/x", metrics={"rmse": 0.02})
    return ModelStore(tmp_path / "source").save(card, {"w": np.arange(3, dtype=np.float32)}).folder


@pytest.fixture
def models(capsys: pytest.CaptureFixture):
    """``models(*arguments)``: exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = cli.main(["models", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


def test_a_model_is_added_listed_shown_checked_and_deleted(source: Path, models) -> None:
    shipped = models("list")[1]
    assert all(line.endswith("  with the extension") for line in shipped.splitlines())
    assert models("list", "--method", "ivim")[1].startswith("No models in ")
    code, said, _ = models("add", source)
    assert (code, "licence CC-BY-4.0" in said) == (0, True)
    assert "net-1  ivim  1.2  your own\n" in models("list")[1]
    assert models("list", "--method", "ivim")[1] == "net-1  ivim  1.2  your own\n"
    shown = models("show", "net-1")[1]
    assert "licence: CC-BY-4.0\nsource: doi:10.1/x\n" in shown
    assert "metrics: rmse 0.02" in shown
    assert models("check", "net-1")[1].startswith("net-1 is whole")
    assert models("add", source, "--overwrite")[0] == 0
    assert models("delete", "net-1") == (0, "Deleted net-1.\n", "")
    assert models("list")[1] == shipped
    assert ModelStore().list("ivim") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "nosuch"], "There is no model 'nosuch'"),
        (["check", "../x"], "cannot be used"),
        (["delete", "nosuch"], "There is no model"),
        (["add", "nowhere"], "There is no model in nowhere"),
        (["add"], "deepmri models add --help"),
        (["nosuch"], "deepmri models --help"),
        (["list", "--nosuch"], "--nosuch"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: list[str], words: str, models) -> None:
    code, said, error = models(*arguments)
    assert (code, said) == (2, "")
    assert error.startswith("deepmri: ")
    assert error.count("\n") == 1
    assert words in error


def test_what_is_there_is_not_replaced_and_damage_is_said(source: Path, models) -> None:
    models("add", source)
    assert "already a model net-1" in models("add", source)[2]
    weights = ModelStore().folder / "net-1" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    code, _, error = models("check", "net-1")
    assert (code, "sha256 differs" in error) == (2, True)


def test_help_names_the_commands_and_no_method_takes_their_name(models, capsys: pytest.CaptureFixture) -> None:
    for arguments in ([], ["--help"]):
        with pytest.raises(SystemExit) as stop:
            models(*arguments)
        assert stop.value.code == 0
        shown = capsys.readouterr().out
        assert all(name in shown for name in ("list", "show", "add", "delete", "check"))
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    assert "models" in capsys.readouterr().out
    assert cli.MODELS not in {job.method for job in JOBS}
