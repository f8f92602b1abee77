"""Networks of other programs become models: whole sets, with their licence, or a sentence that says why not."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib.errors import Cancelled, InputError, OutputError, WeightsError
from DeepMRILib.model_store import ModelStore
from DeepMRILib.progress import silent

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("h5py")
from interactive_network import one_thread
from pvs_networks import BOX, a_graph, a_model, a_problem, keras_file
from pvs_onnx_files import File

from DeepMRILib.pvs import opened as opening
from DeepMRILib.pvs.graph_names import aligned
from DeepMRILib.pvs.imported import ImportedNetworks
from DeepMRILib.pvs.importing import import_checked, import_networks, store_checked
from DeepMRILib.pvs.models import models
from DeepMRILib.pvs.network_engine import segment_by_network
from DeepMRILib.pvs.options import ImportOptions
from DeepMRILib.pvs.published import CITATION, SETS, PublishedSet, digest
from DeepMRILib.transfer import decode, encode
from DeepMRILib.weight_files import read_safetensors, sha256_of

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__)]
AGREED = ImportOptions(accept_licence=True)
V1 = "20211030-162753_Unet3Dv2-10.7.2-1.8-T1.VRS_fold_1x6_pi_fold_{}_model.h5"


@pytest.fixture
def v1(tmp_path: Path) -> tuple[Path, tuple[PublishedSet, ...]]:
    """A folder like that of SHIVA v1 with three small folds, and the published sets with v1 as it is there."""
    folder = tmp_path / "T1.PVS"
    folder.mkdir()
    files = [keras_file(folder / V1.format(fold), fold) for fold in range(3)]
    here = replace(SETS[1], count=3, md5=tuple(digest(file) for file in files))
    return folder, (SETS[0], here, *SETS[2:])


def taken(
    source: Path, options: ImportOptions | None = None, sets: tuple[PublishedSet, ...] = SETS
) -> ImportedNetworks:
    return import_checked(source, options, box=BOX, sets=sets)


def test_a_published_set_becomes_a_model(v1: tuple[Path, tuple[PublishedSet, ...]], tmp_path: Path) -> None:
    folder, sets = v1
    networks = taken(folder, AGREED, sets)
    assert (networks.name, networks.images, networks.intensity, networks.folds) == (
        "shiva-pvs-v1-t1", ("t1",), "p99_to_1", (0, 1, 2),
    )  # fmt: skip
    assert networks.provenance.notes == ()
    assert len(networks.structures) == 1
    saved = networks.save(tmp_path / "model")
    assert sorted(path.name for path in saved.iterdir()) == [
        "LICENSE.txt", "model.json", "model.safetensors", "networks.csv", "result.json",
    ]  # fmt: skip
    assert set(json.loads((saved / "result.json").read_text())["files"]) == {path.name for path in saved.iterdir()}
    text = (saved / "LICENSE.txt").read_text()
    assert "CC BY-NC-SA 4.0" in text
    assert "clinical" in text
    weights = read_safetensors(saved / "model.safetensors")
    for fold in range(3):
        for name, array in a_graph(fold).weights.items():
            assert np.array_equal(weights[f"fold{fold}.{name}"], array)
    card = json.loads((saved / "model.json").read_text())
    assert card["sha256"] == sha256_of(saved / "model.safetensors")
    assert card["licence"] == "CC-BY-NC-SA-4.0"
    assert card["preprocessing"] == {"images": ["t1"], "intensity": "p99_to_1", "masked_input": False}
    assert str(tmp_path) not in (saved / "model.json").read_text()


def test_the_description_says_nothing_of_the_files_that_the_command_line_read(tmp_path: Path) -> None:
    networks = taken(keras_file(tmp_path / "net.h5", 3))
    made = replace(
        networks.provenance, command="deepmri secret", inputs={"networks": 1, "files": {"a": "/home/secret"}}
    )
    saved = replace(networks, provenance=made).save(tmp_path / "model")
    assert "secret" not in (saved / "model.json").read_text()
    assert json.loads((saved / "model.json").read_text())["extra"]["provenance"]["inputs"] == {"networks": 1}


def test_settings_that_cannot_be_stored_are_refused(tmp_path: Path) -> None:
    file = File((1, 1, *BOX))
    file.add("Sigmoid", file.add("LeakyRelu", "x", alpha=float("inf")), out="y")
    with pytest.raises(WeightsError, match=r"steep\.onnx cannot be stored.*infinite"):
        taken(file.write(tmp_path / "steep.onnx"))


def test_a_set_is_segmented_with_as_the_mean_of_its_files(
    v1: tuple[Path, tuple[PublishedSet, ...]], tmp_path: Path
) -> None:
    folder, sets = v1
    saved = taken(folder, AGREED, sets).save(tmp_path / "model")
    problem = a_problem("t1")
    found = segment_by_network(problem, silent, model=saved)
    by_hand = a_model([a_graph(fold) for fold in range(3)], intensity="p99_to_1").save(tmp_path / "by hand")
    expected = segment_by_network(problem, silent, model=by_hand)
    assert np.array_equal(found.probability, expected.probability)
    assert found.engine == f"SHIVA PVS v1 (T1), mean of 3 folds; {CITATION}"
    assert found.notes == ("The weights are those of others, licence CC-BY-NC-SA-4.0; not for clinical purposes.",)
    assert found.weights_sha256 == sha256_of(saved / "model.safetensors")


def test_the_licence_has_to_be_accepted(v1: tuple[Path, tuple[PublishedSet, ...]]) -> None:
    folder, sets = v1
    with pytest.raises(InputError) as caught:
        taken(folder, None, sets)
    for part in ("SHIVA PVS v1 (T1)", "CC BY-NC-SA 4.0", "clinical", "--accept-licence"):
        assert part in str(caught.value)


def test_folds_that_are_missing_are_named(v1: tuple[Path, tuple[PublishedSet, ...]]) -> None:
    folder, sets = v1
    (folder / V1.format(1)).unlink()
    with pytest.raises(InputError, match=r"Of the 3 folds of SHIVA PVS v1 \(T1\), fold 1 is not in .*wknXOu07H"):
        taken(folder, AGREED, sets)
    (folder / V1.format(2)).unlink()
    with pytest.raises(InputError, match="folds 1 and 2 are not in"):
        taken(folder, AGREED, sets)
    with pytest.raises(InputError, match="folds 1 and 2 are not in"):
        taken(folder / V1.format(0), AGREED, sets)


def test_one_file_of_a_set_stands_for_those_beside_it(v1: tuple[Path, tuple[PublishedSet, ...]]) -> None:
    folder, sets = v1
    keras_file(folder / "something else.h5", 9)
    assert taken(folder / V1.format(2), AGREED, sets).folds == (0, 1, 2)


def test_a_corrupt_fold_is_named_with_both_sums(v1: tuple[Path, tuple[PublishedSet, ...]]) -> None:
    folder, sets = v1
    file = folder / V1.format(1)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(WeightsError) as caught:
        taken(folder, AGREED, sets)
    for part in (file.name, sets[1].md5[1], hashlib.md5(file.read_bytes()).hexdigest(), "fold 1"):
        assert part in str(caught.value)


def test_folds_of_two_sets_or_twice_the_same_are_refused(
    v1: tuple[Path, tuple[PublishedSet, ...]], tmp_path: Path
) -> None:
    folder, sets = v1
    other = keras_file(tmp_path / "other.h5", 7)
    sets = (replace(sets[0], md5=(digest(other),), count=1), *sets[1:])
    shutil.copy(other, folder / "renamed.h5")
    with pytest.raises(InputError, match="not of one set: renamed.h5 .SHIVA PVS v0.*SHIVA PVS v1"):
        taken(folder, AGREED, sets)
    shutil.copy(keras_file(tmp_path / "own.h5", 8), folder / "renamed.h5")
    with pytest.raises(InputError, match="not of one set: renamed.h5 .no published set.*SHIVA PVS v1"):
        taken(folder, AGREED, sets)
    shutil.copy(folder / V1.format(0), folder / "renamed.h5")
    with pytest.raises(InputError, match="Fold 0 of .* is there twice: .*renamed.h5"):
        taken(folder, AGREED, sets)


def test_what_file_browsers_put_there_does_not_count(v1: tuple[Path, tuple[PublishedSet, ...]]) -> None:
    folder, sets = v1
    (folder / ".DS_Store").write_bytes(b"junk")
    (folder / f"._{V1.format(0)}").write_bytes(b"junk")
    (folder / "README.txt").write_text("how to")
    (folder / "__MACOSX" / "T1.PVS").mkdir(parents=True)
    (folder / "__MACOSX" / "T1.PVS" / V1.format(0)).write_bytes(b"junk")
    assert taken(folder.parent, AGREED, sets).folds == (0, 1, 2)


def test_a_set_without_sums_is_told_by_its_name_and_says_so(tmp_path: Path) -> None:
    names = [f"ResUnet-fold_{fold}_x.h5" for fold in range(2)]
    for fold, name in enumerate(names):
        keras_file(tmp_path / name, fold)
    by_name = replace(SETS[4], form="file", pattern=r"ResUnet-fold_(\d)_x", count=2)
    notes = taken(tmp_path, AGREED, (by_name,)).provenance.notes
    assert notes == (
        "The files were taken for SHIVA PVS v3 (T1, or T2 inverted) by their names: the authors give no check sums of "
        "them.",
    )


def test_networks_of_others_are_taken_and_what_was_assumed_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "my networks"
    folder.mkdir()
    for fold in (10, 2):
        keras_file(folder / f"fold_{fold}.h5", fold, channels=2)
    networks = taken(folder)
    assert networks.provenance.inputs["made_from"] == ["fold_2.h5", "fold_10.h5"]
    assert (networks.name, networks.images, networks.intensity) == ("my-networks", ("t1", "flair"), "shivai_1.3")
    assert networks.provenance.notes == (
        "The network was assumed to take t1 and flair, from the number of its images.",
        "The network was assumed to expect the brightness rule shivai_1.3.",
        "The licence of the network is not stated.",
    )
    chosen = ImportOptions(
        name="mine", licence="CC0-1.0", source="me", images=("flair", "t1"), intensity="p99_to_1"
    )  # fmt: skip
    networks = taken(folder, chosen)
    assert networks.provenance.notes == ()
    assert (networks.name, networks.images, networks.intensity) == ("mine", ("flair", "t1"), "p99_to_1")
    card = networks.card()
    assert (card.licence, card.source) == ("CC0-1.0", "me")
    assert not list((networks.save(tmp_path / "model")).glob("LICENSE*"))


def test_images_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    file = keras_file(tmp_path / "net.h5", channels=2)
    with pytest.raises(InputError, match="net.h5 takes 2 images, and images names t1"):
        taken(file, ImportOptions(images=("t1",)))
    with pytest.raises(InputError, match="images is t1 t1; expected"):
        taken(file, ImportOptions(images=("t1", "t1")))
    with pytest.raises(InputError, match="takes 3 images, and images names none"):
        taken(keras_file(tmp_path / "three.h5", channels=3))


def test_inputs_and_outputs_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a.h5 takes 12 x 14 x 10 voxels .* only networks for 160 x 214 x 176 voxels"):
        import_networks(keras_file(tmp_path / "a.h5"))
    free = taken(keras_file(tmp_path / "any.h5", box=(None, None, None)))
    assert free.classes == 1
    with pytest.raises(InputError, match="b.h5 returns values of any size, not probabilities: its last operation is"):
        taken(keras_file(tmp_path / "b.h5", head="linear"))
    with pytest.raises(InputError, match="c.h5 returns 3 values for each voxel without a softmax"):
        taken(keras_file(tmp_path / "c.h5", classes=3, head="sigmoid"))
    folder = tmp_path / "two"
    folder.mkdir()
    keras_file(folder / "d0.h5")
    keras_file(folder / "d1.h5", channels=2)
    with pytest.raises(InputError, match="d1.h5 is another kind of network than d0.h5: .*cannot be averaged"):
        taken(folder)


def test_classes_are_added_up_and_it_is_said(tmp_path: Path) -> None:
    networks = taken(keras_file(tmp_path / "classes.h5", 5, classes=3))
    assert networks.classes == 3
    assert networks.provenance.notes[0].startswith("The network tells 3 classes apart; the first was taken for")
    problem = a_problem("t1")
    found = segment_by_network(problem, silent, model=networks.save(tmp_path / "model"))
    by_hand = a_model([a_graph(5, classes=3)], classes=3).save(tmp_path / "by hand")
    assert np.array_equal(found.probability, segment_by_network(problem, silent, model=by_hand).probability)


def test_what_is_no_network_is_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with pytest.raises(InputError, match="There is nothing at .*folder"):
        taken(folder)
    folder.mkdir()
    with pytest.raises(InputError, match="folder is empty. Give one that holds HDF5 files"):
        taken(folder)
    (folder / "T1.nii.gz").write_bytes(b"image")
    with pytest.raises(InputError, match="holds images and no network"):
        taken(folder)
    with pytest.raises(InputError, match="T1.nii.gz is no network that can be read"):
        taken(folder / "T1.nii.gz")
    (folder / "T1.nii.gz").rename(folder / "T1.PVS.zip")
    with pytest.raises(InputError, match="T1.PVS.zip is packed. Unzip it first"):
        taken(folder / "T1.PVS.zip")
    with pytest.raises(InputError, match="holds packed files and no network. Unzip them first"):
        taken(folder)
    (folder / "T1.PVS.zip").rename(folder / "notes.txt")
    with pytest.raises(InputError, match="There is no network in"):
        taken(folder)
    with pytest.raises(InputError, match="holds a model of DeepMRI. It need not be imported"):
        taken(a_model([a_graph()]).save(tmp_path / "ours"))
    with pytest.raises(InputError, match="cannot be read .*Copy it to a folder of your own"):
        taken(tmp_path / ("long" * 100))
    (folder / "damaged.h5").write_bytes(b"no HDF5")
    with pytest.raises(WeightsError, match="damaged.h5"):
        taken(folder)
    for number in range(101):
        (folder / f"{number}.h5").touch()
    with pytest.raises(InputError, match="There are more than 100 networks"):
        taken(folder)


def test_the_store_gets_the_model_once(v1: tuple[Path, tuple[PublishedSet, ...]], tmp_path: Path) -> None:
    folder, sets = v1
    store = ModelStore(tmp_path / "store")
    model = store_checked(folder, AGREED, store, box=BOX, sets=sets)
    assert model.folder == tmp_path / "store" / "shiva-pvs-v1-t1"
    assert sorted(path.name for path in model.folder.iterdir()) == ["LICENSE.txt", "model.json", "model.safetensors"]
    store.check("shiva-pvs-v1-t1")
    with pytest.raises(OutputError, match="There is already a model shiva-pvs-v1-t1"):
        store_checked(folder, AGREED, store, box=BOX, sets=sets)
    store_checked(folder, AGREED, store, box=BOX, sets=sets, overwrite=True)
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["shiva-pvs-v1-t1"]
    table = models(store)
    row = dict(zip(table.columns, table.rows[1], strict=True))
    assert (row["name"], row["here"], row["date"]) == ("shiva-pvs-v1-t1", "in your models", "2021-10-30")
    store_checked(keras_file(tmp_path / "own.h5"), ImportOptions(licence="CC0-1.0"), store, box=BOX)
    assert "own" in models(store).columns["name"]


def test_nothing_half_is_left_behind(v1: tuple[Path, tuple[PublishedSet, ...]], tmp_path: Path) -> None:
    folder, sets = v1
    store = ModelStore(tmp_path / "store")

    def stop(fraction: float, text: str) -> None:
        if "3 of 3" in text:
            raise Cancelled

    with pytest.raises(Cancelled):
        store_checked(folder, AGREED, store, box=BOX, sets=sets, progress=stop)
    with pytest.raises(InputError):
        store_checked(folder, None, store, box=BOX, sets=sets)
    assert list((tmp_path / "store").iterdir()) == []


def test_a_downloaded_file_runs_from_where_it_lies(
    v1: tuple[Path, tuple[PublishedSet, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sets = v1
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr(
        opening, "import_checked", lambda *given, **named: import_checked(*given, **{**named, "sets": sets})
    )
    problem = a_problem("t1")
    stored = segment_by_network(problem, silent, model=taken(folder, AGREED, sets).save(tmp_path / "model"))
    for place in (folder, folder / V1.format(0), str(folder)):
        found = segment_by_network(problem, silent, model=place)
        assert np.array_equal(found.probability, stored.probability)
        assert found.weights_sha256 == stored.weights_sha256
        assert found.engine == stored.engine
        assert len(found.notes) == 1
        assert found.notes[0].startswith("The weights of SHIVA PVS v1 (T1) come under this licence: Creative Commons")
    assert list(temporary.iterdir()) == []
    own = segment_by_network(problem, silent, model=keras_file(tmp_path / "own.h5", 4))
    assert own.engine == "network own, one network"
    assert "The licence of the network is not stated." in own.notes
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="is empty"):
        segment_by_network(problem, silent, model=tmp_path / "empty")


def test_a_result_travels_between_processes(tmp_path: Path) -> None:
    networks = taken(keras_file(tmp_path / "net.h5", 3))
    (tmp_path / "job").mkdir()
    arrived = decode(encode(networks, tmp_path / "job"), tmp_path / "job")
    arrived.save(tmp_path / "model")
    networks.save(tmp_path / "here")
    names = ("model.safetensors", "model.json")
    assert all((tmp_path / "model" / n).read_bytes() == (tmp_path / "here" / n).read_bytes() for n in names)


def test_names_alone_make_no_other_structure() -> None:
    reference, other = a_graph(0), a_graph(1, names="model_3/")
    same = aligned(other, reference)
    assert same.structure() == reference.structure()
    assert np.array_equal(same.weights["conv/kernel"], other.weights["model_3/conv/kernel"])
    for different in (
        a_graph(1, channels=2),
        a_graph(1, classes=2),
        replace(other, steps=(replace(other.steps[0], attributes={"pads": "valid"}), *other.steps[1:])),
        replace(other, outputs=("b",)),
        replace(other, weights={**other.weights, "more": np.zeros(1, np.float32)}),
        replace(other, steps=(replace(other.steps[0], inputs=("x", "model_3/head/kernel")), *other.steps[1:])),
    ):
        assert aligned(different, reference) is different
