"""The CSA header, in which Siemens scanners kept what DICOM had no place for: a table of names and texts.

Layout: nibabel's "Siemens format DICOM with CSA header" (nipy.org/nibabel/dicom/siemens_csa.html); the lengths of the
first version are as in SPM's spm_dicom_headers.
"""

from __future__ import annotations

import struct

_TAG = struct.Struct("<64si4siii")  # name, number of values, VR, syngo type, number of items, marker
_ITEM = struct.Struct("<4i")
_MOST_TAGS = 1000  # real headers hold about a hundred


def parse_csa(content: bytes) -> dict[str, list[str]]:
    """The entries of a CSA header: the texts of each name. An unreadable header gives what came before the damage.

    Args:
        content: the bytes of (0029,1010) or (0029,1020).
    """
    try:
        return _parse(content)
    except struct.error:
        return {}


def csa_numbers(entries: dict[str, list[str]], name: str, count: int = 1) -> list[float] | None:
    """The first ``count`` numbers of an entry, None when they are not there."""
    try:
        values = [float(text) for text in entries.get(name, [])[:count]]
    except ValueError:
        return None
    return values if len(values) == count else None


def _parse(content: bytes) -> dict[str, list[str]]:
    second_version = content.startswith(b"SV10")
    offset = 8 if second_version else 0
    (tags,) = struct.unpack_from("<I", content, offset)
    offset += 8
    entries: dict[str, list[str]] = {}
    first_items = None
    for _ in range(min(tags, _MOST_TAGS)):
        if offset + _TAG.size > len(content):
            break
        name, multiplicity, _, _, items, _ = _TAG.unpack_from(content, offset)
        offset += _TAG.size
        first_items = items if first_items is None else first_items
        texts: list[str] = []
        for _ in range(max(items, 0)):
            if offset + _ITEM.size > len(content):
                return entries
            sizes = _ITEM.unpack_from(content, offset)
            offset += _ITEM.size
            # The first version adds the first tag's number of items to every length
            length = sizes[1] if second_version else sizes[0] - first_items
            if length < 0 or offset + length > len(content):
                return entries
            texts.append(_text(content[offset : offset + length]))
            offset += -(-length // 4) * 4
        entries[_text(name)] = texts[: multiplicity or None]
    return entries


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("latin-1").strip()
