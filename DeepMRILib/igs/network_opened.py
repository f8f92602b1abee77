"""A network ready to be asked: a module, one of ours, or another program's TorchScript, checked against the data."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.igs.dataset import SliceDataset
from DeepMRILib.igs.network_predict import device_of, normalised
from DeepMRILib.igs.trained import TrainedNetwork
from DeepMRILib.model_store import CARD

SUFFIXES = (".ts", ".pt", ".pth")
_UNITS = {2: "slices", 3: "whole volumes"}


def open_network(
    network: Any, dataset: SliceDataset, *, trust: bool = False, any_task: bool = False
) -> torch.nn.Module:
    """A network in evaluation mode, which has proven on one slice that it takes the data and does their task.

    Args:
        network: a ``torch.nn.Module``, a ``TrainedNetwork``, the folder or name of a model, a TorchScript file (.ts,
            .pt, .pth), or the folder of a MONAI bundle, of which nothing but a TorchScript file in models/ is read.
        dataset: what it is going to see.
        trust: run TorchScript, which is code of its author.
        any_task: only the input must fit, as where data without labels are to be segmented.

    Raises:
        InputError: nothing there, TorchScript without ``trust``, or a network for other contrasts, classes or tasks.
        WeightsError: a model of another kind, damaged, or a file that is no TorchScript.
        DeviceMemoryError: one slice does not fit.
        DependencyError: MONAI or safetensors is not installed.
    """
    if isinstance(network, torch.nn.Module):
        module, name = network, "The network"
    elif isinstance(network, TrainedNetwork):
        module, name = network.module(), f"The network {network.name}"
    elif isinstance(network, (str, Path)):
        module, name = _from_disk(Path(network), trust), f"The network {Path(network).name}"
    else:
        raise InputError(
            f"A {type(network).__name__} is no network. Give a torch.nn.Module, a model's folder or name, or a file."
        )
    module.eval()
    check_network(module, dataset, name, any_task=any_task)
    return module


def check_network(module: torch.nn.Module, dataset: SliceDataset, name: str, *, any_task: bool = False) -> None:
    """Run one slice through a network.

    Raises:
        InputError: it does not take the data, or gives something else than their task needs.
        DeviceMemoryError: one slice does not fit.
    """
    design = getattr(module, "design", None)
    if isinstance(design, dict):
        _check_design(design, dataset, name, any_task=any_task)
    given = f"{dataset.contrasts} contrast{'s' * (dataset.contrasts > 1)} of {_UNITS[dataset.spatial]}"
    size = " x ".join(map(str, dataset.images.shape[2:]))
    mean, std = dataset.subset([0]).normalisation()
    one = torch.from_numpy(normalised(dataset.subset([0]).magnitude(), mean, std)).to(device_of(module))
    try:
        with devices.out_of_memory_as_error(str(one.device), "One slice in the network", "Use smaller images."):
            found = _asked(module, one)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        raise InputError(
            f"{name} does not take these data, {given} of {size}: {_reason(error)}. Choose a network that was trained "
            "on such images, or set the size of the slices."
        ) from error
    if not isinstance(found, torch.Tensor):
        raise InputError(f"{name} gives a {type(found).__name__} and not one tensor. Export it with one output.")
    if not any_task:
        _check_output(tuple(found.shape), dataset, name)


@torch.no_grad()
def _asked(module: torch.nn.Module, images: torch.Tensor) -> Any:
    return module(images)


def _check_design(design: dict[str, Any], dataset: SliceDataset, name: str, *, any_task: bool) -> None:
    """What a network of ours says of itself gives clearer sentences than what it stumbles over."""
    if design["spatial"] != dataset.spatial:
        raise InputError(
            f"{name} is for {_UNITS[design['spatial']]}, and the data are {_UNITS[dataset.spatial]}. Choose another "
            "network, or set the slice axis accordingly."
        )
    if design["in"] != dataset.contrasts:
        raise InputError(
            f"{name} takes {design['in']} contrasts, and the data have {dataset.contrasts}. Choose a network that was "
            "trained on such images."
        )
    if not any_task and design["task"] != dataset.task:
        raise InputError(
            f"{name} is for {design['task']}, and the data are for {dataset.task}. Choose a network for "
            f"{dataset.task}, or give other labels."
        )


def _check_output(shape: tuple[int, ...], dataset: SliceDataset, name: str) -> None:
    spatial = tuple(dataset.images.shape[2:])
    if dataset.task == "reconstruction":
        if shape != (1, dataset.contrasts, *spatial):
            raise InputError(
                f"{name} gives {_sizes(shape[1:])} for a slice, and an image of {_sizes((dataset.contrasts, *spatial))}"
                " is needed. Without labels, choose a network that reconstructs images."
            )
        return
    per_slice = dataset.task == "classification"
    if shape[2:] != (() if per_slice else spatial) or len(shape) < 2:
        wanted = "one number for each class" if per_slice else f"numbers for each of {_sizes(spatial)} pixels"
        raise InputError(
            f"{name} gives {_sizes(shape[1:])} for a slice, and {wanted} are needed. Choose a network for "
            f"{dataset.task}."
        )
    if shape[1] < dataset.classes:  # more do no harm: a part of the data may lack a label
        what = "classes" if per_slice else "labels with background"
        raise InputError(
            f"{name} knows {shape[1]} classes, and the data have {dataset.classes} {what}. Choose a network that was "
            "trained on such labels."
        )


def _from_disk(path: Path, trust: bool) -> torch.nn.Module:
    place = path.expanduser()
    try:
        is_file, is_folder = place.is_file(), place.is_dir()
        bundle = is_folder and not (place / CARD).exists() and (place / "models").is_dir()
    except OSError as error:  # a name that is too long
        raise InputError(f"There is no network {path}: {error.strerror}.") from error
    if bundle:
        return _torchscript(_script_of(place), trust)
    if is_file:
        if place.suffix.lower() not in SUFFIXES:
            raise InputError(
                f"{path.name} is no network that can be opened. Give the folder or name of a model, or a TorchScript "
                f"file ({', '.join(SUFFIXES)})."
            )
        return _torchscript(place, trust)
    return TrainedNetwork.load(place if is_folder else path).module()


def _script_of(bundle: Path) -> Path:
    """The TorchScript file of a MONAI bundle: its configuration, which is code, is never read."""
    scripts = sorted((bundle / "models").glob("*.ts"))
    if len(scripts) > 1 and (bundle / "models" / "model.ts") in scripts:
        return bundle / "models" / "model.ts"
    if len(scripts) != 1:
        fault = "no TorchScript file (.ts)" if not scripts else f"{len(scripts)} TorchScript files"
        raise InputError(
            f"The bundle {bundle.name} has {fault} in its models folder. Give the file itself; MONAI writes it with "
            "python -m monai.bundle ckpt_export."
        )
    return scripts[0]


def _torchscript(path: Path, trust: bool) -> torch.nn.Module:
    _check_is_script(path)
    if not trust:
        raise InputError(
            f"{path.name} is a TorchScript file: it runs code of its author on this computer. If you trust where it "
            "comes from, confirm that: --trust on the command line, trust=True in Python, Trust in the panel."
        )
    try:
        return load_script(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        raise WeightsError(
            f"{path.name} cannot be opened as TorchScript: {_reason(error)}. Export it again."
        ) from error


def load_script(file: str | io.BytesIO) -> torch.nn.Module:
    """TorchScript in 32 bits on the CPU, its weights frozen. Whoever calls this trusts its author."""
    with _still_spoken():
        network = torch.jit.load(file, map_location="cpu").float()
    for parameter in network.parameters():  # frozen, deep copies of it can be used as the network itself
        parameter.requires_grad_(False)
    return network


def copied_script(network: torch.jit.ScriptModule) -> torch.nn.Module:
    """A copy whose weights can be trained, which those of its deep copy cannot."""
    buffer = io.BytesIO()
    with _still_spoken():
        torch.jit.save(network, buffer)
    buffer.seek(0)
    return load_script(buffer)


@contextmanager
def _still_spoken() -> Iterator[None]:
    """PyTorch 2.13 warns that TorchScript is old; it is what MONAI bundles and other programs hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _check_is_script(path: Path) -> None:
    """Tell TorchScript from weights alone and from pickles, without opening either."""
    try:
        entries = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    except (OSError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path.name} cannot be read: {_reason(error)}.") from error
    if not any(re.fullmatch(r"[^/]+/code/.+", entry) for entry in entries):
        raise WeightsError(
            f"{path.name} holds no TorchScript. Weights alone do not say what network they are of, and a pickle is not "
            "opened, as it could run anything. Export the network with torch.jit.script(network).save(file)."
        )


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _reason(error: BaseException) -> str:
    """The line of an error that says what is wrong; TorchScript puts it last, below its own traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    found = lines[-1] if lines[0].startswith("The following operation failed") else lines[0]
    return re.sub(r"^\w*Error: ", "", found).rstrip(".")[:200]
