"""The demonstration's chapter on acquisition parameters: headers with gaps and errors, and what the images say."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from demo_chapter import Chapter
from demo_iap_page import SHIPPED, write

from DeepMRILib.model_store import ModelStore

SMALL = ["--subjects", "6", "--series", "2", "--slices", "2", "--size", "32"]
FEW = ["--epochs", "1", "--size", "32", "--channels", "4", "8", "8", "8"]
SEEDS = {"phantom": "7", "wrong": "8", "unseen": "9001", "combinations": "9002"}
"""Other than those of any training, so that no subject was seen before."""


def commands(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The folder that each command makes, and its words."""
    for name, words in steps(folder, network, quick):
        yield name, ["iap", *words, *(["--no-report"] if quick else [])]


def steps(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The same, with the reports of all."""
    gaps, wrong = str(folder / "phantom" / "series"), str(folder / "wrong" / "series")
    yield "phantom", simulated("phantom", quick, ["8", "4", "4"], "--headers", "gaps")
    yield "wrong", simulated("wrong", quick, ["10", "4", "2"], "--headers", "wrong", "--form", "bids")
    yield "audit", ["audit", gaps]
    yield "audit_wrong", ["audit", wrong]
    yield "analysis", ["analyse", wrong]
    yield "by_header", ["sort", gaps, "--source", "header", "--by", "manufacturer", "field_strength"]
    if network:
        yield from learned(folder, quick)


def learned(folder: Path, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """A short training, and what the shipped network says: of a series, of unseen subjects, of both folders."""
    gaps, wrong = str(folder / "phantom" / "series"), str(folder / "wrong" / "series")
    known = ["--table", str(folder / "phantom" / "truth.csv")]
    yield (
        "network",
        ["train", gaps, *known, "--name", "demo_network", *(FEW if quick else ["--epochs", "6", "--size", "64"])],
    )
    model = SHIPPED if is_shipped() else str(folder / "network")
    yield "predicted", ["predict", str(folder / "phantom" / with_gaps(folder)), "--model", model]
    for name, more in (("unseen", []), ("combinations", ["--held-out"])):
        yield name, simulated(name, quick, ["18", "3", "2"], "--form", "bids", *more)
        yield f"{name}_scores", ["evaluate", model, str(folder / name / "series")]
    by = ["--by", "manufacturer", "field_strength"]
    yield "by_image", ["sort", gaps, "--model", model, *by]
    yield "compared", ["sort", wrong, "--model", model, *by]
    yield "completed", ["complete", gaps, model]


def simulated(name: str, quick: bool, numbers: list[str], *more: str) -> list[str]:
    """A folder of simulated series: so many subjects, series of each, slices of each of these."""
    counts = zip(("--subjects", "--series", "--slices"), numbers, strict=True)
    size = SMALL if quick else [word for pair in counts for word in pair]
    return ["simulate", *size, "--seed", SEEDS[name], *more]


def with_gaps(folder: Path) -> str:
    """The place of a spin echo whose header lacks most."""
    with (folder / "phantom" / "truth.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return max(rows, key=lambda row: (row["sequence"] == "SE", row["amiss"].count("missing")))["path"]


def is_shipped() -> bool:
    """Whether DeepMRI brings a network along."""
    return any(model.card.name == SHIPPED and model.shipped for model in ModelStore().list("iap"))


CHAPTER = Chapter(
    name="iap",
    title="IAPPredict: acquisition parameters",
    packages=("torch", "safetensors"),
    networks="the networks and what they say of the images",
    commands=commands,
    write=write,
)
