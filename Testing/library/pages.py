"""The README and the pages of the modules as tests read them: sections, code blocks, pictures, links."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from DeepMRILib.jobs import JOBS

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LEARNED = re.compile(
    r"--engine network|--method ivimnet|--network |engine=\"network\"|\.train\(|\.train_network\(|\.apply\("
)
"""What needs PyTorch in a command or in Python, beside the jobs that say so."""


@dataclass(frozen=True)
class Block:
    """One block of code on a page.

    Attributes:
        page: the file that it stands in.
        language: "" for commands, "python"; others are shown, not run.
        code: its text.
    """

    page: Path
    language: str
    code: str

    @property
    def commands(self) -> list[list[str]]:
        """The commands as words; comments and the ends of continued lines are gone."""
        lines = self.code.replace("\\\n", " ").splitlines()
        return [words for words in (shlex.split(line, comments=True) for line in lines) if words]

    @property
    def in_slicer(self) -> bool:
        """Whether it is for Slicer's Python console."""
        return "slicer." in self.code

    @property
    def needs_torch(self) -> bool:
        """Whether it trains or applies a network."""
        jobs = (
            [f"{words[1]}.{words[2]}" for words in self.commands if words[0] == "deepmri"] if not self.language else []
        )
        return bool(LEARNED.search(self.code)) or any(job.needs_torch for job in JOBS if job.key in jobs)


def modules() -> list[str]:
    """The modules that the README has a section of."""
    names = re.findall(r"^## (\w+)$", README.read_text(encoding="utf-8"), re.MULTILINE)
    return [name for name in names if (ROOT / name / f"{name}.py").is_file()]


def section(name: str) -> str:
    """The README's section of a module."""
    return README.read_text(encoding="utf-8").partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def page_of(module: str) -> Path:
    """The page of a module: the first that its section links to."""
    return ROOT / re.findall(r"\]\((docs/\w+\.md)", section(module))[0]


def blocks_of(module: str) -> list[Block]:
    """The blocks of a module's section, then those of its page."""
    page = page_of(module)
    texts = ((README, section(module)), (page, page.read_text(encoding="utf-8")))
    return [Block(path, language, code) for path, text in texts for language, code in BLOCK.findall(text)]


def links(page: Path) -> list[str]:
    """The links of a page to places of this repository, pictures too."""
    found = re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", page.read_text(encoding="utf-8")))
    return [link for link in found if "://" not in link and not link.startswith("mailto:")]


def anchors(page: Path) -> set[str]:
    """The names that the headings of a page have in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
