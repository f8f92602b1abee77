"""The settings of training a network for perivascular spaces."""

from __future__ import annotations

from dataclasses import dataclass

from DeepMRILib import device as devices
from DeepMRILib.options import option


@dataclass(frozen=True)
class TrainOptions:
    """How a network is trained on generated perivascular spaces."""

    name: str = option("pvs-network", "Name of the model in lists")
    steps: int = option(
        20_000,
        "Steps of the training, rounded to hundreds where there are more; each learns from a batch",
        range=(1, 10_000_000),
    )
    hours: float = option(
        0.0,
        "Stop after this time with what has been learned by then; 0 makes all steps",
        unit="h",
        range=(0.0, 10_000.0),
    )
    batch: int = option(2, "Patches in a step", range=(1, 256), advanced=True)
    patch: int = option(64, "Edge of the patches", unit="mm", range=(16, 192), advanced=True)
    heads: int = option(
        8, "Generated heads whose parts are the background, beside the label maps; 0 takes the label maps alone",
        range=(0, 100),
    )  # fmt: skip
    channels: tuple[int, ...] = option(
        (16, 32, 48, 64), "Channels of the network at 1, 2, 4, ... mm", range=(1, 512), advanced=True
    )
    start: str = option(
        "", "Name or folder of a network to go on from, of the same channels; empty starts from random weights"
    )
    checkpoint: str = option(
        "", "File from which a training that was stopped or killed goes on when the same is started again; empty keeps "
        "none",
    )  # fmt: skip
    learning_rate: float = option(2e-3, "Step size at the start; falls to 0", range=(1e-8, 1.0), advanced=True)
    held_out: int = option(24, "Patches on which the network is judged", range=(1, 10_000), advanced=True)
    half_weights: bool = option(True, "Store the weights in 16 bits: half the file", advanced=True)
    workers: int = option(1, "Processes that make patches meanwhile; 0 makes them between steps", range=(0, 256))
    seed: int = option(0, "Seed of all random numbers", range=(0, 2**31 - 1))
    device: devices.Device = option("auto", "Where to compute")
