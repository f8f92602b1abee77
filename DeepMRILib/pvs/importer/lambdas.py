"""Lambda layers of Keras: their byte-code is never read; what they do is said by the caller, or found by a rule.

A caller gives for the name of a layer a function of tensors, or the name of what it does: an activation of Keras
(``"swish"``), ``"identity"``, or ``"pad"`` (zeros around it, half of them before, to the size of what it is
concatenated with).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from DeepMRILib.errors import InputError
from DeepMRILib.pvs.importer.graph import Graph

Function = Callable[..., Any]
Lambdas = Mapping[str, Function | str]
PAD = "pad"
IDENTITY = "identity"


@dataclass(frozen=True, eq=False)
class FunctionGraph(Graph):
    """A network some of whose steps (op ``python``) call functions: it can be used, and not be stored.

    Attributes:
        functions: by the name of the layer that they stand for.
    """

    functions: Mapping[str, Function] = field(default_factory=dict)

    def structure(self) -> dict[str, Any]:
        """Nothing: functions are no data.

        Raises:
            InputError: always.
        """
        names = ", ".join(sorted(self.functions))
        raise InputError(
            f"The network cannot be stored: its layers {names} are Python functions. "
            'Name what they do instead, for example lambdas={"layer": "swish"}.'
        )


@dataclass(frozen=True)
class LambdaRules:
    """What is known of the Lambda layers of one file.

    Attributes:
        given: by the caller, by the layer's name.
        known: True for a published SHIVA file, whose Lambdas are swish or padding, told apart by the shapes around
            them; or what each layer does, by its name.
    """

    given: Lambdas = field(default_factory=dict)
    known: bool | Mapping[str, str] = False

    def of(self, *names: str) -> Function | str | None:
        """What a layer does, looked up under the first of its names that is listed; None where a rule must say it."""
        registry = self.known if isinstance(self.known, Mapping) else {}
        for table in (self.given, registry):
            for name in names:
                if name in table:
                    return table[name]
        return None

    @property
    def by_shape(self) -> bool:
        """Whether the shapes around a layer may tell what it does."""
        return self.known is True

    def unused(self, met: set[str]) -> list[str]:
        """Names that the caller gave and no Lambda layer has."""
        return sorted(set(self.given) - met)
