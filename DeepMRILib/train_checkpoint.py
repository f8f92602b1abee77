"""What a training needs to go on after it was stopped or killed, in one file that is whole or the one before."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from DeepMRILib.errors import InputError, WeightsError
from DeepMRILib.options import to_json
from DeepMRILib.train_options import Epoch, TrainOptions
from DeepMRILib.weight_files import load_torch_file
from DeepMRILib.writing import replacing

FORMAT = 2
# Settings that do not change the steps already made: they may differ when a training goes on.
_FREE = {"device", "epochs", "patience", "workers", "checkpoint_every", "restore_best", "validation_batch_size"}

_KINDS = {
    "identity": dict,
    "history": list,
    "best_epoch": int,
    "best_weights": dict,
    "weights": dict,
    "optimizer": dict,
    "plateau": dict,
    "scaler": dict,
}


@dataclass
class State:
    """How far a training has come, its history and best weights; the rest is in model and optimizer.

    No random state is kept: an epoch's random numbers come from (seed, epoch, process) alone.
    """

    history: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def stopped(self, options: TrainOptions) -> str:
        """Why the training is over: ``"epochs"``, ``"patience"``, or ``""`` while it is not."""
        if options.patience and self.epoch - self.best_epoch >= options.patience:
            return "patience"
        return "epochs" if self.epoch >= options.epochs else ""

    def is_better(self, epoch: Epoch, min_delta: float) -> bool:
        """Whether an epoch's loss is lower than the best so far by more than ``min_delta``."""
        return not self.best_epoch or epoch.monitored < self.history[self.best_epoch - 1].monitored - min_delta


def signature(model: torch.nn.Module, options: TrainOptions, samples: tuple[int, int]) -> dict[str, Any]:
    """What must be the same when a training goes on: settings, weights by name and shape, the number of samples."""
    free = _FREE - {"epochs"} if options.schedule == "poly" else _FREE
    return {
        "settings": {name: value for name, value in to_json(options).items() if name not in free},
        "weights": _shapes(model.state_dict()),
        "samples": list(samples),
    }


def write(path: Path, identity: dict[str, Any], state: State, parts: Mapping[str, Any]) -> None:
    """Write a checkpoint beside the old one, then put it in its place in one step.

    Args:
        path: of the checkpoint.
        identity: from ``signature``.
        state: how far it has come.
        parts: state dictionaries of model, optimizer and what else goes on.

    Raises:
        OutputError: no such folder, no right, or no space.
    """
    content = {
        "format": FORMAT,
        "identity": identity,
        "history": [dataclasses.asdict(epoch) for epoch in state.history],
        "best_epoch": state.best_epoch,
        "best_weights": state.best_weights,
        **parts,
    }
    buffer = io.BytesIO()
    torch.save({**content, "sha256": _digest(content)}, buffer)
    with replacing(path) as (part,), part.open("wb") as file:
        file.write(buffer.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, identity: dict[str, Any]) -> tuple[State, dict[str, Any]]:
    """The state and the parts that ``write`` wrote.

    Raises:
        WeightsError: the file is damaged, lacks a part, or is not safe to read.
        InputError: it is no checkpoint, or one of another training.
    """
    try:
        content = load_torch_file(path)
    except WeightsError as error:  # its advice is for weights of others
        raise _unusable(path, "or is no checkpoint of DeepMRI") from error
    if not isinstance(content, dict) or "sha256" not in content:
        raise _no_checkpoint(path)
    _check_whole(path, content)
    if content.get("format") != FORMAT:
        raise _no_checkpoint(path)
    for name, kind in _KINDS.items():
        if not isinstance(content.get(name), kind):
            raise _unusable(path, f"its part {name} is missing or of a wrong kind")
    with misfits_as_errors(path):
        _check_same(path, content["identity"], identity)
        history = [Epoch(**epoch) for epoch in content["history"]]
    best = content["best_epoch"]
    if not 0 <= best <= len(history) or [epoch.number for epoch in history] != [*range(1, len(history) + 1)]:
        raise _unusable(path, f"its best epoch {best} and its {len(history)} epochs do not fit together")
    for name in ("weights", *(["best_weights"] if history else [])):
        if _shapes(content[name]) != identity["weights"]:
            raise _unusable(path, f"its {name} are not those of its network")
    return State(history, best, content["best_weights"]), content


@contextmanager
def misfits_as_errors(path: Path) -> Iterator[None]:
    """Turn what a network and an optimizer raise when a checkpoint's parts do not fit into ``WeightsError``."""
    try:
        yield
    except (InputError, torch.OutOfMemoryError):
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _unusable(path, str(error).strip().partition("\n")[0] or type(error).__name__) from error


def _no_checkpoint(path: Path) -> InputError:
    return InputError(
        f"{path} is no checkpoint of this version of DeepMRI. Choose another file name for the checkpoint."
    )


def _unusable(path: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"The checkpoint {path} is damaged ({reason}). Delete it, or choose another file, to begin anew."
    )


def _check_whole(path: Path, content: dict[str, Any]) -> None:
    """A bit that turned in a weight would change the result, and nothing else would tell."""
    with misfits_as_errors(path):
        found = _digest({name: value for name, value in content.items() if name != "sha256"})
    if found != content["sha256"]:
        raise _unusable(path, "its content is not what was written")


def _digest(content: dict[str, Any]) -> str:
    """The SHA-256 over all values, with their names, types and shapes."""
    digest = hashlib.sha256()
    for piece in _pieces(content):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(value: Any) -> Iterator[Any]:
    """A value as bytes, from which no other value gives the same."""
    if isinstance(value, torch.Tensor):
        yield f"tensor {value.dtype} {tuple(value.shape)};".encode()
        yield value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    elif isinstance(value, Mapping):
        yield f"mapping {len(value)};".encode()
        for name, entry in value.items():
            yield from _pieces(name)
            yield from _pieces(entry)
    elif isinstance(value, (list, tuple)):
        yield f"list {len(value)};".encode()
        for entry in value:
            yield from _pieces(entry)
    else:
        text = repr(value).encode(errors="surrogatepass")
        yield f"{type(value).__name__} {len(text)};".encode()
        yield text


def _shapes(weights: Mapping[str, Any]) -> dict[str, list[int]]:
    return {name: list(getattr(value, "shape", ())) for name, value in weights.items()}


def _smallest_difference(name: str, before: Any, now: Any) -> tuple[str, Any, Any]:
    """Of settings that are tables of settings, as JSON, the first entry that differs."""
    try:
        old, new = json.loads(before), json.loads(now)
    except (TypeError, ValueError):
        return name, before, now
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return name, before, now
    key = next(key for key in {**old, **new} if old.get(key) != new.get(key))
    return key, old.get(key, "unknown"), new.get(key, "unknown")


def _check_same(path: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    begin = "Go on with the same, or choose another checkpoint file to begin anew."
    for name in sorted(set(old["settings"]) | set(new["settings"])):
        given = [values["settings"].get(name, "unknown") for values in (old, new)]
        if given[0] != given[1]:
            what, before, now = _smallest_difference(name, *given)
            raise InputError(f"The checkpoint {path} was made with {what} {before}, and now it is {now}. {begin}")
    if old["weights"] != new["weights"]:
        names = sorted(
            name
            for name in set(old["weights"]) | set(new["weights"])
            if old["weights"].get(name) != new["weights"].get(name)
        )
        raise InputError(f"The checkpoint {path} is of another network: its weights {names[0]!r} differ. {begin}")
    if old["samples"] != new["samples"]:
        before, now = (" and ".join(map(str, counts)) for counts in (old["samples"], new["samples"]))
        raise InputError(
            f"The checkpoint {path} was made with {before} samples for training and validation, and now there are "
            f"{now}. {begin}"
        )
