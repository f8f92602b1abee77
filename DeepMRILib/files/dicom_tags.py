"""Numbers from DICOM elements, private ones included, whatever value representation a PACS has left them with."""

from __future__ import annotations

import re
import struct
from typing import Any

_NUMERIC_TEXT = re.compile(rb"[-+0-9.eE\\ ]+")
_VENDORS = {
    "siemens": "siemens",
    "ge ": "ge",
    "ge_": "ge",
    "general electric": "ge",
    "philips": "philips",
    "uih": "uih",
    "united imaging": "uih",
}


def vendor(dataset: Any) -> str:
    """ "siemens", "ge", "philips", "uih", or "" for any other, from Manufacturer (0008,0070)."""
    name = f"{dataset.get('Manufacturer', '') or ''} ".lower()
    return next((short for start, short in _VENDORS.items() if name.startswith(start)), "")


def private_element(dataset: Any, group: int, creator: str, element: int) -> Any | None:
    """The private element of this creator, in whichever block of the group it stands.

    Where a PACS has removed the group's creators altogether, the first block is taken.

    Args:
        dataset: where to look.
        group: such as 0x0019.
        creator: the start of the private creator's name, such as "SIEMENS MR HEADER".
        element: the last two digits, such as 0x0C for (0019,xx0C).
    """
    creators = {
        tag.element: str(dataset[tag].value).strip()
        for tag in dataset.keys()  # noqa: SIM118 - a dataset iterates over its elements, not its tags
        if tag.group == group and 0x10 <= tag.element <= 0xFF
    }
    blocks = [block for block, name in creators.items() if name.upper().startswith(creator.upper())]
    for block in blocks if creators else [0x10]:
        tag = (group, block << 8 | element)
        if tag in dataset:
            return dataset[tag]
    return None


def numbers(element: Any | None, count: int = 1, *, little_endian: bool = True) -> list[float] | None:
    """The first ``count`` numbers of an element, None when it is missing or holds something else.

    An element of unknown representation (UN), as many archives store private ones, holds bytes: digits as text, or
    floats of eight or four bytes.
    """
    try:
        value = None if element is None else element.value
        if value is None:
            return None
        if isinstance(value, (bytes, bytearray)):
            return _from_bytes(bytes(value), count, little_endian)
        if isinstance(value, str):
            value = value.replace("\0", "").split("\\")
        elif not hasattr(value, "__iter__"):
            value = [value]
        values = [float(entry) for entry in value]
    except (TypeError, ValueError, OverflowError, struct.error):
        return None
    return values[:count] if len(values) >= count else None


def _from_bytes(content: bytes, count: int, little_endian: bool) -> list[float] | None:
    text = content.rstrip(b"\0 ")
    if text and _NUMERIC_TEXT.fullmatch(text):
        values = [float(entry) for entry in text.split(b"\\")]
        return values[:count] if len(values) >= count else None
    for size, code in ((8, "d"), (4, "f")):
        if len(content) == size * count:
            return list(struct.unpack(f"{'<' if little_endian else '>'}{count}{code}", content))
    return None
