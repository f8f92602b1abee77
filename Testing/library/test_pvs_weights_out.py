"""Weights written array by array, as the safetensors package reads them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
from DeepMRILib.errors import WeightsError
from DeepMRILib.pvs.weights_out import write_arrays
from DeepMRILib.weight_files import read_safetensors


def test_weights_are_written_as_the_safetensors_package_reads_them(tmp_path: Path) -> None:
    arrays = {
        "scalar": np.array(3.0, np.float32),
        "none": np.zeros((0, 4), np.float32),
        "flags": np.array([True, False, True]),
        "bytes": np.arange(5, dtype=np.int8),
        "whole": np.arange(6, dtype=">i8").reshape(2, 3),
        "strided": np.arange(24, dtype=np.float64).reshape(2, 3, 4).transpose(2, 0, 1),
        "half": np.float16([1, 2]),
    }
    write_arrays(tmp_path / "x.safetensors", arrays)
    for framework in ("numpy", "torch"):
        read = read_safetensors(tmp_path / "x.safetensors", framework)
        assert set(read) == set(arrays)
        for name, array in arrays.items():
            assert np.array_equal(np.asarray(read[name]), array)
            assert np.asarray(read[name]).shape == array.shape
    with pytest.raises(WeightsError, match="'c' are of the type complex128"):
        write_arrays(tmp_path / "y", {"c": np.zeros(2, complex)})
    with pytest.raises(WeightsError, match="no weights"):
        write_arrays(tmp_path / "y", {})


def test_writing_holds_no_second_copy(tmp_path: Path) -> None:
    arrays = {f"fold{n}": np.ones(2**18, np.float32) for n in range(8)}
    tracemalloc.start()
    write_arrays(tmp_path / "x.safetensors", arrays)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.5 * 2**20  # one of eight times 1 MiB, twice at most
