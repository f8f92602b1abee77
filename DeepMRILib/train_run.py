"""The training loop itself; ``training.train`` is its public face."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from DeepMRILib import device as devices
from DeepMRILib import train_checkpoint as checkpoints
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.progress import Progress
from DeepMRILib.train_data import Batches, as_dataset, epoch_order, epoch_seed, loader, to_device
from DeepMRILib.train_lock import only_training
from DeepMRILib.train_options import Epoch, Loss, TrainOptions, TrainResult
from DeepMRILib.train_parallel import Ranks, join

REPORT_SECONDS = 0.05
POLY_POWER = 0.9  # of nnU-Net (Isensee 2021) and DeepLab, where the schedule comes from


@dataclass(frozen=True, eq=False)
class Task:
    """The arguments of ``training.train``, all given."""

    model: torch.nn.Module
    data: Any
    loss: Loss
    options: TrainOptions
    validation: Any
    validation_loss: Loss
    collate: Callable[[list], Any] | None
    checkpoint: Path | None
    progress: Progress | None
    same: dict[str, str]


def run(task: Task) -> TrainResult:
    """Train; see ``training.train``."""
    ranks = join(devices.resolve(task.options.device))
    if task.options.batch_size < ranks.size:
        raise InputError(
            f"batch_size is {task.options.batch_size} for {ranks.size} processes; each needs at least one sample."
        )
    what = f"Training with batches of {task.options.batch_size}"
    way_out = "Use smaller batches, or a smaller network or patch."
    checkpoint = task.checkpoint if ranks.first else None
    with only_training(checkpoint), devices.out_of_memory_as_error(ranks.device, what, way_out):
        training = _Training(task, ranks)
        training.resume()
        return training.finish()


class _Objective(torch.nn.Module):
    """The loss as a module: what is averaged over processes may then call the model in any way."""

    def __init__(self, model: torch.nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Any) -> torch.Tensor:
        return self.loss(self.model, batch)


class Reporter:
    """Tells the user at most twenty times a second, and remembers that the user wants to stop."""

    def __init__(self, progress: Progress | None) -> None:
        self.cancelled = False
        self._progress, self._last = progress, -math.inf

    def tell(self, fraction: float, message: str, *, always: bool = False) -> None:
        now = time.monotonic()
        if self._progress is None or (now - self._last < REPORT_SECONDS and not always):
            return
        self._last = now
        try:
            self._progress(fraction, message)
        except Cancelled:
            # All processes stop at the same step: raised where they next exchange their numbers.
            self.cancelled = True


class _Training:
    """One training from its start, or its checkpoint, to its end."""

    def __init__(self, task: Task, ranks: Ranks) -> None:
        self.task, self.ranks, self.options = task, ranks, task.options
        self.data = as_dataset(task.data, "training")
        self.validation = None if task.validation is None else as_dataset(task.validation, "validation")
        self.model = task.model.to(ranks.device)
        for part in (task.loss, task.validation_loss):
            if isinstance(part, torch.nn.Module):  # class weights and the like
                part.to(ranks.device)
        self.parameters = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        if not self.parameters:
            raise InputError("The network has no weights that may be trained. Unfreeze some of them.")
        self.optimizer = _optimizer(self.parameters, self.options)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self.optimizer,
            factor=self.options.plateau_factor,
            patience=self.options.plateau_patience,
            threshold=self.options.min_delta,
            threshold_mode="abs",
        )
        self.half = self.options.mixed_precision and ranks.device.startswith("cuda")
        self.scaler = torch.amp.GradScaler("cuda") if self.half else None
        self.reporter = Reporter(task.progress if ranks.first else None)
        self.state = checkpoints.State()

    # -- going on and being saved -------------------------------------------------------------------------------

    def resume(self) -> None:
        """Take up the checkpoint if there is one, else write the first."""
        path = self.task.checkpoint
        if path is None:
            return
        there = path.exists()
        (seen,) = self._shared(float(there))  # all have looked before the first one writes
        if 0 < seen < self.ranks.size:
            raise InputError(f"Only some of the processes see the checkpoint {path}. Put it on a disk that all share.")
        if there:
            self.state, parts = checkpoints.read(path, self._identity())
            with checkpoints.misfits_as_errors(path):
                self.model.load_state_dict(parts["weights"])
                self.optimizer.load_state_dict(parts["optimizer"])
                self.plateau.load_state_dict(parts["plateau"])
                if self.scaler is not None and parts["scaler"]:
                    self.scaler.load_state_dict(parts["scaler"])
        else:
            self._save()

    def _save(self) -> None:
        if self.task.checkpoint is None or not self.ranks.first:
            return
        parts = {
            "weights": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "plateau": self.plateau.state_dict(),
            "scaler": self.scaler.state_dict() if self.scaler is not None else {},
        }
        checkpoints.write(self.task.checkpoint, self._identity(), self.state, parts)

    def _identity(self) -> dict[str, Any]:
        samples = (len(self.data), 0 if self.validation is None else len(self.validation))
        identity = checkpoints.signature(self.model, self.options, samples)
        return {**identity, "settings": {**identity["settings"], **self.task.same}}

    # -- the epochs ---------------------------------------------------------------------------------------------

    def finish(self) -> TrainResult:
        """All epochs that are still to do, and the result."""
        self.objective = self.ranks.together(_Objective(self.model, self.task.loss))
        while not self.state.stopped(self.options):
            self._epoch(self.state.epoch + 1)
        last = _on_cpu(self.model)
        if self.options.restore_best:
            self.model.load_state_dict(self.state.best_weights)
        self.model.eval()
        return TrainResult(
            history=tuple(self.state.history),
            best_epoch=self.state.best_epoch,
            stopped=self.state.stopped(self.options),
            device=self.ranks.device,
            best_weights=self.state.best_weights,
            last_weights=last,
        )

    def _epoch(self, number: int) -> None:
        start = time.perf_counter()
        self._set_poly_rate(number)
        rate = self.optimizer.param_groups[0]["lr"]
        seed = epoch_seed(self.options.seed, number, self.ranks.rank)
        devices.seed_everything(seed)
        self.optimizer.zero_grad(set_to_none=True)  # of a training that was cancelled with this model
        loss = self._train_epoch(number, seed)
        self.ranks.copy_from_first(self.model.buffers())
        validation_loss = None if self.validation is None else self._validate(number, seed)
        self._keep(Epoch(number, loss, validation_loss, rate, time.perf_counter() - start))
        if number % self.options.checkpoint_every == 0 or self.state.stopped(self.options):
            self._save()
        self.reporter.tell(number / self.options.epochs, self._message(number), always=True)
        self._shared()

    def _set_poly_rate(self, number: int) -> None:
        if self.options.schedule == "poly":
            rate = self.options.learning_rate * (1 - (number - 1) / self.options.epochs) ** POLY_POWER
            for group in self.optimizer.param_groups:
                group["lr"] = rate

    def _keep(self, epoch: Epoch) -> None:
        """Write down an epoch, remember the best weights and lower the rate when it is time."""
        better = self.state.is_better(epoch, self.options.min_delta)
        self.state.history.append(epoch)
        if better:
            self.state.best_epoch, self.state.best_weights = epoch.number, _on_cpu(self.model)
        if self.options.schedule != "plateau":
            return
        self.plateau.step(epoch.monitored)
        if self.options.plateau_from_best and self.optimizer.param_groups[0]["lr"] < epoch.learning_rate:
            self.model.load_state_dict(self.state.best_weights)

    # -- one epoch ----------------------------------------------------------------------------------------------

    def _train_epoch(self, number: int, seed: int) -> float:
        """The mean loss of an epoch's samples, each at the weights that it met."""
        options = self.options
        order = epoch_order(len(self.data), options.max_batches_per_epoch * options.batch_size, options.seed, number)
        batches = self._batches(order, options.batch_size, drop_last=options.drop_last)
        self.model.train()
        total, samples = 0.0, 0.0
        for step, batch in enumerate(self._loader(self.data, batches, seed)):
            mine, whole = batches.counts(step)
            group = min(options.accumulate, len(batches) - step + step % options.accumulate)
            # The processes' gradients are averaged with equal weights: this makes each sample count the same.
            value = self._backward(batch, mine * self.ranks.size / (whole * group))
            fraction = (number - 1 + (step + 1) / len(batches)) / options.epochs
            self.reporter.tell(fraction, self._message(number))
            loss, count = self._shared(value * mine if mine else 0.0, mine)
            _check_finite(loss, f"training loss in epoch {number}, step {step + 1}")
            total, samples = total + loss, samples + count
            if step % options.accumulate == group - 1:
                self._step()
        return total / samples

    def _backward(self, batch: Any, weight: float) -> float:
        with torch.autocast("cuda", torch.float16) if self.half else nullcontext():
            loss = self.objective(to_device(batch, self.ranks.device))
        weighted = loss * weight
        (weighted if self.scaler is None else self.scaler.scale(weighted)).backward()
        return loss.item()

    def _step(self) -> None:
        if self.scaler is not None:
            self.scaler.unscale_(self.optimizer)
        if self.options.clip_gradient:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.options.clip_gradient)
        if self.scaler is None:
            self.optimizer.step()
        else:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _validate(self, number: int, seed: int) -> float:
        """The mean loss of all validation samples, none left out and none counted twice."""
        batches = self._batches(
            np.arange(len(self.validation)), self.options.validation_batch_size or self.options.batch_size
        )
        self.model.eval()
        total, samples = 0.0, 0
        for step, batch in enumerate(self._loader(self.validation, batches, seed)):
            mine, _ = batches.counts(step)
            if mine:
                with torch.autocast("cuda", torch.float16) if self.half else nullcontext():
                    loss = self.task.validation_loss(self.model, to_device(batch, self.ranks.device))
                total, samples = total + float(loss) * mine, samples + mine
            self.reporter.tell(number / self.options.epochs, f"Epoch {number}, validation")
            if self.reporter.cancelled:
                break
        total, samples = self._shared(total, samples)
        _check_finite(total, f"validation loss in epoch {number}")
        return total / samples

    def _batches(self, order: Any, batch_size: int, *, drop_last: bool = False) -> Batches:
        return Batches(order, batch_size, drop_last, self.ranks.rank, self.ranks.size)

    def _loader(self, dataset: Any, batches: Batches, seed: int) -> torch.utils.data.DataLoader:
        pinned = self.ranks.device.startswith("cuda")
        return loader(
            dataset, batches, seed=seed, workers=self.options.workers, pinned=pinned, collate=self.task.collate
        )

    def _shared(self, *values: float) -> list[float]:
        """The values' sums over all processes; or all stop together, when the user wants that."""
        cancelled, *sums = self.ranks.share(float(self.reporter.cancelled), *values)
        if cancelled:
            raise Cancelled("The training was stopped.")
        return sums

    def _message(self, number: int) -> str:
        best = self.state.best_epoch
        known = f", best loss {self.state.history[best - 1].monitored:.4g} in epoch {best}" if best else ""
        return f"Epoch {number}{known}"


def _optimizer(parameters: list[torch.nn.Parameter], options: TrainOptions) -> torch.optim.Optimizer:
    common = {"lr": options.learning_rate, "weight_decay": options.weight_decay}
    if options.optimizer == "sgd":
        return torch.optim.SGD(parameters, momentum=options.momentum, nesterov=options.momentum > 0, **common)
    kind = torch.optim.AdamW if options.optimizer == "adamw" else torch.optim.Adam
    return kind(parameters, **common)


def _on_cpu(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().to("cpu", copy=True) for name, value in model.state_dict().items()}


def _check_finite(value: float, what: str) -> None:
    if not math.isfinite(value):
        raise InputError(
            f"The {what} is {value}: the training went astray. Lower the learning rate, clip the gradient, or look "
            "for NaN and infinite values in the data."
        )
