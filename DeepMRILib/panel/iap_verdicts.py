"""How verdicts look: a sign, a word and a colour each, so that no one has to tell colours apart."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _

BLACK, WHITE = "#000000", "#ffffff"


@dataclass(frozen=True)
class Look:
    """Of one verdict.

    Attributes:
        sign: before the word.
        background, ink: as #rrggbb; both are given, so that light and dark themes show the same. "" for the theme's.
    """

    sign: str
    background: str = ""
    ink: str = ""


LOOKS = {
    "agree": Look("=", "#0072b2", WHITE),
    "disagree": Look("≠", "#d55e00", BLACK),
    "missing in the header": Look("∅", "#f0e442", BLACK),
    "unseen class": Look("?", "#cc79a7", BLACK),
    "unsure": Look("~", "#d9d9d9", BLACK),
    "not predicted": Look("–"),
}
"""Colours of Okabe and Ito (jfly.uni-koeln.de/color, 2008), which colour-blind people tell apart, and a grey."""


def lookOf(verdict: str) -> Look:
    """Of any verdict; others stand in the theme's colours."""
    return LOOKS.get(verdict, Look(""))


def verdictWord(verdict: str, header: str = "") -> str:
    """Sign and word of a verdict, as short as a column of the list; ``header`` is what the header says."""
    words = {
        "agree": _("agree"),
        "disagree": _("disagree"),
        "missing in the header": _("missing"),
        "unseen class": _("unseen"),
        "unsure": _("unsure"),
        "not predicted": _("header only") if header else _("not told"),
    }
    return f"{lookOf(verdict).sign} {words.get(verdict, verdict)}".strip()


def verdictHelp(verdict: str, header: str = "", predicted: str = "") -> str:
    """What a verdict means, where header and image say this."""
    if verdict == "missing in the header" and not predicted:
        return _("The header does not say it, and it should.")
    if verdict == "not predicted" and not header:
        return _("The header does not say it, and it was not told from the image.")
    return {
        "agree": _("Header and image say the same, within the tolerance."),
        "disagree": _("The image says something else than the header."),
        "missing in the header": _("The header does not say it; the image does."),
        "unseen class": _("The header says something that the model was never shown."),
        "unsure": _("The model is not sure enough to agree or to disagree."),
        "not predicted": _("No model has looked at the image for this."),
    }.get(verdict, "")
