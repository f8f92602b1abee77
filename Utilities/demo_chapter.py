"""What the chapters of the demonstration share: commands, how they are run, and the page that all are put into."""

from __future__ import annotations

import html
import importlib.util
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from DeepMRILib import cli
from DeepMRILib.report import Report

STYLE = """<style>
h2 { font-size: 1.5rem; margin-top: 4rem; padding-top: 1.5rem; border-top-width: 3px; }
h3 { font-size: 1.15rem; line-height: 1.3; margin: 2.25rem 0 0.6rem; font-weight: 650; }
nav { margin: 1.5rem 0; } nav a { color: var(--accent); } nav > ol > li { margin: 0.6rem 0; }
nav ol ol { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; font-size: 0.93rem; }
</style>"""


@dataclass(frozen=True)
class Step:
    """One command of the demonstration.

    Attributes:
        name: the folder that it made.
        command: its words after ``deepmri``.
        seconds: how long it took.
    """

    name: str
    command: list[str]
    seconds: float


class Book(Report):
    """A report in chapters, with a table of contents."""

    def __init__(self, title: str, subtitle: str = "") -> None:
        super().__init__(title, subtitle)
        self._chapters: list[tuple[str, list[str]]] = []
        self._contents_at = 0

    def contents(self) -> None:
        """Put the table of contents here."""
        self._contents_at = len(self._parts)
        self._parts.append("")

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapters.append((title, []))
        self._parts.append(f'<h2 id="{_anchor(title)}">{html.escape(title)}</h2>')

    def section(self, title: str) -> None:
        """Begin a part of a chapter under a heading."""
        chapter, sections = self._chapters[-1]
        sections.append(title)
        self._parts.append(f'<h3 id="{_anchor(chapter, title)}">{html.escape(title)}</h3>')

    def html(self) -> str:
        """The whole page as text."""
        chapters = "".join(
            f"<li>{_link(title, _anchor(title))}<ol>"
            + "".join(f"<li>{_link(section, _anchor(title, section))}</li>" for section in sections)
            + "</ol></li>"
            for title, sections in self._chapters
        )
        self._parts[self._contents_at] = f'{STYLE}<nav aria-label="Contents"><ol>{chapters}</ol></nav>'
        return super().html()

    def picture(self, figure: Figure, path: Path, caption: str) -> None:
        """Add a figure, and put it beside the page as PNG."""
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path, dpi=200)
        self.figure(figure, caption)


def _anchor(*words: str) -> str:
    return re.sub(r"\W+", "-", " ".join(words).lower()).strip("-")


def _link(text: str, anchor: str) -> str:
    return f'<a href="#{anchor}">{html.escape(text)}</a>'


@dataclass(frozen=True)
class Chapter:
    """One module's part of the demonstration.

    Attributes:
        name: its folder.
        title: its heading.
        packages: what its networks need.
        networks: what is left out without them, in words.
        commands: the folder that each command makes, and its words after ``deepmri``; asked for with the chapter's
            folder, whether there are networks, and whether it should be small and quick. The next is asked for when the
            one before has run, so that it can be made from its result.
        write: adds the chapter to the page from what the commands left: the page, the chapter's folder, its commands.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    networks: str
    commands: Callable[[Path, bool, bool], Iterable[tuple[str, list[str]]]]
    write: Callable[[Book, Path, list[Step]], None]

    def run(self, folder: Path, *, network: bool, quick: bool) -> list[Step]:
        """Run the chapter's commands.

        Raises:
            SystemExit: one failed; with its exit code.
        """
        folder.mkdir(parents=True)
        steps = []
        for name, words in self.commands(folder, network, quick):
            command = [*words, "-o", str(folder / name)]
            print("deepmri " + " ".join(command), flush=True)
            started = time.perf_counter()
            code = cli.main(command)
            if code:
                raise SystemExit(code)
            steps.append(Step(name, command, time.perf_counter() - started))
        return steps

    def why_no_network(self, unwanted: bool) -> str:
        """Why networks are left out; empty when they are not."""
        if unwanted:
            return "it was started with --no-network"
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if not missing:
            return ""
        return f"{' and '.join(missing)} cannot be imported here; pip install '.[cli,torch]' brings them"


def command_list(steps: list[Step]) -> dict[str, str]:
    """The commands as they were given."""
    return {f"Command {n}": "deepmri " + " ".join(step.command) for n, step in enumerate(steps, 1)}


def folders(folder: Path) -> dict[str, str]:
    """What each command left, and the pictures."""
    found = {}
    for made in sorted(path for path in folder.iterdir() if path.is_dir()):
        files = sorted(path for path in made.rglob("*") if path.is_file())
        shown = ", open report.html first" if (made / "report.html").is_file() else ""
        size = sum(path.stat().st_size for path in files) / 1e6
        found[f"{folder.name}/{made.name}"] = f"{len(files)} files, {size:.1f} MB{shown}"
    return found
