"""The demonstration's chapter on perivascular spaces: drawn spaces in a generated head, found by every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from demo_chapter import Chapter
from demo_pvs_page import write

from DeepMRILib.model_store import ModelStore
from DeepMRILib.pvs.opened import SHIPPED

SMALL = ["--spacing", "2", "2", "2", "--diameter", "1.8", "--tubes", "60"]
FILTERS = ("frangi", "jerman")
SEED = "7"


def commands(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The folder that each command makes, and its words."""
    for name, words in steps(folder, network and is_shipped(), quick):
        yield name, [*words, *(["--no-report"] if quick else [])]


def steps(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The same, with the reports of all."""
    made = folder / "phantom"
    yield "phantom", ["pvs", "phantom", "--seed", SEED, *(SMALL if quick else [])]
    inputs = ["--t1", str(made / "t1.nii.gz"), "--parcellation", str(made / "parcellation.nii.gz")]
    for name in FILTERS:
        yield name, ["pvs", "segment", *inputs, "--filter", name]
    if network:
        yield "network", ["pvs", "segment", *inputs, "--engine", "network"]
    for name in (*FILTERS, *(["network"] if network else [])):
        found = [str(folder / name / "probability.nii.gz"), str(made / "truth.nii.gz")]
        more = ["--brain-mask", str(made / "brain.nii.gz"), "--min-size", "5"]
        yield f"agreement_{name}", ["pvs", "evaluate", *found, *more]


def is_shipped() -> bool:
    """Whether DeepMRI brings a network along."""
    return any(model.card.name == SHIPPED for model in ModelStore().list("pvs"))


CHAPTER = Chapter(
    name="pvs",
    title="PVSSegment: perivascular spaces",
    packages=("torch", "safetensors"),
    networks="the network and what it finds",
    commands=commands,
    write=write,
)
