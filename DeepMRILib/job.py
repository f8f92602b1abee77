"""What a job is: one plain function with its inputs, settings and result, and what the doors need to know of it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from DeepMRILib.errors import InputError
from DeepMRILib.options import validate
from DeepMRILib.progress import Progress

Kind = Literal[
    "volume", "diffusion", "mask", "labels", "points", "outside", "prompts", "array", "folder", "model", "study",
    "masks", "images", "network", "data",
]  # fmt: skip
"""What a job is given: ``Volume`` (volume, mask), ``DiffusionVolume``, ``LabelVolume``, points (n, 3) in RAS mm,
outside (such points, where nothing is), prompts (such points, or points by segment), ``ndarray``, the ``Path`` of a
folder, or the ``Path`` of a model's folder (``model_store.open_model``); a network is such a folder, or a file or
folder of another program that the method can read; data are the ``Path`` of a file or folder that the method reads
itself, or from Python and panels what it would read there; a study is a tuple of series, masks and images are tuples
of those, each in memory or still on disk (``files.study.SeriesFile``, ``Path``).
"""
SEVERAL = ("study", "masks", "images")
"""Kinds of which several are given."""


@dataclass(frozen=True)
class Input:
    """One thing a job works on.

    Attributes:
        name: the parameter of the job's function.
        kind: what it is; the doors know from it how to read and show it.
        help: one sentence for help texts, no full stop.
        required: required inputs come first and by position, the others by keyword.
    """

    name: str
    kind: Kind
    help: str
    required: bool = True


@dataclass(frozen=True)
class Job:
    """One plain function ``job(*inputs, options, *, progress=None) -> result`` and what the doors need to know of it.

    Functions and classes are named as ``"module:name"`` and imported when used, so that this table costs nothing.

    Attributes:
        method: the method's package, e.g. ``"ivim"``.
        name: the job's name within it, e.g. ``"fit"``.
        summary: one sentence.
        function, options, result: the function, its options class and its result class.
        example: a function without arguments that makes small inputs (a dict by input name): for tests and docs.
        report: a function from result to ``Report``; None where there is nothing to show.
        quick: settings, as on the command line, with which the example takes a moment; for tests.
        needs_torch: it needs PyTorch, whatever the settings.
        stores: its result is a model, which goes to the user's models where no other place is named.
    """

    method: str
    name: str
    summary: str
    function: str
    options: str
    result: str
    inputs: tuple[Input, ...]
    example: str
    report: str | None = None
    quick: tuple[tuple[str, Any], ...] = ()
    needs_torch: bool = False
    stores: bool = False

    @property
    def key(self) -> str:
        """The job's full name, e.g. ``"ivim.fit"``."""
        return f"{self.method}.{self.name}"

    @property
    def options_type(self) -> type:
        """The options class."""
        return load(self.options)

    def example_options(self) -> Any:
        """Options with which the job runs on the example inputs in about a second."""
        return self.options_type(**dict(self.quick))

    def example_inputs(self) -> dict[str, Any]:
        """Small inputs on which the job runs in about a second."""
        return load(self.example)()

    def run(self, inputs: Mapping[str, Any], options: Any = None, progress: Progress | None = None) -> Any:
        """Run the job in this process.

        Args:
            inputs: by name; what is None or absent is not given to the job.
            options: the job's options; its defaults when None.
            progress: told how far it is; may raise ``Cancelled``.

        Raises:
            InputError: an input is missing or unknown, or a setting is bad; and whatever the job raises.
        """
        given = {name: value for name, value in inputs.items() if value is not None}
        unknown = set(given) - {item.name for item in self.inputs}
        if unknown:
            raise InputError(f"{sorted(unknown)[0]} is not an input of {self.key}.")
        missing = [item for item in self.inputs if item.required and item.name not in given]
        if missing:
            raise InputError(f"The input {missing[0].name} is missing. {missing[0].help}.")
        required = [given.pop(item.name) for item in self.inputs if item.required]
        options = validate(self.options_type() if options is None else options)
        return load(self.function)(*required, options, **given, progress=progress)


def load(reference: str) -> Any:
    """What ``"module:name"`` names."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
