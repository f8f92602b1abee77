"""Patterns for other programs: every file read back gives the mask, and a sequence acquires exactly its lines."""

from __future__ import annotations

import builtins
import importlib
import json
import sys

import numpy as np
import pytest

from DeepMRILib import igs
from DeepMRILib.errors import Cancelled, DependencyError, InputError, OutputError
from DeepMRILib.igs.exporting import export_mask
from DeepMRILib.igs.exporting_pulseq import calibration
from DeepMRILib.igs.pattern import Rung
from DeepMRILib.igs.timing import echo_trains, scan_seconds

SHAPES = [(64,), (33,), (12, 16), (7, 9)]


def pattern(shape: tuple[int, ...] = (64,), lines: int = 12, contrasts: int = 1, seed: int = 0) -> igs.Pattern:
    """Random lines after DC."""
    random = np.random.default_rng(seed)
    size = int(np.prod(shape))
    dc = int(np.ravel_multi_index([n // 2 for n in shape], shape))
    orders = []
    for _ in range(contrasts):
        others = random.permutation(np.delete(np.arange(size), dc))
        orders.append((dc, *(int(line) for line in others[: lines - 1])))
    return igs.Pattern(tuple(orders), shape, tuple(range(-len(shape), 0)))


def read_cfl(path) -> np.ndarray:
    """A BART file as BART reads it: the first dimension varies fastest."""
    words = path.with_suffix(".hdr").read_text().splitlines()[1].split()
    return np.fromfile(path, dtype="<c8").reshape([int(word) for word in words], order="F")


def acquired(path, shape, fov: float, slab: float = 0.0) -> np.ndarray:
    """How often a .seq file acquires each line (N,) or point (N1, N2), from its gradients."""
    pulseq = pytest.importorskip("pypulseq")
    sequence = pulseq.Sequence()
    sequence.read(str(path))
    assert sequence.check_timing()[0]
    labels = sequence.evaluate_labels(evolution="adc")
    readouts = len(labels["LIN"])
    kspace = sequence.calculate_kspace()[0].reshape(3, readouts, -1)
    middle = kspace[:, :, kspace.shape[2] // 2]
    np.testing.assert_allclose(middle[0] * fov, 0, atol=1e-3)
    count = np.zeros((1, *shape) if len(shape) == 1 else shape, dtype=int)
    rows = np.rint(middle[2] * slab).astype(int) + count.shape[0] // 2 if slab else np.zeros(readouts, dtype=int)
    columns = np.rint(middle[1] * fov).astype(int) + count.shape[1] // 2
    np.testing.assert_array_equal(labels["LIN"], columns)
    np.add.at(count, (rows, columns), 1)
    return count.reshape(shape)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("contrasts", [1, 3])
def test_arrays_are_read_back_as_the_mask(shape, contrasts, tmp_path):
    h5py = pytest.importorskip("h5py")
    made = pattern(shape, contrasts=contrasts)
    mask = made.mask(lines=10)
    for name in ("m.npy", "m.h5", "m.cfl"):
        assert made.export(tmp_path / name, lines=10) == tmp_path / name
    np.testing.assert_array_equal(np.load(tmp_path / "m.npy"), mask)
    with h5py.File(tmp_path / "m.h5") as stream:
        np.testing.assert_array_equal(stream["mask"][()], mask)
        assert stream.attrs["lines"] == 10
        assert list(stream.attrs["dc"]) == [n // 2 for n in shape]
        assert list(stream["mask"].attrs["axes"]) == list(made.axes)
    bart = read_cfl(tmp_path / "m.cfl")
    assert bart.shape[:6] == (1, shape[-1], shape[0] if len(shape) == 2 else 1, 1, 1, contrasts)
    for number, one in enumerate(made.masks(lines=10)):
        np.testing.assert_array_equal(np.atleast_2d(one).T, bart[0, :, :, 0, 0, number].reshape(bart.shape[1:3]).real)


def test_json_is_the_whole_pattern(tmp_path):
    made = pattern()
    assert igs.Pattern.load(made.export(tmp_path / "p.json", lines=4)) == made


def test_the_header_names_both_of_barts_files(tmp_path):
    made = pattern()
    made.export(tmp_path / "m.hdr")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.cfl", "m.hdr"]
    np.testing.assert_array_equal(read_cfl(tmp_path / "m.cfl").ravel().real, made.mask())


@pytest.mark.parametrize(("shape", "averages"), [((64,), 1), ((33,), 2), ((128,), 1), ((8, 16), 1), ((7, 9), 3)])
def test_a_sequence_acquires_exactly_the_mask(shape, averages, tmp_path):
    pytest.importorskip("pypulseq")
    made = pattern(shape)
    thickness = 4.0
    path = made.export(tmp_path / "s.seq", lines=9, fov=200.0, slice_thickness=thickness, averages=averages, tr=20.0)
    slab = thickness / 1000 * shape[0] if len(shape) == 2 else 0.0
    np.testing.assert_array_equal(acquired(path, shape, 0.2, slab), made.mask(lines=9) * averages)


def test_a_sequence_says_what_it_is(tmp_path):
    pulseq = pytest.importorskip("pypulseq")
    path = pattern().export(tmp_path / "s.seq", tr=15.0, te=6.0, flip=10.0, dummies=3, readout_samples=96)
    sequence = pulseq.Sequence()
    sequence.read(str(path))
    assert sequence.definitions["Name"] == "deepmri_kspace_igs"
    assert sequence.definitions["Note"] == "Research only: not for scanning without the safety checks of your site."
    np.testing.assert_allclose(sequence.definitions["FOV"], [0.256, 0.256, 0.005])
    assert sequence.definitions["kSpaceCenterLine"] == 32
    assert sequence.duration()[0] == pytest.approx((12 + 3) * 0.015, abs=1e-9)
    _, _, excitations, _, received = sequence.calculate_kspace()
    assert len(excitations) == 15
    assert len(received) == 12 * 96
    echo = received.reshape(12, 96)[:, 48]
    np.testing.assert_allclose(echo - np.asarray(excitations)[3:], 0.006, atol=1e-5)
    assert np.rad2deg(2 * np.pi * abs(sequence.get_block(1).rf.signal.sum()) * 1e-6) == pytest.approx(10, rel=0.01)


def test_reference_lines_are_the_stretch_around_dc(tmp_path):
    pulseq = pytest.importorskip("pypulseq")
    made = igs.Pattern(((16, 15, 17, 18, 3, 30),), (32,), (-1,))
    sequence = pulseq.Sequence()
    sequence.read(str(made.export(tmp_path / "s.seq")))
    labels = sequence.evaluate_labels(evolution="adc")
    assert dict(zip(labels["LIN"].tolist(), labels["REF"].tolist(), strict=True)) == {
        3: 0, 15: 1, 16: 1, 17: 1, 18: 1, 30: 0,
    }  # fmt: skip
    np.testing.assert_array_equal(labels["REF"], labels["IMA"])


def test_the_calibration_of_points_is_the_box_around_dc():
    mask = np.zeros((9, 9), dtype=bool)
    mask[3:6, 2:7] = mask[0, 0] = True
    found = np.zeros_like(mask)
    found[3:6, 2:7] = True
    np.testing.assert_array_equal(calibration(mask), found)
    single = np.zeros((1, 9), dtype=bool)
    single[0, 4] = True
    assert not calibration(single).any()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"tr": 3.0}, r"TR is 3 ms; this sequence needs at least \d"),
        ({"te": 0.5}, r"TE is 0.5 ms; this sequence needs at least \d"),
        ({"fov": 5.0}, "This sequence is not possible: .* Choose a larger field of view"),
        ({"flip": 0.0}, "flip is 0 degrees; it must lie between 0.1 and 180"),
        ({"colour": 1}, "colour is not a setting of ExportOptions"),
        ({"lines": 40}, "40 lines were asked for, and the pattern was searched up to 12"),
        ({"contrast": 1}, "There is no contrast 1"),
    ],
)
def test_a_sequence_that_is_not_possible_is_refused_and_nothing_written(settings, sentence, tmp_path):
    pytest.importorskip("pypulseq")
    with pytest.raises(InputError, match=sentence):
        pattern().export(tmp_path / "s.seq", **settings)
    assert not list(tmp_path.iterdir())


def test_too_many_readouts_are_refused():
    pytest.importorskip("pypulseq")
    with pytest.raises(InputError, match="A sequence of 36000 readouts is too long"):
        igs.export(pattern((20, 20), 36), igs.ExportOptions(formats=("pulseq",), averages=1000))


def test_a_slab_thicker_than_a_scanner_is_refused():
    pytest.importorskip("pypulseq")
    with pytest.raises(InputError, match="20 partitions of 60 mm are a slab of 1.2 m"):
        igs.export(pattern((20, 20)), igs.ExportOptions(formats=("pulseq",), slice_thickness=60.0))


def test_a_sequence_that_acquires_something_else_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("pypulseq")
    from DeepMRILib.igs import exporting_pulseq

    right = exporting_pulseq.Geometry.areas
    off = lambda self, row, line: right(self, row, line + (line == 40))  # noqa: E731 - one line is moved
    monkeypatch.setattr(exporting_pulseq.Geometry, "areas", off)
    made = igs.Pattern(((32, 40),), (64,), (-1,))
    with pytest.raises(OutputError, match="does not acquire the lines of the mask"):
        made.export(tmp_path / "s.seq")
    assert not list(tmp_path.iterdir())


def test_each_contrast_has_a_sequence_of_its_own(tmp_path):
    pytest.importorskip("pypulseq")
    made = pattern(contrasts=2)
    with pytest.raises(InputError, match="masks of its own for 2 contrasts, and a sequence acquires one"):
        made.export(tmp_path / "s.seq")
    path = made.export(tmp_path / "s.seq", contrast=1)
    np.testing.assert_array_equal(acquired(path, (64,), 0.256), made.masks()[1])
    result = igs.export(made, igs.ExportOptions(formats=("pulseq",)))
    assert list(result.sequences) == ["sequence_0.seq", "sequence_1.seq"]
    assert any("Each contrast has a mask of its own" in note for note in result.provenance.notes)


def test_the_job_writes_the_files_that_were_chosen(tmp_path):
    pytest.importorskip("pypulseq")
    options = igs.ExportOptions(lines=8, formats=("json", "npy", "h5", "bart", "pulseq"), echo_train=4)
    result = igs.export(pattern(), options)
    folder = result.save(tmp_path / "out")
    written = {path.name for path in folder.iterdir()}
    assert written == {
        "pattern.json", "mask.npy", "mask.h5", "mask.cfl", "mask.hdr", "sequence.seq", "timing.csv", "trains.csv",
        "result.json",
    }  # fmt: skip
    entries = json.loads((folder / "result.json").read_text())
    assert set(entries["files"]) == written
    assert entries["sequences"] == {"sequence.seq": ""}
    assert "Research only: not for scanning without the safety checks of your site." in entries["provenance"]["notes"]
    np.testing.assert_array_equal(np.load(folder / "mask.npy"), result.mask)
    np.testing.assert_array_equal(acquired(folder / "sequence.seq", (64,), 0.256), result.mask)
    few = igs.export(pattern(), igs.ExportOptions(formats=("npy",))).save(tmp_path / "few")
    assert {path.name for path in few.iterdir()} == {"mask.npy", "timing.csv", "result.json"}


def test_the_job_takes_what_was_recommended_and_the_place_of_a_pattern(tmp_path):
    made = igs.Pattern(((16, 3, 9, 30),), (32,), (-1,), rungs=(Rung(4, 0.3, 0.1, 0.2, (2,), "block"),))
    made.save(tmp_path / "pattern.json")
    result = igs.export(tmp_path, igs.ExportOptions(formats=("npy",)))
    assert result.kind == "block"
    np.testing.assert_array_equal(np.flatnonzero(result.mask), [16, 17, 18, 19])
    searched = igs.export(made, igs.ExportOptions(formats=("npy",), kind="igs", lines=2))
    np.testing.assert_array_equal(np.flatnonzero(searched.mask), [3, 16])


def test_scan_time_counts_trains_averages_and_dummies():
    assert scan_seconds(33, 1000, echo_train=8) == 5
    assert scan_seconds(32, 10, averages=2, dummies=16) == pytest.approx(0.8)
    row = igs.export(pattern(), igs.ExportOptions(formats=("npy",), lines=8, tr=500.0, echo_train=4, dummies=1)).timing
    assert row.columns["repetitions"] == [3]
    assert row.columns["seconds"] == [1.5]
    assert row.columns["seconds_of_all_lines"] == [8.5]
    for bad in ({"tr_ms": 0}, {"echo_train": 0}, {"averages": 0}, {"dummies": -1}):
        with pytest.raises(InputError):
            scan_seconds(**{"lines": 4, "tr_ms": 10, **bad})


@pytest.mark.parametrize("effective", [1, 2, 4])
@pytest.mark.parametrize("count", [16, 14])
def test_each_line_is_in_one_train_and_dc_at_the_effective_echo(effective, count):
    offsets = np.sort(np.random.default_rng(1).permutation(np.arange(-30, 30))[:count])
    offsets[np.argmin(np.abs(offsets))] = 0
    trains = echo_trains(offsets, 4, effective)
    assert trains.shape == (4, 4)
    assert sorted(trains[trains >= 0]) == list(range(count))
    at_dc = int(np.flatnonzero(offsets == 0)[0])
    assert (trains[:, effective - 1] == at_dc).any()
    for echo in trains.T:  # an echo acquires neighbouring lines, so that weighting is smooth in k-space
        rows = np.sort(echo[echo >= 0])
        assert (np.diff(rows) == 1).all()


def test_trains_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="Echo 5 was to acquire DC, and a train has 4"):
        echo_trains([-1, 0, 1], 4, 5)
    with pytest.raises(InputError, match="No line lies at DC"):
        echo_trains([-1, 1], 2)


def test_an_ending_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"m.mat has no ending that is known. Choose one of .json, .npy"):
        pattern().export(tmp_path / "m.mat")


def test_a_contrast_is_for_sequences_only(tmp_path):
    with pytest.raises(InputError, match="A .npy file holds the masks of all contrasts"):
        pattern(contrasts=2).export(tmp_path / "m.npy", contrast=0)


@pytest.mark.parametrize("name", ["m.json", "m.npy", "m.h5", "m.cfl", "m.seq"])
def test_a_file_that_exists_is_not_replaced_unless_asked(name, tmp_path):
    importlib.import_module("pypulseq") if name.endswith("seq") else None
    path = tmp_path / name
    path.write_text("mine")
    with pytest.raises(OutputError, match=f"{name} exists. Choose another name, or overwrite it"):
        pattern().export(path)
    assert path.read_text() == "mine"
    export_mask(pattern(), path, overwrite=True)
    assert path.read_bytes() != b"mine"


def test_a_folder_that_is_missing_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="does not exist"):
        pattern().export(tmp_path / "nowhere" / "m.npy")


@pytest.mark.parametrize(("module", "format_", "package"), [("pypulseq", "pulseq", "pypulseq"), ("h5py", "h5", "h5py")])
def test_a_missing_package_is_said_before_the_work(module, format_, package, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name.split(".")[0] == module:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        return real(name, *rest)

    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(
        importlib, "import_module", lambda name: without(name) if name == module else importlib.__import__(name)
    )
    with pytest.raises(DependencyError, match=f"needs the Python package {package}, which is not installed"):
        igs.export(pattern(), igs.ExportOptions(formats=(format_,)))


def test_writing_a_sequence_can_be_stopped():
    pytest.importorskip("pypulseq")

    def stop(fraction: float, message: str) -> None:
        if "repetition 101" in message:
            raise Cancelled

    with pytest.raises(Cancelled):
        igs.export(pattern((20, 20), 300), igs.ExportOptions(formats=("pulseq",)), progress=stop)
