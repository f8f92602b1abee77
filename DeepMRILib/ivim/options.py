"""The settings of an IVIM fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from DeepMRILib import device as devices
from DeepMRILib.errors import InputError
from DeepMRILib.options import option

BodyPart = Literal["abdomen", "brain", "liver", "pancreas", "kidney", "prostate", "breast", "muscle", "custom"]
Method = Literal["lsq", "segmented", "bayes", "ivimnet"]
Model = Literal["biexp", "triexp", "adc"]
Preset = Literal["default", "optim", "orig"]
Average = Literal["none", "arithmetic", "geometric"]
Prior = Literal["data", "flat"]

MODELS_OF: dict[str, tuple[str, ...]] = {
    "lsq": ("biexp", "triexp", "adc"),
    "segmented": ("biexp", "triexp"),
    "bayes": ("biexp",),
    "ivimnet": ("biexp", "triexp"),
}
"""Which models each method fits."""


def body_part_option() -> Any:
    """The part of the body, for every job that has bounds."""
    return option("abdomen", "Bounds of the parameters, as usual for this part of the body")


def average_option() -> Any:
    """What becomes of images that share a b-value."""
    return option("none", "Images of one b-value (repeats, directions) are kept apart, or averaged before the fit")


def fit_s0_option() -> Any:
    """Whether S0 is a parameter."""
    return option(
        True, "Fit the signal without diffusion weighting too; otherwise it is the mean at the lowest b", label="Fit S0"
    )


def background_option() -> Any:
    """What is left out where there is no mask."""
    return option(
        0.05, "Without a mask, voxels darker than this fraction of the bright ones (99th percentile) are left out",
        range=(0.0, 0.9), advanced=True,
    )  # fmt: skip


def b_limit_option(which: Literal["lowest", "highest"]) -> Any:
    """The range of b-values that count."""
    side, label = ("below", "Lowest b-value") if which == "lowest" else ("above", "Highest b-value")
    return option(
        0.0, f"Leave out images {side} this b-value; 0 keeps all", unit="s/mm2", range=(0.0, 1e5), advanced=True,
        label=label,
    )  # fmt: skip


def preset_option() -> Any:
    """Which network."""
    return option(
        "default",
        "Network: optim (Kaandorp 2021) and orig (Barbieri 2020) as published, self-supervised; default gives the mean "
        "of the posterior and learns from simulated signals",
    )


def members_option(default: int) -> Any:
    """How many networks."""
    return option(
        default, "Networks trained side by side; their spread is a part of the standard deviation", range=(1, 50),
        advanced=True,
    )  # fmt: skip


def prior_option() -> Any:
    """What the Bayesian fit holds for likely."""
    return option("data", "Prior of bayes: learned from all voxels of the series, or flat within the bounds")


def seed_option() -> Any:
    """The random seed."""
    return option(0, "Seed of all random numbers: the same seed gives the same result", range=(0, 2**31 - 1))


BOUNDED = {
    "D": ("D", "mm2/s", 0.1),
    "f": ("f", "", 1.0),
    "D_star": ("D*", "mm2/s", 10.0),
    "S0": ("S0 over the mean signal at the lowest b", "", 100.0),
    "ADC": ("ADC", "mm2/s", 0.1),
    "f1": ("f1 (slow blood)", "", 1.0),
    "D_star1": ("D*1 (slow blood)", "mm2/s", 10.0),
    "f2": ("f2 (fast blood)", "", 1.0),
    "D_star2": ("D*2 (fast blood)", "mm2/s", 100.0),
}
"""Parameters in words, their units, and the highest bound that may be given."""


def bounds_option(parameter: str) -> Any:
    """Bounds that replace those of the body part."""
    name, unit, highest = BOUNDED[parameter]
    text = f"Lowest and highest {name}; empty takes those of the body part"
    label = f"{name.partition(' ')[0]} from, to"
    return option((), text, unit=unit, range=(0.0, highest), advanced=True, label=label)


@dataclass(frozen=True)
class FitOptions:
    """How an IVIM model is fitted to a diffusion series."""

    method: Method = option(
        "lsq",
        "lsq: least squares in each voxel; segmented: tissue from high b-values first; bayes: mean of the posterior; "
        "ivimnet: neural network, trained on this series or before",
    )
    model: Model = option(
        "biexp", "Signal equation: biexp (D, f, D*), triexp (two kinds of blood), adc (one exponential)"
    )
    body_part: BodyPart = body_part_option()
    preset: Preset = preset_option()
    prior: Prior = prior_option()
    average: Average = average_option()
    fit_s0: bool = fit_s0_option()
    predicted: bool = option(False, "Also give the fitted signal at each b-value", label="Predicted signal")
    seed: int = seed_option()
    members: int = members_option(5)
    device: devices.Device = option("auto", "Where networks compute", advanced=True)
    background: float = background_option()
    b_min: float = b_limit_option("lowest")
    b_max: float = b_limit_option("highest")
    splits: tuple[float, ...] = option(
        (), "b-values that part the compartments in a segmented fit, one for biexp and two for triexp; empty takes "
        "those of the body part", unit="s/mm2", range=(0.0, 1e5), advanced=True, label="Split at",
    )  # fmt: skip
    D_bounds: tuple[float, ...] = bounds_option("D")
    f_bounds: tuple[float, ...] = bounds_option("f")
    D_star_bounds: tuple[float, ...] = bounds_option("D_star")
    S0_bounds: tuple[float, ...] = bounds_option("S0")
    ADC_bounds: tuple[float, ...] = bounds_option("ADC")
    f1_bounds: tuple[float, ...] = bounds_option("f1")
    D_star1_bounds: tuple[float, ...] = bounds_option("D_star1")
    f2_bounds: tuple[float, ...] = bounds_option("f2")
    D_star2_bounds: tuple[float, ...] = bounds_option("D_star2")


@dataclass(frozen=True)
class ApplyOptions:
    """How a trained network is applied; averaging, b-values and bounds are those of its training."""

    predicted: bool = option(False, "Also give the fitted signal at each b-value", label="Predicted signal")
    seed: int = seed_option()
    device: devices.Device = option("auto", "Where to compute", advanced=True)
    background: float = background_option()


def check_method(method: str, model: str) -> None:
    """Refuse a method that cannot fit a model.

    Raises:
        InputError: it cannot; the text names those that can.
    """
    if model not in MODELS_OF[method]:
        able = [name for name, models in MODELS_OF.items() if model in models]
        raise InputError(
            f"The method {method} does not fit the model {model}; choose the model "
            f"{' or '.join(MODELS_OF[method])}, or the method {' or '.join(able)}."
        )
