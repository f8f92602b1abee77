"""Stand-in for ``slicer.i18n``: everything stays in English."""

from __future__ import annotations


def translate(context: str, text: str) -> str:
    """The text in the application's language."""
    from slicer import app

    return app.translate(context, text)


def tr(text: str) -> str:
    """The text in the application's language; the context is not needed for English."""
    return translate("", text)
