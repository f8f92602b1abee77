"""What structures of the heart and the brain are in codes, and the colours that they have in all views."""

from __future__ import annotations

from collections.abc import Mapping

from DeepMRILib.mrml.codes import Code
from DeepMRILib.mrml.terminology import ANATOMY, terminologyEntry

_MYOCARDIUM: Code = ("74281007", "SCT", "Myocardium")
_LEFT: Code = ("87878005", "SCT", "Left ventricle of heart")
_RIGHT: Code = ("53085002", "SCT", "Right ventricle of heart")
_TERMS: dict[str, Code] = {
    "myocardium": _MYOCARDIUM,
    "left ventricle": _LEFT,
    "right ventricle": _RIGHT,
    "brain": ("12738006", "SCT", "Brain"),
}
_COLOURS = {
    "myocardium": (1.0, 0.62, 0.26),
    "left ventricle": (0.90, 0.25, 0.25),
    "right ventricle": (0.25, 0.50, 0.95),
}


def termsOf(names: Mapping[int, str]) -> dict[int, str]:
    """The terminology entry of each label whose name is known."""
    return {label: terminologyEntry(ANATOMY, _TERMS[name]) for label, name in _known(names, _TERMS)}


def coloursOf(names: Mapping[int, str]) -> dict[int, tuple[float, float, float]]:
    """The colour of each label whose name is known."""
    return {label: _COLOURS[name] for label, name in _known(names, _COLOURS)}


def _known(names: Mapping[int, str], table: Mapping[str, object]) -> list[tuple[int, str]]:
    return [(label, name.lower()) for label, name in names.items() if name.lower() in table]
