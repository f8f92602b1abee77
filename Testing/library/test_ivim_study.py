"""The signals of a study: one matrix of all series, in memory or on disk, one series in memory at a time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import files
from DeepMRILib.errors import Cancelled, InputError, OutputError
from DeepMRILib.files.study import SeriesFile
from DeepMRILib.ivim import signal_store, study_signals
from DeepMRILib.ivim.example import fit_inputs
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.ivim.prepare import prepare
from DeepMRILib.ivim.study_signals import Study, b_values_text, same_b_values, sources
from DeepMRILib.progress import silent
from DeepMRILib.volume import DiffusionVolume, Volume


def a_series(seed: int, shape: tuple[int, int, int] = (12, 10, 4), b_values: object = None) -> DiffusionVolume:
    """Random positive signals; by default at the b-values of the example."""
    b = np.array(fit_inputs()["volume"].b_values if b_values is None else b_values, dtype=float)
    random = np.random.default_rng(seed)
    return DiffusionVolume(random.uniform(50, 900, (*shape, b.size)).astype(np.float32), np.eye(4), b)


def gathered(volumes: object, masks: object = None, options: FitOptions = FitOptions(), **more: object) -> Study:
    """The study, its signals copied out of what goes with the block."""
    wanted = {"most": 0, "seed": 0, "progress": silent, **more}
    with study_signals.study_signals(sources(volumes, masks), options, **wanted) as study:
        return Study(np.array(study.signals), study.b_values, study.series, study.notes)


def test_a_study_is_its_series_one_after_the_other(tmp_path: Path) -> None:
    series = [a_series(seed, (4 + seed, 5, 3)) for seed in range(3)]
    mask = np.zeros(series[1].shape)
    mask[2:, 1:] = 1
    files.write_diffusion(series[0], tmp_path / "a.nii.gz")
    files.write_volume(Volume(mask), tmp_path / "mask.nii.gz")
    expected = [prepare(one, FitOptions(), on).values for one, on in zip(series, (None, mask, None), strict=True)]
    study = gathered([tmp_path / "a.nii.gz", series[1], series[2]], [None, tmp_path / "mask.nii.gz", None])
    assert np.array_equal(study.signals, np.concatenate(expected))
    assert study.signals.dtype == np.float32
    assert study.series.columns["voxels"] == [len(part) for part in expected]
    assert study.series.columns["series"] == ["series 1 (a.nii.gz)", "series 2", "series 3"]


@pytest.mark.parametrize("block", [1, 2000, 10**9])
@pytest.mark.parametrize("average", ["none", "geometric"])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int, average: str) -> None:
    monkeypatch.setattr(study_signals, "BLOCK_BYTES", block)
    repeated = a_series(1, b_values=[800, 0, 0, 50, 802, 200, 50, 400])
    options = FitOptions(average=average, b_min=10)
    whole = prepare(repeated, options, None)
    study = gathered(repeated, options=options)
    assert np.array_equal(study.signals, whole.values)
    assert np.array_equal(study.b_values, whole.b_values)


def test_a_study_on_disk_is_the_one_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(signal_store.tempfile, "tempdir", str(tmp_path))
    volumes = [a_series(seed) for seed in range(3)]
    in_memory = gathered(volumes)
    kinds = []
    for limit in (1, 20_000):  # at once, and with the second series
        monkeypatch.setattr(signal_store, "IN_MEMORY", limit)
        with study_signals.study_signals(
            sources(volumes, None), FitOptions(), most=0, seed=0, progress=silent
        ) as study:
            kinds.append(type(study.signals))
            assert np.array_equal(study.signals, in_memory.signals)
        assert list(tmp_path.iterdir()) == []
    assert kinds == [np.memmap, np.memmap]


def test_errors_and_cancel_leave_no_temporary_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(signal_store.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(signal_store, "IN_MEMORY", 1)

    def cancel(fraction: float, message: str) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        gathered([a_series(seed) for seed in range(4)], progress=cancel)
    with pytest.raises(InputError):
        gathered([a_series(0), a_series(1, b_values=[0, 10, 50, 900])])
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, content: object) -> None:
            raise OSError(28, "No space left on device")

        def close(self) -> None: ...

    monkeypatch.setattr(signal_store, "IN_MEMORY", 1)
    monkeypatch.setattr(signal_store.tempfile, "TemporaryFile", Full)
    with pytest.raises(OutputError, match="temporary files in .*TMPDIR.*the disk is full"):
        gathered(a_series(0))


def test_drawn_voxels_are_rows_of_the_whole_in_their_order_and_follow_the_seed() -> None:
    volumes = [a_series(0), a_series(1)]
    whole = gathered(volumes).signals
    drawn = gathered(volumes, most=100, seed=5)
    rows = [int(np.flatnonzero((whole == row).all(axis=1))[0]) for row in drawn.signals]
    assert len(rows) == 100
    assert rows == sorted(set(rows))
    assert 20 < sum(row < len(whole) // 2 for row in rows) < 80
    assert drawn.notes == (f"100 of {len(whole):,} voxels were drawn at random for the training.",)
    assert np.array_equal(gathered(volumes, most=100, seed=5).signals, drawn.signals)
    assert not np.array_equal(gathered(volumes, most=100, seed=6).signals, drawn.signals)
    assert np.array_equal(gathered(volumes, most=10**6).signals, whole)


def peak_bytes(work: Callable[[], object]) -> int:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_no_more_than_one_series_is_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(signal_store, "IN_MEMORY", 1)
    monkeypatch.setattr(study_signals, "BLOCK_BYTES", 100_000)
    paths = [tmp_path / f"{number}.nii.gz" for number in range(5)]
    for number, path in enumerate(paths):
        files.write_diffusion(a_series(number, (64, 40, 16)), path)
    size = 64 * 40 * 16 * 9 * 4

    def work(count: int) -> None:
        given = sources(paths[:count], None)
        with study_signals.study_signals(given, FitOptions(), most=0, seed=0, progress=silent) as study:
            assert study.signals.nbytes == count * size

    work(1)  # imports
    reading = peak_bytes(lambda: SeriesFile(paths[0]).read())
    one, five = peak_bytes(lambda: work(1)), peak_bytes(lambda: work(5))
    assert one < max(reading, size) + size // 2
    assert five < one + size // 20


def test_b_values_may_jitter_as_those_of_one_shell() -> None:
    b = np.array([0, 10, 800.0])
    assert same_b_values(b + np.array([0.4, 0.5, 20]), b)
    assert not same_b_values(b + np.array([0.6, 0, 0]), b)
    assert not same_b_values(b + np.array([0, 0, 30]), b)
    assert not same_b_values(b[:2], b)
    gathered([a_series(0, b_values=[0, 50, 200, 400, 800]), a_series(1, b_values=[802, 200, 0, 49.8, 404])])


def test_other_b_values_are_refused_with_both_sets_and_what_to_do() -> None:
    repeated = a_series(1, b_values=[0, 0, 50, 200, 400, 800])
    with pytest.raises(InputError) as refused:
        gathered([a_series(0, b_values=[0, 50, 200, 400, 800]), repeated])
    assert str(refused.value) == (
        "Series 2: It has 6 images (b = 0 x 2, 50, 200, 400, 800 s/mm2), and series 1 has 5 images (b = 0, 50, 200, "
        "400, 800 s/mm2). One network needs the same b-values everywhere: average the images of one b-value (average "
        "arithmetic), leave out the highest (b_max) or the lowest (b_min), or train a network for each protocol."
    )
    averaged = FitOptions(average="arithmetic")
    gathered([a_series(0, b_values=[0, 50, 200, 400, 800]), repeated], options=averaged)
    higher = a_series(1, b_values=[0, 50, 200, 400, 800, 1200])
    gathered([higher, a_series(0, b_values=[0, 50, 200, 400, 800])], options=FitOptions(b_max=1000))


def test_many_images_are_told_by_their_distinct_b_values() -> None:
    assert b_values_text(np.repeat([0.0, 1000.2], [3, 30])) == "33 images (b = 0 x 3, 1000 x 30 s/mm2)"
    assert b_values_text(np.arange(0, 300, 10.0)).endswith("220, 230, ... 290 s/mm2)")
    assert b_values_text(np.array([5.0])) == "1 image (b = 5 s/mm2)"


@pytest.mark.parametrize(
    ("volumes", "masks", "words"),
    [
        ([], None, "no series to train on"),
        (3, None, "list of them"),
        ([a_series(0), None], None, "Series 2 of the study is a NoneType"),
        ([a_series(0), a_series(1)], [None], "masks is 1, and that of series 2"),
        (a_series(0), [None, None], "masks is 2, and that of series 1"),
        ([a_series(0), a_series(1)], [None, np.zeros((12, 10, 4))], "Series 2: The mask is empty"),
        (a_series(0), np.zeros((12, 10, 4)), "^The mask is empty"),
        ([a_series(0), a_series(1, b_values=[0, 0, 5, 5])], None, "Series 2: The model biexp needs at least 4"),
        (["nowhere.nii.gz"], None, "nowhere.nii.gz"),
    ],
)
def test_bad_studies_are_sentences(volumes: object, masks: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        gathered(volumes, masks)
