"""The demonstration's chapter on k-space patterns: for the image, for a segmentation, and for planted stripes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from demo_chapter import Chapter
from demo_igs_page import write

CASES, SEED = "160", "7"
SMALL = ["--cases", "16", "--size", "48"]
FEW = ["--epochs", "1", "--channels", "4", "8"]


def commands(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The folder that each command makes, and its words."""
    plain = ["--no-report"] if quick else []
    for name, words in steps(folder, network, quick):
        yield name, [*words, *plain]


def steps(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The same, with the reports of all."""
    hearts, stripes = str(folder / "phantom"), str(folder / "stripes")
    lines = ["--acceleration", "6" if quick else "8"]
    yield "phantom", ["igs", "sample", *(SMALL if quick else ["--cases", CASES]), "--seed", SEED]
    yield "image", ["igs", "find", hearts, "--loss", "l1", *lines]
    yield "image_tested", ["igs", "test", str(folder / "image"), hearts]
    yield "files", ["igs", "export", str(folder / "image")]
    if not network:
        return
    yield from learned("hearts", hearts, folder, lines, quick)
    yield "stripes", ["igs", "sample", "--kind", "stripe", *(SMALL if quick else ["--cases", CASES, "--size", "64"])]
    yield from learned("stripe", stripes, folder, ["--lines", "4" if quick else "12"], quick)


def learned(name: str, data: str, folder: Path, lines: list[str], quick: bool) -> Iterator[tuple[str, list[str]]]:
    """A network, its pattern, and both tested."""
    network = str(folder / f"{name}_network")
    yield f"{name}_network", ["igs", "train", data, "--name", f"{name}_network", *(FEW if quick else [])]
    exact = [] if quick else ["--rerank", "4"]
    yield f"{name}_pattern", ["igs", "find", data, "--network", network, *lines, *exact]
    yield f"{name}_tested", ["igs", "test", str(folder / f"{name}_pattern"), data, "--network", network]


CHAPTER = Chapter(
    name="igs",
    title="KSpaceIGS: k-space patterns for a task",
    packages=("torch", "safetensors", "monai"),
    networks="the networks, and the patterns that serve them",
    commands=commands,
    write=write,
)
