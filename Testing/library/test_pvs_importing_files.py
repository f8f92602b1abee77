"""Files that Keras and TensorFlow wrote become models that give what these compute."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import WeightsError
from DeepMRILib.progress import silent

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("h5py")
from interactive_network import one_thread

from DeepMRILib.pvs import opened as opening
from DeepMRILib.pvs.importing import import_checked
from DeepMRILib.pvs.network_folds import Running, mean_of_folds
from DeepMRILib.pvs.options import ImportOptions
from DeepMRILib.pvs.published import SETS, digest
from DeepMRILib.pvs.sources import find_sources

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
AGREED = ImportOptions(accept_licence=True)
FIXTURES = {
    "share_v1like_f32.h5": (24, 26, 22),
    "share_v1like_mixed16.h5": (24, 26, 22),
    "share_resunet_keras3.keras": (24, 26, 22),
    "share_resunet_savedmodel_keras2": (24, 26, 22),
    "share_resunet_savedmodel_keras3export": (24, 26, 22),
    "share_v1pad_savedmodel_keras2": (16, 22, 18),
    "share_v1pad_savedmodel_keras3export": (16, 22, 18),
}


def on_image(model: Path, image: np.ndarray) -> np.ndarray:
    """What a model's networks make of an image (x, y, z, c)."""
    with opening.opened(model) as networks:
        found, notes = mean_of_folds(networks, np.moveaxis(image, -1, 0).copy(), Running(), silent)
    assert notes == ()
    return found


def known_answer(source: Path) -> tuple[np.ndarray, np.ndarray]:
    """The image (x, y, z, c) and what TensorFlow computes from it (x, y, z), without what is faint."""
    stem = source.name.replace("resunet_keras3.keras", "resunet_savedmodel_keras3export").removesuffix(".h5")
    known = np.load(source.with_name(f"{stem}_io.npz"))
    return known["x"][0], np.where(known["y"] < 0.001, 0, known["y"])[0, ..., 0]


@pytest.mark.parametrize("name", FIXTURES)
def test_files_that_keras_and_tensorflow_wrote_give_what_these_compute(
    name: str, shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data.parent / "fixtures" / "pvs" / name
    image, expected = known_answer(source)
    saved = import_checked(source, box=FIXTURES[name]).save(tmp_path / "model")
    assert np.abs(on_image(saved, image) - expected).max() < 1e-5


def test_lambda_layers_are_named_by_the_user_or_known_of_a_published_file(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data.parent / "fixtures" / "pvs" / "share_lambda_badmarshal.h5"
    box = (24, 26, 22)
    with pytest.raises(WeightsError, match="share_lambda_badmarshal.h5.*swish_lambda"):
        import_checked(source, box=box)
    image, expected = known_answer(source)
    named = import_checked(source, lambdas={"swish_lambda": "swish"}, box=box)
    assert np.abs(on_image(named.save(tmp_path / "named"), image) - expected).max() < 1e-5
    published = replace(SETS[0], md5=(digest(source),), count=1)
    known = import_checked(source, AGREED, box=box, sets=(published,))
    assert np.abs(on_image(known.save(tmp_path / "known"), image) - expected).max() < 1e-5


def test_a_folder_of_saved_models_is_averaged(shared_data: Path, tmp_path: Path) -> None:
    fixtures = shared_data.parent / "fixtures" / "pvs"
    names = ["share_resunet_savedmodel_keras2", "share_resunet_savedmodel_keras3export"]
    for name in names:
        shutil.copytree(fixtures / name, tmp_path / "set" / "inner" / name)
    assert [one.path.name for one in find_sources(tmp_path / "set").folds] == names
    saved = import_checked(tmp_path / "set", box=(24, 26, 22)).save(tmp_path / "model")
    image, expected = known_answer(fixtures / names[0])
    second = import_checked(fixtures / names[1], box=(24, 26, 22)).save(tmp_path / "second")
    assert np.abs(on_image(saved, image) - (expected + on_image(second, image)) / 2).max() < 1e-5
