"""How sure a network's answers are: temperatures of probabilities, conformal sets and intervals at any level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import inf, isfinite
from typing import Any


@dataclass(frozen=True)
class HeadCalibration:
    """Of one head.

    Attributes:
        temperature: logits are divided by it.
        scores: of the calibration series, ascending, how far the truth was from the answer: of classes 1 - p(truth), or
            what the docs of ``conformal`` say; of numbers |truth - answer| / standard deviation, in the head's own
            scale. The quantile at level L, with the correction for n, makes sets and intervals that hold the truth in L
            of exchangeable series (split conformal prediction).
        given: of one of several heads for a parameter also the scores of all series of its class, for where the class
            is known without looking.
    """

    temperature: float = 1.0
    scores: tuple[float, ...] = ()
    given: tuple[float, ...] = ()


@dataclass(frozen=True)
class Calibration:
    """Of all heads; and what the features of training images look like.

    Attributes:
        heads: by ``Head.name``.
        outside: the statistics that ``outside`` needs to tell images unlike those of the training (JSON values).
        series: how many series it was made on.
    """

    heads: dict[str, HeadCalibration]
    outside: dict[str, Any]
    series: int = 0

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """What ``to_json`` gave.

        Raises:
            ValueError, KeyError, TypeError, AttributeError: it did not give that.
        """
        heads = {name: _head(entry) for name, entry in values["heads"].items()}
        outside = dict(values.get("outside", {}))
        if not isfinite(float(outside.get("limit", 0))):
            raise ValueError("the limit of what is outside is no number")
        return cls(heads, outside, int(values.get("series", 0)))


def _head(entry: Mapping[str, Any]) -> HeadCalibration:
    temperature = float(entry["temperature"])
    # cards of networks without such heads need not have the second
    scores, given = (tuple(float(score) for score in one) for one in (entry["scores"], entry.get("given", ())))
    ascend = all(all(map(isfinite, one)) and list(one) == sorted(one) for one in (scores, given))
    if not 0 < temperature < inf or not ascend:
        raise ValueError("a temperature is not above 0, or scores do not ascend")
    return HeadCalibration(temperature, scores, given)
