"""``deepmri ivim train`` and ``apply``: files to folders; bad input is one sentence, exit code 2, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from ivim_network import BRIEF, a_network, a_series, few_simulations  # noqa: F401 - a fixture

from DeepMRILib import cli, files, ivim
from DeepMRILib.model_store import ModelCard, ModelStore
from DeepMRILib.volume import Volume

pytestmark = pytest.mark.torch
ROOT = Path(__file__).resolve().parents[2]
BRIEFLY = [word for name, value in BRIEF.items() for word in (f"--{name}", str(value))]


@pytest.fixture
def study(tmp_path: Path) -> list[Path]:
    """Two series in a folder of their own."""
    paths = [tmp_path / "in" / "a.nii.gz", tmp_path / "in" / "b.nii.gz"]
    paths[0].parent.mkdir()
    for seed, path in enumerate(paths):
        files.write_diffusion(a_series(seed), path)
    return paths


def run(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str]:
    code = cli.main(["ivim", *map(str, arguments)])
    return code, capsys.readouterr().err


def refused(capsys: pytest.CaptureFixture, folder: Path, *arguments: object) -> str:
    """The one sentence with which a command is refused; it leaves nothing."""
    before = sorted(folder.rglob("*"))
    code, error = run(capsys, *arguments)
    assert code == 2, error
    lines = [line for line in error.splitlines() if line.startswith("deepmri: ")]
    assert len(lines) == 1, error
    assert "Traceback" not in error
    assert sorted(folder.rglob("*")) == before
    return lines[0]


def test_a_study_is_trained_applied_added_and_applied_by_name(study: list[Path], tmp_path: Path, capsys) -> None:
    net = tmp_path / "net"
    code, error = run(capsys, "train", *study, "-o", net, "-q", *BRIEFLY, "--name", "study-1")
    assert (code, error) == (0, "")
    entries = json.loads((net / "result.json").read_text())
    assert entries["files"] == sorted(path.name for path in net.iterdir())
    assert {"model.json", "model.safetensors", "history.csv", "report.html"} < set(entries["files"])
    assert [Path(one["path"]).name for one in entries["provenance"]["inputs"]["files"].values()] == [
        "a.nii.gz", "b.nii.gz",
    ]  # fmt: skip
    assert "a.nii.gz" not in (net / "model.json").read_text()
    assert cli.main(["models", "add", str(net)]) == 0
    for model, out in ((net, "one"), ("study-1", "two")):
        code, error = run(capsys, "apply", model, study[0], "-o", tmp_path / out, "-q", "--device", "cpu")
        assert (code, error) == (0, "")
    code, error = run(
        capsys, "fit", study[0], "--method", "ivimnet", "--network", net, "-o", tmp_path / "three", "-q", "--device",
        "cpu",
    )  # fmt: skip
    assert (code, error) == (0, "")
    maps = [files.read_volume(tmp_path / out / "D.nii.gz").array for out in ("one", "two", "three")]
    assert np.array_equal(maps[0], maps[1])
    assert np.array_equal(maps[0], maps[2])
    expected = ivim.apply(net, files.read_diffusion(study[0]), ivim.ApplyOptions(device="cpu"))
    assert np.array_equal(maps[0], expected.maps["D"].array)
    assert "data:image/png" in (tmp_path / "one" / "report.html").read_text(encoding="utf-8")


def test_the_network_is_the_one_that_python_trains(study: list[Path], tmp_path: Path, capsys) -> None:
    mask = np.zeros((8, 8, 6), np.uint8)
    mask[:6] = 1
    files.write_volume(Volume(mask, a_series().affine), tmp_path / "in" / "mask.nii.gz")
    masks = ["--masks", tmp_path / "in" / "mask.nii.gz", tmp_path / "in" / "mask.nii.gz"]
    assert run(capsys, "train", *study, "-o", tmp_path / "net", "-q", "--no-report", *BRIEFLY, *masks)[0] == 0
    series = [files.read_diffusion(path) for path in study]
    expected = a_network(series, masks=[mask, mask])
    loaded = ivim.TrainedModel.load(tmp_path / "net")
    assert loaded.voxels == expected.voxels == 2 * 8 * 6 * 6
    assert loaded.sha256 == expected.sha256


def write(folder: Path, name: str, b_values: tuple[float, ...]) -> Path:
    files.write_diffusion(a_series(9, b_values), folder / "in" / name)
    return folder / "in" / name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "The input volumes is missing"),
        (["a.nii.gz", "nowhere.nii.gz"], "nowhere.nii.gz"),
        (["a.nii.gz", "other.nii.gz"], "Series 2 (other.nii.gz): It has 5 images"),
        (["a.nii.gz", "bare.nii.gz"], "--bvals"),
        (["a.nii.gz", "b.nii.gz", "--masks", "mask.nii.gz"], "masks is 1, and that of series 2"),
        (["a.nii.gz", "--masks", "empty.nii.gz"], "The mask is empty"),
        (["a.nii.gz", "--masks", "one.nii.gz"], "There is 1 voxel to train on"),
        (["a.nii.gz", "--name", "../x"], "model name"),
        (["a.nii.gz", "--model", "adc"], "--model"),
        (["a.nii.gz", "--epochs", "-1"], "epochs is -1"),
        (["a.nii.gz", "--checkpoint", "nowhere/run.ckpt"], "of the checkpoint does not exist"),
        (["a.nii.gz", "--checkpoint", "text.ckpt"], "text.ckpt is damaged (or is no checkpoint of DeepMRI). Delete it"),
        (["a.nii.gz", "--checkpoint", "."], "The checkpoint . is a folder"),
        (["a.nii.gz", "--checkpoint", "../out"], "The checkpoint ../out lies in the output folder"),
    ],
)
def test_bad_studies_are_one_sentence_and_leave_nothing(
    study: list[Path], tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch, given: list[str], words: str
) -> None:
    folder = tmp_path / "in"
    write(tmp_path, "other.nii.gz", (0, 50, 200, 500, 800))
    write(tmp_path, "bare.nii.gz", (0, 50, 200, 500, 800)).with_name("bare.bval").unlink()
    for name, inside in (("mask", slice(0, 8)), ("one", slice(0, 1)), ("empty", slice(0, 0))):
        mask = np.zeros((8, 8, 6), np.uint8)
        mask[inside, : inside.stop, : inside.stop] = 1
        files.write_volume(Volume(mask, a_series().affine), folder / f"{name}.nii.gz")
    (folder / "text.ckpt").write_text("no checkpoint")
    monkeypatch.chdir(folder)
    assert words in refused(capsys, tmp_path, "train", *BRIEFLY, *given, "-o", tmp_path / "out", "-q")


@pytest.mark.parametrize(
    ("model", "more", "words"),
    [
        ("net", ["other.nii.gz"], "was trained with 9 images"),
        ("nosuch", ["a.nii.gz"], "There is no model 'nosuch'"),
        ("kind", ["a.nii.gz"], "kind is no network that ivim.train made"),
        ("method", ["a.nii.gz"], "is for pvs, not for ivim"),
        ("in", ["a.nii.gz"], "no model"),
        ("damaged", ["a.nii.gz"], "damaged"),
        ("net", [], "VOLUME"),
        ("net", ["a.nii.gz", "--members", "2"], "--members"),
    ],
)
def test_bad_models_and_series_are_one_sentence(
    study: list[Path], tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch, model: str, more: list, words: str
) -> None:
    write(tmp_path, "other.nii.gz", (0, 50, 200, 500, 800))
    folder = a_network(name="net-1").save(tmp_path / "in" / "net")
    ModelStore().save(ModelCard("kind", "ivim", "1", "MIT", "here"), {"w": np.zeros(3, np.float32)})
    ModelStore().save(ModelCard("method", "pvs", "1", "MIT", "here"), {"w": np.zeros(3, np.float32)})
    if model == "damaged":
        weights = bytearray((folder / "model.safetensors").read_bytes())
        weights[-3] ^= 1
        (folder / "model.safetensors").write_bytes(weights)
    monkeypatch.chdir(tmp_path / "in")
    place = {"damaged": "net"}.get(model, model)
    assert words in refused(capsys, tmp_path, "apply", place, *more, "-o", tmp_path / "out", "-q")


def test_a_network_with_another_method_is_one_sentence(study: list[Path], tmp_path: Path, capsys) -> None:
    folder = a_network().save(tmp_path / "in" / "net")
    assert "Choose the method ivimnet" in refused(
        capsys, tmp_path, "fit", study[0], "--network", folder, "-o", tmp_path / "out"
    )


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_training_goes_on_when_it_is_started_again(
    study: list[Path], tmp_path: Path, capsys, number: int
) -> None:
    settings = ["--preset", "optim", "--members", "1", "--device", "cpu", "--no-report", "-q"]
    checkpoint = tmp_path / "in" / "run.ckpt"
    endless = [*map(str, study), "-o", str(tmp_path / "net"), *settings, "--checkpoint", str(checkpoint)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "DeepMRILib", "ivim", "train", *endless, "--epochs", "100000"],
        env=environment,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    ) as ran:
        while not checkpoint.exists():
            assert ran.poll() is None, ran.stderr.read()
            time.sleep(0.02)
        ran.send_signal(number)
        ran.wait(30)
    assert ran.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert not (tmp_path / "net").exists()
    done = len(torch.load(checkpoint, weights_only=True)["history"])
    for out, more in (("resumed", ["--checkpoint", checkpoint]), ("whole", [])):
        code, error = run(capsys, "train", *study, "-o", tmp_path / out, *settings, "--epochs", done + 3, *more)
        assert code == 0, error
    networks = [ivim.TrainedModel.load(tmp_path / out) for out in ("resumed", "whole")]
    assert networks[0].sha256 == networks[1].sha256
