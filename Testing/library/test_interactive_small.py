"""The script that trains the small network: what it writes runs in ``interactive.segment`` as any trained network."""

from __future__ import annotations

import importlib.util
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.interactive import SegmentOptions, segment
from DeepMRILib.interactive.lesions import generated_lesion
from DeepMRILib.interactive.lesions_samples import PLAN, Samples
from DeepMRILib.interactive.synthetic import synthetic_points
from DeepMRILib.interactive.trained import METHOD, SHIPPED, TrainedModel
from DeepMRILib.model_store import CARD, WEIGHTS, open_model
from DeepMRILib.volume import Volume

SCRIPT = Path(__file__).resolve().parents[2] / "Utilities" / "train_interactive_small.py"
STEPS = 6
SEED = 46


@pytest.fixture(scope="module")
def script():
    pytest.importorskip("monai")
    spec = importlib.util.spec_from_file_location("train_interactive_small", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for the names in annotations
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def trained(script, tmp_path_factory):
    """The script's steps on one lesion, and the folder that it writes; on one thread, as the script has it."""
    threads = script.torch.get_num_threads()
    script.torch.set_num_threads(1)
    script.seed_everything(0)
    network = script.build(PLAN)
    data = script.LesionSet(Samples.of(range(SEED, SEED + 1), 2))
    settings = replace(script.settings(STEPS), max_batches_per_epoch=1, learning_rate=1e-2, restore_best=False)
    found = script.train(network, data, script.loss, settings)
    folder = tmp_path_factory.mktemp("small") / SHIPPED
    script.write_model(folder, found, Namespace(lesions=1, epochs=STEPS))
    yield found, folder
    script.torch.set_num_threads(threads)


def test_it_learns(trained):
    found, _ = trained
    assert found.history[-1].loss < 0.8 * found.history[0].loss


def test_it_writes_a_whole_small_model(trained):
    _, folder = trained
    assert {path.name for path in folder.iterdir()} == {CARD, WEIGHTS}
    model = open_model(folder, METHOD)
    model.check()  # its sha256
    assert (folder / WEIGHTS).stat().st_size < 3_000_000
    assert model.card.licence == "Apache-2.0"
    assert "generated lesions" in model.card.training_data
    assert TrainedModel.load(folder).plan == PLAN


def test_its_network_runs_as_an_engine(trained):
    _, folder = trained
    lesion = generated_lesion(SEED)
    affine = np.diag([*lesion.spacing, 1.0])
    points = synthetic_points(Volume(lesion.label.astype(np.uint8), affine))
    options = SegmentOptions(engine="network", device="cpu")
    plain = segment(Volume(lesion.image, affine), points, options, model=folder)
    assert SHIPPED in plain.provenance.engine
    assert 0 < plain.confidence.array.max() <= 1
    # another depth is another input: the maps move, and the answer with them
    deeper = segment(Volume(lesion.image, affine), points, replace(options, depth=9.0), model=folder)
    assert np.abs(deeper.confidence.array - plain.confidence.array).max() > 1e-3
    scaled = segment(Volume(500 + 80 * lesion.image, affine), points, options, model=folder)
    np.testing.assert_allclose(scaled.confidence.array, plain.confidence.array, atol=2e-2)


def test_the_files_of_the_pool_are_made_once_and_read_back(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "LESIONS_PER_FILE", 2)
    script.write_samples(tmp_path, 23)
    (path,) = tmp_path.iterdir()
    stamp = path.stat().st_mtime_ns
    script.write_samples(tmp_path, 23)
    assert path.stat().st_mtime_ns == stamp
    path.rename(tmp_path / "chunk_0000.npz")
    found = script.read_samples(tmp_path, 1)
    expected = Samples.of(range(46, 48), script.DRAWS).visible()
    np.testing.assert_array_equal(found.image, expected.image)
    np.testing.assert_array_equal(found.points, expected.points)
