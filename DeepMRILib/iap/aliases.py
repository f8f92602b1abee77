"""Words and numbers of headers in one form, whoever wrote them: vendors, models, sequences, agents, field strengths."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

from DeepMRILib.iap.parameters import BY_NAME, NO_AGENT, Value

VENDORS: dict[str, tuple[str, ...]] = {
    "SIEMENS": ("siemens",),
    "GE": ("ge medical", "ge healthcare", "gems", "general electric", "ge"),
    "PHILIPS": ("philips", "marconi", "picker"),
    "UIH": ("uih", "united imaging", "shanghai united imaging"),
    "CANON": ("canon", "toshiba"),
    "FUJIFILM": ("fujifilm", "hitachi"),
    "BRUKER": ("bruker",),
    "AGILENT": ("agilent", "varian"),
    "ESAOTE": ("esaote",),
    "HYPERFINE": ("hyperfine",),
    "NEUSOFT": ("neusoft",),
    "MINDRAY": ("mindray",),
    "ALLTECH": ("alltech",),
    "FONAR": ("fonar",),
    "ELSCINT": ("elscint",),
}
"""Vendor to how its names begin. Companies that took over another's scanners stand for both: Canon for Toshiba's,
Fujifilm for Hitachi's, Philips for Marconi's and Picker's."""

FIELD_STRENGTHS = (0.064, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.55, 0.6, 0.7, 1.0, 1.2, 1.5, 3.0, 4.0, 4.7, 7.0, 9.4, 10.5,
                   11.7, 14.1)  # fmt: skip
"""Field strengths in T that scanners are sold with."""
_NEAR = 0.05
"""How far from it a field strength may lie: 1.494 is 1.5 (0.4 %), 2.8936 is 3 (3.5 %)."""
_GAUSS = 100.0
"""Above this a field strength is in gauss, as some older scanners write it: no magnet has 100 T."""

AGENTS = ("OMNISCAN", "MAGNEVIST", "MULTIHANCE", "GADAVIST", "DOTAREM", "PROHANCE", "EOVIST", "ABLAVAR", "CLARISCAN",
          "OPTIMARK", "ELUCIREM", "FERAHEME", "RESOVIST", "FERIDEX")  # fmt: skip
_OTHER_AGENTS = {
    "GADOVIST": "GADAVIST",
    "GADOBUTROL": "GADAVIST",
    "PRIMOVIST": "EOVIST",
    "VASOVIST": "ABLAVAR",
    "GADOTERATE": "DOTAREM",
    "GADOTERIDOL": "PROHANCE",
    "GADODIAMIDE": "OMNISCAN",
    "GADOPENTETATE": "MAGNEVIST",
    "GADOBENATE": "MULTIHANCE",
    "GADOXETATE": "EOVIST",
    "GADOPICLENOL": "ELUCIREM",
    "VUEWAY": "ELUCIREM",
}
_MODELS = {
    "tim trio": "TrioTim",
    "triotim": "TrioTim",
    "prisma fit": "Prisma fit",
    "skyra fit": "Skyra fit",
    "biograph mmr": "Biograph mMR",
}
EMPTY = {"", "NONE", "UNKNOWN", "N/A", "NA", "NAN", "NULL", "NOT SPECIFIED", "ANON", "ANONYMOUS", "ANONYMIZED",
         "ANONYMISED", "REMOVED", "REDACTED"}  # fmt: skip
"""Texts that stand where nothing is known; NONE is a word of its own among sequence variants and scan options."""
_NONE_IS_A_WORD = ("sequence", "variant", "scan_options")
_SETS = ("sequence", "variant")
"""Parameters whose words have no order."""
SEQUENCE_WORDS = ("SE", "IR", "GR", "EP", "RM")
"""What ScanningSequence (0018,0020) may say."""


LONGEST = 1024
"""Characters of a text that are looked at: DICOM allows 64 of a name, and no scan has a thousand letters of options."""
_KEPT = 4096
_Found = TypeVar("_Found")


def _of_short(function: Callable[[str], _Found]) -> Callable[[str], _Found]:
    """The function of a text's first ``LONGEST`` characters; what was found is kept, as texts come again and again."""
    kept = lru_cache(maxsize=_KEPT)(function)

    @wraps(function)
    def short(text: str) -> _Found:
        return kept(text[:LONGEST])

    return short


@_of_short
def vendor(text: str) -> str:
    """The vendor of a manufacturer's name; what is not known stays, in capitals.

    Example:
        >>> vendor("Siemens Healthineers"), vendor("GE MEDICAL SYSTEMS"), vendor("TOSHIBA_MEC"), vendor("Vendor  A")
        ('SIEMENS', 'GE', 'CANON', 'VENDOR A')
    """
    name = _blanks(text).lower()
    for found, starts in VENDORS.items():
        if any(name == start or re.match(rf"{start}\b", name) for start in starts):
            return found
    return name.upper()


@_of_short
def model(text: str) -> str:
    """A scanner's model without its family's and its vendor's name, underscores as blanks.

    Example:
        >>> model("Prisma_fit"), model("MAGNETOM Prisma Fit"), model("TIM TRIO"), model("Signa HDxt")
        ('Prisma fit', 'Prisma fit', 'TrioTim', 'Signa HDxt')
    """
    name = re.sub(r"^(siemens )?magnetom\s+", "", _blanks(text), flags=re.IGNORECASE)
    return _MODELS.get(name.lower(), name)


def field_strength(tesla: float) -> float:
    """The field strength that a scanner is sold with, of the one that its header gives; of gauss, too.

    Example:
        >>> field_strength(1.494), field_strength(2.8936), field_strength(15000), field_strength(2.35)
        (1.5, 3.0, 1.5, 2.35)
    """
    tesla = tesla / 1e4 if tesla > _GAUSS else tesla
    nearest = min(FIELD_STRENGTHS, key=lambda one: abs(one - tesla))
    return nearest if abs(nearest - tesla) <= _NEAR * nearest else tesla


@_of_short
def agent(text: str) -> str:
    """The contrast agent in a text that may also give its dose.

    Example:
        >>> agent("11 ml Omniscan"), agent("MMAGNEVIST"), agent("Gadovist 1.0"), agent(""), agent("CE 7cc")
        ('OMNISCAN', 'MAGNEVIST', 'GADAVIST', 'none', 'CE 7CC')
    """
    name = _blanks(text).upper()
    if name in EMPTY:
        return NO_AGENT
    for one in AGENTS:
        if one in name:
            return one
    return next((one for other, one in _OTHER_AGENTS.items() if other in name), name)


@_of_short
def words(text: str) -> tuple[str, ...]:
    r"""The words of a multi-valued text, in capitals: joined by backslashes, by underscores, or as a list.

    An underscore inside GE's words (FAT_GEMS) belongs to the word.

    Example:
        >>> words("GR_IR"), words("['EP', 'SE']"), words("SAT_GEMS\\PFP\\FS"), words("EPI_GEMS_PFF")
        (('GR', 'IR'), ('EP', 'SE'), ('SAT_GEMS', 'PFP', 'FS'), ('EPI_GEMS', 'PFF'))
    """
    plain = re.sub(r"[\[\]()'\"]", " ", text.replace("\0", "")).upper()
    if re.search(r"[\\,;|]", plain):
        return tuple(part for part in (piece.strip() for piece in re.split(r"[\\,;|]+", plain)) if part)
    found: list[str] = []
    for part in re.split(r"[/\s_]+", plain):
        if part == "GEMS" and found:
            found[-1] += "_GEMS"
        elif part:
            found.append(part)
    return tuple(found)


def sequence_family(sequence: str | None) -> str:
    r"""What makes the contrast, of a ScanningSequence: EPI, IR, SE, GRE, RM, or "" where it is not known.

    Example:
        >>> sequence_family("GR\\IR"), sequence_family("EP\\SE"), sequence_family("GR"), sequence_family(None)
        ('IR', 'EPI', 'GRE', '')
    """
    found = words(sequence or "")
    for word, family in (("EP", "EPI"), ("IR", "IR"), ("SE", "SE"), ("GR", "GRE"), ("RM", "RM")):
        if word in found:
            return family
    return ""


def word_value(parameter: str, text: str) -> str | None:
    """A categorical parameter's value as ``Header.values`` holds it, None for a text that says nothing.

    Of a text the first ``LONGEST`` characters are taken.
    """
    text = text[:LONGEST]
    if parameter == "contrast_agent":
        return agent(text)
    plain = _blanks(text)
    if not plain.strip("*-?. ") or (plain.upper() in EMPTY and parameter not in _NONE_IS_A_WORD):
        return None
    if parameter == "manufacturer":
        return vendor(plain)
    if parameter == "model":
        return model(plain)
    if parameter == "matrix":
        return plain.lower().replace(" ", "").replace("*", "x")
    found = words(text)
    if not found:
        return None
    # "NONE" beside other words says nothing
    found = tuple(word for word in found if word != "NONE") or ("NONE",)
    return "\\".join(sorted(set(found)) if parameter in _SETS else found)


@lru_cache(maxsize=16384)
def _word_key(parameter: str, text: str) -> str:
    value = word_value(parameter, text)
    if value is None:
        return ""
    if parameter == "scan_options":
        value = "\\".join(sorted(set(words(value))))
    return value.casefold()


def key_of(parameter: str, value: Value) -> str | float | None:
    """What two values of a parameter have in common when they are the same: for grouping and counting.

    Words without their case and order, field strengths in their groups, other numbers to four digits.

    Example:
        >>> key_of("manufacturer", "Siemens") == key_of("manufacturer", "SIEMENS HEALTHINEERS")
        True
    """
    if value is None:
        return None
    if BY_NAME[parameter].kind == "categorical":
        return _word_key(parameter, str(value)[:LONGEST]) or None
    number = float(value)
    if parameter == "field_strength":
        return field_strength(number)
    return float(f"{number:.4g}")


def _blanks(text: str) -> str:
    """Underscores, NULs and runs of blanks as one blank."""
    return re.sub(r"[\s_\0]+", " ", text).strip()
