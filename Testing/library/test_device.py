"""Which device is taken, what is free there, and what is said when memory runs out."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from DeepMRILib import device
from DeepMRILib.errors import DependencyError, DeviceMemoryError, InputError

WHAT, ADVICE = "The fit of 100 voxels", "Take a smaller region."


def guarded(action, where="cpu"):
    with device.out_of_memory_as_error(where, WHAT, ADVICE):
        return action()


def raise_(error):
    raise error


def test_the_cpu_is_always_there() -> None:
    assert device.resolve("cpu") == "cpu"
    assert device.resolve("auto") in ("cuda", "mps", "cpu")


def test_an_unknown_device_is_refused_with_the_choices() -> None:
    with pytest.raises(InputError, match="'tpu' is not known; choose auto, cuda, mps or cpu"):
        device.resolve("tpu")


def test_without_pytorch_auto_is_the_cpu_and_cuda_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == "torch" else find(name, *args))
    monkeypatch.setitem(sys.modules, "torch", None)
    assert device.resolve("auto") == "cpu"
    assert device.free_memory("cpu")
    monkeypatch.setattr(
        importlib, "import_module", lambda name: raise_(ModuleNotFoundError(f"No module named {name!r}", name=name))
    )
    with pytest.raises(DependencyError, match="device cuda needs the Python package torch"):
        device.resolve("cuda")


@pytest.mark.torch
@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_absent_is_refused_in_a_sentence(name: str) -> None:
    torch = pytest.importorskip("torch")
    there = torch.cuda.is_available() if name == "cuda" else torch.backends.mps.is_available()
    if there:
        assert device.resolve(name) == name
        assert device.resolve("auto") == name
        assert device.free_memory(name) > 0
        return
    with pytest.raises(InputError, match=f"The device {name} was asked for, but .* Choose auto or cpu"):
        device.resolve(name)


@pytest.mark.torch
def test_a_pytorch_with_cuda_but_no_card_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    with pytest.raises(InputError, match="no NVIDIA graphics card answers"):
        device.resolve("cuda")


def test_free_memory_is_what_psutil_sees() -> None:
    psutil = pytest.importorskip("psutil")
    free = device.free_memory("cpu")
    assert 0 < free <= psutil.virtual_memory().total
    if device._container_available() is None:
        assert free == pytest.approx(psutil.virtual_memory().available, rel=0.2)


def test_a_containers_limit_is_read(tmp_path: Path) -> None:
    assert device._container_available(tmp_path) is None
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 10\ninactive_file 200\n")
    assert device._container_available(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert device._container_available(tmp_path) == 1000 - (700 - 200)


def test_needs_says_beforehand_what_is_required_and_free(monkeypatch: pytest.MonkeyPatch) -> None:
    device.needs("cpu", 1024, WHAT)
    monkeypatch.setattr(device, "_free_main_memory", lambda: 3 * 1024**3)
    with pytest.raises(DeviceMemoryError) as caught:
        device.needs("cpu", 8 * 1024**3, WHAT, ADVICE)
    assert str(caught.value) == (
        "The fit of 100 voxels needs more memory than this computer has free (8.0 GiB needed, 3.0 GiB free). "
        "Take a smaller region."
    )
    monkeypatch.setattr(device, "_free_main_memory", lambda: None)
    device.needs("cpu", 8 * 1024**3, WHAT)


def test_numpys_own_memory_error_becomes_a_sentence() -> None:
    with pytest.raises(
        DeviceMemoryError, match=r"fit of 100 voxels.*another 8.0 PiB needed, .* free\). Take a smaller"
    ):
        guarded(lambda: np.empty(2**50))


@pytest.mark.torch
def test_pytorchs_cpu_allocator_error_becomes_a_sentence() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(DeviceMemoryError, match=r"another 1.0 PiB needed, .* free\). Take a smaller"):
        guarded(lambda: torch.empty(2**50, dtype=torch.uint8))


@pytest.mark.torch
def test_cudas_error_class_is_known() -> None:
    torch = pytest.importorskip("torch")
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has 8 MiB free.")
    with pytest.raises(DeviceMemoryError, match="another 20.0 MiB needed"):
        guarded(lambda: raise_(error))


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "MPS backend out of memory (MPS allocated: 8 GB). Tried to allocate 512.00 MB on private pool.",
        "Invalid buffer size: 12.50 GB",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
    ],
)
def test_other_spellings_of_out_of_memory_are_known(message: str) -> None:
    with pytest.raises(DeviceMemoryError, match="needs more memory than this computer has free"):
        guarded(lambda: raise_(RuntimeError(message)))


def test_the_amount_asked_for_is_read_from_the_message() -> None:
    assert device._asked_bytes("Invalid buffer size: 12.50 GB") == int(12.5 * 1024**3)
    assert device._asked_bytes("you tried to allocate 4096 bytes. Error code 12") == 4096
    assert device._asked_bytes("CUDA error: out of memory") is None


@pytest.mark.parametrize("error", [RuntimeError("mat1 and mat2 shapes cannot be multiplied"), ValueError("memory")])
def test_other_errors_pass_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        guarded(lambda: raise_(error))
    assert caught.value is error


def test_an_own_memory_error_keeps_its_sentence() -> None:
    error = DeviceMemoryError("As it was.")
    with pytest.raises(DeviceMemoryError) as caught:
        guarded(lambda: raise_(error))
    assert caught.value is error


def test_what_the_failed_try_held_is_let_go() -> None:
    import weakref

    held = []

    def hungry() -> None:
        large = np.ones(1000)
        held.append(weakref.ref(large))
        raise MemoryError

    try:
        guarded(hungry)
    except DeviceMemoryError:
        assert held[0]() is None  # although this error still points at the frame that held it


def test_the_same_seed_gives_the_same_numbers() -> None:
    def draw(seed: int) -> tuple:
        generator = device.seed_everything(seed)
        return random.random(), np.random.rand(), generator.random()

    assert draw(5) == draw(5)
    assert all(a != b for a, b in zip(draw(5), draw(6), strict=True))
    with pytest.raises(InputError, match="The seed is -1"):
        device.seed_everything(-1)


@pytest.mark.torch
def test_pytorch_is_seeded_where_it_is_loaded() -> None:
    torch = pytest.importorskip("torch")
    device.seed_everything(3)
    first = torch.rand(4)
    device.seed_everything(3)
    assert torch.equal(first, torch.rand(4))


def test_none_of_it_loads_pytorch() -> None:
    code = (
        "import sys; from DeepMRILib import device, model_store, training; device.resolve('cpu'); "
        "device.free_memory('cpu'); device.seed_everything(1); "
        "assert not {'torch', 'safetensors', 'psutil'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
