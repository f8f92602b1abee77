"""How verdicts look in the panel: signs and tones are those of reports, words are translated."""

from __future__ import annotations

from slicer.i18n import tr as _

from DeepMRILib.iap.verdicts import LOOKS
from DeepMRILib.report_style import TONES


def coloursOf(verdict: str) -> tuple[str, str] | None:
    """Background and ink as #rrggbb, both, so that light and dark themes show the same; None for the theme's."""
    return TONES[LOOKS[verdict].tone] if verdict in LOOKS and LOOKS[verdict].tone else None


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
    return f"{LOOKS[verdict].sign} {words[verdict]}" if verdict in LOOKS else verdict


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
