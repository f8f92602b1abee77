"""What an IVIM network is and how it is trained: the presets of the literature, written down without PyTorch.

IVIM-NET: Barbieri et al., Magn Reson Med 2020;83:312-321 (preset ``orig``); Kaandorp et al., Magn Reson Med
2021;86:2250-2265 (``optim``); Troelstra et al., Front Physiol 2022;13:942495 (tri-exponential).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Literal, get_args

from DeepMRILib.errors import InputError

Interval = tuple[float, float]
Layout = Literal["parallel", "semi_parallel", "single"]
Constraint = Literal["sigmoid", "abs"]

FAST_COMPARTMENTS = {"biexp": (("f", "D_star"),), "triexp": (("f1", "D_star1"), ("f2", "D_star2"))}
"""Amplitude and rate of the compartments of blood; that of tissue (S0, D) is always the last."""

TISSUE_AMPLITUDE = {"biexp": (0.0, 2.0), "triexp": (0.0, 2.5)}
"""Bounds of the tissue's amplitude as published. With a free S0 the amplitudes of blood are bounded by those of f."""

RELATIVE_S0 = (0.7, 1.3)
"""Bounds of S0 over the mean signal at the lowest b-value, for the preset ``default``."""

PUBLISHED_BOUNDS: dict[str, dict[str, Interval]] = {
    "biexp": {"D": (0.0, 0.005), "f": (0.0, 0.7), "D_star": (0.005, 0.2)},
    "triexp": {
        "D": (0.0, 0.008),
        "f1": (0.0, 1.0),
        "D_star1": (0.008, 0.08),
        "f2": (0.0, 1.0),
        "D_star2": (0.06, 5.0),
    },
}


@dataclass(frozen=True)
class NetworkPlan:
    """A network and its training, complete: two equal plans trained on equal signals give equal weights.

    Attributes:
        preset: where the settings come from: ``optim``, ``orig`` or ``default``.
        model: signal equation, ``biexp`` or ``triexp``.
        b_values: (n_b,) s/mm2, of all samples that the network is given, in their order; repeats stay.
        layout: one sub-network for each parameter (``parallel``), for each compartment (``semi_parallel``: amplitude
            and rate), or one for all (``single``).
        depth: hidden layers.
        width: units of each.
        dropout: part of the units that is left out in a step, after each hidden layer but the last.
        batch_norm: batch normalisation after each hidden layer.
        constraint: how outputs are kept in range: ``sigmoid`` to the widened bounds, ``abs`` to positive numbers.
        fit_s0: the amplitude of tissue is an output of its own; otherwise it is 1 less the fractions.
        bounds: of each output: D and D_star (mm2/s), f, S0 (for fit_s0: the amplitudes of blood and of tissue).
        widening: how much further the sigmoid reaches at each end, as a part of the bounds' width.
        voxel_filter: leave out voxels whose signal rises with b; see ``network_input.usable``.
        learning_rate: of Adam.
        weight_decay: of Adam, as a part of the gradient.
        batch_size: signals per step.
        max_batches: the most steps of an epoch.
        epochs: the most epochs.
        patience: stop after so many epochs without a lower validation loss.
        loss: what training compares: ``signal`` (predicted with measured signals) or ``posterior`` (means and
            standard deviations with the truth of simulated signals; see ``network_posterior``). A posterior network
            has ``depth`` residual layers after a first one, and is not described by ``layout``, ``constraint`` and
            ``widening``.
        simulated: signals that are simulated for a posterior network.
        keep: weights of the epoch with the lowest validation loss (``best``), or of the ``last`` epoch: as published,
            ``patience`` epochs after the best, where the loss is flat and the parameters still become more exact.
        plateau: multiply the rate by 0.2 after so many epochs without a lower validation loss and go back to the best
            weights; 0 keeps the rate.
        validation_fraction: part of the signals that decides on stopping.
        members: networks of the ensemble. With ``loss`` signal, member k is the network that a plan of one member with
            ``seed + k`` gives; posterior networks have their own first weights and share the simulated signals.
        seed: of all random numbers.
    """

    preset: str
    model: str
    b_values: tuple[float, ...]
    layout: Layout
    depth: int
    width: int
    dropout: float
    batch_norm: bool
    constraint: Constraint
    fit_s0: bool
    bounds: Mapping[str, Interval]
    widening: float
    learning_rate: float
    voxel_filter: bool = True
    loss: Literal["signal", "posterior"] = "signal"
    keep: Literal["best", "last"] = "best"
    simulated: int = 0
    weight_decay: float = 1e-4
    batch_size: int = 128
    max_batches: int = 500
    epochs: int = 1000
    patience: int = 10
    plateau: int = 0
    validation_fraction: float = 0.1
    members: int = 1
    seed: int = 0

    @property
    def n_b(self) -> int:
        """Samples per signal."""
        return len(self.b_values)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the network's outputs in their order: rate and amplitude of each compartment, tissue last.

        Example:
            >>> plan_for("optim", "biexp", [0, 10, 100, 500]).outputs
            ('D_star', 'f', 'D', 'S0')
        """
        fast = tuple(name for amplitude, rate in FAST_COMPARTMENTS[self.model] for name in (rate, amplitude))
        return (*fast, "D", "S0") if self.fit_s0 else (*fast, "D")

    @property
    def branches(self) -> tuple[int, int]:
        """Sub-networks of a member, and outputs of each."""
        compartments = len(FAST_COMPARTMENTS[self.model]) + 1
        if self.layout == "parallel":
            return len(self.outputs), 1
        return (compartments, 2) if self.layout == "semi_parallel" else (1, len(self.outputs))

    @property
    def reach(self) -> dict[str, Interval]:
        """The widened bounds: what a sigmoid output can become, negative rates and fractions too."""
        return {
            name: (low - self.widening * (high - low), high + self.widening * (high - low))
            for name, (low, high) in ((name, self.bounds[name]) for name in self.outputs)
        }

    @property
    def parameter_count(self) -> int:
        """Trained numbers of one member.

        Example:
            >>> b = [0, 5, 10, 20, 30, 40, 60, 150, 300, 500, 700]
            >>> plan_for("optim", "biexp", b).parameter_count
            1280
        """
        if self.loss == "posterior":
            hidden = (self.n_b + 1 + self.depth * (self.width + 1)) * self.width
            return hidden + (self.width + 1) * 2 * len(self.outputs)
        branches, outputs = self.branches
        sizes = [self.n_b] + [self.width] * self.depth
        hidden = sum((n_in + 1 + 2 * self.batch_norm) * n_out for n_in, n_out in pairwise(sizes))
        return branches * (hidden + (sizes[-1] + 1) * outputs)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values for a JSON file."""
        plan = asdict(self)
        plan["b_values"] = list(self.b_values)
        plan["bounds"] = {name: list(interval) for name, interval in self.bounds.items()}
        return plan

    @classmethod
    def from_json(cls, plan: Mapping[str, Any]) -> NetworkPlan:
        """The plan that ``to_json`` wrote; other values beside it are refused.

        Raises:
            InputError: a part is missing, unknown or impossible.
        """
        names = {item.name for item in dataclasses.fields(cls)}
        if not isinstance(plan, Mapping) or set(plan) != names:
            wrong = sorted(names.symmetric_difference(plan)) if isinstance(plan, Mapping) else [type(plan).__name__]
            raise InputError(f"This is no plan of an IVIM network of this version: {', '.join(wrong)} does not fit.")
        try:
            bounds = {name: (float(low), float(high)) for name, (low, high) in plan["bounds"].items()}
            b_values = tuple(float(b) for b in plan["b_values"])
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"The bounds or b-values of an IVIM network cannot be read: {error}.") from error
        return _checked(cls(**{**plan, "b_values": b_values, "bounds": bounds}))


def plan_for(
    preset: str,
    model: str,
    b_values: Sequence[float],
    bounds: Mapping[str, Interval] | None = None,
    *,
    fit_s0: bool = True,
    members: int = 1,
    seed: int = 0,
    **changes: Any,
) -> NetworkPlan:
    """The plan of a preset.

    ``default`` is a posterior network trained on signals simulated from the study's own prior (``network_posterior``),
    ``optim`` the network of Kaandorp 2021, or of Troelstra 2022 for the tri-exponential model, ``orig`` that of
    Barbieri 2020, which never fits S0.

    Args:
        preset: ``default``, ``optim`` or ``orig``.
        model: ``biexp`` or ``triexp``.
        b_values: (n_b,) s/mm2 of all samples.
        bounds: intervals of the model's parameters, e.g. of a body part; by default the published ones. In ``optim``
            and ``orig`` the tissue's amplitude keeps its published bounds, since S0 is its sum with those of blood.
        fit_s0: whether S0 is fitted too.
        members: networks of the ensemble.
        seed: of all random numbers.
        changes: other fields of ``NetworkPlan``.

    Raises:
        InputError: no such preset or model, or a setting that cannot be.
    """
    if model not in FAST_COMPARTMENTS:
        raise InputError(f"There is no network for the model {model!r}; choose one of {', '.join(FAST_COMPARTMENTS)}.")
    makers = {"default": _default, "optim": _optim, "orig": _orig}
    if preset not in makers:
        raise InputError(f"The network {preset!r} is not known; choose one of {', '.join(makers)}.")
    if len(b_values) == 0:
        raise InputError("A network needs the b-values of its signals; none were given.")
    published = PUBLISHED_BOUNDS[model]
    given = published if bounds is None else {name: bounds[name] for name in published}
    amplitude = TISSUE_AMPLITUDE[model]
    if preset == "default":
        amplitude = RELATIVE_S0 if bounds is None else bounds["S0"]
    intervals = {name: (float(low), float(high)) for name, (low, high) in given.items()}
    settings = {
        "preset": preset,
        "model": model,
        "b_values": tuple(float(b) for b in b_values),
        "fit_s0": fit_s0,
        "bounds": {**intervals, "S0": (float(amplitude[0]), float(amplitude[1]))},
        "members": members,
        "seed": seed,
        **makers[preset](model, len(b_values)),
        **changes,
    }
    return _checked(NetworkPlan(**settings))


def _default(model: str, n_b: int) -> dict[str, Any]:  # noqa: ARG001 - the same for both models
    return {
        "loss": "posterior",
        "layout": "single",
        "depth": 3,
        "width": 96,
        "dropout": 0.0,
        "batch_norm": False,
        "constraint": "sigmoid",
        "widening": 0.0,
        "learning_rate": 2e-3,
        "weight_decay": 0.0,
        "voxel_filter": False,
        "simulated": 200_000,
        "batch_size": 1024,
        "epochs": 20,
        "patience": 20,
    }


def _optim(model: str, n_b: int) -> dict[str, Any]:
    common = {"width": n_b, "dropout": 0.1, "batch_norm": True, "constraint": "sigmoid", "learning_rate": 3e-5}
    if model == "triexp":
        return {**common, "layout": "semi_parallel", "depth": 4, "widening": 0.15, "patience": 20, "plateau": 10}
    return {**common, "layout": "parallel", "depth": 2, "widening": 0.3, "keep": "last"}


def _orig(model: str, n_b: int) -> dict[str, Any]:  # noqa: ARG001 - the same for both models
    return {
        "layout": "single",
        "depth": 3,
        "width": n_b,
        "dropout": 0.0,
        "batch_norm": False,
        "constraint": "abs",
        "fit_s0": False,
        "widening": 0.3,
        "learning_rate": 1e-3,
        "keep": "last",
    }


def _checked(plan: NetworkPlan) -> NetworkPlan:
    """The plan, if a network can be made of it: plans come from files of others too."""
    whole = {"depth": 20, "width": 4096, "batch_size": 1 << 20, "max_batches": 1 << 20, "epochs": 1 << 20}
    whole |= {"patience": 1 << 20, "members": 100}
    for name, most in whole.items():
        value = getattr(plan, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
            raise InputError(f"{name} of an IVIM network is {value!r}; expected a whole number from 1 to {most}.")
    words = {"model": tuple(FAST_COMPARTMENTS), "layout": get_args(Layout), "constraint": get_args(Constraint)}
    words |= {"loss": ("signal", "posterior"), "keep": ("best", "last")}
    for name, choices in words.items():
        if getattr(plan, name) not in choices:
            raise InputError(
                f"{name} of an IVIM network is {getattr(plan, name)!r}; choose one of {', '.join(choices)}."
            )
    for name in ("seed", "plateau", "simulated"):
        value = getattr(plan, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**32 - 100:
            raise InputError(f"{name} of an IVIM network is {value!r}; expected a whole number from 0 on.")
    _check_reals(plan)
    return plan


def _check_reals(plan: NetworkPlan) -> None:
    ranges = {
        "dropout": (0, 0.99),
        "widening": (0, 10),
        "learning_rate": (1e-10, 10),
        "weight_decay": (0, 10),
        "validation_fraction": (0.001, 0.9),
    }
    for name, (low, high) in ranges.items():
        value = getattr(plan, name)
        if not isinstance(value, (int, float)) or not low <= value <= high:
            raise InputError(f"{name} of an IVIM network is {value!r}; expected a number from {low} to {high}.")
    for name in plan.outputs:
        low, high = plan.bounds.get(name, (1.0, 0.0))
        if not -1e6 < low < high < 1e6:
            raise InputError(
                f"The bounds of {name} of an IVIM network are {low:g} to {high:g}; expected lowest < highest."
            )
    if not all(0 <= b < 1e6 for b in plan.b_values):
        raise InputError("The b-values of an IVIM network must be finite and not negative; give them in s/mm2.")
