"""Damaged and hostile files of Keras: one sentence, soon, with little memory; nothing outside of the file is read."""

from __future__ import annotations

import io
import stat
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
h5py = pytest.importorskip("h5py")
from interactive_network import one_thread
from pvs_keras_files import conv, write_archive, write_h5
from pvs_keras_hostile import KERNEL, edited, refused, warm, with_dataset

from DeepMRILib.pvs.importer import read_network

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures(one_thread.__name__, warm.__name__)]
ROOT = Path(__file__).resolve().parents[2]


def test_the_file_that_is_damaged_below_is_good(tmp_path: Path) -> None:
    assert len(read_network(write_h5(tmp_path / "m.h5", [conv()])).steps) == 1
    assert len(read_network(write_archive(tmp_path / "m.keras")).steps) == 1


@pytest.mark.parametrize("part", [0.0, 0.02, 0.3, 0.7, 0.98])
@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_truncation(tmp_path: Path, part: float, ending: str) -> None:
    path = (write_h5(tmp_path / "m.h5", [conv()])) if ending == "h5" else write_archive(tmp_path / "m.keras")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refused(path)


FLIPPING = """
import sys
from pathlib import Path
import numpy as np
from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.importer import read_network
rng, refused = np.random.default_rng(3), 0
for name in sys.argv[1:]:
    data = Path(name).read_bytes()
    place = Path(name + ".flipped")
    for _ in range(100):
        changed = bytearray(data)
        for position in rng.integers(0, len(data), 3):
            changed[position] ^= 1 << int(rng.integers(8))
        place.write_bytes(changed)
        try:
            graph = read_network(place)
            assert [step.op for step in graph.steps] == ["conv"], graph.steps
        except WeightsError:
            refused += 1
print(refused)
"""


def test_flipped_bits_are_refused_or_change_only_numbers(tmp_path: Path) -> None:
    """In a process of its own, for the HDF5 library might crash; it does not."""
    good = (write_h5(tmp_path / "m.h5", [conv()]), write_archive(tmp_path / "m.keras"))
    command = [sys.executable, "-c", FLIPPING, *map(str, good)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 20


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    other = write_h5(tmp_path / "secret.h5", [conv()])

    def external(file: Any) -> None:
        del file[KERNEL]
        file[KERNEL] = h5py.ExternalLink(str(other), KERNEL)

    def external_group(file: Any) -> None:
        del file["model_weights"]
        file["model_weights"] = h5py.ExternalLink(str(other), "model_weights")

    def soft(file: Any) -> None:
        file["copy"] = file[KERNEL][()]
        del file[KERNEL]
        file[KERNEL] = h5py.SoftLink("/copy")

    for change in (external, external_group, soft):
        refused(edited(tmp_path, change), "links are not followed")


def test_weights_in_other_files_are_not_read(tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(np.ones(8, np.float32).tobytes())
    refused(with_dataset(tmp_path, shape=(1, 1, 1, 4, 2), dtype="f4", external=[(str(raw), 0, 32)]), "another file")
    other = write_h5(tmp_path / "other.h5", [conv()])

    def virtual(file: Any) -> None:
        del file[KERNEL]
        layout = h5py.VirtualLayout((1, 1, 1, 4, 2), "f4")
        layout[...] = h5py.VirtualSource(str(other), KERNEL, shape=(1, 1, 1, 4, 2))
        file.create_virtual_dataset(KERNEL, layout)

    refused(edited(tmp_path, virtual), "another file")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"shape": (1, 1, 1, 4, 2**38), "dtype": "f4", "chunks": (1, 1, 1, 1, 1024)}, "claim"),
        ({"shape": (1, 1, 1, 4, 2**38), "dtype": "f4", "chunks": (1, 1, 1, 4, 2**20), "compression": "gzip"}, "claim"),
        ({"shape": (1, 1, 1, 4, 2), "dtype": "f4", "chunks": (1, 1, 1, 2, 2)}, "claim"),
        ({"shape": (1, 1, 1, 4, 2), "dtype": "f4"}, "claim"),
        ({"data": np.ones((1, 1, 1, 4, 2), np.int64)}, "no numbers with fractions"),
        ({"data": np.ones((1, 1, 1, 4, 2), np.complex64)}, "no numbers with fractions"),
        ({"data": np.full((1, 1, 1, 4, 2), b"abc")}, "no numbers with fractions"),
        ({"data": np.full((1, 1, 1, 4, 2), np.nan, np.float32)}, "not all finite"),
        ({"data": np.full((1, 1, 1, 4, 2), np.inf, np.float32)}, "not all finite"),
        ({"data": np.full((1, 1, 1, 4, 2), 1e300)}, "not all finite"),
        ({"data": np.ones((1, 1, 1, 4, 3), np.float32)}, "shape"),
        ({"data": np.ones((1, 1, 4, 2), np.float32)}, "shape"),
        ({"data": np.float32(1)}, "shape"),
        ({"data": h5py.Empty("f4")}, "no numbers"),
        ({"data": np.ones((1, 1, 1, 4, 2), np.float32), "compression": "lzf"}, "compressed in a way"),
    ],
)
def test_weights_of_another_kind_or_size(tmp_path: Path, how: dict[str, Any], words: str) -> None:
    refused(with_dataset(tmp_path, **how), words)


def test_a_gzip_bomb_is_not_inflated(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file[KERNEL]
        chunk = (1, 1, 1, 4, 2**18)
        data = file.create_dataset(KERNEL, (1, 1, 1, 4, 2**26), "f4", chunks=chunk, compression="gzip")
        packed = zlib.compress(bytes(4 * 4 * 2**18), 9)
        for start in range(0, 2**26, 2**18):
            data.id.write_direct_chunk((0, 0, 0, 0, start), packed)

    path = write_h5(tmp_path / "m.h5", [conv()])
    with h5py.File(path, "r+") as file:
        change(file)
    assert path.stat().st_size < 5e6
    refused(path, "claim 1073741824 bytes")


def test_a_circle_of_groups(tmp_path: Path) -> None:
    def circle(file: Any) -> None:
        del file["model_weights/conv/conv"]
        file["model_weights/conv/conv"] = file["model_weights"]

    refused(edited(tmp_path, circle), "lacks the weights")


def test_missing_parts(tmp_path: Path) -> None:
    def attribute(file: Any) -> None:
        del file["model_weights/conv"].attrs["weight_names"]

    def names(file: Any) -> None:
        file["model_weights/conv"].attrs["weight_names"] = ["conv/kernel:0"]

    def numbers(file: Any) -> None:
        file["model_weights/conv"].attrs["weight_names"] = [1, 2]

    def bytes_that_are_no_text(file: Any) -> None:
        file["model_weights/conv"].attrs["weight_names"] = np.array([b"\xff\xfe", b"\xfa"])

    def many(file: Any) -> None:
        file["model_weights/conv"].attrs.create("weight_names", np.zeros(30000, "S2"))

    def group(file: Any) -> None:
        del file["model_weights/conv"]

    def everything(file: Any) -> None:
        del file["model_weights"]

    def dataset(file: Any) -> None:
        del file[KERNEL]

    for change in (attribute, names, numbers, bytes_that_are_no_text, many, group, everything, dataset):
        refused(edited(tmp_path, change))


def test_archives_that_lead_elsewhere(tmp_path: Path) -> None:
    for name in ("../../evil.txt", "/etc/evil", "a/../../b", "C:\\evil", "..\\evil"):
        refused(write_archive(tmp_path / "m.keras", {name: "x"}), "leads out")
    path = write_archive(tmp_path / "m.keras")
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refused(path, "leads out")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["m.keras"]


def test_archives_that_unfold(tmp_path: Path) -> None:
    zeros = b" " * (40 * 2**20)
    refused(write_archive(tmp_path / "m.keras", {"config.json": zeros}), "config.json claims 40 MB")
    refused(write_archive(tmp_path / "m.keras", {"model.weights.h5": zeros}), "weights.h5 claims 40 MB")


def test_archives_that_are_incomplete_or_doubled(tmp_path: Path) -> None:
    for name, data in {"config.json": "{", "metadata.json": "{", "model.weights.h5": "no HDF5"}.items():
        refused(write_archive(tmp_path / "m.keras", {name: data}))
    full = write_archive(tmp_path / "m.keras")
    for missing in ("config.json", "model.weights.h5"):
        with zipfile.ZipFile(full) as source, zipfile.ZipFile(tmp_path / "less.keras", "w") as archive:
            for name in set(source.namelist()) - {missing}:
                archive.writestr(name, source.read(name))
        refused(tmp_path / "less.keras")
    with zipfile.ZipFile(full, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    refused(full, "twice")


def test_weights_of_an_archive_that_do_not_belong_to_the_layers(tmp_path: Path) -> None:
    def weights(change: Callable[[Any], None]) -> Path:
        path = write_archive(tmp_path / "m.keras")
        with zipfile.ZipFile(path) as archive:
            buffer = io.BytesIO(archive.read("model.weights.h5"))
        with h5py.File(buffer, "r+") as file:
            change(file)
        return write_archive(path, {"model.weights.h5": buffer.getvalue()})

    def more(file: Any) -> None:
        file["layers/conv3d/vars/2"] = np.zeros(2, np.float32)

    def fewer(file: Any) -> None:
        del file["layers/conv3d/vars/1"]

    def other(file: Any) -> None:
        file["layers/conv3d/vars"].attrs["name"] = "another"

    for change in (more, fewer, other):
        refused(weights(change), "conv")


def test_the_process_stays_small(tmp_path: Path) -> None:
    """Of a huge declared shape nothing is allocated, measured from outside."""
    path = with_dataset(tmp_path, shape=(1, 1, 1, 4, 2**38), dtype="f4", chunks=(1, 1, 1, 1, 1024))
    code = (
        "import sys, resource, torch, h5py\n"
        "from DeepMRILib.pvs.importer import read_network; from DeepMRILib.errors import WeightsError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: read_network(sys.argv[1])\n"
        "except WeightsError: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=60)
    unit = 1 if sys.platform == "darwin" else 2**10
    assert int(done.stdout) * unit < 100 * 2**20
