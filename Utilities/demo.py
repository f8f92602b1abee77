"""The demonstration: every module on computed images, beside the truth, on one page.

    python Utilities/demo.py --output demo

Everything is done by the command line ``deepmri``, as a user would; only the comparison is computed here. Networks need
PyTorch: without it they are left out, and the page says so.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "Utilities")]

import demo_iap
import demo_igs
import demo_interactive
import demo_ivim
import demo_pvs
from demo_chapter import Book, Chapter, command_list, folders

from DeepMRILib.results import RESULT_FILE

CHAPTERS: tuple[Chapter, ...] = (
    demo_ivim.CHAPTER,
    demo_interactive.CHAPTER,
    demo_pvs.CHAPTER,
    demo_igs.CHAPTER,
    demo_iap.CHAPTER,
)


def main() -> int:
    """Run the demonstration; the exit code is that of the first command that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("demo"))
    parser.add_argument("--overwrite", action="store_true", help="replace an older demonstration")
    parser.add_argument("--no-network", action="store_true", help="leave out what needs PyTorch")
    parser.add_argument("--quick", action="store_true", help="small images and hardly any training: to try the page")
    parser.add_argument("--chapters", nargs="+", choices=[chapter.name for chapter in CHAPTERS], help="only these")
    arguments = parser.parse_args()
    output: Path = arguments.output
    if output.exists() and any(output.iterdir()):
        if not arguments.overwrite or not is_demonstration(output):
            print(f"{output} exists and is not replaced; choose another --output.", file=sys.stderr)
            return 2
        shutil.rmtree(output)
    output.mkdir(parents=True, exist_ok=True)
    book = begin(quick=arguments.quick)
    for chapter in CHAPTERS:
        if not arguments.chapters or chapter.name in arguments.chapters:
            add(book, chapter, output / chapter.name, unwanted=arguments.no_network, quick=arguments.quick)
    book.write(output / "index.html")
    print(f"Written: {output / 'index.html'}")
    return 0


def is_demonstration(folder: Path) -> bool:
    """Whether a folder holds a demonstration, of this version or of the first, and so may be replaced."""
    return any((folder / name / "phantom" / RESULT_FILE).is_file() for name in (".", *(c.name for c in CHAPTERS)))


def begin(*, quick: bool) -> Book:
    """The page's beginning."""
    book = Book("DeepMRI demonstration", "Every method on computed images, beside the truth")
    book.text(
        "This page was made by the commands that each chapter begins with. The phantoms are drawn, not measured: the "
        "truth is known, so that every method can be held against it. Real tissue is less tidy than any phantom."
    )
    if quick:
        book.note("Made with --quick: small images and hardly any training. The numbers say nothing of the methods.")
    book.contents()
    return book


def add(book: Book, chapter: Chapter, folder: Path, *, unwanted: bool, quick: bool) -> None:
    """Run a chapter's commands and add what they left to the page."""
    left_out = chapter.why_no_network(unwanted)
    steps = chapter.run(folder, network=not left_out, quick=quick)
    book.chapter(chapter.title)
    if left_out:
        book.note(f"Left out: {chapter.networks}, as {left_out}.")
    book.facts(command_list(steps))
    chapter.write(book, folder, steps)
    book.section("Files")
    book.facts(folders(folder))


if __name__ == "__main__":
    sys.exit(main())
