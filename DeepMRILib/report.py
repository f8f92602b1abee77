"""A report: one HTML file that holds its own pictures and opens in any browser, offline, years from now.

    report = Report("IVIM of the liver", "Volunteer 3")
    report.facts({"Method": "segmented least squares", "b-values": "0 to 800 s/mm2"})
    report.section("Maps")
    report.figure(montage([Panel("D", d_map, unit="mm2/s")]), "Diffusion coefficient in three slices.")
    report.write("report.html")

Everything that is passed in is shown as text: nothing in a file name or a DICOM header can become markup.
"""

from __future__ import annotations

import base64
import html
import io
import math
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from DeepMRILib import __version__
from DeepMRILib.errors import OutputError
from DeepMRILib.report_style import CSS
from DeepMRILib.tables import Table
from DeepMRILib.writing import refusals_as_errors, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CSS_PIXELS_PER_INCH = 96
PIXEL_RATIO = 2
"""Two picture pixels for one on the page: sharp on high-density screens and at 192 dpi on paper."""

NO_VALUE = "–"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Report:
    """A report that grows from top to bottom and is written once, whole.

    Args:
        title: what was done, as a heading.
        subtitle: of what, by which method; may be empty.
        created: the date in the footer; now, when not given.

    Example:
        >>> report = Report("IVIM", created=datetime(2026, 3, 1, 14, 5))
        >>> report.facts({"D of A & B": 0.0012})
        >>> "<dt>D of A &amp; B</dt><dd>0.0012</dd>" in report.html()
        True
    """

    def __init__(self, title: str, subtitle: str = "", *, created: datetime | None = None) -> None:
        self.title = title
        self.subtitle = subtitle
        self.created = created or datetime.now().astimezone()
        self._parts: list[str] = []

    def section(self, title: str) -> None:
        """Begin a new part under a heading."""
        self._parts.append(f"<h2>{html.escape(title)}</h2>")

    def text(self, text: str) -> None:
        """Add words; an empty line begins a new paragraph."""
        paragraphs = (block.strip() for block in text.split("\n\n"))
        self._parts += [f"<p>{html.escape(block)}</p>" for block in paragraphs if block]

    def note(self, text: str) -> None:
        """Add a sentence that the reader must not miss, such as a warning about the data."""
        self._parts.append(f'<p class="note" role="note">{html.escape(text)}</p>')

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Add a list of names and values: the method, the settings, the input."""
        rows = (f"<dt>{html.escape(name)}</dt><dd>{html.escape(_shown(value))}</dd>" for name, value in facts.items())
        self._parts.append(f"<dl>{''.join(rows)}</dl>")

    def table(
        self,
        table: Table,
        *,
        formats: Mapping[str, str] | None = None,
        caption: str = "",
        best: Collection[tuple[int, str]] = (),
        tones: Mapping[tuple[int, str], str] | None = None,
    ) -> None:
        """Add a table; its first column names the rows.

        Args:
            table: columns with units; None and NaN are shown as a dash.
            formats: how the numbers of a column are written, by its name, e.g. ``".2f"``; four digits if not given.
            caption: what the table shows, in one sentence.
            best: the cells that stand out, by row number and column name.
            tones: one of ``report_style.TONES`` behind a cell, by row number and column name. Not everybody sees
                colours, and paper may have none: the cell's text has to say the same.
        """
        wordy = [_is_words(values) for values in table.columns.values()]
        head = "".join(_head_cell(name, table.units.get(name, ""), wordy[n]) for n, name in enumerate(table.columns))
        specs = [(formats or {}).get(name, "") for name in table.columns]
        places = {name: column for column, name in enumerate(table.columns)}
        frames = {(row, places[name]): ("<strong>", "</strong>") for row, name in best}
        frames |= {(row, places[name]): _toned(tone) for (row, name), tone in (tones or {}).items()}
        body = "".join(
            f"<tr>{_row_cells(row, specs, wordy, {column: frame for (at, column), frame in frames.items() if at == n})}"
            "</tr>"
            for n, row in enumerate(table.rows)
        )
        title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
        # tabindex: a wide table scrolls sideways on a narrow screen, with the keyboard too
        self._parts.append(
            f'<div class="scroll" tabindex="0"><table>{title}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def figure(self, figure: Figure, caption: str, *, alt: str = "") -> None:
        """Add a matplotlib figure as a picture inside the file, and close the figure.

        Args:
            figure: any matplotlib figure; it is empty afterwards.
            caption: what the reader sees in it, in a sentence.
            alt: the same for someone who cannot see it; the caption if not given.
        """
        width, height = (round(inches * CSS_PIXELS_PER_INCH) for inches in figure.get_size_inches())
        self._picture("png", png(figure), (width, height), caption, alt)

    def animation(self, gif: bytes, caption: str, *, alt: str = "") -> None:
        """Add an animated GIF as a picture inside the file; on paper it is its first frame.

        Args:
            gif: the content of the file.
            caption, alt: as for ``figure``.
        """
        size = (int.from_bytes(gif[6:8], "little"), int.from_bytes(gif[8:10], "little"))
        self._picture("gif", gif, size, caption, alt)

    def _picture(self, kind: str, content: bytes, size: tuple[int, int], caption: str, alt: str) -> None:
        picture = base64.b64encode(content).decode("ascii")
        self._parts.append(
            f'<figure><img src="data:image/{kind};base64,{picture}" alt="{html.escape(alt or caption)}" '
            f'width="{size[0]}" height="{size[1]}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        )

    def html(self) -> str:
        """The whole page as text."""
        subtitle = f'<p class="subtitle">{html.escape(self.subtitle)}</p>' if self.subtitle else ""
        body = "\n".join(self._parts)
        return (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            f"<title>{html.escape(self.title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
            f"<header><h1>{html.escape(self.title)}</h1>{subtitle}</header>\n{body}\n</main>\n{self._footer()}\n"
            "</body>\n</html>\n"
        )

    def _footer(self) -> str:
        moment = f'<time datetime="{self.created.isoformat()}">{self.created:%Y-%m-%d %H:%M}</time>'
        return f"<footer>DeepMRI {html.escape(__version__)} · {moment} · For research use only.</footer>"

    def write(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the report; another program sees the old file or the new one, never half of one.

        Raises:
            OutputError: the file exists and ``overwrite`` is False, or it cannot be written there.
        """
        path = Path(path)
        with refusals_as_errors(f"The report cannot be written to {path}"):
            _check_place(path, overwrite)
            page = self.html().encode("utf-8", "replace")  # as tables do
            with replacing(path) as (draft,):
                draft.write_bytes(page)
        return path


def png(figure: Figure) -> bytes:
    """A matplotlib figure as PNG for screens of high density; the figure is closed."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=CSS_PIXELS_PER_INCH * PIXEL_RATIO, facecolor="white")
    figure.clear()
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:  # a figure made with pyplot stays in its list until it is closed there
        pyplot.close(figure)
    return buffer.getvalue()


def _check_place(path: Path, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputError(f"The report cannot be written to {path}: that is a folder. Give a file name in it.")
    if path.exists() and not overwrite:
        raise OutputError(f"The report {path} exists already. Choose another name, or allow overwriting.")
    if not path.parent.is_dir():
        raise OutputError(f"The report cannot be written to {path}: the folder is missing. Make {path.parent} first.")


def _shown(value: Any, spec: str = "") -> str:
    """A value as a reader expects it: yes and no, whole numbers whole, no digits that mean nothing."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, Real) and math.isnan(value)):
        return NO_VALUE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return str(value)
    if isinstance(value, Real):
        return format(float(value), spec or (".0f" if 1000 <= abs(value) < 1e9 else ".4g"))
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(entry, spec) for entry in value)
    return str(value)


def _is_words(entries: Sequence[Any]) -> bool:
    return not entries or any(not isinstance(entry, Real) and entry is not None for entry in entries)


def _head_cell(name: str, unit: str, words: bool) -> str:
    label = html.escape(name) + (f' <span class="unit">{html.escape(unit)}</span>' if unit else "")
    return f'<th scope="col"{_class(words)}>{label}</th>'


def _row_cells(
    row: Sequence[Any], specs: Sequence[str], wordy: Sequence[bool], frames: Mapping[int, tuple[str, str]]
) -> str:
    shown = [html.escape(_shown(value, spec)) for value, spec in zip(row, specs, strict=True)]
    shown = [f"{frames[n][0]}{text}{frames[n][1]}" if n in frames else text for n, text in enumerate(shown)]
    cells = [f"<td{_class(wordy[n])}>{text}</td>" for n, text in enumerate(shown)]
    cells[0] = f'<th scope="row"{_class(wordy[0])}>{shown[0]}</th>'
    return "".join(cells)


def _toned(tone: str) -> tuple[str, str]:
    return f'<span class="tone {html.escape(tone)}">', "</span>"


def _class(words: bool) -> str:
    return ' class="words"' if words else ""
