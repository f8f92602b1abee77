"""The demonstration's chapter on lesions from six points: generated lesions, segmented by every engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from demo_chapter import Chapter
from demo_interactive_material import CLICK, CORRECTED, DATASET, DISPLACED, KINDS, deepest_excess
from demo_interactive_page import write
from numpy.typing import NDArray

from DeepMRILib.interactive import phantom_dataset
from DeepMRILib.interactive.network_engine import SHIPPED
from DeepMRILib.model_store import ModelStore

JITTER = "2"
SMALL = ["--size", "40", "40", "32", "--spacing", "2", "2", "2.5"]
FOLDS, EPOCHS, QUICK_EPOCHS = "2", "40", "1"
CASES = {"cases": 8, "tests": 4, "size": (28, 28, 22), "spacing": (2.3, 2.3, 2.9)}
FEW_CASES = ["--accumulate", "1", "--learning-rate", "0.02", "--momentum", "0.95", "--no-baselines"]
"""Few cases make few steps in an epoch: larger ones then."""


def commands(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The folder that each command makes, and its words; each may be made from what the ones before have left."""
    for name, words in steps(folder, network, quick):
        yield name, [*words, *(["--no-report"] if quick else [])]


def steps(folder: Path, network: bool, quick: bool) -> Iterator[tuple[str, list[str]]]:
    """The same, with the reports of all."""
    engines = ["geodesic", "graphcut", *(["network"] if network and is_shipped() else [])]
    for kind in KINDS:
        yield kind, ["interactive", "phantom", "--kind", kind, *(SMALL if quick else [])]
        yield from segmentations(folder, kind, folder / kind / "points.csv", engines)
    truth = folder / "hard" / "label.nii.gz"
    yield DISPLACED, ["interactive", "points", str(truth), "--jitter", JITTER]
    yield from segmentations(folder, "hard", folder / DISPLACED / "points.csv", engines, DISPLACED)
    kind, place = deepest_excess(folder)
    if kind:
        path = clicked(folder, place)
        for name, words in segmentations(folder, kind, folder / kind / "points.csv", engines, CORRECTED):
            yield name, [*words, "--negative-points", str(path)]
    if network:
        yield from training(folder, QUICK_EPOCHS if quick else EPOCHS)


def training(folder: Path, epochs: str) -> Iterator[tuple[str, list[str]]]:
    """A network for a small dataset of generated lesions, from its plan to its test."""
    dataset = str(phantom_dataset(folder / DATASET, **CASES))
    planned = ["--plan", str(folder / "plan"), "--folds", FOLDS, "--epochs", epochs]
    yield "plan", ["interactive", "plan", dataset, "--folds", FOLDS, "--filters", "8"]
    yield "trained", ["interactive", "train", dataset, *planned, *FEW_CASES, "--name", "demo"]
    yield "tested", ["interactive", "test", str(folder / "trained"), dataset]


def segmentations(
    folder: Path, kind: str, points: Path, engines: list[str], name: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """A lesion segmented by each engine from the same points."""
    for engine in engines:
        words = ["interactive", "segment", str(folder / kind / "image.nii.gz"), str(points), "--engine", engine]
        yield f"{name or kind}_{engine}", words


def is_shipped() -> bool:
    """Whether DeepMRI brings a network along."""
    return any(model.card.name == SHIPPED for model in ModelStore().list("interactive"))


def clicked(folder: Path, place: NDArray) -> Path:
    """The file of a point in RAS mm."""
    path = folder / CLICK
    path.write_text("r,a,s\n" + ",".join(f"{mm:.1f}" for mm in place) + "\n", encoding="utf-8")
    return path


CHAPTER = Chapter(
    name="interactive",
    title="InteractiveSeg: lesions from six points",
    packages=("torch", "safetensors", "monai"),
    networks="the network and what it finds",
    commands=commands,
    write=write,
)
