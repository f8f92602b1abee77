"""Which trained networks a series can be fitted with, said before anything is computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from DeepMRILib.errors import InputError
from DeepMRILib.ivim.options import FitOptions
from DeepMRILib.ivim.prepare import average_images
from DeepMRILib.ivim.study_signals import b_values_text, same_b_values
from DeepMRILib.ivim.trained import KIND
from DeepMRILib.model_card import ModelCard
from DeepMRILib.model_store import Model, ModelStore


def networks(store: ModelStore) -> list[Model]:
    """The networks in a store that ``ivim.train`` has made, by name."""
    return [model for model in store.list("ivim") if model.card.extra.get("kind") == KIND]


def network_model(card: ModelCard) -> str:
    """The signal equation that a network was trained for, as in ``FitOptions.model``."""
    return str(card.preprocessing.get("model", ""))


def check_network(card: ModelCard, b_values: ArrayLike, model: str) -> None:
    """Refuse a network that does not fit a series: a network knows the b-values of its training only.

    Args:
        card: the network's.
        b_values: (n,) of the series in s/mm2, in any order.
        model: the signal equation that is wanted.

    Raises:
        InputError: it was trained for another signal equation or other b-values; the text names both.
    """
    trained_for = network_model(card)
    if trained_for != model:
        raise InputError(
            f"The network {card.name} was trained for the model {trained_for}, not for {model}. Choose that model, or "
            "another network."
        )
    expected = np.asarray(card.preprocessing.get("b_values", ()), dtype=float)
    found = _prepared(np.asarray(b_values, dtype=float), card)
    if not same_b_values(found, expected):
        raise InputError(
            f"The network {card.name} was trained on {b_values_text(expected)}; this series has "
            f"{b_values_text(found)}. Choose another network, or train one on this series."
        )


def _prepared(b_values: np.ndarray, card: ModelCard) -> np.ndarray:
    """The b-values after the choice and the averaging of images that the network was trained with."""
    about = {name: card.preprocessing[name] for name in ("average", "b_min", "b_max") if name in card.preprocessing}
    options = FitOptions(**about)
    kept = b_values >= options.b_min
    if options.b_max > 0:
        kept &= b_values <= options.b_max
    none = np.zeros((0, int(kept.sum())), dtype=np.float32)
    return average_images(none, b_values[kept], options.average)[1] if kept.any() else b_values[kept]
