"""Training the IVIM networks on the signals of a study: all members at once, each as if it were alone.

Each member has its own first weights, its own split into training and validation signals, its own order of
signals and its own dropout, all drawn from its seed, and stops by its own validation loss. So an ensemble of n
is n repeated trainings, and their spread is what Kaandorp et al. (Magn Reson Med 2021;86:2250-2265) call the
consistency of a network. What was stopped goes on from its checkpoint with the same result.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from DeepMRILib import device as devices
from DeepMRILib import train_checkpoint as checkpoints
from DeepMRILib.errors import Cancelled, InputError
from DeepMRILib.ivim.network import IvimNetwork
from DeepMRILib.ivim.network_data import TrainingSignals
from DeepMRILib.ivim.network_step import FlatAdam, Gradient
from DeepMRILib.ivim.plan import NetworkPlan
from DeepMRILib.network_threads import one_thread
from DeepMRILib.progress import Progress
from DeepMRILib.tables import Table
from DeepMRILib.train_lock import only_training
from DeepMRILib.train_options import Epoch, TrainOptions
from DeepMRILib.train_run import Reporter

PLATEAU_FACTOR = 0.2
STEPS_PER_BLOCK = 50
"""Steps between two looks at the user's wish to stop; their dropout masks are drawn together."""
VALIDATION_CHUNK = 4096
_CARRIED = ("best_epoch", "best_loss", "since_lowered")


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes:
        weights: its state dictionary, each array (members, sub-networks, ...).
        history: the loss curve, a row for each epoch: means over the members that were still training.
        best_epochs: (members,) those of the lowest validation losses.
        stopped: why the last member ended: all epochs done, or no lower validation loss for ``patience`` epochs.
        device: where it ran.
        seconds: of wall time in all, over interruptions.
    """

    weights: dict[str, NDArray]
    history: Table
    best_epochs: tuple[int, ...]
    stopped: Literal["epochs", "patience"]
    device: str
    seconds: float

    @property
    def best_epoch(self) -> int:
        """The last of the members' best epochs."""
        return max(self.best_epochs)


def train_network(
    signals: ArrayLike,
    plan: NetworkPlan,
    *,
    device: devices.Device = "auto",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    validation: ArrayLike | None = None,
) -> Trained:
    """Train the networks of a plan on signals alone.

    Signals are divided by their mean at the lowest b-value, those that no decay explains are left out
    (``network_input.usable``), the rest cut at 1.5. The loss is the mean squared difference between a signal and the
    one that the network's parameters predict; the optimizer is Adam.

    Args:
        signals: (n, n_b) in the scanner's units, columns as ``plan.b_values``; may be memory-mapped: an epoch's rows
            are read when it begins.
        plan: the network and its training.
        device: ``"auto"`` is the CPU for ``loss`` signal: the steps are so small that a graphics card is no faster.
        checkpoint: a file that is written after each epoch; training goes on from it if it is there.
        progress: told of the epochs; may raise ``Cancelled``.
        validation: (m, n_b) signals that decide on stopping, instead of a part of ``signals``; posterior networks
            are validated on simulated ones.

    Raises:
        InputError: signals that do not go with the plan, too few usable ones, or a checkpoint of another training.
        WeightsError: the checkpoint is damaged.
        OutputError: the checkpoint cannot be written.
        DeviceMemoryError: the memory does not suffice.
        Cancelled: by ``progress``.
    """
    place = "cpu" if device == "auto" else devices.resolve(device)
    path = None if checkpoint is None else Path(checkpoint)
    what, way_out = f"Training {plan.members} networks", "Train fewer members."
    if plan.loss == "posterior":
        return _train_posterior(signals, plan, device, path, progress)
    with only_training(path), devices.out_of_memory_as_error(place, what, way_out), one_thread():
        data = TrainingSignals(signals, plan, validation)
        training = _Training(data, plan, place, path, Reporter(progress))
        training.resume()
        return training.finish()


def _train_posterior(
    signals: ArrayLike, plan: NetworkPlan, device: devices.Device, checkpoint: Path | None, progress: Progress | None
) -> Trained:
    from DeepMRILib.ivim.train_posterior import train_posterior

    start = time.perf_counter()
    usable = TrainingSignals(signals, plan)
    with one_thread():
        result = train_posterior(usable, plan, device=device, checkpoint=checkpoint, progress=progress)
    return Trained(
        weights={name: value.numpy() for name, value in result.best_weights.items()},
        history=_curve(list(result.history)),
        best_epochs=(result.best_epoch,) * plan.members,
        stopped=result.stopped,
        device=result.device,
        seconds=time.perf_counter() - start,
    )


class _Training:
    """One training from its start, or its checkpoint, to its end."""

    def __init__(
        self, data: TrainingSignals, plan: NetworkPlan, device: str, checkpoint: Path | None, reporter: Reporter
    ) -> None:
        self.data, self.plan, self.device, self.checkpoint, self.reporter = data, plan, device, checkpoint, reporter
        self.network = IvimNetwork(plan).to(device)
        self.gradient = Gradient(self.network, data.batch)
        rates = torch.full_like(self.gradient.flat, plan.learning_rate)
        self.adam = FlatAdam(self.gradient.flat, rates, plan.weight_decay)
        self.state = checkpoints.State()
        self.best_epoch = np.zeros(plan.members, dtype=np.int64)
        self.best_loss = np.full(plan.members, np.inf)
        self.since_lowered = np.zeros(plan.members, dtype=np.int64)
        self.validation = torch.from_numpy(data.validation()).to(device)

    # -- going on and being saved -------------------------------------------------------------------------------

    def resume(self) -> None:
        """Take up the checkpoint if there is one, else write the first."""
        if self.checkpoint is None:
            return
        if not self.checkpoint.exists():
            self._save()
            return
        self.state, parts = checkpoints.read(self.checkpoint, self._identity())
        with checkpoints.misfits_as_errors(self.checkpoint):
            self.network.load_state_dict(parts["weights"])
            self.adam.load_state_dict(parts["optimizer"])
            for name in _CARRIED:
                getattr(self, name)[:] = parts["plateau"][name]

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        parts = {
            "weights": self.network.state_dict(),
            "optimizer": self.adam.state_dict(),
            "plateau": {name: getattr(self, name).tolist() for name in _CARRIED},
            "scaler": {},
        }
        checkpoints.write(self.checkpoint, self._identity(), self.state, parts)

    def _identity(self) -> dict[str, Any]:
        identity = checkpoints.signature(self.network, TrainOptions(seed=self.plan.seed), self.data.counts)
        settings = {name: value for name, value in self.plan.to_json().items() if name != "epochs"}
        return {**identity, "settings": {**settings, "signals": self.data.digest}}

    # -- the epochs ---------------------------------------------------------------------------------------------

    def finish(self) -> Trained:
        """All epochs that are still to do, and the result."""
        while self._training().any() and self.state.epoch < self.plan.epochs:
            self._epoch(self.state.epoch + 1)
        history = self.state.history
        return Trained(
            weights={name: value.numpy() for name, value in self.state.best_weights.items()},
            history=_curve(history),
            best_epochs=tuple(int(epoch) for epoch in self.best_epoch),
            stopped="epochs" if self._training().any() else "patience",
            device=self.device,
            seconds=sum(epoch.seconds for epoch in history),
        )

    def _training(self) -> NDArray:
        """(members,) which ones have not stopped yet."""
        return self.state.epoch - self.best_epoch < self.plan.patience

    def _epoch(self, number: int) -> None:
        start = time.perf_counter()
        losses = self._train(number)
        validation_losses = self._validate()
        for name, values in (("training", losses), ("validation", validation_losses)):
            if not np.isfinite(values).all():
                raise InputError(
                    f"The {name} loss of the IVIM network is no finite number in epoch {number}: the training went "
                    "astray. Lower the learning rate."
                )
        going = self._training()
        rate = float(self._rates()[going].mean())
        seconds = time.perf_counter() - start
        epoch = Epoch(number, float(losses[going].mean()), float(validation_losses[going].mean()), rate, seconds)
        self._keep(epoch, validation_losses, going)
        self._save()
        self.reporter.tell(number / self.plan.epochs, self._message(), always=True)
        self._stop_if_wanted()

    @torch.no_grad()
    def _train(self, number: int) -> NDArray:
        """One epoch; each member's mean loss over its signals, each at the weights that it met."""
        self.network.train()
        batches = torch.from_numpy(self.data.epoch(number)).to(self.device).unbind()
        steps = len(batches)
        sums = torch.empty(steps, self.plan.members, 1, 1, device=self.device)
        for first in range(0, steps, STEPS_PER_BLOCK):
            block = range(first, min(first + STEPS_PER_BLOCK, steps))
            masks = torch.from_numpy(self.data.masks(number, first, len(block))).to(self.device)
            for step, dropout in zip(block, masks.unbind(), strict=True):
                self.adam.step(self.gradient(batches[step], dropout.unbind(), sums[step]))
            self.reporter.tell((number - 1 + block.stop / steps) / self.plan.epochs, self._message())
            self._stop_if_wanted()
        return sums.mean(dim=0).flatten().double().cpu().numpy() / (self.plan.n_b * self.data.batch)

    @torch.no_grad()
    def _validate(self) -> NDArray:
        """Each member's mean loss over all of its validation signals."""
        self.network.eval()
        total = np.zeros(self.plan.members)
        for chunk in self.validation.split(VALIDATION_CHUNK, dim=2):
            total += (self.network(chunk) - chunk).square().sum((1, 2)).double().cpu().numpy()
        return total / (self.plan.n_b * self.validation.shape[2])

    def _keep(self, epoch: Epoch, losses: NDArray, going: NDArray) -> None:
        """Write down an epoch, keep the weights of members that improved, lower the rate of those that did not."""
        weights = self.network.state_dict()
        if not self.state.history:
            self.state.best_weights = {name: value.cpu().clone() for name, value in weights.items()}
        self.state.history.append(epoch)
        better = going & (losses < self.best_loss)
        self.best_loss[better], self.best_epoch[better] = losses[better], epoch.number
        for member in np.flatnonzero(going if self.plan.keep == "last" else better):
            for name, value in weights.items():
                self.state.best_weights[name][member] = value[member].cpu()
        self.state.best_epoch = int(self.best_epoch.max())
        if self.plan.plateau:
            self._lower_rates(better)

    def _lower_rates(self, better: NDArray) -> None:
        self.since_lowered = np.where(better, 0, self.since_lowered + 1)
        rates = self._by_member(self.adam.rates)
        for member in np.flatnonzero(self.since_lowered > self.plan.plateau):
            for name, value in self.network.state_dict().items():
                value[member] = self.state.best_weights[name][member].to(self.device)
            for part in rates:
                part[member] *= PLATEAU_FACTOR
            self.since_lowered[member] = 0

    def _rates(self) -> NDArray:
        return self._by_member(self.adam.rates)[0][:, 0].double().cpu().numpy()

    def _by_member(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """A vector like the flat weights as one view (members, ...) for each parameter."""
        sizes = [value.numel() for value in self.network.parameters()]
        return [part.view(self.plan.members, -1) for part in flat.split(sizes)]

    def _stop_if_wanted(self) -> None:
        if self.reporter.cancelled:
            raise Cancelled("The training was stopped.")

    def _message(self) -> str:
        done = self.state.epoch
        lowest = f", validation loss {self.best_loss.mean():.3g} at best" if done else ""
        return f"Epoch {done + 1}{lowest}"


def _curve(history: list[Epoch]) -> Table:
    columns = {
        "epoch": [epoch.number for epoch in history],
        "loss": [epoch.loss for epoch in history],
        "validation_loss": [epoch.validation_loss for epoch in history],
        "learning_rate": [epoch.learning_rate for epoch in history],
        "seconds": [epoch.seconds for epoch in history],
    }
    return Table(columns, units={"seconds": "s"})
